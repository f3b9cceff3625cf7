//! The last packets of one published video stream, for receivers that miss some.
//!
//! One per published stream, whatever the number of receivers: payloads are shared, not copied.

use crate::io::LinkedPacket;

/// The last packets of a stream, by number.
#[derive(Debug, Default)]
pub(crate) struct PacketCache {
    packets: Vec<Option<LinkedPacket>>,
}

impl PacketCache {
    /// Keeps a packet; the one `len` numbers before is forgotten.
    pub(crate) fn keep(&mut self, packet: &LinkedPacket, len: usize) {
        if self.packets.len() != len {
            self.packets = vec![None; len];
        }
        if let Some(place) = self.place(packet.seq_no)
            && let Some(kept) = self.packets.get_mut(place)
        {
            *kept = Some(packet.clone());
        }
    }

    pub(crate) fn get(&self, seq_no: u64) -> Option<&LinkedPacket> {
        let packet = self.packets.get(self.place(seq_no)?)?.as_ref()?;
        (packet.seq_no == seq_no).then_some(packet)
    }

    fn place(&self, seq_no: u64) -> Option<usize> {
        let len = u64::try_from(self.packets.len()).ok()?;
        usize::try_from(seq_no.checked_rem(len)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_packets_are_found_by_number() {
        let mut cache = PacketCache::default();
        assert_eq!(cache.get(0), None);
        for seq_no in 5..15 {
            let packet = LinkedPacket {
                seq_no,
                timestamp: 0,
                marker: false,
                audio_level: None,
                payload: [1].into(),
            };
            cache.keep(&packet, 4);
        }
        let found: Vec<u64> = (0..20).filter(|n| cache.get(*n).is_some()).collect();
        assert_eq!(found, [11, 12, 13, 14]);
    }
}
