//! Teams and rooms: who gets in, who is told, and that strangers learn nothing.

use serde_json::{Value, json};

use crate::desk::{Desk, text};

#[tokio::test]
async fn a_private_room_does_not_exist_for_strangers() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.room("P", "secret").await;
    let post = text(&anna.say(&room, "psst").await["id"]);
    for path in [
        format!("/channels/{room}"),
        format!("/channels/{room}/members"),
        format!("/channels/{room}/stats"),
        format!("/channels/{room}/posts"),
        format!("/posts/{post}"),
        format!("/posts/{post}/thread"),
        format!("/users?in_channel={room}"),
    ] {
        assert_eq!(ben.get(&path).await.0, 404, "{path}");
    }
    let body = json!({ "channel_id": room, "message": "hello" });
    assert_eq!(ben.post("/posts", body).await.0, 404);
    let reply = json!({ "channel_id": ben.town_square().await, "message": "x", "root_id": post });
    assert_eq!(ben.post("/posts", reply).await.0, 400);
    let join = json!({ "user_id": ben.id });
    assert_eq!(
        ben.post(&format!("/channels/{room}/members"), join.clone())
            .await
            .0,
        404
    );
    assert_eq!(
        ben.put(&format!("/posts/{post}/patch"), json!({ "message": "x" }))
            .await
            .0,
        404
    );
    assert_eq!(ben.delete(&format!("/posts/{post}")).await.0, 404);
    assert_eq!(ben.delete(&format!("/channels/{room}")).await.0, 404);
    let upload = json!({ "channel_id": room, "filename": "a", "file_size": 1 });
    assert_eq!(ben.post("/uploads", upload).await.0, 404);
    anna.make(&format!("/channels/{room}/members"), join).await;
    assert_eq!(
        ben.read(&format!("/channels/{room}/posts")).await["order"],
        json!([post])
    );
    let stats = ben.read(&format!("/channels/{room}/stats")).await;
    assert_eq!(stats["member_count"], 2);
}

#[tokio::test]
async fn a_public_room_can_be_read_and_joined_and_then_written_in() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.room("O", "open").await;
    anna.say(&room, "welcome").await;
    assert_eq!(ben.get(&format!("/channels/{room}/posts")).await.0, 200);
    let body = json!({ "channel_id": room, "message": "hello" });
    assert_eq!(ben.post("/posts", body.clone()).await.0, 403);
    let member = ben
        .make(
            &format!("/channels/{room}/members"),
            json!({ "user_id": ben.id }),
        )
        .await;
    assert_eq!(member["channel_id"], room);
    assert_eq!(ben.post("/posts", body.clone()).await.0, 201);
    assert_eq!(
        ben.put(&format!("/channels/{room}/patch"), json!({ "header": "h" }))
            .await
            .0,
        403
    );
    let patched = anna
        .put(&format!("/channels/{room}/patch"), json!({ "header": "h" }))
        .await;
    assert_eq!((patched.0, patched.1["header"].as_str()), (200, Some("h")));
    assert_eq!(anna.delete(&format!("/channels/{room}")).await.0, 200);
    assert_eq!(ben.post("/posts", body).await.0, 403);
    assert_ne!(ben.read(&format!("/channels/{room}")).await["delete_at"], 0);
}

#[tokio::test]
async fn the_people_of_another_team_are_strangers() {
    let desk = Desk::open().await;
    let (admin, anna, _) = desk.three().await;
    let body = json!({ "name": "other", "display_name": "Other", "type": "O" });
    assert_eq!(anna.post("/teams", body.clone()).await.0, 403);
    let team = text(&admin.make("/teams", body).await["id"]);
    let body = json!({ "team_id": team, "type": "O", "name": "open", "display_name": "Open" });
    let room = text(&admin.make("/channels", body.clone()).await["id"]);
    assert_eq!(anna.get(&format!("/teams/{team}")).await.0, 404);
    assert_eq!(anna.get("/teams/name/other").await.0, 404);
    assert_eq!(anna.get(&format!("/teams/{team}/channels")).await.0, 404);
    assert_eq!(anna.get(&format!("/channels/{room}")).await.0, 404);
    assert_eq!(anna.get(&format!("/channels/{room}/posts")).await.0, 404);
    assert_eq!(anna.post("/channels", body).await.0, 404);
    let join = json!({ "user_id": anna.id });
    assert_eq!(
        anna.post(&format!("/teams/{team}/members"), join.clone())
            .await
            .0,
        403
    );
    assert_eq!(
        admin
            .post(&format!("/channels/{room}/members"), join.clone())
            .await
            .0,
        400
    );
    admin.make(&format!("/teams/{team}/members"), join).await;
    assert_eq!(anna.get(&format!("/channels/{room}")).await.0, 200);
    let mut socket = anna.socket().await;
    socket.hello().await;
    assert_eq!(
        admin
            .delete(&format!("/teams/{team}/members/{}", anna.id))
            .await
            .0,
        200
    );
    assert_eq!(socket.event("leave_team").await["data"]["team_id"], team);
    assert_eq!(anna.get(&format!("/channels/{room}")).await.0, 404);
}

