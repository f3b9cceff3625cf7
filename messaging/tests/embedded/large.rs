//! Rooms and threads that somebody fills: what one answer holds, and that nothing is missed.

use std::collections::BTreeSet;

use messaging::Posts as _;
use messaging::model::NewPost;
use proto::id::{ChannelId, PostId};
use reqwest::Method;
use serde_json::{Value, json};

use crate::desk::{Client, Desk, text};

/// The most that one answer may take, in bytes.
const MOST: usize = 1_000_000;

/// Posts without the limit of a client's rate.
async fn fill(
    desk: &Desk,
    author: &Client,
    room: &str,
    root: Option<&str>,
    messages: impl Iterator<Item = String>,
) -> Vec<String> {
    let mut ids = Vec::new();
    for message in messages {
        let post = NewPost {
            room: ChannelId::parse(room).unwrap(),
            author: author.user_id(),
            root: root.map(|root| PostId::parse(root).unwrap()),
            message,
            kind: String::new(),
            props: serde_json::Map::new(),
            files: Vec::new(),
        };
        ids.push(text(&json!(
            desk.server.create_post(post).await.unwrap().id
        )));
    }
    ids
}

/// An answer and its size in bytes.
async fn sized(client: &Client, path: &str) -> (Value, usize) {
    let answer = client.request(Method::GET, path).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    assert_eq!(answer.headers()["content-type"], "application/json");
    let body = answer.bytes().await.unwrap();
    (serde_json::from_slice(&body).unwrap(), body.len())
}

fn ids(list: &Value) -> Vec<String> {
    list["order"].as_array().unwrap().iter().map(text).collect()
}

#[tokio::test]
async fn a_room_full_of_the_largest_posts_is_read_in_bounded_pages_and_whole() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let largest = "\u{1}".repeat(16_383);
    let made = fill(&desk, &anna, &room, None, (0..30).map(|_| largest.clone())).await;
    let mut seen = Vec::new();
    let mut path = format!("/channels/{room}/posts?per_page=200");
    loop {
        let (page, bytes) = sized(&ben, &path).await;
        assert!(bytes <= MOST, "{bytes}");
        seen.extend(ids(&page));
        let prev = text(&page["prev_post_id"]);
        if prev.is_empty() {
            break;
        }
        let last = seen.last().unwrap();
        path = format!("/channels/{room}/posts?per_page=200&before={last}");
    }
    seen.reverse();
    assert_eq!(seen, made);
    // the other way, and what changed since the beginning
    let path = format!("/channels/{room}/posts?per_page=200&after={}", made[0]);
    let (page, bytes) = sized(&ben, &path).await;
    assert!(bytes <= MOST, "{bytes}");
    let nearest: Vec<_> = ids(&page).into_iter().rev().collect();
    assert_eq!(nearest, made[1..=nearest.len()]);
    assert_eq!(page["next_post_id"], made[nearest.len() + 1]);
    let (page, bytes) = sized(&ben, &format!("/channels/{room}/posts?since=1")).await;
    assert!(bytes <= MOST && !ids(&page).is_empty(), "{bytes}");
    let (_, bytes) = sized(
        &ben,
        &format!("/users/me/channels/{room}/posts/unread?limit_after=200&limit_before=200"),
    )
    .await;
    assert!(bytes <= MOST, "{bytes}");
    let (status, posts) = ben.post("/posts/ids", json!(made)).await;
    assert_eq!(status, 200);
    assert!(posts.to_string().len() <= MOST);
}

#[tokio::test]
async fn a_long_thread_is_opened_in_pages_that_leave_nothing_out() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let root = text(&anna.say(&room, "root").await["id"]);
    let words = (0..150).map(|number| format!("{number} {}", "x".repeat(10_000)));
    let made = fill(&desk, &anna, &room, Some(&root), words).await;

    // the page of the room carries the root and as much of the thread as fits
    let (page, bytes) = sized(&ben, &format!("/channels/{room}/posts?per_page=1")).await;
    assert!(bytes <= MOST, "{bytes}");
    assert!(page["posts"].get(&root).is_some());
    assert_eq!(page["posts"][&root]["reply_count"], 150);
    assert_eq!(page["posts"][made.last().unwrap()]["reply_count"], 150);

    for (direction, expected) in [
        ("down", made.clone()),
        ("up", {
            let mut newest_first = made.clone();
            newest_first.reverse();
            newest_first
        }),
    ] {
        let mut seen = Vec::new();
        let mut path = format!("/posts/{root}/thread?perPage=60&direction={direction}");
        loop {
            let (page, bytes) = sized(&ben, &path).await;
            assert!(bytes <= MOST, "{bytes}");
            let order = ids(&page);
            assert_eq!(order[0], root, "the first post comes with every page");
            assert!(order.len() <= 61);
            seen.extend_from_slice(&order[1..]);
            if page["has_next"] == false {
                break;
            }
            let last = seen.last().unwrap();
            let at = page["posts"][last]["create_at"].as_i64().unwrap();
            path = format!(
                "/posts/{root}/thread?perPage=60&direction={direction}&fromPost={last}\
                 &fromCreateAt={at}"
            );
        }
        assert_eq!(seen, expected, "{direction}");
    }
    // without a page size, and by time alone
    let (page, bytes) = sized(&ben, &format!("/posts/{root}/thread")).await;
    assert!(bytes <= MOST && page["has_next"] == true, "{bytes}");
    let at = page["posts"][&made[9]]["create_at"].as_i64().unwrap();
    let path = format!("/posts/{root}/thread?perPage=2&fromCreateAt={at}");
    let (page, _) = sized(&ben, &path).await;
    assert_eq!(ids(&page), [&root, &made[10], &made[11]].map(Clone::clone));
}

