//! A socket's hold on its connection: what must be undone when the socket's task ends, however.
//!
//! The floor of a connection is held by one socket at a time, from `connected` to `disconnected`:
//! a socket that takes over waits until the handler has heard the end of the one before.

use std::sync::Arc;
use std::time::Instant;

use proto::id::{ConnId, UserId};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;

use super::hub::{Attached, Line};
use super::{ClientHandler, Gateway};

/// The right to speak for a connection towards the handler.
pub(super) type Floor = Arc<Mutex<()>>;

#[derive(Debug)]
pub(super) struct Seat {
    pub(super) gateway: Arc<Gateway>,
    pub(super) handler: Arc<dyn ClientHandler>,
    pub(super) connection: ConnId,
    pub(super) line: Line,
    pub(super) user: UserId,
    floor: Floor,
    held: Option<OwnedMutexGuard<()>>,
    is_left: bool,
}

impl Seat {
    pub(super) fn new(
        gateway: Arc<Gateway>,
        handler: Arc<dyn ClientHandler>,
        attached: Attached,
        user: UserId,
    ) -> Self {
        Self {
            gateway,
            handler,
            connection: attached.connection,
            line: attached.line,
            user,
            floor: attached.floor,
            held: None,
            is_left: false,
        }
    }

    /// Waits until no other socket speaks for the connection.
    pub(super) async fn wait_for_floor(&mut self) {
        self.held = Some(self.floor.clone().lock_owned().await);
    }

    /// Tells the handler who is there.
    pub(super) async fn begin(&self) {
        self.handler.connected(&self.connection, &self.user).await;
    }

    /// Gives the place up; returns when the handler has heard of it.
    pub(super) async fn leave(mut self) {
        if let Some(told) = self.give_up()
            && told.await.is_err()
        {
            tracing::error!("the handler panicked over the end of a connection");
        }
    }

    /// The rest runs in a task of its own, so that it also happens when this task is cut off.
    fn give_up(&mut self) -> Option<JoinHandle<()>> {
        if std::mem::replace(&mut self.is_left, true) {
            return None;
        }
        let hub = &self.gateway.hub;
        let detached = hub.detach(&self.line, Instant::now());
        let is_last = detached.is_some_and(|detached| detached.last_of_person);
        let floor = self.held.take();
        // no runtime: the process ends, and everybody's connections with it
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        let (gateway, handler) = (self.gateway.clone(), self.handler.clone());
        let (connection, user) = (self.connection.clone(), self.user.clone());
        Some(runtime.spawn(async move {
            if floor.is_some() {
                handler.disconnected(&connection, &user).await;
            }
            drop(floor);
            if is_last {
                gateway.report_presence(&user).await;
            }
        }))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        drop(self.give_up());
    }
}
