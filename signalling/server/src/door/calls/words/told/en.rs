//! In English. What a command answers is here as the reference answers it, and as the wire has it.

use super::Told;

pub(super) const fn text(told: Told) -> &'static str {
    match told {
        Told::GroupCallsOff => {
            "On this server calls are for direct messages only. Start one with somebody from \
             here, or ask your administrator to allow calls in channels and group messages."
        }
        Told::CallLink => "Call link: {}",
        Told::CallLogs => "Call logs: {}",
        Told::LogsKept => "Here are the logs of your call",
        Told::Failed => "Error: {}",
        Told::WrongNumber => "Invalid number of arguments provided",
        Told::WrongArguments => "Invalid arguments provided",
        Told::UnknownSubcommand => "Invalid subcommand: {}",
        Told::UnknownCommand => {
            "There is no command {}: to write it as a message, put a space before it."
        }
        Told::NobodyCalled => "there is nobody called {}",
        Told::StatsUnreadable => "Invalid stats object",
        Told::StatsEmpty => "Empty stats object",
        Told::HostControlsOff => "host controls are not allowed",
        Told::ServerStops => "the server stops",
        Told::Interrupted => "the call ended by a fault in the middle of the request",
        Told::NoCall => "no call ongoing",
        Told::NotHost => "no permissions",
        Told::NotInCall => "requested session or user is not in the call",
        Told::BotHost => "cannot assign the bot to be host: not allowed",
        Told::RecordingsOff => "recordings are not enabled",
        Told::NoJobService => "job service is not initialized",
        Told::NotRecorder => "no permissions to record",
        Told::RecordsAlready => "recording already in progress",
        Told::RecordsNot => "no recording in progress",
        Told::PausedAlready => "recording already paused",
        Told::PausedNot => "recording not paused",
        Told::AboutCall => "Start, join or leave a call",
        Told::AboutStart => "Starts a call in this channel",
        Told::AboutJoin => "Joins the call in this channel",
        Told::AboutLeave => "Leaves the call in this channel",
        Told::AboutEnd => "Ends the call for everybody",
        Told::AboutLink => "Shows a link that joins the call in this channel",
        Told::AboutStats => "Shows what your client measured of the call",
        Told::AboutLogs => "Sends you the log of your client",
        Told::AboutRecording => "Starts, stops or pauses the recording of the call",
        Told::AboutHost => "Makes somebody the host of the call",
        Told::AboutRecordingStart => "Starts recording the call",
        Told::AboutRecordingStop => "Stops the recording",
        Told::AboutRecordingPause => "Pauses the recording",
        Told::AboutRecordingResume => "Goes on with the recording",
        Told::CallStarted => "{} started a call",
        Told::CallEnded => "Call ended",
        Told::RecordingIsHere => "Here's the call recording",
        Told::TranscriptIsHere => "Here's the call transcription",
        Told::NoRecording => "There is no recording of this call: {}",
        Told::NoTranscript => "There is no transcript of this call: {}",
        Told::SummaryHead => "Summary of the call",
        Told::SummaryFoot => "Written by a machine from the transcript.",
    }
}
