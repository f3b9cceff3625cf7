//! Which simulcast layer each participant gets.
//!
//! In: what participants report about what they receive; layers that come and go. Out: wishes, and
//! the layer that is nearest to each of those that are there; the change itself is made in place at
//! the next keyframe of the other layer (`outbound`), so that a viewer never waits for a picture:
//! until then it goes on with the layer it has.
//! The estimate counts where the participant sends transport-wide feedback, otherwise its loss.
//! Over a link: the leg of the publisher says which layers are there, the leg of the viewers which
//! of them it needs.

use std::time::{Duration, Instant};

use super::tracks::{Origin, Track};
use super::{Ctx, Leg};
use crate::bandwidth::Estimator;
use crate::egress::Feedback;
use crate::io::{LinkMessage, Output};
use crate::keyframes::Need;
use crate::media::{Layer, LayerSet};

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

/// Where a participant stands among the layers of what it is shown.
#[derive(Debug, Clone, Copy)]
struct Standing {
    /// The one it is sent.
    layer: Layer,
    /// What that brings, in bit/s; `None` before it was measured.
    rate: Option<f64>,
    above: Option<(Layer, Option<f64>)>,
    below: Option<Layer>,
}

impl Standing {
    fn of(index: u32, track: &Track) -> Option<Self> {
        let alive = track.streams.alive();
        let at = track.subscription_of(index)?;
        let layer = track.subscriptions.get(at)?.layer;
        let rate = |layer| track.streams.get(layer)?.rate.bits_per_second();
        let above = alive.iter().find(|other| *other > layer);
        let below = alive.iter().rev().find(|other| *other < layer);
        (above.is_some() || below.is_some()).then(|| Self {
            layer,
            rate: rate(layer),
            above: above.map(|above| (above, rate(above))),
            below,
        })
    }
}

impl LayerChoice {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            layer: Layer::LOW,
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

    /// What its network takes, in bit/s, where that is known.
    pub(super) fn estimate(&self) -> Option<f64> {
        self.estimator
            .as_ref()
            .map(|estimator| estimator.bits_per_second())
    }

    /// Takes the loss a participant reports; true when the wish changed. Going down is never
    /// delayed, each change makes the next way up wait longer.
    fn loss(&mut self, now: Instant, ratio: f64, standing: Standing) -> bool {
        if self.estimator.is_some() {
            return false;
        }
        let up = self.above(standing).filter(|_| now >= self.not_before);
        match (self.below(standing), up) {
            (Some(below), _) if ratio > DOWN_ABOVE => self.change(now, below),
            (_, Some((above, _))) if ratio < UP_BELOW => self.change(now, above),
            (Some(_) | None, Some(_) | None) => return false,
        }
        true
    }

    /// Judges the estimate against what the current layer sends; true when the wish changed.
    fn judge(&mut self, now: Instant, standing: Standing) -> bool {
        let (above, below) = (self.above(standing), self.below(standing));
        let (Some(estimator), Some(rate)) = (&mut self.estimator, standing.rate) else {
            return false;
        };
        if estimator.bits_per_second() > FITS * rate {
            self.too_much_since = None;
            let Some((above, its_rate)) = above.filter(|_| now >= self.not_before) else {
                return false;
            };
            estimator.expect(its_rate.unwrap_or(HIGH_RATE));
            self.change(now, above);
            return true;
        }
        let Some(below) = below else {
            return false;
        };
        let since = *self.too_much_since.get_or_insert(now);
        let is_lossy = estimator.by_loss() <= FITS * rate;
        if !is_lossy && now < since + PATIENCE {
            return false;
        }
        self.change(now, below);
        true
    }

    /// The next layer up, unless it is wished for already and only its keyframe is awaited.
    fn above(&self, standing: Standing) -> Option<(Layer, Option<f64>)> {
        standing.above.filter(|(above, _)| *above > self.layer)
    }

