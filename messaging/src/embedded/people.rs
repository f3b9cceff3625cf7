//! What a tool on the server's own machine asks: who has an account, and who is signed in.
//!
//! Not here: making and shutting out accounts (`accounts`, `import`, `admission`).

use std::time::Duration;

use proto::redact::Secret;

use super::Server;
use super::agent::Agent;
use super::fault::Fault;
use crate::ChatError;
use crate::model::Person;

/// Somebody who has an account.
#[derive(Debug, Clone)]
pub struct Account {
    pub person: Person,
    /// Not shut out.
    pub is_active: bool,
    /// Where the person is signed in.
    pub sessions: usize,
}

/// One sign-in that is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: String,
    /// Unix milliseconds.
    pub began_at: i64,
    /// `None`: it does not expire.
    pub ends_at: Option<i64>,
    /// The browser and the system it was made with; each empty where that is not known.
    pub browser: String,
    pub os: String,
}

impl Server {
    /// Everybody, bots and those who are shut out included, by name.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub async fn accounts(&self) -> Result<Vec<Account>, ChatError> {
        let rows = self.store.everybody().await.map_err(Fault::from)?;
        let mut accounts = Vec::new();
        for row in rows {
            accounts.push(Account {
                sessions: self.live_sessions(&row.id).await?.len(),
                is_active: row.deleted_at == 0,
                person: row.to_person(),
            });
        }
        Ok(accounts)
    }

    /// The sign-ins of one person, newest first.
    ///
    /// # Errors
    /// When there is no such person.
    pub async fn sessions_of(&self, username: &str) -> Result<Vec<Session>, ChatError> {
        let row = self.person_named(username).await?;
        Ok(self.live_sessions(&row.id).await?)
    }

    /// Signs a person out everywhere; returns of how many sign-ins.
    ///
    /// # Errors
    /// When there is no such person.
    pub async fn end_sessions_of(&self, username: &str) -> Result<usize, ChatError> {
        let row = self.person_named(username).await?;
        let sessions = self.live_sessions(&row.id).await?;
        for session in &sessions {
            self.end_login(&session.id).await?;
        }
        Ok(sessions.len())
    }

    /// A session of an administrator for a tool beside the server, which has the records in its hands
    /// anyway; the tool signs out again.
    ///
    /// # Errors
    /// When nobody who may sign in is an administrator.
    pub async fn tool_session(&self, lifetime: Duration) -> Result<Secret, ChatError> {
        let accounts = self.accounts().await?;
        let administrator = accounts.iter().find(|account| {
            account.is_active && account.person.is_system_admin && !account.person.is_bot
        });
        let Some(administrator) = administrator else {
            let why =
                "nobody is an administrator: make somebody one with `parley people make-admin`";
            return Err(ChatError::Refused(why.to_owned()));
        };
        let token = self.start_login(&administrator.person.id, Some(lifetime), Agent::default());
        Ok(Secret::new(token.await?))
    }

    async fn live_sessions(&self, person: &proto::id::UserId) -> Result<Vec<Session>, Fault> {
        let now = self.wall_ms();
        let logins = self.store.logins_of(person).await?.into_iter();
        let live = logins.filter(|login| login.expires_at == 0 || login.expires_at > now);
        Ok(live
            .map(|login| Session {
                id: login.id,
                began_at: login.created_at,
                ends_at: Some(login.expires_at).filter(|at| *at != 0),
                browser: login.browser,
                os: login.os,
            })
            .collect())
    }
}
