//! Figures for operators, in Prometheus' text form.
//!
//! One field per metric; labels are closed words, never ids.

use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

/// Everything the service counts.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    /// Jobs accepted, by kind.
    pub jobs_accepted: IntCounterVec,
    /// Jobs refused, by reason.
    pub jobs_refused: IntCounterVec,
    /// Jobs ended, by outcome.
    pub jobs_ended: IntCounterVec,
    /// Jobs whose worker has not ended.
    pub jobs_running: IntGauge,
    /// Requests for a job that wait for a place.
    pub jobs_waiting: IntGauge,
    /// What the running jobs are reckoned to need, in cores.
    pub cores_promised: Gauge,
    /// Workers that ended without saying how.
    pub worker_deaths: IntCounter,
    /// Finishing runs started for jobs whose worker had died.
    pub recoveries: IntCounter,
    /// HTTP answers, by status class.
    pub http_answers: IntCounterVec,
}

impl Metrics {
    /// Makes and registers every metric.
    ///
    /// # Errors
    /// When two metrics share a name, which a test excludes.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, label: &str| {
            let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let jobs_running = IntGauge::new("offloader_jobs_running", "Jobs that have not ended")?;
        registry.register(Box::new(jobs_running.clone()))?;
        let jobs_waiting = IntGauge::new("offloader_jobs_waiting", "Jobs that wait for a place")?;
        registry.register(Box::new(jobs_waiting.clone()))?;
        let cores_promised = Gauge::new(
            "offloader_cores_promised",
            "Cores that running jobs are reckoned to need",
        )?;
        registry.register(Box::new(cores_promised.clone()))?;
        Ok(Self {
            jobs_accepted: counters("offloader_jobs_accepted_total", "Jobs accepted", "kind")?,
            jobs_refused: counters("offloader_jobs_refused_total", "Jobs refused", "reason")?,
            jobs_ended: counters("offloader_jobs_ended_total", "Jobs ended", "outcome")?,
            jobs_running,
            jobs_waiting,
            cores_promised,
            worker_deaths: counter(
                "offloader_worker_deaths_total",
                "Workers that ended without saying how",
            )?,
            recoveries: counter(
                "offloader_recoveries_total",
                "Finishing runs for jobs whose worker had died",
            )?,
            http_answers: counters("offloader_http_answers_total", "HTTP answers", "class")?,
            registry,
        })
    }

    /// Renders all metrics.
    #[must_use]
    pub fn render(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_default()
    }
}
