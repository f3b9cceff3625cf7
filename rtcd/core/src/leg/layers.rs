//! Which simulcast layer each participant gets.
//!
//! In: what participants report about what they receive. Out: wishes; the change itself is made in
//! place at the next keyframe of the other layer (`outbound`), so that a viewer never waits for a
//! picture: until then it goes on with the layer it has.
//! The estimate counts where the participant sends transport-wide feedback, otherwise its loss.

use std::time::{Duration, Instant};

use super::member::Line;
use super::{Ctx, Leg};
use crate::bandwidth::Estimator;
use crate::egress::Feedback;
use crate::keyframes::Need;
use crate::session::Layer;

/// What a browser sends as high layer, in bit/s: assumed until it was measured.
const HIGH_RATE: f64 = 2_500_000.0;
/// A layer fits while the estimate is above this share of its rate.
const FITS: f64 = 0.9;
/// Shortest time between two judgements.
const JUDGE_EVERY: Duration = Duration::from_secs(1);
/// A queue that grows for so long is no moment's trouble, even if nothing is lost yet.
const PATIENCE: Duration = Duration::from_secs(3);
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
const LONGEST_BACKOFF: Duration = Duration::from_secs(600);
/// Reported loss above which the low layer is taken, where there is no estimate.
const DOWN_ABOVE: f64 = 0.08;
/// Reported loss below which the high layer is tried, where there is no estimate.
const UP_BELOW: f64 = 0.02;

/// Which layer one participant should get.
#[derive(Debug)]
pub(super) struct LayerChoice {
    layer: Layer,
    /// The next way up is tried no earlier.
    not_before: Instant,
    backoff: Duration,
    next_judgement: Instant,
    too_much_since: Option<Instant>,
    /// From the first transport-wide feedback on.
    estimator: Option<Box<Estimator>>,
}

impl LayerChoice {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            layer: Layer::Low,
            not_before: now,
            backoff: FIRST_BACKOFF,
            next_judgement: now,
            too_much_since: None,
            estimator: None,
        }
    }

    pub(super) const fn layer(&self) -> Layer {
        self.layer
    }

    /// Takes the loss a participant reports; true when the wish changed. Going down is never
    /// delayed, each change makes the next way up wait longer.
    fn loss(&mut self, now: Instant, ratio: f64) -> bool {
        if self.estimator.is_some() {
            return false;
        }
        match self.layer {
            Layer::High if ratio > DOWN_ABOVE => self.change(now, Layer::Low),
            Layer::Low if ratio < UP_BELOW && now >= self.not_before => {
                self.change(now, Layer::High);
            }
            Layer::High | Layer::Low => return false,
        }
        true
    }

    /// Judges the estimate against what the current layer sends; true when the wish changed.
    fn judge(&mut self, now: Instant, current_rate: Option<f64>, high_rate: Option<f64>) -> bool {
        let (Some(estimator), Some(rate)) = (&mut self.estimator, current_rate) else {
            return false;
        };
        let fits = estimator.bits_per_second() > FITS * rate;
        match self.layer {
            Layer::High if fits => {
                self.too_much_since = None;
                false
            }
            Layer::High => {
                let since = *self.too_much_since.get_or_insert(now);
                let is_lossy = estimator.by_loss() <= FITS * rate;
                if !is_lossy && now < since + PATIENCE {
                    return false;
                }
                self.change(now, Layer::Low);
                true
            }
            Layer::Low if fits && now >= self.not_before => {
                estimator.expect(high_rate.unwrap_or(HIGH_RATE));
                self.change(now, Layer::High);
                true
            }
            Layer::Low => false,
        }
    }

    fn change(&mut self, now: Instant, layer: Layer) {
        self.layer = layer;
        self.too_much_since = None;
        self.not_before = now + self.backoff;
        self.backoff = self.backoff.mul_f64(1.5).min(LONGEST_BACKOFF);
    }
}

impl Leg {
    /// Takes what a participant says about everything it receives.
    pub(super) fn reported(&mut self, ctx: &mut Ctx<'_>, index: u32, said: &Feedback) {
        let now = ctx.now;
        let Some(member) = self.member(index) else {
            return;
        };
        let choice = &mut member.layer_choice;
        match said {
            Feedback::Arrivals(reports) => {
                let estimator = choice.estimator.get_or_insert_default();
                estimator.reported(now, reports);
                if now >= choice.next_judgement {
                    choice.next_judgement = now + JUDGE_EVERY;
                    self.judge_layer(ctx, index);
                }
            }
            Feedback::BitrateLimit(bits_per_second) => {
                if let Some(estimator) = &mut choice.estimator {
                    estimator.limit(*bits_per_second);
                }
            }
            // Loss is in the arrivals, or comes over the data channel; the rest acts elsewhere.
            Feedback::Reception(_) | Feedback::Nack { .. } | Feedback::KeyframeWanted { .. } => {}
        }
    }

