//! Logins, and who is let in at all: each change of rights with the logins that it ends.
//!
//! Whatever ends a login notes it in the same transaction: other processes, and this one after a
//! kill, hear of it (`logins_ended_after`) and cut off its sockets.

use proto::id::UserId;
use storage::Transaction;
use storage::sql::flag;

use super::rows::EndedLoginRow;
use super::{LoginRow, Store, StoreError};

/// How long it is known that a login ended, in milliseconds: longer than any process takes to look.
const ENDED_KNOWN_MS: i64 = 3_600_000;

/// A login session to be inserted.
#[derive(Debug)]
pub(crate) struct NewLogin<'a> {
    pub(crate) id: &'a str,
    pub(crate) token_hash: &'a str,
    pub(crate) person: &'a UserId,
    pub(crate) now: i64,
    /// 0 for one that does not expire.
    pub(crate) expires_at: i64,
    /// What it was made with; each empty where that is not known.
    pub(crate) browser: &'a str,
    pub(crate) os: &'a str,
}

/// What became of a change to somebody's rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Done,
    /// Nothing changed: somebody must be able to administrate.
    LastAdmin,
}

impl Store {
    /// Whether the login was inserted: nobody who is shut out gets one.
    pub(crate) async fn insert_login(&self, login: &NewLogin<'_>) -> Result<bool, StoreError> {
        let insert = sqlx::query(
            "INSERT INTO logins (id, token_hash, person_id, created_at, expires_at, browser, os)
             SELECT $1, $2, p.id, $4, $5, $6, $7 FROM people p
              WHERE p.id = $3 AND p.deleted_at = 0",
        )
        .bind(login.id)
        .bind(login.token_hash)
        .bind(login.person.as_str())
        .bind(login.now)
        .bind(login.expires_at)
        .bind(login.browser)
        .bind(login.os);
        Ok(self.db.execute("insert login", insert).await? > 0)
    }

    /// The login with this token, unless it has expired.
    pub(crate) async fn login_by_token(
        &self,
        token_hash: &str,
        now: i64,
    ) -> Result<Option<LoginRow>, StoreError> {
        self.db.fetch_optional("read login", sqlx::query_as(
            "SELECT * FROM logins WHERE token_hash = $1 AND (expires_at = 0 OR expires_at > $2)",
        )
        .bind(token_hash)
        .bind(now)).await
    }

    pub(crate) async fn login_is_live(&self, id: &str, now: i64) -> Result<bool, StoreError> {
        let count: i64 = self.db.fetch_value("check login", sqlx::query_scalar(
            "SELECT COUNT(*) FROM logins WHERE id = $1 AND (expires_at = 0 OR expires_at > $2)",
        )
        .bind(id)
        .bind(now)).await?;
        Ok(count > 0)
    }

    /// Keeps the name of a login's device; an empty one takes it away. What ended logins left is
    /// forgotten.
    pub(crate) async fn keep_push_id(
        &self,
        login: &str,
        person: &UserId,
        push_id: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin("begin keeping a push id").await?;
        let forget = sqlx::query(
            "DELETE FROM push_ids WHERE login_id = $1 OR (person_id = $2 \
             AND login_id NOT IN (SELECT id FROM logins WHERE person_id = $2))",
        );
        let forget = forget.bind(login.to_owned()).bind(person.to_string());
        tx.execute("forget push ids", forget).await?;
        if !push_id.is_empty() {
            let keep = sqlx::query(
                "INSERT INTO push_ids (login_id, person_id, push_id) VALUES ($1, $2, $3)",
            );
            let keep = keep.bind(login.to_owned()).bind(person.to_string());
            tx.execute("keep a push id", keep.bind(push_id.to_owned()))
                .await?;
        }
        tx.commit().await
    }

