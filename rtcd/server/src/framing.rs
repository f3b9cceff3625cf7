//! Frames in a stream of bytes: two bytes of length, then the packet.
//!
//! In: what was read, in pieces of any size. Out: whole packets, one at a time.
//! Not here: sockets (`tcp`), what is in a packet.
//! Invariant: never holds more than one unfinished packet and what came behind it in one piece.
//! See: RFC 4571.

use crate::udp::MAX_DATAGRAM;

const LENGTH: usize = 2;

/// A frame was announced that no participant sends: the stream is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("frame of {len} bytes is longer than the {MAX_DATAGRAM} that are taken")]
pub struct TooLong {
    pub len: usize,
}

/// Cuts packets out of what a connection brings.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    /// How many of `bytes` were handed out.
    taken: usize,
}

impl Frames {
    /// Takes in what was read.
    pub fn extend(&mut self, read: &[u8]) {
        self.bytes.drain(..self.taken.min(self.bytes.len()));
        self.taken = 0;
        self.bytes.extend_from_slice(read);
    }

    /// Returns the next whole packet, or nothing before more is read.
    ///
    /// # Errors
    /// When the next packet is too long; it stays the next one.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, TooLong> {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        let Some((head, body)) = rest.split_first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let len = usize::from(u16::from_be_bytes(*head));
        if len > MAX_DATAGRAM {
            return Err(TooLong { len });
        }
        let Some(frame) = body.get(..len) else {
            return Ok(None);
        };
        self.taken += LENGTH + len;
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(frames: &mut Frames) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        while let Some(frame) = frames.next_frame().unwrap() {
            found.push(frame.to_vec());
        }
        found
    }

    #[test]
    fn frames_come_out_whole_however_they_were_cut() {
        let stream = [&[0, 3][..], b"abc", &[0, 0], &[0, 1], b"d"].concat();
        for cut in 1..=stream.len() {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for piece in stream.chunks(cut) {
                frames.extend(piece);
                found.extend(all(&mut frames));
            }
            assert_eq!(found, [&b"abc"[..], b"", b"d"], "in pieces of {cut}");
            assert!(frames.bytes.len() <= stream.len());
        }
    }

    #[test]
    fn a_frame_that_is_too_long_is_refused_before_it_is_read() {
        let mut frames = Frames::default();
        frames.extend(&[0, 1, b'a', 0xff, 0xff]);
        assert_eq!(frames.next_frame(), Ok(Some(&b"a"[..])));
        assert_eq!(frames.next_frame(), Err(TooLong { len: 65_535 }));
        assert_eq!(frames.next_frame(), Err(TooLong { len: 65_535 }));
    }
}
