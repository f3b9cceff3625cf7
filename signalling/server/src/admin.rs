//! What an operator does without a running server.

use std::sync::Arc;

use anyhow::Context as _;
use messaging::embedded::{self, NewAccount};
use storage::blob::S3;

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
    embedded::Server::open(chat_config(config)?)
        .await
        .context("open the records")
}

/// The embedded messaging server's part of the configuration.
///
/// # Errors
/// When the place for files cannot be used with these settings.
pub(crate) fn chat_config(config: &Config) -> anyhow::Result<embedded::Config> {
    let mut chat = embedded::Config::new(config.data_dir.clone());
    if let Some(database) = &config.database {
        chat.database.clone_from(database);
    }
    chat.site_url.clone_from(&config.site_url);
    chat.site_name.clone_from(&config.chat.site_name);
    chat.open_registration = config.chat.open_registration;
    chat.login_lifetime = config.chat.login_lifetime;
    chat.min_password_chars = config.chat.min_password_chars;
    chat.max_file_bytes = config.chat.max_file_bytes;
    chat.files = config.files.limits.clone();
    if let Some(s3) = &config.files.s3 {
        let bucket = S3::new(s3.clone()).context("prepare the place for files")?;
        chat.blobs = Some(Arc::new(bucket));
    }
    chat.writes_per_minute = config.chat.writes_per_minute;
    chat.allowed_origins
        .clone_from(&config.chat.allowed_origins);
    chat.trusted_proxies.clone_from(&config.trusted_proxies);
    Ok(chat)
}
