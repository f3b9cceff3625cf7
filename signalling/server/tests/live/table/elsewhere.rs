//! What differs in other kinds of rooms: a row for every route of a channel that is not the bot's.
//!
//! Columns: in a public channel a member of the team who is no member of the channel, and a system
//! administrator from outside; in a direct message, and in a group message, somebody in it, a
//! stranger, and a system administrator: what is said there is not for them to read, but they may
//! end it.

use messaging::model::RoomKind;
use proto::calls::action::Action;
use proto::id::ChannelId;
use serde_json::json;

use super::routes::{ROUTES, answer};
use super::{Cast, Place, world};
use crate::world::{World, until};

const WHO: [(Kind, &str); 8] = [
    (Kind::Public, "teammate"),
    (Kind::Public, "overseer"),
    (Kind::Direct, "member"),
    (Kind::Direct, "stranger"),
    (Kind::Direct, "overseer"),
    (Kind::Group, "member"),
    (Kind::Group, "stranger"),
    (Kind::Group, "overseer"),
];
/// The overseer asks thrice in a row, and may ask ten times at once.
const ROWS_PER_CAST: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Public,
    Direct,
    Group,
}

const READERS: [u16; 8] = [200, 200, 200, 403, 403, 200, 403, 403];
const HOSTS: [u16; 8] = [400, 200, 400, 400, 200, 400, 400, 200];

/// Method, route, and what each of [`WHO`] is answered.
type Row = (&'static str, &'static str, [u16; 8]);

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    ("GET", "/{channel}", READERS),
    ("POST", "/{channel}", [403, 200, 200, 403, 200, 200, 403, 200]),
    ("GET", "/calls/{channel}/active", READERS),
    ("POST", "/calls/{channel}/dismiss-notification", [200, 200, 200, 400, 400, 200, 400, 400]),
    ("POST", "/calls/{channel}/recording/start", [403; 8]),
    ("POST", "/calls/{channel}/recording/stop", [403; 8]),
    ("POST", "/calls/{channel}/recording/pause", [403; 8]),
    ("POST", "/calls/{channel}/recording/resume", [403; 8]),
    ("POST", "/calls/{channel}/recording/rest", [400, 400, 400, 403, 403, 400, 403, 403]),
    ("POST", "/calls/{channel}/host/make", HOSTS),
    ("POST", "/calls/{channel}/host/mute", HOSTS),
    ("POST", "/calls/{channel}/host/mute-others", HOSTS),
    ("POST", "/calls/{channel}/host/screen-off", HOSTS),
    ("POST", "/calls/{channel}/host/lower-hand", HOSTS),
    ("POST", "/calls/{channel}/host/remove", HOSTS),
    ("POST", "/calls/{channel}/host/end", HOSTS),
    ("POST", "/calls/{channel}/end", HOSTS),
    ("POST", "/calls/{channel}/sessions/{session}/leave", [400, 400, 200, 400, 400, 200, 400, 400]),
    ("POST", "/calls/{channel}/captions/translate", [403, 403, 501, 400, 400, 501, 400, 400]),
];

/// A call of the host, and of the member where there is one.
async fn place(world: &World, cast: &Cast, kind: Kind, name: &str) -> Place {
    let (host, member) = (cast.person("host"), cast.person("member"));
    let channel = match kind {
        Kind::Public => {
            let channel = world.room_of(RoomKind::Public, name).await;
            world.enter(&channel, host).await;
            return cast.call(world, channel, &["host"]).await;
        }
        Kind::Direct => world.direct(host, member).await,
        Kind::Group => {
            let ids = [&host.id, &member.id, &cast.person("manager").id];
            let (status, room) = world.chat_post(host, "/channels/group", json!(ids)).await;
            assert_eq!(status, 201, "{room}");
            ChannelId::parse(room["id"].as_str().unwrap()).unwrap()
        }
    };
    cast.call(world, channel, &["host", "member"]).await
}

#[tokio::test]
async fn other_rooms_answer_everybody_as_the_table_says() {
    let world = world().await;
    let mut wrong = Vec::new();
    for (number, rows) in ROWS.chunks(ROWS_PER_CAST).enumerate() {
        let cast = Cast::new(&world, number).await;
        for (row, cells) in rows.iter().enumerate() {
            for kind in [Kind::Public, Kind::Direct, Kind::Group] {
                let name = format!("row{number}-{row}");
                wrong.extend(ask_row(&world, &cast, kind, &name, cells).await);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a row says of one kind of room and is not so.
async fn ask_row(world: &World, cast: &Cast, kind: Kind, name: &str, row: &Row) -> Vec<String> {
    let (method, path, cells) = row;
    let mut routes = ROUTES.iter();
    let route = routes.find(|one| (one.method, one.route) == (*method, *path));
    let route = route.unwrap();
    let mut place = place(world, cast, kind, name).await;
    let mut wrong = Vec::new();
    for ((_, who), cell) in WHO.iter().zip(cells).filter(|(who, _)| who.0 == kind) {
        let asks = Some(cast.person(who));
        let (status, said) = answer(world, route, &place, asks).await;
        if status != *cell {
            wrong.push(format!(
                "{method} {path}: {who} ({kind:?}) hears {status} {said}, not {cell}"
            ));
        }
    }
    for client in &mut place.inside {
        client.act(&Action::Leave).await;
    }
    // The next call of these people is in the same room.
    until("the call is over", || world.rtcd.sessions() == 0).await;
    wrong
}
