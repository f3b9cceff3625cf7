//! The tables of a domain, as numbered steps that sqlx's migrator runs, each in a transaction.
//!
//! A step is written once, in SQLite's words. For PostgreSQL `TEXT` becomes `TEXT COLLATE "C"`
//! (texts are ordered by their bytes, as in SQLite, whatever the server's locale), `BLOB` becomes
//! `BYTEA`. Where more differs, a step has a text per engine.
//! Databases of the time before numbered steps are adopted: the first step of a domain makes its
//! tables `IF NOT EXISTS`, as they were then.
//! Invariant: a released step is never edited; the migrator compares what it ran.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, MigrationType, Migrator};
use sqlx::{AnyConnection, AssertSqlSafe, SqlSafeStr as _};

/// One numbered step.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    version: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: Option<&'static str>,
}

impl Migration {
    /// A step with one text for both engines.
    #[must_use]
    pub const fn new(version: i64, name: &'static str, sql: &'static str) -> Self {
        Self {
            version,
            name,
            sqlite: sql,
            postgres: None,
        }
    }

    /// A step with a text per engine; both in SQLite's words for the types.
    #[must_use]
    pub const fn per_engine(
        version: i64,
        name: &'static str,
        sqlite: &'static str,
        postgres: &'static str,
    ) -> Self {
        Self {
            version,
            name,
            sqlite,
            postgres: Some(postgres),
        }
    }

    fn text(&self, engine: Engine) -> Cow<'static, str> {
        match engine {
            Engine::Sqlite => self.sqlite.into(),
            Engine::Postgres => for_postgres(self.postgres.unwrap_or(self.sqlite)).into(),
        }
    }
}

/// Which server understands the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Sqlite,
    Postgres,
}

/// What every domain has: the row that `check` writes.
const COMMON: Migration = Migration::new(
    0,
    "health",
    "CREATE TABLE storage_health (id BIGINT PRIMARY KEY, checked_at BIGINT NOT NULL)",
);

/// Runs the steps that this database has not seen. Writes nothing when it has seen all.
pub(super) async fn run(
    connection: &mut AnyConnection,
    engine: Engine,
    steps: &[Migration],
) -> Result<(), sqlx::Error> {
    let steps = std::iter::once(&COMMON).chain(steps).map(|step| {
        sqlx::migrate::Migration::new(
            step.version,
            step.name.into(),
            MigrationType::Simple,
            AssertSqlSafe(step.text(engine).into_owned()).into_sql_str(),
            false,
        )
    });
    let migrator = Migrator::with_migrations(steps.collect());
    let mut done = migrator.run(&mut *connection).await;
    if matches!(&done, Err(MigrateError::Execute(error)) if is_duplicate(error)) {
        // Two processes began at once and the other one was first: what it ran is seen now.
        done = migrator.run(&mut *connection).await;
    }
    done.map_err(|error| {
        if let MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) = error {
            source
        } else {
            sqlx::Error::Migrate(Box::new(error))
        }
    })
}

fn is_duplicate(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error.is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// The step in PostgreSQL's words.
fn for_postgres(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len() + sql.len() / 4);
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = sql;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        out.push_str(match word {
            "TEXT" => "TEXT COLLATE \"C\"",
            "BLOB" => "BYTEA",
            other => other,
        });
        let next = tail.find(is_word).unwrap_or(tail.len());
        let (between, tail) = tail.split_at(next);
        out.push_str(between);
        rest = tail;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_written_once_for_both_engines() {
        let step = Migration::new(
            1,
            "a",
            "CREATE TABLE a (id TEXT PRIMARY KEY, b BLOB NOT NULL, \"TEXTILE\" BIGINT);",
        );
        assert_eq!(step.text(Engine::Sqlite), step.sqlite);
        assert_eq!(
            step.text(Engine::Postgres),
            "CREATE TABLE a (id TEXT COLLATE \"C\" PRIMARY KEY, b BYTEA NOT NULL, \
             \"TEXTILE\" BIGINT);"
        );
        let step = Migration::per_engine(1, "a", "x BLOB", "y BLOB");
        assert_eq!(step.text(Engine::Postgres), "y BYTEA");
    }
}
