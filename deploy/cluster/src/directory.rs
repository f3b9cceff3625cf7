//! Small records that change by compare-and-swap, and the way to write one through a time without
//! answers.

use std::time::Duration;

use async_trait::async_trait;

use crate::{Error, Feed};

/// Time for one operation, without repetitions.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Time for a write that must come through, repetitions included: an engine that lost the server which
/// keeps a record elects another within 5 to 8 s.
pub const BUDGET: Duration = Duration::from_secs(10);
/// A record that nobody has written for so long is gone: owners write theirs again far more often.
pub const RECORD_AGE: Duration = Duration::from_secs(24 * 60 * 60);

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a record is at. Grows with every write of it; says nothing between records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    pub value: Vec<u8>,
    pub revision: Revision,
}

/// How new what is read must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// What any server has: cheap, and perhaps a moment old, even behind a write of one's own. A swap
    /// from it does no harm.
    Recent,
    /// What the last write made it.
    Latest,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Set {
        key: String,
        value: Vec<u8>,
        revision: Revision,
    },
    Gone {
        key: String,
        revision: Revision,
    },
    /// What had been acknowledged to anybody when the watch was asked for has been told.
    Synced,
    /// Something was missed: forget what was told. All records follow, then `Synced`.
    Resync,
}

/// Records. `create`, `swap` and `remove` are linearizable per key.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Reads a record.
    ///
    /// # Errors
    /// `Unavailable`; it is not known then whether there is one.
    async fn get(&self, key: &str, read: Read) -> Result<Option<Versioned>, Error>;

    /// Writes a record that is not there.
    ///
    /// # Errors
    /// `Conflict` when it is there.
    async fn create(&self, key: &str, value: Vec<u8>) -> Result<Revision, Error>;

    /// Writes a record that is still at this revision.
    ///
    /// # Errors
    /// `Conflict` when it is not.
    async fn swap(&self, key: &str, at: Revision, value: Vec<u8>) -> Result<Revision, Error>;

    /// Removes a record that is still at this revision.
    ///
    /// # Errors
    /// `Conflict` when it is not.
    async fn remove(&self, key: &str, at: Revision) -> Result<(), Error>;

    /// Watches the records below a prefix of whole tokens (empty: all): those that are there, `Synced`,
    /// then changes, per key in order. Values between may be left out; what is told of a key never goes
    /// back.
    ///
    /// # Errors
    /// When the engine cannot be reached.
    async fn watch(&self, prefix: &str) -> Result<Box<dyn Feed<Change>>, Error>;
}

/// Writes a record (`at`: `None` to create it) and does not rest until it is known what came of it, for
/// [`BUDGET`] at most: no answer and no leader are met by asking again. `value` must be this writer's
/// own, with a nonce in it: finding it there is the proof that an earlier attempt came through.
///
/// # Errors
/// `Conflict` when somebody else was first; `Unknown` when the time was not enough and something was
/// sent; `Unavailable` when nothing ever got through.
pub async fn write_through(
    directory: &dyn Directory,
    key: &str,
    at: Option<Revision>,
    value: &[u8],
) -> Result<Revision, Error> {
    let end = tokio::time::Instant::now() + BUDGET;
    let mut pause = FIRST_PAUSE;
    let mut may_have_landed = false;
    loop {
        let written = match at {
            Some(at) => directory.swap(key, at, value.to_vec()).await,
            None => directory.create(key, value.to_vec()).await,
        };
        let error = match written {
            Ok(revision) => return Ok(revision),
            Err(Error::Conflict { current }) if may_have_landed => {
                match directory.get(key, Read::Latest).await {
                    Ok(Some(found)) if found.value == value => return Ok(found.revision),
                    Ok(_) => return Err(Error::Conflict { current }),
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        if !error.is_passing() {
            return Err(error);
        }
        may_have_landed |= error == Error::Unknown;
        if tokio::time::Instant::now() + pause >= end {
            return Err(if may_have_landed {
                Error::Unknown
            } else {
                error
            });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
