//! Short-lived TURN credentials from the secret we share with the TURN servers.
//!
//! `username` is the time they end in Unix seconds and the person's name; `credential` is an HMAC
//! of it. See: draft-uberti-behave-turn-rest.

use aws_lc_rs::hmac;
use base64::Engine as _;
use proto::calls::IceServer;

use crate::config::IceConfig;

/// Why there are no credentials to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TurnError {
    #[error("TURN static auth secret should be set")]
    NoSecret,
    #[error("no TURN server was configured")]
    NoServer,
}

/// Makes one entry per TURN server that has no credentials of its own.
pub(crate) fn credentials(
    config: &IceConfig,
    username: &str,
    unix_ms: i64,
) -> Result<Vec<IceServer>, TurnError> {
    if config.turn_secret.is_empty() {
        return Err(TurnError::NoSecret);
    }
    let lifetime = i64::try_from(config.turn_credentials_lifetime.as_secs()).unwrap_or(i64::MAX);
    let expires = (unix_ms / 1000).saturating_add(lifetime);
    let username = format!("{expires}:{username}");
    let credential = sign(config.turn_secret.expose(), &username);
    let entries: Vec<IceServer> = config
        .turn_without_credentials()
        .map(|server| IceServer {
            urls: server.urls.clone(),
            username: Some(username.clone()),
            credential: Some(credential.clone()),
        })
        .collect();
    if entries.is_empty() {
        Err(TurnError::NoServer)
    } else {
        Ok(entries)
    }
}

fn sign(secret: &str, username: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(hmac::sign(&key, username.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proto::redact::Secret;

    use super::*;

    #[test]
    fn credentials_are_those_a_turn_server_computes() {
        let server = |urls: &str, credential: Option<&str>| IceServer {
            urls: vec![urls.to_owned()],
            username: None,
            credential: credential.map(str::to_owned),
        };
        let config = IceConfig {
            servers: vec![
                server("turn:t:3478", None),
                server("turn:u:3478", Some("own")),
            ],
            urls: Vec::new(),
            turn_secret: Secret::new("north"),
            turn_credentials_lifetime: Duration::from_secs(86_400),
        };
        let made = credentials(&config, "anna", 1_000_000).unwrap();
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].username.as_deref(), Some("87400:anna"));
        // printf '87400:anna' | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(made[0].credential.as_deref(), Some(EXPECTED));
        let none = IceConfig {
            servers: Vec::new(),
            ..config
        };
        assert_eq!(credentials(&none, "anna", 0), Err(TurnError::NoServer));
    }

    const EXPECTED: &str = "CoLz21OBvT4DEYqlQ6RMq56LXBY=";
}
