//! Where a packet belongs on the recording's timeline: the sender's clock, tied to arrival.
//!
//! In: RTP timestamps and arrival times of one stream, in order. Out: microseconds since the
//! recording's zero. Pure.
//! The sender's clock gives the distance between packets; arrival gives the place. The smallest
//! delay seen is taken as the path's; a slow drift is followed in small steps. A jump of more than
//! `JUMP_US` between the two clocks (a browser that stopped its clock while muted, a new sender)
//! ties them anew.
//! Sender reports are not used: every stream of a call comes through one server, whose reports
//! name its own clock, and arrival names the same instant.

/// A difference between the clocks above this is a jump, in microseconds.
const JUMP_US: i64 = 1_000_000;
/// The drift is looked at once in so many microseconds of arrival.
const WINDOW_US: i64 = 5_000_000;
/// Largest correction of the drift per window, in microseconds.
const STEP_US: i64 = 5_000;

/// The timeline of one stream.
#[derive(Debug)]
pub struct Timeline {
    ticks_per_second: u32,
    /// Place of RTP time zero.
    offset_us: Option<i64>,
    window_began_us: i64,
    least_delay_us: i64,
    last_us: i64,
}

impl Timeline {
    /// Makes the timeline of a stream with the given RTP clock.
    #[must_use]
    pub fn new(ticks_per_second: u32) -> Self {
        Self {
            ticks_per_second: ticks_per_second.max(1),
            offset_us: None,
            window_began_us: 0,
            least_delay_us: i64::MAX,
            last_us: i64::MIN,
        }
    }

    /// Places a packet. Later packets never go before earlier ones.
    pub fn place(&mut self, time: u64, arrival_us: i64) -> i64 {
        let media_us = self.media_us(time);
        let offset = match self.offset_us {
            Some(offset) => offset,
            None => self.tie(media_us, arrival_us),
        };
        let delay = arrival_us.saturating_sub(media_us.saturating_add(offset));
        let offset = if delay.abs() > JUMP_US {
            self.tie(media_us, arrival_us)
        } else {
            self.adjust(offset, delay, arrival_us)
        };
        let placed = media_us.saturating_add(offset).max(self.last_us);
        self.last_us = placed;
        placed
    }

    fn media_us(&self, time: u64) -> i64 {
        let us = u128::from(time) * 1_000_000 / u128::from(self.ticks_per_second);
        i64::try_from(us).unwrap_or(i64::MAX / 2)
    }

    fn tie(&mut self, media_us: i64, arrival_us: i64) -> i64 {
        let offset = arrival_us.saturating_sub(media_us);
        self.offset_us = Some(offset);
        self.window_began_us = arrival_us;
        self.least_delay_us = i64::MAX;
        offset
    }

    fn adjust(&mut self, offset: i64, delay: i64, arrival_us: i64) -> i64 {
        self.least_delay_us = self.least_delay_us.min(delay);
        let adjusted = if delay < 0 {
            // It came sooner than the path seemed to allow: the first packet had been held up.
            offset.saturating_add(delay.max(-STEP_US))
        } else if arrival_us.saturating_sub(self.window_began_us) >= WINDOW_US {
            let step = self.least_delay_us.clamp(0, STEP_US);
            self.window_began_us = arrival_us;
            self.least_delay_us = i64::MAX;
            offset.saturating_add(step)
        } else {
            offset
        };
        self.offset_us = Some(adjusted);
        adjusted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_of_arrival_does_not_move_the_sound() {
        let mut timeline = Timeline::new(48_000);
        let mut jitter = [0, 30_000, 7_000, 55_000, 1_000].into_iter().cycle();
        for n in 0..500i64 {
            let arrival = 1_000_000 + n * 20_000 + jitter.next().unwrap();
            let placed = timeline.place(n.unsigned_abs() * 960, arrival);
            assert!(
                (placed - 1_000_000 - n * 20_000).abs() <= 1_000,
                "packet {n}"
            );
        }
    }

    #[test]
    fn a_first_packet_that_was_held_up_is_corrected_in_small_steps() {
        let mut timeline = Timeline::new(48_000);
        timeline.place(0, 200_000);
        let mut last = 0;
        for n in 1..100i64 {
            last = timeline.place(n.unsigned_abs() * 960, n * 20_000);
        }
        assert!((last - 99 * 20_000).abs() < 2_000);
    }

    #[test]
    fn a_clock_that_stopped_while_muted_is_tied_anew() {
        let mut timeline = Timeline::new(48_000);
        timeline.place(48_000, 1_000_000);
        // One packet later by the sender's clock, a minute later by ours.
        assert_eq!(timeline.place(48_960, 61_000_000), 61_000_000);
        // A clock that ran on while nothing was sent needs no correction.
        let next = 48_960 + 48_000 * 30;
        assert_eq!(timeline.place(next, 91_000_000), 91_000_000);
    }

    #[test]
    fn a_sender_whose_clock_is_fast_is_followed() {
        let mut timeline = Timeline::new(48_000);
        let mut placed = 0;
        // 300 ppm fast for ten minutes.
        for n in 0..30_000i64 {
            placed = timeline.place(n.unsigned_abs() * 960, n * 20_000 - n * 6);
        }
        let true_us = 29_999 * 20_000 - 29_999 * 6;
        assert!((placed - true_us).abs() < 5_000);
    }

    #[test]
    fn time_never_runs_backwards() {
        let mut timeline = Timeline::new(90_000);
        let mut last = i64::MIN;
        for (time, arrival) in [
            (0, 0),
            (9_000, 100),
            (9_000, 9_000_000),
            (0, 10),
            (u64::MAX, 5),
        ] {
            let placed = timeline.place(time, arrival);
            assert!(placed >= last);
            last = placed;
        }
    }
}
