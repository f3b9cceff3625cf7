//! How long calls are mute when the process is killed and started again: until a client that comes
//! back has its own event, and until everybody has.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use proto::calls::action::Action;
use tokio::task::JoinSet;

use crate::api::Person;
use crate::client::{Client, event};
use crate::figures::{Figure, Limit, Times};
use crate::world::Template;

/// How soon a client tries again.
const TRIES_EVERY: Duration = Duration::from_millis(50);
/// Clients do not all come at the same moment.
const SPREAD: Duration = Duration::from_millis(1000);
const PATIENCE: Duration = Duration::from_secs(60);
/// Milliseconds.
const MUST: f64 = 3000.0;

pub(super) async fn measure(template: &Template) -> anyhow::Result<Vec<Figure>> {
    let mut world = template.open().await?;
    let clients = world.in_calls(template.by_call()).await?;
    let sessions: Vec<String> = clients
        .iter()
        .map(|client| client.connection.clone())
        .collect();
    let everybody: Vec<_> = template.by_call().zip(sessions).collect();
    let killed = Instant::now();
    world.server.kill_and_start()?;
    drop(clients);
    let mut tasks = JoinSet::new();
    let step = SPREAD / u32::try_from(everybody.len()).context("too many clients")?;
    for (n, ((person, channel), session)) in (0_u32..).zip(everybody) {
        let (addr, person, channel) = (world.server.addr, person.clone(), channel.to_owned());
        tasks.spawn(async move {
            tokio::time::sleep_until((killed + step * n).into()).await;
            let back = come_back(addr, &person, &channel, &session);
            tokio::time::timeout(PATIENCE, back)
                .await
                .with_context(|| format!("{} is not back in {PATIENCE:?}", person.name))??;
            anyhow::Ok(killed.elapsed())
        });
    }
    let mut times = Times::default();
    while let Some(back) = tasks.join_next().await {
        times.push(back.context("a client")??);
    }
    Ok(vec![
        Figure::told("kill -9 to first event", times.percentile_ms(0), "ms")
            .must(Limit::AtMost(MUST)),
        Figure::told("half of the clients back", times.percentile_ms(500), "ms"),
        Figure::told("all clients back", times.percentile_ms(1000), "ms"),
    ])
}

/// Connects, takes its session over and says something until it hears itself.
async fn come_back(
    addr: std::net::SocketAddr,
    person: &Person,
    channel: &str,
    session: &str,
) -> anyhow::Result<()> {
    let mut client = loop {
        match Client::connect(addr, person).await {
            Ok(client) => break client,
            Err(_) => tokio::time::sleep(TRIES_EVERY).await,
        }
    };
    client.come_back(channel, session).await?;
    client.act(&Action::Unmute).await?;
    let unmuted = event("user_unmuted");
    loop {
        let text = client.wait_for(&unmuted).await?;
        if text.contains(session) {
            // It stays, so that its leaving disturbs nobody who is still to come.
            tokio::spawn(async move { while client.next().await.is_ok() {} });
            return Ok(());
        }
    }
}
