//! Sends packets again that the server misses, on the stream itself, as browsers do when no
//! retransmission stream was negotiated; str0m would not.

use std::collections::VecDeque;

use rtcd_srtp::rtcp::{self, Message};
use rtcd_srtp::rtp;

/// Packets remembered: about two seconds of everything a participant publishes.
const REMEMBERED: usize = 512;

/// The last sealed packets a participant sent.
#[derive(Debug, Default)]
pub(super) struct Repeats(VecDeque<Vec<u8>>);

impl Repeats {
    pub(super) fn note(&mut self, datagram: &[u8]) {
        if rtp::is_rtp(datagram) {
            if self.0.len() == REMEMBERED {
                self.0.pop_front();
            }
            self.0.push_back(datagram.to_vec());
        }
    }

    /// Returns the packets an opened compound asks for.
    pub(super) fn asked(&self, compound: &[u8]) -> Vec<Vec<u8>> {
        let mut again = Vec::new();
        rtcp::read(compound, |message| {
            if let Message::Nack { media, sequences } = message {
                let packets = self.0.iter();
                again.extend(packets.filter(|p| is_one_of(p, media, &sequences)).cloned());
            }
        });
        again
    }
}

fn is_one_of(packet: &[u8], ssrc: u32, sequences: &[u16]) -> bool {
    let Some(read) = rtp::read(packet, None, None) else {
        return false;
    };
    read.header.ssrc == ssrc && sequences.contains(&read.header.sequence)
}
