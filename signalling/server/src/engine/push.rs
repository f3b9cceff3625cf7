//! Wakes phones when a call begins in a direct or group message.
//!
//! In: a call's post that was made. Out: one request for each device, to the relay that the operator
//! named.
//! Invariant: a request carries the device's name at the relay and nothing else; what there is to
//! show, the phone asks us.

use std::time::Duration;

use messaging::ChatError;
use messaging::model::{RoomKind, Status};
use proto::id::{ChannelId, UserId};
use serde_json::json;
use service::outgoing::Whom;
use settings::Link;

use super::Engine;

/// Largest group whose phones are woken, the caller included.
const MOST_MEMBERS: usize = 8;
/// How long the relay may take for one device. Longer: a call may be over when the next is woken.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The way to the relay.
#[derive(Debug)]
pub(super) struct Push {
    http: reqwest::Client,
    relay: Link,
}

impl Push {
    pub(super) fn to(relay: Link) -> Self {
        let http = Whom::World.client().timeout(ANSWER_LIMIT).build();
        Self {
            http: http.unwrap_or_default(),
            relay,
        }
    }

    async fn wake(&self, device: &str) {
        let body = json!({ "id": device });
        let sent = self.http.post(&*self.relay).json(&body).send().await;
        let refused = match sent.and_then(reqwest::Response::error_for_status) {
            Ok(_) => return,
            Err(error) => Whom::World.discreet_words(error),
        };
        tracing::warn!(reason = refused, "a phone was not woken (push.relay)");
    }
}

impl Engine {
    /// Wakes the phones of those who are called by `caller`.
    pub(super) async fn wake_phones(&self, channel: &ChannelId, caller: &UserId) {
        let Some(push) = &self.push else { return };
        match self.devices_to_wake(channel, caller).await {
            Ok(devices) => {
                for device in devices {
                    push.wake(&device).await;
                }
            }
            Err(error) => tracing::warn!(%error, "phones were not woken"),
        }
    }

    async fn devices_to_wake(
        &self,
        channel: &ChannelId,
        caller: &UserId,
    ) -> Result<Vec<String>, ChatError> {
        let kind = self.chat.room(channel).await?.kind;
        let mut members = self.chat.members(channel).await?;
        let is_small = matches!(kind, RoomKind::Direct | RoomKind::Group);
        if !is_small || members.len() > MOST_MEMBERS {
            return Ok(Vec::new());
        }
        members.retain(|member| member != caller);
        let statuses = self.chat.statuses(&members).await?;
        let mut devices = Vec::new();
        for (member, status) in members.iter().zip(statuses) {
            if status != Status::DoNotDisturb {
                devices.extend(self.chat.push_ids(member).await?);
            }
        }
        Ok(devices)
    }
}
