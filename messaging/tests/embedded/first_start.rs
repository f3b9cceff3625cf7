//! A first start that is killed at any statement leaves nothing half: the next one has a team
//! with all its rooms, and a person who is in them.

use std::path::Path;
use std::process::Command;

use messaging::embedded::{Config, NewAccount, Server};
use proto::redact::Secret;
use reqwest::Method;
use serde_json::Value;

use crate::desk::{Desk, PASSWORD};

const FOLDER: &str = "MESSAGING_TEST_FIRST_START";
const ALLOWED: &str = "MESSAGING_TEST_STATEMENTS";

/// Runs a first start in `folder` that dies after so many places; whether it lived.
fn first_start(folder: &Path, allowed: u32) -> bool {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "first_start::child_starts_for_the_first_time"])
        .env(FOLDER, folder)
        .env(ALLOWED, allowed.to_string())
        .output()
        .unwrap();
    child.status.success()
}

/// The child of the story below; nothing in the test run itself.
#[tokio::test]
async fn child_starts_for_the_first_time() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let allowed = std::env::var(ALLOWED).unwrap().parse().unwrap();
    storage::testing::deaths::die_after(allowed);
    let server = Server::open(Config::new(folder)).await.unwrap();
    let account = NewAccount {
        username: "anna".to_owned(),
        password: Secret::new(PASSWORD),
        ..NewAccount::default()
    };
    server.ensure_account(account).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_killed_at_any_statement_leaves_nothing_half() {
    let mut deaths = 0;
    loop {
        let folder = tempfile::tempdir().unwrap();
        let lived = first_start(folder.path(), deaths);
        let desk = Desk::open_at(folder.path(), |_| {}).await;
        let anna = desk.person("anna").await;
        let get = async |path: &str| -> Value {
            let answer = anna.request(Method::GET, path).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path} after {deaths} statements");
            answer.json().await.unwrap()
        };
        let me = get("/users/me").await;
        assert!(
            me["roles"].as_str().unwrap().contains("system_admin"),
            "the first account is the administrator after {deaths} statements"
        );
        let teams = get("/users/me/teams").await;
        assert_eq!(teams.as_array().unwrap().len(), 1, "after {deaths}");
        let team = teams[0]["id"].as_str().unwrap().to_owned();
        let rooms = get(&format!("/users/me/teams/{team}/channels")).await;
        let mut names: Vec<_> = rooms
            .as_array()
            .unwrap()
            .iter()
            .map(|room| room["name"].as_str().unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["off-topic", "town-square"],
            "after {deaths} statements"
        );
        if lived {
            break;
        }
        deaths += 1;
    }
    assert!(deaths >= 10, "it died {deaths} times");
}
