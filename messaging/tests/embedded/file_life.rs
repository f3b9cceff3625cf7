//! How files end: limits before they come, expiry, deleted posts, removal for good.

use std::path::{Path, PathBuf};
use std::time::Duration;

use messaging::Files as _;
use messaging::embedded::Config;
use proto::id::{FileId, PostId, new_id};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::desk::{Client, Desk, eventually, text};

async fn begin(client: &Client, room: &str, size: u64) -> (u16, Value) {
    let body = json!({ "channel_id": room, "filename": "a.bin", "file_size": size });
    client.post("/uploads", body).await
}

async fn form(client: &Client, room: &str, body: &[u8]) -> (u16, Value) {
    let part = Part::bytes(body.to_vec()).file_name("secret.txt");
    let form = Form::new().text("channel_id", room.to_owned());
    let request = client.request(Method::POST, "/files");
    let response = request.multipart(form.part("files", part)).send().await;
    let response = response.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

/// Stores a file and returns its id.
async fn stored(client: &Client, room: &str) -> String {
    let (status, answer) = form(client, room, b"the secret").await;
    assert_eq!(status, 201, "{answer}");
    text(&answer["file_infos"][0]["id"])
}

async fn posted(client: &Client, room: &str, root: &str, file: &str) -> String {
    let post = json!({
        "channel_id": room, "root_id": root, "message": "a secret word", "file_ids": [file],
    });
    text(&client.make("/posts", post).await["id"])
}

async fn status_of(client: &Client, file: &str) -> StatusCode {
    let request = client.request(Method::GET, &format!("/files/{file}"));
    request.send().await.unwrap().status()
}

fn blob(dir: &Path, file: &str) -> PathBuf {
    dir.join("files").join(&file[..2]).join(file)
}

fn message(answer: &Value) -> &str {
    answer["message"].as_str().unwrap()
}

/// The same person at the server that was opened again.
fn moved(client: Client, desk: &Desk) -> Client {
    Client {
        base: desk.nobody().base,
        address: desk.address,
        ..client
    }
}

#[tokio::test]
async fn a_person_has_so_many_uploads_open_and_no_more() {
    let desk = Desk::open_with(|config| config.files.max_open_uploads = 3).await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    for _ in 0..3 {
        assert_eq!(begin(&anna, &room, 2_000_000_000).await.0, 201);
    }
    let (status, answer) = begin(&anna, &room, 1).await;
    assert_eq!(status, 429);
    assert!(
        message(&answer).contains("`files.max_open_uploads`"),
        "{answer}"
    );
    assert_eq!(form(&anna, &room, b"x").await.0, 429);
    assert_eq!(
        begin(&ben, &room, 1).await.0,
        201,
        "others are not disturbed"
    );
    // One that is finished makes room for another.
    let list = anna.read("/users/me/uploads").await;
    assert_eq!(list.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn quotas_count_what_was_begun_and_say_what_is_left() {
    let desk = Desk::open_with(|config| {
        config.files.person_quota_bytes = 1000;
        config.files.total_quota_bytes = 1500;
    })
    .await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    assert_eq!(begin(&anna, &room, 600).await.0, 201);
    let (status, answer) = begin(&anna, &room, 401).await;
    assert_eq!(status, 507);
    let said = message(&answer);
    for part in [
        "401 bytes",
        "400 bytes are left",
        "1000",
        "`files.person_quota_bytes`",
    ] {
        assert!(said.contains(part), "{said}");
    }
    // A form says only at its end how long it is.
    let (status, answer) = form(&anna, &room, &[7; 401]).await;
    assert_eq!(status, 507, "{answer}");
    let left = std::fs::read_dir(desk.dir.join("uploads")).unwrap().count();
    assert_eq!(left, 0, "nothing is kept of what was refused");
    assert_eq!(form(&anna, &room, &[7; 400]).await.0, 201);
    let (status, answer) = form(&anna, &room, b"x").await;
    assert_eq!(status, 507, "{answer}");
    // Ben has his own, and all have a sum.
    assert_eq!(begin(&ben, &room, 501).await.0, 507);
    let (_, answer) = begin(&ben, &room, 501).await;
    assert!(
        message(&answer).contains("`files.total_quota_bytes`"),
        "{answer}"
    );
    assert_eq!(begin(&ben, &room, 500).await.0, 201);
}

#[tokio::test]
async fn uploads_stop_while_posts_still_have_room() {
    let desk = Desk::open_with(|config| config.files.min_free_bytes = u64::MAX).await;
    let anna = desk.person("anna").await;
    let room = anna.town_square().await;
    for (status, answer) in [begin(&anna, &room, 1).await, form(&anna, &room, b"x").await] {
        assert_eq!(status, 507);
        assert!(
            message(&answer).contains("`files.min_free_bytes`"),
            "{answer}"
        );
    }
    anna.say(&room, "records have their reserve").await;
}

/// Opens the records again, with other rules; the first look around comes with it.
async fn again(dir: &Path, change: impl FnOnce(&mut Config)) -> Desk {
    Desk::open_at(dir, change).await
}

#[tokio::test]
async fn what_was_begun_or_never_posted_expires() {
    let dir = tempfile::tempdir().unwrap();
    let (anna, upload, kept, lost) = {
        let desk = again(dir.path(), |_| {}).await;
        let anna = desk.person("anna").await;
        let room = anna.town_square().await;
        let upload = text(&begin(&anna, &room, 10).await.1["id"]);
        let piece = anna.request(Method::POST, &format!("/uploads/{upload}"));
        assert_eq!(piece.body("half").send().await.unwrap().status(), 204);
        let (kept, lost) = (stored(&anna, &room).await, stored(&anna, &room).await);
        posted(&anna, &room, "", &kept).await;
        desk.server.close().await;
        (anna, upload, kept, lost)
    };
    // What belongs to no upload at all.
    std::fs::write(dir.path().join("uploads/stray"), b"x").unwrap();
    {
        let desk = again(dir.path(), |_| {}).await;
        let anna = moved(anna.clone(), &desk);
        assert_eq!(
            anna.read(&format!("/uploads/{upload}")).await["file_offset"],
            4
        );
        assert_eq!(status_of(&anna, &lost).await, 200, "its time is not over");
        desk.server.close().await;
    }
    let desk = again(dir.path(), |config| {
        config.files.upload_lifetime = Duration::ZERO;
        config.files.unposted_lifetime = Duration::ZERO;
    })
    .await;
    let anna = moved(anna, &desk);
    assert_eq!(anna.get(&format!("/uploads/{upload}")).await.0, 404);
    assert_eq!(anna.read("/users/me/uploads").await, json!([]));
    eventually(async || {
        let left = std::fs::read_dir(dir.path().join("uploads"))
            .unwrap()
            .count();
        (left == 0 && !blob(dir.path(), &lost).exists()).then_some(())
    })
    .await;
    assert_eq!(status_of(&anna, &lost).await, 404);
    assert_eq!(status_of(&anna, &kept).await, 200);
}

#[tokio::test]
async fn bytes_without_a_record_are_removed_by_age() {
    let dir = tempfile::tempdir().unwrap();
    let (anna, kept) = {
        let desk = again(dir.path(), |_| {}).await;
        let anna = desk.person("anna").await;
        let room = anna.town_square().await;
        let kept = stored(&anna, &room).await;
        posted(&anna, &room, "", &kept).await;
        desk.server.close().await;
        (anna, kept)
    };
    // As a kill between the bytes of a form and their record leaves it; and what is not ours.
    let stray = blob(dir.path(), &new_id());
    std::fs::create_dir_all(stray.parent().unwrap()).unwrap();
    let foreign = dir.path().join("files/notes.txt");
    for path in [&stray, &foreign] {
        std::fs::write(path, b"bytes").unwrap();
    }
    let desk = again(dir.path(), |config| {
        config.files.orphan_age = Duration::ZERO
    })
    .await;
    let anna = moved(anna, &desk);
    eventually(async || (!stray.exists()).then_some(())).await;
    assert!(foreign.exists(), "it has not the name of a file of ours");
    assert_eq!(status_of(&anna, &kept).await, 200);
}

#[tokio::test]
async fn words_names_and_bytes_of_a_deleted_post_and_its_files_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::open_at(dir.path(), |_| {}).await;
    let (admin, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let (file, other) = (stored(&anna, &room).await, stored(&anna, &room).await);
    let root = posted(&anna, &room, "", &file).await;
    let reply = posted(&anna, &room, &root, &other).await;
    // A transcript is carried by two posts.
    let shared = stored(&ben, &room).await;
    let carrier = anna.say(&room, "carries it").await;
    for post in [&root, &text(&carrier["id"])] {
        let (file, post) = (FileId::parse(shared.as_str()), PostId::parse(post.as_str()));
        desk.server
            .attach_file(&file.unwrap(), &post.unwrap())
            .await
            .unwrap();
    }
    assert_eq!(status_of(&ben, &file).await, 200);
    assert_eq!(anna.delete(&format!("/posts/{root}")).await.0, 200);
    for file in [&file, &other] {
        for person in [&anna, &ben, &admin] {
            assert_eq!(status_of(person, file).await, 404);
            assert_eq!(person.get(&format!("/files/{file}/info")).await.0, 404);
        }
        assert!(!blob(&desk.dir, file).exists());
    }
    assert_eq!(
        status_of(&ben, &shared).await,
        200,
        "another post carries it"
    );
    assert_eq!(
        anna.delete(&format!("/posts/{}", text(&carrier["id"])))
            .await
            .0,
        200
    );
    let again = json!({ "channel_id": room, "message": "mine", "file_ids": [file] });
    assert_eq!(anna.post("/posts", again).await.0, 400);
    assert_eq!(anna.get(&format!("/posts/{reply}/files/info")).await.0, 404);
    desk.server.close().await;
    for words in [
        "a secret word",
        "carries it",
        "secret.txt",
        "the secret",
        &file,
        &shared,
    ] {
        assert_eq!(
            places_of(dir.path(), words),
            Vec::<PathBuf>::new(),
            "{words}"
        );
    }
}

/// The files below a folder that hold these words.
fn places_of(folder: &Path, words: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(places_of(&path, words));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            let mut windows = bytes.windows(words.len());
            if windows.any(|window| window == words.as_bytes()) {
                found.push(path);
            }
        }
    }
    found
}

#[tokio::test]
async fn an_administrator_removes_a_post_for_good() {
    let desk = Desk::open().await;
    let (admin, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let (file, in_reply) = (stored(&anna, &room).await, stored(&anna, &room).await);
    let root = posted(&anna, &room, "", &file).await;
    posted(&anna, &room, &root, &in_reply).await;
    let elsewhere = stored(&ben, &room).await;
    let other = posted(&ben, &room, "", &elsewhere).await;
    // A transcript is carried by two posts.
    let carried = FileId::parse(elsewhere.as_str()).unwrap();
    let carrier = PostId::parse(root.as_str()).unwrap();
    desk.server.attach_file(&carried, &carrier).await.unwrap();
    let path = format!("/posts/{root}?permanent=true");
    assert_eq!(
        anna.delete(&path).await.0,
        403,
        "its author may only delete it"
    );
    assert_eq!(ben.get(&format!("/posts/{root}")).await.0, 200);
    let mut socket = ben.socket().await;
    // Deleted before, it is removed all the same.
    assert_eq!(anna.delete(&format!("/posts/{root}")).await.0, 200);
    socket.event("post_deleted").await;
    assert_eq!(admin.delete(&path).await.0, 200);
    let event = socket.event("post_deleted").await;
    assert!(!event.to_string().contains("secret word"), "{event}");
    for file in [&file, &in_reply] {
        assert_eq!(status_of(&anna, file).await, 404);
        assert!(!blob(&desk.dir, file).exists());
    }
    assert_eq!(
        status_of(&anna, &elsewhere).await,
        200,
        "another post carries it"
    );
    assert_eq!(ben.get(&format!("/posts/{other}")).await.0, 200);
    assert_eq!(admin.delete("/posts/unknown?permanent=true").await.0, 404);
    // Those who were away learn of it, and nothing else.
    let missed = ben.read(&format!("/channels/{room}/posts?since=1")).await;
    assert!(missed["posts"][&root]["delete_at"].as_i64().unwrap() > 0);
    let words = missed.to_string().matches("secret word").count();
    assert_eq!(words, 1, "only the other post's");
}

#[tokio::test]
async fn an_administrator_removes_a_file_for_good() {
    let desk = Desk::open().await;
    let (admin, anna, _) = desk.three().await;
    let room = anna.town_square().await;
    let file = stored(&anna, &room).await;
    let post = posted(&anna, &room, "", &file).await;
    let path = format!("/files/{file}?permanent=true");
    assert_eq!(anna.delete(&path).await.0, 403);
    assert_eq!(admin.delete(&format!("/files/{file}")).await.0, 400);
    let mut socket = anna.socket().await;
    assert_eq!(admin.delete(&path).await.0, 200);
    let event = socket.event("post_edited").await;
    assert!(!event.to_string().contains(&file), "{event}");
    assert_eq!(status_of(&anna, &file).await, 404);
    assert!(!blob(&desk.dir, &file).exists());
    let view = anna.read(&format!("/posts/{post}")).await;
    assert_eq!(view["message"], "a secret word");
    assert!(
        view["file_ids"].as_array().is_none_or(Vec::is_empty),
        "{view}"
    );
    assert_eq!(admin.delete(&path).await.0, 404);
}
