//! Who asks: sign-in, forged-request guard, rate limit.

use std::time::Instant;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use messaging::credentials::Credential;
use messaging::model::Person;
use messaging::rate::{Buckets, Rate};
use proto::id::UserId;

use super::{App, Refused};

/// Requests of one person: a client makes about six at once when it starts.
const REQUESTS: Rate = Rate::new(10.0, 1.0);

/// A signed-in person within the limit of requests.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn(pub(crate) Person);

/// A signed-in system administrator.
#[derive(Debug, Clone)]
pub(crate) struct Administrator;

/// The bot that records and transcribes; not limited.
#[derive(Debug, Clone)]
pub(crate) struct BotOnly;

/// How many requests everybody may still make.
#[derive(Debug)]
pub(crate) struct Limits(Buckets<UserId>);

impl Default for Limits {
    fn default() -> Self {
        Self(Buckets::new(REQUESTS))
    }
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        let person = sign_in(parts, app).await?;
        let is_bot = person.id == app.engine.bot.id;
        if !is_bot && app.limits.0.take(&person.id, Instant::now()).is_err() {
            return Err(Refused::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too many requests",
            ));
        }
        Ok(Self(person))
    }
}

impl FromRequestParts<App> for BotOnly {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        let person = sign_in(parts, app).await?;
        let allowed = person.id == app.engine.bot.id && app.engine.config.recording.enabled;
        if allowed {
            Ok(Self)
        } else {
            Err(Refused::forbidden())
        }
    }
}

impl FromRequestParts<App> for Administrator {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        let SignedIn(person) = SignedIn::from_request_parts(parts, app).await?;
        if person.is_system_admin {
            Ok(Self)
        } else {
            Err(Refused::forbidden())
        }
    }
}

async fn sign_in(parts: &Parts, app: &App) -> Result<Person, Refused> {
    let unauthorized = || Refused::new(StatusCode::UNAUTHORIZED, "Unauthorized");
    let credential = Credential::from_headers(&parts.headers).ok_or_else(unauthorized)?;
    if !credential.is_meant(&parts.method, &parts.headers) {
        let message = "the request lacks its X-CSRF-Token or X-Requested-With header";
        return Err(Refused::new(StatusCode::UNAUTHORIZED, message));
    }
    let login = app.engine.chat.login(credential.token()).await;
    let login = login.map_err(|error| Refused::chat(&error))?;
    login.map(|login| login.person).ok_or_else(unauthorized)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_eleventh_request_at_once_is_refused_and_one_more_a_second_later_is_not() {
        let (limits, now) = (Limits::default(), Instant::now());
        let (anna, ben) = (
            UserId::parse("anna").unwrap(),
            UserId::parse("ben").unwrap(),
        );
        let takes = |who, at| limits.0.take(who, at).is_ok();
        assert_eq!((0..20).filter(|_| takes(&anna, now)).count(), 10);
        assert!(takes(&ben, now));
        assert!(takes(&anna, now + Duration::from_secs(1)));
        assert!(!takes(&anna, now + Duration::from_secs(1)));
    }
}
