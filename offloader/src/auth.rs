//! Who is asking: Basic credentials, bearer tokens, the administrator, self-registration.
//!
//! In: the `Authorization` header or credentials in a body. Out: a `Caller`, or a refusal whose
//! text is part of the API.
//! Invariant: every comparison of secrets takes constant time or is bcrypt's; a verified key is
//! remembered only as a hash, so that not every call costs a bcrypt run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proto::redact::Secret;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::store::{Store, StoreError};

/// Shortest key, in bytes.
pub const MIN_KEY_LEN: usize = 32;
/// bcrypt looks at no more bytes than these; longer keys are refused rather than cut.
const MAX_KEY_LEN: usize = 72;
/// Verified credentials that are remembered; above it all are forgotten.
const MAX_VERIFIED: usize = 1024;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    Admin,
    Client(String),
}

/// Why a caller is not let in, or a registration not done.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error("authentication failed: invalid auth header")]
    Header,
    #[error("authentication failed: unauthorized")]
    Unauthorized,
    #[error("authentication failed: error: not found")]
    UnknownClient,
    #[error("authentication failed")]
    WrongKey,
    #[error("token is invalid")]
    Token,
    #[error("session is expired")]
    Expired,
    #[error("registration failed: key not long enough")]
    ShortKey,
    #[error("registration failed: key too long: at most {MAX_KEY_LEN} bytes")]
    LongKey,
    #[error("registration failed: error: empty key")]
    EmptyClient,
    #[error("registration failed: already registered")]
    Registered,
    #[error("the service cannot check credentials now")]
    Internal(#[source] anyhow::Error),
}

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.into())
    }
}

struct Token {
    client: String,
    made: Instant,
}

/// Checks callers.
pub struct Auth {
    store: Store,
    admin: Option<Secret>,
    self_registration: bool,
    lifetime: Duration,
    tokens: Mutex<HashMap<String, Token>>,
    /// SHA-256 of id and key -> the bcrypt hash it was verified against.
    verified: Mutex<HashMap<[u8; 32], String>>,
    /// bcrypt runs at a time.
    slots: Arc<Semaphore>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth")
            .field("self_registration", &self.self_registration)
            .finish()
    }
}

