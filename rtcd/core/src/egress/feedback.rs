//! What a participant says about the streams we send it.
//!
//! In: RTCP messages, already authentic. Out: `Feedback` for streams that are ours.

use std::time::Instant;

use rtcd_srtp::replay::Replay;
use rtcd_srtp::rtcp::{Message, ReceptionReport};

use super::SsrcRange;
use crate::bandwidth::{PacketReport, TransportLog};

/// SSRCs a participant sends RTCP from that are remembered; more than it has streams at once.
const MAX_SENDERS: usize = 32;

/// One thing a participant reports.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Feedback {
    Reception(ReceptionReport),
    Nack {
        ssrc: u32,
        sequences: Vec<u16>,
    },
    KeyframeWanted {
        ssrc: u32,
    },
    /// In bit/s.
    BitrateLimit(u64),
    /// When packets arrived, oldest first.
    Arrivals(Vec<PacketReport>),
}

pub(super) fn sort(
    now: Instant,
    message: Message,
    ssrcs: &SsrcRange,
    transport: &mut Option<Box<TransportLog>>,
    found: &mut Vec<Feedback>,
) {
    let feedback = match message {
        Message::Reception(report) if ssrcs.owns(report.ssrc) => Feedback::Reception(report),
        Message::Nack { media, sequences } if ssrcs.owns(media) => Feedback::Nack {
            ssrc: media,
            sequences,
        },
        Message::KeyframeWanted { media } if ssrcs.owns(media) => {
            Feedback::KeyframeWanted { ssrc: media }
        }
        Message::BitrateLimit { bits_per_second } => Feedback::BitrateLimit(bits_per_second),
        Message::Transport(feedback) => {
            let Some(log) = transport else {
                return;
            };
            Feedback::Arrivals(log.reported(now, &feedback))
        }
        // About streams that are not ours: str0m reads them.
        Message::SenderReport { .. }
        | Message::Goodbye { .. }
        | Message::Reception(_)
        | Message::Nack { .. }
        | Message::KeyframeWanted { .. } => return,
    };
    found.push(feedback);
}

/// Refuses RTCP packets that were seen before: str0m does not.
#[derive(Debug, Default)]
pub(super) struct Replays(Vec<(u32, Replay)>);

impl Replays {
    pub(super) fn accept(&mut self, sender: u32, index: u32) -> bool {
        if let Some((_, replay)) = self.0.iter_mut().find(|(known, _)| *known == sender) {
            return replay.accept(index.into());
        }
        // A browser speaks with a new SSRC whenever it shares anew. The oldest is forgotten: its
        // packets, sent again, could ask for what their sender had asked for, no more.
        if self.0.len() >= MAX_SENDERS {
            self.0.remove(0);
        }
        let mut replay = Replay::default();
        replay.accept(index.into());
        self.0.push((sender, replay));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_read_once_and_new_senders_are_always_heard() {
        let mut replays = Replays::default();
        assert!(replays.accept(1, 7) && !replays.accept(1, 7));
        assert!(replays.accept(1, 6) && replays.accept(2, 7));
        assert!((10..200).all(|sender| replays.accept(sender, 0)));
        assert!(!replays.accept(199, 0));
    }
}
