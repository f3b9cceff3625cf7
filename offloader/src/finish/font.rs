//! Text on a grey picture.
//!
//! In: words, a size, a place. Out: brighter pixels. Letters of a script that the font lacks show
//! as its empty box. The font is Ubuntu Light (Ubuntu Font Licence 1.0).

use ab_glyph::{Font, FontRef, GlyphId, ScaleFont, point};

/// A grey picture: 16 is black, 235 white.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canvas {
    pub width: u32,
    pub height: u32,
    pub luma: Vec<u8>,
}

impl Canvas {
    /// A picture of one shade.
    #[must_use]
    pub fn new(width: u32, height: u32, shade: u8) -> Self {
        let pixels = usize::try_from(u64::from(width) * u64::from(height)).unwrap_or(0);
        Self {
            width,
            height,
            luma: vec![shade; pixels],
        }
    }

    /// Fills a rectangle; what lies outside the picture is left out.
    pub fn fill(&mut self, left: u32, top: u32, width: u32, height: u32, shade: u8) {
        for y in top..top.saturating_add(height).min(self.height) {
            for x in left..left.saturating_add(width).min(self.width) {
                self.blend(x, y, 1.0, shade);
            }
        }
    }

    fn blend(&mut self, x: u32, y: u32, coverage: f32, shade: u8) {
        if x >= self.width || y >= self.height {
            return;
        }
        let index = u64::from(y) * u64::from(self.width) + u64::from(x);
        let pixel = usize::try_from(index)
            .ok()
            .and_then(|index| self.luma.get_mut(index));
        if let Some(pixel) = pixel {
            let coverage = coverage.clamp(0.0, 1.0);
            *pixel = shade_of(f32::from(*pixel) * (1.0 - coverage) + f32::from(shade) * coverage);
        }
    }
}

/// The one font.
#[derive(Debug)]
pub struct Letters {
    font: FontRef<'static>,
}

impl Letters {
    /// Loads the font that is part of the program.
    #[must_use]
    pub fn new() -> Self {
        let font = FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT)
            .expect("the font in the program is a font");
        Self { font }
    }

    /// How wide a text is, in pixels.
    #[must_use]
    pub fn width(&self, text: &str, size: f32) -> f32 {
        let scaled = self.font.as_scaled(size);
        let mut last: Option<GlyphId> = None;
        let mut width = 0.0;
        for letter in text.chars() {
            let glyph = self.font.glyph_id(letter);
            width += last.map_or(0.0, |last| scaled.kern(last, glyph));
            width += scaled.h_advance(glyph);
            last = Some(glyph);
        }
        width
    }

    /// Draws a text whose box begins at `left`, `top`.
    pub fn draw(&self, canvas: &mut Canvas, text: &str, size: f32, left: f32, top: f32, shade: u8) {
        let scaled = self.font.as_scaled(size);
        let baseline = top + scaled.ascent();
        let mut x = left;
        let mut last: Option<GlyphId> = None;
        for letter in text.chars() {
            let id = self.font.glyph_id(letter);
            x += last.map_or(0.0, |last| scaled.kern(last, id));
            let glyph = id.with_scale_and_position(size, point(x, baseline));
            if let Some(outline) = self.font.outline_glyph(glyph) {
                let bounds = outline.px_bounds();
                outline.draw(|dx, dy, coverage| {
                    let (px, py) = (pixel(bounds.min.x, dx), pixel(bounds.min.y, dy));
                    // What lies outside the picture is left out by `blend`.
                    let outside = u32::MAX;
                    let (px, py) = (px.unwrap_or(outside), py.unwrap_or(outside));
                    canvas.blend(px, py, coverage, shade);
                });
            }
            x += scaled.h_advance(id);
            last = Some(id);
        }
    }

    /// Cuts a text so that it is at most so wide, with an ellipsis where it was cut.
    #[must_use]
    pub fn shorten(&self, text: &str, size: f32, width: f32) -> String {
        let mut kept: Vec<char> = text.chars().filter(|c| !c.is_control()).take(200).collect();
        let whole: String = kept.iter().collect();
        if self.width(&whole, size) <= width {
            return whole;
        }
        while kept.pop().is_some() {
            let shown: String = kept.iter().chain(&['\u{2026}']).collect();
            if self.width(&shown, size) <= width {
                return shown;
            }
        }
        String::new()
    }
}

impl Default for Letters {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounded, and far below the limits of i64"
)]
fn pixel(origin: f32, offset: u32) -> Option<u32> {
    u32::try_from(origin.round() as i64 + i64::from(offset)).ok()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of u8"
)]
fn shade_of(value: f32) -> u8 {
    value.clamp(0.0, 255.0).round() as u8
}
