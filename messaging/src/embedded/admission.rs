//! Shutting people out and letting them in again; who administrates the server.
//!
//! In: what an administrator, or the CLI, decides about a person. Out: records, ended logins,
//! events. What was written by somebody who is shut out stays.
//! Invariants: there is always an administrator; who loses rights loses the logins that had them
//! in the same transaction.
//! See: NIST SP 800-53 AC-2.

use proto::id::UserId;
use serde_json::json;

use super::fault::Fault;
use super::rooms::to_user;
use super::store::{Change, PersonRow};
use super::{Server, wire};
use crate::ChatError;
use crate::model::Audience;

impl Server {
    /// Shuts an account out, or lets it in again. Works beside a running server: there its logins
    /// and sockets end within a second.
    ///
    /// # Errors
    /// When there is no such account, or it is a bot's or the last administrator's.
    pub async fn set_account_active(&self, username: &str, active: bool) -> Result<(), ChatError> {
        let row = self.person_named(username).await?;
        self.set_active(&row.id, active).await?;
        Ok(())
    }

    /// Makes an account an administrator of the server, or an ordinary one.
    ///
    /// # Errors
    /// When there is no such account, or it is a bot's or the last administrator's.
    pub async fn set_account_admin(&self, username: &str, admin: bool) -> Result<(), ChatError> {
        let row = self.person_named(username).await?;
        self.set_admin(&row.id, admin).await?;
        Ok(())
    }

    pub(super) async fn set_active(
        &self,
        person: &UserId,
        active: bool,
    ) -> Result<PersonRow, Fault> {
        let change = {
            let _one_by_one = self.registering.lock().await;
            let row = self.changeable(person).await?;
            if (row.deleted_at == 0) == active {
                return Ok(row);
            }
            self.store.set_active(person, active, self.now_ms()).await?
        };
        let row = self.told_of_change(person, change).await?;
        let everybody = Audience::default();
        self.emit("user_activation_status_change", json!({}), everybody);
        Ok(row)
    }

    pub(super) async fn set_admin(&self, person: &UserId, admin: bool) -> Result<PersonRow, Fault> {
        let change = {
            let _one_by_one = self.registering.lock().await;
            let row = self.changeable(person).await?;
            if row.is_admin == admin {
                return Ok(row);
            }
            self.store.set_admin(person, admin, self.now_ms()).await?
        };
        let row = self.told_of_change(person, change).await?;
        let data = json!({ "user_id": row.id.as_str(), "roles": wire::roles(&row) });
        self.emit("user_role_updated", data, to_user(&row.id));
        Ok(row)
    }

    /// The person, unless it is a bot, which is the server's own: without it calls have no
    /// recordings and no posts.
    async fn changeable(&self, person: &UserId) -> Result<PersonRow, Fault> {
        let row = self.person_row(person.as_str()).await?;
        if row.is_bot {
            return Err(Fault::forbidden("a bot of the server stays as it is"));
        }
        Ok(row)
    }

    async fn told_of_change(&self, person: &UserId, change: Change) -> Result<PersonRow, Fault> {
        if change == Change::LastAdmin {
            return Err(Fault::invalid(
                "app.user.last_admin.app_error",
                "this is the last administrator: make another one first",
            ));
        }
        self.tell_ended_logins().await?;
        let row = self.person_row(person.as_str()).await?;
        let data = json!({ "user": self.shown(&row, wire::Eyes::Others) });
        self.emit("user_updated", data, Audience::default());
        Ok(row)
    }

    /// Ends every login of everybody, bots excepted.
    pub(super) async fn end_all_logins(&self) -> Result<(), Fault> {
        self.store.delete_logins_of_people(self.wall_ms()).await?;
        self.tell_ended_logins().await
    }
}
