//! Metrics in the names of the reference, under the namespace `rtcd`, and a few of our own.
//!
//! In: events of the shell, counters of the shards. Out: Prometheus text.
//! Invariant: labels are tenant ids, while there is such a tenant, or words from closed lists; never a
//! session or a call.

mod process;
mod tenants;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use prometheus::core::{AtomicU64, Collector as _, GenericCounterVec, MetricVec, MetricVecBuilder};
use prometheus::{
    Encoder as _, HistogramOpts, HistogramVec, IntCounter, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use process::Process;
use proto::id::GroupId;
use tenants::Tenants;

type CounterVec = GenericCounterVec<AtomicU64>;

/// Buckets of short times.
const SHORT: &[f64] = &[
    0.001, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0,
];
/// Buckets of a ratio of lost packets.
const LOSS: &[f64] = &[
    0.001, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0,
];
/// For the turn of a shard, which is to be far below the 20 ms between two packets.
const TURN: &[f64] = &[
    0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 1.0,
];
/// Prometheus' own buckets.
const DEFAULT: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// All metrics of one node.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    process: Process,
    tenants: Mutex<Tenants>,
    /// Live tracks; `out` are subscriptions.
    pub(crate) tracks: IntGaugeVec,
    /// Seconds to fan out one packet (sampled).
    pub(crate) track_writes_time: HistogramVec,
    pub(crate) sessions: IntGaugeVec,
    pub(crate) conn_states: CounterVec,
    pub(crate) errors: CounterVec,
    pub(crate) connection_time: HistogramVec,
    pub(crate) dc_open_time: HistogramVec,
    pub(crate) lock_grab_time: HistogramVec,
    pub(crate) lock_locked_time: HistogramVec,
    pub(crate) client_loss_rate: HistogramVec,
    pub(crate) client_rtt: HistogramVec,
    pub(crate) client_jitter: HistogramVec,
    pub(crate) ws_connections: IntGaugeVec,
    pub(crate) ws_messages: CounterVec,
    /// What the reference does not have.
    pub(crate) own: Own,
}

impl Metrics {
    /// Registers everything in a registry of its own: two nodes in one process do not meet.
    ///
    /// # Errors
    /// When two metrics have one name: a mistake in this file.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let make = Maker {
            registry: Registry::new(),
        };
        let process = Process::new(&make.registry)?;
        Ok(Self {
            process,
            tenants: Mutex::default(),
            tracks: make.gauges(
                "rtc_rtp_tracks_total",
                "Live RTP tracks; out counts subscriptions",
                &["groupID", "direction", "type"],
            )?,
            track_writes_time: make.histograms(
                "rtc_rtp_tracks_writes_time",
                "Seconds to fan out one packet, sampled",
                &["groupID", "type"],
                SHORT,
            )?,
            sessions: make.gauges("rtc_sessions_total", "Live sessions", &["groupID"])?,
            conn_states: make.counters(
                "rtc_conn_states_total",
                "Changes of the state of sessions' connections",
                &["type"],
            )?,
            errors: make.counters(
                "rtc_errors_total",
                "Errors of sessions",
                &["groupID", "type"],
            )?,
            connection_time: make.times("rtc_connection_time", "Seconds from join to connected")?,
            dc_open_time: make.times(
                "rtc_dc_open_time",
                "Seconds from the first answer to an open data channel",
            )?,
            lock_grab_time: make.times(
                "rtc_signaling_lock_grab_time",
                "Seconds this node waited for the signalling lock",
            )?,
            lock_locked_time: make.times(
                "rtc_signaling_lock_locked_time",
                "Seconds the signalling lock was held",
            )?,
            client_loss_rate: make.reports(
                "rtc_client_loss_rate",
                "Ratio of lost packets, as clients report it",
                LOSS,
            )?,
            client_rtt: make.reports(
                "rtc_client_rtt",
                "Seconds of round trip, as clients report it",
                SHORT,
            )?,
            client_jitter: make.reports(
                "rtc_client_jitter",
                "Seconds of jitter, as clients report it",
                SHORT,
            )?,
            ws_connections: make.gauges(
                "ws_connections_total",
                "Live control connections",
                &["clientID"],
            )?,
            ws_messages: make.counters(
                "ws_messages_total",
                "Control messages",
                &["clientID", "type", "direction"],
            )?,
            own: Own::new(&make)?,
            registry: make.registry,
        })
    }

    /// Renders everything as Prometheus text.
    ///
    /// # Errors
    /// When a metric cannot be written as text.
    pub(crate) fn render(&self) -> anyhow::Result<String> {
        self.process.refresh();
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .context("render metrics")?;
        Ok(String::from_utf8(text)?)
    }

    /// A tenant has a connection or a session more.
    pub(crate) fn tenant_came(&self, group: &GroupId) {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.came(group);
    }

    /// A tenant has one less: what was measured of it is told for a while longer.
    pub(crate) fn tenant_went(&self, group: &GroupId) {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let forgotten = tenants.went(group, Instant::now());
        drop(tenants);
        for group in forgotten {
            self.forget(&group);
        }
    }

    /// Forgets everything that was measured of a tenant.
    fn forget(&self, group: &GroupId) {
        forget_in(&self.tracks, group);
        forget_in(&self.sessions, group);
        forget_in(&self.errors, group);
        forget_in(&self.ws_connections, group);
        forget_in(&self.ws_messages, group);
        for histograms in [
            &self.track_writes_time,
            &self.connection_time,
            &self.dc_open_time,
            &self.lock_grab_time,
            &self.lock_locked_time,
            &self.client_loss_rate,
            &self.client_rtt,
            &self.client_jitter,
            &self.own.join_time,
        ] {
            forget_in(histograms, group);
        }
    }

    /// Observes what became of a join, and how long that took.
    pub(crate) fn joined(&self, group: &GroupId, outcome: &str, took: Duration) {
        let labels = [group.as_str(), outcome];
        let histogram = self.own.join_time.with_label_values(&labels);
        histogram.observe(seconds(took));
    }

    /// Counts something that was shed.
    pub(crate) fn dropped(&self, place: &str, reason: &str) {
        self.own.drops.with_label_values(&[place, reason]).inc();
    }
}