    fn judge_layer(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        let shown: Vec<u32> = self.member(index).map_or_else(Vec::new, |member| {
            member.lines.iter().filter_map(Line::shows).collect()
        });
        let layered = shown
            .iter()
            .filter_map(|number| self.tracks.get(number))
            .find(|track| track.low.seen && track.high.seen);
        let Some(track) = layered else { return };
        let current = track
            .subscription_of(index)
            .and_then(|at| track.subscriptions.get(at))
            .map(|subscription| match subscription.layer {
                Layer::Low => track.low.rate.bits_per_second(),
                Layer::High => track.high.rate.bits_per_second(),
            });
        let high = track.high.rate.bits_per_second();
        let now = ctx.now;
        let changed = self
            .member(index)
            .is_some_and(|member| member.layer_choice.judge(now, current.flatten(), high));
        if changed {
            self.wish_layer(ctx, index);
        }
    }

    /// A participant reported its loss: it may be better off with another layer.
    pub(super) fn loss_reported(&mut self, ctx: &mut Ctx<'_>, index: u32, ratio: f64) {
        let now = ctx.now;
        let changed = self
            .member(index)
            .is_some_and(|member| member.layer_choice.loss(now, ratio));
        if changed {
            self.wish_layer(ctx, index);
        }
    }

    /// Makes a participant's wish that of its subscriptions, and asks for the keyframes they need.
    fn wish_layer(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        let Some(wish) = self.member(index).map(|member| member.layer_choice.layer) else {
            return;
        };
        let mut changed = Vec::new();
        for track in self.tracks.values_mut() {
            let is_layered = track.high.seen && track.low.seen;
            let Some(at) = track.subscription_of(index) else {
                continue;
            };
            if let Some(subscription) = track.subscriptions.get_mut(at) {
                subscription.wish = wish;
            }
            if is_layered {
                changed.push(track.number);
            }
        }
        for number in changed {
            self.request_keyframe(ctx, number, wish, Need::Picture);
        }
    }

    /// A second layer appeared: those who wish for it, and links, need its keyframe.
    pub(super) fn high_layer_began(&mut self, ctx: &mut Ctx<'_>, number: u32) {
        let wanted = !self.links.is_empty()
            || self.tracks.get(&number).is_some_and(|track| {
                track
                    .subscriptions
                    .iter()
                    .any(|subscription| subscription.wish == Layer::High)
            });
        if wanted {
            self.request_keyframe(ctx, number, Layer::High, Need::Picture);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_epoch;

    fn at(seconds: u64) -> Instant {
        test_epoch() + Duration::from_secs(seconds)
    }

    #[test]
    fn the_layer_follows_the_reported_loss_and_hesitates_on_the_way_up() {
        let mut choice = LayerChoice::new(at(0));
        assert!(!choice.loss(at(0), 0.05));
        assert!(choice.loss(at(1), 0.0));
        assert_eq!(choice.layer, Layer::High);
        assert!(!choice.loss(at(2), 0.05));
        assert!(choice.loss(at(3), 0.2));
        assert_eq!(choice.layer, Layer::Low);
        assert!(!choice.loss(at(12), 0.0), "15 s after the last change");
        assert!(choice.loss(at(18), 0.0));
    }

    #[test]
    fn the_layer_follows_the_estimate_where_there_is_one() {
        let mut choice = LayerChoice::new(at(0));
        let mut estimator = Estimator::default();
        estimator.expect(600_000.0);
        choice.estimator = Some(Box::new(estimator));
        assert!(!choice.loss(at(1), 0.0), "the estimate decides");
        assert!(!choice.judge(at(1), None, None), "rate not known yet");
        assert!(choice.judge(at(1), Some(500_000.0), Some(2e6)));
        assert_eq!(choice.layer, Layer::High);
        assert!(
            !choice.judge(at(2), Some(2e6), Some(2e6)),
            "it was expected"
        );
        choice.estimator.as_mut().unwrap().expect(1e6);
        assert!(
            !choice.judge(at(3), Some(2e6), Some(2e6)),
            "perhaps a moment"
        );
        assert!(choice.judge(at(6), Some(2e6), Some(2e6)));
        assert_eq!(choice.layer, Layer::Low);
        assert!(!choice.judge(at(7), Some(500_000.0), None), "15 s");
        assert!(choice.judge(at(22), Some(500_000.0), None));
    }
}
