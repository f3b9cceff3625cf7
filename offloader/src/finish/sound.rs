//! The sound of a recording: each track decoded and placed, all of them mixed.
//!
//! In: packet logs. Out: pieces of sound with their place; blocks of the mix.
//! A gap in a track (silence that was not sent, mute) stays a gap of the same length; lost packets
//! are hidden (`opus`). A sender whose clock is fast or slow has its sound bent a little, so that it is
//! said when it was said after an hour, too. Of a log that still grows there is more once `known_until`
//! was told.
//! Invariant: a track's pieces do not overlap and rise in place; the mix never exceeds `CEILING`.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;
use std::time::Duration;

use crate::capture::jitter::{JitterBuffer, Ordered};
use crate::capture::log::{LogReader, LoggedPacket};
use crate::capture::timeline::Timeline;
use crate::opus::{Decoder, OpusError, RATE, Stereo};

/// How long a packet may be late: there is no hurry, so as long as senders ever repeat.
const HOLD: Duration = Duration::from_secs(2);
/// A piece this close to the end of the one before follows it without a seam, in samples.
const SEAM: i64 = 1_920;
/// Sound that follows without a seam may be this far from its place before it is bent, in samples: 5 ms.
const ASTRAY: i64 = 240;
/// Bent sound is longer or shorter by at most one sample in so many: 0.2 %, which nobody hears.
const BEND: usize = 480;
/// Losses in a row above this are a pause.
const MOST_LOST: u64 = 50;
/// Loudest sample of the mix: 1 dB below full scale.
const CEILING: f32 = 0.891;
/// Samples over which the limiter looks ahead: 5 ms.
const LOOK_AHEAD: usize = 240;
/// How much louder it becomes again per look-ahead: full in about half a second.
const RELEASE: f32 = 0.01;

/// The packets of a track in order, each with its place on the timeline.
#[derive(Debug)]
pub struct PlacedPackets {
    log: LogReader<BufReader<File>>,
    buffer: JitterBuffer<LoggedPacket>,
    timeline: Timeline,
    now: Duration,
    rest: VecDeque<Ordered<LoggedPacket>>,
    rests: Rests,
}

/// What comes when a log has been read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rests {
    /// Nothing more will be written.
    Whole,
    /// It grows: every packet that arrived by then is in it.
    Grows {
        known: Duration,
    },
    /// As `Grows`, and it was read to its end.
    Dry {
        known: Duration,
    },
    Ended,
}

impl PlacedPackets {
    /// Reads a log with the given RTP clock.
    ///
    /// # Errors
    /// When the log cannot be opened.
    pub fn open(path: &Path, ticks_per_second: u32) -> io::Result<Self> {
        Ok(Self {
            log: LogReader::open(path)?,
            buffer: JitterBuffer::new(HOLD),
            timeline: Timeline::new(ticks_per_second),
            now: Duration::ZERO,
            rest: VecDeque::new(),
            rests: Rests::Whole,
        })
    }

    /// Reads a log that still grows.
    ///
    /// # Errors
    /// When the log cannot be opened.
    pub fn follow(path: &Path, ticks_per_second: u32) -> io::Result<Self> {
        let known = Duration::ZERO;
        Ok(Self {
            rests: Rests::Grows { known },
            ..Self::open(path, ticks_per_second)?
        })
    }

    /// Says that every packet that arrived by `t_ms` is in the log; that it grows no more with `None`.
    pub fn known_until(&mut self, t_ms: Option<i64>) {
        self.rests = match (self.rests, t_ms) {
            (Rests::Ended, _) => Rests::Ended,
            (_, None) => Rests::Whole,
            (_, Some(t_ms)) => Rests::Grows {
                known: Duration::from_millis(t_ms.max(0).unsigned_abs()),
            },
        };
    }

    fn ordered(&mut self) -> Option<Ordered<LoggedPacket>> {
        loop {
            if let Some(item) = self.rest.pop_front() {
                return Some(item);
            }
            if self.rests == Rests::Ended {
                return None;
            }
            if let Some(item) = self.buffer.pop(self.now) {
                return Some(item);
            }
            if matches!(self.rests, Rests::Dry { .. }) {
                return None;
            }
            match (self.log.next(), self.rests) {
                (Some(packet), _) => {
                    let arrival = Duration::from_micros(packet.arrival_us.max(0).unsigned_abs());
                    self.now = self.now.max(arrival);
                    self.buffer.push(self.now, packet.seq_no, packet);
                }
                (None, Rests::Grows { known } | Rests::Dry { known }) => {
                    // Nothing came until then: who waits for a packet may have waited enough.
                    self.now = self.now.max(known);
                    self.rests = Rests::Dry { known };
                }
                (None, Rests::Whole | Rests::Ended) => {
                    self.rest.extend(self.buffer.finish());
                    self.rests = Rests::Ended;
                }
            }
        }
    }
}