impl Auth {
    /// Makes the checker of a configuration.
    #[must_use]
    pub fn new(config: &Config, store: Store) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            store,
            admin: config.admin_secret_key.clone(),
            self_registration: config.allow_self_registration,
            lifetime: config.session_lifetime,
            tokens: Mutex::default(),
            verified: Mutex::default(),
            slots: Arc::new(Semaphore::new(cores)),
        }
    }

    /// Whether anybody may register.
    #[must_use]
    pub fn self_registration(&self) -> bool {
        self.self_registration
    }

    /// Whether there is an administrator.
    #[must_use]
    pub fn has_admin(&self) -> bool {
        self.admin.is_some()
    }

    /// Finds out who asks. With `may_register`, an unknown client of a Basic call becomes known if
    /// the service allows self-registration.
    ///
    /// # Errors
    /// When the caller cannot prove who it is.
    pub async fn caller(
        &self,
        header: Option<&str>,
        may_register: bool,
    ) -> Result<Caller, AuthError> {
        let header = header.unwrap_or_default();
        if let Some(token) = header.strip_prefix("Bearer ") {
            return self.bearer(token);
        }
        let (client, key) = parse_basic(header).ok_or(AuthError::Header)?;
        if let Some(admin) = &self.admin
            && bool::from(admin.expose().as_bytes().ct_eq(key.as_bytes()))
        {
            return Ok(Caller::Admin);
        }
        if client.is_empty() {
            return Err(AuthError::Unauthorized);
        }
        match self.verify(&client, &key).await {
            Err(AuthError::UnknownClient) if may_register && self.self_registration => {
                self.register(&client, &key).await?;
                Ok(Caller::Client(client))
            }
            Ok(()) => Ok(Caller::Client(client)),
            Err(error) => Err(error),
        }
    }

    /// Makes a client known.
    ///
    /// # Errors
    /// When the key is too short or long, the id is empty, or the client is known already.
    pub async fn register(&self, client: &str, key: &str) -> Result<(), AuthError> {
        if key.len() < MIN_KEY_LEN {
            return Err(AuthError::ShortKey);
        }
        if client.is_empty() {
            return Err(AuthError::EmptyClient);
        }
        if key.len() > MAX_KEY_LEN {
            return Err(AuthError::LongKey);
        }
        if self.store.key_hash(client).await?.is_some() {
            return Err(AuthError::Registered);
        }
        let secret = key.to_owned();
        let hash = self
            .blocking(move || bcrypt::hash(secret, bcrypt::DEFAULT_COST))
            .await?
            .map_err(|error| AuthError::Internal(error.into()))?;
        if !self.store.add_client(client, &hash, unix_ms()).await? {
            return Err(AuthError::Registered);
        }
        self.remember(client, key, hash);
        Ok(())
    }

    /// Forgets a client and its token.
    ///
    /// # Errors
    /// When there is no such client.
    pub async fn unregister(&self, client: &str) -> Result<(), AuthError> {
        if !self.store.remove_client(client).await? {
            return Err(AuthError::UnknownClient);
        }
        lock(&self.tokens).retain(|_, token| token.client != client);
        Ok(())
    }

    /// Gives a client a bearer token; an earlier one of the same client stops working.
    ///
    /// # Errors
    /// When id and key do not belong together.
    pub async fn login(&self, client: &str, key: &str) -> Result<String, AuthError> {
        self.verify(client, key).await?;
        let mut bytes = [0; 24];
        rand::fill(&mut bytes[..]);
        let text = URL_SAFE_NO_PAD.encode(bytes);
        let mut tokens = lock(&self.tokens);
        tokens.retain(|_, token| token.client != client && token.made.elapsed() < self.lifetime);
        tokens.insert(
            text.clone(),
            Token {
                client: client.to_owned(),
                made: Instant::now(),
            },
        );
        Ok(text)
    }

    fn bearer(&self, text: &str) -> Result<Caller, AuthError> {
        let mut tokens = lock(&self.tokens);
        let token = tokens.get(text).ok_or(AuthError::Token)?;
        if token.made.elapsed() >= self.lifetime {
            tokens.remove(text);
            return Err(AuthError::Expired);
        }
        Ok(Caller::Client(token.client.clone()))
    }

    async fn verify(&self, client: &str, key: &str) -> Result<(), AuthError> {
        let hash = self
            .store
            .key_hash(client)
            .await?
            .ok_or(AuthError::UnknownClient)?;
        if lock(&self.verified).get(&digest_of(client, key)) == Some(&hash) {
            return Ok(());
        }
        let (secret, stored) = (key.to_owned(), hash.clone());
        let good = self
            .blocking(move || bcrypt::verify(secret, &stored))
            .await?
            .map_err(|error| AuthError::Internal(error.into()))?;
        if !good {
            return Err(AuthError::WrongKey);
        }
        self.remember(client, key, hash);
        Ok(())
    }

    fn remember(&self, client: &str, key: &str, hash: String) {
        let mut verified = lock(&self.verified);
        if verified.len() >= MAX_VERIFIED {
            verified.clear();
        }
        verified.insert(digest_of(client, key), hash);
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AuthError> {
        let slot = self.slots.clone().acquire_owned().await;
        tokio::task::spawn_blocking(move || {
            let _slot = slot;
            work()
        })
        .await
        .map_err(|error| AuthError::Internal(error.into()))
    }
}

fn digest_of(client: &str, key: &str) -> [u8; 32] {
    let mut hash = digest::Context::new(&digest::SHA256);
    for part in [client.as_bytes(), &[0], key.as_bytes()] {
        hash.update(part);
    }
    let digest = hash.finish();
    *digest.as_ref().first_chunk().expect("SHA-256 has 32 bytes")
}

fn parse_basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (client, key) = text.split_once(':')?;
    Some((client.to_owned(), key.to_owned()))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds since 1970.
pub(crate) fn unix_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
