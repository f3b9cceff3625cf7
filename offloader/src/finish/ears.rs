//! Everybody who is heard, listened to once: who speaks when, and how loud each track is.
//!
//! In: the plan and the logs of sound tracks, which may grow. Out: what `talk` makes of it; the factor
//! that brings each track to one loudness.
//! Invariant: what is heard of a track while it grows is what is heard of it as a whole.

use std::collections::BTreeMap;

use proto::rtcd::TrackType;

use super::loudness::Meter;
use super::plan::{Plan, PlannedTrack};
use super::sound::{Piece, TrackSound};
use super::talk::Ear;
use crate::client::TrackKey;
use crate::opus::RATE;

/// Listens.
#[derive(Debug)]
pub struct Ears {
    ear: Ear,
    tracks: BTreeMap<TrackKey, Listening>,
}

#[derive(Debug)]
struct Listening {
    sound: TrackSound,
    meter: Meter,
    /// Whose voice it is; `None` for the sound of a screen, which nobody says.
    session: Option<String>,
    /// Where the last piece that was heard begins, in samples.
    reached: i64,
}

impl Ears {
    /// Begins with nobody.
    #[must_use]
    pub fn new(ear: Ear) -> Self {
        Self {
            ear,
            tracks: BTreeMap::new(),
        }
    }

    /// Says that every packet that arrived by `known_ms` is in the logs; that the capture is over with
    /// `None`. Tracks that came meanwhile are opened.
    pub fn known_until(&mut self, plan: &Plan, known_ms: Option<i64>) {
        for track in plan.tracks.iter().filter(|track| track.kind.is_audio()) {
            if !self.tracks.contains_key(&track.key)
                && let Some(listening) = Listening::begin(track)
            {
                self.tracks.insert(track.key, listening);
            }
        }
        for listening in self.tracks.values_mut() {
            listening.sound.known_until(known_ms);
        }
    }

    /// Hears what begins before a time.
    pub fn advance(&mut self, t_ms: i64) {
        let due = t_ms * i64::from(RATE / 1000);
        for listening in self.tracks.values_mut() {
            while listening.reached < due {
                let Some(piece) = listening.sound.next() else {
                    break;
                };
                listening.hear(&piece, &self.ear);
            }
        }
    }

    /// What brings a track to the loudness of all others, as far as it was heard.
    #[must_use]
    pub fn gain(&self, track: TrackKey) -> f32 {
        let listening = self.tracks.get(&track);
        listening.map_or(1.0, |listening| listening.meter.gain())
    }
}

impl Listening {
    /// `None` while nothing of the track is there.
    fn begin(track: &PlannedTrack) -> Option<Self> {
        let sound = TrackSound::follow(&track.log).ok()?;
        let is_voice = track.kind == TrackType::Voice;
        Some(Self {
            sound,
            meter: Meter::default(),
            session: is_voice.then(|| track.session.clone()),
            reached: i64::MIN,
        })
    }

    fn hear(&mut self, piece: &Piece, ear: &Ear) {
        self.reached = piece.start;
        self.meter.hear(piece);
        if let Some(session) = &self.session {
            ear.hear(session, piece);
        }
    }
}
