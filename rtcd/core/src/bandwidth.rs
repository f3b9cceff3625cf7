//! How much one participant's network can take: sent packets against reported arrivals.
//!
//! In: transport-wide feedback about the video we sent. Out: an estimate in bit/s.
//! Two judges, the lower one counts. By delay (`trend`): a queue that grows anywhere on the way shows
//! as arrivals that fall behind, before anything is lost. By loss: only heavy loss counts, since
//! little is repaired. Additive care on the way up, a cut below what arrived on the way down.
//! See: draft-ietf-rmcat-gcc-02.

mod rate;
mod trend;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rtcd_srtp::twcc::TransportFeedback;

pub(crate) use rate::RateMeter;
use trend::{Trend, Usage};

/// Packets remembered until their arrival is reported: about 4 s of one screen.
const LOG_LEN: u64 = 1024;
/// What an estimate starts from, and never goes below, in bit/s.
pub(crate) const LOWEST: f64 = 250_000.0;
/// What an estimate never goes above, in bit/s.
pub(crate) const HIGHEST: f64 = 3_750_000.0;
/// What arrives is averaged over so long: short, because it is asked when the rate has just changed.
const RATE_WINDOW_US: i64 = 300_000;

/// What became of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PacketReport {
    pub(crate) sent_at: Instant,
    pub(crate) bytes: usize,
    /// Microseconds of the receiver's clock; `None` when it was lost.
    pub(crate) arrived: Option<i64>,
}

/// Numbers packets of one connection and remembers when they were sent.
#[derive(Debug)]
pub(crate) struct TransportLog {
    next: u64,
    sent: Box<[Option<(Instant, usize)>]>,
}

impl Default for TransportLog {
    fn default() -> Self {
        Self {
            next: 0,
            sent: (0..LOG_LEN).map(|_| None).collect(),
        }
    }
}

impl TransportLog {
    /// Gives a packet its number on the wire.
    pub(crate) fn sent(&mut self, now: Instant, bytes: usize) -> u16 {
        let number = self.next;
        self.next += 1;
        if let Some(place) = self.place(number) {
            *place = Some((now, bytes));
        }
        u16::try_from(number & 0xffff).unwrap_or(0)
    }

    /// Returns what became of the packets a feedback message is about, each once.
    pub(crate) fn reported(
        &mut self,
        now: Instant,
        feedback: &TransportFeedback,
    ) -> Vec<PacketReport> {
        let mut reports = Vec::new();
        let newest = self.next.wrapping_sub(1);
        for (offset, arrived) in (0u64..).zip(&feedback.arrivals) {
            let wire = u64::from(feedback.first).wrapping_add(offset) & 0xffff;
            let behind = newest.wrapping_sub(wire) & 0xffff;
            let Some(number) = newest.checked_sub(behind).filter(|_| behind < LOG_LEN) else {
                continue;
            };
            let Some((sent_at, bytes)) = self.place(number).and_then(Option::take) else {
                continue;
            };
            reports.push(PacketReport {
                sent_at: sent_at.min(now),
                bytes,
                arrived: *arrived,
            });
        }
        reports
    }

    fn place(&mut self, number: u64) -> Option<&mut Option<(Instant, usize)>> {
        self.sent.get_mut(usize::try_from(number % LOG_LEN).ok()?)
    }
}

/// Estimates what one participant's network can take.
#[derive(Debug)]
pub(crate) struct Estimator {
    by_delay: f64,
    by_loss: f64,
    /// What the receiver itself says it can take.
    limit: f64,
    trend: Trend,
    /// Arrivals of the last `RATE_WINDOW_US`: time, bytes.
    arrivals: VecDeque<(i64, usize)>,
    received: usize,
    last_update: Option<Instant>,
    /// Packets lost and reported since the loss was judged.
    lost: u32,
    reported: u32,
}

impl Default for Estimator {
    fn default() -> Self {
        Self {
            by_delay: LOWEST,
            by_loss: HIGHEST,
            limit: HIGHEST,
            trend: Trend::default(),
            arrivals: VecDeque::new(),
            received: 0,
            last_update: None,
            lost: 0,
            reported: 0,
        }
    }
}

impl Estimator {
    /// The estimate in bit/s.
    pub(crate) fn bits_per_second(&self) -> f64 {
        let estimate = self.by_delay.min(self.by_loss).min(self.limit);
        estimate.clamp(LOWEST, HIGHEST)
    }

    /// The estimate by loss alone.
    pub(crate) const fn by_loss(&self) -> f64 {
        self.by_loss
    }

    /// Begins again from a rate that is about to be sent.
    pub(crate) const fn expect(&mut self, bits_per_second: f64) {
        self.by_delay = bits_per_second.clamp(LOWEST, HIGHEST);
        self.by_loss = HIGHEST;
        self.lost = 0;
        self.reported = 0;
    }

    /// The receiver says what it can take.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate in bit/s is far below 2^52"
    )]
    pub(crate) const fn limit(&mut self, bits_per_second: u64) {
        self.limit = bits_per_second as f64;
    }

    /// Takes what became of packets.
    pub(crate) fn reported(&mut self, now: Instant, reports: &[PacketReport]) {
        for report in reports {
            self.reported += 1;
            match report.arrived {
                Some(arrived) => {
                    self.count(arrived, report.bytes);
                    self.trend.arrived(report.sent_at, arrived);
                }
                None => self.lost += 1,
            }
        }
        let passed = self
            .last_update
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.last_update = Some(now);
        self.judge_delay(passed.min(Duration::from_secs(1)));
        self.judge_loss();
    }

    fn count(&mut self, arrived: i64, bytes: usize) {
        self.arrivals.push_back((arrived, bytes));
        self.received += bytes;
        while let Some((at, bytes)) = self.arrivals.front().copied()
            && at < arrived - RATE_WINDOW_US
        {
            self.arrivals.pop_front();
            self.received -= bytes;
        }
    }

    /// What arrived, in bit/s; `None` before there is enough to say.
    #[expect(clippy::cast_precision_loss, reason = "bytes and times of one second")]
    fn received_rate(&self) -> Option<f64> {
        let (first, _) = self.arrivals.front()?;
        let (last, _) = self.arrivals.back()?;
        let span = last - first;
        (span > RATE_WINDOW_US / 4).then(|| self.received as f64 * 8e6 / span as f64)
    }

    fn judge_delay(&mut self, passed: Duration) {
        match self.trend.usage() {
            Usage::Over => {
                let received = self.received_rate().unwrap_or(self.by_delay);
                self.by_delay = (0.85 * received).min(self.by_delay);
            }
            // The queue empties: what is sent now is right.
            Usage::Under => {}
            Usage::Normal => {
                let grown = self.by_delay * 1.08_f64.powf(passed.as_secs_f64());
                // More than half as much again as was tried says nothing.
                let most = self
                    .received_rate()
                    .map_or(grown, |rate| (1.5 * rate + 10_000.0).max(self.by_delay));
                self.by_delay = grown.min(most);
            }
        }
        self.by_delay = self.by_delay.clamp(LOWEST, HIGHEST);
    }

    fn judge_loss(&mut self) {
        if self.reported < 20 {
            return;
        }
        let share = f64::from(self.lost) / f64::from(self.reported);
        if share > 0.1 {
            let from = self.by_loss.min(self.by_delay);
            self.by_loss = (from * (1.0 - 0.5 * share)).max(LOWEST);
        } else if share < 0.02 {
            self.by_loss = (self.by_loss * 1.05).min(HIGHEST);
        }
        self.lost = 0;
        self.reported = 0;
    }
}

#[cfg(test)]
mod tests;
