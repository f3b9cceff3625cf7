//! Accounts to try calls with: made only when asked for, with passwords of this installation.

use std::fs;
use std::path::Path;

use anyhow::Context;
use messaging::embedded::{NewAccount, Server};
use proto::redact::Secret;
use serde::{Deserialize, Serialize};
use service::private;

/// Characters of a sample password: drawn by `proto::id`, 5 bits each.
const PASSWORD_LEN: usize = 12;

const PEOPLE: [(&str, &str, &str); 3] = [
    ("anna", "Anna", "Berg"),
    ("ben", "Ben", "Okafor"),
    ("carla", "Carla", "Reyes"),
];

/// One sign-in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SampleAccount {
    pub(crate) username: String,
    pub(crate) password: String,
}

/// Makes sure that the sample accounts exist and returns their sign-ins.
///
/// The passwords are kept in `sample-accounts.json` in `data_dir`, readable by its owner only, so
/// that a second start prints the same ones.
pub(crate) async fn ensure(chat: &Server, data_dir: &Path) -> anyhow::Result<Vec<SampleAccount>> {
    let file = data_dir.join("sample-accounts.json");
    let accounts = if file.exists() {
        let text =
            fs::read_to_string(&file).with_context(|| format!("read `{}`", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("read `{}`", file.display()))?
    } else {
        let fresh: Vec<SampleAccount> = PEOPLE
            .iter()
            .map(|(username, _, _)| SampleAccount {
                username: (*username).to_owned(),
                password: proto::id::new_id().chars().take(PASSWORD_LEN).collect(),
            })
            .collect();
        let json = serde_json::to_vec(&fresh).context("write the sample accounts")?;
        private::write(&file, &json).context("write the sample accounts")?;
        fresh
    };
    for account in &accounts {
        let (first_name, last_name) = PEOPLE
            .iter()
            .find(|(username, _, _)| *username == account.username)
            .map_or(("", ""), |(_, first, last)| (*first, *last));
        chat.ensure_account(NewAccount {
            username: account.username.clone(),
            password: Secret::new(account.password.clone()),
            email: String::new(),
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
            nickname: String::new(),
            is_admin: false,
        })
        .await
        .with_context(|| format!("create the sample account `{}`", account.username))?;
    }
    Ok(accounts)
}
