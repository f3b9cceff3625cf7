//! Followed threads: who follows, what is unread, what followers and nobody else hear.

use serde_json::{Value, json};

use crate::desk::{Client, Desk, text};
use crate::socket_client::Socket;

async fn reply(person: &Client, room: &str, root: &str, message: &str) -> String {
    let body = json!({ "channel_id": room, "root_id": root, "message": message });
    text(&person.make("/posts", body).await["id"])
}

async fn threads_path(person: &Client) -> String {
    format!("/users/me/teams/{}/threads", person.team().await)
}

async fn threads(person: &Client, query: &str) -> Value {
    let path = threads_path(person).await;
    person.read(&format!("{path}?{query}")).await
}

/// Ids, unread replies and unread mentions of the listed threads.
fn outline(list: &Value) -> Vec<(String, i64, i64)> {
    let threads = list["threads"].as_array().unwrap().iter();
    let outlined = threads.map(|thread| {
        (
            text(&thread["id"]),
            thread["unread_replies"].as_i64().unwrap(),
            thread["unread_mentions"].as_i64().unwrap(),
        )
    });
    outlined.collect()
}

async fn updated(socket: &mut Socket) -> (Value, i64, i64) {
    let event = socket.event("thread_updated").await;
    let data = &event["data"];
    let thread = serde_json::from_str(&text(&data["thread"])).unwrap();
    let before = |key: &str| data[key].as_i64().unwrap();
    (
        thread,
        before("previous_unread_replies"),
        before("previous_unread_mentions"),
    )
}

