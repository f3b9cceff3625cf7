//! Whether arrivals fall behind: the slope of the queueing delay.
//!
//! In: send and arrival time of packets. Out: whether the way is overused.
//! Packets sent within a few milliseconds count as one: they queue behind each other anyway.
//! See: draft-ietf-rmcat-gcc-02 5.3 to 5.5.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const BURST: Duration = Duration::from_millis(5);
/// Bursts the slope is taken over.
const WINDOW: usize = 20;
/// Weight of the past when delays are smoothed.
const SMOOTHING: f64 = 0.9;
const GAIN: f64 = 4.0;
/// The slope counts more the more bursts it rests on, up to so many.
const MOST_WEIGHT: f64 = 60.0;
/// Overuse has to last so long, in ms.
const OVERUSE_MS: f64 = 10.0;

/// What the delay says of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    Normal,
    /// A queue grows.
    Over,
    /// A queue shrinks.
    Under,
}

/// Follows the queueing delay of one way.
#[derive(Debug)]
pub(super) struct Trend {
    /// Of the current burst: first send, last send, last arrival (us).
    burst: Option<(Instant, Instant, i64)>,
    /// Of the burst before: last send, last arrival (us).
    previous: Option<(Instant, i64)>,
    delay_ms: f64,
    smoothed_ms: f64,
    /// Arrival in ms since the first, smoothed delay in ms.
    points: VecDeque<(f64, f64)>,
    first_arrival: Option<i64>,
    bursts: f64,
    threshold: f64,
    over_ms: f64,
    last_slope: f64,
    usage: Usage,
}

impl Default for Trend {
    fn default() -> Self {
        Self {
            burst: None,
            previous: None,
            delay_ms: 0.0,
            smoothed_ms: 0.0,
            points: VecDeque::with_capacity(WINDOW),
            first_arrival: None,
            bursts: 0.0,
            threshold: 12.5,
            over_ms: 0.0,
            last_slope: 0.0,
            usage: Usage::Normal,
        }
    }
}

impl Trend {
    pub(super) const fn usage(&self) -> Usage {
        self.usage
    }

    /// Takes a packet that arrived, in the order sent. `arrived` in us of the receiver's clock.
    pub(super) fn arrived(&mut self, sent_at: Instant, arrived: i64) {
        match &mut self.burst {
            Some((first, last, at)) if sent_at.saturating_duration_since(*first) <= BURST => {
                *last = sent_at.max(*last);
                *at = arrived.max(*at);
            }
            Some((_, last, at)) => {
                let ended = (*last, *at);
                self.burst = Some((sent_at, sent_at, arrived));
                self.burst_ended(ended);
            }
            None => self.burst = Some((sent_at, sent_at, arrived)),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "microseconds of one call")]
    fn burst_ended(&mut self, (sent_at, arrived): (Instant, i64)) {
        let first_arrival = *self.first_arrival.get_or_insert(arrived);
        let Some((sent_before, arrived_before)) = self.previous.replace((sent_at, arrived)) else {
            return;
        };
        let sent_ms = sent_at.saturating_duration_since(sent_before).as_secs_f64() * 1000.0;
        let arrived_ms = (arrived - arrived_before) as f64 / 1000.0;
        self.bursts += 1.0;
        self.delay_ms += arrived_ms - sent_ms;
        self.smoothed_ms = SMOOTHING * self.smoothed_ms + (1.0 - SMOOTHING) * self.delay_ms;
        if self.points.len() == WINDOW {
            self.points.pop_front();
        }
        let time_ms = (arrived - first_arrival) as f64 / 1000.0;
        self.points.push_back((time_ms, self.smoothed_ms));
        if let Some(slope) = slope(&self.points).filter(|_| self.points.len() == WINDOW) {
            self.judge(slope, sent_ms.clamp(0.0, 100.0));
        }
    }

    fn judge(&mut self, slope: f64, passed_ms: f64) {
        let weighted = slope * self.bursts.min(MOST_WEIGHT) * GAIN;
        if weighted > self.threshold {
            self.over_ms += passed_ms;
            if self.over_ms > OVERUSE_MS && slope >= self.last_slope {
                self.over_ms = 0.0;
                self.usage = Usage::Over;
            }
        } else {
            self.over_ms = 0.0;
            self.usage = if weighted < -self.threshold {
                Usage::Under
            } else {
                Usage::Normal
            };
        }
        self.last_slope = slope;
        // The threshold follows what is usual here, except for outliers.
        let distance = weighted.abs() - self.threshold;
        if distance < 15.0 {
            let pace = if distance < 0.0 { 0.039 } else { 0.0087 };
            self.threshold = (self.threshold + pace * distance * passed_ms).clamp(6.0, 600.0);
        }
    }
}

/// Least squares over (x, y); `None` when all x are equal.
#[expect(clippy::cast_precision_loss, reason = "at most 20 points")]
fn slope(points: &VecDeque<(f64, f64)>) -> Option<f64> {
    let n = points.len() as f64;
    let (sum_x, sum_y) = points
        .iter()
        .fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let (above, below) = points.iter().fold((0.0, 0.0), |(above, below), (x, y)| {
        let distance = x - mean_x;
        (above + distance * (y - mean_y), below + distance * distance)
    });
    (below > 0.0).then(|| above / below)
}
