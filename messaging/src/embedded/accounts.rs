//! Accounts and logins: registering, signing in and out, and what the CLI needs.

use std::time::{Duration, Instant};

use proto::id::UserId;
use proto::redact::Secret;
use serde_json::json;

use super::fault::Fault;
use super::passwords::token_hash;
use super::store::{Duplicate as _, NewLogin, NewPerson, PersonRow};
use super::{Server, wire};
use crate::ChatError;
use crate::model::{Audience, ChatNews, Login, Person};

/// Tokens of one bot that stay good; making one more ends the oldest.
const TOKENS_PER_BOT: usize = 16;
/// Logins of one person that stay good; one more ends the oldest.
const LOGINS_PER_PERSON: usize = 200;
/// Longest username, in characters.
const MAX_USERNAME_CHARS: usize = 64;
/// Longest first, last or nickname, in characters.
const MAX_NAME_CHARS: usize = 64;

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

/// Who makes a request.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) login_id: String,
    pub(super) person: PersonRow,
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
            is_bot: self.is_bot,
            is_system_admin: self.is_admin,
        }
    }
}

impl Caller {
    pub(super) fn login(&self) -> Login {
        Login {
            person: self.person.to_person(),
            login_id: self.login_id.clone(),
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
                self.store.set_admin(&row.id).await.map_err(Fault::from)?;
            }
            return Ok(self.person_row(row.id.as_str()).await?.to_person());
        }
        Ok(self.create_account(account).await?.to_person())
    }

    /// Gives an account a new password and ends all its logins.
    ///
    /// # Errors
    /// When there is no such account or the password breaks a rule.
    pub async fn set_password(&self, username: &str, password: Secret) -> Result<(), ChatError> {
        let row = self.person_named(username).await?;
        Ok(self.change_password(&row.id, password, None).await?)
    }

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
        Ok(self.start_login(&row.id, lifetime).await?.0)
    }

    /// Who holds this token.
    pub(super) async fn authenticate(&self, token: &str) -> Result<Option<Caller>, Fault> {
        let Some(login) = self
            .store
            .login_by_token(&token_hash(token), super::wall_ms())
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
    pub(super) async fn register(
        &self,
        mut account: NewAccount,
        by: Option<&Caller>,
    ) -> Result<PersonRow, Fault> {
        let by_admin = by.is_some_and(|caller| caller.person.is_admin);
        let is_first = self.store.count_people().await? == 0;
        if !(self.config.open_registration || by_admin || is_first) {
            return Err(Fault::forbidden(
                "registration is closed: ask an administrator for an account, \
                 or set `open_registration`",
            ));
        }
        account.is_admin = false;
        self.create_account(account).await
    }

    async fn create_account(&self, account: NewAccount) -> Result<PersonRow, Fault> {
        let mut person = checked(&account, self.config.min_password_chars)?;
        person.password_hash = self.passwords.hash(account.password).await?;
        {
            let _first_come = self.registering.lock().await;
            let is_first = self.store.count_people().await? == 0;
            person.is_admin = account.is_admin || is_first;
            if let Err(error) = self.store.insert_person(&person, self.now_ms()).await {
                return Err(taken_or(error.into_duplicate(), &person.username));
            }
        }
        self.join_default_team(&person.id, person.is_admin).await?;
        let data = json!({ "user_id": person.id.as_str() });
        self.emit("new_user", data, Audience::default());
        self.person_row(person.id.as_str()).await
    }

    /// Checks name and password; returns the person, a fresh token and when it expires.
    ///
    /// `place` is where the request comes from; wrong passwords are counted per name and place.
    pub(super) async fn sign_in(
        &self,
        name: &str,
        password: Secret,
        place: &str,
    ) -> Result<(PersonRow, String, i64), Fault> {
        let name = name.trim().to_lowercase();
        let key = format!(
            "{place} {}",
            name.chars().take(MAX_USERNAME_CHARS).collect::<String>()
        );
        self.passwords.check_guesses(&key, Instant::now())?;
        let row = self.store.person_by_name(&name).await?;
        let row = row.filter(|row| row.deleted_at == 0 && !row.is_bot);
        let hash = row.as_ref().map_or("", |row| &row.password_hash);
        let is_right = self.passwords.matches(password, hash).await?;
        let Some(row) = row.filter(|_| is_right) else {
            self.passwords.note_wrong(&key, Instant::now());
            return Err(Fault::wrong_password());
        };
        self.passwords.note_right(&key);
        let (token, expires_at) = self
            .start_login(&row.id, Some(self.config.login_lifetime))
            .await?;
        Ok((row, token, expires_at))
    }

    /// Checks a password without signing in.
    pub(super) async fn check_password(
        &self,
        person: &PersonRow,
        password: Secret,
        place: &str,
    ) -> Result<(), Fault> {
        let key = format!("{place} {}", person.username);
        self.passwords.check_guesses(&key, Instant::now())?;
        if self
            .passwords
            .matches(password, &person.password_hash)
            .await?
        {
            return Ok(());
        }
        self.passwords.note_wrong(&key, Instant::now());
        Err(Fault::wrong_password())
    }

    /// Returns a fresh token and when it expires (0: never).
    async fn start_login(
        &self,
        person: &UserId,
        lifetime: Option<Duration>,
    ) -> Result<(String, i64), Fault> {
        let token = proto::id::new_id();
        let now = super::wall_ms();
        let expires_at = lifetime.map_or(0, |lifetime| {
            now.saturating_add(i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX))
        });
        self.store
            .insert_login(&NewLogin {
                id: &proto::id::new_id(),
                token_hash: &token_hash(&token),
                person,
                now: self.now_ms(),
                expires_at,
            })
            .await?;
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
            self.end_login(&login.id, person).await?;
        }
        Ok((token, expires_at))
    }

    /// Ends a login: its token is no longer good and its sockets are cut off.
    pub(super) async fn end_login(&self, login_id: &str, person: &UserId) -> Result<(), Fault> {
        if self.store.delete_login(login_id).await? {
            self.tell(&ChatNews::LoginEnded {
                login_id: login_id.to_owned(),
                user: person.clone(),
            });
        }
        Ok(())
    }

    /// Sets a password and ends the person's logins, except the one that asked for it.
    pub(super) async fn change_password(
        &self,
        person: &UserId,
        password: Secret,
        keep_login: Option<&str>,
    ) -> Result<(), Fault> {
        check_password_rule(&password, self.config.min_password_chars)?;
        let hash = self.passwords.hash(password).await?;
        self.store
            .set_password_hash(person, &hash, self.now_ms())
            .await?;
        for login in self.store.logins_of(person).await? {
            if keep_login != Some(login.id.as_str()) {
                self.end_login(&login.id, person).await?;
            }
        }
        Ok(())
    }

    /// Writes the names of a person and tells everybody.
    pub(super) async fn update_names(&self, row: PersonRow) -> Result<PersonRow, Fault> {
        check_username(&row.username)?;
        check_names([
            &row.first_name,
            &row.last_name,
            &row.nickname,
            &row.position,
        ])?;
        if let Err(error) = self.store.update_person(&row, self.now_ms()).await {
            return Err(taken_or(error.into_duplicate(), &row.username));
        }
        let row = self.person_row(row.id.as_str()).await?;
        let data = json!({ "user": wire::user(&row, wire::Eyes::Others) });
        self.emit("user_updated", data, Audience::default());
        Ok(row)
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
                let mut person = checked(&account, 0)?;
                person.is_bot = true;
                self.store.insert_person(&person, self.now_ms()).await?;
                self.person_row(person.id.as_str()).await?
            }
        };
        let (token, _) = self.start_login(&row.id, None).await?;
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

