//! Every metric of signalling, with its name and labels, in one place.
//!
//! Names begin as the reference plugin's do, so that existing dashboards keep working.

use std::time::Instant;

use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};
use proto::calls::rest::CallsStats;

/// How every name begins.
pub(crate) const NAMESPACE: &str = "mattermost_plugin_calls";

/// What the plugin counts, too, and shows below its prefix to everybody.
const OF_THE_PLUGIN: [&str; 14] = [
    "websocket_connections_total",
    "websocket_events_total",
    "store_ops_total",
    "store_methods_time",
    "app_handlers_time",
    "jobs_live_captions_new_audio_len_ms",
    "jobs_live_captions_window_dropped",
    "jobs_live_captions_transcriber_buf_full",
    "jobs_live_captions_pktPayloadCh_buf_full",
    "client_ice_candidate_pairs_total",
    "daily_calls_total",
    "monthly_calls_total",
    "calls_by_channel_type",
    "aggregate_stats",
];

/// The metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// Open WebSockets of signed-in clients.
    pub(crate) connections: IntGauge,
    /// Actions in and events out.
    pub(crate) events: IntCounterVec,
    pub(crate) actions_refused: IntCounterVec,
    pub(crate) joins_refused: IntCounterVec,
    pub(crate) media_dropped: IntCounterVec,
    pub(crate) media_sessions_lost: IntCounterVec,
    pub(crate) media_connections_lost: IntCounter,
    pub(crate) media_waiting: IntGauge,
    pub(crate) store_failures: IntCounterVec,
    /// Many calls' records may be in one.
    pub(crate) commits: IntCounter,
    pub(crate) call_panics: IntCounter,
    pub(crate) calls: IntGauge,
    pub(crate) sessions: IntGauge,
    pub(crate) media_hosts: IntGauge,
    pub(crate) calls_total: IntCounterVec,
    pub(crate) jobs: IntCounterVec,
    pub(crate) client_measurements: IntCounterVec,
    pub(crate) ice_pairs: IntCounterVec,
    /// Milliseconds of audio per caption.
    pub(crate) caption_audio: Histogram,
    pub(crate) requests: IntCounterVec,
    /// Windows of sound that a bot could not hear in time, and its queues that were full.
    pub(crate) captions_window_dropped: IntCounter,
    pub(crate) captions_transcriber_full: IntCounter,
    pub(crate) captions_packets_full: IntCounter,
    /// Seconds from a request or an action to its answer, by what handles it.
    handlers: HistogramVec,
    store_ops: IntCounterVec,
    store_times: HistogramVec,
    usage: Usage,
}

/// How much calls are used, as it was last counted.
#[derive(Debug)]
struct Usage {
    days: IntGaugeVec,
    months: IntGaugeVec,
    kinds: IntGaugeVec,
    sums: IntGaugeVec,
}

impl Usage {
    fn new(maker: &Maker<'_>) -> Self {
        let gauge = |name, help, label| maker.labelled_gauge(name, help, label);
        Self {
            days: gauge("daily_calls_total", "Calls begun on a day", "date"),
            months: gauge("monthly_calls_total", "Calls begun in a month", "month"),
            kinds: gauge("calls_by_channel_type", "Calls by type of channel", "type"),
            sums: gauge(
                "aggregate_stats",
                "Sums and averages over all calls",
                "stat",
            ),
        }
    }
}

/// Makes metrics and hands them to the registry.
struct Maker<'a>(&'a Registry);