    /// The next layer down; the one it has, when it wishes for more than there is.
    fn below(&self, standing: Standing) -> Option<Layer> {
        let given_up = (self.layer > standing.layer).then_some(standing.layer);
        given_up.or(standing.below)
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
        let Some(party) = self.party(index) else {
            return;
        };
        let choice = &mut party.layer_choice;
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

    /// Where a participant stands, if anything it is shown has layers to choose from.
    fn standing(&mut self, index: u32) -> Option<Standing> {
        let shown = self.party(index)?.negotiator.tracks();
        shown
            .iter()
            .filter_map(|number| self.tracks.get(number))
            .find_map(|track| Standing::of(index, track))
    }

    fn judge_layer(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        let now = ctx.now;
        let Some(standing) = self.standing(index) else {
            return;
        };
        let changed = self
            .party(index)
            .is_some_and(|party| party.layer_choice.judge(now, standing));
        if changed {
            self.wish_layer(ctx, index);
        }
    }

    /// A participant reported its loss: it may be better off with another layer.
    pub(super) fn loss_reported(&mut self, ctx: &mut Ctx<'_>, index: u32, ratio: f64) {
        let now = ctx.now;
        let Some(standing) = self.standing(index) else {
            return;
        };
        let changed = self
            .party(index)
            .is_some_and(|party| party.layer_choice.loss(now, ratio, standing));
        if changed {
            self.wish_layer(ctx, index);
        }
    }

    /// Makes a participant's wish that of its subscriptions.
    fn wish_layer(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        let Some(wish) = self.party(index).map(|party| party.layer_choice.layer) else {
            return;
        };
        let mut changed = Vec::new();
        for track in self.tracks.values_mut() {
            let Some(at) = track.subscription_of(index) else {
                continue;
            };
            if let Some(subscription) = track.subscriptions.get_mut(at) {
                subscription.wish = wish;
                changed.push(track.number);
            }
        }
        for number in changed {
            self.aim(ctx, number);
        }
    }

    /// A layer of a track of this leg has come or gone.
    pub(super) fn layers_changed(&mut self, ctx: &mut Ctx<'_>, number: u32) {
        self.announce_layers(ctx, number);
        self.aim(ctx, number);
    }

    /// Gives every receiver of a track the layer nearest to its wish as target, and asks for the
    /// keyframes by which they get there.
    pub(super) fn aim(&mut self, ctx: &mut Ctx<'_>, number: u32) {
        let Some(track) = self.tracks.get_mut(&number) else {
            return;
        };
        let alive = track.streams.alive();
        let mut awaited = LayerSet::NONE;
        for subscription in &mut track.subscriptions {
            let target = alive.nearest(subscription.wish);
            subscription.target = target.unwrap_or(subscription.layer);
            if subscription.target != subscription.layer {
                awaited.insert(subscription.target);
            }
        }
        self.ask_for_layers(ctx, number);
        for layer in awaited.iter() {
            self.request_keyframe(ctx, number, layer, Need::Picture);
        }
    }

    /// Tells the leg of the publisher which layers are needed here, if that has changed.
    pub(super) fn ask_for_layers(&mut self, ctx: &mut Ctx<'_>, number: u32) {
        let Some(track) = self.tracks.get_mut(&number) else {
            return;
        };
        let Origin::Link { link, id } = &track.origin else {
            return;
        };
        if track.kind.is_audio() {
            return;
        }
        let mut needed = LayerSet::NONE;
        for subscription in &track.subscriptions {
            needed.insert(subscription.layer);
            needed.insert(subscription.target);
        }
        if needed.is_empty() {
            // Whoever comes next begins with it.
            needed.insert(
                track
                    .streams
                    .alive()
                    .nearest(Layer::LOW)
                    .unwrap_or(Layer::LOW),
            );
        }
        if track.crossing.ask(needed) {
            let message = LinkMessage::LayersWanted {
                track: id.clone(),
                layers: needed,
            };
            ctx.out.push_back(Output::Linked {
                call: self.key.clone(),
                link: *link,
                message,
            });
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

    /// Sent the lower of two layers.
    fn low(rate: Option<f64>) -> Standing {
        Standing {
            layer: Layer::LOW,
            rate,
            above: Some((Layer::HIGH, Some(2e6))),
            below: None,
        }
    }

    /// Sent the higher of two layers.
    fn high(rate: Option<f64>) -> Standing {
        Standing {
            layer: Layer::HIGH,
            rate,
            above: None,
            below: Some(Layer::LOW),
        }
    }

    #[test]
    fn the_layer_follows_the_reported_loss_and_hesitates_on_the_way_up() {
        let mut choice = LayerChoice::new(at(0));
        assert!(!choice.loss(at(0), 0.05, low(None)));
        assert!(choice.loss(at(1), 0.0, low(None)));
        assert_eq!(choice.layer, Layer::HIGH);
        assert!(
            !choice.loss(at(1), 0.0, low(None)),
            "its keyframe is awaited"
        );
        assert!(!choice.loss(at(2), 0.05, high(None)));
        assert!(choice.loss(at(3), 0.2, high(None)));
        assert_eq!(choice.layer, Layer::LOW);
        assert!(!choice.loss(at(12), 0.0, low(None)), "15 s after the last");
        assert!(choice.loss(at(18), 0.0, low(None)));
    }

    #[test]
    fn the_layer_follows_the_estimate_where_there_is_one() {
        let mut choice = LayerChoice::new(at(0));
        let mut estimator = Estimator::default();
        estimator.expect(600_000.0);
        choice.estimator = Some(Box::new(estimator));
        assert!(!choice.loss(at(1), 0.0, low(None)), "the estimate decides");
        assert!(!choice.judge(at(1), low(None)), "rate not known yet");
        assert!(choice.judge(at(1), low(Some(500_000.0))));
        assert_eq!(choice.layer, Layer::HIGH);
        assert!(!choice.judge(at(2), high(Some(2e6))), "it was expected");
        choice.estimator.as_mut().unwrap().expect(1e6);
        assert!(!choice.judge(at(3), high(Some(2e6))), "perhaps a moment");
        assert!(choice.judge(at(6), high(Some(2e6))));
        assert_eq!(choice.layer, Layer::LOW);
        assert!(!choice.judge(at(7), low(Some(500_000.0))), "15 s");
        assert!(choice.judge(at(22), low(Some(500_000.0))));
    }

    #[test]
    fn a_wish_for_a_layer_that_is_gone_is_kept_while_the_one_below_fits() {
        let alone = |rate| Standing {
            above: None,
            ..low(rate)
        };
        let mut choice = LayerChoice::new(at(0));
        choice.layer = Layer::HIGH;
        let mut estimator = Estimator::default();
        estimator.expect(600_000.0);
        choice.estimator = Some(Box::new(estimator));
        assert!(!choice.judge(at(1), alone(Some(500_000.0))));
        assert_eq!(choice.layer, Layer::HIGH);
        choice.estimator.as_mut().unwrap().expect(300_000.0);
        assert!(!choice.judge(at(2), alone(Some(500_000.0))));
        assert!(choice.judge(at(6), alone(Some(500_000.0))));
        assert_eq!(choice.layer, Layer::LOW);
    }
}
