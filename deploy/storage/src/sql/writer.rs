//! The one connection of a process that writes, and the queue in front of it.
//!
//! Not sqlx's pool: that one hides why a connection could not be opened behind a time-out, and
//! hands a connection out again whatever happened on it.
//! Invariant: a connection goes back only if whoever had it says that it is good.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// How long somebody waits for their turn.
const WAIT: Duration = Duration::from_secs(30);
/// After this much silence a connection is asked whether it is still there: servers restart, and
/// firewalls forget.
const SILENCE: Duration = Duration::from_secs(1);

/// The writing connection, opened when it is needed.
#[derive(Debug)]
pub(super) struct Writer {
    options: AnyConnectOptions,
    /// Statements that every connection begins with.
    told: String,
    slot: Arc<Mutex<Slot>>,
    is_closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Slot {
    connection: Option<AnyConnection>,
    last_used: Option<Instant>,
}

impl Writer {
    pub(super) fn new(options: AnyConnectOptions, told: String) -> Self {
        Self {
            options,
            told,
            slot: Arc::default(),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Waits for its turn, and for a connection.
    pub(super) async fn acquire(&self) -> Result<Turn, sqlx::Error> {
        let turn = tokio::time::timeout(WAIT, self.slot.clone().lock_owned());
        let mut slot = turn.await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        if self.is_closed() {
            return Err(sqlx::Error::PoolClosed);
        }
        // taken out of the slot: whoever is cancelled here leaves no half-told connection behind
        let mut kept = slot.connection.take();
        if slot.last_used.is_none_or(|at| at.elapsed() > SILENCE)
            && let Some(connection) = &mut kept
            && connection.ping().await.is_err()
        {
            kept = None;
        }
        let connection = match kept {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(Turn {
            connection: Some(connection),
            slot,
        })
    }

    async fn connect(&self) -> Result<AnyConnection, sqlx::Error> {
        let mut connection = AnyConnection::connect_with(&self.options).await?;
        let told = sqlx::raw_sql(AssertSqlSafe(self.told.clone()));
        told.execute(&mut connection).await?;
        Ok(connection)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Waits for the one who writes, and closes.
    pub(super) async fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        let mut slot = self.slot.lock().await;
        if let Some(connection) = slot.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the writing connection did not close in order");
        }
    }
}

/// A turn at the connection. Dropped without `give_back`, it closes the connection.
#[derive(Debug)]
pub(super) struct Turn {
    connection: Option<AnyConnection>,
    slot: OwnedMutexGuard<Slot>,
}

impl Turn {
    /// Lets the next one have the connection.
    pub(super) fn give_back(mut self) {
        self.slot.connection = self.connection.take();
        self.slot.last_used = Some(Instant::now());
    }
}

impl Deref for Turn {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        self.connection.as_ref().expect(GIVEN_BACK_CONSUMES)
    }
}

impl DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        self.connection.as_mut().expect(GIVEN_BACK_CONSUMES)
    }
}

const GIVEN_BACK_CONSUMES: &str = "giving the connection back consumes the turn";
