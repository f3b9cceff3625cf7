//! A picture in colour, and what can be drawn on it: areas, discs, rings, lines, images, outlines.
//!
//! In: shapes, places in pixels, colours. Out: pixels. Pure.
//! Invariant: nothing is drawn outside the clip, and the clip lies within the picture.

use ab_glyph_rasterizer::Rasterizer;

use crate::ffmpeg::Image;

/// Red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub [u8; 3]);

/// Some pixels of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Area {
    pub left: i32,
    pub top: i32,
    pub width: i32,
    pub height: i32,
}

impl Area {
    /// The pixels from `left`, `top` on.
    #[must_use]
    pub const fn new(left: i32, top: i32, width: i32, height: i32) -> Self {
        Self {
            left,
            top,
            width,
            height,
        }
    }

    /// The first column right of it.
    #[must_use]
    pub const fn right(self) -> i32 {
        self.left + self.width
    }

    /// The first row below it.
    #[must_use]
    pub const fn bottom(self) -> i32 {
        self.top + self.height
    }

    /// What is in both; without pixels when nothing is.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let (left, top) = (self.left.max(other.left), self.top.max(other.top));
        let width = self.right().min(other.right()) - left;
        let height = self.bottom().min(other.bottom()) - top;
        Self::new(left, top, width.max(0), height.max(0))
    }
}

/// A picture in colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canvas {
    whole: Area,
    clip: Area,
    pixels: Vec<[u8; 3]>,
}

impl Canvas {
    /// A picture of one colour.
    #[must_use]
    pub fn new(width: i32, height: i32, colour: Colour) -> Self {
        let whole = Area::new(0, 0, width.max(0), height.max(0));
        Self {
            whole,
            clip: whole,
            pixels: vec![colour.0; index(whole.width) * index(whole.height)],
        }
    }

    /// All of it.
    #[must_use]
    pub fn whole(&self) -> Area {
        self.whole
    }

    /// The pixels, row by row.
    #[must_use]
    pub fn pixels(&self) -> &[[u8; 3]] {
        &self.pixels
    }

    /// The colour at a place, if it lies within.
    #[must_use]
    pub fn at(&self, x: i32, y: i32) -> Option<Colour> {
        let one = Area::new(x, y, 1, 1).and(self.whole);
        self.row(y, one)?.first().map(|pixel| Colour(*pixel))
    }

    /// What is drawn from now on stays within `area`.
    pub fn clip(&mut self, area: Area) {
        self.clip = area.and(self.whole);
    }

    /// Fills an area.
    pub fn fill(&mut self, area: Area, colour: Colour) {
        let area = area.and(self.clip);
        for y in area.top..area.bottom() {
            if let Some(row) = self.row_mut(y, area) {
                row.fill(colour.0);
            }
        }
    }

    /// Fills an area whose corners are rounded.
    pub fn plate(&mut self, area: Area, radius: f32, colour: Colour) {
        let (half_width, half_height) = (real(area.width) / 2.0, real(area.height) / 2.0);
        let (x0, y0) = (real(area.left) + half_width, real(area.top) + half_height);
        let radius = radius.min(half_width).min(half_height);
        self.shape(area, colour, |x, y| {
            let dx = (x - x0).abs() - half_width + radius;
            let dy = (y - y0).abs() - half_height + radius;
            dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius
        });
    }

    /// Fills a disc around `x0`, `y0`.
    pub fn disc(&mut self, (x0, y0): (f32, f32), radius: f32, colour: Colour) {
        let bounds = around(x0 - radius, y0 - radius, x0 + radius, y0 + radius);
        self.shape(bounds, colour, |x, y| (x - x0).hypot(y - y0) - radius);
    }

