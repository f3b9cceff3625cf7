//! Draws what is to be seen, in the colours of the page's dark theme.
//!
//! In: pieces and their places (`card`). Out: a canvas, and which areas of it are new.
//! Invariant: a piece is drawn within its area, whatever it says; the same pieces give the same
//! pixels, whatever was there before.

use std::path::Path;

use super::canvas::{Area, Canvas, Colour, real, whole};
use super::card::{Measure, Piece, Placed, Seen};
use super::faces::Faces;
use super::icons::{self, Icon};
use super::name::initials;
use super::plan::Person;
use super::text::{Label, Letters, Room};

/// The page's `--stage`, `--raised`, `--line`, `--text`, `--muted`, `--accent-strong`, `--danger`,
/// `--speaking`; the sign of a raised hand.
pub const STAGE: Colour = Colour([0x17, 0x1d, 0x1e]);
pub const RAISED: Colour = Colour([0x22, 0x28, 0x2a]);
const LINE: Colour = Colour([0x30, 0x38, 0x3a]);
const TEXT: Colour = Colour([0xe6, 0xea, 0xe8]);
const MUTED: Colour = Colour([0xa2, 0xae, 0xaa]);
const ACCENT: Colour = Colour([0x7a, 0xd5, 0xc0]);
const DANGER: Colour = Colour([0xf2, 0x87, 0x7d]);
pub const SPEAKING: Colour = Colour([0x4f, 0xd3, 0xae]);
pub const HAND: Colour = Colour([0xf4, 0xc5, 0x42]);
const ON_HAND: Colour = Colour([0x3d, 0x2e, 0x00]);
const WHITE: Colour = Colour([0xff; 3]);
/// What a face leaves to a name of two lines, in sizes of its letters, and what is left free above,
/// between and below, for 720 rows.
const NAME_LINES: f32 = 2.6;
const EDGES: f32 = 30.0;

/// Draws.
#[derive(Debug)]
pub struct Brush {
    measure: Measure,
    canvas: Canvas,
    letters: Letters,
    faces: Faces,
    drawn: Vec<Placed>,
}

impl Brush {
    /// For the people of a job's folder.
    #[must_use]
    pub fn new(measure: Measure, letters: Letters, folder: &Path) -> Self {
        Self {
            measure,
            canvas: Canvas::new(measure.width, measure.height, STAGE),
            letters,
            faces: Faces::of(folder),
            drawn: Vec::new(),
        }
    }

    /// The picture.
    #[must_use]
    pub fn canvas(&self) -> &Canvas {
        &self.canvas
    }

    /// Draws what is to be seen now; the areas that are not as they were.
    pub fn show(&mut self, placed: Vec<Placed>) -> Vec<Area> {
        let same_places = placed.len() == self.drawn.len()
            && placed
                .iter()
                .zip(&self.drawn)
                .all(|(new, old)| new.area == old.area);
        if !same_places {
            self.drawn.clear();
            let whole = self.canvas.whole();
            self.canvas.clip(whole);
            self.canvas.fill(whole, STAGE);
        }
        let mut fresh = Vec::new();
        for (index, new) in placed.iter().enumerate() {
            if self
                .drawn
                .get(index)
                .is_none_or(|old| old.piece != new.piece)
            {
                self.canvas.clip(new.area);
                self.canvas.fill(new.area, STAGE);
                self.draw(new);
                fresh.push(new.area);
            }
        }
        self.drawn = placed;
        if same_places {
            fresh
        } else {
            vec![self.canvas.whole()]
        }
    }

    fn draw(&mut self, placed: &Placed) {
        let area = placed.area;
        match &placed.piece {
            Piece::Title(title) => self.title(area, title),
            Piece::Clock { clock, count } => self.clock(area, clock, *count),
            Piece::Tile(seen) => self.tile(area, seen),
            Piece::More(count) => {
                self.plate(area, LINE);
                self.middle(area, &format!("+{count}"), 40.0, MUTED);
            }
            Piece::Nobody => self.middle(area, "\u{2013}", 40.0, MUTED),
            Piece::Strip { sharer, speakers } => self.strip(area, sharer, speakers),
        }
    }

    fn room(&self, width: f32, lines: usize, size: f32, smallest: f32) -> Room {
        Room {
            width,
            lines,
            size: self.measure.real(size),
            smallest: self.measure.real(smallest),
        }
    }

