//! Which of several processes on one PostgreSQL server leads: the only one that writes.
//!
//! In: who wants to lead, and where it is reached. Out: an epoch, which grows with every leader.
//! A leader writes its row again and again (`beat`); who sees it unchanged for long enough may take its
//! place (`take`). When that is, is not decided here.
//! Invariant: nobody writes for an epoch that is over. Connections that write belong to an epoch
//! ([`Location::in_epoch`]): whoever begins one looks whether it is still that epoch, and whoever takes the
//! lead ends those of earlier ones. A process that was frozen and wakes up finds its connections cut.

use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use super::{Database, Domain, Durability, Location, Migration, SqlError};

/// Longest wait for the end of a connection of an earlier epoch, in milliseconds: it is one statement away.
const CUT_WITHIN_MS: i64 = 5000;

const LEADER: Domain = Domain {
    name: "leader",
    migrations: &[Migration::new(
        1,
        "leader",
        "CREATE TABLE leader (id BIGINT PRIMARY KEY, epoch BIGINT NOT NULL, beat BIGINT NOT NULL,
             node TEXT NOT NULL, address TEXT NOT NULL, key_mark TEXT NOT NULL);
         INSERT INTO leader (id, epoch, beat, node, address, key_mark) VALUES (1, 0, 0, '', '', '');",
    )],
    durability: Durability::PowerCut,
    exclusive: false,
};

/// Who leads, as the row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    /// How many have led so far, this one included.
    pub epoch: i64,
    /// Grows while it is alive.
    pub beat: i64,
    pub node: String,
    /// Where the others reach it; empty: it has gone in order, and nobody leads.
    pub address: String,
    /// Tells the key that seals what is in the database from other keys.
    pub key_mark: String,
}

impl FromRow<'_, AnyRow> for Leader {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            epoch: row.try_get("epoch")?,
            beat: row.try_get("beat")?,
            node: row.try_get("node")?,
            address: row.try_get("address")?,
            key_mark: row.try_get("key_mark")?,
        })
    }
}

/// Who wants to lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub node: String,
    pub address: String,
    pub key_mark: String,
}

/// The row of the leader.
#[derive(Debug, Clone)]
pub struct Leadership(Database);

impl Leadership {
    /// Opens the row at a PostgreSQL server, and makes it when it is missing.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn open(location: &Location) -> Result<Self, SqlError> {
        Database::open(location, &LEADER).await.map(Self)
    }

    /// Who leads now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn look(&self) -> Result<Leader, SqlError> {
        let row = "SELECT epoch, beat, node, address, key_mark FROM leader WHERE id = 1";
        let found = self.0.fetch_optional("read who leads", sqlx::query_as(row));
        let nobody = Leader {
            epoch: 0,
            beat: 0,
            node: String::new(),
            address: String::new(),
            key_mark: String::new(),
        };
        Ok(found.await?.unwrap_or(nobody))
    }

    /// Takes the place of a leader of which nothing was heard since `seen`. Returns the new epoch, once
    /// nobody writes for an earlier one; `None` when it was heard, or somebody else was faster.
    ///
    /// # Errors
    /// When the row cannot be written, or a connection of an earlier epoch does not end.
    pub async fn take(&self, seen: &Leader, by: &Candidate) -> Result<Option<i64>, SqlError> {
        let row =
            "UPDATE leader SET epoch = epoch + 1, beat = 0, node = $1, address = $2, key_mark = $3
                   WHERE id = 1 AND epoch = $4 AND beat = $5";
        let taken = sqlx::query(row)
            .bind(by.node.clone())
            .bind(by.address.clone())
            .bind(by.key_mark.clone())
            .bind(seen.epoch)
            .bind(seen.beat);
        if self.0.execute("take the lead", taken).await? == 0 {
            return Ok(None);
        }
        let epoch = seen.epoch + 1;
        self.cut_off_earlier(epoch).await?;
        Ok(Some(epoch))
    }

    async fn cut_off_earlier(&self, epoch: i64) -> Result<(), SqlError> {
        let operation = "cut off who led before";
        let still_there = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()
             AND application_name LIKE 'parley-%-epoch-%' AND application_name NOT LIKE $1
             AND NOT pg_terminate_backend(pid, $2)";
        let own = format!("%-epoch-{epoch}");
        let select = sqlx::query_scalar(still_there)
            .bind(own)
            .bind(CUT_WITHIN_MS);
        let count: i64 = self.0.fetch_value(operation, select).await?;
        if count == 0 {
            return Ok(());
        }
        let why = format!("{count} of its connections do not end");
        Err(self.0.failed(operation, sqlx::Error::Protocol(why)))
    }

    /// Says that the leader of this epoch is alive. `false`: it leads no longer.
    ///
    /// # Errors
    /// When the row cannot be written.
    pub async fn beat(&self, epoch: i64) -> Result<bool, SqlError> {
        let row = "UPDATE leader SET beat = beat + 1 WHERE id = 1 AND epoch = $1";
        let beaten = sqlx::query(row).bind(epoch);
        let count = self
            .0
            .execute("say that this process leads", beaten)
            .await?;
        Ok(count == 1)
    }

    /// Says that the leader of this epoch goes, so that another may take its place at once.
    ///
    /// # Errors
    /// When the row cannot be written; the others wait for its silence then.
    pub async fn leave(&self, epoch: i64) -> Result<(), SqlError> {
        let row = "UPDATE leader SET beat = beat + 1, address = '' WHERE id = 1 AND epoch = $1";
        let left = sqlx::query(row).bind(epoch);
        self.0
            .execute("say that this process leads no longer", left)
            .await?;
        Ok(())
    }

    pub async fn close(&self) {
        self.0.close().await;
    }
}

/// What a connection that writes is told first: it goes no further when the epoch is over.
pub(super) fn fence(epoch: i64) -> String {
    format!(
        " DO $$ BEGIN IF (SELECT epoch FROM leader.leader WHERE id = 1) IS DISTINCT FROM {epoch} THEN \
         RAISE 'another process leads: epoch {epoch} is over'; END IF; END $$;"
    )
}
