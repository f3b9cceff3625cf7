//! VP8 over RTP: from payloads to whole pictures.
//!
//! In: payloads in order, losses named. Out: pictures that can be decoded: the first is a
//! keyframe, and after a loss nothing comes until the next keyframe. Pure.
//! See: RFC 7741.

use super::jitter::Ordered;
use super::log::LoggedPacket;

/// A payload, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload<'a> {
    /// First piece of a picture.
    pub starts_picture: bool,
    /// First piece of a keyframe.
    pub starts_keyframe: bool,
    pub piece: &'a [u8],
}

/// Reads a payload; `None` when it is cut.
#[must_use]
pub fn read(payload: &[u8]) -> Option<Payload<'_>> {
    let (&first, mut rest) = payload.split_first()?;
    if first & 0x80 != 0 {
        let (&extended, after) = rest.split_first()?;
        rest = after;
        if extended & 0x80 != 0 {
            let (&id, after) = rest.split_first()?;
            rest = if id & 0x80 != 0 {
                after.split_first()?.1
            } else {
                after
            };
        }
        if extended & 0x40 != 0 {
            rest = rest.split_first()?.1;
        }
        if extended & 0x30 != 0 {
            rest = rest.split_first()?.1;
        }
    }
    let starts_picture = first & 0x10 != 0 && first & 0x07 == 0;
    // The first bit of a picture's frame tag is 0 for a keyframe.
    let starts_keyframe = starts_picture && rest.first().is_some_and(|byte| byte & 1 == 0);
    Some(Payload {
        starts_picture,
        starts_keyframe,
        piece: rest,
    })
}

/// One whole picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// RTP timestamp of its packets.
    pub time: u64,
    /// Place on the timeline, in microseconds.
    pub at_us: i64,
    pub keyframe: bool,
    pub bytes: Vec<u8>,
}

/// A packet on its way into a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PicturePacket {
    pub time: u64,
    pub at_us: i64,
    pub marker: bool,
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
                payload: packet.payload,
            }),
        }
    }
}

/// Joins packets to pictures.
#[derive(Debug, Default)]
pub struct Assembler {
    current: Option<Picture>,
    /// Nothing is given until a keyframe begins.
    needs_keyframe: Option<bool>,
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
        let Some(payload) = read(&packet.payload) else {
            self.break_off();
            return None;
        };
        if payload.starts_picture {
            if self.current.is_some() {
                // The picture before had no last packet.
                self.break_off();
            }
            if payload.starts_keyframe {
                self.needs_keyframe = Some(false);
            }
            self.current = Some(Picture {
                time: packet.time,
                at_us: packet.at_us,
                keyframe: payload.starts_keyframe,
                bytes: Vec::new(),
            });
        }
        match self.current.as_mut() {
            Some(picture) if picture.time == packet.time => {
                picture.bytes.extend_from_slice(payload.piece);
            }
            Some(_) | None => {
                self.break_off();
                return None;
            }
        }
        if !packet.marker {
            return None;
        }
        self.current
            .take()
            .filter(|_| self.needs_keyframe == Some(false))
    }

    fn break_off(&mut self) {
        self.current = None;
        self.needs_keyframe = Some(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(time: u64, first: bool, key: bool, marker: bool) -> Ordered<PicturePacket> {
        let descriptor = if first { 0x10 } else { 0x00 };
        let payload = vec![descriptor, u8::from(!key), 7];
        let at_us = i64::try_from(time).unwrap();
        Ordered::Packet(PicturePacket {
            time,
            at_us,
            marker,
            payload,
        })
    }

    #[test]
    fn descriptors_of_every_shape_are_read() {
        for (bytes, expected) in [
            (&[0x10u8, 0x00, 9][..], Some((true, true))),
            (&[0x10, 0x01], Some((true, false))),
            (&[0x00, 0x00], Some((false, false))),
            (&[0x11, 0x00], Some((false, false))),
            (&[0x90, 0x80, 0x05, 0x00], Some((true, true))),
            (&[0x90, 0x80, 0x85, 0x01, 0x00], Some((true, true))),
            (
                &[0x90, 0xf0, 0x85, 0x01, 0x02, 0x03, 0x01],
                Some((true, false)),
            ),
            (&[0x90], None),
            (&[0x90, 0x80], None),
            (&[], None),
        ] {
            let got = read(bytes).map(|p| (p.starts_picture, p.starts_keyframe));
            assert_eq!(got, expected, "{bytes:?}");
        }
    }

    #[test]
    fn pictures_begin_with_a_keyframe_and_stop_at_a_loss_until_the_next_one() {
        let mut assembler = Assembler::default();
        let mut times = Vec::new();
        for item in [
            packet(1, true, false, true),
            packet(2, true, true, false),
            packet(2, false, true, true),
            packet(3, true, false, true),
            Ordered::Lost(2),
            packet(5, true, false, true),
            packet(6, true, true, true),
            packet(7, true, false, false),
            packet(8, true, false, true),
            packet(9, true, true, true),
        ] {
            times.extend(assembler.push(item).map(|picture| picture.time));
        }
        assert_eq!(times, [2, 3, 6, 9]);
    }
}
