//! FFmpeg behind a small door: decode VP8, AV1 and images, scale and encode pictures, write MP4,
//! Ogg and Matroska.
//!
//! In: packets, samples, pixels. Out: samples, pictures, files.
//! Not here: what is in the pictures and when (`finish`), Opus to samples (`opus`). Nothing outside
//! this folder names FFmpeg.
//! Colours are those of BT.601 within the range of television, as in VP8 from browsers.
//! Samples are pairs of f32 at 48 kHz everywhere; pictures are planar YUV 4:2:0.

use ff::format::Pixel;
use ff::util::frame::Video;
use ffmpeg_next as ff;

mod decode;
mod encode;
mod fitter;
mod matroska;
mod movie;
mod still;

pub use decode::PictureDecoder;
pub use encode::{Coded, Engine, MovieOptions, PictureEncoder};
pub use fitter::Fitter;
pub use matroska::{Chapter, Item, Matroska, Track, TrackKind, packets, with_text};
pub use movie::{Movie, SoundKind};
pub use still::{Image, Still};

/// Clock of pictures.
const PICTURE_CLOCK: i32 = 90_000;

/// FFmpeg refused something.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    #[error("FFmpeg has no {what} `{name}`: install a build that has it")]
    Missing {
        what: &'static str,
        name: &'static str,
    },
    #[error("the {what} cannot be decoded")]
    Unreadable { what: &'static str },
    #[error("{operation}")]
    Refused {
        operation: &'static str,
        #[source]
        source: ff::Error,
    },
}

fn refused(operation: &'static str) -> impl FnOnce(ff::Error) -> MediaError {
    move |source| MediaError::Refused { operation, source }
}

/// Prepares FFmpeg and silences its own log lines. Harmless when repeated.
pub fn init() {
    // Since FFmpeg 4 there is nothing that can fail here.
    let _ = ff::init();
    ff::log::set_level(ff::log::Level::Fatal);
}

/// A decoded or composed picture.
#[derive(Clone)]
pub struct Frame(Video);

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({}x{})", self.0.width(), self.0.height())
    }
}

impl Frame {
    /// A black picture.
    #[must_use]
    pub fn black(width: u32, height: u32) -> Self {
        let mut frame = Video::new(Pixel::YUV420P, width, height);
        frame.data_mut(0).fill(16);
        frame.data_mut(1).fill(128);
        frame.data_mut(2).fill(128);
        Self(frame)
    }

    /// Copies an area of a picture of the same size, given row by row as red, green and blue. An area
    /// is `[left, top, right, bottom]`; colours are shared by four pixels, so it grows to even places.
    pub fn paint(&mut self, pixels: &[[u8; 3]], area: [u32; 4]) {
        let [left, top, right, bottom] = area;
        let (width, height) = self.size();
        let (left, right) = (left & !1, (right.saturating_add(1) & !1).min(width));
        let rows = top / 2..bottom.min(height).div_ceil(2);
        let length = |n: u32| usize::try_from(n).unwrap_or(0);
        let row = |y: u32| {
            let start = length(y) * length(width);
            let row = pixels.get(start + length(left)..start + length(right));
            row.unwrap_or_default()
        };
        for half in rows {
            let pair = [row(half * 2), row((half * 2 + 1).min(height - 1))];
            for (below, pixels) in (0..).zip(pair) {
                let line = self.line(0, half * 2 + below, left);
                for (luma, pixel) in line.iter_mut().zip(pixels) {
                    *luma = weigh(*pixel, [66, 129, 25], 16);
                }
            }
            let pixels = pair[0].chunks(2).zip(pair[1].chunks(2));
            let mixed: Vec<[u8; 3]> = pixels.map(|(one, two)| mean(one, two)).collect();
            for (plane, weights) in [(1, [-38, -74, 112]), (2, [112, -94, -18])] {
                let line = self.line(plane, half, left / 2);
                for (chroma, pixel) in line.iter_mut().zip(&mixed) {
                    *chroma = weigh(*pixel, weights, 128);
                }
            }
        }
    }

    /// A row of a plane from a place on; empty outside.
    fn line(&mut self, plane: usize, y: u32, left: u32) -> &mut [u8] {
        let inside = y < self.0.plane_height(plane);
        let (stride, width) = (self.0.stride(plane), self.0.plane_width(plane));
        let length = |n: u32| usize::try_from(n).unwrap_or(0);
        let start = stride * length(y);
        let line = self
            .0
            .data_mut(plane)
            .get_mut(start + length(left)..start + length(width));
        line.filter(|_| inside).unwrap_or_default()
    }

    /// Pixels.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        (self.0.width(), self.0.height())
    }
}

/// The mean of up to four pixels.
fn mean(one: &[[u8; 3]], two: &[[u8; 3]]) -> [u8; 3] {
    let mut sums = [0u16; 3];
    let mut count = 0;
    for pixel in one.iter().chain(two) {
        count += 1;
        for (sum, part) in sums.iter_mut().zip(pixel) {
            *sum += u16::from(*part);
        }
    }
    sums.map(|sum| u8::try_from((sum + count / 2) / count.max(1)).unwrap_or(u8::MAX))
}

/// One value of BT.601 from red, green and blue, weighed in 1/256.
fn weigh(pixel: [u8; 3], weights: [i32; 3], base: i32) -> u8 {
    let parts = pixel.iter().zip(weights);
    let sum: i32 = parts.map(|(part, weight)| i32::from(*part) * weight).sum();
    u8::try_from(((sum + 128) >> 8) + base).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_bt_601_and_what_lies_beside_an_area_stays() {
        init();
        let mut frame = Frame::black(7, 5);
        let values = |frame: &Frame, x: usize, y: usize| {
            let at = |plane: usize, x: usize, y: usize| {
                frame.0.data(plane)[y * frame.0.stride(plane) + x]
            };
            [at(0, x, y), at(1, x / 2, y / 2), at(2, x / 2, y / 2)]
        };
        for (colour, expected) in [
            ([255, 255, 255], [235, 128, 128]),
            ([0, 0, 0], [16, 128, 128]),
            ([255, 0, 0], [82, 90, 240]),
            ([0, 0, 255], [41, 240, 110]),
        ] {
            frame.paint(&[colour; 35], [0, 0, 7, 5]);
            for (x, y) in [(0, 0), (6, 4), (3, 2)] {
                assert_eq!(values(&frame, x, y), expected, "{colour:?} at {x} {y}");
            }
        }
        frame.paint(&[[255; 3]; 35], [3, 3, 4, 4]);
        for (x, y, white) in [
            (2, 2, true),
            (3, 3, true),
            (4, 2, false),
            (2, 4, false),
            (1, 2, false),
        ] {
            assert_eq!(values(&frame, x, y)[0] == 235, white, "{x} {y}");
        }
        frame.paint(&[[255; 3]; 35], [5, 4, 900, 900]);
        frame.paint(&[], [0, 0, 7, 5]);
    }
}