    /// Draws a line whose middle is that of `area`, from `left` on.
    fn beside(&mut self, area: Area, left: f32, label: &Label, colour: Colour) {
        let top = real(area.top) + (real(area.height) - label.height()) / 2.0;
        self.letters
            .draw(&mut self.canvas, label, (left, top), None, colour);
    }

    fn middle(&mut self, area: Area, words: &str, size: f32, colour: Colour) {
        let width = real(area.width);
        let label = self
            .letters
            .set(words, self.room(width * 0.9, 1, size, size / 3.0));
        let top = real(area.top) + (real(area.height) - label.height()) / 2.0;
        let place = (real(area.left), top);
        self.letters
            .draw(&mut self.canvas, &label, place, Some(width), colour);
    }

    fn title(&mut self, area: Area, title: &str) {
        let unit = self.measure.real(1.0);
        let (left, middle) = (real(area.left), real(area.top) + real(area.height) / 2.0);
        self.canvas
            .disc((left + 6.0 * unit, middle), 5.0 * unit, DANGER);
        let room = self.room(real(area.width) - 22.0 * unit, 1, 21.0, 14.0);
        let label = self.letters.set(title, room);
        self.beside(area, left + 22.0 * unit, &label, TEXT);
    }

    /// At the right: a sign for people, how many, and the time.
    fn clock(&mut self, area: Area, clock: &str, count: usize) {
        let unit = self.measure.real(1.0);
        let room = self.room(real(area.width), 1, 17.0, 10.0);
        let time = self.letters.set(clock, room);
        let people = self.letters.set(&count.to_string(), room);
        let start = real(area.right()) - time.width();
        self.beside(area, start, &time, MUTED);
        let count_start = start - people.width() - 18.0 * unit;
        self.beside(area, count_start, &people, TEXT);
        self.icon(icons::PEOPLE, area, count_start - 26.0 * unit, 20.0, TEXT);
    }

    /// An icon whose middle is at the height of that of `area`.
    fn icon(&mut self, icon: Icon, area: Area, left: f32, size: f32, colour: Colour) {
        let size = self.measure.real(size);
        let top = real(area.top) + (real(area.height) - size) / 2.0;
        icons::draw(&mut self.canvas, icon, (left, top), size, colour);
    }

    fn plate(&mut self, area: Area, edge: Colour) {
        let width = self.measure.whole(2).max(1);
        let radius = self.measure.real(13.0);
        self.canvas.plate(area, radius, edge);
        let inner = Area::new(
            area.left + width,
            area.top + width,
            area.width - 2 * width,
            area.height - 2 * width,
        );
        self.canvas.plate(inner, radius - real(width), RAISED);
    }

    fn tile(&mut self, area: Area, seen: &Seen) {
        let person = &seen.person;
        let unit = self.measure.real(1.0);
        self.plate(area, if seen.speaks { SPEAKING } else { LINE });
        let (width, height) = (real(area.width), real(area.height));
        let size = (height / unit * 0.11).clamp(17.0, 26.0);
        let icon = size * 1.05;
        let words = width - (icon + 28.0) * unit;
        let label = self
            .letters
            .set(&person.name, self.room(words, 2, size, size * 0.72));
        // Faces are of one size and height, whether their names need one line or two.
        let name = self.measure.real(size) * NAME_LINES;
        let diameter = (height - name - EDGES * unit)
            .min(width * 0.5)
            .min(180.0 * unit)
            .max(height * 0.3);
        let gap = ((height - diameter - name) * 0.3).clamp(4.0 * unit, 20.0 * unit);
        let above = ((height - diameter - name - gap) / 2.0).max(7.0 * unit);
        let middle = (
            real(area.left) + width / 2.0,
            real(area.top) + above + diameter / 2.0,
        );
        self.face(person, middle, diameter);
        if seen.speaks {
            let (radius, line) = (diameter / 2.0 + 6.0 * unit, 4.0 * unit);
            self.canvas.ring(middle, radius, line, SPEAKING);
        }
        if person.hand_up {
            self.hand(middle, diameter);
        }
        let below = middle.1 + diameter / 2.0 + gap;
        let top = below + ((name - label.height()) / 2.0).clamp(0.0, name * 0.2);
        let below = Area::new(area.left, whole(top), area.width, whole(label.height()));
        let start = middle.0 - (label.width() + (icon + 5.0) * unit) / 2.0;
        let (sign, colour) = if person.muted {
            (icons::MIC_OFF, DANGER)
        } else {
            (icons::MIC, ACCENT)
        };
        self.icon(sign, below, start, icon, colour);
        let place = (start + (icon + 5.0) * unit, top);
        let (canvas, within) = (&mut self.canvas, Some(label.width()));
        self.letters.draw(canvas, &label, place, within, TEXT);
    }

