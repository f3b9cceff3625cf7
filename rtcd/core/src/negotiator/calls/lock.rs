//! Who may offer: the signalling lock and the phase of one session's negotiation.
//!
//! In: what happened (a lock request, an offer sent, an answer, time). Out: whether the next step is
//! allowed. The participant always makes the first offer; afterwards either side may, one at a
//! time. The participant takes the lock by asking over the data channel, the server by itself.
//! Not here: SDP (`session`), what is offered (`offers`).
//! Invariants: a participant's unlock never frees the server's hold; no hold lasts for ever: the
//! participant's ends with its lease, the server's with the answer or its timeout.

use std::time::{Duration, Instant};

/// Who holds the signalling lock, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    Participant { since: Instant },
    Server { since: Instant },
}

/// The signalling lock of one session.
#[derive(Debug, Default)]
pub(super) struct SignallingLock {
    holder: Option<Holder>,
}

impl SignallingLock {
    /// The participant asks; it is told at once.
    pub(super) fn take_for_participant(&mut self, now: Instant) -> bool {
        let free = self.holder.is_none();
        if free {
            self.holder = Some(Holder::Participant { since: now });
        }
        free
    }

    /// Ends the participant's hold and returns how long it was.
    pub(super) fn release_by_participant(&mut self, now: Instant) -> Option<Duration> {
        let Some(Holder::Participant { since }) = self.holder else {
            return None;
        };
        self.holder = None;
        Some(now.saturating_duration_since(since))
    }

    pub(super) fn take_for_server(&mut self, now: Instant) -> bool {
        let free = self.holder.is_none();
        if free {
            self.holder = Some(Holder::Server { since: now });
        }
        free
    }

    /// Ends the server's hold and returns how long it was.
    pub(super) fn release_by_server(&mut self, now: Instant) -> Option<Duration> {
        let Some(Holder::Server { since }) = self.holder else {
            return None;
        };
        self.holder = None;
        Some(now.saturating_duration_since(since))
    }

    /// Frees a participant's hold that outlived its lease; true when it did.
    pub(super) fn expire(&mut self, now: Instant, lease: Duration) -> bool {
        let expired = self.lease_ends(lease).is_some_and(|at| now >= at);
        if expired {
            self.holder = None;
        }
        expired
    }

    /// When the participant's lease ends.
    pub(super) fn lease_ends(&self, lease: Duration) -> Option<Instant> {
        match self.holder {
            Some(Holder::Participant { since }) => Some(since + lease),
            Some(Holder::Server { .. }) | None => None,
        }
    }
}

/// Where a signalling message came from, and where its answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignallingPath {
    /// Over the calls server (`Output::Signal`).
    Control,
    DataChannel,
}

/// What is outstanding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The participant has to offer until then.
    FirstOffer {
        until: Instant,
    },
    Stable,
    /// Our offer waits for its answer until then.
    OfferSent {
        until: Instant,
    },
    /// Our offer was not answered: it is made again then, or dropped for the participant's.
    Unanswered {
        retry: Instant,
    },
}

/// The negotiation of one session.
#[derive(Debug)]
pub(super) struct Negotiation {
    pub(super) phase: Phase,
    pub(super) lock: SignallingLock,
    /// Since when the server has something to offer and could not.
    pub(super) waiting_since: Option<Instant>,
    failures: u32,
}

impl Negotiation {
    pub(super) fn new(now: Instant, first_offer_timeout: Duration) -> Self {
        Self {
            phase: Phase::FirstOffer {
                until: now + first_offer_timeout,
            },
            lock: SignallingLock::default(),
            waiting_since: None,
            failures: 0,
        }
    }

    /// Whether a participant's offer may be looked at: the server is impolite, so an offer that
    /// crosses its own is ignored.
    pub(super) fn accepts_offer(&self) -> bool {
        match self.phase {
            Phase::FirstOffer { .. } | Phase::Stable | Phase::Unanswered { .. } => true,
            Phase::OfferSent { .. } => false,
        }
    }

    /// Whether an answer can belong to an offer of ours.
    pub(super) fn accepts_answer(&self) -> bool {
        match self.phase {
            Phase::OfferSent { .. } | Phase::Unanswered { .. } => true,
            Phase::FirstOffer { .. } | Phase::Stable => false,
        }
    }

    /// Takes the lock for an offer of ours. `None`: not now, ask again when something changed;
    /// otherwise how long the server waited for it.
    pub(super) fn begin_offer(&mut self, now: Instant, timeout: Duration) -> Option<Duration> {
        let since = *self.waiting_since.get_or_insert(now);
        let allowed = match self.phase {
            Phase::Stable => true,
            Phase::Unanswered { retry } => now >= retry,
            Phase::FirstOffer { .. } | Phase::OfferSent { .. } => false,
        };
        if !allowed || !self.lock.take_for_server(now) {
            return None;
        }
        self.phase = Phase::OfferSent {
            until: now + timeout,
        };
        self.waiting_since = None;
        Some(now.saturating_duration_since(since))
    }

