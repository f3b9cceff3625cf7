//! A glyph's outline, drawn.
//!
//! In: a glyph of a face, its size and place. Out: pixels on a canvas.
//! Invariant: a font that says less than the truth about a glyph's size does not draw beyond it.

use ab_glyph_rasterizer::{Rasterizer, point};
use ttf_parser::{GlyphId, OutlineBuilder};

use super::canvas::{Canvas, Colour, whole};
use super::font::Shapes;

/// A glyph larger than this many pixels is none of a picture.
const LARGEST: f32 = 2_000.0;

/// Draws a glyph whose place on its baseline is `x`, `y`.
pub(super) fn draw(
    shapes: &Shapes<'_>,
    id: GlyphId,
    size: f32,
    (x, y): (f32, f32),
    canvas: &mut Canvas,
    colour: Colour,
) {
    let scale = size / f32::from(shapes.glyphs.units_per_em().max(1));
    let Some(bounds) = shapes.glyphs.glyph_bounding_box(id) else {
        return;
    };
    let left = (x + f32::from(bounds.x_min) * scale).floor() - 1.0;
    let top = (y - f32::from(bounds.y_max) * scale).floor() - 1.0;
    let width = f32::from(bounds.width()) * scale + 4.0;
    let height = f32::from(bounds.height()) * scale + 4.0;
    if !(width < LARGEST && height < LARGEST) {
        return;
    }
    let side = |length: f32| usize::try_from(whole(length.ceil())).unwrap_or(0);
    let mut pen = Pen {
        raster: Rasterizer::new(side(width), side(height)),
        origin: (x - left, y - top),
        scale,
        limit: (width, height),
        begun: (0.0, 0.0),
        at: (0.0, 0.0),
    };
    shapes.glyphs.outline_glyph(id, &mut pen);
    canvas.outline(whole(left), whole(top), &pen.raster, colour);
}

/// Draws an outline in a font's units as one in pixels.
struct Pen {
    raster: Rasterizer,
    origin: (f32, f32),
    scale: f32,
    limit: (f32, f32),
    begun: (f32, f32),
    at: (f32, f32),
}

impl Pen {
    /// A font that says less than the truth about a glyph's size must not draw beyond it.
    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        let (x, y) = (
            self.origin.0 + x * self.scale,
            self.origin.1 - y * self.scale,
        );
        (x.clamp(0.0, self.limit.0), y.clamp(0.0, self.limit.1))
    }

    fn line_to_place(&mut self, to: (f32, f32)) {
        let from = point(self.at.0, self.at.1);
        self.raster.draw_line(from, point(to.0, to.1));
        self.at = to;
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.begun = self.place(x, y);
        self.at = self.begun;
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.line_to_place(self.place(x, y));
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let (via, to) = (self.place(x1, y1), self.place(x, y));
        let from = point(self.at.0, self.at.1);
        self.raster
            .draw_quad(from, point(via.0, via.1), point(to.0, to.1));
        self.at = to;
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let (one, two, to) = (self.place(x1, y1), self.place(x2, y2), self.place(x, y));
        let from = point(self.at.0, self.at.1);
        self.raster.draw_cubic(
            from,
            point(one.0, one.1),
            point(two.0, two.1),
            point(to.0, to.1),
        );
        self.at = to;
    }

    fn close(&mut self) {
        self.line_to_place(self.begun);
    }
}
