//! Passwords and tokens: hashing, comparing, and what both may cost.
//!
//! In: a password and what is stored of the right one. Out: whether it is right, after the same
//! work for right, wrong, unknown and over-long ones, or `Busy` at once.
//! Not here: who may try how often (`guesses`), who was here before (`known`), who is next (`queue`),
//! which passwords are good enough (`rule`).

mod guesses;
mod known;
mod queue;
mod rule;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use aws_lc_rs::{digest, hmac};
use proto::redact::Secret;
use subtle::ConstantTimeEq as _;

use super::fault::Fault;
use super::place::Place;
pub(super) use guesses::{Guesses, Key, Reservation, WINDOW};
pub(super) use queue::{Busy, Lane};
pub(super) use rule::check as check_rule;

/// Argon2id with what OWASP names as the least: 19 MiB, two passes, one lane; about 20 ms of a
/// core. More memory would let fewer people sign in at once on a small machine.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Longest password looked at, in bytes: hashing time must not depend on the sender's patience.
const MAX_PASSWORD_BYTES: usize = 512;
/// When somebody whom the queue has no room for should try again.
const BUSY_PAUSE: Duration = Duration::from_secs(2);

/// A password that nobody chose: 100 bits, in groups that can be read out.
pub(super) fn made_up() -> Secret {
    let id: Vec<char> = proto::id::new_id().chars().take(20).collect();
    let groups: Vec<String> = id.chunks(5).map(|group| group.iter().collect()).collect();
    Secret::new(groups.join("-"))
}

#[derive(Debug)]
pub(super) struct Passwords {
    queue: Arc<queue::Queue>,
    pub(super) guesses: Guesses,
    pub(super) known: known::KnownPlaces,
    /// How long a stranger's password took of late, waiting included, in microseconds.
    usual_micros: AtomicU64,
}

impl Passwords {
    /// Half of the cores hash, so that the others serve those who are signed in.
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            queue: queue::Queue::new((cores / 2).clamp(1, 4)),
            guesses: Guesses::default(),
            known: known::KnownPlaces::default(),
            usual_micros: AtomicU64::new(0),
        }
    }

    /// Returns the argon2id hash of a password, with a fresh salt.
    pub(super) async fn hash(
        &self,
        password: Secret,
        lane: Lane,
        place: Place,
    ) -> Result<String, Fault> {
        if password.expose().len() > MAX_PASSWORD_BYTES {
            return Err(Fault::invalid(
                "model.user.is_valid.pwd_max_length.app_error",
                format!("the password is too long: at most {MAX_PASSWORD_BYTES} bytes"),
            ));
        }
        self.on_a_slot(lane, place, move || hash_now(password.expose().as_bytes()))
            .await
            .map_err(Fault::from)?
    }

    /// Whether the password belongs to the hash. An empty `hash` and a password that is too long
    /// cost as much as any other: nothing can be told from the time.
    pub(super) async fn matches(
        &self,
        password: Secret,
        hash: &str,
        lane: Lane,
        place: Place,
    ) -> Result<bool, Unchecked> {
        let hash = hash.to_owned();
        let began = Instant::now();
        let verdict = self.on_a_slot(lane, place, move || {
            let given = password.expose().as_bytes();
            let looked_at = given.get(..MAX_PASSWORD_BYTES).unwrap_or(given);
            if hash.is_empty() {
                hash_now(looked_at)?;
                return Ok(false);
            }
            let parsed = PasswordHash::new(&hash).map_err(|error| {
                Fault::internal("read password hash", anyhow::Error::msg(error.to_string()))
            })?;
            // the stored hash names its own parameters
            let verdict = Argon2::default().verify_password(looked_at, &parsed);
            Ok(verdict.is_ok() && looked_at.len() == given.len())
        });
        let verdict = verdict.await?.map_err(Unchecked::Broken);
        if lane != Lane::Known {
            self.note_usual(began.elapsed());
        }
        verdict
    }

    fn note_usual(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        // an update that gets lost between two others does no harm
        let before = self.usual_micros.load(Ordering::Relaxed);
        let usual = if before == 0 {
            took
        } else {
            before / 8 * 7 + took / 8
        };
        self.usual_micros.store(usual, Ordering::Relaxed);
    }

    /// Waits for as long as looking at a password takes, without looking at one.
    pub(super) async fn as_long_as_a_hash(&self) {
        let usual = Duration::from_micros(self.usual_micros.load(Ordering::Relaxed));
        tokio::time::sleep(usual.min(BUSY_PAUSE)).await;
    }

    async fn on_a_slot<T: Send + 'static>(
        &self,
        lane: Lane,
        place: Place,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unchecked> {
        let slot = self.queue.slot(lane, place).await?;
        // The slot is free when the work is done, not when the sender has hung up.
        let worked = tokio::task::spawn_blocking(move || {
            let outcome = work();
            drop(slot);
            outcome
        });
        worked
            .await
            .map_err(|error| Unchecked::Broken(Fault::internal("hash password", error)))
    }
}

