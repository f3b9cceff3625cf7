//! What a recording shows beside a shared screen, or instead of one: who is in the call.
//!
//! In: a `Scene`. Out: what is to be seen where, as `Piece`s that are drawn one by one (`brush`), so
//! that what stays as it was is not drawn again. Laid out as the page lays out a call; measures are
//! for 720 rows. Pure.
//! Invariant: pieces do not overlap and lie within the picture.

use super::canvas::{Area, real, whole};
use super::plan::Person;

/// Around everything, between tiles, and of the line above the tiles.
const MARGIN: i32 = 16;
const GAP: i32 = 8;
const HEAD: i32 = 52;
/// The smallest tile whose name can be read on a phone.
const SMALLEST: (i32, i32) = (190, 140);
/// A tile wider than this multiple of its height is mostly void.
const WIDEST: f32 = 1.6;
/// The strip below a screen.
const STRIP: i32 = 44;
/// Room for the count of people and the clock.
const CLOCK: i32 = 380;

/// What is to be seen at a time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scene {
    /// The room's name; may be empty.
    pub title: String,
    /// Date, time and zone.
    pub clock: String,
    /// Everybody, counted.
    pub count: usize,
    /// Who gets a tile.
    pub people: Vec<Seen>,
    /// Whose screen is shown, if one is.
    pub sharer: Option<String>,
}

/// A person, as they are seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub person: Person,
    pub speaks: bool,
}

/// One thing to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Title(String),
    Clock {
        clock: String,
        count: usize,
    },
    Tile(Seen),
    /// So many people have no tile.
    More(usize),
    Nobody,
    /// Whose screen is above, and who speaks.
    Strip {
        sharer: String,
        speakers: Vec<Person>,
    },
}

/// A thing and where it is to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    pub area: Area,
    pub piece: Piece,
}

/// How large everything is: pixels of a measure for 720 rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    pub width: i32,
    pub height: i32,
}

impl Measure {
    /// Of a picture of so many pixels.
    #[must_use]
    pub fn of(width: u32, height: u32) -> Self {
        let pixels = |n: u32| i32::try_from(n).unwrap_or(i32::MAX / 4);
        Self {
            width: pixels(width),
            height: pixels(height),
        }
    }

    /// Pixels of a length.
    #[must_use]
    pub fn real(self, length: f32) -> f32 {
        // A picture that is higher than wide has tiles for its width.
        let rows = real(self.height).min(real(self.width) * 0.75);
        length * rows / 720.0
    }

    /// Whole pixels of a length.
    #[must_use]
    pub fn whole(self, length: i32) -> i32 {
        whole(self.real(real(length)))
    }

    /// Rows of a screen above the strip: even, as colours are shared by four pixels.
    #[must_use]
    pub fn screen_rows(self) -> i32 {
        (self.height - self.whole(STRIP)) & !1
    }

    /// How many tiles have room.
    #[must_use]
    pub fn most_tiles(self) -> usize {
        let gap = self.whole(GAP);
        let fit = |room: i32, tile: i32| (room + gap) / (self.whole(tile) + gap).max(1);
        let room = self.room();
        let tiles = fit(room.width, SMALLEST.0).max(1) * fit(room.height, SMALLEST.1).max(1);
        usize::try_from(tiles).unwrap_or(1)
    }

    /// Where the tiles are.
    fn room(self) -> Area {
        let (margin, head) = (self.whole(MARGIN), self.whole(HEAD));
        let (width, height) = (self.width - 2 * margin, self.height - head - margin);
        Area::new(margin, head, width.max(1), height.max(1))
    }
}

impl Scene {
    /// What is to be seen where.
    #[must_use]
    pub fn lay_out(&self, measure: Measure) -> Vec<Placed> {
        match &self.sharer {
            Some(sharer) => self.strip(sharer, measure),
            None => self.tiles(measure),
        }
    }

    fn clock(&self, measure: Measure, top: i32, height: i32) -> Placed {
        let (margin, width) = (measure.whole(MARGIN), measure.whole(CLOCK));
        let width = width.min(measure.width - margin);
        let left = measure.width - margin - width;
        let piece = Piece::Clock {
            clock: self.clock.clone(),
            count: self.count,
        };
        Placed {
            area: Area::new(left, top, width, height),
            piece,
        }
    }

