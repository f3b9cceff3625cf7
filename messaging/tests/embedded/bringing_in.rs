//! Profiles, pictures, looking for people, roles in rooms, lists of newcomers, counts.

use serde_json::{Value, json};

use crate::desk::{Client, Desk, PASSWORD, text};

/// A PNG of one pixel with a note of where it was taken.
fn picture(with_place: bool) -> Vec<u8> {
    let part = |kind: &[u8], contents: &[u8]| {
        let length = u32::try_from(contents.len()).unwrap().to_be_bytes();
        [&length[..], kind, contents, &[0; 4]].concat()
    };
    let head = [
        &1u32.to_be_bytes()[..],
        &1u32.to_be_bytes(),
        &[8, 2, 0, 0, 0],
    ]
    .concat();
    let place = if with_place {
        part(b"eXIf", b"52.5 N, 13.4 E")
    } else {
        Vec::new()
    };
    let parts = [part(b"IHDR", &head), place, part(b"IEND", b"")].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), parts].concat()
}

async fn send_picture(person: &Client, id: &str, bytes: Vec<u8>) -> u16 {
    let part = reqwest::multipart::Part::bytes(bytes).file_name("me.png");
    let form = reqwest::multipart::Form::new().part("image", part);
    let path = format!("/users/{id}/image");
    let request = person.request(reqwest::Method::POST, &path).multipart(form);
    request.send().await.unwrap().status().as_u16()
}

