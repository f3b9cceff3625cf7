//! What happens to datagrams on their way: a path per participant and direction.
//!
//! In: a datagram's length and when it was sent. Out: when its copies arrive, if any do. All chance
//! comes from one seed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::random::Random;

/// One way between a participant and a shard, in the quiet case.
const LATENCY: Duration = Duration::from_millis(10);
const LONGEST_QUEUE: Duration = Duration::from_millis(300);

/// One direction of a participant's connection. Shares are in percent of the datagrams.
#[derive(Debug, Clone)]
pub struct Path {
    pub latency: Duration,
    /// Each datagram takes up to this much longer, and still arrives in order.
    pub jitter: Duration,
    /// Lost one by one.
    pub loss: u64,
    /// Lost together: everything during the second value, once per first value.
    pub bursts: Option<(Duration, Duration)>,
    /// Arrive twice.
    pub duplicated: u64,
    /// Arrive up to 40 ms late, so that others overtake them.
    pub reordered: u64,
    /// Larger datagrams are lost.
    pub mtu: usize,
    /// Nothing arrives.
    pub cut: bool,
    /// Bits per second; what is more waits, at most `LONGEST_QUEUE`, and is lost behind that.
    pub rate: Option<u64>,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            latency: LATENCY,
            jitter: Duration::ZERO,
            loss: 0,
            bursts: None,
            duplicated: 0,
            reordered: 0,
            mtu: 1500 - 28,
            cut: false,
            rate: None,
        }
    }
}

impl Path {
    /// A path that loses this share.
    #[must_use]
    pub fn lossy(loss: u64) -> Self {
        Self {
            loss,
            ..Self::default()
        }
    }

    /// A path that loses, doubles and mixes up, and whose delay is uneven.
    #[must_use]
    pub fn rough() -> Self {
        Self {
            jitter: Duration::from_millis(15),
            loss: 5,
            duplicated: 5,
            reordered: 10,
            ..Self::default()
        }
    }

    /// A path that takes so many bits per second.
    #[must_use]
    pub fn narrow(rate: u64) -> Self {
        Self {
            rate: Some(rate),
            ..Self::default()
        }
    }

    /// Returns how long a datagram waits until it is through a narrow path; `None` when it is lost.
    fn wait(&self, len: usize, free_at: &mut Instant, now: Instant) -> Option<Duration> {
        let Some(rate) = self.rate else {
            return Some(Duration::ZERO);
        };
        let begins = (*free_at).max(now);
        if begins > now + LONGEST_QUEUE {
            return None;
        }
        let bits = u64::try_from(len).unwrap_or(u64::MAX) * 8;
        *free_at = begins + Duration::from_micros(bits * 1_000_000 / rate.max(1));
        Some(*free_at - now)
    }

    /// `latest`: when the latest datagram that was not mixed up arrives.
    fn arrivals(
        &self,
        random: &mut Random,
        latest: &mut Instant,
        since: Duration,
        now: Instant,
    ) -> Vec<Instant> {
        let in_burst = self.bursts.is_some_and(|(period, length)| {
            let phase = since.as_millis().checked_rem(period.as_millis());
            phase.is_some_and(|phase| phase < length.as_millis())
        });
        if self.cut || in_burst || random.chance(self.loss) {
            return Vec::new();
        }
        let jitter = u64::try_from(self.jitter.as_micros()).unwrap_or(u64::MAX);
        let mut at = now + self.latency + Duration::from_micros(random.below(jitter));
        if random.chance(self.reordered) {
            at += Duration::from_millis(1 + random.below(40));
        } else {
            at = at.max(*latest);
            *latest = at;
        }
        let again = random
            .chance(self.duplicated)
            .then(|| at + Duration::from_millis(random.below(30)));
        [Some(at), again].into_iter().flatten().collect()
    }
}

/// The paths of all participants.
#[derive(Debug)]
pub struct Network {
    up: BTreeMap<String, Path>,
    down: BTreeMap<String, Path>,
    latest: BTreeMap<(String, bool), Instant>,
    /// When a narrow path is free again.
    busy: BTreeMap<(String, bool), Instant>,
    random: Random,
}

impl Network {
    pub(super) fn new() -> Self {
        Self {
            up: BTreeMap::new(),
            down: BTreeMap::new(),
            latest: BTreeMap::new(),
            busy: BTreeMap::new(),
            random: Random::new(1),
        }
    }

    /// Chooses another run of chance.
    pub fn seed(&mut self, seed: u64) {
        self.random = Random::new(seed);
    }

    /// The way from a participant to its shard.
    pub fn up(&mut self, name: &str) -> &mut Path {
        self.up.entry(name.to_owned()).or_default()
    }

    /// The way from a shard to a participant.
    pub fn down(&mut self, name: &str) -> &mut Path {
        self.down.entry(name.to_owned()).or_default()
    }

    /// Both ways.
    pub fn both(&mut self, name: &str, path: &Path) {
        *self.up(name) = path.clone();
        *self.down(name) = path.clone();
    }

    /// Everything is as it should be again.
    pub fn heal(&mut self) {
        self.up.clear();
        self.down.clear();
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.up.remove(name);
        self.down.remove(name);
        self.latest.retain(|(of, _), _| of != name);
        self.busy.retain(|(of, _), _| of != name);
    }

    /// When a datagram's copies arrive that a participant (`upwards`) or its shard sent now.
    pub(super) fn arrivals(
        &mut self,
        (name, upwards): (&str, bool),
        len: usize,
        since: Duration,
        now: Instant,
    ) -> Vec<Instant> {
        let paths = if upwards { &self.up } else { &self.down };
        match paths.get(name) {
            Some(path) if len > path.mtu => Vec::new(),
            Some(path) => {
                let way = (name.to_owned(), upwards);
                let free_at = self.busy.entry(way.clone()).or_insert(now);
                let Some(wait) = path.wait(len, free_at, now) else {
                    return Vec::new();
                };
                let latest = self.latest.entry(way).or_insert(now);
                path.arrivals(&mut self.random, latest, since, now + wait)
            }
            None => vec![now + LATENCY],
        }
    }
}