#[tokio::test]
async fn whoever_wrote_or_was_named_follows_and_sees_what_is_unread() {
    let desk = Desk::open().await;
    let (admin, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let root = text(&anna.say(&room, "shall we meet?").await["id"]);
    let mut socket = anna.socket().await;
    socket.hello().await;
    assert_eq!(outline(&threads(&anna, "").await), [], "nobody answered");

    reply(&ben, &room, &root, "yes").await;
    let (thread, unread, mentions) = updated(&mut socket).await;
    assert_eq!((unread, mentions), (0, 0));
    assert_eq!(
        (&thread["id"], &thread["unread_replies"]),
        (&json!(root), &json!(1))
    );
    assert_eq!(thread["post"]["message"], "shall we meet?");
    assert_eq!(thread["participants"][0]["username"], "ben");
    reply(&ben, &room, &root, "@anna @admin when?").await;
    let (thread, unread, mentions) = updated(&mut socket).await;
    assert_eq!((unread, mentions), (1, 0));
    assert_eq!(thread["unread_mentions"], 1);

    assert_eq!(outline(&threads(&anna, "").await), [(root.clone(), 2, 1)]);
    assert_eq!(outline(&threads(&ben, "").await), [(root.clone(), 0, 0)]);
    // who is named later finds the whole thread unread
    assert_eq!(outline(&threads(&admin, "").await), [(root.clone(), 2, 1)]);
    let list = threads(&anna, "extended=true").await;
    assert_eq!(
        (
            &list["total"],
            &list["total_unread_threads"],
            &list["total_unread_mentions"]
        ),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(outline(&threads(&ben, "unread=true").await), []);

    // her own reply says that she has read the others
    reply(&anna, &room, &root, "at ten").await;
    let (thread, unread, mentions) = updated(&mut socket).await;
    assert_eq!((unread, mentions), (2, 1));
    assert_eq!(
        (&thread["unread_replies"], &thread["unread_mentions"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(outline(&threads(&anna, "").await), [(root.clone(), 0, 0)]);
    let names: Vec<Value> = list["threads"][0]["participants"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(names.len(), 1);
}

#[tokio::test]
async fn replies_at_the_same_time_are_told_in_their_order() {
    const REPLIES: i64 = 20;
    let desk = Desk::open_with(|config| config.writes_per_minute = 0).await;
    let (admin, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let root = text(&anna.say(&room, "how many?").await["id"]);
    let mut socket = anna.socket().await;
    socket.hello().await;
    let replies = (0..REPLIES).map(|number| {
        let (person, name) = if number % 2 == 0 {
            (&ben, "@anna")
        } else {
            (&admin, "nobody")
        };
        let message = format!("{name}: {number}");
        let (room, root) = (&room, &root);
        async move { reply(person, room, root, &message).await }
    });
    futures_util::future::join_all(replies).await;
    let mut named = 0;
    for number in 0..REPLIES {
        let (thread, unread, mentions) = updated(&mut socket).await;
        assert_eq!((unread, mentions), (number, named));
        assert_eq!(thread["unread_replies"], number + 1);
        named = thread["unread_mentions"].as_i64().unwrap();
        assert!((mentions..=mentions + 1).contains(&named), "{named}");
    }
    assert_eq!(named, REPLIES / 2);
    let list = outline(&threads(&anna, "").await);
    assert_eq!(list, [(root, REPLIES, REPLIES / 2)]);
}

#[tokio::test]
async fn mentions_in_threads_are_counted_by_room() {
    let desk = Desk::open().await;
    let (admin, anna, ben) = desk.three().await;
    let (room, quiet) = (anna.town_square().await, anna.room("O", "quiet").await);
    let direct = json!([anna.id, ben.id]);
    let direct = text(&anna.make("/channels/direct", direct).await["id"]);
    for (room, messages) in [
        (&room, ["@anna one", "@anna two", "three"].as_slice()),
        (&direct, &["all of it is about her"]),
    ] {
        let root = text(&anna.say(room, "first").await["id"]);
        for message in messages {
            reply(&ben, room, &root, message).await;
        }
    }
    let root = text(&anna.say(&quiet, "first").await["id"]);
    reply(&anna, &quiet, &root, "nobody is named").await;
    let path = format!("{}/mention_counts", threads_path(&anna).await);
    assert_eq!(
        anna.read(&path).await,
        json!({ room.as_str(): 2, direct.as_str(): 1 })
    );
    let nothing = format!("{}/mention_counts", threads_path(&ben).await);
    assert_eq!(ben.read(&nothing).await, json!({}));
    let hers = path.replace("/me/", &format!("/{}/", anna.id));
    assert_eq!(ben.get(&hers).await.0, 403);
    assert_eq!(
        admin.read(&hers).await[&room],
        2,
        "an administrator may ask"
    );

    let all = format!("{}/read", threads_path(&anna).await);
    assert_eq!(anna.put(&all, Value::Null).await.0, 200);
    assert_eq!(anna.read(&path).await, json!({}));
}

#[tokio::test]
async fn who_stopped_following_stays_away_until_named() {
    let desk = Desk::open().await;
    let (admin, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let root = text(&anna.say(&room, "first").await["id"]);
    reply(&ben, &room, &root, "one").await;
    let path = format!("{}/{root}", threads_path(&anna).await);
    let following = format!("{path}/following");
    let mut socket = anna.socket().await;
    socket.hello().await;
    assert_eq!(anna.delete(&following).await.0, 200);
    let event = socket.event("thread_follow_changed").await;
    assert_eq!(
        (&event["data"]["state"], &event["data"]["thread_id"]),
        (&json!(false), &json!(root))
    );
    assert_eq!(event["broadcast"]["user_id"], anna.id);
    assert_eq!(anna.get(&path).await.0, 404);
    reply(&ben, &room, &root, "two").await;
    reply(&ben, &room, &root, "@channel three").await;
    assert_eq!(outline(&threads(&anna, "").await), []);
    // `@channel` makes nobody follow
    assert_eq!(outline(&threads(&admin, "").await), []);
    reply(&ben, &room, &root, "@anna four").await;
    let (status, thread) = anna.get(&path).await;
    assert_eq!((status, &thread["unread_mentions"]), (200, &json!(1)));
    // and counts for who does
    reply(&ben, &room, &root, "@channel five").await;
    assert_eq!(anna.read(&path).await["unread_mentions"], 2);

    assert_eq!(anna.delete(&following).await.0, 200);
    assert_eq!(anna.put(&following, Value::Null).await.0, 200);
    let thread = anna.read(&path).await;
    assert_eq!(
        (&thread["unread_replies"], &thread["is_following"]),
        (&json!(0), &json!(true))
    );
}

#[tokio::test]
async fn a_thread_is_read_up_to_a_time_and_unread_from_a_post_on() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let root = text(&anna.say(&room, "first").await["id"]);
    let mut times = Vec::new();
    let mut replies = Vec::new();
    for message in ["one", "@anna two", "three"] {
        let id = reply(&ben, &room, &root, message).await;
        times.push(
            anna.read(&format!("/posts/{id}")).await["create_at"]
                .as_i64()
                .unwrap(),
        );
        replies.push(id);
    }
    let path = format!("{}/{root}", threads_path(&anna).await);
    let mut socket = anna.socket().await;
    socket.hello().await;
    let unread = |answer: (u16, Value)| {
        assert_eq!(answer.0, 200, "{}", answer.1);
        let count = |key: &str| answer.1[key].as_i64().unwrap();
        (count("unread_replies"), count("unread_mentions"))
    };
    // times of posts rise by at least one
    let answer = anna
        .put(&format!("{path}/read/{}", times[1]), Value::Null)
        .await;
    assert_eq!(unread(answer), (1, 0));
    let event = socket.event("thread_read_changed").await;
    for (key, value) in [
        ("thread_id", json!(root)),
        ("channel_id", json!(room)),
        ("timestamp", json!(times[1])),
        ("unread_replies", json!(1)),
        ("unread_mentions", json!(0)),
        ("previous_unread_replies", json!(3)),
        ("previous_unread_mentions", json!(1)),
    ] {
        assert_eq!(event["data"][key], value, "{key}");
    }
    let answer = anna
        .post(&format!("{path}/set_unread/{}", replies[0]), Value::Null)
        .await;
    assert_eq!(unread(answer), (3, 1));
    let elsewhere = text(&anna.say(&room, "other").await["id"]);
    let wrong = anna
        .post(&format!("{path}/set_unread/{elsewhere}"), Value::Null)
        .await;
    assert_eq!(wrong.0, 404);

    let all = format!("{}/read", threads_path(&anna).await);
    assert_eq!(anna.put(&all, Value::Null).await.0, 200);
    assert_eq!(outline(&threads(&anna, "").await), [(root.clone(), 0, 0)]);
    // what is deleted is not unread
    let last = reply(&ben, &room, &root, "four").await;
    assert_eq!(outline(&threads(&anna, "").await), [(root.clone(), 1, 0)]);
    assert_eq!(ben.delete(&format!("/posts/{last}")).await.0, 200);
    assert_eq!(outline(&threads(&anna, "").await), [(root.clone(), 0, 0)]);
    assert_eq!(anna.delete(&format!("/posts/{root}")).await.0, 200);
    assert_eq!(outline(&threads(&anna, "").await), []);
    let deleted = threads(&anna, "deleted=true").await;
    assert_ne!(deleted["threads"][0]["delete_at"], 0);
}

#[tokio::test]
async fn a_room_that_is_seen_is_read_with_its_threads_unless_they_are_apart() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let root = text(&anna.say(&room, "first").await["id"]);
    let view = json!({ "channel_id": room, "collapsed_threads_supported": true });
    reply(&ben, &room, &root, "@anna one").await;
    let mut socket = anna.socket().await;
    socket.hello().await;
    assert_eq!(
        anna.post("/channels/members/me/view", view.clone()).await.0,
        200
    );
    let event = socket.event("thread_read_changed").await;
    assert_eq!(event["broadcast"]["channel_id"], room);
    assert_eq!(outline(&threads(&anna, "").await), [(root.clone(), 0, 0)]);

    let apart = json!([{
        "category": "display_settings", "name": "collapsed_reply_threads", "value": "on",
    }]);
    assert_eq!(anna.put("/users/me/preferences", apart).await.0, 200);
    let last = reply(&ben, &room, &root, "@anna two").await;
    let unread = anna
        .read(&format!("/users/me/channels/{room}/unread"))
        .await;
    assert_eq!(
        (&unread["msg_count"], &unread["msg_count_root"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(
        (&unread["mention_count"], &unread["mention_count_root"]),
        (&json!(1), &json!(0))
    );
    let sums = anna
        .read("/users/me/teams/unread?include_collapsed_threads=true")
        .await;
    assert_eq!(
        (&sums[0]["thread_count"], &sums[0]["thread_mention_count"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&sums[0]["mention_count"], &sums[0]["mention_count_root"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(anna.post("/channels/members/me/view", view).await.0, 200);
    assert_eq!(outline(&threads(&anna, "").await), [(root.clone(), 1, 1)]);
    // a client that knows no threads shows them between the other posts
    let old = json!({ "channel_id": room });
    assert_eq!(anna.post("/channels/members/me/view", old).await.0, 200);
    assert_eq!(outline(&threads(&anna, "").await), [(root.clone(), 0, 0)]);
    // a reply is unread in its thread, and the room is as it was
    let path = format!("/users/me/posts/{last}/set_unread");
    let supported = json!({ "collapsed_threads_supported": true });
    let (status, at) = anna.post(&path, supported).await;
    assert_eq!((status, &at["mention_count"]), (200, &json!(0)));
    assert_eq!(outline(&threads(&anna, "").await), [(root.clone(), 1, 1)]);
    let (_, at) = anna.post(&path, Value::Null).await;
    assert_eq!(
        (&at["mention_count"], &at["mention_count_root"]),
        (&json!(1), &json!(0))
    );
}

#[tokio::test]
async fn pages_of_a_room_may_leave_replies_to_their_threads() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.room("P", "talk").await;
    let join = json!({ "user_id": ben.id });
    anna.make(&format!("/channels/{room}/members"), join).await;
    let root = text(&anna.say(&room, "first").await["id"]);
    let other = text(&anna.say(&room, "second").await["id"]);
    reply(&ben, &room, &root, "reply").await;
    let page = ben
        .read(&format!("/channels/{room}/posts?collapsedThreads=true"))
        .await;
    let order = page["order"].as_array().unwrap();
    assert!(order.contains(&json!(root)) && order.contains(&json!(other)));
    let replies = page["posts"].as_object().unwrap().values();
    assert!(replies.into_iter().all(|post| post["root_id"] == ""));
    let post = &page["posts"][&root];
    assert_eq!(
        (&post["is_following"], &post["reply_count"]),
        (&json!(true), &json!(1))
    );
    assert_eq!(post["participants"], json!([{ "id": ben.id }]));
    assert_eq!(page["posts"][&other]["is_following"], false);
    let extended =
        format!("/posts/{root}/thread?collapsedThreads=true&collapsedThreadsExtended=true");
    let thread = ben.read(&extended).await;
    assert_eq!(thread["posts"][&root]["participants"][0]["username"], "ben");
    // as before for who does not ask
    let page = ben.read(&format!("/channels/{room}/posts")).await;
    assert_eq!(
        page["posts"]
            .as_object()
            .unwrap()
            .values()
            .filter(|post| post["root_id"] == *root)
            .count(),
        1
    );
    assert!(page["posts"][&root]["is_following"].is_null());
}

#[tokio::test]
async fn direct_messages_are_followed_by_both_and_strangers_follow_nothing() {
    let desk = Desk::open().await;
    let (admin, anna, ben) = desk.three().await;
    let direct = text(
        &anna
            .make("/channels/direct", json!([anna.id, ben.id]))
            .await["id"],
    );
    let root = text(&anna.say(&direct, "psst").await["id"]);
    reply(&anna, &direct, &root, "are you there?").await;
    assert_eq!(outline(&threads(&ben, "").await), [(root.clone(), 1, 1)]);
    assert_eq!(outline(&threads(&ben, "excludeDirect=true").await), []);
    let path = format!("{}/{root}", threads_path(&admin).await);
    assert_eq!(admin.get(&path).await.0, 404);
    assert_eq!(
        admin.put(&format!("{path}/following"), Value::Null).await.0,
        404
    );
    // nor for somebody else, and not in a room that one may only read
    let bens = format!(
        "/users/{}/teams/{}/threads/{root}/following",
        ben.id,
        ben.team().await
    );
    assert_eq!(admin.put(&bens, Value::Null).await.0, 403);
    let open = anna.room("O", "open").await;
    let post = text(&anna.say(&open, "hello").await["id"]);
    let path = format!("{}/{post}/following", threads_path(&ben).await);
    assert_eq!(ben.put(&path, Value::Null).await.0, 403);
    // who leaves a room leaves its threads
    let join = json!({ "user_id": ben.id });
    anna.make(&format!("/channels/{open}/members"), join.clone())
        .await;
    reply(&ben, &open, &post, "hi").await;
    assert_eq!(
        outline(&threads(&ben, "excludeDirect=true").await),
        [(post.clone(), 0, 0)]
    );
    let leave = format!("/channels/{open}/members/{}", ben.id);
    assert_eq!(ben.delete(&leave).await.0, 200);
    anna.make(&format!("/channels/{open}/members"), join).await;
    assert_eq!(outline(&threads(&ben, "excludeDirect=true").await), []);
}

#[tokio::test]
async fn a_long_list_of_threads_is_read_page_by_page_in_both_directions() {
    let desk = Desk::open_with(|config| config.writes_per_minute = 0).await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let mut roots = Vec::new();
    for number in 0..5 {
        let root = text(&anna.say(&room, &format!("thread {number}")).await["id"]);
        reply(&ben, &room, &root, "reply").await;
        roots.insert(0, root);
    }
    let ids =
        |list: &Value| -> Vec<String> { outline(list).into_iter().map(|(id, _, _)| id).collect() };
    let first = threads(&anna, "per_page=2").await;
    assert_eq!(ids(&first), roots[..2]);
    assert_eq!(first["total"], 5);
    let query = format!("per_page=2&before={}", roots[1]);
    assert_eq!(ids(&threads(&anna, &query).await), roots[2..4]);
    let query = format!("per_page=2&after={}", roots[4]);
    assert_eq!(ids(&threads(&anna, &query).await), roots[2..4]);
    let since = first["threads"][0]["last_reply_at"].as_i64().unwrap();
    assert_eq!(
        ids(&threads(&anna, &format!("since={since}")).await),
        roots[..1]
    );
    let totals = threads(&anna, "totalsOnly=true").await;
    assert_eq!(
        (&totals["threads"], &totals["total_unread_threads"]),
        (&json!([]), &json!(5))
    );
    let only = threads(&anna, "threadsOnly=true").await;
    assert_eq!((&only["total"], ids(&only).len()), (&json!(0), 5));
}
