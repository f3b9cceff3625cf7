//! Pictures that people give themselves: which are kept, and without what.
//!
//! In: bytes that somebody sent. Out: the picture without what cameras and programs note beside it
//! (place, device, preview), or why not. Nothing is decoded: a client makes pictures small before
//! it sends them, and upright, for the note about which way up is dropped too.
//! Invariant: no bytes panic; what is kept is no larger than what came.

use super::fault::Fault;

/// Largest picture, in bytes, and longest side, in pixels: what every client must draw.
pub(super) const MAX_BYTES: usize = 512 * 1024;
const MAX_SIDE: u32 = 2048;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG: &[u8] = b"\xff\xd8";
/// Parts of a PNG that are kept: what is drawn, and its colours.
const PNG_PARTS: [&[u8; 4]; 11] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT",
    b"bKGD",
];

/// A picture that can be kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) mime: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// Checks what somebody sent.
pub(super) fn read(bytes: &[u8]) -> Result<Picture, Fault> {
    if bytes.len() > MAX_BYTES {
        return Err(Fault::too_large(format!(
            "a picture has at most {} KiB",
            MAX_BYTES / 1024
        )));
    }
    let (mime, found) = if bytes.starts_with(PNG) {
        ("image/png", png(bytes))
    } else {
        ("image/jpeg", jpeg(bytes))
    };
    let refuse = |why| Fault::invalid("api.user.upload_profile_user.decode.app_error", why);
    let Some((bytes, width, height)) = found else {
        return Err(refuse("a picture must be a PNG or JPEG file".to_owned()));
    };
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
        return Err(refuse(format!(
            "a picture is at most {MAX_SIDE} pixels wide and high: this one is {width} x {height}"
        )));
    }
    Ok(Picture { mime, bytes })
}

/// Splits off this many bytes.
fn split(bytes: &[u8], count: usize) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(count)
}

fn number(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

fn png(bytes: &[u8]) -> Option<(Vec<u8>, u32, u32)> {
    let mut kept = PNG.to_vec();
    let (mut rest, mut size) = (bytes.strip_prefix(PNG)?, None);
    loop {
        let (length, _) = split(rest, 4)?;
        let whole = usize::try_from(number(length)).ok()?.checked_add(12)?;
        let (part, tail) = split(rest, whole)?;
        let kind: &[u8; 4] = part.get(4..8)?.try_into().ok()?;
        if size.is_none() {
            // the first part says how large the picture is
            (kind == b"IHDR").then_some(())?;
            size = Some((number(part.get(8..12)?), number(part.get(12..16)?)));
        }
        if PNG_PARTS.contains(&kind) {
            kept.extend_from_slice(part);
        }
        if kind == b"IEND" {
            let (width, height) = size?;
            return Some((kept, width, height));
        }
        rest = tail;
    }
}

fn jpeg(bytes: &[u8]) -> Option<(Vec<u8>, u32, u32)> {
    let mut kept = JPEG.to_vec();
    let (mut rest, mut size) = (bytes.strip_prefix(JPEG)?, None);
    loop {
        let (head, _) = split(rest, 4)?;
        let (first, marker) = (*head.first()?, *head.get(1)?);
        (first == 0xff).then_some(())?;
        let whole = usize::try_from(number(head.get(2..4)?))
            .ok()?
            .checked_add(2)?;
        let (segment, tail) = split(rest, whole)?;
        let contents = segment.get(4..)?;
        let is_frame = matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
        if is_frame {
            let (height, width) = (contents.get(1..3)?, contents.get(3..5)?);
            size = Some((number(width), number(height)));
        }
        // JFIF's header, the colour profile, Adobe's word about colours; no notes
        let is_kept = match marker {
            0xe0 | 0xee => true,
            0xe2 => contents.starts_with(b"ICC_PROFILE\0"),
            0xe1..=0xef | 0xfe => false,
            _ => true,
        };
        if is_kept {
            kept.extend_from_slice(segment);
        }
        if marker == 0xda {
            // from here on it is the picture itself
            kept.extend_from_slice(tail);
            let (width, height) = size?;
            return Some((kept, width, height));
        }
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(kind: &[u8; 4], contents: &[u8]) -> Vec<u8> {
        let length = u32::try_from(contents.len()).unwrap().to_be_bytes();
        [&length[..], kind, contents, &[0; 4]].concat()
    }

    fn png_of(width: u32, height: u32, extra: &[u8]) -> Vec<u8> {
        let head = [
            &width.to_be_bytes()[..],
            &height.to_be_bytes(),
            &[8, 2, 0, 0, 0],
        ]
        .concat();
        let parts = [part(b"IHDR", &head), extra.to_vec(), part(b"IEND", b"")];
        [PNG.to_vec(), parts.concat()].concat()
    }

    fn segment(marker: u8, contents: &[u8]) -> Vec<u8> {
        let length = u16::try_from(contents.len() + 2).unwrap().to_be_bytes();
        [&[0xff, marker], &length[..], contents].concat()
    }

    fn jpeg_of(extra: &[u8]) -> Vec<u8> {
        let frame = segment(0xc0, &[8, 0, 100, 0, 200, 3]);
        let scan = segment(0xda, &[0; 6]);
        [JPEG, extra, &frame, &scan, b"pixels\xff\xd9"].concat()
    }

    #[test]
    fn notes_beside_the_picture_are_dropped() {
        let place = part(b"eXIf", b"52.5 N, 13.4 E");
        let kept = read(&png_of(128, 64, &place)).unwrap();
        assert_eq!(kept.bytes, png_of(128, 64, &[]));
        assert_eq!(kept.mime, "image/png");
        let header = segment(0xe0, b"JFIF\0");
        let notes = [
            segment(0xe1, b"Exif\0\0 place"),
            segment(0xfe, b"made by me"),
        ]
        .concat();
        let kept = read(&jpeg_of(&[header.clone(), notes].concat())).unwrap();
        assert_eq!(kept.bytes, jpeg_of(&header));
        assert_eq!(kept.mime, "image/jpeg");
    }

    #[test]
    fn what_is_too_large_or_no_picture_is_refused() {
        assert!(read(&png_of(30_000, 30_000, &[])).is_err());
        assert!(read(&png_of(0, 1, &[])).is_err());
        assert!(read(&vec![0; MAX_BYTES + 1]).is_err());
        assert!(read(b"<svg onload='x'/>").is_err());
        assert!(read(b"GIF89a").is_err());
        assert!(read(b"").is_err());
    }

    #[test]
    fn a_picture_that_breaks_off_is_refused_and_never_a_panic() {
        let whole = jpeg_of(&segment(0xe0, b"JFIF\0"));
        for pictures in [png_of(1, 1, &[]), whole] {
            let scan = pictures.windows(2).position(|two| two == [0xff, 0xda]);
            let end = scan.map_or(pictures.len(), |scan| scan + 9);
            for length in 0..end {
                assert!(read(&pictures[..length]).is_err(), "{length}");
            }
        }
    }
}
