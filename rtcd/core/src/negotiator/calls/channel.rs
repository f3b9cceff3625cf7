//! What is said over the data channel, in the words of rtcd v1.
//!
//! In: its messages. Out: replies on it, measurements, and what the messages ask for.

use std::time::Duration;

use proto::rtcd::{ChannelMessage, SdpKind, SessionDescription, TrackType};

use super::lock::SignallingPath;
use super::{Calls, News, Turn};
use crate::counters::DropReason;
use crate::io::{Description, DescriptionKind, Measurement};
use crate::media::TrackKind;
use crate::session::{ChannelWords, Topic};

const MEDIA_MAP: Topic = Topic::newest("media map");
const OFFER: Topic = Topic::newest("offer");
const ANSWER: Topic = Topic::newest("answer");

impl Calls {
    pub(super) fn read_channel(&mut self, turn: &mut Turn<'_>, bytes: &[u8]) {
        let Ok(message) = ChannelMessage::decode(bytes) else {
            turn.counters.drop_one(DropReason::BadMessage);
            return;
        };
        match message {
            ChannelMessage::Ping => say(turn, &ChannelMessage::Pong),
            ChannelMessage::LegacyPing => say(turn, &ChannelMessage::LegacyPong),
            ChannelMessage::Sdp(SessionDescription { kind, sdp }) => {
                let kind = match kind {
                    SdpKind::Offer => DescriptionKind::Offer,
                    SdpKind::Answer => DescriptionKind::Answer,
                };
                let description = Description { kind, sdp };
                self.take_description(turn, SignallingPath::DataChannel, &description);
            }
            ChannelMessage::Lock => {
                let granted = self.negotiation.lock.take_for_participant(turn.now);
                say(turn, &ChannelMessage::LockResult(granted));
            }
            ChannelMessage::Unlock => {
                let held = self.negotiation.lock.release_by_participant(turn.now);
                if held.is_some() {
                    turn.lock_was_held(held);
                    self.negotiate(turn);
                }
            }
            ChannelMessage::LossRate(ratio) => {
                turn.measured(|group| Measurement::ClientLossRate { group, ratio });
                turn.news.push(News::Loss(ratio));
            }
            ChannelMessage::RoundTripTime(seconds) => {
                if let Ok(took) = Duration::try_from_secs_f64(seconds) {
                    turn.measured(|group| Measurement::ClientRoundTrip { group, took });
                }
            }
            ChannelMessage::Jitter(seconds) => {
                if let Ok(took) = Duration::try_from_secs_f64(seconds) {
                    turn.measured(|group| Measurement::ClientJitter { group, took });
                }
            }
            ChannelMessage::Pong
            | ChannelMessage::LegacyPong
            | ChannelMessage::LockResult(_)
            | ChannelMessage::MediaMap(_)
            | ChannelMessage::Unknown(_) => turn.counters.drop_one(DropReason::BadMessage),
        }
    }
}

/// Writes a message to the channel. State is never shed: what is newer takes its place.
pub(super) fn say(turn: &mut Turn<'_>, message: &ChannelMessage) {
    let topic = match message {
        ChannelMessage::MediaMap(_) => MEDIA_MAP,
        ChannelMessage::Sdp(description) => match description.kind {
            SdpKind::Offer => OFFER,
            SdpKind::Answer => ANSWER,
        },
        ChannelMessage::Ping
        | ChannelMessage::Pong
        | ChannelMessage::LegacyPing
        | ChannelMessage::LegacyPong
        | ChannelMessage::LossRate(_)
        | ChannelMessage::RoundTripTime(_)
        | ChannelMessage::Jitter(_)
        | ChannelMessage::Lock
        | ChannelMessage::LockResult(_)
        | ChannelMessage::Unlock
        | ChannelMessage::Unknown(_) => Topic::REPLY,
    };
    let words = ChannelWords {
        topic,
        is_binary: !message.is_text(),
        bytes: message.encode(),
    };
    turn.is_touched = true;
    if !turn.session.send_channel(words) {
        turn.counters.drop_one(DropReason::ChannelFull);
    }
}

pub(super) fn describe(turn: &mut Turn<'_>, description: Description) {
    let kind = match description.kind {
        DescriptionKind::Offer => SdpKind::Offer,
        DescriptionKind::Answer => SdpKind::Answer,
    };
    let sdp = description.sdp;
    say(turn, &ChannelMessage::Sdp(SessionDescription { kind, sdp }));
}

/// The name of what a track shows.
pub(super) const fn wire_kind(kind: TrackKind) -> TrackType {
    match kind {
        TrackKind::Voice => TrackType::Voice,
        TrackKind::Screen => TrackType::Screen,
        TrackKind::ScreenAudio => TrackType::ScreenAudio,
        TrackKind::Video => TrackType::Video,
    }
}
