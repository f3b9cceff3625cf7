//! Who calls the API: bearer token, admin, or client id and key.
//!
//! In: the `Authorization` header, or credentials of a body. Out: an `Identity`.
//! Not here: what an identity may do (`http`, `control`).
//! Invariant: no comparison of a secret takes a time that depends on where it differs; nobody
//! makes this node hash faster than `limiter` allows.

mod header;
mod limiter;
mod tokens;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use proto::id::GroupId;
use proto::redact::Secret;
use service::Tasks;
use subtle::ConstantTimeEq as _;

use crate::config::SecurityConfig;
use crate::store::{AccessError, PutError, Store};
use header::Presented;
use limiter::Limiter;
pub(crate) use limiter::Source;
use tokens::Tokens;

/// Shortest key a client may register, in bytes.
const SHORTEST_KEY: usize = 32;
/// bcrypt looks at no more bytes than these.
const LONGEST_KEY: usize = 72;
const BCRYPT_COST: u32 = 10;
/// How long a verified pair of id and key is believed without hashing again.
const VERIFIED_FOR: Duration = Duration::from_secs(300);
/// Most pairs remembered; the table is emptied beyond.
const MOST_VERIFIED: usize = 10_000;

type Digest = [u8; 32];

/// Who was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    Admin,
    Client(GroupId),
}

impl Identity {
    /// The tenant; the admin has none.
    #[must_use]
    pub(crate) fn group(&self) -> Option<&GroupId> {
        match self {
            Self::Admin => None,
            Self::Client(group) => Some(group),
        }
    }
}

/// Somebody was not recognised. The text is sent to them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    #[error("authentication failed: token is invalid")]
    UnknownToken,
    #[error("authentication failed: session is expired")]
    ExpiredToken,
    #[error("authentication failed: invalid auth header")]
    BadHeader,
    #[error("authentication failed: unauthorized")]
    NoName,
    #[error("authentication failed")]
    Wrong,
    #[error("authentication failed: too many attempts, try again later")]
    TooMany,
    #[error("authentication failed: internal error")]
    Internal(#[source] anyhow::Error),
}

/// A client could not be registered. The text is sent to the one who asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegisterError {
    #[error("registration failed: key not long enough")]
    ShortKey,
    #[error("registration failed: bcrypt: password length exceeds {LONGEST_KEY} bytes")]
    LongKey,
    #[error("registration failed: error: empty key")]
    EmptyId,
    #[error("registration failed: error: client id not usable: 1 to 128 printable characters")]
    BadId,
    #[error("registration failed: already registered")]
    Exists,
    #[error("registration failed: too many attempts, try again later")]
    TooMany,
    #[error("registration failed: internal error")]
    Internal(#[source] anyhow::Error),
}

/// A client could not be removed. The text is sent to the one who asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnregisterError {
    #[error("unregister failed: error: not found")]
    NotFound,
    #[error("unregister failed: internal error")]
    Internal(#[source] AccessError),
}

/// Recognises callers.
#[derive(Debug)]
pub(crate) struct Auth {
    store: Store,
    admin_key: Option<Secret>,
    limiter: Limiter,
    tokens: Tokens,
    /// Keys the digests below, so that they are worth nothing outside this process.
    digest_key: Digest,
    /// Pairs of id and key that passed, and when.
    verified: Mutex<HashMap<Digest, (GroupId, Instant)>>,
    /// Compared against for an unknown id, so that it takes as long as a known one.
    decoy_hash: String,
}