    /// A circle whose line is `width` wide, from `radius` inwards.
    pub fn ring(&mut self, (x0, y0): (f32, f32), radius: f32, width: f32, colour: Colour) {
        let bounds = around(x0 - radius, y0 - radius, x0 + radius, y0 + radius);
        let (middle, half) = (radius - width / 2.0, width / 2.0);
        self.shape(bounds, colour, |x, y| {
            ((x - x0).hypot(y - y0) - middle).abs() - half
        });
    }

    /// Lines from point to point, with round ends.
    pub fn lines(&mut self, points: &[(f32, f32)], width: f32, colour: Colour) {
        let half = width / 2.0;
        for pair in points.windows(2) {
            let &[from, to] = pair else { continue };
            let bounds = around(
                from.0.min(to.0) - half,
                from.1.min(to.1) - half,
                from.0.max(to.0) + half,
                from.1.max(to.1) + half,
            );
            self.shape(bounds, colour, |x, y| beside(from, to, x, y) - half);
        }
    }

    /// An image, as transparent as it is.
    pub fn image(&mut self, left: i32, top: i32, image: &Image) {
        let place = Area::new(left, top, size(image.width), size(image.height));
        let area = place.and(self.clip);
        for y in area.top..area.bottom() {
            let start = index(y - top) * index(place.width) + index(area.left - left);
            let source = image.rgba.iter().skip(start);
            let Some(row) = self.row_mut(y, area) else {
                continue;
            };
            for (pixel, [red, green, blue, alpha]) in row.iter_mut().zip(source) {
                mix(pixel, [*red, *green, *blue], *alpha);
            }
        }
    }

    /// A drawn outline, whose first pixel lies at `left`, `top`.
    pub fn outline(&mut self, left: i32, top: i32, outline: &Rasterizer, colour: Colour) {
        let (clip, width) = (self.clip, index(self.whole.width));
        outline.for_each_pixel_2d(|dx, dy, coverage| {
            let (x, y) = (left + size(dx), top + size(dy));
            if x < clip.left || x >= clip.right() || y < clip.top || y >= clip.bottom() {
                return;
            }
            if let Some(pixel) = self.pixels.get_mut(index(y) * width + index(x)) {
                mix(pixel, colour.0, alpha(coverage));
            }
        });
    }

    /// Colours what lies within a shape. `distance` says how far a point is outside of it, in pixels;
    /// edges become soft.
    fn shape(&mut self, bounds: Area, colour: Colour, distance: impl Fn(f32, f32) -> f32) {
        let area = bounds.and(self.clip);
        for y in area.top..area.bottom() {
            let Some(row) = self.row_mut(y, area) else {
                continue;
            };
            for (x, pixel) in (area.left..).zip(row) {
                let coverage = 0.5 - distance(real(x) + 0.5, real(y) + 0.5);
                mix(pixel, colour.0, alpha(coverage));
            }
        }
    }

    fn row(&self, y: i32, area: Area) -> Option<&[[u8; 3]]> {
        let start = index(y) * index(self.whole.width) + index(area.left);
        self.pixels.get(start..start + index(area.width))
    }

    fn row_mut(&mut self, y: i32, area: Area) -> Option<&mut [[u8; 3]]> {
        let start = index(y) * index(self.whole.width) + index(area.left);
        self.pixels.get_mut(start..start + index(area.width))
    }
}

/// How far a point is from the line between two others.
fn beside(from: (f32, f32), to: (f32, f32), x: f32, y: f32) -> f32 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx * dx + dy * dy;
    let along = ((x - from.0) * dx + (y - from.1) * dy) / length.max(f32::EPSILON);
    let along = along.clamp(0.0, 1.0);
    (x - from.0 - along * dx).hypot(y - from.1 - along * dy)
}

/// The pixels that a shape between two corners can touch.
fn around(left: f32, top: f32, right: f32, bottom: f32) -> Area {
    let (left, top) = (whole(left.floor()) - 1, whole(top.floor()) - 1);
    let (right, bottom) = (whole(right.ceil()) + 1, whole(bottom.ceil()) + 1);
    Area::new(left, top, right - left, bottom - top)
}

