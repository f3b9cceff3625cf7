//! A bottleneck in a few lines: packets queue for a link of known rate.

use super::*;
use crate::session::test_epoch;

struct Link {
    log: TransportLog,
    estimator: Estimator,
    now: Instant,
    /// When the link is free again, in us.
    free_at: i64,
    bits_per_us: f64,
    lose_every: Option<u32>,
    sent: u32,
}

impl Link {
    fn new(bits_per_second: f64) -> Self {
        Self {
            log: TransportLog::default(),
            estimator: Estimator::default(),
            now: test_epoch(),
            free_at: 0,
            bits_per_us: bits_per_second / 1e6,
            lose_every: None,
            sent: 0,
        }
    }

    /// Sends at a rate for some seconds, with feedback every 50 ms.
    #[expect(clippy::cast_possible_truncation, reason = "a test of a few seconds")]
    fn send(&mut self, bits_per_second: f64, seconds: f64) {
        const PACKET: usize = 1000;
        let gap = Duration::from_secs_f64(8.0 * 1000.0 / bits_per_second);
        let end = self.now + Duration::from_secs_f64(seconds);
        let mut feedback: Option<TransportFeedback> = None;
        let mut next_feedback = self.now + Duration::from_millis(50);
        while self.now < end {
            let number = self.log.sent(self.now, PACKET);
            let now_us = self.now.duration_since(test_epoch()).as_micros() as i64;
            let takes = (8.0 * 1000.0 / self.bits_per_us) as i64;
            self.free_at = self.free_at.max(now_us) + takes;
            self.sent += 1;
            let is_lost = self.lose_every.is_some_and(|n| self.sent.is_multiple_of(n));
            let feedback = feedback.get_or_insert(TransportFeedback {
                first: number,
                arrivals: Vec::new(),
            });
            feedback.arrivals.push((!is_lost).then_some(self.free_at));
            if self.now >= next_feedback {
                let reports = self.log.reported(self.now, &std::mem::take(feedback));
                self.estimator.reported(self.now, &reports);
                next_feedback = self.now + Duration::from_millis(50);
                feedback.first = number.wrapping_add(1);
            }
            self.now += gap;
        }
    }
}

#[test]
fn a_link_with_room_is_believed_up_to_half_as_much_again() {
    let mut link = Link::new(5e6);
    link.send(500_000.0, 20.0);
    let estimate = link.estimator.bits_per_second();
    assert!((600_000.0..850_000.0).contains(&estimate), "{estimate}");
}

#[test]
fn a_full_link_is_noticed_within_two_seconds() {
    let mut link = Link::new(1e6);
    link.send(500_000.0, 10.0);
    link.estimator.expect(2.5e6);
    link.send(2.5e6, 2.0);
    let estimate = link.estimator.bits_per_second();
    assert!(estimate < 0.9 * 2.5e6, "{estimate}");
    assert!(estimate > 500_000.0, "{estimate}");
}

#[test]
fn heavy_loss_counts_and_light_loss_does_not() {
    let mut link = Link::new(5e6);
    link.estimator.expect(2.5e6);
    link.lose_every = Some(25);
    link.send(2.5e6, 5.0);
    assert!(link.estimator.bits_per_second() > 0.9 * 2.5e6);
    link.lose_every = Some(4);
    link.send(2.5e6, 5.0);
    assert!(link.estimator.bits_per_second() < 1.5e6);
}

#[test]
fn what_the_receiver_allows_is_not_exceeded() {
    let mut link = Link::new(5e6);
    link.estimator.expect(2.5e6);
    link.estimator.limit(700_000);
    link.send(2.5e6, 1.0);
    assert!((link.estimator.bits_per_second() - 700_000.0).abs() < 1.0);
}

#[test]
fn a_packet_is_reported_once_and_an_old_one_never() {
    let now = test_epoch();
    let mut log = TransportLog::default();
    for _ in 0..3000 {
        log.sent(now, 10);
    }
    let about = |first| TransportFeedback {
        first,
        arrivals: vec![Some(1), None],
    };
    assert_eq!(log.reported(now, &about(2990)).len(), 2);
    assert_eq!(log.reported(now, &about(2990)).len(), 0);
    assert_eq!(log.reported(now, &about(1000)).len(), 0);
    assert_eq!(log.reported(now, &about(5000)).len(), 0, "never sent");
}
