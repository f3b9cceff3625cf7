//! What a recording shows while nobody shares a screen: who is in the call.
//!
//! In: names. Out: a grey picture, legible at phone size. Pure.

use super::font::{Canvas, Letters};

const BACKGROUND: u8 = 40;
const TILE: u8 = 60;
const TEXT: u8 = 225;
const QUIET_TEXT: u8 = 160;
/// More people than this are counted, not named.
const MOST_TILES: usize = 12;

/// What a card says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Card {
    /// Names, and whether the person is muted.
    pub people: Vec<(String, bool)>,
}

impl Card {
    /// Draws the card. `width` and `height` in pixels.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "pixels of a picture")]
    pub fn draw(&self, letters: &Letters, width: u32, height: u32) -> Canvas {
        let mut canvas = Canvas::new(width, height, BACKGROUND);
        let size = height as f32 / 18.0;
        let title = match self.people.len() {
            0 => "Nobody is in the call".to_owned(),
            1 => "1 participant".to_owned(),
            people => format!("{people} participants"),
        };
        let margin = size;
        letters.draw(&mut canvas, &title, size, margin, margin * 0.6, QUIET_TEXT);
        let tiles = self.tiles();
        let columns = match tiles.len() {
            0 | 1 => 1,
            2..=4 => 2,
            5..=9 => 3,
            _ => 4,
        };
        let rows = tiles.len().div_ceil(columns).max(1);
        let top = margin * 2.5;
        let tile_width = (width as f32 - margin) / columns as f32 - margin;
        let tile_height = (height as f32 - top) / rows as f32 - margin;
        for (index, (name, muted)) in tiles.iter().enumerate() {
            let left = margin + (index % columns) as f32 * (tile_width + margin);
            let tile_top = top + (index / columns) as f32 * (tile_height + margin);
            fill(&mut canvas, left, tile_top, tile_width, tile_height);
            let name_size = (tile_height / 3.0).min(size * 1.6).min(tile_width / 6.0);
            let shown = letters.shorten(name, name_size, tile_width * 0.9);
            let x = left + (tile_width - letters.width(&shown, name_size)) / 2.0;
            let y = tile_top + (tile_height - name_size) / 2.0;
            letters.draw(&mut canvas, &shown, name_size, x, y, TEXT);
            if *muted {
                let small = name_size * 0.55;
                let x = left + (tile_width - letters.width("muted", small)) / 2.0;
                letters.draw(
                    &mut canvas,
                    "muted",
                    small,
                    x,
                    y + name_size * 1.15,
                    QUIET_TEXT,
                );
            }
        }
        canvas
    }

    fn tiles(&self) -> Vec<(String, bool)> {
        if self.people.len() <= MOST_TILES {
            return self.people.clone();
        }
        let named = MOST_TILES - 1;
        let mut tiles: Vec<_> = self.people.iter().take(named).cloned().collect();
        tiles.push((format!("and {} more", self.people.len() - named), false));
        tiles
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixels of a picture; negative becomes 0"
)]
fn fill(canvas: &mut Canvas, left: f32, top: f32, width: f32, height: f32) {
    canvas.fill(left as u32, top as u32, width as u32, height as u32, TILE);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bright(canvas: &Canvas) -> usize {
        canvas.luma.iter().filter(|pixel| **pixel > 150).count()
    }

    #[test]
    fn names_are_drawn_within_the_picture_for_any_number_of_people() {
        let letters = Letters::new();
        let mut last = Canvas::new(1, 1, 0);
        for count in [0, 1, 2, 3, 5, 12, 13, 500] {
            let people = (0..count)
                .map(|n| (format!("Person Number {n}"), n % 2 == 0))
                .collect();
            let canvas = Card { people }.draw(&letters, 1280, 720);
            assert_eq!(canvas.luma.len(), 1280 * 720);
            assert!(bright(&canvas) > 500, "{count}");
            assert_ne!(canvas, last);
            last = canvas;
        }
    }

    #[test]
    fn any_name_can_be_shown() {
        let letters = Letters::new();
        for name in [
            "",
            "\n\u{7}",
            "Zoë Жук 山田",
            &"W".repeat(5000),
            "\u{1f600}\u{200d}",
        ] {
            let people = vec![(name.to_owned(), true)];
            let canvas = Card { people }.draw(&letters, 1280, 720);
            assert_eq!((canvas.width, canvas.height), (1280, 720));
        }
    }
}
