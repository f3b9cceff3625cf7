//! The verbs of `ChatBackend`, and what calls hear of the chat world.

use std::sync::Arc;

use async_trait::async_trait;
use messaging::conformance::{self, World};
use messaging::gateway::ClientHandler;
use messaging::model::{ActionValue, ChatNews, ClientAction, ClientEvent, RoomKind};
use messaging::news::Backlog;
use messaging::{ChatBackend as _, People as _};
use proto::id::{ChannelId, ConnId, TeamId, UserId};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::desk::{Desk, Heard, PATIENCE};

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
    let (desk, mut ear) = Desk::open_heard().await;
    let anna = desk.person("anna").await;
    let mut socket = anna.socket().await;
    let connection = ConnId::parse(socket.hello().await).unwrap();
    let user = anna.user_id();
    let connected = Heard::Connected {
        connection: connection.clone(),
        user: user.clone(),
    };
    assert_eq!(ear.next().await, connected);

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
    let Heard::Action(join) = ear.next().await else {
        panic!("an action")
    };
    assert_eq!(join.action, "custom_com.mattermost.calls_join");
    assert_eq!(
        (&join.connection, &join.login.person.id),
        (&connection, &user)
    );
    assert_eq!(join.data.fields["channelID"], ActionValue::Json(json!("c")));
    let Heard::Action(sdp) = ear.next().await else {
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
    let gone = Heard::Disconnected { connection, user };
    assert_eq!(ear.next().await, gone);
}

/// Lets every action wait for a permit, except those of one person.
#[derive(Debug)]
struct Slow {
    permits: Semaphore,
    quick: Semaphore,
}

#[async_trait]
impl ClientHandler for Slow {
    async fn connected(&self, _: &ConnId, _: &UserId) {}

    async fn action(&self, action: ClientAction) {
        if action.action == "custom_quick" {
            self.quick.add_permits(1);
        } else {
            self.permits.acquire().await.unwrap().forget();
        }
    }

    async fn disconnected(&self, _: &ConnId, _: &UserId) {}
}

#[tokio::test]
async fn a_slow_handler_holds_up_only_the_client_whose_action_it_is() {
    let handler = Arc::new(Slow {
        permits: Semaphore::new(0),
        quick: Semaphore::new(0),
    });
    let desk = Desk::open_for(handler.clone(), |_| {}).await;
    let (_, anna, ben) = desk.three().await;
    let mut slow = anna.socket().await;
    slow.hello().await;
    slow.act("custom_slow", json!({})).await;
    let held_up = slow.act("ping", json!({})).await;
    let mut quick = ben.socket().await;
    quick.hello().await;
    quick.act("custom_quick", json!({})).await;
    let done = tokio::time::timeout(PATIENCE, handler.quick.acquire()).await;
    done.expect("Ben's action does not wait for Anna's")
        .unwrap()
        .forget();
    // events still reach her, and her requests are answered once her action is done
    let room = ben.town_square().await;
    ben.say(&room, "still here").await;
    slow.event("posted").await;
    handler.permits.add_permits(1);
    assert_eq!(slow.reply(held_up).await["status"], "OK");
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
    desk.gateway.publish(&event);
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
    let news = Arc::new(Backlog::default());
    desk.server.listen(news.clone());
    assert_eq!(
        anna.delete(&format!("/channels/{room}/members/{}", ben.id))
            .await
            .0,
        200
    );
    let room_id = ChannelId::parse(room.as_str()).unwrap();
    let left = ChatNews::LeftRoom {
        room: room_id.clone(),
        user: ben.user_id(),
    };
    assert_eq!(news.take(), Some(left));
    assert_eq!(admin.delete(&format!("/channels/{room}")).await.0, 200);
    assert_eq!(news.take(), Some(ChatNews::RoomArchived { room: room_id }));
    let login = desk.server.login(&ben.token).await.unwrap().unwrap();
    assert_eq!(ben.post("/users/logout", json!({})).await.0, 200);
    let ended = ChatNews::LoginEnded {
        login_id: login.login_id,
        user: ben.user_id(),
    };
    assert_eq!(news.take(), Some(ended));
}