/// Removes the values that have a tenant's id as label.
fn forget_in<T: MetricVecBuilder>(values: &MetricVec<T>, group: &GroupId) {
    for family in values.collect() {
        for metric in family.get_metric() {
            let labels: HashMap<&str, &str> = metric
                .get_label()
                .iter()
                .map(|label| (label.name(), label.value()))
                .collect();
            let names_it = |name| labels.get(name) == Some(&group.as_str());
            if names_it("groupID") || names_it("clientID") {
                // Somebody else may have removed it meanwhile.
                let _ = values.remove(&labels);
            }
        }
    }
}

/// Additions: what the shards do and shed.
#[derive(Debug)]
pub(crate) struct Own {
    /// Datagrams and frames by shard and direction.
    pub(crate) packets: CounterVec,
    /// What was shed, by place and reason.
    pub(crate) drops: CounterVec,
    /// Calls ended by a bug.
    pub(crate) panics: IntCounter,
    /// Keyframe requests sent to publishers.
    pub(crate) keyframe_requests: IntCounter,
    /// From join to its outcome.
    pub(crate) join_time: HistogramVec,
    /// How long a shard's turn takes.
    pub(crate) loop_time: HistogramVec,
    /// Sessions that connected, by how their media is protected.
    pub(crate) srtp_profiles: CounterVec,
    /// Messages waiting in a shard's inbox.
    pub(crate) inbox_depth: IntGaugeVec,
    /// Things said by a shard that had to wait for the control side.
    pub(crate) events_deferred: CounterVec,
    /// Media sockets that give nothing but errors.
    pub(crate) sockets_failing: IntGaugeVec,
    /// Legs of calls; more than calls when calls are spread over shards.
    pub(crate) legs: IntGauge,
    /// Relayed addresses of this node at TURN servers, had or asked for.
    pub(crate) relays: IntGauge,
    pub(crate) draining: IntGauge,
}

impl Own {
    fn new(make: &Maker) -> anyhow::Result<Self> {
        Ok(Self {
            packets: make.counters(
                "shard_packets_total",
                "Datagrams and TCP frames",
                &["shard", "direction"],
            )?,
            drops: make.counters(
                "drops_total",
                "What was shed instead of queued or forwarded",
                &["place", "reason"],
            )?,
            panics: make.counter("call_panics_total", "Calls ended by a bug")?,
            keyframe_requests: make.counter(
                "keyframe_requests_total",
                "Keyframe requests sent to publishers",
            )?,
            join_time: make.histograms(
                "rtc_join_time",
                "Seconds from a join to its outcome",
                &["groupID", "outcome"],
                DEFAULT,
            )?,
            loop_time: make.histograms(
                "shard_loop_time",
                "Seconds a turn of a shard takes",
                &["shard"],
                TURN,
            )?,
            srtp_profiles: make.counters(
                "rtc_srtp_profiles_total",
                "Sessions that connected, by SRTP profile",
                &["profile"],
            )?,
            inbox_depth: make.gauges(
                "shard_inbox_depth",
                "Messages waiting for a shard",
                &["shard"],
            )?,
            events_deferred: make.counters(
                "shard_events_deferred_total",
                "Things said by a shard that had to wait for the control side",
                &["shard"],
            )?,
            sockets_failing: make.gauges(
                "shard_sockets_failing",
                "Media sockets that give nothing but errors",
                &["shard"],
            )?,
            legs: make.gauge("rtc_legs_total", "Legs of calls over all shards")?,
            relays: make.gauge("rtc_relays_total", "Relayed addresses at TURN servers")?,
            draining: make.gauge("draining", "1 while the node waits for its calls to end")?,
        })
    }
}

/// Seconds as Prometheus wants them.
pub(crate) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

struct Maker {
    registry: Registry,
}

impl Maker {
    fn gauge(&self, name: &str, help: &str) -> anyhow::Result<IntGauge> {
        let metric = IntGauge::with_opts(Opts::new(name, help).namespace("rtcd"))?;
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> anyhow::Result<IntCounter> {
        let metric = IntCounter::with_opts(Opts::new(name, help).namespace("rtcd"))?;
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> anyhow::Result<IntGaugeVec> {
        let metric = IntGaugeVec::new(Opts::new(name, help).namespace("rtcd"), labels)?;
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> anyhow::Result<CounterVec> {
        let metric = CounterVec::new(Opts::new(name, help).namespace("rtcd"), labels)?;
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn times(&self, name: &str, help: &str) -> anyhow::Result<HistogramVec> {
        self.histograms(name, help, &["groupID"], DEFAULT)
    }

    fn reports(&self, name: &str, help: &str, buckets: &[f64]) -> anyhow::Result<HistogramVec> {
        self.histograms(name, help, &["groupID"], buckets)
    }

    fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> anyhow::Result<HistogramVec> {
        let options = HistogramOpts::new(name, help)
            .namespace("rtcd")
            .buckets(buckets.to_vec());
        let metric = HistogramVec::new(options, labels)?;
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}

#[cfg(test)]
mod tests;
