//! For tests of every service: a real PostgreSQL, a database on each engine, a death on demand.

pub mod deaths;
pub mod postgres;

use std::path::Path;

use crate::Location;

/// The engines a store is tried on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// A database that nobody has used: a file in `folder`, or one on the server of this process.
    ///
    /// # Panics
    /// When PostgreSQL does not start.
    pub async fn fresh(self, folder: &Path) -> Location {
        match self {
            Self::Sqlite => Location::File(folder.join("fresh.db")),
            Self::Postgres => {
                let url = postgres::fresh_database().await;
                let location = Location::server(&url, Path::new(""));
                location.expect("an address").expect("a server")
            }
        }
    }
}

/// A test of a store for each engine: the same `async fn` with a fresh `Location`.
#[macro_export]
macro_rules! on_both_engines {
    ($($test:ident)*) => {
        mod on_sqlite { $( $crate::on_both_engines!(@one $test Sqlite); )* }
        mod on_postgres { $( $crate::on_both_engines!(@one $test Postgres); )* }
    };
    (@one $test:ident $engine:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let engine = $crate::testing::Engine::$engine;
            super::$test(engine.fresh(folder.path()).await).await;
        }
    };
}

/// Makes a SQLite file as an earlier version left it.
///
/// # Panics
/// When the statements do not run.
pub async fn sqlite_of_old(path: &Path, statements: &'static str) {
    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
    use sqlx::{ConnectOptions as _, Connection as _};
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut connection: SqliteConnection = options.connect().await.expect("make an old file");
    let made = sqlx::raw_sql(statements).execute(&mut connection).await;
    made.expect("make old tables");
    connection.close().await.expect("close the old file");
}
