//! Logins: signing in and out, and the passwords that are asked for.
//!
//! In: a name and a password, or a token. Out: who that is, a fresh token, or a refusal that does
//! not tell an unknown name from a wrong password.
//! Not here: who has an account (`accounts`), counting and hashing (`passwords`).

use std::time::{Duration, Instant};

use proto::id::UserId;
use proto::redact::Secret;

use super::Server;
use super::accounts::mailbox;
use super::agent::Agent;
use super::fault::Fault;
use super::passwords::{
    Key, Lane, Reservation, Unchecked, check_rule, device_mark, device_of, token_hash,
};
use super::place::Place;
use super::store::{NewLogin, PersonRow};
use crate::ChatError;
use crate::model::{ChatNews, Login};

/// Tokens of one bot that stay good; making one more ends the oldest.
const TOKENS_PER_BOT: usize = 16;
/// Logins of one person that stay good; one more ends the oldest.
const LOGINS_PER_PERSON: usize = 200;
/// Longest name looked up, in characters: an address of 128 with room to spare.
const MAX_LOGIN_NAME_CHARS: usize = 200;

/// Who makes a request.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) login_id: String,
    pub(super) person: PersonRow,
}

impl Caller {
    pub(super) fn login(&self) -> Login {
        Login {
            person: self.person.to_person(),
            login_id: self.login_id.clone(),
        }
    }
}

/// How somebody named the account to sign in to.
#[derive(Debug)]
pub(super) enum LoginName {
    /// Username or e-mail address, in any case.
    Name(String),
    Id(String),
}

/// Where a sign-in comes from.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) place: Place,
    /// What this device was given at an earlier sign-in.
    pub(super) device: Option<String>,
    /// Who is signed in on it already.
    pub(super) caller: Option<Caller>,
    pub(super) agent: Agent,
}

/// A sign-in that was right.
#[derive(Debug)]
pub(super) struct SignedIn {
    pub(super) person: PersonRow,
    pub(super) token: String,
    /// For the next sign-in on this device.
    pub(super) device: String,
}

/// An attempt that may go on to the password.
struct Admitted<'a> {
    reservation: Reservation<'a>,
    lane: Lane,
    /// Too much was tried from this place: refusals no longer tell anything.
    place_is_spent: bool,
}

impl Server {
    /// Signs a person in without a password, for tools on the server's own machine; `None` for a
    /// token that does not expire.
    ///
    /// # Errors
    /// When there is no such person.
    pub async fn issue_token(
        &self,
        person: &UserId,
        lifetime: Option<Duration>,
    ) -> Result<String, ChatError> {
        let row = self.person_row(person.as_str()).await?;
        let agent = Agent::default();
        Ok(self.start_login(&row.id, lifetime, agent).await?)
    }

    /// Gives an account a new password and ends all its logins.
    ///
    /// # Errors
    /// When there is no such account or the password breaks a rule.
    pub async fn set_password(&self, username: &str, password: Secret) -> Result<(), ChatError> {
        let row = self.person_named(username).await?;
        Ok(self
            .change_password(&row, password, None, Place::Unknown)
            .await?)
    }

    /// Who holds this token.
    pub(super) async fn authenticate(&self, token: &str) -> Result<Option<Caller>, Fault> {
        let Some(login) = self
            .store
            .login_by_token(&token_hash(token), self.wall_ms())
            .await?
        else {
            return Ok(None);
        };
        let person = self.store.person(login.person_id.as_str()).await?;
        Ok(person
            .filter(|person| person.deleted_at == 0)
            .map(|person| Caller {
                login_id: login.id,
                person,
            }))
    }