impl Maker<'_> {
    fn counter(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        let opts = Opts::new(name, help).namespace(NAMESPACE);
        let counter = IntCounterVec::new(opts, labels).expect("names here are well-formed");
        let registered = self.0.register(Box::new(counter.clone()));
        registered.expect("each name is used once");
        counter
    }

    fn plain_counter(&self, name: &str, help: &str) -> IntCounter {
        let opts = Opts::new(name, help).namespace(NAMESPACE);
        let counter = IntCounter::with_opts(opts).expect("names here are well-formed");
        let registered = self.0.register(Box::new(counter.clone()));
        registered.expect("each name is used once");
        counter
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        let opts = Opts::new(name, help).namespace(NAMESPACE);
        let gauge = IntGauge::with_opts(opts).expect("names here are well-formed");
        let registered = self.0.register(Box::new(gauge.clone()));
        registered.expect("each name is used once");
        gauge
    }

    fn labelled_gauge(&self, name: &str, help: &str, label: &str) -> IntGaugeVec {
        let opts = Opts::new(name, help).namespace(NAMESPACE);
        let gauge = IntGaugeVec::new(opts, &[label]).expect("names here are well-formed");
        let registered = self.0.register(Box::new(gauge.clone()));
        registered.expect("each name is used once");
        gauge
    }

    /// Of seconds, by one label.
    fn timer(&self, name: &str, help: &str, label: &str) -> HistogramVec {
        let opts = HistogramOpts::new(name, help).namespace(NAMESPACE);
        let timer = HistogramVec::new(opts, &[label]).expect("names here are well-formed");
        let registered = self.0.register(Box::new(timer.clone()));
        registered.expect("each name is used once");
        timer
    }

    fn caption_audio(&self) -> Histogram {
        let buckets = vec![2000.0, 3000.0, 4000.0, 5000.0, 6000.0, 7000.0, 8000.0];
        let opts = HistogramOpts::new(
            "jobs_live_captions_new_audio_len_ms",
            "Milliseconds of audio that a caption adds",
        );
        let histogram = Histogram::with_opts(opts.namespace(NAMESPACE).buckets(buckets))
            .expect("names here are well-formed");
        let registered = self.0.register(Box::new(histogram.clone()));
        registered.expect("each name is used once");
        histogram
    }
}

impl Metrics {
    #[expect(clippy::too_many_lines, reason = "a list")]
    pub(crate) fn new() -> Self {
        let registry = Registry::new();
        let maker = Maker(&registry);
        let counter = |name: &str, help: &str, labels: &[&str]| maker.counter(name, help, labels);
        let gauge = |name: &str, help: &str| maker.gauge(name, help);
        let pair = [
            "state",
            "local_type",
            "local_protocol",
            "remote_type",
            "remote_protocol",
        ];
        Self {
            connections: gauge("websocket_connections_total", "Open WebSockets"),
            events: counter(
                "websocket_events_total",
                "Actions of clients (in) and events to them (out)",
                &["direction", "type"],
            ),
            actions_refused: counter(
                "actions_refused_total",
                "Actions that were not carried out",
                &["reason", "type"],
            ),
            joins_refused: counter("joins_refused_total", "Joins refused", &["reason"]),
            media_dropped: counter(
                "media_messages_dropped_total",
                "Messages for media hosts that were dropped: the host is not configured \
                 (unknown_host), or the session has ended (no_session)",
                &["reason"],
            ),
            media_sessions_lost: counter(
                "media_sessions_lost_total",
                "Sessions that ended because their media host had lost them (host_forgot) or took \
                 their signalling too slowly (too_many_signals)",
                &["reason"],
            ),
            media_connections_lost: maker.plain_counter(
                "media_connections_lost_total",
                "Connections to media hosts that broke",
            ),
            media_waiting: gauge(
                "media_messages_waiting",
                "Messages that wait until a media host takes them",
            ),
            store_failures: counter(
                "store_failures_total",
                "Records that could not be kept",
                &["operation"],
            ),
            commits: maker.plain_counter(
                "store_commits_total",
                "Commits of records; one may hold those of many calls",
            ),
            call_panics: maker.plain_counter(
                "call_panics_total",
                "Calls that ended because of a fault of ours",
            ),
            calls: gauge("calls", "Running calls"),
            sessions: gauge("sessions", "Sessions in calls"),
            media_hosts: gauge("media_hosts_connected", "Media hosts that are connected"),
            calls_total: counter("calls_total", "Calls started and ended", &["event"]),
            jobs: counter(
                "jobs_requested_total",
                "Jobs asked for",
                &["type", "outcome"],
            ),
            client_measurements: counter(
                "client_measurements_total",
                "Measurements sent by clients and bots",
                &["type"],
            ),
            ice_pairs: counter(
                "client_ice_candidate_pairs_total",
                "Candidate pairs that clients report",
                &pair,
            ),
            caption_audio: maker.caption_audio(),
            requests: counter(
                "http_requests_total",
                "Requests for calls, by status class",
                &["status"],
            ),
            captions_window_dropped: maker.plain_counter(
                "jobs_live_captions_window_dropped",
                "Windows of sound that a captioning bot dropped: it was behind",
            ),
            captions_transcriber_full: maker.plain_counter(
                "jobs_live_captions_transcriber_buf_full",
                "Times that a captioning bot had no transcriber free",
            ),
            captions_packets_full: maker.plain_counter(
                "jobs_live_captions_pktPayloadCh_buf_full",
                "Times that a captioning bot's queue of packets was full",
            ),
            handlers: maker.timer(
                "app_handlers_time",
                "Seconds until a request or a client's action was taken",
                "handler",
            ),
            store_ops: counter(
                "store_ops_total",
                "Reads and writes of the records of calls",
                &["type"],
            ),
            store_times: maker.timer(
                "store_methods_time",
                "Seconds that a read or write of the records of calls took",
                "method",
            ),
            usage: Usage::new(&maker),
            registry,
        }
    }

