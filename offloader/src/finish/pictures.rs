//! What a recording shows at each moment: the shared screen and who speaks, else who is there.
//!
//! In: the plan, who is heard, the logs of screen tracks. Out: a picture whenever it changes.
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
use crate::capture::jitter::Ordered;
use crate::capture::vp8::{Assembler, Picture, PicturePacket};
use crate::ffmpeg::{Fitter, Frame, MediaError, Vp8Decoder};
use crate::order::Look;

/// Who speaks is shown anew at most so often, in milliseconds.
const TALK_MS: i64 = 500;
/// Clock of pictures in RTP.
const PICTURE_CLOCK: u32 = 90_000;

/// Decoded pictures of one screen track.
#[derive(Debug)]
struct Screen {
    from_ms: i64,
    until_ms: i64,
    session: String,
    packets: PlacedPackets,
    assembler: Assembler,
    decoder: Vp8Decoder,
    /// The next picture, not yet due.
    ahead: Option<Picture>,
    shown: Option<Frame>,
    fresh: bool,
}

impl Screen {
    fn open(track: &PlannedTrack) -> Result<Self, MediaError> {
        let packets = PlacedPackets::open(&track.log, PICTURE_CLOCK).map_err(|error| {
            tracing::warn!(%error, "a screen cannot be read");
            MediaError::Missing {
                what: "log",
                name: "screen",
            }
        })?;
        let mut screen = Self {
            from_ms: track.from_ms,
            until_ms: track.until_ms,
            session: track.session.clone(),
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

/// The pictures of one recording.
#[derive(Debug)]
pub struct Pictures<'a> {
    plan: &'a Plan,
    zone: UtcOffset,
    measure: Measure,
    brush: Brush,
    fitter: Fitter,
    screens: Vec<Screen>,
    people: RollCall<'a>,
    seats: Seats,
    talk: Talk,
    /// Who is shown as speaking, by id, and since when that was looked at.
    speaking: BTreeSet<String>,
    talked_ms: i64,
    scene: Option<Scene>,
    /// Which screen is shown.
    shown: Option<usize>,
    frame: Frame,
}

impl<'a> Pictures<'a> {
    /// Opens the screens of a plan. One that cannot be opened is left out.
    #[must_use]
    pub fn new(
        folder: &Path,
        plan: &'a Plan,
        look: &Look,
        (width, height): (u32, u32),
        talk: Talk,
    ) -> Self {
        let tracks = plan
            .tracks
            .iter()
            .filter(|track| track.kind == TrackType::Screen);
        let screens = tracks
            .filter_map(|track| {
                Screen::open(track)
                    .inspect_err(|error| tracing::warn!(%error, "a screen is left out"))
                    .ok()
            })
            .collect();
        let measure = Measure::of(width, height);
        let letters = Letters::new(Fonts::installed(look.fonts.as_deref()));
        Self {
            plan,
            zone: zone(look),
            measure,
            brush: Brush::new(measure, letters, folder),
            fitter: fitter(measure),
            screens,
            people: plan.roll_call(),
            seats: Seats::new(measure.most_tiles()),
            talk,
            speaking: BTreeSet::new(),
            talked_ms: -TALK_MS,
            scene: None,
            shown: None,
            frame: Frame::black(width, height),
        }
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
    pub fn change_at(&mut self, t_ms: i64) -> Result<Option<bool>, MediaError> {
        self.screens
            .iter_mut()
            .for_each(|screen| screen.advance(t_ms));
        let current = self.screens.iter().enumerate().rev().find(|(_, screen)| {
            screen.from_ms <= t_ms && t_ms < screen.until_ms && screen.shown.is_some()
        });
        let current = current.map(|(index, _)| index);
        let cut = self.scene.is_none() || current != self.shown;
        self.people.advance(t_ms);
        self.listen(t_ms);
        if current != self.shown {
            self.shown = current;
            self.fitter = fitter(self.measure);
        }
        let drawn = self.draw(t_ms);
        let shared = self.project(cut)?;
        Ok((drawn || shared).then_some(cut))
    }

    /// Looks who speaks, if that was not looked at just now.
    fn listen(&mut self, t_ms: i64) {
        let speaking: BTreeSet<String> = self
            .talk
            .at(t_ms)
            .into_iter()
            .map(|session| self.plan.owner(session).to_owned())
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
    fn draw(&mut self, t_ms: i64) -> bool {
        let scene = self.scene_at(t_ms);
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

    fn scene_at(&mut self, t_ms: i64) -> Scene {
        let sharer = self.shown.and_then(|index| self.screens.get(index));
        let sharer = sharer.map(|screen| self.plan.name(&screen.session));
        let all = self.people.people();
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
            title: self.plan.title.clone(),
            clock: clock(self.plan.zero_at_ms + t_ms, self.zone),
            count: all.len(),
            people: people.collect(),
            sharer,
        }
    }

    /// Shows the newest picture of the screen that is shown; whether there is one.
    fn project(&mut self, cut: bool) -> Result<bool, MediaError> {
        let screen = self.shown.and_then(|index| self.screens.get_mut(index));
        let Some(screen) = screen else {
            return Ok(false);
        };
        let fresh = std::mem::take(&mut screen.fresh) || cut;
        if let Some(picture) = screen.shown.as_ref().filter(|_| fresh) {
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