    /// Our offer was answered. Returns how long the lock was held.
    pub(super) fn answered(&mut self, now: Instant) -> Option<Duration> {
        self.phase = Phase::Stable;
        self.failures = 0;
        self.lock.release_by_server(now)
    }

    /// Our offer was not answered, or not usably: frees the lock. Each time the wait before the
    /// next try doubles, up to 32 s.
    pub(super) fn failed(&mut self, now: Instant) -> Option<Duration> {
        let wait = Duration::from_millis(500) * 2u32.pow(self.failures.min(6));
        self.failures += 1;
        self.phase = Phase::Unanswered { retry: now + wait };
        self.lock.release_by_server(now)
    }

    /// When `phase` or the lock needs attention.
    pub(super) fn deadline(&self, lease: Duration) -> Option<Instant> {
        let phase = match self.phase {
            Phase::FirstOffer { until } | Phase::OfferSent { until } => Some(until),
            Phase::Unanswered { retry } => Some(retry),
            Phase::Stable => None,
        };
        phase.into_iter().chain(self.lock.lease_ends(lease)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_epoch;

    const SECOND: Duration = Duration::from_secs(1);

    fn stable() -> Negotiation {
        let mut negotiation = Negotiation::new(test_epoch(), 10 * SECOND);
        negotiation.phase = Phase::Stable;
        negotiation
    }

    #[test]
    fn an_unlock_frees_only_what_the_participant_holds() {
        let now = test_epoch();
        let mut lock = SignallingLock::default();
        assert_eq!(lock.release_by_participant(now), None);
        assert!(lock.take_for_server(now));
        assert_eq!(lock.release_by_participant(now), None);
        assert!(!lock.take_for_participant(now));
        assert!(lock.release_by_server(now).is_some());
        assert!(lock.take_for_participant(now));
        assert!(
            !lock.take_for_participant(now),
            "a second request is refused"
        );
        assert!(!lock.take_for_server(now));
        assert_eq!(lock.release_by_participant(now + SECOND), Some(SECOND));
    }

    #[test]
    fn a_forgotten_lock_is_freed_by_its_lease() {
        let now = test_epoch();
        let mut lock = SignallingLock::default();
        lock.take_for_participant(now);
        assert!(!lock.expire(now + 11 * SECOND, 12 * SECOND));
        assert!(lock.expire(now + 12 * SECOND, 12 * SECOND));
        assert!(lock.take_for_server(now + 12 * SECOND));
        assert!(
            !lock.expire(now + 60 * SECOND, 12 * SECOND),
            "the server's hold has no lease"
        );
    }

    #[test]
    fn the_server_waits_for_the_first_offer_and_for_the_lock() {
        let now = test_epoch();
        let mut negotiation = Negotiation::new(now, 10 * SECOND);
        assert_eq!(negotiation.begin_offer(now, 10 * SECOND), None);
        negotiation.phase = Phase::Stable;
        negotiation.lock.take_for_participant(now);
        assert_eq!(negotiation.begin_offer(now, 10 * SECOND), None);
        negotiation.lock.release_by_participant(now);
        let later = now + SECOND;
        assert_eq!(negotiation.begin_offer(later, 10 * SECOND), Some(SECOND));
        assert!(!negotiation.accepts_offer(), "impolite");
        assert_eq!(negotiation.deadline(12 * SECOND), Some(later + 10 * SECOND));
        assert_eq!(negotiation.answered(later + SECOND), Some(SECOND));
        assert!(negotiation.accepts_offer());
        assert!(!negotiation.accepts_answer());
    }

    #[test]
    fn an_unanswered_offer_frees_the_lock_and_is_tried_again_ever_later() {
        let now = test_epoch();
        let mut negotiation = stable();
        negotiation.begin_offer(now, 10 * SECOND);
        negotiation.failed(now);
        assert!(negotiation.accepts_offer());
        assert!(negotiation.lock.take_for_participant(now));
        negotiation.lock.release_by_participant(now);
        assert_eq!(negotiation.begin_offer(now, 10 * SECOND), None);
        assert!(
            negotiation
                .begin_offer(now + SECOND / 2, 10 * SECOND)
                .is_some()
        );
        negotiation.failed(now);
        assert_eq!(negotiation.deadline(12 * SECOND), Some(now + SECOND));
    }
}
