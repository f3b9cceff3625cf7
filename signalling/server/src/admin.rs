//! What an operator does without a running server.

use anyhow::Context as _;
use messaging::ChatError;
use messaging::embedded::{self, NewAccount};
use storage::blob;

use crate::config::Config;

/// Does something with the records of the chat. Works beside a running server, which notices within a
/// second.
///
/// # Errors
/// When the records cannot be opened, or what `work` says.
pub async fn with_chat<T>(
    config: &Config,
    work: impl AsyncFnOnce(&embedded::Server) -> Result<T, ChatError>,
) -> anyhow::Result<T> {
    let server = embedded::Server::open_as_tool(chat_config(config)?)
        .await
        .context("open the records")?;
    let done = work(&server).await;
    server.close().await;
    Ok(done?)
}

/// Adds an account, and says so. Works beside a running server.
///
/// # Errors
/// When the records cannot be opened, the name is taken or the account is refused.
pub async fn add_account(config: &Config, account: NewAccount) -> anyhow::Result<String> {
    let added = with_chat(config, async |chat| chat.add_account(account).await).await;
    let person = added.context("add the account")?;
    let role = if person.is_system_admin {
        "administrator"
    } else {
        "person"
    };
    Ok(format!("`{}` is added, as {role}", person.username))
}

/// Gives an account the password, ends its logins, and says so. Works beside a running server.
///
/// # Errors
/// When the records cannot be opened, there is no such account or the password is refused.
pub async fn set_password(config: &Config, account: NewAccount) -> anyhow::Result<String> {
    let (name, password) = (account.username, account.password);
    let changed = with_chat(config, async |chat| {
        chat.set_password(&name, password).await
    })
    .await;
    changed.context("set the password")?;
    Ok(format!(
        "`{name}` has a new password, and is signed in nowhere"
    ))
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
    chat.default_locale.clone_from(&config.chat.default_locale);
    chat.open_registration = config.chat.open_registration;
    chat.login_lifetime = config.chat.login_lifetime;
    chat.min_password_chars = config.chat.min_password_chars;
    chat.max_file_bytes = config.chat.max_file_bytes;
    chat.files = config.files.limits.clone();
    if let Some(s3) = &config.files.s3 {
        let bucket = blob::bucket(s3.clone()).context("prepare the place for files")?;
        chat.blobs = Some(bucket);
    }
    chat.writes_per_minute = config.chat.writes_per_minute;
    chat.gateway = config.gateway;
    chat.allowed_origins
        .clone_from(&config.chat.allowed_origins);
    chat.trusted_proxies.clone_from(&config.trusted_proxies);
    chat.framed = !config.frame_ancestors.is_empty();
    Ok(chat)
}
