//! Bearer tokens: one per client, in memory, for a limited time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proto::id::GroupId;

use super::{AuthError, Digest};

/// Makes a token of 32 characters.
pub(super) fn random_token() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>())
}

/// Live tokens by keyed digest: finding one compares no secret.
#[derive(Debug)]
pub(super) struct Tokens {
    good_for: Duration,
    by_digest: Mutex<HashMap<Digest, (GroupId, Instant)>>,
}

impl Tokens {
    pub(super) fn new(good_for: Duration) -> Self {
        Self {
            good_for,
            by_digest: Mutex::default(),
        }
    }

    /// Replaces the token of a client.
    pub(super) fn put(&self, group: GroupId, digest: Digest, now: Instant) {
        let mut tokens = self.lock();
        tokens.retain(|_, (other, _)| *other != group);
        tokens.insert(digest, (group, now));
    }

    pub(super) fn find(&self, digest: Digest, now: Instant) -> Result<GroupId, AuthError> {
        let mut tokens = self.lock();
        let (group, made) = tokens.get(&digest).ok_or(AuthError::UnknownToken)?;
        if now.saturating_duration_since(*made) < self.good_for {
            return Ok(group.clone());
        }
        tokens.remove(&digest);
        Err(AuthError::ExpiredToken)
    }

    pub(super) fn remove(&self, client_id: &str) {
        self.lock()
            .retain(|_, (group, _)| group.as_str() != client_id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, (GroupId, Instant)>> {
        self.by_digest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lives_until_it_expires_or_is_replaced() {
        let tokens = Tokens::new(Duration::from_secs(60));
        let start = Instant::now();
        let group = GroupId::parse("a").unwrap();
        tokens.put(group.clone(), [1; 32], start);
        assert_eq!(tokens.find([1; 32], start).unwrap(), group);

        tokens.put(group.clone(), [2; 32], start);
        assert!(matches!(
            tokens.find([1; 32], start),
            Err(AuthError::UnknownToken)
        ));

        let late = start + Duration::from_secs(60);
        assert!(matches!(
            tokens.find([2; 32], late),
            Err(AuthError::ExpiredToken)
        ));
        assert!(matches!(
            tokens.find([2; 32], late),
            Err(AuthError::UnknownToken)
        ));

        tokens.put(group, [3; 32], start);
        tokens.remove("a");
        assert!(matches!(
            tokens.find([3; 32], start),
            Err(AuthError::UnknownToken)
        ));
    }

    #[test]
    fn tokens_have_32_characters_of_the_url_alphabet() {
        let token = random_token();
        assert_eq!(token.len(), 32);
        assert!(
            token
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        );
        assert_ne!(token, random_token());
    }
}
