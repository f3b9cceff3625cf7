//! The rtcd v1 protocol: what calls servers say of a session, and what they are told of it.
//!
//! In: `rtc` messages, with JSON inside. Out: what `rtcd-core` is asked; its answers as messages.
//! Participants' ICE candidates are read but not used for media: participants reach us. A relay of
//! ours has to know them.
//! Not here: frames and connections (`ws`), which session and whose (`control`).
//! Invariant: reading depends on the message alone, and has limits.

use proto::rtcd::{
    IceCandidate, MAX_SDP_LEN, RtcKind, RtcMessage, ScreenOnData, SdpKind, SessionDescription,
    VideoOnData,
};
use rtcd_core::{Description, DescriptionKind, Request, Signal};

/// What a calls server says of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// To be asked of its shard.
    Asks(Request),
    /// Where the participant can be reached, as a `candidate:..` line.
    Candidate(String),
    /// True, and of no consequence.
    Nothing,
}

/// A message makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("session description of {len} bytes: the limit is {MAX_SDP_LEN} bytes")]
    TooLong { len: usize },
    #[error("`data` of a message of kind {} is not what it should be", kind.number())]
    Data { kind: RtcKind },
    #[error("messages of kind {} only travel the other way", kind.number())]
    Direction { kind: RtcKind },
}

/// Reads a message.
///
/// # Errors
/// When it makes no sense. A description that is no JSON is no error here but something to ask: it
/// ends a session that it was to begin.
pub(crate) fn read(message: &RtcMessage) -> Result<Said, Unreadable> {
    let data = message.data.as_slice();
    let kind = message.kind;
    let unreadable = |_| Unreadable::Data { kind };
    let request = match kind {
        RtcKind::Sdp if data.len() > MAX_SDP_LEN => {
            return Err(Unreadable::TooLong { len: data.len() });
        }
        RtcKind::Sdp => match SessionDescription::from_json(data) {
            Ok(description) => Request::Describe(described(description)),
            Err(_) => Request::DescribeUnreadably,
        },
        RtcKind::Ice => {
            let candidate = IceCandidate::from_json(data).map_err(unreadable)?;
            return Ok(Said::Candidate(candidate.candidate));
        }
        RtcKind::Mute => Request::Mute(true),
        RtcKind::Unmute => Request::Mute(false),
        RtcKind::ScreenOn => Request::ScreenOn {
            stream: ScreenOnData::from_json(data).map_err(unreadable)?.stream_id,
        },
        RtcKind::ScreenOff => Request::ScreenOff,
        RtcKind::VideoOn => Request::CameraOn {
            stream: VideoOnData::from_json(data).map_err(unreadable)?.stream_id,
        },
        // The camera's track stays; its sender only stops feeding it.
        RtcKind::VideoOff => return Ok(Said::Nothing),
        RtcKind::VoiceOn | RtcKind::VoiceOff => return Err(Unreadable::Direction { kind }),
    };
    Ok(Said::Asks(request))
}

/// The kind and data of the message that tells a participant something.
pub(crate) fn write(signal: Signal) -> (RtcKind, Vec<u8>) {
    match signal {
        Signal::Describe(Description { kind, sdp }) => {
            let kind = match kind {
                DescriptionKind::Offer => SdpKind::Offer,
                DescriptionKind::Answer => SdpKind::Answer,
            };
            let json = SessionDescription { kind, sdp }.to_json();
            (RtcKind::Sdp, json.into_bytes())
        }
        Signal::Candidate(line) => {
            let json = IceCandidate::local(line).to_wrapped_json();
            (RtcKind::Ice, json.into_bytes())
        }
    }
}

/// The kind of message that tells of voice activity.
pub(crate) const fn voice(speaking: bool) -> RtcKind {
    if speaking {
        RtcKind::VoiceOn
    } else {
        RtcKind::VoiceOff
    }
}

fn described(description: SessionDescription) -> Description {
    let kind = match description.kind {
        SdpKind::Offer => DescriptionKind::Offer,
        SdpKind::Answer => DescriptionKind::Answer,
    };
    let sdp = description.sdp;
    Description { kind, sdp }
}

#[cfg(test)]
mod tests {
    use proto::id::SessionId;

    use super::*;

    fn said(kind: RtcKind, data: &str) -> Result<Said, Unreadable> {
        let Ok(session) = SessionId::parse("s") else {
            panic!("`s` is an id");
        };
        let data = data.as_bytes().to_vec();
        read(&RtcMessage::for_session(&session, kind, data))
    }

    #[test]
    fn every_kind_is_understood_or_refused() {
        let stream = |id: &str| id.to_owned();
        let asks = [
            (RtcKind::Mute, "", Request::Mute(true)),
            (RtcKind::Unmute, "ignored", Request::Mute(false)),
            (
                RtcKind::ScreenOn,
                r#"{"screenStreamID":"a"}"#,
                Request::ScreenOn {
                    stream: stream("a"),
                },
            ),
            (RtcKind::ScreenOff, "", Request::ScreenOff),
            (
                RtcKind::VideoOn,
                r#"{"videoStreamID":"b"}"#,
                Request::CameraOn {
                    stream: stream("b"),
                },
            ),
            (
                RtcKind::Sdp,
                r#"{"type":"answer","sdp":"v=0"}"#,
                Request::Describe(Description {
                    kind: DescriptionKind::Answer,
                    sdp: "v=0".to_owned(),
                }),
            ),
            (RtcKind::Sdp, "{", Request::DescribeUnreadably),
        ];
        for (kind, data, request) in asks {
            assert_eq!(said(kind, data), Ok(Said::Asks(request)), "{data}");
        }
        assert_eq!(said(RtcKind::VideoOff, ""), Ok(Said::Nothing));
        let line = "candidate:1 1 udp 1 10.0.0.1 5 typ host";
        let candidate = format!(r#"{{"candidate":"{line}"}}"#);
        assert_eq!(
            said(RtcKind::Ice, &candidate),
            Ok(Said::Candidate(line.to_owned()))
        );
        for kind in [RtcKind::Ice, RtcKind::ScreenOn, RtcKind::VideoOn] {
            assert_eq!(said(kind, "{"), Err(Unreadable::Data { kind }));
        }
        for kind in [RtcKind::VoiceOn, RtcKind::VoiceOff] {
            assert_eq!(said(kind, ""), Err(Unreadable::Direction { kind }));
        }
        let len = MAX_SDP_LEN + 1;
        let long = "x".repeat(len);
        assert_eq!(said(RtcKind::Sdp, &long), Err(Unreadable::TooLong { len }));
    }

    #[test]
    fn what_is_written_can_be_read() {
        let offer = Description {
            kind: DescriptionKind::Offer,
            sdp: "v=0".to_owned(),
        };
        let (kind, data) = write(Signal::Describe(offer.clone()));
        let text = String::from_utf8(data).unwrap();
        assert_eq!(text, r#"{"type":"offer","sdp":"v=0"}"#);
        let request = Request::Describe(offer);
        assert_eq!(said(kind, &text), Ok(Said::Asks(request)));
        let (kind, data) = write(Signal::Candidate("candidate:1".to_owned()));
        assert_eq!(kind, RtcKind::Ice);
        let text = String::from_utf8(data).unwrap();
        assert!(
            text.starts_with(r#"{"candidate":{"candidate":"candidate:1""#),
            "{text}"
        );
        assert_eq!(voice(true), RtcKind::VoiceOn);
        assert_eq!(voice(false), RtcKind::VoiceOff);
    }
}
