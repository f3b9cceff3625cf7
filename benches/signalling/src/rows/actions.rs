//! How many actions a second everybody in calls of ten can do: each client unmutes, raises its
//! hand, mutes and lowers the hand, and waits for its own event each time.
//!
//! Clients keep within the server's allowance per session; when that is what holds them, the row
//! says so, because then the server was not at its limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use proto::calls::action::Action;
use tokio::task::JoinSet;

use crate::client::{Client, event};
use crate::figures::{Figure, Limit, Times, real};
use crate::process::own_cpu_s;
use crate::world::Template;

/// What a session may do at once and per second, a little below what the server allows.
const BURST: f64 = 95.0;
const PER_SECOND: f64 = 9.5;
/// Left out before the window: connections and caches warm up.
const WARM_UP: Duration = Duration::from_secs(2);
/// How many times as many as the baseline.
const MUST: f64 = 3.0;
const AIM: f64 = 10.0;

/// What all clients count together.
#[derive(Debug, Default)]
struct Count {
    done: AtomicUsize,
    /// Actions that waited for the allowance.
    held: AtomicUsize,
}

/// The client's own view of the server's allowance.
#[derive(Debug)]
struct Allowance {
    tokens: f64,
    at: Instant,
}

impl Allowance {
    /// How long to wait before the next action.
    fn wait(&mut self, now: Instant) -> Duration {
        let gained = now.duration_since(self.at).as_secs_f64() * PER_SECOND;
        self.tokens = (self.tokens + gained).min(BURST) - 1.0;
        self.at = now;
        Duration::from_secs_f64((-self.tokens).max(0.0) / PER_SECOND)
    }
}

pub(super) async fn measure(template: &Template) -> anyhow::Result<Vec<Figure>> {
    let world = template.open().await?;
    let clients = world.in_calls(template.by_call()).await?;
    let window = Duration::from_secs(template.size.seconds);
    let count = Arc::new(Count::default());
    let begin = Instant::now() + WARM_UP;
    let end = begin + window;
    let mut tasks = JoinSet::new();
    for client in clients {
        tasks.spawn(act(client, begin, end, count.clone()));
    }
    tokio::time::sleep_until(begin.into()).await;
    let before = (world.server.cpu_s()?, own_cpu_s()?);
    let (done_before, began) = (count.done.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep_until(end.into()).await;
    let after = (world.server.cpu_s()?, own_cpu_s()?);
    let took = began.elapsed().as_secs_f64();
    let done = count.done.load(Ordering::Relaxed) - done_before;
    let held = count.held.load(Ordering::Relaxed);
    let mut times = Times::default();
    while let Some(finished) = tasks.join_next().await {
        times.extend(finished.context("a client")??);
    }
    anyhow::ensure!(done > 0, "not one action was done");
    let per_action_us = |seconds: f64| seconds * 1e6 / real(done);
    let server_us = per_action_us(after.0 - before.0);
    Ok(vec![
        Figure::told("actions", real(done) / took, "/s"),
        Figure::told("action to own event, p50", times.percentile_ms(500), "ms"),
        Figure::told("action to own event, p99", times.percentile_ms(990), "ms"),
        Figure::told("server's CPU per action", server_us, "us"),
        Figure::told(
            "generator's CPU per action",
            per_action_us(after.1 - before.1),
            "us",
        ),
        Figure::told("server's processors", (after.0 - before.0) / took, ""),
        Figure::told("actions held by the allowance", real(held), ""),
    ])
}

/// Sets what must be reached, from what the program before could do.
pub(super) fn judged(figures: Vec<Figure>, baseline: f64) -> Vec<Figure> {
    let judge = |figure: Figure| match figure.what {
        "actions" => figure
            .must(Limit::AtLeast(MUST * baseline))
            .aim(Limit::AtLeast(AIM * baseline)),
        _ => figure,
    };
    figures.into_iter().map(judge).collect()
}

/// Acts until `end`; returns how long each action begun after `begin` took.
async fn act(
    mut client: Client,
    begin: Instant,
    end: Instant,
    count: Arc<Count>,
) -> anyhow::Result<Vec<Duration>> {
    let cycle = [
        (Action::Unmute, event("user_unmuted")),
        (Action::RaiseHand, event("user_raise_hand")),
        (Action::Mute, event("user_muted")),
        (Action::UnraiseHand, event("user_unraise_hand")),
    ];
    let own = client.connection.clone();
    let mut times = Vec::new();
    let mut allowance = Allowance {
        tokens: BURST,
        at: Instant::now(),
    };
    for (action, answer) in cycle.iter().cycle() {
        let wait = allowance.wait(Instant::now());
        if !wait.is_zero() {
            count.held.fetch_add(1, Ordering::Relaxed);
            pass(&mut client, (Instant::now() + wait).min(end)).await?;
        }
        let sent = Instant::now();
        if sent >= end {
            break;
        }
        client.act(action).await?;
        loop {
            let next = tokio::time::timeout_at((end + WARM_UP).into(), client.next());
            let Ok(text) = next.await else {
                // It took at least so long.
                times.push(sent.elapsed());
                return Ok(times);
            };
            let text = text?;
            if text.contains(answer.as_str()) && text.contains(own.as_str()) {
                break;
            }
        }
        count.done.fetch_add(1, Ordering::Relaxed);
        if sent >= begin {
            times.push(sent.elapsed());
        }
    }
    Ok(times)
}

/// Reads until `until`.
async fn pass(client: &mut Client, until: Instant) -> anyhow::Result<()> {
    while let Ok(text) = tokio::time::timeout_at(until.into(), client.next()).await {
        text?;
    }
    Ok(())
}
