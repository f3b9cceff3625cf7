//! Packets joined to pictures that can be decoded: the first is a keyframe, and after a loss nothing
//! comes until the next keyframe.
//!
//! In: packets in order, losses named. Out: whole pictures. Pure.
//! Not here: what a payload says (`vp8`, `av1`).

use super::jitter::Ordered;
use super::log::LoggedPacket;
use super::{av1, vp8};
use crate::client::Coding;

/// One whole picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// RTP timestamp of its packets.
    pub time: u64,
    /// Place on the timeline, in microseconds.
    pub at_us: i64,
    pub keyframe: bool,
    pub coding: Coding,
    pub bytes: Vec<u8>,
}

/// A packet on its way into a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PicturePacket {
    pub time: u64,
    pub at_us: i64,
    pub marker: bool,
    pub coding: Coding,
    pub payload: Vec<u8>,
}

impl PicturePacket {
    /// What the assembler wants to know of a placed packet.
    #[must_use]
    pub fn of(placed: Ordered<(i64, LoggedPacket)>) -> Ordered<Self> {
        match placed {
            Ordered::Lost(count) => Ordered::Lost(count),
            Ordered::Packet((at_us, packet)) => Ordered::Packet(Self {
                time: packet.time,
                at_us,
                marker: packet.marker,
                coding: packet.coding,
                payload: packet.payload,
            }),
        }
    }
}

/// Whether a payload is the first of a keyframe.
#[must_use]
pub fn starts_keyframe(coding: Coding, payload: &[u8]) -> bool {
    match coding {
        Coding::Usual => vp8::read(payload).is_some_and(|payload| payload.starts_keyframe),
        Coding::Av1 => av1::starts_keyframe(payload),
    }
}

/// Joins packets to pictures.
#[derive(Debug, Default)]
pub struct Assembler {
    current: Option<Begun>,
    /// Nothing is given until a keyframe begins.
    needs_keyframe: Option<bool>,
    /// Of the picture that was given last.
    coding: Coding,
}

/// A picture whose last packet has not come.
#[derive(Debug)]
struct Begun {
    time: u64,
    at_us: i64,
    keyframe: bool,
    pieces: Pieces,
}

#[derive(Debug)]
enum Pieces {
    Vp8(Vec<u8>),
    Av1(av1::Units),
}

impl Pieces {
    fn begin(coding: Coding) -> Self {
        match coding {
            Coding::Usual => Self::Vp8(Vec::new()),
            Coding::Av1 => Self::Av1(av1::Units::default()),
        }
    }

    fn coding(&self) -> Coding {
        match self {
            Self::Vp8(_) => Coding::Usual,
            Self::Av1(_) => Coding::Av1,
        }
    }

    fn push(&mut self, payload: &[u8]) -> Option<()> {
        match self {
            Self::Vp8(bytes) => {
                bytes.extend_from_slice(vp8::read(payload)?.piece);
                Some(())
            }
            Self::Av1(units) => units.push(payload),
        }
    }

    fn finish(self) -> Option<Vec<u8>> {
        match self {
            Self::Vp8(bytes) => Some(bytes),
            Self::Av1(units) => units.finish(),
        }
    }
}

impl Assembler {
    /// Takes the next thing of the stream.
    pub fn push(&mut self, ordered: Ordered<PicturePacket>) -> Option<Picture> {
        let packet = match ordered {
            Ordered::Packet(packet) => packet,
            Ordered::Lost(_) => {
                self.break_off();
                return None;
            }
        };
        if self.take(&packet).is_none() {
            self.break_off();
            return None;
        }
        if !packet.marker {
            return None;
        }
        let begun = self.current.take()?;
        let coding = begun.pieces.coding();
        let Some(bytes) = begun.pieces.finish() else {
            self.break_off();
            return None;
        };
        let picture = Picture {
            time: begun.time,
            at_us: begun.at_us,
            keyframe: begun.keyframe,
            coding,
            bytes,
        };
        (self.needs_keyframe == Some(false)).then_some(picture)
    }