impl Iterator for PlacedPackets {
    /// A packet and its place in microseconds.
    type Item = Ordered<(i64, LoggedPacket)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.ordered()? {
                Ordered::Lost(count) => return Some(Ordered::Lost(count)),
                // It has a number and says nothing.
                Ordered::Packet(packet) if packet.payload.is_empty() => {}
                Ordered::Packet(packet) => {
                    let at = self.timeline.place(packet.time, packet.arrival_us);
                    return Some(Ordered::Packet((at, packet)));
                }
            }
        }
    }
}

/// A piece of sound and where it begins, in samples from zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    pub start: i64,
    pub samples: Vec<Stereo>,
}

impl Piece {
    /// The same sound with every sample multiplied.
    #[must_use]
    pub fn louder(mut self, gain: f32) -> Self {
        for (left, right) in &mut self.samples {
            *left *= gain;
            *right *= gain;
        }
        self
    }

    /// Where it ends.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.start + i64::try_from(self.samples.len()).unwrap_or(0)
    }
}

/// The sound of one track.
#[derive(Debug)]
pub struct TrackSound {
    packets: PlacedPackets,
    decoder: Decoder,
    /// Where the last piece ended.
    cursor: Option<i64>,
    /// The sender's clock at that place, in samples.
    heard_until: u64,
    /// Packets that are missing since.
    lost: u64,
}

/// A track's sound cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    #[error("open the log of a track")]
    Log(#[source] io::Error),
    #[error("decode a track")]
    Opus(#[source] OpusError),
}

impl TrackSound {
    /// Opens the log of a sound track.
    ///
    /// # Errors
    /// When the log cannot be opened or there is no decoder.
    pub fn open(path: &Path) -> Result<Self, SoundError> {
        Self::of(PlacedPackets::open(path, RATE))
    }

    /// Opens the log of a sound track that still grows; see `PlacedPackets::follow`.
    ///
    /// # Errors
    /// As `open`.
    pub fn follow(path: &Path) -> Result<Self, SoundError> {
        Self::of(PlacedPackets::follow(path, RATE))
    }

    fn of(packets: io::Result<PlacedPackets>) -> Result<Self, SoundError> {
        Ok(Self {
            packets: packets.map_err(SoundError::Log)?,
            decoder: Decoder::new().map_err(SoundError::Opus)?,
            cursor: None,
            heard_until: 0,
            lost: 0,
        })
    }

    /// As `PlacedPackets::known_until`.
    pub fn known_until(&mut self, t_ms: Option<i64>) {
        self.packets.known_until(t_ms);
    }

    /// What the packets lost before `packet` probably said: as long as its time allows.
    fn hidden(&mut self, packet: &LoggedPacket) -> Vec<Stereo> {
        let lost = std::mem::take(&mut self.lost);
        if self.cursor.is_none() || lost == 0 || lost > MOST_LOST {
            return Vec::new();
        }
        let counted = usize::try_from(lost).unwrap_or(0) * self.decoder.usual_len();
        let timed = packet.time.saturating_sub(self.heard_until);
        let missing = usize::try_from(timed).unwrap_or(0).min(counted);
        self.decoder.lost(missing, &packet.payload)
    }

    /// The place of a piece that is wanted at a time: without a seam where it nearly fits.
    fn place(&self, wanted: i64) -> i64 {
        match self.cursor {
            Some(cursor) if wanted < cursor + SEAM => cursor,
            Some(_) | None => wanted,
        }
    }
}

impl Iterator for TrackSound {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        loop {
            match self.packets.next()? {
                Ordered::Lost(count) => self.lost += count,
                Ordered::Packet((at_us, packet)) => {
                    let lost = self.lost;
                    let mut samples = self.hidden(&packet);
                    let hidden = i64::try_from(samples.len()).unwrap_or(0);
                    let heard = self.decoder.decode(&packet.payload);
                    if heard.is_empty() {
                        // Damaged: as good as lost.
                        self.lost = lost + 1;
                        continue;
                    }
                    self.heard_until = packet.time + u64::try_from(heard.len()).unwrap_or(0);
                    samples.extend(heard);
                    let wanted = at_us * i64::from(RATE / 1000) / 1000 - hidden;
                    let start = self.place(wanted);
                    let samples = bend(samples, wanted - start);
                    let piece = Piece { start, samples };
                    self.cursor = Some(piece.end());
                    return Some(piece);
                }
            }
        }
    }
}

