//! The door to media hosts: the rtcd v1 protocol.
//!
//! In: commands of calls, control messages of a host. Out: control messages for a host, news about
//! a session.

use proto::id::SessionId;
use proto::rtcd::{
    ControlMessage, JoinMessage, RtcKind, RtcMessage, ScreenOnData, VideoOnData,
};
use signalling_core::{Input, MediaCommand, Signal};

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

/// Reads what a host says about one of our sessions; `None` when it is about none, or is nothing a
/// host may say.
pub(crate) fn input(message: ControlMessage) -> Option<(SessionId, Input)> {
    match message {
        ControlMessage::Close(session) => {
            let input = Input::MediaClosed {
                session: session.clone(),
            };
            Some((session, input))
        }
        ControlMessage::Rtc(message) | ControlMessage::Vad(message) => about_session(message),
        ControlMessage::Hello(_)
        | ControlMessage::Join(_)
        | ControlMessage::Leave(_)
        | ControlMessage::Reconnect(_)
        | ControlMessage::Unknown(_) => None,
    }
}

fn about_session(message: RtcMessage) -> Option<(SessionId, Input)> {
    let session = SessionId::parse(message.session).ok()?;
    let signal = |kind: fn(String) -> Signal| {
        let json = String::from_utf8(message.data).ok()?;
        Some(Input::MediaSignal {
            session: session.clone(),
            signal: kind(json),
        })
    };
    let input = match message.kind {
        RtcKind::Ice => signal(Signal::Candidate)?,
        RtcKind::Sdp => signal(Signal::Description)?,
        RtcKind::VoiceOn | RtcKind::VoiceOff => Input::MediaVoice {
            session: session.clone(),
            on: message.kind == RtcKind::VoiceOn,
        },
        RtcKind::Mute
        | RtcKind::Unmute
        | RtcKind::ScreenOn
        | RtcKind::ScreenOff
        | RtcKind::VideoOn
        | RtcKind::VideoOff => return None,
    };
    Some((session, input))
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

    #[test]
    fn a_host_cannot_mute_or_present_for_anybody() {
        for kind in RtcKind::ALL {
            let said = RtcMessage::for_session(&session(), kind, b"{}".to_vec());
            let heard = input(ControlMessage::Rtc(said));
            let means_something = matches!(
                kind,
                RtcKind::Ice | RtcKind::Sdp | RtcKind::VoiceOn | RtcKind::VoiceOff
            );
            assert_eq!(heard.is_some(), means_something, "{kind:?}");
        }
        let closed = input(ControlMessage::Close(session()));
        assert!(matches!(closed, Some((_, Input::MediaClosed { .. }))));
    }
}
