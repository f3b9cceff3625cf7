//! Who may make the first account of a fresh server: whoever can read what it printed.
//!
//! The first account becomes the administrator. Without this, it would be whoever finds the
//! server first, or a page of another site that a visitor of the network opens.
//! Invariant: one token makes one account; a start prints another one while there is none.

use std::sync::{Mutex, PoisonError};

use proto::redact::Secret;
use subtle::ConstantTimeEq as _;

use super::fault::Fault;

/// The one-time token, while it is good.
#[derive(Debug)]
pub(super) struct FirstAccount(Mutex<Option<Secret>>);

/// A token that has been taken for an account; it is good again when the account is not made.
#[must_use]
pub(super) struct Claim<'a> {
    first_account: &'a FirstAccount,
    token: Option<Secret>,
}

impl FirstAccount {
    /// Makes a token for a server without accounts.
    pub(super) fn new(is_needed: bool) -> Self {
        let token = is_needed.then(|| Secret::new(proto::id::new_id()));
        Self(Mutex::new(token))
    }

    fn token(&self) -> std::sync::MutexGuard<'_, Option<Secret>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For whoever started the server.
    pub(super) fn to_print(&self) -> Option<Secret> {
        self.token().clone()
    }

    /// There is an account now, however it was made.
    pub(super) fn is_made(&self) {
        *self.token() = None;
    }

    /// Takes the token for one account.
    pub(super) fn claim(&self, given: &Secret) -> Result<Claim<'_>, Fault> {
        let mut token = self.token();
        let is_right = token.as_ref().is_some_and(|token| {
            let (token, given) = (token.expose().as_bytes(), given.expose().trim().as_bytes());
            token.ct_eq(given).into()
        });
        if !is_right {
            return Err(Fault::forbidden(
                "the first account of this server needs the one-time token that the server \
                 printed when it started",
            ));
        }
        Ok(Claim {
            first_account: self,
            token: token.take(),
        })
    }
}

impl Claim<'_> {
    /// The account has been made.
    pub(super) fn spend(mut self) {
        self.token = None;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            *self.first_account.token() = Some(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_makes_one_account() {
        let first = FirstAccount::new(true);
        let token = first.to_print().unwrap();
        assert!(first.claim(&Secret::new("guess")).is_err());
        assert!(first.claim(&Secret::default()).is_err());
        let claim = first.claim(&token).unwrap();
        assert!(first.claim(&token).is_err(), "it is taken");
        drop(claim);
        // as somebody copies it
        let copied = Secret::new(format!(" {}\n", token.expose()));
        first.claim(&copied).unwrap().spend();
        assert!(first.claim(&token).is_err());
    }

    #[test]
    fn an_account_made_elsewhere_ends_it() {
        let first = FirstAccount::new(true);
        let token = first.to_print().unwrap();
        first.is_made();
        assert_eq!(first.to_print(), None);
        assert!(first.claim(&token).is_err());
    }

    #[test]
    fn a_server_with_accounts_has_none() {
        let first = FirstAccount::new(false);
        assert_eq!(first.to_print(), None);
        assert!(first.claim(&Secret::default()).is_err());
    }
}
