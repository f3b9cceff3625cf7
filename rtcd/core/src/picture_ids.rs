//! Picture ids of VP8 across a change of simulcast layer.
//!
//! In: payloads of one subscription, in the order sent. Out: the ids the receiver is to see, where
//! they differ from those in the payload. Each layer counts its pictures by itself; a receiver that
//! sees the count jump back takes pictures for old ones and stops showing them.
//! See: RFC 7741 4.2 (payload descriptor).

/// The ids in one payload, or those to be put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PictureIds {
    picture: Option<PictureId>,
    /// TL0PICIDX: where, and its value.
    base: Option<(usize, u8)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PictureId {
    at: usize,
    /// 15 bits in two bytes; otherwise 7 bits in one.
    is_wide: bool,
    value: u16,
}

impl PictureId {
    const fn mask(self) -> u16 {
        if self.is_wide { 0x7fff } else { 0x7f }
    }
}

impl PictureIds {
    /// Reads the ids of a VP8 payload; `None` when it has none.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let [first, rest @ ..] = payload else {
            return None;
        };
        if first & 0x80 == 0 {
            return None;
        }
        let [flags, ids @ ..] = rest else {
            return None;
        };
        let mut at = 2;
        let mut picture = None;
        if flags & 0x80 != 0 {
            let (is_wide, value) = match ids {
                [high, low, ..] if high & 0x80 != 0 => {
                    (true, u16::from_be_bytes([high & 0x7f, *low]))
                }
                [id, ..] if id & 0x80 == 0 => (false, u16::from(*id)),
                _ => return None,
            };
            picture = Some(PictureId { at, is_wide, value });
            at += if is_wide { 2 } else { 1 };
        }
        let base = match payload.get(at) {
            Some(value) if flags & 0x40 != 0 => Some((at, *value)),
            Some(_) | None => None,
        };
        (picture.is_some() || base.is_some()).then_some(Self { picture, base })
    }

    /// Writes the ids where they were read.
    pub(crate) fn write(&self, payload: &mut [u8]) {
        if let Some(id) = self.picture {
            let [high, low] = id.value.to_be_bytes();
            let bytes: &[u8] = if id.is_wide {
                &[high | 0x80, low]
            } else {
                &[low]
            };
            if let Some(place) = payload.get_mut(id.at..id.at + bytes.len()) {
                place.copy_from_slice(bytes);
            }
        }
        if let Some((at, value)) = self.base
            && let Some(place) = payload.get_mut(at)
        {
            *place = value;
        }
    }
}

/// The picture ids of one subscription.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pictures {
    /// Added to what the current layer counts.
    picture_offset: u16,
    base_offset: u8,
    /// The newest ids sent.
    last_picture: u16,
    last_base: u8,
    is_first: bool,
    has_switched: bool,
    /// Something was sent: the newest ids mean something.
    has_begun: bool,
}

impl Pictures {
    /// Returns what the ids of a payload are to be replaced by; `None` when they may stay.
    pub(crate) fn place(&mut self, ids: Option<PictureIds>) -> Option<PictureIds> {
        let mut ids = ids?;
        if std::mem::take(&mut self.is_first) {
            if let Some(id) = ids.picture {
                let wanted = self.last_picture.wrapping_add(1);
                self.picture_offset = wanted.wrapping_sub(id.value);
            }
            if let Some((_, value)) = ids.base {
                let wanted = self.last_base.wrapping_add(1);
                self.base_offset = wanted.wrapping_sub(value);
            }
        }
        if let Some(id) = &mut ids.picture {
            id.value = id.value.wrapping_add(self.picture_offset) & id.mask();
            let ahead = id.value.wrapping_sub(self.last_picture) & id.mask();
            if ahead <= id.mask() / 2 || !self.has_begun {
                self.last_picture = id.value;
            }
        }
        if let Some((_, value)) = &mut ids.base {
            *value = value.wrapping_add(self.base_offset);
            if value.wrapping_sub(self.last_base) < 128 || !self.has_begun {
                self.last_base = *value;
            }
        }
        self.has_begun = true;
        self.has_switched.then_some(ids)
    }

    /// The next payload placed is of another layer.
    pub(crate) const fn switch(&mut self) {
        self.is_first = true;
        self.has_switched = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Extended descriptor with a wide picture id, TL0PICIDX, and a byte of picture.
    fn payload(picture: u16, base: u8) -> Vec<u8> {
        let [high, low] = picture.to_be_bytes();
        vec![0x90, 0xc0, high | 0x80, low, base, 42]
    }

    fn ids(picture: u16, base: u8) -> Option<PictureIds> {
        PictureIds::read(&payload(picture, base))
    }

    #[test]
    fn descriptors_with_and_without_ids() {
        assert_eq!(PictureIds::read(&[]), None);
        assert_eq!(PictureIds::read(&[0x10, 1, 2]), None, "no extension");
        assert_eq!(PictureIds::read(&[0x90, 0x20, 1]), None, "neither id");
        let narrow = PictureIds::read(&[0x90, 0x80, 0x55, 1]).unwrap();
        assert_eq!(narrow.picture.map(|id| (id.at, id.value)), Some((2, 0x55)));
        let wide = ids(0x1234, 9).unwrap();
        assert_eq!(wide.picture.map(|id| id.value), Some(0x1234));
        assert_eq!(wide.base, Some((4, 9)));
        let mut copy = payload(1, 1);
        wide.write(&mut copy);
        assert_eq!(copy, payload(0x1234, 9));
    }

    #[test]
    fn payloads_are_left_alone_until_the_first_switch() {
        let mut pictures = Pictures::default();
        assert_eq!(pictures.place(ids(100, 5)), None);
        assert_eq!(pictures.place(ids(101, 6)), None);
        pictures.switch();
        assert_eq!(pictures.place(ids(7000, 200)), ids(102, 7));
        assert_eq!(pictures.place(ids(7000, 200)), ids(102, 7), "same picture");
        assert_eq!(pictures.place(ids(7001, 201)), ids(103, 8));
        pictures.switch();
        assert_eq!(pictures.place(ids(150, 6)), ids(104, 9));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn ids_go_on_by_one_over_any_switches(
            layers in prop::collection::vec((0..0x8000u16, any::<u8>(), 1..20u16), 1..10),
        ) {
            let mut pictures = Pictures::default();
            let mut last: Option<u16> = None;
            for (start, base, count) in layers {
                for picture in 0..count {
                    let own = ids((start + picture) & 0x7fff, base);
                    let seen = pictures.place(own).or(own).and_then(|ids| ids.picture).unwrap();
                    if let Some(last) = last {
                        prop_assert_eq!(seen.value, (last + 1) & 0x7fff);
                    }
                    last = Some(seen.value);
                }
                pictures.switch();
            }
        }

        #[test]
        fn any_bytes_are_read_and_written(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            if let Some(ids) = PictureIds::read(&bytes) {
                let mut copy = bytes.clone();
                ids.write(&mut copy);
                prop_assert_eq!(copy, bytes);
            }
        }
    }
}
