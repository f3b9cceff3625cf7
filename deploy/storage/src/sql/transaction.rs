//! A writing transaction: all of its statements take effect, or none.
//!
//! Invariant: a transaction that ends in any way but an acknowledged commit or rollback closes its
//! connection. SQLite rolls back by itself on a full disk or an I/O error, after which
//! nobody can say what state the connection is in.

use std::sync::Arc;

use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Decode, FromRow, Type};

use super::writer::Turn;
use super::{Inner, Select, SelectValue, SqlError, Statement};

/// A writing transaction. Dropped without `commit`, it has changed nothing.
#[derive(Debug)]
pub struct Transaction {
    connection: Turn,
    database: Arc<str>,
    operation: &'static str,
    /// PostgreSQL refuses everything after a statement that failed, and so do we.
    has_failed: bool,
}

impl Transaction {
    pub(super) async fn begin(
        connection: Turn,
        inner: &Inner,
        operation: &'static str,
    ) -> Result<Self, SqlError> {
        let mut transaction = Self {
            connection,
            database: inner.name.clone(),
            operation,
            has_failed: false,
        };
        transaction.control(&inner.begin).await?;
        Ok(transaction)
    }

    /// Runs a statement that changes something; returns how many rows it touched.
    ///
    /// # Errors
    /// When it did not run; the transaction can then only be given up.
    pub async fn execute(
        &mut self,
        operation: &'static str,
        statement: Statement<'_>,
    ) -> Result<u64, SqlError> {
        crate::testing_hook::statement();
        let done = statement.execute(&mut *self.connection).await;
        self.noted(operation, done).map(|done| done.rows_affected())
    }

    /// All rows of a statement, as this transaction sees them.
    ///
    /// # Errors
    /// When it did not run; the transaction can then only be given up.
    pub async fn fetch_all<O>(
        &mut self,
        operation: &'static str,
        select: Select<'_, O>,
    ) -> Result<Vec<O>, SqlError>
    where
        O: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        let rows = select.fetch_all(&mut *self.connection).await;
        self.noted(operation, rows)
    }

    /// The first row of a statement, as this transaction sees it.
    ///
    /// # Errors
    /// When it did not run; the transaction can then only be given up.
    pub async fn fetch_optional<O>(
        &mut self,
        operation: &'static str,
        select: Select<'_, O>,
    ) -> Result<Option<O>, SqlError>
    where
        O: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        let row = select.fetch_optional(&mut *self.connection).await;
        self.noted(operation, row)
    }

    /// The value of a statement that gives exactly one, as this transaction sees it.
    ///
    /// # Errors
    /// When it did not run; the transaction can then only be given up.
    pub async fn fetch_value<O>(
        &mut self,
        operation: &'static str,
        select: SelectValue<'_, O>,
    ) -> Result<O, SqlError>
    where
        O: for<'r> Decode<'r, Any> + Type<Any> + Send + Unpin,
    {
        let value = select.fetch_one(&mut *self.connection).await;
        self.noted(operation, value)
    }

    /// Makes everything take effect; durable when this returns.
    ///
    /// # Errors
    /// When the database did not acknowledge it, or a statement before had failed.
    pub async fn commit(mut self) -> Result<(), SqlError> {
        if self.has_failed {
            let refused = sqlx::Error::Protocol(
                "a statement of this transaction failed, so it cannot be committed".to_owned(),
            );
            return Err(self.failed(self.operation, refused));
        }
        crate::testing_hook::statement();
        self.control("COMMIT").await?;
        crate::testing_hook::statement();
        self.connection.give_back();
        Ok(())
    }

    /// Gives everything up and keeps the connection; dropping the transaction does only the first.
    ///
    /// # Errors
    /// When the database did not acknowledge it; nothing has changed even so.
    pub async fn rollback(mut self) -> Result<(), SqlError> {
        self.control("ROLLBACK").await?;
        self.connection.give_back();
        Ok(())
    }

    async fn control(&mut self, sql: &str) -> Result<(), SqlError> {
        // not prepared: the words that begin may be several statements
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let done = sql.execute(&mut *self.connection).await;
        self.noted(self.operation, done).map(drop)
    }

    fn noted<T>(
        &mut self,
        operation: &'static str,
        done: Result<T, sqlx::Error>,
    ) -> Result<T, SqlError> {
        done.map_err(|source| {
            self.has_failed = true;
            self.failed(operation, source)
        })
    }

    fn failed(&self, operation: &'static str, source: sqlx::Error) -> SqlError {
        SqlError::new(operation, self.database.clone(), source)
    }
}