/// Why a password was not looked at.
#[derive(Debug)]
pub(super) enum Unchecked {
    Busy,
    Broken(Fault),
}

impl From<Busy> for Unchecked {
    fn from(Busy: Busy) -> Self {
        Self::Busy
    }
}

impl From<Unchecked> for Fault {
    fn from(unchecked: Unchecked) -> Self {
        match unchecked {
            Unchecked::Busy => {
                Self::too_many("very many people are signing in: try again in a few seconds")
                    .after(BUSY_PAUSE)
            }
            Unchecked::Broken(fault) => fault,
        }
    }
}

fn hash_now(password: &[u8]) -> Result<String, Fault> {
    let broken = |what, error: &dyn std::fmt::Display| {
        Fault::internal(what, anyhow::Error::msg(error.to_string()))
    };
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| broken("set up argon2", &error))?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_with_salt(password, &rand::random::<[u8; 16]>())
        .map(|hash| hash.to_string())
        .map_err(|error| broken("hash password", &error))
}

/// Returns what is stored of a token: 64 hexadecimal digits. Tokens are random, so a plain hash
/// is enough.
pub(super) fn token_hash(token: &str) -> String {
    use std::fmt::Write as _;
    digest::digest(&digest::SHA256, token.as_bytes())
        .as_ref()
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            // writing to a String cannot fail
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// What a device is given when its owner has signed in on it: it may go on trying when strangers
/// have used up what they may try.
///
/// It is bound to the stored password hash: nothing more needs to be stored, nobody without the
/// hash can make one, and a new password ends it.
pub(super) fn device_mark(person: &str, password_hash: &str) -> String {
    let nonce = proto::id::new_id();
    let seal = device_seal(person, password_hash, &nonce);
    format!("{nonce}.{seal}")
}

/// Whether this device was marked for this person, and by which name attempts on it are counted.
pub(super) fn device_of<'a>(mark: &'a str, person: &str, password_hash: &str) -> Option<&'a str> {
    let (nonce, seal) = mark.split_once('.')?;
    let expected = device_seal(person, password_hash, nonce);
    let is_good: bool = expected.as_bytes().ct_eq(seal.as_bytes()).into();
    (is_good && !password_hash.is_empty()).then_some(nonce)
}

fn device_seal(person: &str, password_hash: &str, nonce: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, password_hash.as_bytes());
    let seal = hmac::sign(&key, format!("device {person} {nonce}").as_bytes());
    let short = seal.as_ref().first_chunk();
    proto::id::encode_id(*short.expect("a seal of SHA-256 has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place = Place::Unknown;

    async fn is_right(passwords: &Passwords, password: &str, hash: &str) -> bool {
        passwords
            .matches(Secret::new(password), hash, Lane::Known, HERE)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn only_the_right_password_matches() {
        let passwords = Passwords::new();
        let hash = passwords
            .hash(Secret::new("correct horse"), Lane::Known, HERE)
            .await
            .unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(is_right(&passwords, "correct horse", &hash).await);
        assert!(!is_right(&passwords, "battery", &hash).await);
        assert!(!is_right(&passwords, "", "").await);
        let long = Secret::new("x".repeat(513));
        assert!(passwords.hash(long, Lane::Known, HERE).await.is_err());
    }

    #[tokio::test]
    async fn an_over_long_password_is_never_the_one_it_begins_with() {
        let passwords = Passwords::new();
        let longest = "x".repeat(MAX_PASSWORD_BYTES);
        let hash = passwords
            .hash(Secret::new(longest.clone()), Lane::Known, HERE)
            .await
            .unwrap();
        assert!(is_right(&passwords, &longest, &hash).await);
        assert!(!is_right(&passwords, &format!("{longest}y"), &hash).await);
    }

    #[test]
    fn a_device_is_known_until_the_password_changes_and_to_its_owner_only() {
        let mark = device_mark("anna", "hash one");
        let nonce = mark.split_once('.').unwrap().0;
        assert_eq!(device_of(&mark, "anna", "hash one"), Some(nonce));
        assert_eq!(device_of(&mark, "ben", "hash one"), None);
        assert_eq!(device_of(&mark, "anna", "hash two"), None);
        assert_eq!(device_of(&format!("{mark}x"), "anna", "hash one"), None);
        assert_eq!(device_of("", "anna", ""), None);
        let of_nobody = device_mark("anna", "");
        assert_eq!(device_of(&of_nobody, "anna", ""), None);
    }
}