impl Auth {
    /// Prepares recognition of the clients in a store.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub(crate) fn new(
        store: Store,
        config: &SecurityConfig,
        cpus: usize,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let digest_key: Digest = rand::random();
        let decoy_hash = hash(&proto::id::new_id())?;
        Ok(Self {
            store,
            admin_key: config.admin_secret_key.clone(),
            limiter: Limiter::for_cpus(cpus, tasks),
            tokens: Tokens::new(config.session_expiration),
            digest_key,
            verified: Mutex::default(),
            decoy_hash,
        })
    }

    /// Recognises the sender of a request by its `Authorization` header.
    ///
    /// # Errors
    /// Why it was not recognised.
    pub(crate) async fn authenticate(
        &self,
        header: Option<&str>,
        source: Source,
    ) -> Result<Identity, AuthError> {
        match header::parse(header) {
            Presented::Bearer(token) => self
                .tokens
                .find(self.digest(&[token]), Instant::now())
                .map(Identity::Client),
            Presented::Basic { name, password } => {
                if self.is_admin(&password) {
                    return Ok(Identity::Admin);
                }
                self.check(&name, &password, source)
                    .await
                    .map(Identity::Client)
            }
            Presented::Nothing => Err(AuthError::BadHeader),
        }
    }

    /// Exchanges id and key for a bearer token; an earlier one of the client ends.
    ///
    /// # Errors
    /// As `authenticate` with id and key.
    pub(crate) async fn login(
        &self,
        client_id: &str,
        key: &str,
        source: Source,
    ) -> Result<String, AuthError> {
        let group = self.check(client_id, key, source).await?;
        let token = tokens::random_token();
        self.tokens
            .put(group, self.digest(&[&token]), Instant::now());
        Ok(token)
    }

    /// Adds a client.
    ///
    /// # Errors
    /// When id or key break a rule, the id exists, or too many try at once.
    pub(crate) async fn register(
        &self,
        client_id: &str,
        key: &str,
        source: Source,
    ) -> Result<(), RegisterError> {
        if key.len() < SHORTEST_KEY {
            return Err(RegisterError::ShortKey);
        }
        if client_id.is_empty() {
            return Err(RegisterError::EmptyId);
        }
        if GroupId::parse(client_id).is_err() {
            return Err(RegisterError::BadId);
        }
        let internal = |error: AccessError| RegisterError::Internal(error.into());
        if self.store.get(client_id).await.map_err(internal)?.is_some() {
            return Err(RegisterError::Exists);
        }
        if key.len() > LONGEST_KEY {
            return Err(RegisterError::LongKey);
        }
        self.limiter
            .wait(source, client_id)
            .await
            .map_err(|_| RegisterError::TooMany)?;
        let key = key.to_owned();
        let hash = blocking(move || hash(&key))
            .await
            .map_err(RegisterError::Internal)?;
        match self.store.put(client_id, &hash).await {
            Ok(()) => Ok(()),
            Err(PutError::Conflict) => Err(RegisterError::Exists),
            Err(PutError::EmptyKey) => Err(RegisterError::EmptyId),
            Err(error @ PutError::Database(_)) => Err(RegisterError::Internal(error.into())),
        }
    }

    /// Removes a client and its bearer token. Sockets and sessions it has stay.
    ///
    /// # Errors
    /// When the client is not there.
    pub(crate) async fn unregister(&self, client_id: &str) -> Result<(), UnregisterError> {
        let existed = self
            .store
            .delete(client_id)
            .await
            .map_err(UnregisterError::Internal)?;
        if !existed {
            return Err(UnregisterError::NotFound);
        }
        self.tokens.remove(client_id);
        self.lock_verified()
            .retain(|_, (group, _)| group.as_str() != client_id);
        Ok(())
    }

    async fn check(
        &self,
        client_id: &str,
        key: &str,
        source: Source,
    ) -> Result<GroupId, AuthError> {
        if client_id.is_empty() {
            return Err(AuthError::NoName);
        }
        let digest = self.digest(&[client_id, key]);
        if let Some(group) = self.recently_verified(&digest) {
            return Ok(group);
        }
        let group = GroupId::parse(client_id).map_err(|_| AuthError::Wrong)?;
        if key.len() > LONGEST_KEY {
            return Err(AuthError::Wrong);
        }
        self.limiter
            .wait(source, client_id)
            .await
            .map_err(|_| AuthError::TooMany)?;
        let stored = self
            .store
            .get(client_id)
            .await
            .map_err(|error| AuthError::Internal(error.into()))?;
        let known = stored.is_some();
        let hash = stored.unwrap_or_else(|| self.decoy_hash.clone());
        let key = key.to_owned();
        let right = blocking(move || Ok(bcrypt::verify(key, &hash)?))
            .await
            .map_err(AuthError::Internal)?;
        if !(known && right) {
            return Err(AuthError::Wrong);
        }
        let mut verified = self.lock_verified();
        if verified.len() >= MOST_VERIFIED {
            verified.clear();
        }
        verified.insert(digest, (group.clone(), Instant::now()));
        Ok(group)
    }

    fn recently_verified(&self, digest: &Digest) -> Option<GroupId> {
        let mut verified = self.lock_verified();
        let (group, at) = verified.get(digest)?;
        if at.elapsed() < VERIFIED_FOR {
            return Some(group.clone());
        }
        verified.remove(digest);
        None
    }

    fn is_admin(&self, password: &str) -> bool {
        self.admin_key.as_ref().is_some_and(|key| {
            // Digests have one length: the comparison does not tell the key's.
            self.digest(&[key.expose()])
                .ct_eq(&self.digest(&[password]))
                .into()
        })
    }

    fn digest(&self, parts: &[&str]) -> Digest {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.digest_key);
        let mut mac = hmac::Context::with_key(&key);
        for part in parts {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part.as_bytes());
        }
        let tag = mac.sign();
        *tag.as_ref().first_chunk().expect("SHA-256 has 32 bytes")
    }

    fn lock_verified(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, (GroupId, Instant)>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(key: &str) -> anyhow::Result<String> {
    Ok(bcrypt::hash_with_result(key, BCRYPT_COST)?.format_for_version(bcrypt::Version::TwoA))
}

/// Hashing takes tens of milliseconds: not on a thread that serves others.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

#[cfg(test)]
mod tests;
