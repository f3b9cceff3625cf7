//! Posts, threads, pages, and the order of the events about them.

use serde_json::{Value, json};

use crate::desk::{Desk, text};

fn post_of(event: &Value) -> Value {
    serde_json::from_str(&text(&event["data"]["post"])).unwrap()
}

#[tokio::test]
async fn a_post_reaches_everybody_in_the_room_as_it_was_stored() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let mut socket = ben.socket().await;
    socket.hello().await;
    let body = json!({
        "channel_id": room, "message": "hello", "pending_post_id": "mine:1",
        "props": { "colour": "red", "from_webhook": "true" },
    });
    let made = anna.make("/posts", body).await;
    assert_eq!(made["pending_post_id"], "mine:1");
    assert_eq!(made["props"], json!({ "colour": "red" }));
    let event = socket.event("posted").await;
    assert_eq!(post_of(&event), made);
    assert_eq!(event["broadcast"]["channel_id"], room);
    assert_eq!(event["data"]["sender_name"], "@anna");
    assert_eq!(event["data"]["channel_type"], "O");
    assert_eq!(event["data"]["channel_name"], "town-square");
    let read = ben.read(&format!("/posts/{}", text(&made["id"]))).await;
    assert_eq!(
        (read["message"].as_str(), read["pending_post_id"].as_str()),
        (Some("hello"), Some(""))
    );
}

#[tokio::test]
async fn threads_hold_together_and_pages_follow_each_other() {
    let desk = Desk::open().await;
    let (_, anna, _) = desk.three().await;
    let room = anna.room("O", "talk").await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(text(&anna.say(&room, &format!("{number}")).await["id"]));
    }
    let reply = json!({ "channel_id": room, "message": "reply", "root_id": ids[0] });
    let reply = anna.make("/posts", reply).await;
    assert_eq!(reply["root_id"], ids[0]);
    let nested = json!({ "channel_id": room, "message": "x", "root_id": reply["id"] });
    assert_eq!(anna.post("/posts", nested).await.0, 400);

    let thread = anna
        .read(&format!("/posts/{}/thread", text(&reply["id"])))
        .await;
    assert_eq!(thread["order"], json!([ids[0], reply["id"]]));
    assert_eq!(thread["posts"][&ids[0]]["reply_count"], 1);
    assert_eq!(thread["has_next"], false);

    let newest = anna
        .read(&format!("/channels/{room}/posts?per_page=2"))
        .await;
    assert_eq!(newest["order"], json!([reply["id"], ids[4]]));
    assert_eq!(newest["prev_post_id"], ids[3]);
    assert_eq!(
        newest["posts"][&ids[0]]["message"], "0",
        "the thread comes along"
    );
    let path = format!("/channels/{room}/posts?per_page=2&skipFetchThreads=true");
    assert_eq!(
        anna.read(&path).await["posts"].as_object().unwrap().len(),
        2
    );
    let older = anna
        .read(&format!(
            "/channels/{room}/posts?per_page=2&before={}",
            ids[4]
        ))
        .await;
    assert_eq!(older["order"], json!([ids[3], ids[2]]));
    let newer = anna
        .read(&format!(
            "/channels/{room}/posts?per_page=2&after={}",
            ids[1]
        ))
        .await;
    assert_eq!(newer["order"], json!([ids[3], ids[2]]));
    let last = anna
        .read(&format!("/channels/{room}/posts?per_page=2&page=2"))
        .await;
    assert_eq!(last["order"], json!([ids[1], ids[0]]));
    assert_eq!(last["prev_post_id"], "");
    assert_eq!(
        anna.get(&format!("/channels/{room}/posts?per_page=x"))
            .await
            .0,
        400
    );
    assert_eq!(
        anna.get(&format!("/channels/{room}/posts?before=unknown"))
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn changes_are_found_by_time_and_deleted_posts_keep_no_words() {
    let desk = Desk::open().await;
    let (admin, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let mut socket = ben.socket().await;
    socket.hello().await;
    let first = anna.say(&room, "first").await;
    let second = anna.say(&room, "second").await;
    let (first_id, second_id) = (text(&first["id"]), text(&second["id"]));
    let since = second["create_at"].as_i64().unwrap();
    let patch = format!("/posts/{first_id}/patch");
    assert_eq!(ben.put(&patch, json!({ "message": "forged" })).await.0, 403);
    let (status, edited) = anna.put(&patch, json!({ "message": "edited" })).await;
    assert_eq!((status, edited["message"].as_str()), (200, Some("edited")));
    assert!(edited["edit_at"].as_i64() > Some(0));
    assert_eq!(ben.delete(&format!("/posts/{second_id}")).await.0, 403);
    assert_eq!(admin.delete(&format!("/posts/{second_id}")).await.0, 200);
    assert_eq!(anna.get(&format!("/posts/{second_id}")).await.0, 404);
    let names = ["posted", "posted", "post_edited", "post_deleted"];
    for (name, id) in names
        .into_iter()
        .zip([&first_id, &second_id, &first_id, &second_id])
    {
        let mut event = socket.frame().await;
        while event["event"] == "status_change" {
            event = socket.frame().await;
        }
        assert_eq!(
            (event["event"].as_str(), &post_of(&event)["id"]),
            (Some(name), &json!(id))
        );
    }
    let changed = anna
        .read(&format!("/channels/{room}/posts?since={since}"))
        .await;
    assert_eq!(changed["order"], json!([second_id, first_id]));
    let gone = &changed["posts"][&second_id];
    assert!(gone["delete_at"].as_i64() > Some(0));
    assert_eq!(gone["message"], "");
}

#[tokio::test]
async fn events_leave_in_the_order_of_the_records() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.room("O", "busy").await;
    ben.make(
        &format!("/channels/{room}/members"),
        json!({ "user_id": ben.id }),
    )
    .await;
    let mut socket = ben.socket().await;
    socket.hello().await;
    let senders = (0..40).map(|number| {
        let (anna, room) = (anna.clone(), room.clone());
        tokio::spawn(async move { anna.say(&room, &number.to_string()).await })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    let mut heard = Vec::new();
    let mut seqs = Vec::new();
    while heard.len() < 40 {
        let event = socket.event("posted").await;
        seqs.push(event["seq"].as_i64().unwrap());
        heard.push(post_of(&event)["id"].clone());
    }
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]));
    heard.reverse();
    let stored = anna
        .read(&format!("/channels/{room}/posts?per_page=100"))
        .await;
    assert_eq!(stored["order"], json!(heard));
}

