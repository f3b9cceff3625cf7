//! How long a mute takes to be seen in 500 calls of two while the chat hangs under one more call.
//!
//! The chat is made to hang from outside: this program takes the write lock of the chat's database
//! and keeps it, so that the post of a call that begins is not written. What only concerns running
//! calls must go on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::FutureExt as _;
use proto::calls::action::Action;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::sync::mpsc;

use crate::client::{Client, event};
use crate::figures::{Figure, Limit, Times, real};
use crate::world::{Template, World};

/// Mutes a second, of all calls together: far below what makes a queue.
const PER_SECOND: u64 = 200;
/// How much of the window passes before the chat hangs.
const QUIET: u32 = 4;
/// Milliseconds.
const MUST: f64 = 50.0;
const AIM: f64 = 10.0;

/// Mutes under way, by session: when each was sent.
type Pending = Arc<Mutex<HashMap<String, Instant>>>;
/// What was measured: when it was sent and how long it took.
type Seen = Arc<Mutex<Vec<(Instant, Duration)>>>;

pub(super) async fn measure(template: &Template) -> anyhow::Result<Vec<Figure>> {
    let world = template.open().await?;
    let clients = world.in_calls(template.by_pair()).await?;
    let window = Duration::from_secs(template.size.seconds);
    let (pending, seen) = (Pending::default(), Seen::default());
    let mut speakers = Vec::new();
    for client in clients {
        let (ask, asked) = mpsc::unbounded_channel();
        speakers.push((client.connection.clone(), ask));
        tokio::spawn(converse(client, asked, pending.clone(), seen.clone()));
    }
    let began = Instant::now();
    let hangs_at = began + window / QUIET;
    let end = began + window;
    let hung = hang(&world, template, hangs_at, end);
    let skipped = mutes(&speakers, &pending, began, end);
    let (hung, skipped) = tokio::join!(hung, skipped);
    let starts = hung?;
    let ended = Instant::now();
    let mut all = seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .drain(..)
        .collect::<Vec<_>>();
    let waiting = pending.lock().unwrap_or_else(PoisonError::into_inner);
    all.extend(waiting.values().map(|sent| (*sent, ended - *sent)));
    let (mut before, mut during) = (Times::default(), Times::default());
    for (sent, took) in all {
        if sent < hangs_at {
            before.push(took);
        } else {
            during.push(took);
        }
    }
    anyhow::ensure!(during.len() > 0, "nothing was measured while the chat hung");
    Ok(vec![
        Figure::told("mute to event, p99", during.percentile_ms(990), "ms")
            .must(Limit::AtMost(MUST))
            .aim(Limit::AtMost(AIM)),
        Figure::told("mute to event, p50", during.percentile_ms(500), "ms"),
        Figure::told("before the chat hung, p99", before.percentile_ms(990), "ms"),
        Figure::told("before the chat hung, p50", before.percentile_ms(500), "ms"),
        Figure::told("mutes held by one before", real(skipped), ""),
        Figure::told("refused starts of the hanging call", real(starts), ""),
    ])
}

/// Lets one client after another unmute and mute, on the clock. A client whose last one is still
/// under way is left out and counted.
async fn mutes(
    speakers: &[(String, mpsc::UnboundedSender<()>)],
    pending: &Pending,
    began: Instant,
    end: Instant,
) -> usize {
    let mut clock = tokio::time::interval(Duration::from_micros(1_000_000 / PER_SECOND));
    let mut skipped = 0;
    for (session, ask) in speakers.iter().step_by(2).cycle() {
        let now = clock.tick().await.into_std();
        if now >= end {
            break;
        }
        let mut pending = pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.contains_key(session) {
            skipped += 1;
            continue;
        }
        // From when it was due: a generator that is late counts against the server, not for it.
        pending.insert(session.clone(), now.max(began));
        let _ = ask.send(());
    }
    skipped
}

/// Speaks when asked and notes when the others' and its own events arrive.
async fn converse(
    mut client: Client,
    mut asked: mpsc::UnboundedReceiver<()>,
    pending: Pending,
    seen: Seen,
) -> anyhow::Result<()> {
    let (muted, unmuted) = (event("user_muted"), event("user_unmuted"));
    let own = client.connection.clone();
    let mut speaks = false;
    loop {
        let text = tokio::select! {
            ask = asked.recv() => {
                ask.context("no more mutes")?;
                speaks = !speaks;
                let action = if speaks { Action::Unmute } else { Action::Mute };
                client.act(&action).await?;
                continue;
            }
            text = client.next() => text?,
        };
        let is_event = text.contains(muted.as_str()) || text.contains(unmuted.as_str());
        if is_event && text.contains(own.as_str()) {
            let sent = pending
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&own);
            if let Some(sent) = sent {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.push((sent, sent.elapsed()));
            }
        }
    }
}

/// Holds the chat's write lock from `from` to `until`, and lets somebody start a call all the
/// time; returns how often the start was refused.
async fn hang(
    world: &World,
    template: &Template,
    from: Instant,
    until: Instant,
) -> anyhow::Result<usize> {
    let mut starter = Client::connect(world.server.addr, first(template)?).await?;
    let file = world.server.data().join("chat.db");
    anyhow::ensure!(
        file.exists(),
        "`{}` is not there: the chat keeps its records elsewhere",
        file.display()
    );
    let options = SqliteConnectOptions::new().filename(&file);
    let mut lock = SqliteConnection::connect_with(&options)
        .await
        .context("open the chat's records")?;
    tokio::time::sleep_until(from.into()).await;
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut lock)
        .await
        .context("lock the chat's records")?;
    let mut refused = 0;
    starter.ask_to_join(&template.hanging).await?;
    while let Ok(text) = tokio::time::timeout_at(until.into(), starter.next()).await {
        let text = text?;
        anyhow::ensure!(
            !text.contains("calls_call_state\""),
            "the chat did not hang: the call began"
        );
        if text.contains("calls_error\"") {
            refused += 1;
            starter.ask_to_join(&template.hanging).await?;
        }
    }
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut lock)
        .await
        .context("unlock the chat's records")?;
    lock.close().map(drop).await;
    Ok(refused)
}

fn first(template: &Template) -> anyhow::Result<&crate::api::Person> {
    template.people.first().context("no people")
}
