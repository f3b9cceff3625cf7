//! What an operator does without a running server.

use anyhow::Context as _;
use messaging::embedded::{self, NewAccount};

use crate::config::Config;

/// Adds an account. Works beside a running server.
///
/// # Errors
/// When the records cannot be opened, the name is taken or the account is refused.
pub async fn add_account(config: &Config, account: NewAccount) -> anyhow::Result<()> {
    let server = open(config).await?;
    let added = server.add_account(account).await;
    server.close().await;
    added.map(drop).context("add the account")
}

/// Gives an account the password and ends its logins. Works beside a running server.
///
/// # Errors
/// When the records cannot be opened, there is no such account or the password is refused.
pub async fn set_password(config: &Config, account: NewAccount) -> anyhow::Result<()> {
    let server = open(config).await?;
    let changed = server
        .set_password(&account.username, account.password)
        .await;
    server.close().await;
    changed.context("set the password")
}

async fn open(config: &Config) -> anyhow::Result<std::sync::Arc<embedded::Server>> {
    embedded::Server::open(chat_config(config))
        .await
        .context("open the records")
}

/// The embedded messaging server's part of the configuration.
pub(crate) fn chat_config(config: &Config) -> embedded::Config {
    let mut chat = embedded::Config::new(config.data_dir.clone());
    chat.site_url.clone_from(&config.site_url);
    chat.site_name.clone_from(&config.chat.site_name);
    chat.open_registration = config.chat.open_registration;
    chat.login_lifetime = config.chat.login_lifetime;
    chat.min_password_chars = config.chat.min_password_chars;
    chat.max_file_bytes = config.chat.max_file_bytes;
    chat.allowed_origins
        .clone_from(&config.chat.allowed_origins);
    chat
}