    fn strip(&self, sharer: &str, measure: Measure) -> Vec<Placed> {
        let top = measure.screen_rows();
        let clock = self.clock(measure, top, measure.height - top);
        let margin = measure.whole(MARGIN);
        let width = (clock.area.left - 2 * margin).max(0);
        let speakers = self.people.iter().filter(|seen| seen.speaks);
        let piece = Piece::Strip {
            sharer: sharer.to_owned(),
            speakers: speakers.map(|seen| seen.person.clone()).collect(),
        };
        let area = Area::new(margin, top, width, measure.height - top);
        vec![Placed { area, piece }, clock]
    }

    fn tiles(&self, measure: Measure) -> Vec<Placed> {
        let clock = self.clock(measure, 0, measure.whole(HEAD));
        let margin = measure.whole(MARGIN);
        let width = (clock.area.left - 2 * margin).max(0);
        let title = Placed {
            area: Area::new(margin, 0, width, measure.whole(HEAD)),
            piece: Piece::Title(self.title.clone()),
        };
        let mut pieces: Vec<Piece> = self.people.iter().cloned().map(Piece::Tile).collect();
        let hidden = self.count.saturating_sub(self.people.len());
        if hidden > 0 {
            pieces.push(Piece::More(hidden));
        }
        if pieces.is_empty() {
            pieces.push(Piece::Nobody);
        }
        let areas = grid(pieces.len(), measure);
        let tiles = areas.into_iter().zip(pieces);
        let tiles = tiles.map(|(area, piece)| Placed { area, piece });
        [title, clock].into_iter().chain(tiles).collect()
    }
}

/// So many tiles, as large as they can be, in the middle of the room; short rows in the middle too.
fn grid(count: usize, measure: Measure) -> Vec<Area> {
    let (room, gap) = (measure.room(), measure.whole(GAP));
    let count = i32::try_from(count).unwrap_or(i32::MAX).max(1);
    let shape = |columns: i32| {
        let rows = (count + columns - 1) / columns;
        let width = (room.width - gap * (columns - 1)) / columns;
        let height = (room.height - gap * (rows - 1)) / rows;
        let width = width.min(whole(real(height) * WIDEST)).max(1);
        (width, height.min(whole(real(width) * 0.8)).max(1), columns)
    };
    let shapes = (1..=count.min(64)).map(shape);
    let (width, height, columns) = shapes
        .max_by_key(|(width, height, columns)| (i64::from(*width) * i64::from(*height), -columns))
        .unwrap_or((1, 1, 1));
    let rows = (count + columns - 1) / columns;
    let top = room.top + (room.height - rows * (height + gap) + gap) / 2;
    let places = (0..count).map(|index| {
        let (row, column) = (index / columns, index % columns);
        let in_row = (count - row * columns).min(columns);
        let left = room.left + (room.width - in_row * (width + gap) + gap) / 2;
        Area::new(
            left + column * (width + gap),
            top + row * (height + gap),
            width,
            height,
        )
    });
    places.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_of_any_number_lie_within_the_picture_and_beside_each_other() {
        for (width, height) in [(1280, 720), (1920, 1080), (640, 360), (720, 1280), (64, 48)] {
            let measure = Measure::of(width, height);
            let whole = Area::new(0, 0, measure.width, measure.height);
            for count in 1..=measure.most_tiles() {
                let areas = grid(count, measure);
                assert_eq!(areas.len(), count);
                for (n, area) in areas.iter().enumerate() {
                    assert_eq!(area.and(whole), *area, "{count} in {width}x{height}");
                    let others = areas.iter().skip(n + 1);
                    assert!(
                        others
                            .map(|other| other.and(*area))
                            .all(|both| both.width * both.height == 0)
                    );
                }
            }
        }
        let measure = Measure::of(1280, 720);
        assert_eq!((measure.most_tiles(), measure.screen_rows()), (24, 676));
    }

    #[test]
    fn those_without_a_tile_are_counted() {
        let seen = |n: usize| Seen {
            person: Person {
                id: n.to_string(),
                name: format!("Person {n}"),
                muted: true,
                hand_up: false,
            },
            speaks: false,
        };
        let scene = Scene {
            count: 40,
            people: (0..23).map(seen).collect(),
            ..Scene::default()
        };
        let laid = scene.lay_out(Measure::of(1280, 720));
        assert_eq!(
            laid.last().map(|placed| &placed.piece),
            Some(&Piece::More(17))
        );
        assert_eq!(laid.len(), 2 + 24);
    }
}
