//! From events of a call to files that survive anything: the capture of one job.
//!
//! In: `CallEvent`s. Out: a log per track (`log`), a journal of what happened (`journal`), wishes
//! for keyframes. `jitter`, `timeline` and `picture` turn logs back into media, later or live.
//! Not here: the call itself (`client`), finished files (`finish`).
//! Invariant: nothing is decided here that could not be decided later: packets are kept as they
//! came, in order of arrival, from the recording's zero on.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use proto::rtcd::TrackType;
use serde::{Deserialize, Serialize};

use crate::auth::unix_ms;
use crate::client::{CallEvent, MediaPacket, TrackKey};

pub(crate) mod arrivals;
pub mod av1;
mod earlier;
pub mod jitter;
pub mod journal;
pub mod log;
pub mod picture;
pub mod records;
pub mod timeline;
pub mod vp8;
pub mod writer;

use arrivals::Arrivals;
use earlier::Earlier;
use journal::Entry;
use log::LoggedPacket;
use writer::Writer;

/// A keyframe is asked for at most so often per track.
const KEYFRAME_GAP: Duration = Duration::from_secs(1);
/// Packets that are remembered until zero is known: about ten seconds of five voices.
const MAX_EARLY: usize = 2_500;
/// A gap in the packets of a picture track may be filled for so long before a keyframe is wanted.
const REPAIR_TIME: Duration = Duration::from_millis(200);

/// How a capture does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Condition {
    /// Packets that did not arrive.
    pub missing_packets: u64,
    /// Packets that were dropped because the disk was too slow.
    pub dropped_packets: u64,
    /// Packets that wait for the disk.
    pub waiting_packets: u64,
}

/// The capture of one job.
#[derive(Debug)]
pub struct Capture {
    writer: Writer,
    zero: Option<Instant>,
    /// Since when nothing is taken.
    paused: Option<Instant>,
    /// What came before is not taken: it belongs to a pause.
    resumed: Option<Instant>,
    /// How long all pauses lasted that are over.
    left_out: Duration,
    /// When the last packet came off the network.
    last_packet: Option<Instant>,
    /// What another worker left, whose number of a track comes before the first of ours.
    earlier: Option<Earlier>,
    tracks: BTreeMap<TrackKey, Track>,
    /// Packets that came before zero was known; it may turn out to lie before them.
    early: VecDeque<(TrackKey, MediaPacket)>,
    /// Of every track there was.
    arrivals: BTreeMap<TrackKey, Arrivals>,
}

#[derive(Debug)]
struct Track {
    kind: TrackType,
    session: String,
    gate: KeyframeGate,
}

