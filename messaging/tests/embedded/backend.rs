//! The verbs of `ChatBackend`, and what calls hear of the chat world.

use messaging::ChatBackend as _;
use messaging::conformance::{self, World};
use messaging::model::{ActionValue, ClientEvent, Notice, RoomKind};
use proto::id::{ChannelId, ConnId, TeamId};
use serde_json::json;

use crate::desk::{Desk, PATIENCE};

async fn next(notices: &mut tokio::sync::mpsc::Receiver<Notice>) -> Notice {
    tokio::time::timeout(PATIENCE, notices.recv())
        .await
        .expect("a notice comes")
        .unwrap()
}

#[tokio::test]
async fn the_embedded_server_is_a_chat_backend() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let team = TeamId::parse(anna.team().await).unwrap();
    let closed = desk
        .server
        .ensure_room(&team, "closed", "Closed", RoomKind::Private)
        .await;
    let closed = closed.unwrap().id;
    desk.server
        .ensure_member(&closed, &anna.user_id())
        .await
        .unwrap();
    let world = World {
        anna: anna.user_id(),
        anna_username: "anna".to_owned(),
        anna_token: anna.token.clone(),
        ben: ben.user_id(),
        shared: ChannelId::parse(anna.town_square().await).unwrap(),
        closed,
    };
    conformance::run(desk.server.as_ref(), &world).await;
}

#[tokio::test]
async fn calls_hear_of_clients_and_their_actions_in_order() {
    let desk = Desk::open().await;
    let anna = desk.person("anna").await;
    let mut notices = desk.server.notices().unwrap();
    assert!(
        desk.server.notices().is_none(),
        "the stream is handed out once"
    );
    let mut socket = anna.socket().await;
    let connection = ConnId::parse(socket.hello().await).unwrap();
    let user = anna.user_id();
    let connected = Notice::Connected {
        connection: connection.clone(),
        user: user.clone(),
    };
    assert_eq!(next(&mut notices).await, connected);

    socket
        .act(
            "custom_com.mattermost.calls_join",
            json!({ "channelID": "c" }),
        )
        .await;
    // {action: "custom_x", seq: 2, data: {data: <bytes 00 ff>}}
    socket
        .binary(b"\x83\xa6action\xa8custom_x\xa3seq\x02\xa4data\x81\xa4data\xc4\x02\x00\xff")
        .await;
    let Notice::Action(join) = next(&mut notices).await else {
        panic!("an action")
    };
    assert_eq!(join.action, "custom_com.mattermost.calls_join");
    assert_eq!(
        (&join.connection, &join.login.person.id),
        (&connection, &user)
    );
    assert_eq!(join.data.fields["channelID"], ActionValue::Json(json!("c")));
    let Notice::Action(sdp) = next(&mut notices).await else {
        panic!("an action")
    };
    assert_eq!(sdp.data.fields["data"], ActionValue::Bytes(vec![0, 255]));

    // no reply to an action of calls: the next frame is the reply to the ping
    let seq = socket.act("ping", json!({})).await;
    loop {
        let frame = socket.frame().await;
        if frame.get("event").is_none() {
            assert_eq!(frame["seq_reply"], seq);
            break;
        }
    }
    socket.cut();
    let gone = Notice::Disconnected { connection, user };
    assert_eq!(next(&mut notices).await, gone);
}

#[tokio::test]
async fn a_slow_reader_of_notices_holds_up_only_the_client_that_floods_it() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let mut notices = desk.server.notices().unwrap();
    let mut flooder = anna.socket().await;
    flooder.hello().await;
    let flood = tokio::spawn(async move {
        for _ in 0..3000 {
            flooder.act("custom_flood", json!({})).await;
        }
        flooder
    });
    // Ben's requests and events do not wait for the notices that nobody takes
    let mut actions = 0;
    let room = ben.town_square().await;
    ben.say(&room, "still here").await;
    while actions < 3000 {
        if let Notice::Action(action) = next(&mut notices).await {
            assert_eq!(action.action, "custom_flood");
            actions += 1;
        }
    }
    flood.await.unwrap().cut();
}

#[tokio::test]
async fn calls_can_speak_to_clients() {
    let desk = Desk::open().await;
    let anna = desk.person("anna").await;
    let mut socket = anna.socket().await;
    let connection = socket.hello().await;
    let mut event = ClientEvent {
        name: "custom_com.mattermost.calls_join".to_owned(),
        data: serde_json::Map::from_iter([("connID".to_owned(), json!(connection))]),
        ..ClientEvent {
            name: String::new(),
            data: serde_json::Map::new(),
            audience: Default::default(),
        }
    };
    event.audience.connection = Some(ConnId::parse(connection.as_str()).unwrap());
    desk.server.publish(event);
    let frame = socket.event("custom_com.mattermost.calls_join").await;
    assert_eq!(frame["data"]["connID"], connection);
    assert_eq!(frame["broadcast"]["connection_id"], connection);
    assert_eq!(frame["broadcast"]["omit_users"], json!(null));
}

#[tokio::test]
async fn calls_hear_who_lost_a_room_or_a_login() {
    let desk = Desk::open().await;
    let (admin, anna, ben) = desk.three().await;
    let room = anna.room("P", "small").await;
    anna.make(
        &format!("/channels/{room}/members"),
        json!({ "user_id": ben.id }),
    )
    .await;
    let mut notices = desk.server.notices().unwrap();
    assert_eq!(
        anna.delete(&format!("/channels/{room}/members/{}", ben.id))
            .await
            .0,
        200
    );
    let room_id = ChannelId::parse(room.as_str()).unwrap();
    let left = Notice::LeftRoom {
        room: room_id.clone(),
        user: ben.user_id(),
    };
    assert_eq!(next(&mut notices).await, left);
    assert_eq!(admin.delete(&format!("/channels/{room}")).await.0, 200);
    assert_eq!(
        next(&mut notices).await,
        Notice::RoomArchived { room: room_id }
    );
    let login = desk.server.login(&ben.token).await.unwrap().unwrap();
    assert_eq!(ben.post("/users/logout", json!({})).await.0, 200);
    let ended = Notice::LoginEnded {
        login_id: login.login_id,
        user: ben.user_id(),
    };
    assert_eq!(next(&mut notices).await, ended);
}
