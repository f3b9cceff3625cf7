//! Words on a picture: any script, both directions, whole where there is room.
//!
//! In: words, the room they have. Out: lines of placed glyphs, drawn on a canvas.
//! Each line is parted into runs of one direction (`unicode-bidi`), these into runs of one face
//! (`font`), and each is shaped (`harfrust`).
//! Invariant: what a person calls themselves decides about nothing but the letters of their name
//! (`name::tidy`).

use std::collections::BTreeMap;
use std::ops::Range;

use harfrust::{Direction, ShapeOptions, UnicodeBuffer};
use ttf_parser::{GlyphId, RasterImageFormat};
use unicode_bidi::BidiInfo;
use unicode_segmentation::UnicodeSegmentation;

use super::canvas::{Canvas, Colour, real, whole};
use super::font::{FaceId, Fonts, Shapes};
use super::name::tidy;
use super::pen;
use crate::ffmpeg::{Image, Still};

/// From line to line, in sizes.
const LEADING: f32 = 1.3;
/// From the top of a line to its baseline, in sizes.
const ASCENT: f32 = 1.0;
/// Sets and draws words.
#[derive(Debug)]
pub struct Letters {
    fonts: Fonts,
    /// Glyphs that are images, by face, glyph and size; `None`: it cannot be decoded.
    images: BTreeMap<(FaceId, u16, i32), Option<Image>>,
}

/// The room that words have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Room {
    /// In pixels.
    pub width: f32,
    pub lines: usize,
    /// Sizes of letters in pixels, the preferred one and the smallest.
    pub size: f32,
    pub smallest: f32,
}

/// Words, set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Label {
    lines: Vec<Line>,
    size: f32,
    /// Whether letters had to be left out.
    pub cut: bool,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Line {
    glyphs: Vec<Glyph>,
    width: f32,
}

#[derive(Debug, Clone, PartialEq)]
struct Glyph {
    face: FaceId,
    id: u16,
    /// From the line's beginning, and above its baseline.
    x: f32,
    y: f32,
}

impl Label {
    /// Pixels of the widest line.
    #[must_use]
    pub fn width(&self) -> f32 {
        self.lines
            .iter()
            .fold(0.0, |most, line| most.max(line.width))
    }

    /// Pixels of all lines.
    #[must_use]
    pub fn height(&self) -> f32 {
        let lines = i32::try_from(self.lines.len()).unwrap_or(0);
        real(lines) * self.size * LEADING
    }

    /// Glyphs that no font has: empty boxes.
    #[must_use]
    pub fn boxes(&self) -> usize {
        let glyphs = self.lines.iter().flat_map(|line| &line.glyphs);
        glyphs.filter(|glyph| glyph.id == 0).count()
    }
}

impl Letters {
    /// With these fonts.
    #[must_use]
    pub fn new(fonts: Fonts) -> Self {
        Self {
            fonts,
            images: BTreeMap::new(),
        }
    }

    /// Sets words into a room: whole if they fit, smaller, on more lines; else with an ellipsis after
    /// the last letter that fits.
    pub fn set(&mut self, words: &str, room: Room) -> Label {
        let words = tidy(words);
        let between = (room.size + room.smallest) / 2.0;
        for size in [room.size, between.max(room.size * 0.85)] {
            let line = self.line(&words, size);
            if line.width <= room.width {
                return label(vec![line], size, false);
            }
        }
        for size in [room.size, between, room.smallest] {
            if let Some(lines) = self.part(&words, size, room) {
                return label(lines, size, false);
            }
        }
        self.cut(&words, room)
    }

    /// Parts words into two lines that fit, as equal as they can be.
    fn part(&mut self, words: &str, size: f32, room: Room) -> Option<Vec<Line>> {
        if room.lines < 2 {
            let line = self.line(words, size);
            return (line.width <= room.width).then(|| vec![line]);
        }
        let mut best: Option<[Line; 2]> = None;
        let widest = |lines: &[Line; 2]| lines.iter().fold(0.0_f32, |most, l| most.max(l.width));
        for (space, _) in words.match_indices(' ') {
            let (first, rest) = words.split_at(space);
            let lines = [self.line(first, size), self.line(rest.trim_start(), size)];
            if widest(&lines) <= room.width
                && best
                    .as_ref()
                    .is_none_or(|known| widest(&lines) < widest(known))
            {
                best = Some(lines);
            }
        }
        best.map(Vec::from)
    }

    /// The first letters of words that are too long.
    fn cut(&mut self, words: &str, room: Room) -> Label {
        let size = room.smallest;
        if room.lines < 2 {
            return label(vec![self.shorten(words, size, room.width)], size, true);
        }
        let fits = self.letters_that_fit(words, size, room.width, "");
        let (first, rest) = words.split_at(fits);
        // A word is parted only where it would take half a line with it.
        let space = first.rfind(' ').filter(|space| space * 2 > fits);
        let (first, rest) = match space {
            Some(space) if !rest.is_empty() => words.split_at(space),
            Some(_) | None => (first, rest),
        };
        let rest = rest.trim_start();
        let second = self.line(rest, size);
        let whole = second.width <= room.width;
        let second = if whole {
            second
        } else {
            self.shorten(rest, size, room.width)
        };
        label(vec![self.line(first, size), second], size, !whole)
    }

