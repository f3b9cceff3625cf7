//! How long a thread of many replies takes to open, and how much of it is sent.

use std::time::Instant;

use anyhow::Context as _;

use crate::figures::{Figure, Limit, Times, real};
use crate::world::Template;

const OPENINGS: usize = 10;
/// Milliseconds.
const MUST: f64 = 300.0;
/// Megabytes.
const MUST_MB: f64 = 1.0;

pub(super) async fn measure(template: &Template) -> anyhow::Result<Vec<Figure>> {
    let root = template.thread().await?;
    let world = template.open().await?;
    let person = template.people.first().context("no people")?;
    let (mut times, mut most) = (Times::default(), 0);
    for _ in 0..OPENINGS {
        let asked = Instant::now();
        let path = format!("/posts/{root}/thread");
        most = most.max(world.api.download(person, &path).await?);
        times.push(asked.elapsed());
    }
    Ok(vec![
        Figure::told("thread opened, p95", times.percentile_ms(950), "ms")
            .must(Limit::AtMost(MUST)),
        Figure::told("bytes of the answer", real(most) / 1e6, "MB").must(Limit::AtMost(MUST_MB)),
        Figure::told("thread opened, p50", times.percentile_ms(500), "ms"),
    ])
}