fn mix(pixel: &mut [u8; 3], colour: [u8; 3], alpha: u8) {
    match alpha {
        0 => {}
        255 => *pixel = colour,
        _ => {
            let alpha = u32::from(alpha);
            for (old, new) in pixel.iter_mut().zip(colour) {
                let mixed = u32::from(*old) * (255 - alpha) + u32::from(new) * alpha;
                *old = u8::try_from((mixed + 127) / 255).unwrap_or(u8::MAX);
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of u8"
)]
fn alpha(coverage: f32) -> u8 {
    (coverage.clamp(0.0, 1.0) * 255.0).round() as u8
}

/// A place or size in pixels, to reckon with.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "pixels of a picture")]
pub const fn real(pixels: i32) -> f32 {
    pixels as f32
}

/// The pixel nearest to a place.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounded; what is too large becomes the largest and is clipped"
)]
pub fn whole(place: f32) -> i32 {
    // Far outside any picture, and far from an overflow.
    place.round().clamp(-1e6, 1e6) as i32
}

/// A length in pixels as places are; too large becomes the largest.
fn size(pixels: u32) -> i32 {
    i32::try_from(pixels).unwrap_or(i32::MAX / 4)
}

fn index(pixels: i32) -> usize {
    usize::try_from(pixels).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLACK: Colour = Colour([0; 3]);
    const WHITE: Colour = Colour([255; 3]);

    fn painted(canvas: &Canvas) -> usize {
        canvas.pixels().iter().filter(|p| **p != BLACK.0).count()
    }

    #[test]
    fn whatever_is_drawn_stays_within_the_clip() {
        let mut canvas = Canvas::new(64, 48, BLACK);
        let clip = Area::new(10, 5, 20, 16);
        canvas.clip(clip);
        let image = Image {
            width: 300,
            height: 300,
            rgba: vec![[255; 4]; 90_000],
        };
        canvas.fill(Area::new(-9, -9, 500, 500), WHITE);
        canvas.plate(Area::new(-9, -9, 500, 500), 8.0, WHITE);
        canvas.disc((20.0, 12.0), 900.0, WHITE);
        canvas.ring((20.0, 12.0), 12.0, 9.0, WHITE);
        canvas.lines(&[(-1e9, -7.0), (1e9, 50.0), (5.0, f32::NAN)], 5.0, WHITE);
        canvas.image(-50, -50, &image);
        assert_eq!(painted(&canvas), 20 * 16);
        for (x, y, inside) in [
            (10, 5, true),
            (29, 20, true),
            (9, 5, false),
            (30, 20, false),
        ] {
            assert_eq!(canvas.at(x, y) == Some(WHITE), inside, "{x} {y}");
        }
        assert_eq!((canvas.at(-1, 0), canvas.at(64, 0)), (None, None));
    }

    #[test]
    fn shapes_lie_where_they_should_with_soft_edges() {
        let mut canvas = Canvas::new(40, 40, BLACK);
        canvas.ring((20.0, 20.0), 15.0, 3.0, WHITE);
        assert_eq!(canvas.at(20, 20), Some(BLACK));
        assert_eq!(canvas.at(33, 19), Some(WHITE));
        assert_eq!(canvas.at(20, 6), Some(WHITE));
        assert_eq!(canvas.at(2, 2), Some(BLACK));
        let soft = canvas
            .pixels()
            .iter()
            .filter(|p| !matches!(p, [0, ..] | [255, ..]));
        assert!(soft.count() > 20);

        let mut canvas = Canvas::new(40, 40, BLACK);
        canvas.plate(Area::new(4, 4, 30, 20), 8.0, WHITE);
        assert_eq!(
            (canvas.at(4, 4), canvas.at(19, 4)),
            (Some(BLACK), Some(WHITE))
        );
        assert_eq!(
            (canvas.at(33, 14), canvas.at(34, 14)),
            (Some(WHITE), Some(BLACK))
        );
    }
}
