//! Pictures of any size, fitted into an area of another.
//!
//! In: a picture. Out: the same, as large as fits into the area, with black bars around it.
//! Invariant: sizes and places are even, as 4:2:0 needs.

use super::{Frame, MediaError, refused};
use ff::format::Pixel;
use ff::software::scaling;
use ff::util::frame::Video;
use ffmpeg_next as ff;

/// Fits pictures of any size into the upper part of a picture, black bars around.
pub struct Fitter {
    width: u32,
    height: u32,
    scaler: Option<(Shape, scaling::Context)>,
    scaled: Video,
}

// SAFETY: a scaler keeps no state outside, and whoever has `&mut` has it alone.
#[expect(unsafe_code, reason = "a scaler moves between threads")]
unsafe impl Send for Fitter {}

type Shape = (Pixel, (u32, u32));

impl std::fmt::Debug for Fitter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fitter({}x{})", self.width, self.height)
    }
}

impl Fitter {
    /// Fits into the upper left `width` times `height`, both even.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            scaler: None,
            scaled: Video::empty(),
        }
    }

    /// Fits one picture into `onto`. What it does not cover of the area is made black when pictures
    /// of another size were fitted before, or none.
    ///
    /// # Errors
    /// When FFmpeg cannot scale it.
    pub fn fit(&mut self, frame: &Frame, onto: &mut Frame) -> Result<(), MediaError> {
        let source = &frame.0;
        let size = (source.width(), source.height());
        let (width, height) = fit_size(size, (self.width, self.height));
        let shape = (source.format(), size);
        if self
            .scaler
            .as_ref()
            .is_none_or(|(known, _)| *known != shape)
        {
            let context = scaling::Context::get(
                source.format(),
                size.0,
                size.1,
                Pixel::YUV420P,
                width,
                height,
                scaling::Flags::BILINEAR,
            )
            .map_err(refused("prepare the scaler"))?;
            self.scaler = Some((shape, context));
            self.scaled = Video::empty();
            let black = Frame::black(self.width, self.height).0;
            copy(&black, &mut onto.0, (0, 0), (self.width, self.height));
        }
        if let Some((_, scaler)) = self.scaler.as_mut() {
            scaler
                .run(source, &mut self.scaled)
                .map_err(refused("scale a picture"))?;
        }
        let place = (
            ((self.width - width) / 2) & !1,
            ((self.height - height) / 2) & !1,
        );
        copy(&self.scaled, &mut onto.0, place, (width, height));
        Ok(())
    }
}

fn copy(from: &Video, to: &mut Video, (left, top): (u32, u32), (width, height): (u32, u32)) {
    for plane in 0..3 {
        let half = u32::from(plane > 0);
        let place = (left >> half, top >> half);
        copy_plane(from, to, plane, place, (width >> half, height >> half));
    }
}

/// The largest even size of the same shape that fits.
fn fit_size(source: (u32, u32), target: (u32, u32)) -> (u32, u32) {
    let (sw, sh) = (u64::from(source.0.max(1)), u64::from(source.1.max(1)));
    let (tw, th) = (u64::from(target.0), u64::from(target.1));
    let (width, height) = if sw * th >= sh * tw {
        (tw, sh * tw / sw)
    } else {
        (sw * th / sh, th)
    };
    let even = |n: u64| u32::try_from(n.max(2) & !1).unwrap_or(2);
    (even(width), even(height))
}

fn copy_plane(
    from: &Video,
    to: &mut Video,
    plane: usize,
    (left, top): (u32, u32),
    (width, height): (u32, u32),
) {
    let index = |n: u32| usize::try_from(n).unwrap_or(0);
    let (from_stride, to_stride) = (from.stride(plane).max(1), to.stride(plane).max(1));
    let rows = from.data(plane).chunks(from_stride).take(index(height));
    let places = to.data_mut(plane).chunks_mut(to_stride).skip(index(top));
    for (row, place) in rows.zip(places) {
        let place = place.get_mut(index(left)..index(left + width));
        if let (Some(row), Some(place)) = (row.get(..index(width)), place) {
            place.copy_from_slice(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fit_keep_their_shape_and_are_even() {
        assert_eq!(fit_size((1920, 1080), (1280, 720)), (1280, 720));
        assert_eq!(fit_size((640, 480), (1280, 720)), (960, 720));
        assert_eq!(fit_size((3440, 1440), (1280, 720)), (1280, 534));
        assert_eq!(fit_size((1, 5000), (1280, 720)), (2, 720));
        assert_eq!(fit_size((0, 0), (1280, 720)), (720, 720));
    }

    #[test]
    fn a_fitted_picture_has_black_bars_and_what_lies_below_it_stays() {
        super::super::init();
        let mut white = Frame::black(64, 64);
        white.paint(&[[255; 3]; 64 * 64], [0, 0, 64, 64]);
        let mut onto = Frame::black(256, 160);
        onto.paint(&[[255; 3]; 256 * 160], [0, 0, 256, 160]);
        Fitter::new(256, 128).fit(&white, &mut onto).unwrap();
        assert_eq!(onto.size(), (256, 160));
        let stride = onto.0.stride(0);
        let luma = |x: usize, y: usize| onto.0.data(0)[y * stride + x];
        assert!(luma(128, 64) > 200 && luma(70, 5) > 200);
        assert_eq!((luma(5, 64), luma(250, 64)), (16, 16));
        assert!(luma(5, 130) > 200 && luma(128, 159) > 200);
    }
}