#[tokio::test]
async fn posts_of_calls_are_the_servers_alone() {
    use messaging::Posts as _;
    use messaging::model::NewPost;
    use proto::id::ChannelId;

    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    for kind in [
        "custom_calls",
        "custom_calls_recording",
        "system_join_channel",
    ] {
        let body = json!({ "channel_id": room, "message": "x", "type": kind });
        assert_eq!(anna.post("/posts", body).await.0, 400, "{kind}");
    }
    anna.make(
        "/posts",
        json!({ "channel_id": room, "message": "x", "type": "custom_poll" }),
    )
    .await;
    let mut socket = ben.socket().await;
    socket.hello().await;
    let call = NewPost {
        room: ChannelId::parse(room.as_str()).unwrap(),
        author: anna.user_id(),
        root: None,
        message: "anna started a call".to_owned(),
        kind: "custom_calls".to_owned(),
        props: serde_json::Map::from_iter([("start_at".to_owned(), json!(1))]),
        files: Vec::new(),
    };
    let mut call = desk.server.create_post(call).await.unwrap();
    assert_eq!(
        post_of(&socket.event("posted").await)["type"],
        "custom_calls"
    );
    let path = format!("/posts/{}/patch", call.id);
    assert_eq!(
        anna.put(&path, json!({ "props": { "start_at": 2 } }))
            .await
            .0,
        403
    );
    assert_eq!(
        anna.put(&format!("/posts/{}", call.id), json!({ "message": "x" }))
            .await
            .0,
        403
    );
    call.props.insert("end_at".to_owned(), json!(3));
    desk.server.update_post(call).await.unwrap();
    let edited = post_of(&socket.event("post_edited").await);
    assert_eq!(
        (&edited["props"]["end_at"], &edited["edit_at"]),
        (&json!(3), &json!(0))
    );
}

#[tokio::test]
async fn only_administrators_and_bots_whisper() {
    let desk = Desk::open().await;
    let (admin, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let mut socket = ben.socket().await;
    socket.hello().await;
    let post = json!({ "channel_id": room, "message": "psst" });
    let body = json!({ "user_id": ben.id, "post": post });
    assert_eq!(anna.post("/posts/ephemeral", body.clone()).await.0, 403);
    admin.make("/posts/ephemeral", body).await;
    let heard = post_of(&socket.event("ephemeral_message").await);
    assert_eq!(
        (heard["message"].as_str(), heard["type"].as_str()),
        (Some("psst"), Some("system_ephemeral"))
    );
    assert_eq!(
        ben.get(&format!("/posts/{}", text(&heard["id"]))).await.0,
        404
    );
}

#[tokio::test]
async fn bad_posts_are_refused_with_a_reason() {
    let desk = Desk::open().await;
    let anna = desk.person("anna").await;
    let room = anna.town_square().await;
    let long = "x".repeat(16_384);
    let bodies = [
        json!({ "channel_id": room, "message": "" }),
        json!({ "channel_id": room, "message": long }),
        json!({ "channel_id": room, "message": "x", "file_ids": ["unknown"] }),
        json!({ "channel_id": room, "message": "x", "root_id": "unknown" }),
        json!({ "channel_id": room, "message": "x", "props": "text" }),
        json!({ "channel_id": room, "message": "x", "props": { "a": "x".repeat(200_000) } }),
        json!([1]),
    ];
    for body in bodies {
        let (status, error) = anna.post("/posts", body.clone()).await;
        assert_eq!(status, 400, "{body}");
        assert!(!text(&error["message"]).is_empty());
    }
    let unknown = json!({ "channel_id": "unknown", "message": "x" });
    assert_eq!(anna.post("/posts", unknown).await.0, 404);
    let huge = json!({ "channel_id": room, "message": "x".repeat(2_000_000) });
    assert_eq!(anna.post("/posts", huge).await.0, 413);
    let raw = anna
        .request(reqwest::Method::POST, "/posts")
        .body("{")
        .send()
        .await
        .unwrap();
    assert_eq!(raw.status(), 400);
}