    /// Checks name and password, and begins a login.
    pub(super) async fn sign_in(
        &self,
        name: LoginName,
        password: Secret,
        visit: &Visit,
    ) -> Result<SignedIn, Fault> {
        let (row, account) = self.account_named(name).await?;
        let Admitted {
            reservation,
            lane,
            place_is_spent,
        } = self.admit(row.as_ref(), &account, visit).await?;
        let hash = row.as_ref().map_or("", |row| &row.password_hash);
        let verdict = self
            .passwords
            .matches(password, hash, lane, visit.place)
            .await;
        let is_right = match verdict {
            Ok(is_right) => is_right,
            Err(unchecked) => {
                if matches!(unchecked, Unchecked::Busy) {
                    reservation.give_back();
                }
                return Err(unchecked.into());
            }
        };
        let Some(row) = row.filter(|_| is_right) else {
            return Err(if place_is_spent {
                too_many_from_here(super::passwords::WINDOW)
            } else {
                Fault::wrong_password()
            });
        };
        reservation.give_back();
        self.welcome(&row, visit);
        let token = self
            .start_login(&row.id, Some(self.config.login_lifetime), visit.agent)
            .await?;
        let device = device_mark(row.id.as_str(), &row.password_hash);
        Ok(SignedIn {
            person: row,
            token,
            device,
        })
    }

    /// The account, and by which name its attempts are counted: one however it is called.
    async fn account_named(&self, name: LoginName) -> Result<(Option<PersonRow>, String), Fault> {
        let (row, given) = match name {
            LoginName::Id(id) => (self.store.person(&id).await?, id),
            LoginName::Name(name) => {
                let name: String = name.trim().chars().take(MAX_LOGIN_NAME_CHARS).collect();
                let name = name.to_lowercase();
                (self.store.person_by_name(&name).await?, name)
            }
        };
        let row = row.filter(|row| row.deleted_at == 0 && !row.is_bot);
        let account = row.as_ref().map_or(given, |row| row.id.as_str().to_owned());
        Ok((row, account))
    }

