//! What the gateway counts, with names and labels, in one place.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

const NAMESPACE: &str = "parley_gateway";

/// Why a client lost its socket although it was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CutOff {
    /// It did not read: too many events waited.
    TooManyEvents,
    /// It did not read: too many bytes waited for its person.
    TooManyBytes,
    LoginEnded,
    /// The same client came back on another socket.
    Replaced,
    /// It sent much more than its budget allows.
    Flood,
    /// It sent what is not a request.
    BadFrame,
    /// Nothing was heard for too long.
    Silent,
    /// The handler panicked.
    Trouble,
}

impl CutOff {
    fn as_str(self) -> &'static str {
        match self {
            Self::TooManyEvents => "too_many_events",
            Self::TooManyBytes => "too_many_bytes",
            Self::LoginEnded => "login_ended",
            Self::Replaced => "replaced",
            Self::Flood => "flood",
            Self::BadFrame => "bad_frame",
            Self::Silent => "silent",
            Self::Trouble => "trouble",
        }
    }
}

/// The gateway's counters.
#[derive(Debug)]
pub(super) struct Metrics {
    connections: IntCounterVec,
    cut_off: IntCounterVec,
    skipped: IntCounter,
    over_budget: IntCounter,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let opts = |name: &str, help: &str| Opts::new(name, help).namespace(NAMESPACE);
        let counters = |opts, label| IntCounterVec::new(opts, &[label]);
        let counter = |opts| IntCounter::with_opts(opts);
        let well_formed = "names here are well-formed";
        Self {
            connections: counters(
                opts(
                    "connections_total",
                    "Connections begun (fresh) and gone on with (resumed)",
                ),
                "how",
            )
            .expect(well_formed),
            cut_off: counters(
                opts("cut_off_total", "Clients that lost their socket, by reason"),
                "reason",
            )
            .expect(well_formed),
            skipped: counter(opts(
                "events_skipped_total",
                "Minor events left out for clients that are behind",
            ))
            .expect(well_formed),
            over_budget: counter(opts(
                "frames_refused_total",
                "Frames of clients beyond their budget",
            ))
            .expect(well_formed),
        }
    }

    pub(super) fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.connections.clone()))?;
        registry.register(Box::new(self.cut_off.clone()))?;
        registry.register(Box::new(self.skipped.clone()))?;
        registry.register(Box::new(self.over_budget.clone()))
    }

    pub(super) fn begun(&self) {
        self.connections.with_label_values(&["fresh"]).inc();
    }

    pub(super) fn resumed(&self) {
        self.connections.with_label_values(&["resumed"]).inc();
    }

    pub(super) fn cut_off(&self, reason: CutOff) {
        self.cut_off.with_label_values(&[reason.as_str()]).inc();
    }

    pub(super) fn skipped(&self) {
        self.skipped.inc();
    }

    pub(super) fn over_budget(&self) {
        self.over_budget.inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_and_every_reason_is_documented() {
        let page = include_str!("../../README.md");
        let (metrics, registry) = (Metrics::new(), Registry::new());
        metrics.register(&registry).unwrap();
        metrics.begun();
        for reason in [
            CutOff::TooManyEvents,
            CutOff::TooManyBytes,
            CutOff::LoginEnded,
            CutOff::Replaced,
            CutOff::Flood,
            CutOff::BadFrame,
            CutOff::Silent,
            CutOff::Trouble,
        ] {
            metrics.cut_off(reason);
            assert!(
                page.contains(&format!("`{}`", reason.as_str())),
                "{reason:?}"
            );
        }
        let families = registry.gather();
        assert_eq!(families.len(), 4);
        for family in families {
            assert!(page.contains(family.name()), "{}", family.name());
        }
        assert!(metrics.register(&registry).is_err(), "registered once");
    }
}