#[tokio::test]
async fn a_direct_room_is_made_once_and_belongs_to_two() {
    let desk = Desk::open().await;
    let (admin, anna, ben) = desk.three().await;
    let mut socket = ben.socket().await;
    socket.hello().await;
    let room = anna
        .make("/channels/direct", json!([anna.id, ben.id]))
        .await;
    assert_eq!(
        (room["type"].as_str(), room["team_id"].as_str()),
        (Some("D"), Some(""))
    );
    let added = socket.event("direct_added").await;
    assert_eq!(added["broadcast"]["channel_id"], room["id"]);
    let again = ben.make("/channels/direct", json!([anna.id, ben.id])).await;
    assert_eq!(again["id"], room["id"]);
    let id = text(&room["id"]);
    assert_eq!(admin.get(&format!("/channels/{id}/posts")).await.0, 404);
    let foreign = json!([anna.id, ben.id]);
    assert_eq!(admin.post("/channels/direct", foreign).await.0, 403);
    anna.say(&id, "hello").await;
    let posted = socket.event("posted").await;
    assert_eq!(posted["data"]["channel_type"], "D");
    assert_eq!(posted["data"]["mentions"], json!([ben.id]).to_string());
    let team = anna.team().await;
    let rooms = anna.read(&format!("/users/me/teams/{team}/channels")).await;
    assert!(
        rooms
            .as_array()
            .unwrap()
            .iter()
            .any(|room| room["id"] == id)
    );
    let group = json!([anna.id, ben.id, admin.id]);
    let group = anna.make("/channels/group", group).await;
    assert_eq!(group["type"], "G");
    assert_eq!(
        admin
            .get(&format!("/channels/{}", text(&group["id"])))
            .await
            .0,
        200
    );
    assert_eq!(anna.post("/channels/group", json!([ben.id])).await.0, 400);
}

#[tokio::test]
async fn coming_and_going_is_told_to_both_sides() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let (mut to_anna, mut to_ben) = (anna.socket().await, ben.socket().await);
    to_anna.hello().await;
    to_ben.hello().await;
    let room = anna.room("P", "small").await;
    let created = to_anna.event("channel_created").await;
    assert_eq!(created["data"]["channel_id"], room);
    anna.make(
        &format!("/channels/{room}/members"),
        json!({ "user_id": ben.id }),
    )
    .await;
    for socket in [&mut to_anna, &mut to_ben] {
        let added = socket.event("user_added").await;
        assert_eq!(added["data"]["user_id"], ben.id);
        assert_eq!(added["broadcast"]["channel_id"], room);
    }
    anna.say(&room, "one").await;
    to_ben.event("posted").await;
    assert_eq!(
        anna.delete(&format!("/channels/{room}/members/{}", ben.id))
            .await
            .0,
        200
    );
    assert_eq!(
        to_anna.event("user_removed").await["data"]["user_id"],
        ben.id
    );
    let removed = to_ben.event("user_removed").await;
    assert_eq!(removed["data"]["channel_id"], room);
    assert_eq!(removed["broadcast"]["user_id"], ben.id);
    // the next post is not Ben's to see: the event after it is
    anna.say(&room, "two").await;
    let square = anna.town_square().await;
    anna.say(&square, "three").await;
    let posted = to_ben.event("posted").await;
    let post: Value = serde_json::from_str(&text(&posted["data"]["post"])).unwrap();
    assert_eq!(post["message"], "three");
}

#[tokio::test]
async fn unread_messages_and_mentions_are_counted_until_the_room_is_viewed() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let before = ben.read(&format!("/channels/{room}/members/me")).await;
    anna.say(&room, "hello @ben").await;
    anna.say(&room, "hello all").await;
    let member = ben.read(&format!("/channels/{room}/members/me")).await;
    assert_eq!(member["mention_count"], 1);
    let total = ben.read(&format!("/channels/{room}")).await["total_msg_count"]
        .as_i64()
        .unwrap();
    assert_eq!(total - member["msg_count"].as_i64().unwrap(), 2);
    assert_eq!(member["last_viewed_at"], before["last_viewed_at"]);
    let unread = ben.read("/users/me/teams/unread").await;
    assert_eq!(
        (
            unread[0]["msg_count"].as_i64(),
            unread[0]["mention_count"].as_i64()
        ),
        (Some(2), Some(1))
    );
    let mut socket = ben.socket().await;
    socket.hello().await;
    let (status, answer) = ben
        .post("/channels/members/me/view", json!({ "channel_id": room }))
        .await;
    assert_eq!(status, 200);
    let viewed = socket.event("multiple_channels_viewed").await;
    assert_eq!(
        viewed["data"]["channel_times"],
        answer["last_viewed_at_times"]
    );
    let member = ben.read(&format!("/channels/{room}/members/me")).await;
    assert_eq!(
        (
            member["mention_count"].as_i64(),
            member["msg_count"].as_i64()
        ),
        (Some(0), Some(total))
    );
}