    /// Counts the attempt before anything is hashed, or refuses it.
    ///
    /// Who is signed in, on a marked device or at a place where the right password came from, is
    /// counted apart from strangers and is never locked out by them.
    async fn admit(
        &self,
        row: Option<&PersonRow>,
        account: &str,
        visit: &Visit,
    ) -> Result<Admitted<'_>, Fault> {
        let guesses = &self.passwords.guesses;
        let now = Instant::now();
        let pair = Key::Pair {
            account,
            place: visit.place,
        };
        for key in self.trusted_keys(row, visit) {
            if let Ok(reservation) = guesses.reserve(&[key], now) {
                return Ok(Admitted {
                    reservation,
                    lane: Lane::Known,
                    place_is_spent: false,
                });
            }
        }
        if let Some(wait) = guesses
            .wait(&pair, now)
            .or_else(|| guesses.wait(&Key::Account(account), now))
        {
            return Err(Fault::too_many(format!(
                "too many wrong passwords for this account: wait {}, or sign in where you signed \
                 in before",
                minutes(wait)
            ))
            .after(wait));
        }
        let (people, inventions) = (Key::People(visit.place), Key::Inventions(visit.place));
        let (own, lane) = match row {
            Some(_) => (people, Lane::Account),
            None => (inventions, Lane::Stranger),
        };
        let spent = guesses
            .wait(&people, now)
            .or_else(|| guesses.wait(&inventions, now));
        match guesses.reserve(&[pair, Key::Account(account), own], now) {
            Ok(reservation) => Ok(Admitted {
                reservation,
                lane,
                place_is_spent: spent.is_some(),
            }),
            Err(wait) => {
                // as late as a refusal after hashing, so that the time does not tell either
                self.passwords.as_long_as_a_hash().await;
                Err(too_many_from_here(wait))
            }
        }
    }

    /// By what a person who is known here may try, the surest first.
    fn trusted_keys<'a>(&self, row: Option<&'a PersonRow>, visit: &'a Visit) -> Vec<Key<'a>> {
        let Some(row) = row else { return Vec::new() };
        let id = row.id.as_str();
        let session = visit
            .caller
            .as_ref()
            .filter(|caller| caller.person.id == row.id)
            .map(|caller| Key::Session(&caller.login_id));
        let device = visit
            .device
            .as_deref()
            .and_then(|mark| device_of(mark, id, &row.password_hash))
            .map(Key::Device);
        let place = visit.place;
        let pair = self
            .passwords
            .known
            .contain(id, place)
            .then_some(Key::Pair { account: id, place });
        [session, device, pair].into_iter().flatten().collect()
    }

    /// A right password clears what was counted for this person here, and nothing of others.
    fn welcome(&self, row: &PersonRow, visit: &Visit) {
        for key in self.trusted_keys(Some(row), visit) {
            self.passwords.guesses.clear(&key);
        }
        let (account, place) = (row.id.as_str(), visit.place);
        self.passwords.guesses.clear(&Key::Pair { account, place });
        self.passwords.known.add(account, place);
    }

    /// Checks the password of somebody who is signed in.
    pub(super) async fn check_password(
        &self,
        caller: &Caller,
        password: Secret,
        place: Place,
    ) -> Result<(), Fault> {
        let key = Key::Session(&caller.login_id);
        let attempt = self.passwords.guesses.reserve(&[key], Instant::now());
        let reservation = attempt.map_err(|wait| {
            Fault::too_many(format!("too many wrong passwords: wait {}", minutes(wait))).after(wait)
        })?;
        let hash = &caller.person.password_hash;
        let verdict = self
            .passwords
            .matches(password, hash, Lane::Known, place)
            .await;
        match verdict {
            Ok(true) => {
                reservation.give_back();
                Ok(())
            }
            Ok(false) => Err(Fault::wrong_password()),
            Err(unchecked) => {
                if matches!(unchecked, Unchecked::Busy) {
                    reservation.give_back();
                }
                Err(unchecked.into())
            }
        }
    }

    /// Returns a fresh token.
    pub(super) async fn start_login(
        &self,
        person: &UserId,
        lifetime: Option<Duration>,
        agent: Agent,
    ) -> Result<String, Fault> {
        let token = proto::id::new_id();
        let now = self.wall_ms();
        let expires_at = lifetime.map_or(0, |lifetime| {
            now.saturating_add(i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX))
        });
        let login = NewLogin {
            id: &proto::id::new_id(),
            token_hash: &token_hash(&token),
            person,
            now: self.now_ms(),
            expires_at,
            browser: agent.browser,
            os: agent.os,
        };
        if !self.store.insert_login(&login).await? {
            // shut out since the password was looked at
            return Err(Fault::wrong_password());
        }
        let limit = if lifetime.is_none() {
            TOKENS_PER_BOT
        } else {
            LOGINS_PER_PERSON
        };
        let logins = self.store.logins_of(person).await?;
        let alike = logins
            .iter()
            .filter(|l| (l.expires_at == 0) == lifetime.is_none());
        for login in alike.skip(limit) {
            self.end_login(&login.id).await?;
        }
        Ok(token)
    }

    /// Ends a login: its token is no longer good and its sockets are cut off.
    pub(super) async fn end_login(&self, login_id: &str) -> Result<(), Fault> {
        if self.store.delete_login(login_id, self.wall_ms()).await? {
            self.tell_ended_logins().await?;
        }
        Ok(())
    }

    /// Tells of logins that ended since the last time, whoever ended them: this server, or a tool
    /// beside it. The records say which, so none is told twice, and none is missed after a kill.
    pub(super) async fn tell_ended_logins(&self) -> Result<(), Fault> {
        let mut seen = self.ended_logins_seen.lock().await;
        for ended in self.store.logins_ended_after(*seen).await? {
            self.tell(&ChatNews::LoginEnded {
                login_id: ended.login_id,
                user: ended.person_id,
            });
            *seen = ended.number;
        }
        Ok(())
    }

    /// Sets a password and ends the person's logins, except the one that asked for it.
    pub(super) async fn change_password(
        &self,
        person: &PersonRow,
        password: Secret,
        keep_login: Option<&str>,
        place: Place,
    ) -> Result<(), Fault> {
        let names = [person.username.as_str(), mailbox(&person.email)];
        check_rule(password.expose(), &names, self.config.min_password_chars)?;
        let hash = self.passwords.hash(password, Lane::Known, place).await?;
        self.store
            .set_password_hash(&person.id, &hash, self.now_ms())
            .await?;
        for login in self.store.logins_of(&person.id).await? {
            if keep_login != Some(login.id.as_str()) {
                self.end_login(&login.id).await?;
            }
        }
        Ok(())
    }
}

fn too_many_from_here(wait: Duration) -> Fault {
    Fault::too_many(format!(
        "too many wrong passwords from your network: wait {}, or sign in where you signed in \
         before",
        minutes(wait)
    ))
    .after(wait)
}

/// In whole minutes, never too few.
fn minutes(wait: Duration) -> String {
    match wait.as_secs().div_ceil(60).max(1) {
        1 => "a minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}
