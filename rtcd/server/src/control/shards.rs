//! The way from the control side to the shards.
//!
//! In: messages for a shard. Out: the same in its inbox, or a refusal that is logged and counted.

use std::sync::Arc;
use std::time::Duration;

use rtcd_core::CallKey;
use tracing::warn;

use super::ControlError;
use crate::driver::{InboxSender, ShardMessage};
use crate::metrics::Metrics;
use crate::placement::{Link, ShardId};

/// How often a congested shard is looked at again.
pub(super) const CONGESTION_PAUSE: Duration = Duration::from_millis(2);

/// All shards of the node.
#[derive(Debug)]
pub(super) struct Shards {
    inboxes: Vec<InboxSender>,
    metrics: Arc<Metrics>,
}

impl Shards {
    pub(super) fn new(inboxes: Vec<InboxSender>, metrics: Arc<Metrics>) -> Self {
        Self { inboxes, metrics }
    }

    /// Waits while a shard has so much to do that messages would soon be refused.
    pub(super) async fn wait_for(&self, shard: ShardId) {
        let inbox = self.inboxes.get(shard.0);
        while inbox.is_some_and(InboxSender::is_congested) {
            tokio::time::sleep(CONGESTION_PAUSE).await;
        }
    }

    pub(super) fn link_up(&self, call: &CallKey, link: Link) {
        let [first, second] = link.ends;
        for (shard, peer) in [(first, second), (second, first)] {
            let message = ShardMessage::LinkUp {
                call: call.clone(),
                link: link.id,
                peer,
            };
            self.send_or_warn(shard, message);
        }
    }

    pub(super) fn link_down(&self, call: &CallKey, link: Link) {
        for shard in link.ends {
            let message = ShardMessage::LinkDown {
                call: call.clone(),
                link: link.id,
            };
            self.send_or_warn(shard, message);
        }
    }

    pub(super) fn send(&self, shard: ShardId, message: ShardMessage) -> Result<(), ControlError> {
        let inbox = self.inboxes.get(shard.0).ok_or(ControlError::Overloaded)?;
        inbox.send(message).map_err(|full| {
            self.metrics.dropped("inbox", "control");
            warn!(
                shard = shard.0,
                depth = full.depth,
                "shard overloaded, message refused"
            );
            ControlError::Overloaded
        })
    }

    /// For what has nobody to answer to: `send` has logged and counted already.
    fn send_or_warn(&self, shard: ShardId, message: ShardMessage) {
        let _ = self.send(shard, message);
    }

    pub(super) fn has_failing_sockets(&self) -> bool {
        let gauge = &self.metrics.own.sockets_failing;
        let shards = 0..self.inboxes.len();
        shards
            .map(|shard| gauge.with_label_values(&[&shard.to_string()]).get())
            .any(|failing| failing > 0)
    }

    /// Refreshes gauges that nobody sets as they change.
    pub(super) fn refresh_metrics(&self) {
        for (index, shard) in self.inboxes.iter().enumerate() {
            self.metrics
                .own
                .inbox_depth
                .with_label_values(&[&index.to_string()])
                .set(i64::try_from(shard.depth()).unwrap_or(i64::MAX));
        }
    }
}
