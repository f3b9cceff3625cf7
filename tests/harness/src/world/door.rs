//! The calls server's half of a world: what it asks a shard, and what it passes on, in the words of
//! rtcd v1. As small as a door can be: what cannot be read is not passed on.

use proto::rtcd::{
    IceCandidate, RtcKind, RtcMessage, ScreenOnData, SdpKind, SessionDescription, VideoOnData,
};
use rtcd_core::{Description, DescriptionKind, Request, SessionKey, Signal};

/// Reads what a participant's calls server says of its session.
#[must_use]
pub fn request(kind: RtcKind, data: &[u8]) -> Option<Request> {
    match kind {
        RtcKind::Sdp => Some(match SessionDescription::from_json(data) {
            Ok(SessionDescription { kind, sdp }) => {
                let kind = match kind {
                    SdpKind::Offer => DescriptionKind::Offer,
                    SdpKind::Answer => DescriptionKind::Answer,
                };
                Request::Describe(Description { kind, sdp })
            }
            Err(_) => Request::DescribeUnreadably,
        }),
        RtcKind::Mute => Some(Request::Mute(true)),
        RtcKind::Unmute => Some(Request::Mute(false)),
        RtcKind::ScreenOn => {
            let stream = ScreenOnData::from_json(data).ok()?.stream_id;
            Some(Request::ScreenOn { stream })
        }
        RtcKind::ScreenOff => Some(Request::ScreenOff),
        RtcKind::VideoOn => {
            let stream = VideoOnData::from_json(data).ok()?.stream_id;
            Some(Request::CameraOn { stream })
        }
        RtcKind::Ice | RtcKind::VideoOff | RtcKind::VoiceOn | RtcKind::VoiceOff => None,
    }
}

/// Writes what a shard says to a participant.
pub(super) fn message(key: &SessionKey, signal: Signal) -> RtcMessage {
    let (kind, data) = match signal {
        Signal::Describe(Description { kind, sdp }) => {
            let kind = match kind {
                DescriptionKind::Offer => SdpKind::Offer,
                DescriptionKind::Answer => SdpKind::Answer,
            };
            let json = SessionDescription { kind, sdp }.to_json();
            (RtcKind::Sdp, json)
        }
        Signal::Candidate(line) => (RtcKind::Ice, IceCandidate::local(line).to_wrapped_json()),
    };
    RtcMessage::for_session(&key.session, kind, data.into_bytes())
}
