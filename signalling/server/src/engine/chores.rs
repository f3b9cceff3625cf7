//! What is done by the clock: waking the state machine, checking logins, reading gauges.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proto::calls::action::{Metric, MetricName};
use serde_json::Value;
use signalling_core::Input;

use super::Engine;
use crate::metrics::Metrics;

/// How often every session's login is checked: so long may a revoked login still hear a call.
const LOGIN_CHECK_PERIOD: Duration = Duration::from_secs(10);

/// Runs until the process ends.
pub(crate) async fn run_chores(engine: Arc<Engine>) {
    let mut login_check = tokio::time::interval(LOGIN_CHECK_PERIOD);
    loop {
        let due = engine.next_deadline();
        tokio::select! {
            () = engine.deadline_moved.notified() => {}
            () = sleep_until(due) => engine.input(Input::Timeout).await,
            _ = login_check.tick() => check_logins(&engine).await,
        }
    }
}

async fn sleep_until(due: Option<std::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

async fn check_logins(engine: &Arc<Engine>) {
    let logins: BTreeSet<String> = engine
        .read(|calls| calls.sessions().map(|session| session.login).collect())
        .await;
    for login in logins {
        match engine.chat.login_is_live(&login).await {
            Ok(true) => {}
            Ok(false) => engine.input(Input::LoginEnded { login }).await,
            // Not knowing is no reason to throw people out.
            Err(error) => tracing::warn!(%error, "login not checked"),
        }
    }
}

/// Reads the gauges; called when somebody asks for metrics.
pub(crate) async fn read_gauges(engine: &Engine) {
    let (calls, sessions) = engine
        .read(|calls| (calls.active_channels().len(), calls.sessions().count()))
        .await;
    let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    engine
        .metrics
        .media_waiting
        .set(gauge(engine.links.waiting()));
    engine.metrics.calls.set(gauge(calls));
    engine.metrics.sessions.set(gauge(sessions));
    engine
        .metrics
        .media_hosts
        .set(gauge(engine.links.counts().0));
}

pub(super) fn count_measurement(metrics: &Metrics, metric: &Metric) {
    metrics
        .client_measurements
        .with_label_values(&[metric.name.as_str()])
        .inc();
    if metric.name != MetricName::ClientIceCandidatePair {
        return;
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

/// Labels are a closed set, whatever a client says.
fn known(text: Option<&str>, words: &[&'static str]) -> &'static str {
    words
        .iter()
        .copied()
        .find(|word| Some(*word) == text)
        .unwrap_or("other")
}