    /// The names of the devices on which a person is signed in.
    pub(crate) async fn push_ids(
        &self,
        person: &UserId,
        now: i64,
    ) -> Result<Vec<String>, StoreError> {
        let select = sqlx::query_as(
            "SELECT p.push_id FROM push_ids p JOIN logins l ON l.id = p.login_id \
             WHERE p.person_id = $1 AND (l.expires_at = 0 OR l.expires_at > $2)",
        );
        let select = select.bind(person.to_string()).bind(now);
        let rows: Vec<(String,)> = self.db.fetch_all("read push ids", select).await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// The logins of a person, newest first.
    pub(crate) async fn logins_of(&self, person: &UserId) -> Result<Vec<LoginRow>, StoreError> {
        self.db
            .fetch_all(
                "list logins",
                sqlx::query_as(
                    "SELECT * FROM logins WHERE person_id = $1 ORDER BY created_at DESC, id",
                )
                .bind(person.as_str()),
            )
            .await
    }

    pub(crate) async fn expired_logins(&self, now: i64) -> Result<Vec<LoginRow>, StoreError> {
        self.db
            .fetch_all(
                "list expired logins",
                sqlx::query_as("SELECT * FROM logins WHERE expires_at > 0 AND expires_at <= $1")
                    .bind(now),
            )
            .await
    }

    /// Whether there was such a login to delete.
    pub(crate) async fn delete_login(&self, id: &str, now: i64) -> Result<bool, StoreError> {
        let mut tx = self.begin("begin deleting login").await?;
        let login = sqlx::query_as("SELECT * FROM logins WHERE id = $1").bind(id);
        let login: Option<LoginRow> = tx.fetch_optional("read login to end", login).await?;
        let ended: Vec<LoginRow> = login.into_iter().collect();
        if ended.is_empty() {
            tx.rollback().await?;
            return Ok(false);
        }
        end(&mut tx, &ended, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Shuts a person out together with all her logins, or lets her in again.
    pub(crate) async fn set_active(
        &self,
        person: &UserId,
        active: bool,
        now: i64,
    ) -> Result<Change, StoreError> {
        let mut tx = self.begin("begin changing who is let in").await?;
        let deleted_at = if active { 0 } else { now };
        let statement = sqlx::query(
            "UPDATE people SET deleted_at = $2, updated_at = $3 WHERE id = $1
               AND (is_admin = 0 OR $2 = 0 OR EXISTS (SELECT 1 FROM people a
                 WHERE a.id <> $1 AND a.is_admin = 1 AND a.is_bot = 0 AND a.deleted_at = 0))",
        )
        .bind(person.as_str())
        .bind(deleted_at)
        .bind(now);
        if tx.execute("change who is let in", statement).await? == 0 {
            tx.rollback().await?;
            return Ok(Change::LastAdmin);
        }
        if !active {
            end_all_of(&mut tx, person, now).await?;
        }
        tx.commit().await?;
        Ok(Change::Done)
    }

    /// Makes a person an administrator, or an ordinary person whose logins have ended.
    pub(crate) async fn set_admin(
        &self,
        person: &UserId,
        admin: bool,
        now: i64,
    ) -> Result<Change, StoreError> {
        let mut tx = self.begin("begin changing who administrates").await?;
        let statement = sqlx::query(
            "UPDATE people SET is_admin = $2, updated_at = $3 WHERE id = $1
               AND ($2 = 1 OR is_admin = 0 OR EXISTS (SELECT 1 FROM people a
                 WHERE a.id <> $1 AND a.is_admin = 1 AND a.is_bot = 0 AND a.deleted_at = 0))",
        )
        .bind(person.as_str())
        .bind(flag(admin))
        .bind(now);
        if tx.execute("change who administrates", statement).await? == 0 {
            tx.rollback().await?;
            return Ok(Change::LastAdmin);
        }
        if !admin {
            end_all_of(&mut tx, person, now).await?;
        }
        tx.commit().await?;
        Ok(Change::Done)
    }

    /// Ends the logins of everybody but bots.
    pub(crate) async fn delete_logins_of_people(&self, now: i64) -> Result<(), StoreError> {
        let mut tx = self.begin("begin ending all logins").await?;
        let logins = sqlx::query_as(
            "SELECT * FROM logins WHERE person_id IN (SELECT id FROM people WHERE is_bot = 0)",
        );
        let logins: Vec<LoginRow> = tx.fetch_all("list logins to end", logins).await?;
        end(&mut tx, &logins, now).await?;
        tx.commit().await
    }

    /// The logins that ended after the one with this number, by whichever process.
    pub(crate) async fn logins_ended_after(
        &self,
        number: i64,
    ) -> Result<Vec<EndedLoginRow>, StoreError> {
        let ended = sqlx::query_as("SELECT * FROM ended_logins WHERE number > $1 ORDER BY number");
        self.db
            .fetch_all("look for ended logins", ended.bind(number))
            .await
    }

    /// The number of the login that ended last; 0 without any.
    pub(crate) async fn last_ended_login(&self) -> Result<i64, StoreError> {
        let last = sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) FROM ended_logins");
        self.db
            .fetch_value("look for the last ended login", last)
            .await
    }
}

async fn end_all_of(tx: &mut Transaction, person: &UserId, now: i64) -> Result<(), StoreError> {
    let logins = sqlx::query_as("SELECT * FROM logins WHERE person_id = $1").bind(person.as_str());
    let logins: Vec<LoginRow> = tx.fetch_all("list logins to end", logins).await?;
    end(tx, &logins, now).await
}

/// Deletes logins and notes that they ended. The last note stays, so that numbers only grow.
async fn end(tx: &mut Transaction, logins: &[LoginRow], now: i64) -> Result<(), StoreError> {
    for login in logins {
        let note = sqlx::query(
            "INSERT INTO ended_logins (number, login_id, person_id, ended_at)
             VALUES ((SELECT COALESCE(MAX(number), 0) + 1 FROM ended_logins), $1, $2, $3)",
        );
        let note = note
            .bind(&login.id)
            .bind(login.person_id.as_str())
            .bind(now);
        tx.execute("note ended login", note).await?;
        let delete = sqlx::query("DELETE FROM logins WHERE id = $1").bind(&login.id);
        tx.execute("delete login", delete).await?;
    }
    let forget = sqlx::query(
        "DELETE FROM ended_logins WHERE ended_at < $1
           AND number < (SELECT MAX(number) FROM ended_logins)",
    );
    tx.execute("forget ended logins", forget.bind(now - ENDED_KNOWN_MS))
        .await?;
    Ok(())
}
