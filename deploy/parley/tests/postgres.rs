//! The whole of Parley with its records on PostgreSQL: an account from the command line, a message,
//! a restart, and nothing kept in files that belongs into the database.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, the helpers too may fail by panic"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use sqlx::Connection as _;

const PASSWORD: &str = "violet harbour lantern";

struct Parley {
    process: Child,
    url: String,
}

impl Parley {
    fn start(data: &Path, database: &str) -> Self {
        let mut process = parley(data, database, "run")
            .args(["--listen", "127.0.0.1:0", "--rtc-port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = lines
            .by_ref()
            .find_map(|line| {
                let line = line.unwrap();
                let (_, url) = line.split_once("Parley is ready: ")?;
                Some(url.trim().to_owned())
            })
            .expect("it says that it is ready");
        // what it still says has a reader as long as it lives
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url }
    }

    /// As an operator stops it.
    fn stop(mut self) {
        let pid = self.process.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(told.success());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Parley {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn parley(data: &Path, database: &str, verb: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parley"));
    command
        .arg(verb)
        .arg("--data-dir")
        .arg(data)
        .args(["--database", database]);
    command
}

async fn sign_in(url: &str) -> (reqwest::Client, String) {
    let http = reqwest::Client::new();
    let answer = http
        .post(format!("{url}/api/v4/users/login"))
        .json(&json!({ "login_id": "anna", "password": PASSWORD }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let token = answer.headers()["token"].to_str().unwrap().to_owned();
    (http, token)
}

async fn get(url: &str, path: &str) -> Value {
    let (http, token) = sign_in(url).await;
    let answer = http
        .get(format!("{url}/api/v4{path}"))
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

async fn town_square(url: &str) -> String {
    let teams = get(url, "/users/me/teams").await;
    let team = teams.get(0).unwrap()["id"].as_str().unwrap().to_owned();
    let rooms = get(url, &format!("/users/me/teams/{team}/channels")).await;
    let rooms = rooms.as_array().unwrap();
    let room = rooms.iter().find(|room| room["name"] == "town-square");
    room.unwrap()["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_kept_on_postgresql() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let database = storage::testing::postgres::fresh_database().await;

    let added = parley(&data, &database, "add-account")
        .args(["--username", "anna"])
        .env("PARLEY_PASSWORD", PASSWORD)
        .output()
        .unwrap();
    assert!(added.status.success(), "{added:?}");

    let first = Parley::start(&data, &database);
    let room = town_square(&first.url).await;
    let (http, token) = sign_in(&first.url).await;
    let posted = http
        .post(format!("{}/api/v4/posts", first.url))
        .bearer_auth(token)
        .json(&json!({ "channel_id": room, "message": "kept on PostgreSQL" }))
        .send()
        .await
        .unwrap();
    assert_eq!(posted.status(), 201);
    let ready = reqwest::get(format!("{}/readyz", first.url)).await.unwrap();
    assert_eq!(ready.status(), 200, "{}", ready.text().await.unwrap());
    first.stop();

    let second = Parley::start(&data, &database);
    let posts = get(&second.url, &format!("/channels/{room}/posts")).await;
    assert!(posts.to_string().contains("kept on PostgreSQL"), "{posts}");
    second.stop();

    let mut connection = sqlx::PgConnection::connect(&database).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT schemaname::text FROM pg_tables
         WHERE schemaname IN ('chat', 'calls', 'rtcd', 'jobs') ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(tables, ["calls", "chat", "jobs", "rtcd"]);
    let mut folders = vec![data];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_string_lossy().into_owned();
            assert!(
                !name.ends_with(".db") && !name.ends_with(".sqlite"),
                "{name}"
            );
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
}
