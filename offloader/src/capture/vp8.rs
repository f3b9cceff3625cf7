//! VP8 over RTP: what a payload says. Pure.
//!
//! See: RFC 7741.

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
