//! What a recording shows at each moment: the shared screen, else the card.
//!
//! In: the plan and the logs of screen tracks. Out: a picture whenever it changes.
//! Invariant: asked for rising times only.

use std::path::Path;

use proto::rtcd::TrackType;

use super::card::Card;
use super::font::Letters;
use super::plan::Plan;
use super::sound::PlacedPackets;
use crate::capture::jitter::Ordered;
use crate::capture::vp8::{Assembler, Picture, PicturePacket};
use crate::ffmpeg::{Fitter, Frame, MediaError, Vp8Decoder};

/// Clock of pictures in RTP.
const PICTURE_CLOCK: u32 = 90_000;

/// Decoded pictures of one screen track.
#[derive(Debug)]
struct Screen {
    from_ms: i64,
    until_ms: i64,
    packets: PlacedPackets,
    assembler: Assembler,
    decoder: Vp8Decoder,
    /// The next picture, not yet due.
    ahead: Option<Picture>,
    shown: Option<Frame>,
    fresh: bool,
}

impl Screen {
    fn open(path: &Path, from_ms: i64, until_ms: i64) -> Result<Self, MediaError> {
        let packets = PlacedPackets::open(path, PICTURE_CLOCK).map_err(|error| {
            tracing::warn!(%error, "a screen cannot be read");
            MediaError::Missing {
                what: "log",
                name: "screen",
            }
        })?;
        let mut screen = Self {
            from_ms,
            until_ms,
            packets,
            assembler: Assembler::default(),
            decoder: Vp8Decoder::new()?,
            ahead: None,
            shown: None,
            fresh: false,
        };
        screen.ahead = screen.next_picture();
        Ok(screen)
    }

    fn next_picture(&mut self) -> Option<Picture> {
        loop {
            let ordered = match self.packets.next()? {
                Ordered::Lost(count) => Ordered::Lost(count),
                Ordered::Packet((at_us, packet)) => Ordered::Packet(PicturePacket {
                    time: packet.time,
                    at_us,
                    marker: packet.marker,
                    payload: packet.payload,
                }),
            };
            if let Some(picture) = self.assembler.push(ordered) {
                return Some(picture);
            }
        }
    }

    /// Decodes everything that is due.
    fn advance(&mut self, t_ms: i64) {
        while let Some(picture) = self.ahead.take_if(|picture| picture.at_us <= t_ms * 1000) {
            if let Some(frame) = self.decoder.decode(&picture.bytes) {
                self.shown = Some(frame);
                self.fresh = true;
            }
            self.ahead = self.next_picture();
        }
    }
}

/// What is on the picture now.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shown {
    Nothing,
    Screen(usize),
    Card(Card),
}

/// The pictures of one recording.
#[derive(Debug)]
pub struct Pictures<'a> {
    plan: &'a Plan,
    width: u32,
    height: u32,
    letters: Letters,
    fitter: Fitter,
    screens: Vec<Screen>,
    shown: Shown,
}

impl<'a> Pictures<'a> {
    /// Opens the screens of a plan. One that cannot be opened is left out.
    #[must_use]
    pub fn new(plan: &'a Plan, width: u32, height: u32) -> Self {
        let tracks = plan
            .tracks
            .iter()
            .filter(|track| track.kind == TrackType::Screen);
        let screens = tracks
            .filter_map(|track| {
                Screen::open(&track.log, track.from_ms, track.until_ms)
                    .inspect_err(|error| tracing::warn!(%error, "a screen is left out"))
                    .ok()
            })
            .collect();
        Self {
            plan,
            width,
            height,
            letters: Letters::new(),
            fitter: Fitter::new(width, height),
            screens,
            shown: Shown::Nothing,
        }
    }

    /// The picture at a time, when it is another than the time before; and whether everything in
    /// it is new.
    ///
    /// # Errors
    /// When a picture cannot be scaled.
    pub fn change_at(&mut self, t_ms: i64) -> Result<Option<(Frame, bool)>, MediaError> {
        self.screens
            .iter_mut()
            .for_each(|screen| screen.advance(t_ms));
        let current = self.screens.iter().enumerate().rev().find(|(_, screen)| {
            screen.from_ms <= t_ms && t_ms < screen.until_ms && screen.shown.is_some()
        });
        if let Some((index, _)) = current {
            let cut = self.shown != Shown::Screen(index);
            let Some(screen) = self.screens.get_mut(index) else {
                return Ok(None);
            };
            if !screen.fresh && !cut {
                return Ok(None);
            }
            screen.fresh = false;
            self.shown = Shown::Screen(index);
            let Some(frame) = screen.shown.as_ref() else {
                return Ok(None);
            };
            return Ok(Some((self.fitter.fit(frame)?, cut)));
        }
        let card = Card {
            people: self.plan.people_at(t_ms),
        };
        if self.shown == Shown::Card(card.clone()) {
            return Ok(None);
        }
        let canvas = card.draw(&self.letters, self.width, self.height);
        self.shown = Shown::Card(card);
        Ok(Some((
            Frame::from_luma(&canvas.luma, canvas.width, canvas.height),
            true,
        )))
    }
}
