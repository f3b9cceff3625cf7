//! What time it is for records: what the wall clock says, whatever it said before.
//!
//! In: the wall clock, and for how long this process has run. Out: Unix milliseconds for records,
//! and what became of the clock: set forward or back.
//! Records are ordered by their sequence number, never by these times. While the clock behaves,
//! each time is given out once and later than those before; a small step back (a correction by NTP)
//! is waited out, a large one is taken as it is, so that one wrong hour does not date everything
//! after it.
//! See: NIST SP 800-53 AU-8.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A step back that is waited out by counting on from the last time, in milliseconds. More keeps
/// the times of records in order over larger corrections, and ahead of the clock for longer.
const WAITED_OUT_MS: i64 = 10_000;
/// How far the wall clock may part from the time that passed before somebody should know.
const JUMP_MS: i64 = 10_000;
/// Steps back that are remembered.
const MAX_STEPS: usize = 100;

/// Where the time of day comes from, in Unix milliseconds.
#[derive(Clone)]
pub struct WallClock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl WallClock {
    /// Any source; for tests.
    pub fn from_fn(source: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    pub(super) fn now_ms(&self) -> i64 {
        (self.0)()
    }
}

impl Default for WallClock {
    /// The machine's clock.
    fn default() -> Self {
        Self::from_fn(|| {
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
            i64::try_from(since_epoch.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
        })
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallClock")
    }
}

/// A time at which the clock was set back. Between `to_ms` and `from_ms` a time of a record may
/// mean an earlier or a later record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StepBack {
    /// The last time given out before it.
    pub(crate) from_ms: i64,
    /// The first time given out after it.
    pub(crate) to_ms: i64,
}

#[derive(Debug)]
pub(super) struct Clock {
    wall: WallClock,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    last_ms: i64,
    /// When the wall clock was last compared with the time that passed, and what it said.
    compared: (Instant, i64),
    steps: Vec<StepBack>,
    /// How many of `steps` are kept in the records.
    kept: usize,
}

impl Clock {
    /// `last_ms` is the time of the last record; `steps` are those in the records, oldest first.
    pub(super) fn new(wall: WallClock, last_ms: i64, steps: Vec<StepBack>, now: Instant) -> Self {
        let compared = (now, wall.now_ms());
        let state = State {
            last_ms,
            compared,
            kept: steps.len(),
            steps,
        };
        Self {
            wall,
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time for a record.
    pub(super) fn now_ms(&self) -> i64 {
        let wall = self.wall.now_ms();
        let mut state = self.state();
        let last = state.last_ms;
        if wall < last.saturating_sub(WAITED_OUT_MS) {
            state.steps.push(StepBack {
                from_ms: last,
                to_ms: wall,
            });
            state.last_ms = wall;
        } else {
            state.last_ms = wall.max(last.saturating_add(1));
        }
        state.last_ms
    }

    /// What the wall clock says.
    pub(super) fn wall_ms(&self) -> i64 {
        self.wall.now_ms()
    }

    /// By how many milliseconds the clock was set forward (or back, below zero) since the last
    /// comparison, if that is worth a word.
    pub(super) fn jump_ms(&self, now: Instant) -> Option<i64> {
        let wall = self.wall.now_ms();
        let mut state = self.state();
        let (before, wall_before) = std::mem::replace(&mut state.compared, (now, wall));
        let passed = now.saturating_duration_since(before);
        let passed = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        let jump = wall.saturating_sub(wall_before).saturating_sub(passed);
        (jump.abs() > JUMP_MS).then_some(jump)
    }

    /// The time from which on everything changed that changed after `since`, by whichever setting
    /// of the clock `since` was read. May name more than asked for, never less.
    pub(super) fn not_after(&self, since: i64) -> i64 {
        let state = self.state();
        let steps = state.steps.iter().rev();
        steps.fold(since, |since, step| {
            let is_between = step.to_ms <= since && since <= step.from_ms;
            if is_between { step.to_ms - 1 } else { since }
        })
    }

    /// The steps that the records do not hold yet; `are_kept` says when they do.
    pub(super) fn steps_to_keep(&self) -> Vec<StepBack> {
        let state = self.state();
        state.steps.get(state.kept..).unwrap_or_default().to_vec()
    }

    pub(super) fn are_kept(&self, count: usize) {
        let mut state = self.state();
        state.kept = state.kept.saturating_add(count).min(state.steps.len());
        let surplus = state.kept.saturating_sub(MAX_STEPS);
        state.steps.drain(..surplus);
        state.kept -= surplus;
    }
}

/// How a jump is told to an operator.
pub(super) fn in_words(jump_ms: i64) -> String {
    let by = Duration::from_millis(jump_ms.unsigned_abs());
    let way = if jump_ms > 0 { "forward" } else { "back" };
    format!("{way} by {} s", by.as_secs())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    const DAY_MS: i64 = 24 * 3600 * 1000;

    struct Hand {
        time: Arc<AtomicI64>,
        clock: Clock,
        began: Instant,
    }

    fn clock_at(ms: i64, last_ms: i64) -> Hand {
        let time = Arc::new(AtomicI64::new(ms));
        let source = time.clone();
        let wall = WallClock::from_fn(move || source.load(Ordering::Relaxed));
        let began = Instant::now();
        let clock = Clock::new(wall, last_ms, Vec::new(), began);
        Hand { time, clock, began }
    }

    #[test]
    fn times_are_given_out_once_and_small_corrections_are_waited_out() {
        let hand = clock_at(1_000_000, 0);
        assert_eq!(hand.clock.now_ms(), 1_000_000);
        assert_eq!(hand.clock.now_ms(), 1_000_001);
        hand.time.store(995_000, Ordering::Relaxed);
        assert_eq!(hand.clock.now_ms(), 1_000_002);
        hand.time.store(1_000_500, Ordering::Relaxed);
        assert_eq!(hand.clock.now_ms(), 1_000_500);
        assert_eq!(hand.clock.steps_to_keep(), []);
    }

    #[test]
    fn a_jump_forward_and_back_dates_nothing_after_it_in_the_future() {
        let today = 1_800_000_000_000;
        let hand = clock_at(today, 0);
        hand.clock.now_ms();
        hand.time.store(today + 400 * DAY_MS, Ordering::Relaxed);
        let future = hand.clock.now_ms();
        assert_eq!(future, today + 400 * DAY_MS);
        hand.time.store(today + 60_000, Ordering::Relaxed);
        assert_eq!(hand.clock.now_ms(), today + 60_000);
        let step = StepBack {
            from_ms: future,
            to_ms: today + 60_000,
        };
        assert_eq!(hand.clock.steps_to_keep(), [step]);
        hand.clock.are_kept(1);
        assert_eq!(hand.clock.steps_to_keep(), []);
        // who knew the record of the future hears of everything after the step
        assert_eq!(hand.clock.not_after(future), today + 59_999);
        assert_eq!(hand.clock.not_after(today + 90_000), today + 59_999);
        assert_eq!(hand.clock.not_after(today), today);
        assert_eq!(hand.clock.not_after(future + 1), future + 1);
    }

    #[test]
    fn a_clock_set_back_while_the_server_was_off_is_found_at_the_start() {
        let hand = clock_at(5 * DAY_MS, 7 * DAY_MS);
        assert_eq!(hand.clock.now_ms(), 5 * DAY_MS);
        assert_eq!(hand.clock.steps_to_keep().len(), 1);
    }

    #[test]
    fn jumps_are_told_once_and_the_passing_of_time_is_none() {
        let hand = clock_at(1_000_000, 0);
        let minute = Duration::from_secs(60);
        hand.time.fetch_add(60_000, Ordering::Relaxed);
        assert_eq!(hand.clock.jump_ms(hand.began + minute), None);
        hand.time.fetch_add(3_660_000, Ordering::Relaxed);
        let jump = hand.clock.jump_ms(hand.began + 2 * minute).unwrap();
        assert_eq!(in_words(jump), "forward by 3600 s");
        assert_eq!(hand.clock.jump_ms(hand.began + 2 * minute), None);
        hand.time.fetch_sub(3_600_000, Ordering::Relaxed);
        let jump = hand.clock.jump_ms(hand.began + 2 * minute).unwrap();
        assert_eq!(in_words(jump), "back by 3600 s");
    }

    #[test]
    fn a_clock_that_never_behaves_costs_a_bounded_memory() {
        let hand = clock_at(DAY_MS, 0);
        for turn in 0..500 {
            hand.time.store(DAY_MS * (1 + turn % 2), Ordering::Relaxed);
            hand.clock.now_ms();
            hand.clock.are_kept(hand.clock.steps_to_keep().len());
        }
        assert_eq!(hand.clock.state().steps.len(), MAX_STEPS);
    }
}