async fn picture_of(person: &Client, id: &str) -> (String, Vec<u8>) {
    let request = person.request(reqwest::Method::GET, &format!("/users/{id}/image"));
    let answer = request.send().await.unwrap();
    let kind = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    (kind, answer.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn a_person_has_the_picture_she_sent_without_its_notes() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let mut socket = ben.socket().await;
    socket.hello().await;
    assert_eq!(picture_of(&ben, &anna.id).await.0, "image/svg+xml");
    assert_eq!(send_picture(&anna, "me", picture(true)).await, 200);
    let told = socket.event("user_updated").await["data"]["user"].clone();
    assert!(told["last_picture_update"].as_i64() > Some(0));
    assert_eq!(told["email"], "");
    let (kind, bytes) = picture_of(&ben, &anna.id).await;
    assert_eq!((kind.as_str(), bytes), ("image/png", picture(false)));
    assert_eq!(send_picture(&ben, &anna.id, picture(false)).await, 403);
    assert_eq!(send_picture(&anna, "me", b"<svg/>".to_vec()).await, 400);
    assert_eq!(send_picture(&anna, "me", vec![0; 600_000]).await, 413);
    assert_eq!(desk.nobody().delete("/users/me/image").await.0, 401);
    assert_eq!(anna.delete("/users/me/image").await.0, 200);
    assert_eq!(picture_of(&ben, &anna.id).await.0, "image/svg+xml");
    assert_eq!(
        ben.read(&format!("/users/{}", anna.id)).await["last_picture_update"],
        0
    );
}

#[tokio::test]
async fn a_person_chooses_her_language() {
    let desk = Desk::open().await;
    let (_, anna, _) = desk.three().await;
    assert_eq!(anna.read("/users/me").await["locale"], "en");
    for good in ["de", "pt-BR", "zh-Hant-TW", ""] {
        let (status, user) = anna.put("/users/me/patch", json!({ "locale": good })).await;
        let expected = if good.is_empty() { "en" } else { good };
        assert_eq!((status, &user["locale"]), (200, &json!(expected)), "{good}");
    }
    for bad in [
        "d",
        "de_DE",
        "../../etc",
        "deutsch",
        "de-",
        &"de-".repeat(9),
    ] {
        let body = json!({ "locale": bad });
        assert_eq!(anna.put("/users/me/patch", body).await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let desk = Desk::open().await;
    let (_, anna, _) = desk.three().await;
    let elsewhere = desk.sign_in("anna").await;
    let mut socket = elsewhere.socket().await;
    socket.hello().await;
    let body = json!({ "current_password": PASSWORD, "new_password": "another harbour lantern" });
    assert_eq!(anna.put("/users/me/password", body).await.0, 200);
    assert_eq!(anna.get("/users/me").await.0, 200);
    assert_eq!(elsewhere.get("/users/me").await.0, 401);
    socket.end().await;
}

#[tokio::test]
async fn people_are_found_by_the_beginning_of_any_of_their_names() {
    let desk = Desk::open().await;
    let (admin, anna, ben) = desk.three().await;
    let names = json!({ "first_name": "Ångela", "last_name": "van der Berg", "nickname": "100%" });
    anna.put("/users/me/patch", names).await;
    let found = async |person: &Client, term: &str| {
        let (_, people) = person.post("/users/search", json!({ "term": term })).await;
        let names = people.as_array().unwrap().iter();
        names.map(|one| text(&one["username"])).collect::<Vec<_>>()
    };
    for term in [
        "ann", "@ANNA", "ånge", "ÅNGELA", "berg", "ber ång", "van der", "100%",
    ] {
        assert_eq!(found(&ben, term).await, ["anna"], "{term}");
    }
    for term in ["nna", "erg", "%", "_nna", "anna xyz"] {
        assert_eq!(found(&ben, term).await, [""; 0], "{term}");
    }
    let listed = ben.read("/users/autocomplete?name=ång").await;
    assert_eq!(listed["users"][0]["id"], anna.id);
    // who is shut out is found by administrators who ask for it
    let off = json!({ "active": false });
    admin.put(&format!("/users/{}/active", anna.id), off).await;
    assert_eq!(found(&ben, "anna").await, [""; 0]);
    let body = json!({ "term": "anna", "allow_inactive": true });
    let (_, people) = admin.post("/users/search", body).await;
    assert!(people[0]["delete_at"].as_i64() > Some(0));
    let shut_out = admin.read("/users?inactive=true").await;
    assert_eq!(shut_out[0]["username"], "anna");
    let admins = admin.read("/users?role=system_admin").await;
    assert_eq!(admins.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn everybody_in_a_room_can_be_called_upon() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let mentions = async |person: &Client, room: &str| {
        let member = person.read(&format!("/channels/{room}/members/me")).await;
        member["mention_count"].as_i64().unwrap()
    };
    anna.say(&room, "@channel lunch").await;
    anna.say(&room, "@all and dinner").await;
    assert_eq!(
        (mentions(&ben, &room).await, mentions(&anna, &room).await),
        (2, 0)
    );
    // nobody is there to be called
    anna.say(&room, "@here now").await;
    assert_eq!(mentions(&ben, &room).await, 2);
    let mut socket = ben.socket().await;
    socket.hello().await;
    socket.event("status_change").await;
    anna.say(&room, "@here now").await;
    assert_eq!(
        socket.event("posted").await["data"]["mentions"],
        json!([ben.id]).to_string()
    );
    assert_eq!(mentions(&ben, &room).await, 3);
    let carol = desk.person("carol").await;
    let group = anna
        .make("/channels/group", json!([ben.id, carol.id]))
        .await;
    let group = text(&group["id"]);
    anna.say(&group, "for all of you").await;
    assert_eq!(
        (mentions(&ben, &group).await, mentions(&carol, &group).await),
        (1, 1)
    );
}

#[tokio::test]
async fn a_room_can_be_made_unread_from_a_post_on() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.room("P", "talk").await;
    let member = json!({ "user_id": ben.id });
    anna.make(&format!("/channels/{room}/members"), member)
        .await;
    anna.say(&room, "one").await;
    let second = text(&anna.say(&room, "two @ben").await["id"]);
    let reply = json!({ "channel_id": room, "message": "three", "root_id": second });
    anna.make("/posts", reply).await;
    let path = format!("/users/me/channels/{room}/unread");
    let unread = ben.read(&path).await;
    assert_eq!(
        (&unread["msg_count"], &unread["mention_count"]),
        (&json!(3), &json!(1))
    );
    ben.post("/channels/members/me/view", json!({ "channel_id": room }))
        .await;
    assert_eq!(ben.read(&path).await["msg_count"], 0);
    let mut socket = ben.socket().await;
    socket.hello().await;
    let (status, at) = ben
        .post(&format!("/users/me/posts/{second}/set_unread"), Value::Null)
        .await;
    assert_eq!((status, &at["msg_count"]), (200, &json!(1)));
    assert_eq!(socket.event("post_unread").await["data"]["post_id"], second);
    let unread = ben.read(&path).await;
    assert_eq!(
        (
            &unread["msg_count"],
            &unread["msg_count_root"],
            &unread["mention_count"]
        ),
        (&json!(2), &json!(1), &json!(1))
    );
    let page = ben
        .read(&format!(
            "/users/me/channels/{room}/posts/unread?limit_after=1&limit_before=0"
        ))
        .await;
    assert!(
        page["order"].as_array().unwrap().contains(&json!(second)),
        "{page}"
    );
}

#[tokio::test]
async fn a_room_can_be_handed_over() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.room("P", "talk").await;
    let member = json!({ "user_id": ben.id });
    anna.make(&format!("/channels/{room}/members"), member)
        .await;
    let patch = json!({ "display_name": "Ben's", "header": "the topic" });
    let path = format!("/channels/{room}/patch");
    assert_eq!(ben.put(&path, patch.clone()).await.0, 403);
    let mut socket = ben.socket().await;
    socket.hello().await;
    let roles = json!({ "roles": "channel_user channel_admin" });
    let of_ben = format!("/channels/{room}/members/{}", ben.id);
    assert_eq!(anna.put(&format!("{of_ben}/roles"), roles).await.0, 200);
    let told = socket.event("channel_member_updated").await;
    assert!(text(&told["data"]["channelMember"]).contains("channel_admin"));
    assert_eq!(ben.put(&path, patch).await.0, 200);
    let leave = format!("/channels/{room}/members/{}", anna.id);
    assert_eq!(anna.delete(&leave).await.0, 200);
    let bad = json!({ "roles": "channel_admin" });
    assert_eq!(ben.put(&format!("{of_ben}/roles"), bad).await.0, 400);
    let gone = json!({ "scheme_admin": true });
    assert_eq!(ben.put(&format!("{leave}/schemeRoles"), gone).await.0, 404);
}

#[tokio::test]
async fn a_list_brings_everybody_in_or_nobody() {
    let desk = Desk::open().await;
    let (admin, ..) = desk.three().await;
    let bad = "username,role\nzoe,\nyan,chief\nx y,\n";
    let (status, refusal) = admin.post("/users/import", json!({ "csv": bad })).await;
    assert_eq!(status, 400);
    let why = text(&refusal["message"]);
    assert!(why.contains("Line 3:") && why.contains("line 4"), "{why}");
    assert_eq!(admin.get("/users/username/zoe").await.0, 404);

    let list = format!(
        "username,first_name,password,role\nzoe,Zoë,,\nyan,Yan,{PASSWORD},administrator\nanna,,,\n"
    );
    let (status, done) = admin.post("/users/import", json!({ "csv": list })).await;
    assert_eq!(status, 200, "{done}");
    let outcomes: Vec<String> = (0..3).map(|n| text(&done[n]["outcome"])).collect();
    assert_eq!(outcomes, ["added", "added", "exists"]);
    assert_eq!(done[1]["password"], Value::Null);
    let yan = desk.sign_in("yan").await;
    assert_eq!(yan.get("/admin/storage").await.0, 200);
    let body = json!({ "login_id": "zoe", "password": done[0]["password"] });
    assert_eq!(desk.nobody().post("/users/login", body).await.0, 200);
}

#[tokio::test]
async fn an_administrator_sees_what_there_is() {
    let desk = Desk::open().await;
    let (admin, anna, _) = desk.three().await;
    let room = anna.room("P", "plans").await;
    anna.say(&room, "hello").await;
    let channels = admin.read("/channels?per_page=100").await;
    let mut listed = channels.as_array().unwrap().iter();
    let plans = listed.find(|one| one["id"] == room).unwrap();
    assert_eq!(plans["team_name"], "main");
    let (_, found) = admin
        .post("/channels/search", json!({ "term": "pla" }))
        .await;
    assert_eq!(found.as_array().unwrap().len(), 1);
    let counts = admin.read("/analytics/old?name=standard").await;
    let posts = json!({ "name": "post_count", "value": 1 });
    assert!(counts.as_array().unwrap().contains(&posts), "{counts}");
    let storage = admin.read("/admin/storage").await;
    assert_eq!(
        (&storage["people"], &storage["posts"]),
        (&json!(3), &json!(1))
    );
    assert!(storage["free_bytes"].as_u64() > Some(0));
    let ping = admin.read("/system/ping?get_server_status=true").await;
    assert_eq!(ping["database_status"], "OK");
    let ping = anna.read("/system/ping?get_server_status=true").await;
    assert_eq!(ping.get("database_status"), None);
}
