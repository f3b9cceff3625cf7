//! Credentials for TURN servers that share a secret with this node.
//!
//! See: draft-uberti-behave-turn-rest, 2.2 (short-lived names); RFC 8489, 9.2.2 (the key).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use proto::redact::Secret;

/// A name and a password, good until the time in the name.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub username: String,
    pub password: Secret,
}

impl Credentials {
    /// Makes credentials for a session.
    pub(crate) fn short_lived(
        secret: &Secret,
        session: &str,
        now: SystemTime,
        good_for: Duration,
    ) -> Self {
        let expiry = now.duration_since(UNIX_EPOCH).unwrap_or_default() + good_for;
        Self::named(secret, format!("{}:{session}", expiry.as_secs()))
    }

    fn named(secret: &Secret, username: String) -> Self {
        let key = hmac::Key::new(
            hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            secret.expose().as_bytes(),
        );
        let password = Secret::new(STANDARD.encode(hmac::sign(&key, username.as_bytes())));
        Self { username, password }
    }

    /// Returns the key that signs messages to a server of this realm.
    pub fn key(&self, realm: &str) -> [u8; 16] {
        let text = format!("{}:{realm}:{}", self.username, self.password.expose());
        Md5::digest(text.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_the_one_every_server_computes() {
        let secret = Secret::new("secret");
        let made = Credentials::short_lived(
            &secret,
            "sessionA",
            UNIX_EPOCH + Duration::from_secs(1_699_999_940),
            Duration::from_secs(60),
        );
        assert_eq!(made.username, "1700000000:sessionA");
        assert_eq!(made.password.expose(), "2ufWafegOarEVUTGPc7fYhN1mck=");
        assert!(!format!("{made:?}").contains("2ufW"));
    }

    /// RFC 8489, 9.2.2 gives this key as an example.
    #[test]
    fn the_key_binds_name_realm_and_password() {
        let credentials = Credentials {
            username: "user".to_owned(),
            password: Secret::new("pass"),
        };
        let hex: String = credentials
            .key("realm")
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hex, "8493fbc53ba582fb4c044c456bdc40eb");
    }
}
