//! Reactions: what others hear of them, and how many there may be.

use serde_json::{Value, json};

use crate::desk::{Client, Desk, text};

async fn react(person: &Client, post: &str, emoji: &str) -> (u16, Value) {
    let body = json!({ "user_id": person.id, "post_id": post, "emoji_name": emoji });
    person.post("/reactions", body).await
}

fn reaction_of(event: &Value) -> Value {
    serde_json::from_str(&text(&event["data"]["reaction"])).unwrap()
}

#[tokio::test]
async fn a_reaction_is_seen_by_everybody_and_can_be_taken_back() {
    let desk = Desk::open().await;
    let (admin, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let post = anna.say(&room, "we have won").await;
    let id = text(&post["id"]);
    let mut socket = anna.socket().await;
    socket.hello().await;

    let (status, made) = react(&ben, &id, "tada").await;
    assert_eq!(status, 200);
    assert_eq!(
        (&made["user_id"], &made["emoji_name"]),
        (&json!(ben.id), &json!("tada"))
    );
    let event = socket.event("reaction_added").await;
    assert_eq!(reaction_of(&event), made);
    assert_eq!(event["broadcast"]["channel_id"], room);
    // once more changes nothing and tells nobody
    assert_eq!(react(&ben, &id, "tada").await.0, 200);
    react(&admin, &id, "+1").await;
    assert_eq!(
        reaction_of(&socket.event("reaction_added").await)["emoji_name"],
        "+1"
    );

    let read = anna.read(&format!("/posts/{id}")).await;
    assert_eq!(read["has_reactions"], true);
    assert_eq!(read["metadata"]["reactions"].as_array().unwrap().len(), 2);
    let listed = anna.read(&format!("/posts/{id}/reactions")).await;
    assert_eq!(listed, read["metadata"]["reactions"]);
    let (_, by_post) = anna
        .post("/posts/ids/reactions", json!([id, "unknown"]))
        .await;
    assert_eq!(by_post, json!({ id.clone(): listed }));
    // who was away finds the post among what changed
    let since = post["update_at"].as_i64().unwrap();
    let page = anna
        .read(&format!("/channels/{room}/posts?since={since}"))
        .await;
    assert_eq!(page["order"], json!([id]));

    let path = format!("/users/{}/posts/{id}/reactions/tada", ben.id);
    assert_eq!(anna.delete(&path).await.0, 403);
    assert_eq!(ben.delete(&path).await.0, 200);
    let removed = reaction_of(&socket.event("reaction_removed").await);
    assert_eq!(removed["user_id"], ben.id);
    assert_eq!(ben.delete(&path).await.0, 200);
    // an edit keeps the others
    let edited = anna
        .put(&format!("/posts/{id}/patch"), json!({ "message": "x" }))
        .await;
    assert_eq!(
        edited.1["metadata"]["reactions"].as_array().unwrap().len(),
        1
    );

    assert_eq!(anna.delete(&format!("/posts/{id}")).await.0, 200);
    assert_eq!(react(&ben, &id, "tada").await.0, 404);
}

#[tokio::test]
async fn reactions_have_names_and_a_limit() {
    let desk = Desk::open_with(|config| config.writes_per_minute = 0).await;
    let (_, anna, _) = desk.three().await;
    let room = anna.town_square().await;
    let id = text(&anna.say(&room, "hello").await["id"]);
    for bad in ["", "a b", "<b>", "ü", &"x".repeat(65)] {
        assert_eq!(react(&anna, &id, bad).await.0, 400, "{bad}");
    }
    for number in 0..50 {
        let (status, answer) = react(&anna, &id, &format!("emoji_{number}")).await;
        assert_eq!(status, 200, "{answer}");
    }
    assert_eq!(react(&anna, &id, "one_more").await.0, 400);
    let listed = anna.read(&format!("/posts/{id}/reactions")).await;
    assert_eq!(listed.as_array().unwrap().len(), 50);
}
