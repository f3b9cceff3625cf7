//! SIGINT and SIGTERM: the first drains, as the admin's word does, the second stops at once.

use anyhow::Context as _;
use service::signals::Signals;
use tracing::{info, warn};

use crate::config::Config;
use crate::node;

/// Runs a node until the process is told to end.
///
/// # Errors
/// When the node cannot be started or stopped in order.
pub async fn run_until_signalled(config: Config) -> anyhow::Result<()> {
    let mut signals = Signals::new().context("watch for SIGINT and SIGTERM")?;
    let node = node::start(config).await?;
    let mut drain_asked = node.drain_asked();
    tokio::select! {
        () = signals.next() => {}
        _ = drain_asked.wait_for(|asked| *asked) => {}
        _ = node.failed() => return node.stop().await,
    }
    info!("asked to end: new calls are refused, running ones may finish");
    tokio::select! {
        () = node.drain() => {}
        () = signals.next() => warn!("asked again: running calls are cut off"),
    }
    node.stop().await
}
