//! What calls and clients do that an operator counts or reads.
//!
//! Invariant: labels are a closed set, whatever a client says; what one client can cause at will is
//! counted always and logged at most once a second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use proto::calls::action::{Metric, MetricName};
use serde_json::Value;
use signalling_core::Observation;

use super::Engine;
use crate::door::calls::words;
use crate::metrics::Metrics;

/// How often a line is written of what happens again and again.
const SAMPLE_PERIOD: Duration = Duration::from_secs(1);

/// Lets one event of many through.
#[derive(Debug, Default)]
pub(crate) struct Sampler(Mutex<Option<(Instant, u64)>>);

impl Sampler {
    /// How many were held back before this one, if this one is let through.
    pub(crate) fn sample(&self, now: Instant) -> Option<u64> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *last {
            Some((at, held)) if now.saturating_duration_since(*at) < SAMPLE_PERIOD => {
                *held += 1;
                None
            }
            other => {
                let held = other.map_or(0, |(_, held)| held);
                *other = Some((now, 0));
                Some(held)
            }
        }
    }
}

impl Engine {
    pub(super) fn observe(&self, observation: Observation) {
        let metrics = &self.metrics;
        match observation {
            Observation::Refused { refusal, request } => {
                self.refused(refusal.as_str(), request);
            }
            Observation::JoinRefused(error) => {
                let label = words::join_label(&error);
                metrics.joins_refused.with_label_values(&[label]).inc();
                if let Some(held_back) = self.join_log.sample(Instant::now()) {
                    let reason = words::join(&error);
                    tracing::info!(reason, held_back, "join refused");
                }
            }
            Observation::CallStarted(call) => {
                metrics.calls_total.with_label_values(&["started"]).inc();
                tracing::info!(%call, "call started");
                self.speech_wanted.notify_one();
            }
            Observation::CallEnded(call) => {
                metrics.calls_total.with_label_values(&["ended"]).inc();
                tracing::info!(%call, "call ended");
            }
            Observation::CaptionAudio { ms } => metrics.caption_audio.observe(ms),
        }
    }

    pub(super) fn refused(&self, reason: &'static str, request: &'static str) {
        self.metrics
            .actions_refused
            .with_label_values(&[reason, request])
            .inc();
        tracing::debug!(reason, action = request, "action refused");
    }
}

pub(super) fn count_measurement(metrics: &Metrics, metric: &Metric) {
    metrics
        .client_measurements
        .with_label_values(&[metric.name.as_str()])
        .inc();
    match metric.name {
        MetricName::LiveCaptionsWindowDropped => return metrics.captions_window_dropped.inc(),
        MetricName::LiveCaptionsTranscriberBufferFull => {
            return metrics.captions_transcriber_full.inc();
        }
        MetricName::LiveCaptionsPacketBufferFull => return metrics.captions_packets_full.inc(),
        MetricName::ClientIceCandidatePair => {}
    }
    let pair: Value = serde_json::from_str(&metric.data).unwrap_or_default();
    let side = |side: &str, field: &str| -> &'static str {
        let text = pair
            .get(side)
            .and_then(|side| side.get(field))
            .and_then(Value::as_str);
        known(text, &["host", "srflx", "prflx", "relay", "udp", "tcp"])
    };
    let state = known(
        pair.get("state").and_then(Value::as_str),
        &[
            "succeeded",
            "waiting",
            "in-progress",
            "froze",
            "frozen",
            "failed",
        ],
    );
    let labels = [
        state,
        side("local", "type"),
        side("local", "protocol"),
        side("remote", "type"),
        side("remote", "protocol"),
    ];
    metrics.ice_pairs.with_label_values(&labels).inc();
}

fn known(text: Option<&str>, words: &[&'static str]) -> &'static str {
    words
        .iter()
        .copied()
        .find(|word| Some(*word) == text)
        .unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_in_a_second_one_is_told_and_the_next_says_how_many_were_not() {
        let (sampler, now) = (Sampler::default(), Instant::now());
        assert_eq!(sampler.sample(now), Some(0));
        assert!((0..50).all(|_| sampler.sample(now).is_none()));
        assert_eq!(sampler.sample(now + SAMPLE_PERIOD), Some(50));
    }
}
