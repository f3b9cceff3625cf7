//! What a recording shows at each moment: the shared screen and who speaks, else who is there.
//!
//! In: the plan, which may grow, who is heard, the logs of screen tracks. Out: a picture whenever it
//! changes.
//! Who speaks changes at most every `TALK_MS`: a picture costs, and what flickers is not read.
//! Invariant: asked for rising times only.

use std::collections::BTreeSet;
use std::path::Path;

use proto::rtcd::TrackType;
use time::{OffsetDateTime, UtcOffset};

use super::brush::Brush;
use super::card::{Measure, Scene, Seen};
use super::font::Fonts;
use super::plan::{Plan, PlannedTrack, RollCall};
use super::seats::Seats;
use super::sound::PlacedPackets;
use super::talk::Talk;
use super::text::Letters;
use crate::capture::picture::{Assembler, Picture, PicturePacket};
use crate::client::{Coding, TrackKey};
use crate::ffmpeg::{Fitter, Frame, MediaError, PictureDecoder};
use crate::order::Look;

/// Who speaks is shown anew at most so often, in milliseconds.
const TALK_MS: i64 = 500;
/// Clock of pictures in RTP.
const PICTURE_CLOCK: u32 = 90_000;

/// Decoded pictures of one screen track.
#[derive(Debug)]
struct Screen {
    key: TrackKey,
    packets: PlacedPackets,
    assembler: Assembler,
    /// For what came last, if there is a decoder of that.
    decoder: Option<(Coding, Option<PictureDecoder>)>,
    /// The next picture, not yet due.
    ahead: Option<Picture>,
    shown: Option<Frame>,
    fresh: bool,
}

impl Screen {
    /// `None` while nothing of it is there.
    fn open(track: &PlannedTrack) -> Option<Self> {
        let packets = PlacedPackets::follow(&track.log, PICTURE_CLOCK).ok()?;
        Some(Self {
            key: track.key,
            packets,
            assembler: Assembler::default(),
            decoder: None,
            ahead: None,
            shown: None,
            fresh: false,
        })
    }

    fn next_picture(&mut self) -> Option<Picture> {
        loop {
            let ordered = PicturePacket::of(self.packets.next()?);
            if let Some(picture) = self.assembler.push(ordered) {
                return Some(picture);
            }
        }
    }

    fn decode(&mut self, picture: &Picture) -> Option<Frame> {
        let coding = picture.coding;
        if self
            .decoder
            .as_ref()
            .is_none_or(|(known, _)| *known != coding)
        {
            let decoder = PictureDecoder::new(coding);
            let decoder =
                decoder.inspect_err(|error| tracing::warn!(%error, "a screen is left out"));
            self.decoder = Some((coding, decoder.ok()));
        }
        let (_, decoder) = self.decoder.as_mut()?;
        decoder.as_mut()?.decode(&picture.bytes)
    }

    /// Decodes everything that is due.
    fn advance(&mut self, t_ms: i64) {
        if self.ahead.is_none() {
            self.ahead = self.next_picture();
        }
        while let Some(picture) = self.ahead.take_if(|picture| picture.at_us <= t_ms * 1000) {
            if let Some(frame) = self.decode(&picture) {
                self.shown = Some(frame);
                self.fresh = true;
            }
            self.ahead = self.next_picture();
        }
    }
}

/// The pictures of one recording.
#[derive(Debug)]
pub struct Pictures {
    zone: UtcOffset,
    measure: Measure,
    brush: Brush,
    fitter: Fitter,
    screens: Vec<Screen>,
    people: RollCall,
    seats: Seats,
    talk: Talk,
    /// Who is shown as speaking, by id, and since when that was looked at.
    speaking: BTreeSet<String>,
    talked_ms: i64,
    scene: Option<Scene>,
    /// Which screen is shown.
    shown: Option<TrackKey>,
    frame: Frame,
    /// Nobody looks: screens are decoded, but not fitted into the picture.
    unseen: bool,
}

impl Pictures {
    /// Begins before the first picture.
    #[must_use]
    pub fn new(folder: &Path, look: &Look, (width, height): (u32, u32), talk: Talk) -> Self {
        let measure = Measure::of(width, height);
        let letters = Letters::new(Fonts::installed(look.fonts.as_deref()));
        Self {
            zone: zone(look),
            measure,
            brush: Brush::new(measure, letters, folder),
            fitter: fitter(measure),
            screens: Vec::new(),
            people: RollCall::default(),
            seats: Seats::new(measure.most_tiles()),
            talk,
            speaking: BTreeSet::new(),
            talked_ms: -TALK_MS,
            scene: None,
            shown: None,
            frame: Frame::black(width, height),
            unseen: false,
        }
    }

    /// Says that every packet that arrived by `known_ms` is in the logs; that the capture is over with
    /// `None`. Screens that came meanwhile are opened.
    pub fn known_until(&mut self, plan: &Plan, known_ms: Option<i64>) {
        let tracks = plan.tracks.iter();
        for track in tracks.filter(|track| track.kind == TrackType::Screen) {
            let is_open = self.screens.iter().any(|screen| screen.key == track.key);
            if !is_open {
                self.screens.extend(Screen::open(track));
            }
        }
        for screen in &mut self.screens {
            screen.packets.known_until(known_ms);
        }
    }

    /// Whether somebody looks at the pictures from now on. While nobody does, they cost less.
    pub fn look_at(&mut self, seen: bool) {
        if seen && self.unseen {
            for screen in &mut self.screens {
                screen.fresh = true;
            }
            self.fitter = fitter(self.measure);
        }
        self.unseen = !seen;
    }

