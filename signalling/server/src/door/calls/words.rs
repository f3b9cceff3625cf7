//! What people read when something is refused or fails; the texts are the wire's.
//!
//! Not here: what is written for people in their languages (`told`).

mod told;

use signalling_core::{
    HostControlError, JobFailure, JobKind, JobStatusError, JoinError, LeaveError, NoCall,
    RecordingError,
};

pub(crate) use told::{Language, Told, hint, why_not_hosted, why_not_recorded};

/// What the client shows whoever may not join.
pub(crate) fn join(error: &JoinError) -> String {
    match error {
        JoinError::NoMedia(reason) | JoinError::NoPost(reason) | JoinError::Unreadable(reason) => {
            format!("{}: {reason}", join_label(error))
        }
        JoinError::Forbidden
        | JoinError::BotWithoutJob
        | JoinError::Archived
        | JoinError::ThreadDeleted
        | JoinError::ThreadNotRoot
        | JoinError::GroupCalls
        | JoinError::Disabled
        | JoinError::NotEnabled
        | JoinError::Ended
        | JoinError::AlreadyConnected
        | JoinError::Full
        | JoinError::NoJob
        | JoinError::JobNotPending => join_label(error).to_owned(),
    }
}

/// The part of the text that is one of a fixed set.
pub(crate) fn join_label(error: &JoinError) -> &'static str {
    match error {
        JoinError::Unreadable(_) => "cannot read the request to join",
        JoinError::Forbidden => "forbidden",
        JoinError::BotWithoutJob => "JobID should not be empty for bot connections",
        JoinError::Archived => "cannot join call in archived channel",
        JoinError::ThreadDeleted => "cannot attach call to deleted thread",
        JoinError::ThreadNotRoot => "thread is not a root post",
        JoinError::GroupCalls => "unlicensed servers only allow calls in DMs",
        JoinError::Disabled => "calls are disabled in the channel",
        JoinError::NotEnabled => "insufficient permissions",
        JoinError::NoMedia(_) => "failed to get rtcd host",
        JoinError::NoPost(_) => "failed to create call post",
        JoinError::Ended => "call has ended",
        JoinError::AlreadyConnected => "session is already connected",
        JoinError::Full => "user cannot join because of limits",
        JoinError::NoJob => "no job in progress",
        JoinError::JobNotPending => "job not in progress or already started",
    }
}

pub(crate) fn no_call(_: NoCall) -> &'static str {
    "no call ongoing"
}

pub(crate) fn host_control(error: HostControlError) -> &'static str {
    Language::English.say(why_not_hosted(error))
}

pub(crate) fn recording(error: RecordingError) -> &'static str {
    Language::English.say(why_not_recorded(error))
}

pub(crate) fn job_status(error: JobStatusError) -> &'static str {
    match error {
        JobStatusError::NoCall => "no call ongoing",
        JobStatusError::NoJob => "no job ongoing",
        JobStatusError::OtherJob => "invalid job ID",
        JobStatusError::Ended => "job has ended",
        JobStatusError::AlreadyStarted => "job has already started",
        JobStatusError::NotStarted => "job has not started",
        JobStatusError::NotEnded => "job has not ended",
    }
}

/// Why a job ended badly; empty when it did not.
pub(crate) fn job_failure(failure: Option<&JobFailure>) -> String {
    match failure {
        None => String::new(),
        Some(JobFailure::NotTaken { kind, reason }) => {
            format!("failed to create {} job: {reason}", kind.as_str())
        }
        Some(JobFailure::BotDidNotCome(kind)) => format!(
            "failed to start {} job: timed out waiting for bot to join call",
            kind.as_str()
        ),
        Some(JobFailure::BotVanished(JobKind::Recording)) => {
            "the recorder stopped unexpectedly".to_owned()
        }
        Some(JobFailure::BotVanished(JobKind::Transcribing | JobKind::Captioning)) => {
            "the transcriber stopped unexpectedly".to_owned()
        }
        Some(
            JobFailure::Told(words)
            | JobFailure::NoSpeech(words)
            | JobFailure::CutOff(words)
            | JobFailure::Lost(words),
        ) => words.clone(),
    }
}

/// Why a session was not ended.
pub(crate) fn leave(error: LeaveError) -> &'static str {
    match error {
        LeaveError::NoCall => "no call ongoing",
        LeaveError::NotYours => "you have no such session in the call",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_from_elsewhere_follow_the_fixed_text() {
        let error = JoinError::NoMedia("it is away".to_owned());
        assert_eq!(join(&error), "failed to get rtcd host: it is away");
        assert_eq!(join(&JoinError::Full), "user cannot join because of limits");
    }

    #[test]
    fn jobs_fail_in_words() {
        let kind = JobKind::Recording;
        assert_eq!(
            job_failure(Some(&JobFailure::BotDidNotCome(kind))),
            "failed to start recording job: timed out waiting for bot to join call"
        );
        let reason = "max concurrent jobs reached".to_owned();
        assert_eq!(
            job_failure(Some(&JobFailure::NotTaken { kind, reason })),
            "failed to create recording job: max concurrent jobs reached"
        );
        assert_eq!(job_failure(None), "");
    }
}