#[tokio::test]
async fn a_thread_counts_its_replies_also_when_some_are_deleted() {
    let desk = Desk::open().await;
    let (_, anna, _) = desk.three().await;
    let room = anna.town_square().await;
    let root = anna.say(&room, "root").await;
    let root = text(&root["id"]);
    let replies = fill(
        &desk,
        &anna,
        &room,
        Some(&root),
        (0..3).map(|n| n.to_string()),
    )
    .await;
    let time_of = async |id: &str| anna.read(&format!("/posts/{id}")).await["create_at"].clone();
    let (second, third) = (time_of(&replies[1]).await, time_of(&replies[2]).await);
    let read = async || {
        let post = anna.read(&format!("/posts/{root}")).await;
        (post["reply_count"].clone(), post["last_reply_at"].clone())
    };
    assert_eq!(read().await, (json!(3), third));
    assert_eq!(anna.delete(&format!("/posts/{}", replies[2])).await.0, 200);
    assert_eq!(anna.delete(&format!("/posts/{}", replies[2])).await.0, 404);
    assert_eq!(read().await, (json!(2), second));
    assert_eq!(anna.delete(&format!("/posts/{}", replies[0])).await.0, 200);
    assert_eq!(anna.delete(&format!("/posts/{}", replies[1])).await.0, 200);
    assert_eq!(read().await, (json!(0), json!(0)));
}

#[tokio::test]
async fn nothing_of_a_deleted_post_stays_in_the_records() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::open_at(dir.path(), |_| {}).await;
    let anna = desk.person("anna").await;
    let room = anna.town_square().await;
    let secret = "the-words-that-must-go";
    let body = json!({ "channel_id": room, "message": secret, "props": { "also": secret } });
    let root = text(&anna.make("/posts", body).await["id"]);
    let reply = json!({ "channel_id": room, "message": secret, "root_id": root });
    anna.make("/posts", reply).await;
    assert_eq!(anna.delete(&format!("/posts/{root}")).await.0, 200);
    desk.server.close().await;
    let records = std::fs::read(dir.path().join("chat.db")).unwrap();
    let found = records
        .windows(secret.len())
        .filter(|window| *window == secret.as_bytes())
        .count();
    assert_eq!(found, 0);
}

#[tokio::test]
async fn props_have_bounds_in_bytes_and_depth() {
    let desk = Desk::open().await;
    let anna = desk.person("anna").await;
    let room = anna.town_square().await;
    let post = |props: Value| json!({ "channel_id": room, "message": "x", "props": props });
    let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!({ "a": inner }));
    anna.make("/posts", post(nested(16))).await;
    anna.make("/posts", post(json!({ "a": "x".repeat(32_000) })))
        .await;
    for bad in [nested(18), json!({ "a": "x".repeat(33_000) })] {
        let (status, error) = anna.post("/posts", post(bad.clone())).await;
        assert_eq!(
            (status, text(&error["id"]).as_str()),
            (400, "model.post.is_valid.props.app_error")
        );
        let made = anna.say(&room, "x").await;
        let path = format!("/posts/{}/patch", text(&made["id"]));
        assert_eq!(anna.put(&path, json!({ "props": bad })).await.0, 400);
    }
}

#[tokio::test]
async fn one_person_writes_so_much_a_minute_and_others_go_on() {
    let desk = Desk::open_with(|config| config.writes_per_minute = 30).await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let mut statuses = BTreeSet::new();
    let mut taken = 0;
    for number in 0..20 {
        let body = json!({ "channel_id": room, "message": number.to_string() });
        let (status, _) = anna.post("/posts", body).await;
        taken += u32::from(status == 201);
        statuses.insert(status);
    }
    assert_eq!(statuses, BTreeSet::from([201, 429]));
    assert!((10..=14).contains(&taken), "{taken}");
    ben.say(&room, "still here").await;
    assert_eq!(anna.get("/users/me").await.0, 200);
}
