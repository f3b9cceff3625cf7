//! What a client costs in resident memory while it only listens, and what clients cost that do not
//! even read.

use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::figures::{Figure, Limit, real};
use crate::world::Template;

/// Clients of one person that do not read, and what is posted to them: 64 kB each time.
const DEAF: usize = 60;
const POSTS: usize = 200;
const MESSAGE_CHARS: usize = 16_000;
/// Time for the server to give back what it can.
const SETTLES: Duration = Duration::from_secs(2);
/// Kilobytes a client.
const MUST: f64 = 150.0;
const AIM: f64 = 60.0;
/// Megabytes for all deaf clients together: about one each.
const DEAF_MUST: f64 = 64.0;

pub(super) async fn measure(template: &Template) -> anyhow::Result<Vec<Figure>> {
    let world = template.open().await?;
    let server = &world.server;
    tokio::time::sleep(SETTLES).await;
    let empty = server.memory_kb()?;
    let mut readers = JoinSet::new();
    for person in &template.people {
        readers.spawn(listen(world.connect(person).await?));
    }
    tokio::time::sleep(SETTLES).await;
    let full = server.memory_kb()?;
    anyhow::ensure!(readers.try_join_next().is_none(), "a client was cut off");
    let person = template.people.first().context("no people")?;
    let channel = template.calls.first().context("no channels")?;
    let mut deaf = Vec::new();
    for _ in 0..DEAF {
        deaf.push(Client::connect_small(server.addr, person).await?);
    }
    tokio::time::sleep(SETTLES).await;
    let before = server.memory_kb()?;
    let message = "\u{1f4de}".repeat(MESSAGE_CHARS);
    let mut most = before;
    for _ in 0..POSTS {
        world.api.new_post(person, channel, "", &message).await?;
        most = most.max(server.memory_kb()?);
    }
    Ok(vec![
        Figure::told(
            "memory per client",
            (full - empty) / real(template.people.len()),
            "kB",
        )
        .must(Limit::AtMost(MUST))
        .aim(Limit::AtMost(AIM)),
        Figure::told("60 clients do not read", (most - before) / 1024.0, "MB")
            .must(Limit::AtMost(DEAF_MUST)),
        Figure::told("server without clients", empty / 1024.0, "MB"),
    ])
}

async fn listen(mut client: Client) -> anyhow::Result<()> {
    loop {
        client.next().await?;
    }
}