    /// A person's picture, or initials on the colour of their id, as on the page.
    fn face(&mut self, person: &Person, (x, y): (f32, f32), diameter: f32) {
        let pixels = whole(diameter);
        let (left, top) = (whole(x - diameter / 2.0), whole(y - diameter / 2.0));
        if let Some(image) = self.faces.disc(&person.id, pixels.unsigned_abs()) {
            self.canvas.image(left, top, image);
            return;
        }
        self.canvas
            .disc((x, y), diameter / 2.0, colour_of(&person.id));
        let size = diameter * 0.36;
        let room = Room {
            width: diameter * 0.8,
            lines: 1,
            size,
            smallest: size * 0.5,
        };
        let label = self.letters.set(&initials(&person.name), room);
        let place = (x - diameter / 2.0, y - label.height() / 2.0);
        self.letters
            .draw(&mut self.canvas, &label, place, Some(diameter), WHITE);
    }

    /// The sign of a raised hand, at the upper left of a face.
    fn hand(&mut self, (x, y): (f32, f32), diameter: f32) {
        let radius = (diameter * 0.17).max(self.measure.real(9.0));
        let (x, y) = (x - diameter * 0.42, y - diameter * 0.36);
        self.canvas.disc((x, y), radius, ON_HAND);
        self.canvas
            .disc((x, y), radius - self.measure.real(1.0), HAND);
        let size = radius * 1.3;
        let place = (x - size / 2.0, y - size / 2.0);
        icons::draw(&mut self.canvas, icons::HAND, place, size, ON_HAND);
    }

    /// Below a screen: whose it is, and who speaks, as long as there is room.
    fn strip(&mut self, area: Area, sharer: &str, speakers: &[Person]) {
        let unit = self.measure.real(1.0);
        let (end, mut left) = (real(area.right()), real(area.left));
        self.icon(icons::SCREEN, area, left, 22.0, MUTED);
        left += 30.0 * unit;
        let room = self.room((end - left) * 0.45, 1, 18.0, 13.0);
        let label = self.letters.set(sharer, room);
        self.beside(area, left, &label, TEXT);
        left += label.width() + 26.0 * unit;
        let diameter = real(area.height) * 0.66;
        for person in speakers {
            let least = diameter + 60.0 * unit;
            if left + least > end {
                return;
            }
            let middle = (
                left + diameter / 2.0 + 4.0 * unit,
                real(area.top) + real(area.height) / 2.0,
            );
            self.face(person, middle, diameter);
            let (radius, line) = (diameter / 2.0 + 4.0 * unit, 3.0 * unit);
            self.canvas.ring(middle, radius, line, SPEAKING);
            left += diameter + 16.0 * unit;
            let room = self.room((end - left).min(240.0 * unit), 1, 17.0, 13.0);
            let label = self.letters.set(&person.name, room);
            self.beside(area, left, &label, TEXT);
            left += label.width() + 20.0 * unit;
        }
    }
}

/// The colour of somebody without a picture: as `hue` and `.avatar` of the page say.
#[must_use]
pub fn colour_of(id: &str) -> Colour {
    let hue = id
        .chars()
        .fold(0, |sum, sign| (sum * 31 + u32::from(sign)) % 360);
    let hue = f32::from(u16::try_from(hue).unwrap_or(0));
    let (saturation, lightness) = (0.32, 0.33_f32);
    let chroma = saturation * lightness.min(1.0 - lightness);
    let part = |n: f32| {
        let k = (n + hue / 30.0) % 12.0;
        let value = lightness - chroma * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
        u8::try_from(whole(value * 255.0)).unwrap_or(0)
    };
    Colour([part(0.0), part(8.0), part(4.0)])
}