    fn shorten(&mut self, words: &str, size: f32, width: f32) -> Line {
        let fits = self.letters_that_fit(words, size, width, "\u{2026}");
        let kept = words.get(..fits).unwrap_or_default().trim_end();
        self.line(&format!("{kept}\u{2026}"), size)
    }

    /// How many bytes of words fit beside an end: whole letters.
    fn letters_that_fit(&mut self, words: &str, size: f32, width: f32, end: &str) -> usize {
        let ends: Vec<usize> = words
            .grapheme_indices(true)
            .map(|(start, letter)| start + letter.len())
            .collect();
        let count = ends.partition_point(|&bytes| {
            let kept = words.get(..bytes).unwrap_or_default();
            self.line(&format!("{kept}{end}"), size).width <= width
        });
        count
            .checked_sub(1)
            .and_then(|last| ends.get(last))
            .copied()
            .unwrap_or(0)
    }

    /// One line of words, whatever its width.
    fn line(&mut self, words: &str, size: f32) -> Line {
        let mut line = Line::default();
        let bidi = BidiInfo::new(words, None);
        for paragraph in &bidi.paragraphs {
            let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
            for run in runs {
                let backwards = levels
                    .get(run.start)
                    .is_some_and(unicode_bidi::Level::is_rtl);
                self.run(words, run, backwards, size, &mut line);
            }
        }
        line
    }

    /// Adds a run of one direction.
    fn run(&mut self, words: &str, run: Range<usize>, backwards: bool, size: f32, line: &mut Line) {
        let text = words.get(run).unwrap_or_default();
        let mut pieces: Vec<(FaceId, Range<usize>)> = Vec::new();
        for (start, letter) in text.grapheme_indices(true) {
            let (face, end) = (self.fonts.face_for(letter), start + letter.len());
            match pieces.last_mut() {
                Some((known, range)) if *known == face => range.end = end,
                Some(_) | None => pieces.push((face, start..end)),
            }
        }
        if backwards {
            pieces.reverse();
        }
        for (face, range) in pieces {
            let text = text.get(range).unwrap_or_default();
            if let Some(shapes) = self.fonts.face(face) {
                shape(&shapes, face, text, backwards, size, line);
            }
        }
    }

    /// Draws words whose box begins at `left`, `top` and is `width` wide: in its middle, if `centred`.
    pub fn draw(
        &mut self,
        canvas: &mut Canvas,
        label: &Label,
        (left, top): (f32, f32),
        centred: Option<f32>,
        colour: Colour,
    ) {
        let mut baseline = top + label.size * ASCENT;
        for line in &label.lines {
            let start = centred.map_or(left, |width| left + (width - line.width) / 2.0);
            for glyph in &line.glyphs {
                let place = (start + glyph.x, baseline - glyph.y);
                self.glyph(canvas, glyph, label.size, place, colour);
            }
            baseline += label.size * LEADING;
        }
    }

    fn glyph(
        &mut self,
        canvas: &mut Canvas,
        glyph: &Glyph,
        size: f32,
        (x, y): (f32, f32),
        colour: Colour,
    ) {
        let Some(shapes) = self.fonts.face(glyph.face) else {
            return;
        };
        let id = GlyphId(glyph.id);
        let Some(raster) = shapes.glyphs.glyph_raster_image(id, u16::MAX) else {
            pen::draw(&shapes, id, size, (x, y), canvas, colour);
            return;
        };
        let scale = size / f32::from(raster.pixels_per_em.max(1));
        let key = (glyph.face, glyph.id, whole(size * 8.0));
        let image = self.images.entry(key).or_insert_with(|| {
            let png = matches!(raster.format, RasterImageFormat::PNG);
            let still = png.then(|| Still::decode(raster.data).ok()).flatten()?;
            let side = |pixels: u16| whole(f32::from(pixels) * scale).max(1).unsigned_abs();
            still.scaled(side(raster.width), side(raster.height)).ok()
        });
        if let Some(image) = image {
            let up = (f32::from(raster.y) + f32::from(raster.height)) * scale;
            let left = whole(x + f32::from(raster.x) * scale);
            canvas.image(left, whole(y - up), image);
        }
    }
}

fn label(lines: Vec<Line>, size: f32, cut: bool) -> Label {
    Label { lines, size, cut }
}

/// Adds a run of one face.
fn shape(
    shapes: &Shapes<'_>,
    face: FaceId,
    text: &str,
    backwards: bool,
    size: f32,
    line: &mut Line,
) {
    let mut buffer = UnicodeBuffer::new();
    buffer.push_str(text);
    buffer.guess_segment_properties();
    buffer.set_direction(if backwards {
        Direction::RightToLeft
    } else {
        Direction::LeftToRight
    });
    let shaper = shapes.shaping.shaper(&shapes.font).build();
    let glyphs = shaper.shape(buffer, ShapeOptions::new());
    let scale = size / f32::from(shapes.glyphs.units_per_em().max(1));
    for (info, place) in glyphs.glyph_infos().iter().zip(glyphs.glyph_positions()) {
        line.glyphs.push(Glyph {
            face,
            id: u16::try_from(info.glyph_id).unwrap_or(0),
            x: line.width + real(place.x_offset) * scale,
            y: real(place.y_offset) * scale,
        });
        line.width += real(place.x_advance) * scale;
    }
}
