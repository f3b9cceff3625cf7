//! The durable records of the embedded server: every SQL statement lives below this file.
//!
//! In: ids and plain values. Out: rows. Not here: permissions, events, files on disk.
//! What SQL both engines understand is said in `storage::sql`. Times are Unix milliseconds; 0
//! means never. A yes or no is bound with `flag`.

mod accounts;
#[cfg(test)]
mod adoption;
mod clock;
mod files;
mod invites;
mod logins;
mod names;
mod pages;
mod portraits;
mod posts;
mod reactions;
mod reckoning;
mod rooms;
mod rows;
mod schema;
mod search;
mod teams;
mod threads;
mod words;

use storage::{Database, Domain, Durability, Location, SqlError, Transaction};

pub(crate) use accounts::{NewPerson, PersonFilter, Standing};
pub(crate) use invites::NewInvite;
pub(crate) use logins::{Change, NewLogin};
pub(crate) use pages::{Allowance, PostPage, ThreadPage};
pub(crate) use reactions::Reacted;
pub(crate) use rooms::NewRoom;
pub(crate) use rows::{
    FileRow, FollowedRow, InviteRow, LoginRow, MemberRow, PersonRow, PortraitRow, PostRow,
    PreferenceRow, ReactionRow, RoomRow, TeamMemberRow, TeamRow, UploadRow,
};
pub(crate) use search::PostSearch;
pub(crate) use teams::NewTeam;
pub(crate) use threads::{FollowedTotals, FollowedWanted, ReplyFollowers};

use super::fault::Fault;

/// A statement did not run.
pub(crate) type StoreError = SqlError;

/// What `Store` errors tell beyond their text.
pub(crate) trait Duplicate {
    /// `Ok` when a row with the same unique key is there already, else the error itself.
    fn into_duplicate(self) -> Result<(), Fault>;
}

impl Duplicate for StoreError {
    fn into_duplicate(self) -> Result<(), Fault> {
        if self.is_duplicate() {
            return Ok(());
        }
        Err(self.into())
    }
}

/// What is kept, and how.
const CHAT: Domain = Domain {
    name: "chat",
    migrations: schema::MIGRATIONS,
    // an answered write survives a power cut, not only a crash of the process
    durability: Durability::PowerCut,
    exclusive: false,
};

/// The database.
#[derive(Debug)]
pub(crate) struct Store {
    db: Database,
}

impl Store {
    /// Opens the database, creates it when missing, and brings its tables up to date.
    pub(crate) async fn open(location: &Location) -> Result<Self, StoreError> {
        let db = Database::open(location, &CHAT).await?;
        let store = Self { db };
        store.index_names().await?;
        Ok(store)
    }

    /// Closes all connections; statements after this fail.
    pub(crate) async fn close(&self) {
        self.db.close().await;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.db.is_closed()
    }

    /// Whether the database can be written, found out by writing.
    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        self.db.check().await
    }

    async fn begin(&self, operation: &'static str) -> Result<Transaction, StoreError> {
        self.db.begin(operation).await
    }
}

/// Turns what a person typed into a prefix pattern for `LIKE ... ESCAPE '!'`.
fn prefix_pattern(term: &str) -> String {
    begins_with("", term.trim_start_matches('@'))
}

/// A pattern for what begins with `before` (which holds no wildcard but those meant) and `term`.
fn begins_with(before: &str, term: &str) -> String {
    let mut pattern = before.to_owned();
    for c in term.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_hold_what_was_typed_and_no_wildcard_of_the_typist() {
        assert_eq!(prefix_pattern("@An_"), "an!_%");
        assert_eq!(prefix_pattern("100%"), "100!%%");
    }
}
