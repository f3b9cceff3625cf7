//! Commands of calls as a media host reads them, and what it says as inputs of calls.
//!
//! In: commands of calls, news of a host. Out: control messages for a host, inputs of calls.
//! Not here: which control message is news (`connection`).

use proto::id::SessionId;
use proto::rtcd::{ControlMessage, JoinMessage, RtcKind, RtcMessage, ScreenOnData, VideoOnData};
use signalling_core::{Input, MediaCommand, Signal};

use super::MediaNews;

/// Writes a command as the host reads it.
pub(crate) fn message(command: MediaCommand) -> ControlMessage {
    match command {
        MediaCommand::Enter {
            call,
            channel,
            user,
            session,
            capabilities,
        } => ControlMessage::Join(JoinMessage {
            call,
            user,
            session,
            channel: channel.to_string(),
            av1_support: capabilities.av1,
            dc_signalling: capabilities.data_channel_signalling,
        }),
        MediaCommand::Leave(session) => ControlMessage::Leave(session),
        MediaCommand::Resume(session) => ControlMessage::Reconnect(session),
        MediaCommand::Signal { session, signal } => match signal {
            Signal::Description(json) => rtc(&session, RtcKind::Sdp, json),
            Signal::Candidate(json) => rtc(&session, RtcKind::Ice, json),
        },
        MediaCommand::Voice { session, unmuted } => {
            let kind = if unmuted {
                RtcKind::Unmute
            } else {
                RtcKind::Mute
            };
            rtc(&session, kind, String::new())
        }
        MediaCommand::Screen { session, stream } => match stream {
            Some(stream_id) => {
                let data = ScreenOnData { stream_id }.to_json();
                rtc(&session, RtcKind::ScreenOn, data)
            }
            None => rtc(&session, RtcKind::ScreenOff, String::new()),
        },
        MediaCommand::Video { session, stream } => match stream {
            Some(stream_id) => {
                let data = VideoOnData { stream_id }.to_json();
                rtc(&session, RtcKind::VideoOn, data)
            }
            None => rtc(&session, RtcKind::VideoOff, String::new()),
        },
    }
}

fn rtc(session: &SessionId, kind: RtcKind, data: String) -> ControlMessage {
    ControlMessage::Rtc(RtcMessage::for_session(session, kind, data.into_bytes()))
}

/// What a host says about one of our sessions, as an input of its call.
pub(crate) fn input(news: MediaNews) -> (SessionId, Input) {
    match news {
        MediaNews::Signal { session, json } => {
            (session.clone(), Input::MediaSignal { session, json })
        }
        MediaNews::Elsewhere {
            session,
            from,
            host,
        } => {
            let id = session.clone();
            let input = Input::MediaElsewhere {
                session,
                from,
                host,
            };
            (id, input)
        }
        MediaNews::Voice { session, on } => (session.clone(), Input::MediaVoice { session, on }),
        MediaNews::Closed { session } => (session.clone(), Input::MediaClosed { session }),
        MediaNews::Lost { session } => (session.clone(), Input::MediaLost { session }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> SessionId {
        SessionId::parse("s").unwrap()
    }

    #[test]
    fn every_command_has_the_message_of_the_contract() {
        let stream = || Some("stream".to_owned());
        let signal = |signal| MediaCommand::Signal {
            session: session(),
            signal,
        };
        let table = [
            (
                signal(Signal::Description("{}".to_owned())),
                RtcKind::Sdp,
                "{}",
            ),
            (
                signal(Signal::Candidate("[]".to_owned())),
                RtcKind::Ice,
                "[]",
            ),
            (voice(true), RtcKind::Unmute, ""),
            (voice(false), RtcKind::Mute, ""),
            (
                MediaCommand::Screen {
                    session: session(),
                    stream: stream(),
                },
                RtcKind::ScreenOn,
                r#"{"screenStreamID":"stream"}"#,
            ),
            (
                MediaCommand::Screen {
                    session: session(),
                    stream: None,
                },
                RtcKind::ScreenOff,
                "",
            ),
            (
                MediaCommand::Video {
                    session: session(),
                    stream: stream(),
                },
                RtcKind::VideoOn,
                r#"{"videoStreamID":"stream"}"#,
            ),
            (
                MediaCommand::Video {
                    session: session(),
                    stream: None,
                },
                RtcKind::VideoOff,
                "",
            ),
        ];
        for (command, kind, data) in table {
            let expected = RtcMessage::for_session(&session(), kind, data.as_bytes().to_vec());
            assert_eq!(message(command), ControlMessage::Rtc(expected));
        }
        let leave = message(MediaCommand::Leave(session()));
        assert_eq!(leave, ControlMessage::Leave(session()));
        let resume = message(MediaCommand::Resume(session()));
        assert_eq!(resume, ControlMessage::Reconnect(session()));
    }

    fn voice(unmuted: bool) -> MediaCommand {
        MediaCommand::Voice {
            session: session(),
            unmuted,
        }
    }
}
