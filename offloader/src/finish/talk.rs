//! Who speaks: heard in the sound itself, because what senders say about it is not recorded.
//!
//! In: pieces of each voice. Out: the sessions that speak at a time.
//! A voice begins to speak with two loud pieces (40 ms), and has ended after `HANG_MS` without one;
//! loud is what stands out of the noise of that microphone.
//! Invariant: nothing counts before its time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::sound::Piece;
use crate::opus::{RATE, Stereo};

/// A pause within speech.
const HANG_MS: i64 = 600;
/// No level below this is speech, in dB of full scale.
const QUIETEST: f32 = -50.0;
/// How far speech stands out of the noise, in dB, to begin and to go on.
const BEGINS: f32 = 12.0;
const GOES_ON: f32 = 8.0;
/// How fast the noise is taken to have become louder, in dB per piece: 1 dB in a second.
const RISE: f32 = 0.02;
/// The noise of a microphone not heard yet, and the least there is, in dB.
const FIRST_NOISE: f32 = -60.0;
const LEAST_NOISE: f32 = -72.0;
/// Samples of a millisecond.
const PER_MS: i64 = RATE as i64 / 1000;

/// A piece of a voice that was heard.
#[derive(Debug)]
struct Heard {
    session: String,
    from_ms: i64,
    until_ms: i64,
    level: f32,
}

/// Listens to voices.
#[derive(Debug, Clone)]
pub struct Ear(Sender<Heard>);

impl Ear {
    /// Hears the next piece of a session's sound.
    pub fn hear(&self, session: &str, piece: &Piece) {
        // Nobody asks any more when the last picture is made.
        let _ = self.0.send(Heard {
            session: session.to_owned(),
            from_ms: piece.start / PER_MS,
            until_ms: piece.end() / PER_MS,
            level: level(&piece.samples),
        });
    }
}

/// Knows who speaks.
#[derive(Debug)]
pub struct Talk {
    heard: Receiver<Heard>,
    voices: BTreeMap<String, Voice>,
}

impl Talk {
    /// Makes the one who knows and the one who listens.
    #[must_use]
    pub fn new() -> (Self, Ear) {
        let (tell, heard) = channel();
        let talk = Self {
            heard,
            voices: BTreeMap::new(),
        };
        (talk, Ear(tell))
    }

    /// The sessions that speak. Times must not fall.
    pub fn at(&mut self, t_ms: i64) -> BTreeSet<&str> {
        for heard in self.heard.try_iter() {
            let voice = self.voices.entry(heard.session.clone()).or_default();
            voice.ahead.push_back(heard);
        }
        for voice in self.voices.values_mut() {
            while let Some(heard) = voice.ahead.pop_front_if(|heard| heard.from_ms <= t_ms) {
                voice.hear(&heard);
            }
        }
        let speaking = self
            .voices
            .iter()
            .filter(|(_, voice)| t_ms < voice.until_ms);
        speaking.map(|(session, _)| session.as_str()).collect()
    }
}

#[derive(Debug)]
struct Voice {
    /// Read ahead of its time.
    ahead: VecDeque<Heard>,
    /// When the piece before ended.
    heard_ms: i64,
    noise: f32,
    /// Loud pieces in a row.
    loud: u32,
    until_ms: i64,
}

impl Default for Voice {
    fn default() -> Self {
        Self {
            ahead: VecDeque::new(),
            heard_ms: 0,
            noise: FIRST_NOISE,
            loud: 0,
            until_ms: 0,
        }
    }
}

impl Voice {
    fn hear(&mut self, heard: &Heard) {
        let speaks = heard.from_ms < self.until_ms;
        let follows = heard.from_ms - self.heard_ms < HANG_MS;
        self.heard_ms = heard.until_ms;
        let above = if speaks { GOES_ON } else { BEGINS };
        if heard.level >= QUIETEST.max(self.noise + above) {
            self.loud = if follows { self.loud + 1 } else { 1 };
        } else {
            self.loud = 0;
        }
        if self.loud >= 2 {
            self.until_ms = heard.until_ms + HANG_MS;
        }
        self.noise = if heard.level < self.noise {
            (self.noise + heard.level.max(LEAST_NOISE)) / 2.0
        } else {
            self.noise + RISE
        };
    }
}

/// How loud samples are, in dB of full scale.
#[expect(clippy::cast_precision_loss, reason = "a few thousand samples")]
fn level(samples: &[Stereo]) -> f32 {
    let squares = samples.iter().map(|(left, right)| {
        let both = (left + right) / 2.0;
        both * both
    });
    let mean = squares.sum::<f32>() / samples.len().max(1) as f32;
    10.0 * mean.max(1e-12).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of 20 ms with these levels, from a time on.
    fn sound(from_ms: i64, levels: &[f32]) -> Vec<Piece> {
        let starts = (0..).map(|n| (from_ms + n * 20) * PER_MS);
        let pieces = starts.zip(levels).map(|(start, db)| {
            let amplitude = 10f32.powf(db / 20.0);
            let samples = vec![(amplitude, amplitude); 960];
            Piece { start, samples }
        });
        pieces.collect()
    }

    /// When one voice is found to speak: the times at which that changes, asked every 20 ms.
    fn changes(pieces: &[Piece], until_ms: i64) -> Vec<i64> {
        let (mut talk, ear) = Talk::new();
        pieces.iter().for_each(|piece| ear.hear("s", piece));
        let mut changes = Vec::new();
        let mut spoke = false;
        for t_ms in (0..until_ms).step_by(20) {
            let speaks = talk.at(t_ms).contains("s");
            if speaks != spoke {
                changes.push(t_ms);
                spoke = speaks;
            }
        }
        changes
    }

    #[test]
    fn speech_begins_at_once_and_ends_after_a_pause() {
        let mut pieces = sound(1000, &[-20.0; 50]);
        pieces.extend(sound(2300, &[-25.0; 10]));
        pieces.extend(sound(5000, &[-20.0; 10]));
        // The pause of 300 ms is none; read far ahead, the third begins in its time all the same.
        assert_eq!(changes(&pieces, 7000), [1020, 3100, 5020, 5800]);
    }

    #[test]
    fn a_click_and_steady_noise_are_no_speech() {
        let mut click = vec![-70.0; 100];
        click[50] = -10.0;
        assert!(changes(&sound(0, &click), 3000).is_empty());
        assert!(changes(&sound(0, &[-55.0; 200]), 5000).is_empty());
        // A fan is taken for speech at first, and speech is heard above it later.
        let mut fan = vec![-44.0; 2000];
        fan.extend([-20.0; 50]);
        let found = changes(&sound(0, &fan), 45_000);
        assert!(found.len() == 4 && found[1] < 20_000, "{found:?}");
        assert_eq!(found[2], 40_020);
    }
}