    /// Notes how long a handler took.
    pub(crate) fn handled(&self, handler: &str, began: Instant) {
        let taken = began.elapsed().as_secs_f64();
        self.handlers.with_label_values(&[handler]).observe(taken);
    }

    /// Notes that something was read of the records, or written into them (`kind`).
    pub(crate) fn stored(&self, method: &str, kind: &str, began: Instant) {
        let taken = began.elapsed().as_secs_f64();
        self.store_ops.with_label_values(&[kind]).inc();
        self.store_times.with_label_values(&[method]).observe(taken);
    }

    /// Shows how much calls are used. What is not in `stats` any more is not shown any more.
    pub(crate) fn show_usage(&self, stats: &CallsStats) {
        let Usage {
            days,
            months,
            kinds,
            sums,
        } = &self.usage;
        for (gauge, counts) in [
            (days, &stats.calls_by_day),
            (months, &stats.calls_by_month),
            (kinds, &stats.calls_by_channel_type),
        ] {
            gauge.reset();
            for (label, count) in counts {
                gauge.with_label_values(&[label]).set(*count);
            }
        }
        for (name, value) in [
            ("total_calls", stats.total_calls),
            ("total_active_calls", stats.total_active_calls),
            ("total_active_sessions", stats.total_active_sessions),
            ("avg_duration", stats.avg_duration),
            ("avg_participants", stats.avg_participants),
            ("avg_video_duration", stats.avg_video_duration),
            ("total_video_duration", stats.total_video_duration),
            ("total_video_calls", stats.total_video_calls),
            ("total_screen_share_calls", stats.total_screen_share_calls),
        ] {
            sums.with_label_values(&[name]).set(value);
        }
    }

    /// Where parts that count for themselves add their metrics.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The Prometheus text form.
    pub(crate) fn render(&self) -> String {
        text(&self.registry.gather())
    }

    /// The same, of what the plugin shows to everybody.
    pub(crate) fn render_of_the_plugin(&self) -> String {
        let mut shown = self.registry.gather();
        shown.retain(|family| {
            let short = family.name().strip_prefix(NAMESPACE);
            let short = short.and_then(|name| name.strip_prefix('_'));
            short.is_some_and(|name| OF_THE_PLUGIN.contains(&name))
        });
        text(&shown)
    }
}

fn text(families: &[MetricFamily]) -> String {
    let mut text = Vec::new();
    // Encoding to memory cannot fail.
    let _ = TextEncoder::new().encode(families, &mut text);
    String::from_utf8(text).unwrap_or_default()
}