    /// The picture.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// What is to be seen beside a screen, or instead of one; `None` before the first time.
    #[must_use]
    pub fn scene(&self) -> Option<&Scene> {
        self.scene.as_ref()
    }

    /// Goes on to a time. `Some` when the picture is another than before, with whether everything in
    /// it is new.
    ///
    /// # Errors
    /// When a picture cannot be scaled.
    pub fn change_at(&mut self, plan: &Plan, t_ms: i64) -> Result<Option<bool>, MediaError> {
        self.screens
            .iter_mut()
            .for_each(|screen| screen.advance(t_ms));
        let current = plan.tracks.iter().rev().find(|track| {
            track.from_ms <= t_ms && t_ms < track.until_ms && self.has_picture(track.key)
        });
        let sharer = current.map(|track| plan.name(&track.session));
        let current = current.map(|track| track.key);
        let cut = self.scene.is_none() || current != self.shown;
        self.people.advance(plan, t_ms);
        self.listen(plan, t_ms);
        if current != self.shown {
            self.shown = current;
            self.fitter = fitter(self.measure);
        }
        let scene = self.scene_at(plan, t_ms, sharer);
        let drawn = self.draw(scene);
        let shared = self.project(cut)?;
        Ok((drawn || shared).then_some(cut))
    }

    fn has_picture(&self, key: TrackKey) -> bool {
        let screen = self.screens.iter().find(|screen| screen.key == key);
        screen.is_some_and(|screen| screen.shown.is_some())
    }

    /// Looks who speaks, if that was not looked at just now.
    fn listen(&mut self, plan: &Plan, t_ms: i64) {
        let speaking: BTreeSet<String> = self
            .talk
            .at(t_ms)
            .into_iter()
            .map(|session| plan.owner(session).to_owned())
            .collect();
        for id in &speaking {
            self.seats.hear(id, t_ms);
        }
        if speaking != self.speaking && t_ms - self.talked_ms >= TALK_MS {
            self.speaking = speaking;
            self.talked_ms = t_ms;
        }
    }

    /// Draws what is to be seen beside a screen; whether anything of it is new.
    fn draw(&mut self, scene: Scene) -> bool {
        if self.scene.as_ref() == Some(&scene) {
            return false;
        }
        let fresh = self.brush.show(scene.lay_out(self.measure));
        for area in &fresh {
            let place = |n: i32| u32::try_from(n).unwrap_or(0);
            let sides = [area.left, area.top, area.right(), area.bottom()].map(place);
            self.frame.paint(self.brush.canvas().pixels(), sides);
        }
        self.scene = Some(scene);
        !fresh.is_empty()
    }

    fn scene_at(&mut self, plan: &Plan, t_ms: i64, sharer: Option<String>) -> Scene {
        let all = self.people.people(plan);
        let speaks = |id: &str| self.speaking.contains(id);
        let people = match sharer {
            // The strip shows who speaks, and nobody else.
            Some(_) => all.iter().collect(),
            None => self.seats.give(&all, speaks),
        };
        let people = people.into_iter().map(|person| Seen {
            person: person.clone(),
            speaks: speaks(&person.id) && !person.muted,
        });
        Scene {
            title: plan.title.clone(),
            clock: clock(plan.clock_at(t_ms), self.zone),
            count: all.len(),
            people: people.collect(),
            sharer,
        }
    }

    /// Shows the newest picture of the screen that is shown; whether there is one.
    fn project(&mut self, cut: bool) -> Result<bool, MediaError> {
        let shown = self.shown;
        let mut screens = self.screens.iter_mut();
        let Some(screen) = screens.find(|screen| Some(screen.key) == shown) else {
            return Ok(false);
        };
        let fresh = std::mem::take(&mut screen.fresh) || cut;
        if let Some(picture) = screen.shown.as_ref().filter(|_| fresh && !self.unseen) {
            self.fitter.fit(picture, &mut self.frame)?;
        }
        Ok(fresh)
    }
}

fn fitter(measure: Measure) -> Fitter {
    let pixels = |n: i32| u32::try_from(n & !1).unwrap_or(2).max(2);
    Fitter::new(pixels(measure.width), pixels(measure.screen_rows()))
}

/// An offset that no zone of the world has is none.
fn zone(look: &Look) -> UtcOffset {
    let seconds = look.utc_offset_minutes.saturating_mul(60);
    UtcOffset::from_whole_seconds(seconds).unwrap_or(UtcOffset::UTC)
}

/// Date, time and zone, as `2026-11-28 14:03:22 UTC+01:00`.
fn clock(unix_ms: i64, zone: UtcOffset) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(unix_ms.div_euclid(1000))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .to_offset(zone);
    let (hours, minutes, _) = zone.as_hms();
    let zone = match (hours, minutes) {
        (0, 0) => String::new(),
        _ => {
            let sign = if zone.is_negative() { '\u{2212}' } else { '+' };
            format!("{sign}{:02}:{:02}", hours.abs(), minutes.abs())
        }
    };
    format!(
        "{}-{:02}-{:02} {:02}:{:02}:{:02} UTC{zone}",
        moment.year(),
        u8::from(moment.month()),
        moment.day(),
        moment.hour(),
        moment.minute(),
        moment.second(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_says_where_it_hangs() {
        let at = |minutes: i32| {
            let zone = UtcOffset::from_whole_seconds(minutes * 60).unwrap();
            clock(1_795_905_202_999, zone)
        };
        assert_eq!(at(0), "2026-11-28 22:33:22 UTC");
        assert_eq!(at(60), "2026-11-28 23:33:22 UTC+01:00");
        assert_eq!(at(-210), "2026-11-28 19:03:22 UTC\u{2212}03:30");
        assert_eq!(at(330), "2026-11-29 04:03:22 UTC+05:30");
    }
}
