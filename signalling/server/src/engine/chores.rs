//! What is done by the clock, beside calls: logins are checked, the job service is asked about
//! speech, gauges are read.
//!
//! Invariant: a chore that takes long delays no call and no other chore.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use signalling_core::Input;
use tokio::time::MissedTickBehavior;

use super::{Engine, moment};
use crate::figures;

/// How often every session's login is checked: so long may a revoked login still hear a call.
const LOGIN_CHECK_PERIOD: Duration = Duration::from_secs(10);
/// How often the job service is asked about speech when nobody opens a page or starts a call.
const SPEECH_PERIOD: Duration = Duration::from_secs(60);
/// How often the use of calls is counted, over all calls that are kept.
const USAGE_PERIOD: Duration = Duration::from_secs(3600);
/// Logins checked at once.
const CHECKED_AT_ONCE: usize = 8;
/// How long one check may take.
const CHECK_LIMIT: Duration = Duration::from_secs(5);

/// Runs until the process ends.
pub(crate) async fn check_logins(engine: Arc<Engine>) {
    let mut period = tokio::time::interval(LOGIN_CHECK_PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        period.tick().await;
        let logins = futures_util::stream::iter(engine.registry.logins());
        let checks = logins.for_each_concurrent(CHECKED_AT_ONCE, |login| check(&engine, login));
        checks.await;
    }
}

/// Runs until the process ends.
pub(crate) async fn ask_about_speech(engine: Arc<Engine>) {
    let Some(jobs) = &engine.jobs else {
        return std::future::pending().await;
    };
    let mut period = tokio::time::interval(SPEECH_PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = period.tick() => {}
            () = engine.speech_wanted.notified() => {}
        }
        jobs.fresh_speech().await;
    }
}

/// Counts how much calls are used, for those who watch it over weeks. Runs until the process ends.
pub(crate) async fn count_usage(engine: Arc<Engine>) {
    let mut period = tokio::time::interval(USAGE_PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        period.tick().await;
        let now_ms = moment().unix_ms;
        match engine.store.figures(now_ms).await {
            Ok(kept) => {
                let stats = figures::stats(&*engine.chat, kept, now_ms).await;
                engine.metrics.show_usage(&stats);
            }
            Err(error) => tracing::warn!(%error, "the use of calls was not counted"),
        }
    }
}

async fn check(engine: &Arc<Engine>, login: String) {
    let asked = engine.chat.login_is_live(&login);
    // Not knowing is no reason to throw people out.
    match tokio::time::timeout(CHECK_LIMIT, asked).await {
        Ok(Ok(true)) => {}
        Ok(Ok(false)) => engine.login_ended(&login).await,
        Ok(Err(error)) => tracing::warn!(%error, "login not checked"),
        Err(_) => tracing::warn!("login not checked: the chat server did not answer in time"),
    }
}

impl Engine {
    /// Ends the sessions that were made with a login.
    pub(crate) async fn login_ended(self: &Arc<Self>, login: &str) {
        for channel in self.registry.channels_of_login(login) {
            let login = login.to_owned();
            self.input(&channel, Input::LoginEnded { login }).await;
        }
    }
}

/// Reads the gauges; called when somebody asks for metrics. No call is asked.
pub(crate) fn read_gauges(engine: &Engine) {
    let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    engine
        .metrics
        .media_waiting
        .set(gauge(engine.media_hosts.waiting()));
    let (calls, sessions) = engine.registry.counts();
    engine.metrics.calls.set(gauge(calls));
    engine.metrics.sessions.set(gauge(sessions));
    let (connected, _) = engine.media_hosts.counts();
    engine.metrics.media_hosts.set(gauge(connected));
}
