//! Accounts: making them, their names, bots, and what the CLI needs.
//!
//! Not here: signing in and out (`logins`), shutting people out (`admission`).

use std::time::Instant;

use bytes::Bytes;
use proto::id::UserId;
use proto::redact::Secret;
use serde_json::{Value, json};

use super::agent::Agent;
use super::fault::Fault;
use super::invites::no_longer_good;
pub(super) use super::logins::Caller;
use super::passwords::{Key, Lane, check_rule};
use super::place::Place;
use super::store::{Duplicate as _, InviteRow, NewPerson, PersonRow, PortraitRow};
use super::text::tidy_name;
use super::{Server, picture, portrait, wire};
use crate::ChatError;
use crate::model::{Audience, Person};

/// Longest username, in characters.
const MAX_USERNAME_CHARS: usize = 64;
/// Longest first, last or nickname, in characters.
const MAX_NAME_CHARS: usize = 64;
/// Longest tag of a language, in characters.
const MAX_LOCALE_CHARS: usize = 20;

/// An account to be made.
#[derive(Debug, Clone, Default)]
pub struct NewAccount {
    /// Letters, digits, `.`, `-`, `_`; kept in lower case.
    pub username: String,
    pub password: Secret,
    /// Empty for `<username>@localhost`.
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub nickname: String,
    /// The very first account is an administrator in any case.
    pub is_admin: bool,
}

/// By what somebody may make an account.
#[derive(Debug)]
pub(super) struct MayRegister<'a> {
    pub(super) by: Option<&'a Caller>,
    /// What a server without accounts printed when it started.
    pub(super) first_account_token: &'a Secret,
    /// The secret of an invite's link.
    pub(super) invite: Option<&'a str>,
}

impl PersonRow {
    /// In the words of the model.
    pub(super) fn to_person(&self) -> Person {
        Person {
            id: self.id.clone(),
            username: self.username.clone(),
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            nickname: self.nickname.clone(),
            email: self.email.clone(),
            locale: self.locale.clone(),
            is_bot: self.is_bot,
            is_system_admin: self.is_admin,
        }
    }
}

impl Server {
    /// Makes sure that an account exists, and returns it. An existing one is left as it is,
    /// except that it becomes an administrator when `is_admin` asks for it.
    ///
    /// # Errors
    /// When name, password or address break a rule.
    pub async fn ensure_account(&self, account: NewAccount) -> Result<Person, ChatError> {
        let username = account.username.trim().to_lowercase();
        if let Some(row) = self
            .store
            .person_by_name(&username)
            .await
            .map_err(Fault::from)?
        {
            if account.is_admin && !row.is_admin {
                self.set_admin(&row.id, true).await?;
            }
            return Ok(self.person_row(row.id.as_str()).await?.to_person());
        }
        self.add_account(account).await
    }

    /// Makes an account.
    ///
    /// # Errors
    /// When the name or the address is taken, or name, password or address break a rule.
    pub async fn add_account(&self, account: NewAccount) -> Result<Person, ChatError> {
        let made = self
            .create_account(account, None, Lane::Known, Place::Unknown)
            .await?;
        Ok(made.to_person())
    }

    /// A person as clients read them.
    pub(super) fn shown(&self, row: &PersonRow, eyes: wire::Eyes) -> Value {
        wire::user(row, eyes, &self.config.default_locale)
    }

    pub(super) async fn person_row(&self, id: &str) -> Result<PersonRow, Fault> {
        self.store
            .person(id)
            .await?
            .ok_or_else(|| Fault::not_found("person", id))
    }

    /// Finds a person by username or e-mail address.
    pub(super) async fn person_named(&self, name: &str) -> Result<PersonRow, Fault> {
        let name = name.trim().trim_start_matches('@').to_lowercase();
        let row = self.store.person_by_name(&name).await?;
        row.ok_or_else(|| Fault::not_found("person", name))
    }

    /// Makes an account on behalf of whoever asks, if that is allowed.
    ///
    /// The first account of a server becomes its administrator: it needs the token that was
    /// printed when the server started, so that it is not whoever comes first.
    pub(super) async fn register(
        &self,
        mut account: NewAccount,
        may: &MayRegister<'_>,
        place: Place,
    ) -> Result<PersonRow, Fault> {
        account.is_admin = false;
        if may.by.is_some_and(|caller| caller.person.is_admin) {
            return self.create_account(account, None, Lane::Known, place).await;
        }
        if !self.store.has_people().await? {
            let claim = self.first_account.claim(may.first_account_token)?;
            let made = self.create_account(account, None, Lane::Known, place);
            let made = made.await?;
            claim.spend();
            return Ok(made);
        }
        if !self.config.open_registration && may.invite.is_none() {
            return Err(Fault::forbidden(
                "you need an invitation to this server: ask an administrator for one",
            ));
        }
        let attempt = [Key::Registration(place)];
        let attempt = self.passwords.guesses.reserve(&attempt, Instant::now());
        let counted = attempt.map_err(|wait| {
            Fault::too_many("too many new accounts from your network: try again later").after(wait)
        })?;
        let made = async {
            let invite = match may.invite {
                Some(token) => Some(self.good_invite(token).await?),
                None => None,
            };
            self.create_account(account, invite, Lane::Stranger, place)
                .await
        };
        let made = made.await;
        if made.is_err() {
            counted.give_back();
        }
        made
    }

