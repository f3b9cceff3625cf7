//! What is not ours is served like ours.

use std::sync::Arc;

use messaging::conformance::{self, World};
use messaging::model::{NewPost, RoomKind};
use messaging::{People as _, Posts as _};
use serde_json::json;

use crate::hall::Hall;

#[tokio::test]
async fn a_backend_in_memory_keeps_the_contract() {
    let hall = Hall::open(Arc::new(())).await;
    let closed = hall.backend.add_room(RoomKind::Private);
    hall.backend.join(&closed, &hall.anna.id);
    let world = World {
        anna: hall.anna.id.clone(),
        anna_username: "anna".to_owned(),
        anna_token: hall.anna.token.clone(),
        ben: hall.ben.id.clone(),
        shared: hall.room.clone(),
        closed,
    };
    conformance::run(hall.backend.as_ref(), &world).await;
}

fn words(hall: &Hall, message: &str) -> NewPost {
    NewPost {
        room: hall.room.clone(),
        author: hall.anna.id.clone(),
        root: None,
        message: message.to_owned(),
        kind: String::new(),
        props: serde_json::Map::new(),
        files: Vec::new(),
    }
}

#[tokio::test]
async fn its_news_reach_the_clients_they_are_for() {
    let hall = Hall::open(Arc::new(())).await;
    let (mut to_anna, mut to_ben) = (hall.socket(&hall.anna).await, hall.socket(&hall.ben).await);
    to_anna.hello().await;
    to_ben.hello().await;
    hall.backend.create_post(words(&hall, "one")).await.unwrap();
    for socket in [&mut to_anna, &mut to_ben] {
        let posted = socket.event("posted").await;
        assert_eq!(posted["seq"], 1);
        assert_eq!(posted["broadcast"]["channel_id"], json!(hall.room));
    }
    hall.backend.leave(&hall.room, &hall.ben.id);
    hall.backend.create_post(words(&hall, "two")).await.unwrap();
    hall.backend.join(&hall.room, &hall.ben.id);
    hall.backend
        .create_post(words(&hall, "three"))
        .await
        .unwrap();
    let heard = to_ben.event("posted").await;
    assert_eq!(heard["seq"], 2, "what was said without Ben has no number");
    assert!(heard["data"]["post"].as_str().unwrap().contains("three"));

    let data = json!({ "channel_id": hall.room, "parent_id": "" });
    let seq = to_ben.act("user_typing", data).await;
    assert_eq!(to_ben.reply(seq).await["status"], "OK");
    assert_eq!(
        to_anna.event("typing").await["data"]["user_id"],
        json!(hall.ben.id)
    );
    let seq = to_ben.act("get_statuses", json!({})).await;
    let statuses = to_ben.reply(seq).await;
    assert_eq!(statuses["data"], json!({ hall.ben.id.as_str(): "online" }));
}

#[tokio::test]
async fn the_end_of_a_login_ends_its_sockets() {
    let hall = Hall::open(Arc::new(())).await;
    let mut anna = hall.socket(&hall.anna).await;
    anna.hello().await;
    hall.backend.sign_out(&hall.anna.token);
    assert_eq!(anna.end().await, Some(1013));
    assert!(
        hall.backend
            .login(&hall.anna.token)
            .await
            .unwrap()
            .is_none()
    );
}
