//! Where records and files lie: SQLite or PostgreSQL behind one pool, a directory or S3 behind one
//! `BlobStore`.
//!
//! SQLite and directories are always in it; PostgreSQL and S3 are features, for builds without them.
//! Not here: any domain's tables or statements; each service owns its own.

pub mod blob;
mod seal;
pub mod space;
pub mod sql;
#[cfg(feature = "testing")]
pub mod testing;
mod testing_hook;

pub use seal::{SealError, Sealer};
pub use sql::{
    Candidate, Database, Domain, Durability, Leader, Leadership, Location, Migration, SqlError,
    Transaction,
};
