//! Tells the backend whether a person is there: online with the first socket, offline with the last.
//!
//! Invariant: what the backend was told last is how things are, however quickly sockets come and go.

use std::hash::{BuildHasher as _, RandomState};

use proto::id::UserId;
use tokio::sync::Mutex;

use super::Gateway;
use crate::model::Status;

/// People who share a lock by chance wait for each other's report, no longer.
const LOCKS: usize = 64;

#[derive(Debug)]
pub(super) struct Presence {
    locks: [Mutex<()>; LOCKS],
    hasher: RandomState,
}

impl Default for Presence {
    fn default() -> Self {
        Self {
            locks: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
        }
    }
}

impl Gateway {
    /// Reports what is true once it is this report's turn.
    pub(super) async fn report_presence(&self, user: &UserId) {
        let presence = &self.presence;
        let place = presence.hasher.hash_one(user) % (LOCKS as u64);
        let lock = usize::try_from(place)
            .ok()
            .and_then(|place| presence.locks.get(place));
        let _one_by_one = match lock {
            Some(lock) => Some(lock.lock().await),
            None => None,
        };
        let status = if self.hub.is_online(user) {
            Status::Online
        } else {
            Status::Offline
        };
        self.observe_status(user, status).await;
    }

    pub(super) async fn observe_status(&self, user: &UserId, status: Status) {
        if let Err(error) = self.backend.observe_status(user, status).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a status was not noted"
            );
        }
    }
}