impl Capture {
    /// Begins in a folder. What comes before `set_zero` is kept only if zero lies before it. Where a
    /// capture had begun already, it is gone on with.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn begin(folder: &Path) -> io::Result<Self> {
        let now_ms = unix_ms();
        let earlier = Earlier::read(folder, now_ms);
        let mut capture = Self {
            writer: Writer::start(folder)?,
            zero: None,
            paused: None,
            resumed: None,
            left_out: Duration::ZERO,
            last_packet: None,
            earlier,
            tracks: BTreeMap::new(),
            early: VecDeque::new(),
            arrivals: BTreeMap::new(),
        };
        if let Some(earlier) = earlier {
            let now = Instant::now();
            let (zero, left_out) = earlier.clock(now, now_ms);
            (capture.zero, capture.left_out) = (Some(zero), left_out);
            let (t_ms, at_ms) = (capture.t_ms(now), now_ms);
            if earlier.was_paused {
                capture.writer.entry(Entry::Resumed { t_ms, at_ms });
            }
            capture.writer.entry(Entry::Part { t_ms, at_ms });
        }
        Ok(capture)
    }

    /// The number of a track in the folder.
    #[must_use]
    pub fn kept(&self, track: TrackKey) -> TrackKey {
        track.saturating_add(self.earlier.map_or(0, |earlier| earlier.free))
    }

    /// Lets the timeline begin at `zero`, once; it may lie a little back.
    pub fn set_zero(&mut self, zero: Instant) {
        if self.zero.is_none() {
            self.zero = Some(zero);
            let ago = i64::try_from(zero.elapsed().as_millis()).unwrap_or(0);
            self.writer.entry(Entry::Zero {
                at_ms: unix_ms() - ago,
            });
            for (track, known) in &self.tracks {
                self.writer.entry(Entry::Track {
                    track: self.kept(*track),
                    kind: known.kind,
                    session: known.session.clone(),
                    t_ms: 0,
                });
            }
            for (track, packet) in std::mem::take(&mut self.early) {
                if packet.arrived >= zero {
                    self.take_packet(track, &packet);
                }
            }
            if let Some(since) = self.paused {
                self.note_pause(since);
            }
        }
    }

    /// Takes nothing from now on, and lets time stand still. Whether that is new.
    pub fn pause(&mut self, now: Instant) -> bool {
        let is_new = self.paused.is_none();
        if is_new {
            self.paused = Some(now);
            self.note_pause(now);
        }
        is_new
    }

    /// Goes on after a pause. Whether there was one.
    pub fn resume(&mut self, now: Instant) -> bool {
        let Some(since) = self.paused else {
            return false;
        };
        let t_ms = self.t_ms(now);
        self.paused = None;
        self.resumed = Some(now);
        if let Some(zero) = self.zero {
            self.left_out += now.saturating_duration_since(since.max(zero));
            let at_ms = unix_ms();
            self.writer.entry(Entry::Resumed { t_ms, at_ms });
        }
        for track in self.tracks.values_mut() {
            // Pictures go on with a keyframe, which is asked for at once.
            track.gate = KeyframeGate::default();
        }
        true
    }

    fn note_pause(&mut self, since: Instant) {
        if self.has_begun() {
            let (t_ms, at_ms) = (self.t_ms(since), unix_ms());
            self.writer.entry(Entry::Paused { t_ms, at_ms });
        }
    }

    /// When the last packet came off the network.
    #[must_use]
    pub fn last_packet(&self) -> Option<Instant> {
        self.last_packet
    }

    /// Whether nothing is taken.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// Whether the timeline has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.zero.is_some()
    }

    /// Milliseconds since zero, pauses left out.
    #[must_use]
    pub fn t_ms(&self, now: Instant) -> i64 {
        let now = self.paused.map_or(now, |paused| paused.min(now));
        self.zero.map_or(0, |zero| {
            let since = now.saturating_duration_since(zero);
            let since = since.saturating_sub(self.left_out);
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
    }

    /// When it was (or, without a further pause, will be) `t_ms` since zero, pauses left out; none before zero.
    #[must_use]
    pub fn instant_of(&self, t_ms: i64) -> Option<Instant> {
        let since = Duration::from_millis(u64::try_from(t_ms).unwrap_or(0));
        self.zero?.checked_add(self.left_out)?.checked_add(since)
    }

    /// Keeps what belongs into the recording.
    pub fn take(&mut self, event: &CallEvent, now: Instant) {
        let t_ms = self.t_ms(now);
        match event {
            CallEvent::TrackAdded { track, kind, owner } => {
                self.add_track(*track, *kind, owner.to_string(), t_ms);
            }
            CallEvent::TrackEnded { track } => {
                if self.tracks.remove(track).is_some() && self.has_begun() {
                    self.writer.entry(Entry::TrackEnded {
                        track: self.kept(*track),
                        t_ms,
                    });
                }
            }
            CallEvent::Packet { track, packet } => {
                self.last_packet = self.last_packet.max(Some(packet.arrived));
                self.arrivals.entry(*track).or_default().note(packet.seq_no);
                self.take_packet(*track, packet);
            }
            CallEvent::UserJoined { user, session } => {
                let (session, user) = (session.to_string(), user.to_string());
                self.writer.entry(Entry::Person {
                    session,
                    user,
                    name: String::new(),
                    t_ms,
                });
            }
            CallEvent::UserLeft { session } => {
                self.writer.entry(Entry::PersonLeft {
                    session: session.to_string(),
                    t_ms,
                });
            }
            CallEvent::Muted { session, muted } => {
                let (session, muted) = (session.to_string(), *muted);
                self.writer.entry(Entry::Muted {
                    session,
                    muted,
                    t_ms,
                });
            }
            CallEvent::Hand { session, raised } => {
                let (session, raised) = (session.to_string(), *raised);
                self.writer.entry(Entry::Hand {
                    session,
                    raised,
                    t_ms,
                });
            }
            CallEvent::ScreenOn { session } => {
                self.writer.entry(Entry::Screen {
                    session: Some(session.to_string()),
                    t_ms,
                });
            }
            CallEvent::ScreenOff => self.writer.entry(Entry::Screen {
                session: None,
                t_ms,
            }),
            CallEvent::Joined { .. }
            | CallEvent::Connected { .. }
            | CallEvent::JobState { .. }
            | CallEvent::Stop
            | CallEvent::Pause
            | CallEvent::Resume
            | CallEvent::CallEnded
            | CallEvent::Closed { .. } => {}
        }
    }

    /// Writes down who holds a session.
    pub fn name(&self, session: &str, user: &str, name: &str, now: Instant) {
        let t_ms = self.t_ms(now);
        let (session, user, name) = (session.to_owned(), user.to_owned(), name.to_owned());
        self.writer.entry(Entry::Person {
            session,
            user,
            name,
            t_ms,
        });
    }

    /// Writes down what the call is about.
    pub fn title(&self, title: &str) {
        let title = title.to_owned();
        self.writer.entry(Entry::Titled { title });
    }

    /// Writes down how long the capture has lasted. Called about once a second.
    pub fn tick(&self, now: Instant) {
        if self.has_begun() {
            self.writer.entry(Entry::Tick {
                t_ms: self.t_ms(now),
            });
        }
    }

    /// Tracks that need a keyframe now.
    pub fn keyframes_wanted(&mut self, now: Instant) -> Vec<TrackKey> {
        if self.is_paused() {
            return Vec::new();
        }
        self.tracks
            .iter_mut()
            .filter(|(_, track)| track.kind == TrackType::Screen)
            .filter_map(|(key, track)| track.gate.wants(now).then_some(*key))
            .collect()
    }

    /// What is missing, and what waits.
    #[must_use]
    pub fn condition(&self) -> Condition {
        Condition {
            missing_packets: self.arrivals.values().map(Arrivals::missing).sum(),
            dropped_packets: self.writer.dropped(),
            waiting_packets: self.writer.waiting(),
        }
    }

    /// Writes down that the end which comes now is none that the call wanted.
    pub fn cut_off(&self, reason: &str, now: Instant) {
        if self.has_begun() {
            let (t_ms, reason) = (self.t_ms(now), reason.to_owned());
            self.writer.entry(Entry::CutOff { t_ms, reason });
        }
    }

    /// Whether the disk refused something: there is no use in going on.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.writer.is_broken()
    }

    /// Writes what there is; another worker goes on.
    ///
    /// # Errors
    /// When the disk refuses something.
    pub fn leave_open(self) -> io::Result<()> {
        self.writer.finish()
    }

    /// Ends the capture.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn end(self, reason: &str, now: Instant) -> io::Result<()> {
        let dropped = self.writer.dropped();
        if dropped > 0 {
            tracing::warn!(
                dropped,
                "packets were dropped because the disk was too slow"
            );
        }
        if self.has_begun() {
            let reason = reason.to_owned();
            // Of a part in which nothing came there is nothing.
            let t_ms = match (self.earlier, self.last_packet) {
                (Some(earlier), None) => earlier.lasted_ms,
                (Some(_) | None, _) => self.t_ms(now),
            };
            self.writer.entry(Entry::Stopped { t_ms, reason });
        }
        self.writer.finish()
    }

    fn add_track(&mut self, track: TrackKey, kind: TrackType, session: String, t_ms: i64) {
        if self.has_begun() {
            let session = session.clone();
            self.writer.entry(Entry::Track {
                track: self.kept(track),
                kind,
                session,
                t_ms,
            });
        }
        self.tracks.insert(
            track,
            Track {
                kind,
                session,
                gate: KeyframeGate::default(),
            },
        );
    }

    fn take_packet(&mut self, key: TrackKey, packet: &MediaPacket) {
        let Some(zero) = self.zero else {
            if self.early.len() >= MAX_EARLY {
                self.early.pop_front();
            }
            self.early.push_back((key, packet.clone()));
            return;
        };
        let is_left_out = self.is_paused() || self.resumed.is_some_and(|at| packet.arrived < at);
        let Some(track) = self.tracks.get_mut(&key).filter(|_| !is_left_out) else {
            return;
        };
        let keeps = track.kind != TrackType::Screen || track.gate.take(packet);
        if !keeps {
            return;
        }
        let after = packet.arrived.checked_duration_since(zero);
        let after = after.map(|after| after.saturating_sub(self.left_out));
        let before = zero.saturating_duration_since(packet.arrived);
        let us = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        self.writer.packet(
            self.kept(key),
            LoggedPacket {
                arrival_us: after.map_or_else(|| -us(before), us),
                seq_no: packet.seq_no,
                time: packet.time,
                marker: packet.marker,
                coding: packet.coding,
                payload: packet.payload.to_vec(),
            },
        );
    }
}