/// Makes sound longer that is before its place, and shorter what is behind it. Its first and last
/// samples stay as they are, so that it still fits to what lies beside it.
#[expect(clippy::cast_precision_loss, reason = "a few thousand samples")]
fn bend(samples: Vec<Stereo>, late_by: i64) -> Vec<Stereo> {
    let most = samples.len() / BEND;
    let by = usize::try_from(late_by.abs() - ASTRAY).unwrap_or(0);
    let by = by.min(most);
    if by == 0 {
        return samples;
    }
    let len = if late_by > 0 {
        samples.len() + by
    } else {
        samples.len() - by
    };
    let (steps, length) = (len - 1, samples.len() - 1);
    let between = |n: usize| {
        let (at, part) = (n * length / steps, n * length % steps);
        let part = part as f32 / steps as f32;
        let one = samples.get(at).copied().unwrap_or_default();
        let next = samples.get(at + 1).copied().unwrap_or(one);
        (
            one.0 + (next.0 - one.0) * part,
            one.1 + (next.1 - one.1) * part,
        )
    };
    (0..len).map(between).collect()
}

/// Adds up tracks, block by block.
pub struct Mixer {
    tracks: Vec<Source>,
    at: i64,
    limiter: Limiter,
}

struct Source {
    pieces: Box<dyn Iterator<Item = Piece>>,
    current: Option<Piece>,
}

impl std::fmt::Debug for Mixer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mixer({} tracks at {})", self.tracks.len(), self.at)
    }
}

impl Mixer {
    /// Mixes from zero on.
    #[must_use]
    pub fn new(tracks: Vec<Box<dyn Iterator<Item = Piece>>>) -> Self {
        let tracks = tracks
            .into_iter()
            .map(|mut pieces| Source {
                current: pieces.next(),
                pieces,
            })
            .collect();
        Self {
            tracks,
            at: 0,
            limiter: Limiter::default(),
        }
    }

    /// The next `len` samples. What the limiter holds back comes with a later call.
    pub fn next_block(&mut self, len: usize) -> Vec<Stereo> {
        let mut block = vec![(0.0, 0.0); len];
        let end = self.at + i64::try_from(len).unwrap_or(0);
        for source in &mut self.tracks {
            while let Some(piece) = source.current.as_ref().filter(|piece| piece.start < end) {
                add(&mut block, self.at, piece);
                if piece.end() > end {
                    break;
                }
                source.current = source.pieces.next();
            }
        }
        self.at = end;
        self.limiter.push(&block)
    }

    /// What the limiter still holds.
    pub fn finish(&mut self) -> Vec<Stereo> {
        self.limiter.finish()
    }
}

fn add(block: &mut [Stereo], at: i64, piece: &Piece) {
    let (skip_block, skip_piece) = match usize::try_from(piece.start - at) {
        Ok(later) => (later, 0),
        Err(_) => (0, usize::try_from(at - piece.start).unwrap_or(usize::MAX)),
    };
    let places = block.iter_mut().skip(skip_block);
    for (place, sample) in places.zip(piece.samples.iter().skip(skip_piece)) {
        place.0 += sample.0;
        place.1 += sample.1;
    }
}

/// Turns down just before a peak and up again afterwards, instead of cutting it.
#[derive(Debug)]
struct Limiter {
    held: Vec<Stereo>,
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self {
            held: Vec::new(),
            gain: 1.0,
        }
    }
}

impl Limiter {
    fn push(&mut self, samples: &[Stereo]) -> Vec<Stereo> {
        self.held.extend_from_slice(samples);
        let mut out = Vec::with_capacity(self.held.len());
        while self.held.len() >= 2 * LOOK_AHEAD {
            let rest = self.held.split_off(LOOK_AHEAD);
            let now = std::mem::replace(&mut self.held, rest);
            let ahead = self.held.get(..LOOK_AHEAD).unwrap_or_default();
            let loudest = peak(&now).max(peak(ahead));
            let wanted = if loudest > CEILING {
                CEILING / loudest
            } else {
                1.0
            };
            let next = wanted.min(self.gain + RELEASE);
            out.extend(ramp(&now, self.gain, next));
            self.gain = next;
        }
        out
    }

