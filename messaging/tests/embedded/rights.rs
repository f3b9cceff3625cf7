//! Who may do what: each route once for everybody from the signed-out to the administrator.
//!
//! The room is private; Anna manages it, Ben is in it, Carol is in the team only.

use reqwest::Method;
use serde_json::{Value, json};

use crate::desk::{Client, Desk, text};

/// Answers to nobody, a stranger, a member, who manages the room, an administrator of the server.
type Row = (Method, String, Value, [u16; 5]);

struct House {
    people: [Client; 5],
    _desk: Desk,
}

impl House {
    async fn ask(&self, rows: Vec<Row>) {
        for (method, path, body, expected) in rows {
            let mut got = Vec::new();
            for person in &self.people {
                let request = person.request(method.clone(), &path);
                let request = if body.is_null() {
                    request
                } else {
                    request.json(&body)
                };
                got.push(request.send().await.unwrap().status().as_u16());
            }
            assert_eq!(got, expected, "{method} {path} {body}");
        }
    }
}

async fn house() -> (House, String, String, String) {
    let desk = Desk::open_with(|config| config.writes_per_minute = 0).await;
    let (admin, anna, ben) = desk.three().await;
    let carol = desk.person("carol").await;
    let team = anna.team().await;
    let room = anna.room("P", "plans").await;
    let member = json!({ "user_id": ben.id });
    anna.make(&format!("/channels/{room}/members"), member)
        .await;
    let post = text(&anna.say(&room, "the first plan").await["id"]);
    let people = [desk.nobody(), carol, ben, anna, admin];
    let house = House {
        people,
        _desk: desk,
    };
    (house, team, room, post)
}

fn get(path: &str, codes: [u16; 5]) -> Row {
    (Method::GET, path.to_owned(), Value::Null, codes)
}

fn post(path: &str, body: Value, codes: [u16; 5]) -> Row {
    (Method::POST, path.to_owned(), body, codes)
}

fn put(path: &str, body: Value, codes: [u16; 5]) -> Row {
    (Method::PUT, path.to_owned(), body, codes)
}

fn delete(path: &str, codes: [u16; 5]) -> Row {
    (Method::DELETE, path.to_owned(), Value::Null, codes)
}

#[tokio::test]
async fn what_is_done_to_posts_is_for_those_who_are_in_their_room() {
    let (house, team, _, id) = house().await;
    let ben = house.people[2].id.clone();
    let reaction = |who: &str| json!({ "user_id": who, "post_id": id, "emoji_name": "tada" });
    let words = json!({ "terms": "plan" });
    let everybody = [401, 200, 200, 200, 200];
    house
        .ask(vec![
            // an administrator of the server sees a room, and is in it when she joins it
            post("/reactions", reaction("me"), [401, 404, 200, 200, 403]),
            post("/reactions", reaction(&ben), [401, 403, 200, 403, 403]),
            get(&format!("/posts/{id}/reactions"), [401, 404, 200, 200, 200]),
            // what is not theirs to read is left out
            post("/posts/ids/reactions", json!([id]), everybody),
            delete(
                &format!("/users/{ben}/posts/{id}/reactions/tada"),
                [401, 404, 200, 403, 403],
            ),
            post(
                &format!("/teams/{team}/posts/search"),
                words.clone(),
                everybody,
            ),
            post(
                "/teams/unknown/posts/search",
                words,
                [401, 404, 404, 404, 404],
            ),
        ])
        .await;
}

#[tokio::test]
async fn what_is_done_to_rooms_is_for_those_who_are_in_them() {
    let (house, _, room, id) = house().await;
    let (ben, anna) = (house.people[2].id.clone(), house.people[3].id.clone());
    let roles = json!({ "roles": "channel_user" });
    let scheme_roles = json!({ "scheme_user": true, "scheme_admin": true });
    house
        .ask(vec![
            get(
                &format!("/users/me/channels/{room}/unread"),
                [401, 404, 200, 200, 404],
            ),
            get(
                &format!("/users/{ben}/channels/{room}/unread"),
                [401, 403, 200, 403, 200],
            ),
            post(
                &format!("/users/me/posts/{id}/set_unread"),
                Value::Null,
                [401, 404, 200, 200, 404],
            ),
            post(
                &format!("/users/{ben}/posts/{id}/set_unread"),
                Value::Null,
                [401, 403, 200, 403, 403],
            ),
            put(
                &format!("/channels/{room}/members/{anna}/schemeRoles"),
                scheme_roles,
                [401, 404, 403, 200, 200],
            ),
            put(
                &format!("/channels/{room}/members/{ben}/roles"),
                roles,
                [401, 404, 403, 200, 200],
            ),
        ])
        .await;
}

#[tokio::test]
async fn what_is_done_to_people_is_for_themselves_and_administrators() {
    let (house, team, _, _) = house().await;
    let [_, _, ben, _, admin] = &house.people;
    let (ben, admin) = (ben.id.clone(), admin.id.clone());
    let for_admins = [401, 403, 403, 403, 200];
    house
        .ask(vec![
            put(
                &format!("/users/{ben}/patch"),
                json!({ "locale": "de" }),
                [401, 403, 200, 403, 200],
            ),
            delete(&format!("/users/{ben}/image"), [401, 403, 200, 403, 200]),
            get(&format!("/users/{ben}/image"), [401, 200, 200, 200, 200]),
            get(&format!("/users/{ben}/sessions"), [401, 403, 200, 403, 200]),
            get(&format!("/users/{admin}/sessions"), for_admins),
            get("/users?inactive=true", for_admins),
            post(
                "/users/search",
                json!({ "term": "", "allow_inactive": true }),
                for_admins,
            ),
            get("/channels", for_admins),
            post("/channels/search", json!({ "term": "pl" }), for_admins),
            get("/analytics/old?name=standard", for_admins),
            get("/admin/storage", for_admins),
            post(
                "/users/import",
                json!({ "csv": "username\nzoe\n" }),
                for_admins,
            ),
            post(
                &format!("/teams/{team}/invites"),
                json!({}),
                [401, 403, 403, 403, 201],
            ),
            get(&format!("/teams/{team}/invites"), for_admins),
            delete(
                &format!("/teams/{team}/invites/unknown"),
                [401, 403, 403, 403, 404],
            ),
            get("/teams/invite/unknown", [404; 5]),
            post(
                "/teams/members/invite?invite_id=unknown",
                Value::Null,
                [401, 404, 404, 404, 404],
            ),
        ])
        .await;
}

#[tokio::test]
async fn refusals_are_sentences() {
    let (house, _, room, _) = house().await;
    let [nobody, carol, ben, ..] = &house.people;
    let body = json!({ "display_name": "x".repeat(65) });
    let asked = [
        nobody.get("/users/me").await,
        carol.get(&format!("/channels/{room}")).await,
        ben.put(&format!("/channels/{room}/patch"), body.clone())
            .await,
        ben.post("/posts", json!({ "channel_id": room, "message": "" }))
            .await,
        nobody
            .post("/users", json!({ "username": "eve", "password": "x" }))
            .await,
        house.people[3]
            .put(&format!("/channels/{room}/patch"), body)
            .await,
    ];
    for (status, refusal) in asked {
        assert!((400..500).contains(&status), "{status}");
        let message = text(&refusal["message"]);
        assert!(
            message.starts_with(char::is_uppercase) && message.ends_with('.'),
            "{message}"
        );
        assert!(!message.contains("display_name"), "{message}");
    }
}