fn checked(account: &NewAccount, min_password_chars: usize) -> Result<NewPerson, Fault> {
    let username = account.username.trim().to_lowercase();
    check_username(&username)?;
    check_names([&account.first_name, &account.last_name, &account.nickname])?;
    check_password_rule(&account.password, min_password_chars)?;
    let mut email = account.email.trim().to_lowercase();
    if email.is_empty() {
        email = format!("{username}@localhost");
    }
    if email.len() > 128 || !email.contains('@') || email.contains(char::is_whitespace) {
        return Err(Fault::invalid(
            "model.user.is_valid.email.app_error",
            format!("`{email}` is not an e-mail address"),
        ));
    }
    Ok(NewPerson {
        id: UserId::random(),
        username,
        email,
        first_name: account.first_name.trim().to_owned(),
        last_name: account.last_name.trim().to_owned(),
        nickname: account.nickname.trim().to_owned(),
        password_hash: String::new(),
        is_bot: false,
        is_admin: false,
    })
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

fn check_names<const N: usize>(names: [&String; N]) -> Result<(), Fault> {
    if names
        .iter()
        .any(|name| name.chars().count() > MAX_NAME_CHARS)
    {
        return Err(Fault::invalid(
            "model.user.is_valid.name.app_error",
            format!("a name has at most {MAX_NAME_CHARS} characters"),
        ));
    }
    Ok(())
}

fn check_password_rule(password: &Secret, min_chars: usize) -> Result<(), Fault> {
    if password.expose().chars().count() >= min_chars {
        return Ok(());
    }
    Err(Fault::invalid(
        "model.user.is_valid.pwd_min_length.app_error",
        format!("the password is too short: at least {min_chars} characters"),
    ))
}