    async fn create_account(
        &self,
        account: NewAccount,
        invite: Option<InviteRow>,
        lane: Lane,
        place: Place,
    ) -> Result<PersonRow, Fault> {
        let mut person = checked(&account, self.config.min_password_chars)?;
        person.password_hash = self.passwords.hash(account.password, lane, place).await?;
        let team = self.default_team().await?;
        let invited_to = invite.as_ref().map(|invite| &invite.team_id);
        let invited_to = invited_to.filter(|invited_to| **invited_to != team);
        let teams: Vec<_> = [&team].into_iter().chain(invited_to).collect();
        {
            let _first_come = self.registering.lock().await;
            let _change = self.membership.lock().await;
            person.is_admin = account.is_admin || !self.store.has_people().await?;
            let now = self.now_ms();
            let invite = invite.as_ref().map(|invite| invite.id.as_str());
            match self.store.insert_person(&person, &teams, invite, now).await {
                Ok(true) => {}
                Ok(false) => return Err(no_longer_good()),
                Err(error) => return Err(taken_or(error.into_duplicate(), &person.username)),
            }
            self.first_account.is_made();
            for team in teams {
                self.tell_joined_team(team, &person.id).await?;
            }
        }
        let data = json!({ "user_id": person.id.as_str() });
        self.emit("new_user", data, Audience::default());
        self.person_row(person.id.as_str()).await
    }

    /// Writes the names and the language of a person and tells everybody.
    pub(super) async fn update_names(&self, row: PersonRow) -> Result<PersonRow, Fault> {
        check_username(&row.username)?;
        check_locale(&row.locale)?;
        let mut row = row;
        for name in [
            &mut row.first_name,
            &mut row.last_name,
            &mut row.nickname,
            &mut row.position,
        ] {
            *name = tidy(name)?;
        }
        if let Err(error) = self.store.update_person(&row, self.now_ms()).await {
            return Err(taken_or(error.into_duplicate(), &row.username));
        }
        let row = self.person_row(row.id.as_str()).await?;
        let data = json!({ "user": self.shown(&row, wire::Eyes::Others) });
        self.emit("user_updated", data, Audience::default());
        Ok(row)
    }

    /// The picture of a person, and its kind: her own, or the drawn one.
    pub(super) async fn picture_of(&self, row: &PersonRow) -> Result<(Bytes, String), Fault> {
        let own = match row.pictured_at {
            0 => None,
            _ => self.store.portrait_of(&row.id).await?,
        };
        Ok(match own {
            Some(own) => (own.picture.into(), own.mime),
            None => (
                portrait::draw(&row.to_person()).into(),
                portrait::MIME.to_owned(),
            ),
        })
    }

    /// Keeps a picture for a person, or (`None`) goes back to the drawn one, and tells everybody.
    pub(super) async fn set_picture(
        &self,
        person: &UserId,
        bytes: Option<&[u8]>,
    ) -> Result<(), Fault> {
        let portrait = match bytes {
            Some(bytes) => {
                let picture = picture::read(bytes)?;
                Some(PortraitRow {
                    mime: picture.mime.to_owned(),
                    picture: picture.bytes,
                })
            }
            None => None,
        };
        self.person_row(person.as_str()).await?;
        self.store
            .keep_portrait(person, portrait.as_ref(), self.now_ms())
            .await?;
        let row = self.person_row(person.as_str()).await?;
        let data = json!({ "user": self.shown(&row, wire::Eyes::Others) });
        self.emit("user_updated", data, Audience::default());
        Ok(())
    }

