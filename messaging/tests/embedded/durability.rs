//! What was answered survives a kill; what was interrupted goes on.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::desk::{Client, Desk, eventually, text};

/// Where the child process keeps its files; unset in the parent.
const CHILD_DIR: &str = "MESSAGING_TEST_DIR";
const READY: &str = "listening on ";

/// Serves until it is killed, when a parent asks for it; nothing to do otherwise.
#[tokio::test]
async fn child_that_serves_until_it_is_killed() {
    let Ok(dir) = std::env::var(CHILD_DIR) else {
        return;
    };
    let desk = Desk::open_at(dir.as_ref(), |_| {}).await;
    desk.person("anna").await;
    println!("\n{READY}{}", desk.address);
    std::future::pending::<()>().await;
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // SIGKILL; it may be dead already
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn serve_in_child(dir: &std::path::Path) -> (Killed, SocketAddr) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "durability::child_that_serves_until_it_is_killed",
            "--exact",
            "--nocapture",
        ])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let child = Killed(child);
    let ready = lines.map(Result::unwrap).find_map(|line| {
        line.split_once(READY)
            .map(|(_, address)| address.trim().parse().unwrap())
    });
    (child, ready.expect("the child serves"))
}

async fn anna_at(address: SocketAddr) -> Client {
    let mut client = Client {
        http: reqwest::Client::new(),
        base: format!("http://{address}/api/v4"),
        address,
        token: String::new(),
        id: String::new(),
    };
    let body = json!({ "login_id": "anna", "password": crate::desk::PASSWORD });
    let response = client
        .request(Method::POST, "/users/login")
        .json(&body)
        .send()
        .await
        .unwrap();
    client.token = response.headers()["token"].to_str().unwrap().to_owned();
    client.id = text(&response.json::<Value>().await.unwrap()["id"]);
    client
}

#[tokio::test]
async fn nothing_answered_is_lost_by_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let (child, address) = serve_in_child(dir.path());
    let anna = anna_at(address).await;
    let room = anna.town_square().await;
    let mut posts = Vec::new();
    for number in 0..20 {
        posts.push(text(&anna.say(&room, &number.to_string()).await["id"]));
    }
    let body: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let begin = json!({ "channel_id": room, "filename": "a.bin", "file_size": body.len() });
    let upload = text(&anna.make("/uploads", begin).await["id"]);
    let piece = anna.request(Method::POST, &format!("/uploads/{upload}"));
    let piece = piece.body(body[..60_000].to_vec()).send().await.unwrap();
    assert_eq!(piece.status(), 204);
    drop(child);

    let desk = Desk::open_at(dir.path(), |_| {}).await;
    let anna = Client {
        base: desk.nobody().base,
        address: desk.address,
        ..anna
    };
    posts.reverse();
    let page = anna.read(&format!("/channels/{room}/posts")).await;
    assert_eq!(
        page["order"],
        json!(posts),
        "the session and all posts are still there"
    );
    let state = anna.read(&format!("/uploads/{upload}")).await;
    assert_eq!(state["file_offset"], 60_000);
    let rest = anna.request(Method::POST, &format!("/uploads/{upload}"));
    let rest = rest.body(body[60_000..].to_vec()).send().await.unwrap();
    assert_eq!(rest.status(), 200);
    let id = text(&rest.json::<Value>().await.unwrap()["id"]);
    let file = anna
        .request(Method::GET, &format!("/files/{id}"))
        .send()
        .await
        .unwrap();
    assert_eq!(file.bytes().await.unwrap(), body);
}

#[tokio::test]
async fn an_upload_whose_last_byte_had_arrived_is_finished_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let (anna, room, upload) = {
        let desk = Desk::open_at(dir.path(), |_| {}).await;
        let anna = desk.person("anna").await;
        let room = anna.town_square().await;
        let begin = json!({ "channel_id": room, "filename": "a.txt", "file_size": 5 });
        let upload = text(&anna.make("/uploads", begin).await["id"]);
        desk.server.close().await;
        (anna, room, upload)
    };
    // as a kill between the last write and the record leaves it
    std::fs::write(dir.path().join("uploads").join(&upload), b"words").unwrap();
    // and as a kill in the middle of a form leaves it
    std::fs::write(dir.path().join("uploads").join("stray"), b"wor").unwrap();
    let desk = Desk::open_at(dir.path(), |config| {
        config.files.upload_lifetime = Duration::ZERO;
    })
    .await;
    let anna = Client {
        base: desk.nobody().base,
        address: desk.address,
        ..anna
    };
    assert_eq!(anna.get(&format!("/uploads/{upload}")).await.0, 404);
    eventually(async || {
        let partial = std::fs::read_dir(dir.path().join("uploads")).unwrap();
        (partial.count() == 0).then_some(())
    })
    .await;
    let shelves = std::fs::read_dir(dir.path().join("files")).unwrap();
    let files: Vec<_> = shelves
        .map(|shelf| shelf.unwrap().path())
        .filter(|shelf| !shelf.ends_with("owner"))
        .flat_map(|shelf| std::fs::read_dir(shelf).unwrap())
        .map(|file| file.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1);
    let id = files[0].file_name().unwrap().to_str().unwrap();
    assert_eq!(std::fs::read(&files[0]).unwrap(), b"words");
    let post = json!({ "channel_id": room, "message": "late", "file_ids": [id] });
    anna.make("/posts", post).await;
}

#[tokio::test]
async fn a_restart_keeps_accounts_sessions_and_the_default_team() {
    let dir = tempfile::tempdir().unwrap();
    let token = {
        let desk = Desk::open_at(dir.path(), |_| {}).await;
        let anna = desk.person("anna").await;
        desk.server.close().await;
        anna.token
    };
    let desk = Desk::open_at(dir.path(), |_| {}).await;
    let anna = Client {
        token,
        ..desk.nobody()
    };
    assert_eq!(
        anna.read("/users/me").await["roles"],
        "system_user system_admin"
    );
    assert_eq!(
        anna.read("/users/me/teams").await.as_array().unwrap().len(),
        1
    );
}
