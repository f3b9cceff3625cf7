//! Words on a picture: any script, both directions, whole where there is room.
//!
//! In: words, the room they have. Out: lines of placed glyphs, drawn on a canvas.
//! Each line is parted into runs of one direction (`unicode-bidi`), these into runs of one face
//! (`font`), and each is shaped (`harfrust`).
//! Invariant: what a person calls themselves decides about nothing but the letters of their name:
//! signs that control, or turn the direction of what follows, are left out (`tidy`).

use std::collections::BTreeMap;
use std::ops::Range;

use ab_glyph_rasterizer::{Rasterizer, point};
use harfrust::{Direction, ShapeOptions, UnicodeBuffer};
use ttf_parser::{GlyphId, OutlineBuilder, RasterImageFormat};
use unicode_bidi::BidiInfo;
use unicode_segmentation::UnicodeSegmentation;

use super::canvas::{Canvas, Colour, real, whole};
use super::font::{FaceId, Fonts, Shapes};
use crate::ffmpeg::{Image, Still};

/// Letters of a text that are looked at: more fit into no tile.
const MOST_LETTERS: usize = 120;
/// Signs of one letter: a family of four with the colours of their skins has eleven.
const MOST_SIGNS: usize = 12;
/// From line to line, in sizes.
const LEADING: f32 = 1.3;
/// From the top of a line to its baseline, in sizes.
const ASCENT: f32 = 1.0;
/// A glyph larger than this many pixels is none of a picture.
const LARGEST: f32 = 2_000.0;

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
            outline(&shapes, id, size, (x, y), canvas, colour);
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

fn outline(
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

/// A name without what is no letter of it: control signs, signs that turn the direction of what
/// follows, more than one space, and marks heaped upon one letter.
#[must_use]
pub fn tidy(name: &str) -> String {
    let shown = |c: &char| {
        !matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}')
            && (!c.is_control() || c.is_whitespace())
    };
    let kept: String = name
        .chars()
        .take(MOST_LETTERS * MOST_SIGNS)
        .filter(shown)
        .collect();
    let words: Vec<&str> = kept.split_whitespace().collect();
    let letters = words.join(" ");
    letters
        .graphemes(true)
        .take(MOST_LETTERS)
        .flat_map(|letter| letter.chars().take(MOST_SIGNS))
        .collect()
}

/// The first letters of the first and the last word of a name, as the page shows them; of words
/// without a letter only where there are no others.
#[must_use]
pub fn initials(name: &str) -> String {
    let name = tidy(name);
    let plain = match name.rfind('(') {
        Some(bracket) if bracket > 0 && name.ends_with(')') => name.split_at(bracket).0,
        Some(_) | None => name.as_str(),
    };
    let words = plain.split([' ', '.', '_', '-']);
    let mut words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    if words.iter().any(|word| starts_with_letter(word)) {
        words.retain(|word| starts_with_letter(word));
    }
    let letter = |word: &&str| {
        let letter = word.graphemes(true).next().unwrap_or_default();
        letter.to_uppercase()
    };
    match words.as_slice() {
        [] => "?".to_owned(),
        [only] => letter(only),
        [first, .., last] => format!("{}{}", letter(first), letter(last)),
    }
}

fn starts_with_letter(word: &str) -> bool {
    word.starts_with(char::is_alphanumeric)
}
