//! Tokens that let a participant into a LiveKit room.
//!
//! In: a key pair, an identity, a room. Out: a JWT (RFC 7519, HS256 of RFC 7518).

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Longer than any run.
const VALID_SECONDS: u64 = 24 * 3600;

/// A name and a secret the server knows.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) name: String,
    pub(crate) secret: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Keys {
    pub(super) fn token(&self, identity: &str, room: &str) -> anyhow::Result<String> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .context("tell the time")?;
        Ok(self.token_until(identity, room, now.as_secs() + VALID_SECONDS))
    }

    fn token_until(&self, identity: &str, room: &str, expires: u64) -> String {
        let header = serde_json::json!({"alg": "HS256", "typ": "JWT"});
        let claims = serde_json::json!({
            "exp": expires,
            "iss": self.name,
            "sub": identity,
            "video": {"room": room, "roomJoin": true},
        });
        let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        let signed = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes());
        let signature = hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", encode(signature.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_room_and_person_and_is_signed() {
        let keys = Keys {
            name: "key".to_owned(),
            secret: "secret".to_owned(),
        };
        let token = keys.token_until("alice", "lobby", 2_000_000_000);
        let parts: Vec<&str> = token.split('.').collect();
        assert_eq!(parts.len(), 3);
        let claims: serde_json::Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
        assert_eq!(claims["sub"], "alice");
        assert_eq!(claims["video"]["room"], "lobby");
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        let signed = format!("{}.{}", parts[0], parts[1]);
        let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        hmac::verify(&key, signed.as_bytes(), &signature).unwrap();
    }
}
