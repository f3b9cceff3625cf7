//! Sealed packets waiting for the wire, one behind the other in one buffer.
//!
//! In: packets with their path. Out: groups, each for one path: packets of one size, the last may be
//! shorter, so that the shell can hand a group to the kernel in one call (UDP GSO).
//! The buffer is used again: nothing is allocated per packet.

use std::net::SocketAddr;

use super::Path;
use crate::io::Transport;

/// What the kernel takes at once (UDP_MAX_SEGMENTS, and the length of a datagram).
const MAX_SEGMENTS: usize = 64;
const MAX_GROUP: usize = 60_000;

/// Packets to send, in groups.
#[derive(Debug, Default)]
pub struct MediaBatch {
    /// Only the first `used` bytes mean anything; the rest is kept to avoid clearing it again.
    bytes: Vec<u8>,
    used: usize,
    groups: Vec<MediaGroup>,
    packets: u64,
    /// For payloads that are changed for one receiver.
    pub(crate) scratch: Vec<u8>,
    /// For RTCP, which is sealed in place.
    pub(crate) compound: Vec<u8>,
}

/// Packets for one destination, to be sent in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaGroup {
    pub transport: Transport,
    /// Local address to send from.
    pub source: SocketAddr,
    pub destination: SocketAddr,
    /// Length of every packet but the last, which may be shorter.
    pub segment: usize,
    start: usize,
    end: usize,
    is_closed: bool,
}

impl MediaBatch {
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Bytes of all packets.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Number of packets.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Returns each group with its bytes.
    pub fn groups(&self) -> impl Iterator<Item = (&MediaGroup, &[u8])> {
        self.groups.iter().filter_map(|group| {
            let bytes = self.bytes.get(group.start..group.end)?;
            Some((group, bytes))
        })
    }

    /// Forgets everything, keeping the memory.
    pub fn clear(&mut self) {
        self.used = 0;
        self.packets = 0;
        self.groups.clear();
    }

    /// Adds a packet of `len` bytes that `write` fills in; nothing is added when it refuses.
    pub(crate) fn push(
        &mut self,
        path: Path,
        len: usize,
        write: impl FnOnce(&mut [u8]) -> Option<()>,
    ) -> bool {
        let (start, end) = (self.used, self.used + len);
        if self.bytes.len() < end {
            self.bytes.resize(end.next_multiple_of(64 * 1024), 0);
        }
        let written = self.bytes.get_mut(start..end).and_then(write).is_some();
        if !written {
            return false;
        }
        self.used = end;
        self.packets += 1;
        match self.groups.last_mut() {
            Some(group) if group.takes(path, len) => {
                group.end = end;
                group.is_closed = len < group.segment;
            }
            Some(_) | None => self.groups.push(MediaGroup {
                transport: path.transport,
                source: path.source,
                destination: path.destination,
                segment: len,
                start,
                end,
                is_closed: false,
            }),
        }
        true
    }

    /// Adds a copy of `packet`.
    pub(crate) fn push_copy(&mut self, path: Path, packet: &[u8]) -> bool {
        self.push(path, packet.len(), |out| {
            out.copy_from_slice(packet);
            Some(())
        })
    }
}

impl MediaGroup {
    fn takes(&self, path: Path, len: usize) -> bool {
        let grown = self.end + len - self.start;
        !self.is_closed
            && len <= self.segment
            && self.destination == path.destination
            && self.source == path.source
            && self.transport == path.transport
            && grown <= MAX_GROUP
            && grown <= self.segment * MAX_SEGMENTS
    }

    /// Number of packets in the bytes of the group.
    pub fn count(&self, bytes: &[u8]) -> u64 {
        u64::try_from(self.packets(bytes).len()).unwrap_or(u64::MAX)
    }

    /// Splits the bytes of the group into its packets.
    pub fn packets<'a>(&self, bytes: &'a [u8]) -> std::slice::Chunks<'a, u8> {
        bytes.chunks(self.segment.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16) -> Path {
        Path {
            transport: Transport::Udp,
            source: SocketAddr::from(([127, 0, 0, 1], 8443)),
            destination: SocketAddr::from(([127, 0, 0, 1], port)),
        }
    }

    fn shapes(batch: &MediaBatch) -> Vec<Vec<usize>> {
        let packets =
            |(group, bytes): (&MediaGroup, &[u8])| group.packets(bytes).map(<[u8]>::len).collect();
        batch.groups().map(packets).collect()
    }

    #[test]
    fn equal_packets_for_one_receiver_form_a_group_with_a_shorter_last() {
        let mut batch = MediaBatch::default();
        for (port, len) in [
            (1, 100),
            (1, 100),
            (1, 60),
            (1, 60),
            (2, 60),
            (2, 61),
            (1, 5),
        ] {
            assert!(batch.push_copy(path(port), &vec![7; len]));
        }
        assert_eq!(
            shapes(&batch),
            [vec![100, 100, 60], vec![60], vec![60], vec![61], vec![5]]
        );
        assert_eq!((batch.packets(), batch.len()), (7, 446));
        batch.clear();
        assert!(batch.is_empty() && batch.groups().next().is_none());
    }

    #[test]
    fn a_group_stays_within_what_the_kernel_takes() {
        let mut batch = MediaBatch::default();
        for _ in 0..200 {
            batch.push_copy(path(1), &[1; 10]);
        }
        for _ in 0..100 {
            batch.push_copy(path(2), &[1; 1200]);
        }
        for shape in shapes(&batch) {
            assert!(shape.len() <= 64 && shape.iter().sum::<usize>() <= 60_000);
        }
        assert_eq!(batch.packets(), 300);
    }

    #[test]
    fn a_packet_that_cannot_be_written_is_not_added() {
        let mut batch = MediaBatch::default();
        assert!(!batch.push(path(1), 10, |_| None));
        assert!(batch.is_empty());
    }
}
