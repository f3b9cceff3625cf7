//! Passwords and tokens: hashing, comparing, and slowing down who guesses.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use proto::redact::Secret;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::fault::Fault;

/// Hashes computed at once: each takes a core and 19 MiB for a moment.
const PARALLEL_HASHES: usize = 2;
/// Wrong passwords accepted from one place for one name within `GUESS_WINDOW`.
const MAX_GUESSES: u32 = 10;
const GUESS_WINDOW: Duration = Duration::from_secs(300);
/// Names and places remembered; when full, the expired ones go, then all.
const MAX_REMEMBERED: usize = 10_000;
/// Longest password looked at, in bytes: hashing time must not depend on the sender's patience.
const MAX_PASSWORD_BYTES: usize = 512;

#[derive(Debug)]
pub(super) struct Passwords {
    slots: Semaphore,
    guesses: Mutex<HashMap<String, Guesses>>,
}

#[derive(Debug, Clone, Copy)]
struct Guesses {
    count: u32,
    since: Instant,
}

impl Passwords {
    pub(super) fn new() -> Self {
        Self {
            slots: Semaphore::new(PARALLEL_HASHES),
            guesses: Mutex::default(),
        }
    }

    /// Returns the argon2id hash of a password, with a fresh salt.
    pub(super) async fn hash(&self, password: Secret) -> Result<String, Fault> {
        if password.expose().len() > MAX_PASSWORD_BYTES {
            return Err(Fault::invalid(
                "model.user.is_valid.pwd_max_length.app_error",
                format!("the password is too long: at most {MAX_PASSWORD_BYTES} bytes"),
            ));
        }
        let salt = SaltString::encode_b64(&rand::random::<[u8; 16]>())
            .map_err(|error| Fault::internal("make salt", anyhow::Error::msg(error.to_string())))?;
        self.on_a_slot(move || {
            Argon2::default()
                .hash_password(password.expose().as_bytes(), &salt)
                .map(|hash| hash.to_string())
                .map_err(|error| {
                    Fault::internal("hash password", anyhow::Error::msg(error.to_string()))
                })
        })
        .await?
    }

    /// Whether the password belongs to the hash. Takes as long when `hash` is empty, so that an
    /// unknown name cannot be told from a wrong password.
    pub(super) async fn matches(&self, password: Secret, hash: &str) -> Result<bool, Fault> {
        if password.expose().len() > MAX_PASSWORD_BYTES {
            return Ok(false);
        }
        if hash.is_empty() {
            self.hash(password).await?;
            return Ok(false);
        }
        let hash = hash.to_owned();
        self.on_a_slot(move || {
            let parsed = PasswordHash::new(&hash).map_err(|error| {
                Fault::internal("read password hash", anyhow::Error::msg(error.to_string()))
            })?;
            let verdict = Argon2::default().verify_password(password.expose().as_bytes(), &parsed);
            Ok(verdict.is_ok())
        })
        .await?
    }

    async fn on_a_slot<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let _slot = self
            .slots
            .acquire()
            .await
            .map_err(|e| Fault::internal("await slot", e))?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|e| Fault::internal("hash password", e))
    }

    /// Refuses when there were too many wrong passwords for this name from this place.
    pub(super) fn check_guesses(&self, key: &str, now: Instant) -> Result<(), Fault> {
        let guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = guesses
            .get(key)
            .is_some_and(|g| g.count >= MAX_GUESSES && now < g.since + GUESS_WINDOW);
        if spent {
            return Err(Fault::too_many(
                "too many wrong passwords: wait five minutes",
            ));
        }
        Ok(())
    }

    pub(super) fn note_wrong(&self, key: &str, now: Instant) {
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        if guesses.len() >= MAX_REMEMBERED {
            guesses.retain(|_, g| now < g.since + GUESS_WINDOW);
        }
        if guesses.len() >= MAX_REMEMBERED {
            guesses.clear();
        }
        let entry = guesses.entry(key.to_owned()).or_insert(Guesses {
            count: 0,
            since: now,
        });
        if now >= entry.since + GUESS_WINDOW {
            *entry = Guesses {
                count: 0,
                since: now,
            };
        }
        entry.count += 1;
    }

    pub(super) fn note_right(&self, key: &str) {
        self.guesses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
}

/// Returns what is stored of a token: 64 hexadecimal digits. Tokens are random, so a plain hash
/// is enough.
pub(super) fn token_hash(token: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(token)
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            // writing to a String cannot fail
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_matches() {
        let passwords = Passwords::new();
        let hash = passwords.hash(Secret::new("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(
            passwords
                .matches(Secret::new("correct horse"), &hash)
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .matches(Secret::new("battery"), &hash)
                .await
                .unwrap()
        );
        assert!(!passwords.matches(Secret::new(""), "").await.unwrap());
        assert!(passwords.hash(Secret::new("x".repeat(513))).await.is_err());
    }

    #[test]
    fn who_guesses_too_often_has_to_wait() {
        let passwords = Passwords::new();
        let now = Instant::now();
        for _ in 0..MAX_GUESSES {
            assert!(passwords.check_guesses("anna", now).is_ok());
            passwords.note_wrong("anna", now);
        }
        assert!(passwords.check_guesses("anna", now).is_err());
        assert!(passwords.check_guesses("ben", now).is_ok());
        assert!(passwords.check_guesses("anna", now + GUESS_WINDOW).is_ok());
    }
}