    /// Adds a packet to its picture; `None` when it belongs to none.
    fn take(&mut self, packet: &PicturePacket) -> Option<()> {
        let starts_picture = match packet.coding {
            Coding::Usual => vp8::read(&packet.payload)?.starts_picture,
            // Only a keyframe says where it begins. As no loss was named, another time is another picture.
            Coding::Av1 => (self.current.as_ref()).is_none_or(|begun| begun.time != packet.time),
        };
        if starts_picture {
            let keyframe = starts_keyframe(packet.coding, &packet.payload);
            if self.current.is_some() || self.coding != packet.coding {
                // The picture before had no last packet, or cannot be what this one refers to.
                self.break_off();
            }
            self.coding = packet.coding;
            if keyframe {
                self.needs_keyframe = Some(false);
            }
            self.current = Some(Begun {
                time: packet.time,
                at_us: packet.at_us,
                keyframe,
                pieces: Pieces::begin(packet.coding),
            });
        }
        let begun = self.current.as_mut();
        let begun = begun.filter(|begun| begun.time == packet.time)?;
        begun.pieces.push(&packet.payload)
    }

    fn break_off(&mut self) {
        self.current = None;
        self.needs_keyframe = Some(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vp8(time: u64, first: bool, key: bool, marker: bool) -> Ordered<PicturePacket> {
        let descriptor = if first { 0x10 } else { 0x00 };
        packet(
            Coding::Usual,
            time,
            marker,
            &[descriptor, u8::from(!key), 7],
        )
    }

    /// A packet with a piece of one unit; `flags` as in its first byte.
    fn av1(time: u64, flags: u8, marker: bool) -> Ordered<PicturePacket> {
        packet(Coding::Av1, time, marker, &[flags | 0x10, 0x30, 7])
    }

    fn packet(coding: Coding, time: u64, marker: bool, bytes: &[u8]) -> Ordered<PicturePacket> {
        Ordered::Packet(PicturePacket {
            time,
            at_us: i64::try_from(time).unwrap(),
            marker,
            coding,
            payload: bytes.to_vec(),
        })
    }

    fn times(items: impl IntoIterator<Item = Ordered<PicturePacket>>) -> Vec<u64> {
        let mut assembler = Assembler::default();
        let pictures = items.into_iter().filter_map(|item| assembler.push(item));
        pictures.map(|picture| picture.time).collect()
    }

    #[test]
    fn pictures_begin_with_a_keyframe_and_stop_at_a_loss_until_the_next_one() {
        let given = times([
            vp8(1, true, false, true),
            vp8(2, true, true, false),
            vp8(2, false, true, true),
            vp8(3, true, false, true),
            Ordered::Lost(2),
            vp8(5, true, false, true),
            vp8(6, true, true, true),
            vp8(7, true, false, false),
            vp8(8, true, false, true),
            vp8(9, true, true, true),
        ]);
        assert_eq!(given, [2, 3, 6, 9]);
    }

    #[test]
    fn pictures_of_av1_do_so_too_and_what_is_cut_is_none() {
        let (key, begun, rest) = (0x08, 0x40, 0x80);
        let given = times([
            av1(1, 0, true),
            av1(2, key | begun, false),
            av1(2, rest, true),
            av1(3, 0, true),
            Ordered::Lost(1),
            av1(5, 0, true),
            av1(6, key, true),
            // Its rest did not come although nothing is named lost; then a rest of nothing.
            av1(7, begun, true),
            av1(8, 0, true),
            av1(9, key, true),
            av1(10, rest, true),
            av1(11, key, true),
        ]);
        assert_eq!(given, [2, 3, 6, 9, 11]);
    }

    #[test]
    fn another_coding_begins_with_a_keyframe() {
        let given = times([
            vp8(1, true, true, true),
            av1(2, 0, true),
            av1(3, 0x08, true),
            vp8(4, true, false, true),
            vp8(5, true, true, true),
        ]);
        assert_eq!(given, [1, 3, 5]);
    }
}
