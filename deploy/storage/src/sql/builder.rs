//! A statement whose length is known only when it is made: lists of ids, optional conditions.
//!
//! Invariant: nothing a caller brings becomes SQL: text is `&'static str`, values are bound.

use std::fmt::Write as _;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow};

use super::{Select, Statement};

/// A value for a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Number(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// A statement in the making.
#[derive(Debug, Default)]
pub struct Builder {
    sql: String,
    values: Vec<Value>,
}

impl Builder {
    /// Begins with this text.
    #[must_use]
    pub fn new(sql: &'static str) -> Self {
        let mut builder = Self::default();
        builder.push(sql);
        builder
    }

    /// Adds a text.
    pub fn push(&mut self, sql: &'static str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Adds a value.
    pub fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        let _ = write!(self.sql, "${}", self.values.len());
        self
    }

    /// Adds values with commas between them: the inside of `IN (...)`, which must not be empty.
    pub fn push_list<T: Into<Value>>(&mut self, values: impl IntoIterator<Item = T>) -> &mut Self {
        for (index, value) in values.into_iter().enumerate() {
            self.push(if index == 0 { "" } else { ", " });
            self.push_bind(value);
        }
        self
    }

    /// The statement, to be run for its effect.
    pub fn build(self) -> Statement<'static> {
        let mut query = sqlx::query(AssertSqlSafe(self.sql));
        for value in self.values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
            };
        }
        query
    }

    /// The statement, to be run for its rows.
    pub fn select<O: for<'r> FromRow<'r, AnyRow>>(self) -> Select<'static, O> {
        let mut query = sqlx::query_as(AssertSqlSafe(self.sql));
        for value in self.values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
            };
        }
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_in_the_order_they_are_added() {
        let mut builder = Builder::new("SELECT * FROM a WHERE b = ");
        builder.push_bind("x").push(" AND c IN (");
        builder.push_list([1, 2]).push(") LIMIT ").push_bind(3);
        assert_eq!(
            builder.sql,
            "SELECT * FROM a WHERE b = $1 AND c IN ($2, $3) LIMIT $4"
        );
        assert_eq!(builder.values.len(), 4);
    }
}
