//! Packets sealed with a participant's own keys, for contents that no WebRTC stack sends.
//!
//! Numbers of RTCP begin far above those the stack uses, so that none is refused as a replay.

use rtcd_srtp::{Halves, KeySlot};

const FIRST_INDEX: u32 = 1 << 24;

/// The keys, as soon as there are any.
#[derive(Debug)]
pub(super) struct Sealer {
    slot: KeySlot,
    halves: Option<Halves>,
    index: u32,
}

impl Sealer {
    pub(super) fn new(slot: KeySlot) -> Self {
        Self {
            slot,
            halves: None,
            index: FIRST_INDEX,
        }
    }

    pub(super) fn rtcp(&mut self, compound: &[u8]) -> Option<Vec<u8>> {
        self.index += 1;
        let index = self.index;
        let mut sealed = compound.to_vec();
        self.halves()?.send.seal_rtcp(index, &mut sealed)?;
        Some(sealed)
    }

    pub(super) fn rtp(&mut self, index: u64, header: &[u8], payload: &[u8]) -> Option<Vec<u8>> {
        let half = &self.halves()?.send;
        let mut sealed = vec![0; header.len() + payload.len() + half.profile().tag_len()];
        half.seal_rtp(index, header, payload, &[], &mut sealed)?;
        Some(sealed)
    }

    /// Opens RTCP of the server.
    pub(super) fn open_rtcp(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let mut plain = Vec::new();
        self.halves()?.receive.open_rtcp(packet, &mut plain)?;
        Some(plain)
    }

    fn halves(&mut self) -> Option<&Halves> {
        if self.halves.is_none() {
            self.halves = self.slot.take();
        }
        self.halves.as_ref()
    }
}
