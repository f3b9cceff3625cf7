//! Which voices are worth sending.
//!
//! In: the audio level of each voice packet. Out: whether it is forwarded. Silence is not, once it
//! has lasted; of many who speak at once, where a limit is set, only the loudest are.
//! Whoever is chosen stays for a while, and is replaced only by somebody clearly louder: voices that
//! come and go by the syllable are worse than one that is missing.
//! Invariant: without a limit, nobody who is not silent is held back.

use std::time::{Duration, Instant};

/// A level that means digital silence (RFC 6464 3).
const SILENT: u8 = 127;
/// Silence after so much of it is not forwarded: the end of a word is.
const SILENT_FOR: Duration = Duration::from_millis(500);
/// How much louder, in dB, somebody has to be to replace another.
const CLEARLY: f64 = 6.0;
/// Shortest stay among the chosen.
const STAY: Duration = Duration::from_millis(800);
/// Who says nothing for so long gives the place to anybody.
const GONE_AFTER: Duration = Duration::from_millis(1000);
/// Weight of the past in the loudness: about 200 ms of packets.
const SMOOTHING: f64 = 0.9;

/// What is decided about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Forward,
    Silent,
    /// Others are louder.
    Quiet,
}

/// One voice, as it was heard lately.
#[derive(Debug, Default)]
pub(crate) struct Voice {
    /// dB above silence, smoothed.
    loudness: f64,
    silent_since: Option<Instant>,
}

/// The voices that are forwarded, where there is a limit.
#[derive(Debug, Default)]
pub(crate) struct Speakers {
    chosen: Vec<Chosen>,
}

#[derive(Debug)]
struct Chosen {
    track: u32,
    since: Instant,
    heard: Instant,
    loudness: f64,
}

impl Voice {
    /// Notes a level; true when the packet is part of lasting silence.
    fn hear(&mut self, now: Instant, level: u8) -> bool {
        let loudness = f64::from(SILENT.saturating_sub(level));
        self.loudness = SMOOTHING * self.loudness + (1.0 - SMOOTHING) * loudness;
        if level < SILENT {
            self.silent_since = None;
            return false;
        }
        let since = *self.silent_since.get_or_insert(now);
        now.saturating_duration_since(since) >= SILENT_FOR
    }
}

impl Speakers {
    /// Decides about a packet of `track`. `limit`: how many are forwarded at once, 0 for all.
    pub(crate) fn judge(
        &mut self,
        now: Instant,
        (track, voice): (u32, &mut Voice),
        level: Option<u8>,
        limit: usize,
    ) -> Verdict {
        // A participant that tells no levels cannot be compared.
        let Some(level) = level else {
            return Verdict::Forward;
        };
        if voice.hear(now, level) {
            return Verdict::Silent;
        }
        if limit == 0 || self.choose(now, track, voice.loudness, limit) {
            Verdict::Forward
        } else {
            Verdict::Quiet
        }
    }

    fn choose(&mut self, now: Instant, track: u32, loudness: f64, limit: usize) -> bool {
        if let Some(own) = self.chosen.iter_mut().find(|chosen| chosen.track == track) {
            own.heard = now;
            own.loudness = loudness;
            return true;
        }
        let candidate = Chosen {
            track,
            since: now,
            heard: now,
            loudness,
        };
        if self.chosen.len() < limit {
            self.chosen.push(candidate);
            return true;
        }
        let is_gone = |chosen: &Chosen| now.saturating_duration_since(chosen.heard) >= GONE_AFTER;
        let weakest = self.chosen.iter_mut().min_by(|a, b| {
            let rank = |chosen: &Chosen| (!is_gone(chosen), chosen.loudness);
            rank(a)
                .0
                .cmp(&rank(b).0)
                .then(rank(a).1.total_cmp(&rank(b).1))
        });
        let Some(weakest) = weakest else {
            return false;
        };
        let has_stayed = now.saturating_duration_since(weakest.since) >= STAY;
        let is_replaced = is_gone(weakest) || (has_stayed && loudness > weakest.loudness + CLEARLY);
        if is_replaced {
            *weakest = candidate;
        }
        is_replaced
    }

    /// A track is gone.
    pub(crate) fn forget(&mut self, track: u32) {
        self.chosen.retain(|chosen| chosen.track != track);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_epoch;

    struct Room {
        speakers: Speakers,
        voices: Vec<Voice>,
        now: Instant,
        limit: usize,
    }

    impl Room {
        fn new(people: usize, limit: usize) -> Self {
            Self {
                speakers: Speakers::default(),
                voices: (0..people).map(|_| Voice::default()).collect(),
                now: test_epoch(),
                limit,
            }
        }

        /// Everybody says one packet at these levels; returns who is forwarded.
        fn say(&mut self, levels: &[u8]) -> Vec<u32> {
            self.now += Duration::from_millis(20);
            let mut forwarded = Vec::new();
            for ((track, voice), level) in (0..).zip(&mut self.voices).zip(levels) {
                let verdict =
                    self.speakers
                        .judge(self.now, (track, voice), Some(*level), self.limit);
                if verdict == Verdict::Forward {
                    forwarded.push(track);
                }
            }
            forwarded
        }

        fn say_for(&mut self, milliseconds: u32, levels: &[u8]) -> Vec<u32> {
            let packets = milliseconds / 20;
            (0..packets).fold(Vec::new(), |_, _| self.say(levels))
        }
    }

    #[test]
    fn everybody_is_heard_without_a_limit() {
        let mut room = Room::new(4, 0);
        assert_eq!(room.say_for(1000, &[10, 50, 90, 126]), [0, 1, 2, 3]);
    }

    #[test]
    fn lasting_silence_is_held_back_and_the_first_sound_is_not() {
        let mut room = Room::new(1, 0);
        assert_eq!(room.say_for(500, &[127]), [0]);
        assert!(room.say_for(40, &[127]).is_empty());
        assert_eq!(room.say(&[60]), [0]);
        assert_eq!(room.say(&[127]), [0], "within a word");
    }

    #[test]
    fn of_many_the_loudest_are_heard_and_stay() {
        let mut room = Room::new(3, 2);
        assert_eq!(room.say_for(1000, &[30, 40, 60]), [0, 1]);
        // A little louder is not enough, clearly louder is.
        assert_eq!(room.say_for(2000, &[30, 40, 37]), [0, 1]);
        assert_eq!(room.say_for(2000, &[30, 40, 20]), [0, 2]);
    }

    #[test]
    fn who_falls_silent_gives_up_the_place() {
        let mut room = Room::new(3, 2);
        room.say_for(1000, &[30, 30, 80]);
        assert_eq!(room.say_for(2000, &[30, 127, 80]), [0, 2]);
    }

    #[test]
    fn who_leaves_gives_up_the_place_at_once() {
        let mut room = Room::new(3, 2);
        room.say_for(1000, &[30, 30, 80]);
        room.speakers.forget(1);
        assert_eq!(room.say(&[30]), [0]);
        room.voices.swap(1, 2);
        assert_eq!(room.say(&[30, 80]), [0, 1]);
    }

    #[test]
    fn a_participant_without_levels_is_heard() {
        let mut room = Room::new(1, 1);
        let verdict = room
            .speakers
            .judge(room.now, (9, &mut Voice::default()), None, 1);
        assert_eq!(verdict, Verdict::Forward);
    }
}