    fn finish(&mut self) -> Vec<Stereo> {
        let wanted = self.held.len();
        let mut out = self.push(&vec![(0.0, 0.0); 2 * LOOK_AHEAD]);
        out.truncate(wanted);
        self.held.clear();
        out
    }
}

fn peak(samples: &[Stereo]) -> f32 {
    samples.iter().fold(0.0, |peak, (left, right)| {
        peak.max(left.abs()).max(right.abs())
    })
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred samples")]
fn ramp(samples: &[Stereo], from: f32, to: f32) -> impl Iterator<Item = Stereo> {
    let step = (to - from) / samples.len().max(1) as f32;
    samples.iter().enumerate().map(move |(n, (left, right))| {
        let gain = from + step * n as f32;
        (
            (left * gain).clamp(-1.0, 1.0),
            (right * gain).clamp(-1.0, 1.0),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(pieces: Vec<(i64, usize, f32)>) -> Box<dyn Iterator<Item = Piece>> {
        Box::new(pieces.into_iter().map(|(start, len, level)| Piece {
            start,
            samples: vec![(level, -level); len],
        }))
    }

    fn mix(tracks: Vec<Box<dyn Iterator<Item = Piece>>>, blocks: &[usize]) -> Vec<Stereo> {
        let mut mixer = Mixer::new(tracks);
        let mut out: Vec<_> = blocks
            .iter()
            .flat_map(|len| mixer.next_block(*len))
            .collect();
        out.extend(mixer.finish());
        out
    }

    #[test]
    fn bent_sound_is_the_same_tone_in_a_few_samples_more_or_fewer() {
        let tone = |len: usize| -> Vec<Stereo> {
            let turns = |n: usize| n as f32 * 20.0 / (len - 1) as f32;
            let sample = |n| (turns(n) * std::f32::consts::TAU).sin();
            (0..len).map(|n| (sample(n), -sample(n))).collect()
        };
        for (late_by, len) in [(0, 960), (240, 960), (-240, 960), (241, 961), (-9_999, 958)] {
            let bent = bend(tone(960), late_by);
            assert_eq!(bent.len(), len, "{late_by}");
            for (one, other) in bent.iter().zip(tone(len)) {
                let apart = (one.0 - other.0).abs().max((one.1 - other.1).abs());
                assert!(apart < 0.01, "{late_by}: {one:?} {other:?}");
            }
        }
        assert_eq!(bend(tone(120), 9_999).len(), 120, "too short to be bent");
        assert!(bend(Vec::new(), 9_999).is_empty());
    }

    #[test]
    fn pieces_lie_where_they_belong_whatever_the_blocks() {
        let make = || {
            vec![
                track(vec![(-100, 300, 0.1), (1_000, 2_000, 0.2)]),
                track(vec![(2_500, 1_000, 0.3)]),
            ]
        };
        let whole = mix(make(), &[5_000]);
        assert_eq!(whole.len(), 5_000);
        let level = |n: usize| (whole[n].0 * 10.0).round();
        assert_eq!(
            [level(0), level(199), level(200), level(999)],
            [1.0, 1.0, 0.0, 0.0]
        );
        assert_eq!([level(1_000), level(2_600), level(3_200)], [2.0, 5.0, 3.0]);
        assert_eq!(level(3_600), 0.0);
        assert_eq!(mix(make(), &[1, 7, 992, 3_000, 999, 1]), whole);
    }

    #[test]
    fn the_mix_of_many_loud_voices_stays_below_the_ceiling() {
        let tracks = (0..8)
            .map(|n| track(vec![(n * 700, 20_000, 0.5)]))
            .collect();
        let out = mix(tracks, &[48_000]);
        assert_eq!(out.len(), 48_000);
        assert!(peak(&out) <= CEILING + 0.001, "{}", peak(&out));
        // Turned down, not silenced; and turned up again at the end.
        assert!(out[15_000].0 > 0.8);
        let quiet = mix(
            vec![track(vec![(0, 480, 3.0), (480, 47_520, 0.5)])],
            &[48_000],
        );
        assert!((quiet[47_000].0 - 0.5).abs() < 0.01);
    }
}