    /// Makes sure that a bot exists, and gives it one more token that does not expire.
    pub(super) async fn ensure_bot_account(
        &self,
        username: &str,
        display_name: &str,
    ) -> Result<(Person, String), Fault> {
        let username = username.trim().to_lowercase();
        let row = match self.store.person_by_name(&username).await? {
            Some(row) if row.is_bot => row,
            Some(_) => {
                return Err(Fault::invalid(
                    "store.sql_user.save.username_exists.app_error",
                    format!("`{username}` is a person's account and cannot be a bot's"),
                ));
            }
            None => {
                let account = NewAccount {
                    username,
                    first_name: display_name.to_owned(),
                    ..NewAccount::default()
                };
                let mut person = without_password(&account)?;
                person.is_bot = true;
                let now = self.now_ms();
                self.store.insert_person(&person, &[], None, now).await?;
                self.person_row(person.id.as_str()).await?
            }
        };
        let token = self.start_login(&row.id, None, Agent::default()).await?;
        Ok((row.to_person(), token))
    }
}

fn taken_or(error: Result<(), Fault>, username: &str) -> Fault {
    error.err().unwrap_or_else(|| {
        Fault::invalid(
            "store.sql_user.save.username_exists.app_error",
            format!("the username `{username}` or the e-mail address is taken"),
        )
    })
}

/// Checks names, address and, where there is one yet, password of an account to be made.
pub(super) fn check_new_account(
    account: &NewAccount,
    min_password_chars: Option<usize>,
) -> Result<(), Fault> {
    match min_password_chars {
        Some(least) => checked(account, least).map(drop),
        None => without_password(account).map(drop),
    }
}

fn checked(account: &NewAccount, min_password_chars: usize) -> Result<NewPerson, Fault> {
    let person = without_password(account)?;
    let names = [person.username.as_str(), mailbox(&person.email)];
    check_rule(account.password.expose(), &names, min_password_chars)?;
    Ok(person)
}

fn without_password(account: &NewAccount) -> Result<NewPerson, Fault> {
    let username = account.username.trim().to_lowercase();
    check_username(&username)?;
    let mut email = account.email.trim().to_lowercase();
    if email.is_empty() {
        email = format!("{username}@localhost");
    }
    let is_odd = |c: char| c.is_whitespace() || tidy_name(c.encode_utf8(&mut [0; 4])).is_err();
    if email.len() > 128 || !email.contains('@') || email.contains(is_odd) {
        return Err(Fault::invalid(
            "model.user.is_valid.email.app_error",
            format!("`{}` is not an e-mail address", email.escape_debug()),
        ));
    }
    Ok(NewPerson {
        id: UserId::random(),
        username,
        email,
        first_name: tidy(&account.first_name)?,
        last_name: tidy(&account.last_name)?,
        nickname: tidy(&account.nickname)?,
        password_hash: String::new(),
        is_bot: false,
        is_admin: false,
    })
}

/// The part of an address before the `@`, which is a name as well.
pub(super) fn mailbox(email: &str) -> &str {
    email.split_once('@').map_or(email, |(mailbox, _)| mailbox)
}

fn check_username(username: &str) -> Result<(), Fault> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
    let begins_well = username.starts_with(|c: char| c.is_ascii_alphanumeric());
    let is_special = matches!(username, "all" | "channel" | "here" | "me" | "system");
    if begins_well
        && !is_special
        && username.len() <= MAX_USERNAME_CHARS
        && username.chars().all(is_plain)
    {
        return Ok(());
    }
    Err(Fault::invalid(
        "model.user.is_valid.username.app_error",
        format!(
            "a username has 1 to {MAX_USERNAME_CHARS} letters, digits, dots, dashes or \
             underscores, begins with a letter or digit, and is not `all`, `channel`, `here`, \
             `me` or `system`"
        ),
    ))
}

/// A tag such as `de` or `pt-BR`, or empty for the server's language.
fn check_locale(locale: &str) -> Result<(), Fault> {
    let mut parts = locale.split('-');
    let is_language = parts
        .next()
        .is_some_and(|part| (2..=3).contains(&part.len()));
    let is_part = |part: &str| {
        (2..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let is_good = is_language && locale.len() <= MAX_LOCALE_CHARS && locale.split('-').all(is_part);
    if locale.is_empty() || is_good {
        return Ok(());
    }
    Err(Fault::invalid(
        "model.user.is_valid.locale.app_error",
        "a language is written as in `de` or `pt-BR`",
    ))
}

/// The one form of a first, last or nickname, or of a position.
fn tidy(name: &str) -> Result<String, Fault> {
    let refuse = |why: String| Fault::invalid("model.user.is_valid.name.app_error", why);
    let tidy =
        tidy_name(name).map_err(|unseen| refuse(format!("a name cannot be kept: {unseen}")))?;
    if tidy.chars().count() > MAX_NAME_CHARS {
        return Err(refuse(format!(
            "a name has at most {MAX_NAME_CHARS} characters"
        )));
    }
    Ok(tidy)
}
