//! What an operator does without a running server.

use std::sync::Arc;

use anyhow::Context as _;
use messaging::embedded::{self, NewAccount};
use storage::blob::S3;

use crate::config::Config;

/// Adds an account, or gives an existing one the password. Works beside a running server.
///
/// # Errors
/// When the records cannot be opened or the account is refused.
pub async fn add_account(config: &Config, account: NewAccount) -> anyhow::Result<()> {
    let server = embedded::Server::open(chat_config(config)?)
        .await
        .context("open the records")?;
    let (name, password) = (account.username.clone(), account.password.clone());
    let added = server
        .ensure_account(account)
        .await
        .context("add the account");
    let changed = match added {
        Ok(_) => server
            .set_password(&name, password)
            .await
            .context("set the password"),
        Err(error) => Err(error),
    };
    server.close().await;
    changed
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
    chat.allowed_origins
        .clone_from(&config.chat.allowed_origins);
    Ok(chat)
}
