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
    let mut is_told = tokio::select! {
        () = signals.next() => true,
        Ok(_) = drain_asked.wait_for(|asked| *asked) => false,
        _ = node.failed() => return node.stop().await,
    };
    info!("asked to end: new calls are refused, running ones may finish");
    {
        let mut drained = std::pin::pin!(node.drain());
        loop {
            tokio::select! {
                () = &mut drained => break,
                () = signals.next() => {
                    if is_told {
                        warn!("asked again: running calls are cut off");
                        break;
                    }
                    // Whoever supervises the process asks it to end behind the admin's word.
                    info!("asked to end: it drains already");
                    is_told = true;
                }
                _ = node.failed() => break,
            }
        }
    }
    node.stop().await
}