/// Lets a picture track through from its first keyframe on, and notices when it needs another.
#[derive(Debug, Default)]
struct KeyframeGate {
    open: bool,
    next: Option<u64>,
    gap_since: Option<Instant>,
    asked: Option<Instant>,
}

impl KeyframeGate {
    fn take(&mut self, packet: &MediaPacket) -> bool {
        let keyframe = picture::starts_keyframe(packet.coding, &packet.payload);
        if keyframe {
            self.open = true;
            self.gap_since = None;
        }
        match self.next {
            Some(next) if packet.seq_no > next => {
                self.gap_since.get_or_insert(packet.arrived);
                self.next = Some(packet.seq_no.saturating_add(1));
            }
            // A repeated packet has arrived: the gap counts as filled.
            Some(next) if packet.seq_no < next => self.gap_since = None,
            Some(_) | None => self.next = Some(packet.seq_no.saturating_add(1)),
        }
        self.open
    }

    fn wants(&mut self, now: Instant) -> bool {
        let torn = self
            .gap_since
            .is_some_and(|since| now.saturating_duration_since(since) >= REPAIR_TIME);
        let rested = self
            .asked
            .is_none_or(|at| now.saturating_duration_since(at) >= KEYFRAME_GAP);
        let wants = rested && (!self.open || torn);
        if wants {
            self.asked = Some(now);
        }
        wants
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Coding;

    fn packet(at: Instant, seq_no: u64, key: bool) -> MediaPacket {
        let payload = [0x10, u8::from(!key)].into();
        MediaPacket {
            arrived: at,
            seq_no,
            time: 0,
            marker: true,
            coding: Coding::Usual,
            payload,
        }
    }

    #[test]
    fn the_moment_of_a_time_counts_no_pause() {
        let folder = tempfile::tempdir().unwrap();
        let mut capture = Capture::begin(folder.path()).unwrap();
        let start = Instant::now();
        let later = |ms| start + Duration::from_millis(ms);
        assert_eq!(capture.instant_of(400), None);
        capture.set_zero(start);
        assert_eq!(capture.instant_of(400), Some(later(400)));
        capture.pause(later(300));
        capture.resume(later(900));
        assert_eq!(capture.instant_of(400), Some(later(1000)));
        assert_eq!(capture.t_ms(later(1000)), 400);
    }

    #[test]
    fn pictures_are_kept_from_the_first_keyframe_on_and_it_is_asked_for() {
        let start = Instant::now();
        let mut gate = KeyframeGate::default();
        assert!(gate.wants(start));
        assert!(!gate.wants(start + Duration::from_millis(900)));
        assert!(!gate.take(&packet(start, 1, false)));
        assert!(gate.wants(start + Duration::from_millis(1000)));
        assert!(gate.take(&packet(start, 2, true)));
        assert!(gate.take(&packet(start, 3, false)));
        assert!(!gate.wants(start + Duration::from_secs(9)));
    }

    #[test]
    fn a_gap_wants_a_keyframe_unless_it_is_filled_soon() {
        let start = Instant::now();
        let later = |ms| start + Duration::from_millis(ms);
        let mut gate = KeyframeGate::default();
        gate.take(&packet(start, 1, true));
        gate.take(&packet(start, 3, false));
        assert!(!gate.wants(later(100)));
        gate.take(&packet(later(150), 2, false));
        assert!(!gate.wants(later(500)));
        gate.take(&packet(later(600), 6, false));
        assert!(!gate.wants(later(700)));
        assert!(gate.wants(later(800)));
        gate.take(&packet(later(900), 7, true));
        assert!(!gate.wants(later(5000)));
    }
}
