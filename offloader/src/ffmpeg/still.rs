//! Single images: profile pictures and the emoji of a font.
//!
//! In: bytes of a PNG, JPEG, GIF or WebP. Out: pixels in the size wanted.
//! Not here: vector graphics; who wants one of those draws it anew.
//! Invariant: nothing larger than `MOST_PIXELS` is decoded, whatever the bytes say.

use super::{Frame, MediaError, refused};
use ff::format::Pixel;
use ff::software::scaling;
use ff::util::frame::Video;
use ff::{Dictionary, Packet, codec};
use ffmpeg_next as ff;

/// Pixels of the largest image that is decoded: 4096 times 4096.
const MOST_PIXELS: &str = "16777216";

/// A decoded image.
#[derive(Debug, Clone)]
pub struct Still(Frame);

/// Pixels, row by row: red, green, blue, and how opaque they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Image {
    pub width: u32,
    pub height: u32,
    pub rgba: Vec<[u8; 4]>,
}

impl Still {
    /// Whether bytes begin as those of an image do.
    #[must_use]
    pub fn may_be(bytes: &[u8]) -> bool {
        kind(bytes).is_some()
    }

    /// Decodes an image; of a moving one the first picture.
    ///
    /// # Errors
    /// When the bytes are none that FFmpeg can decode here, or the image is too large.
    pub fn decode(bytes: &[u8]) -> Result<Self, MediaError> {
        let failed = |_| MediaError::Unreadable { what: "image" };
        let codec = kind(bytes)
            .and_then(codec::decoder::find)
            .ok_or(MediaError::Unreadable { what: "image" })?;
        let mut context = codec::Context::new_with_codec(codec);
        context.set_threading(codec::threading::Config::count(1));
        let mut options = Dictionary::new();
        options.set("max_pixels", MOST_PIXELS);
        let mut decoder = context
            .decoder()
            .open_as_with(codec, options)
            .and_then(codec::decoder::Opened::video)
            .map_err(failed)?;
        decoder.send_packet(&Packet::copy(bytes)).map_err(failed)?;
        decoder.send_eof().map_err(failed)?;
        let mut frame = Video::empty();
        decoder.receive_frame(&mut frame).map_err(failed)?;
        Ok(Self(Frame(frame)))
    }

    /// The image in a size of its own, its shape not kept.
    ///
    /// # Errors
    /// When FFmpeg cannot scale it.
    pub fn scaled(&self, width: u32, height: u32) -> Result<Image, MediaError> {
        let source = &self.0.0;
        let smaller = width < source.width();
        let mut scaler = scaling::Context::get(
            source.format(),
            source.width(),
            source.height(),
            Pixel::RGBA,
            width,
            height,
            if smaller {
                scaling::Flags::AREA
            } else {
                scaling::Flags::BICUBIC
            },
        )
        .map_err(refused("prepare the scaler of an image"))?;
        let mut scaled = Video::empty();
        scaler
            .run(source, &mut scaled)
            .map_err(refused("scale an image"))?;
        let length = |n: u32| usize::try_from(n).unwrap_or(0);
        let rows = scaled.data(0).chunks(scaled.stride(0).max(1));
        let rgba = rows.take(length(height)).flat_map(|row| {
            let pixels = row.as_chunks::<4>().0;
            pixels.iter().take(length(width)).copied()
        });
        Ok(Image {
            width,
            height,
            rgba: rgba.collect(),
        })
    }

    /// The middle of the image, as a disc of so many pixels.
    ///
    /// # Errors
    /// When FFmpeg cannot scale it.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "pixels of a small image; coverage within 0 to 1"
    )]
    pub fn disc(&self, diameter: u32) -> Result<Image, MediaError> {
        let (width, height) = self.0.size();
        let short = u64::from(width.min(height).max(1));
        // At most eight times as long as wide: a stripe has a middle too.
        let long = |side: u32| {
            let side = u64::from(side) * u64::from(diameter) / short;
            u32::try_from(side.clamp(diameter.into(), u64::from(diameter) * 8)).unwrap_or(diameter)
        };
        let whole = self.scaled(long(width), long(height))?;
        let length = |n: u32| usize::try_from(n).unwrap_or(0);
        let (left, top) = ((whole.width - diameter) / 2, (whole.height - diameter) / 2);
        let rows = whole.rgba.chunks(length(whole.width).max(1));
        let square = rows
            .skip(length(top))
            .take(length(diameter))
            .flat_map(|row| row.iter().skip(length(left)).take(length(diameter)));
        let radius = diameter as f32 / 2.0;
        let rgba = square.enumerate().map(|(n, &[red, green, blue, alpha])| {
            let place = |n: usize| n as f32 + 0.5 - radius;
            let (x, y) = (place(n % length(diameter)), place(n / length(diameter)));
            let coverage = (radius - x.hypot(y) + 0.5).clamp(0.0, 1.0);
            [red, green, blue, (f32::from(alpha) * coverage) as u8]
        });
        Ok(Image {
            width: diameter,
            height: diameter,
            rgba: rgba.collect(),
        })
    }
}

/// What the first bytes say.
fn kind(bytes: &[u8]) -> Option<codec::Id> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some(codec::Id::PNG),
        [0xff, 0xd8, 0xff, ..] => Some(codec::Id::MJPEG),
        [b'G', b'I', b'F', b'8', ..] => Some(codec::Id::GIF),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some(codec::Id::WEBP),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two pixels, red and transparent.
    const PNG: &[u8] = &[
        137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 2, 0, 0, 0, 1, 8, 6,
        0, 0, 0, 244, 34, 127, 138, 0, 0, 0, 15, 73, 68, 65, 84, 120, 156, 99, 248, 207, 192, 0,
        68, 12, 12, 0, 12, 252, 1, 255, 92, 253, 20, 149, 0, 0, 0, 0, 73, 69, 78, 68, 174, 66, 96,
        130,
    ];

    #[test]
    fn what_is_no_image_is_refused_and_a_cut_one_is_no_reason_to_panic() {
        super::super::init();
        for bytes in [
            &[][..],
            b"<svg/>",
            b"\x89PNG",
            &[0xff, 0xd8, 0xff, 0],
            b"GIF89a",
        ] {
            assert!(Still::decode(bytes).is_err(), "{bytes:?}");
        }
        for end in 0..PNG.len() {
            let _ = Still::decode(&PNG[..end]);
        }
        let disc = Still::decode(PNG).unwrap().disc(8).unwrap();
        assert_eq!((disc.width, disc.height, disc.rgba.len()), (8, 8, 64));
        assert_eq!(disc.rgba[0][3], 0, "a corner");
        assert!(disc.rgba[8 * 4 + 1][0] > 200, "the red half");
        let mut huge = PNG.to_vec();
        huge[16..24].copy_from_slice(&[0, 0, 0x7f, 0xff, 0, 0, 0x7f, 0xff]);
        assert!(Still::decode(&huge).is_err());
    }
}
