//! Why a join is refused: a row for each reason, in the order in which they are looked for.

use std::time::Duration;

use messaging::Posts as _;
use messaging::model::NewPost;
use proto::calls::NAME_PREFIX;
use proto::calls::action::Action;
use proto::id::{ChannelId, UserId};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::client::Client;
use crate::fake_jobs::FakeJobs;
use crate::world::{Person, World};

/// What the client is told, which must be for its connection.
async fn refused(client: &mut Client, channel: &ChannelId) -> String {
    client.ask_to_join(channel, None).await;
    told(client).await
}

async fn told(client: &mut Client) -> String {
    let error = client.wait_for("error").await;
    assert_eq!(error.data["connID"], client.connection.as_str());
    error.data["data"].as_str().unwrap().to_owned()
}

async fn say(world: &World, room: &ChannelId, by: &Person, root: Option<&str>) -> String {
    let body = json!({"channel_id": room, "message": "hello", "root_id": root.unwrap_or_default()});
    let (status, post) = world.chat_post(by, "/posts", body).await;
    assert_eq!(status, 201, "{post}");
    post["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn threads_and_channels_where_no_call_can_be_are_named() {
    let world = World::new().await;
    let channel = &world.channel;
    let root = say(&world, channel, &world.anna, None).await;
    let reply = say(&world, channel, &world.anna, Some(&root)).await;
    let elsewhere = world.direct(&world.anna, &world.ben).await;
    let elsewhere = say(&world, &elsewhere, &world.anna, None).await;
    let deleted = say(&world, channel, &world.anna, None).await;
    let url = format!("http://{}/api/v4/posts/{deleted}", world.addr());
    let request = world.http.delete(url).bearer_auth(&world.anna.token);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let mut anna = world.connect(&world.anna).await;
    for (thread, text) in [
        (&reply, "thread is not a root post"),
        (&elsewhere, "forbidden"),
        (&"nosuchpost".to_owned(), "forbidden"),
        (&deleted, "cannot attach call to deleted thread"),
    ] {
        anna.ask_to_join_in_thread(channel, "", thread).await;
        assert_eq!(told(&mut anna).await, text, "{thread}");
    }
    anna.ask_to_join_in_thread(channel, "", &root).await;
    assert_eq!(anna.state().await["thread_id"], root.as_str());

    let archived = world.room("archived").await;
    world.enter(&archived, &world.ben).await;
    let url = format!("http://{}/api/v4/channels/{archived}", world.addr());
    let request = world.http.delete(url).bearer_auth(&world.admin.token);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let mut ben = world.connect(&world.ben).await;
    let text = refused(&mut ben, &archived).await;
    assert_eq!(text, "cannot join call in archived channel");
    let mut anna = world.connect(&world.anna).await;
    let text = refused(&mut anna, &archived).await;
    assert_eq!(text, "forbidden", "of a private channel that is not hers");
}

#[tokio::test]
async fn where_calls_may_begin_is_asked_only_when_none_runs() {
    let world = World::with(None, |raw| raw.calls.group_calls_allowed = false).await;
    let mut anna = world.connect(&world.anna).await;
    let text = refused(&mut anna, &world.channel).await;
    assert_eq!(text, "unlicensed servers only allow calls in DMs");
    // She is told more, by the bot, and nobody else is.
    let shown = anna.wait_for("ephemeral_message").await;
    assert_eq!(shown.broadcast.user_id, world.anna.id.to_string());
    let post: Value = serde_json::from_str(shown.data["post"].as_str().unwrap()).unwrap();
    assert_eq!(post["channel_id"], world.channel.as_str());
    assert_eq!(post["user_id"], world.bot().await.id.as_str());
    let message = post["message"].as_str().unwrap();
    assert!(message.contains("direct messages only"), "{message}");
    let path = format!("/channels/{}/posts", world.channel);
    let (_, kept) = world.chat_get(&world.anna, &path).await;
    assert_eq!(kept["order"], json!([]), "nothing is kept of it");
    // Ben reads it in his language.
    let url = format!("http://{}/api/v4/users/me/patch", world.addr());
    let request = world.http.put(url).bearer_auth(&world.ben.token);
    let patched = request.json(&json!({"locale": "fr"})).send().await;
    assert_eq!(patched.unwrap().status(), 200);
    let mut ben = world.connect(&world.ben).await;
    refused(&mut ben, &world.channel).await;
    let shown = ben.wait_for("ephemeral_message").await;
    let post: Value = serde_json::from_str(shown.data["post"].as_str().unwrap()).unwrap();
    let message = post["message"].as_str().unwrap();
    assert!(message.contains("messages directs"), "{message}");
    let direct = world.direct(&world.anna, &world.ben).await;
    anna.join(&direct).await;

    let world = World::new().await;
    let off = json!({"enabled": false});
    let path = format!("/{}", world.channel);
    assert_eq!(world.post(&world.admin, &path, off.clone()).await.0, 200);
    let mut admin = world.connect(&world.admin).await;
    // Not even for an administrator.
    let text = refused(&mut admin, &world.channel).await;
    assert_eq!(text, "calls are disabled in the channel");
    let on = json!({"enabled": true});
    assert_eq!(world.post(&world.admin, &path, on).await.0, 200);
    let mut anna = world.connect(&world.anna).await;
    anna.join(&world.channel).await;
    assert_eq!(world.post(&world.admin, &path, off).await.0, 200);
    let mut ben = world.connect(&world.ben).await;
    ben.join(&world.channel).await;
}

#[tokio::test]
async fn a_full_call_takes_nobody_and_its_bots_count() {
    let jobs = FakeJobs::start().await;
    let world = World::with(Some(jobs), |raw| raw.calls.max_participants = 3).await;
    let (status, config) = world.get(&world.ben, "/config").await;
    assert_eq!((status, &config["MaxCallParticipants"]), (200, &json!(3)));
    let (mut anna, _ben) = world.anna_and_ben().await;
    let path = world.call_path("recording/start");
    assert_eq!(world.post(&world.anna, &path, json!({})).await.0, 200);
    let asked = world.jobs.as_ref().unwrap().jobs();
    let recording = asked[0]["input_data"]["recording_id"].as_str().unwrap();
    let mut bot = world.connect(&world.bot().await).await;
    bot.ask_to_join(&world.channel, Some(recording)).await;
    bot.wait_for("join").await;
    let cora = world.newcomer("cora").await;
    let mut cora = world.connect(&cora).await;
    let full = "user cannot join because of limits";
    assert_eq!(refused(&mut cora, &world.channel).await, full);
    // An administrator takes no place that is not there, and another device of Anna's none either.
    for person in [&world.admin, &world.anna] {
        let mut more = world.connect(person).await;
        assert_eq!(refused(&mut more, &world.channel).await, full);
    }
    anna.act(&Action::Leave).await;
    bot.wait_for("user_left").await;
    cora.join(&world.channel).await;
}

#[tokio::test]
async fn a_bot_comes_once_for_a_job_that_waits_and_nobody_to_a_call_that_ends() {
    let world = World::with_jobs().await;
    let (_anna, _ben) = world.anna_and_ben().await;
    let path = world.call_path("recording/start");
    assert_eq!(world.post(&world.anna, &path, json!({})).await.0, 200);
    let asked = world.jobs.as_ref().unwrap().jobs();
    let recording = asked[0]["input_data"]["recording_id"].as_str().unwrap();
    let bot = world.bot().await;
    let mut first = world.connect(&bot).await;
    first.ask_to_join(&world.channel, Some(recording)).await;
    first.wait_for("join").await;
    let mut second = world.connect(&bot).await;
    second.ask_to_join(&world.channel, Some(recording)).await;
    let text = "job not in progress or already started";
    assert_eq!(told(&mut second).await, text);
    // People need none, and one that they name is not looked at.
    let cora = world.newcomer("cora").await;
    let mut cora = world.connect(&cora).await;
    cora.ask_to_join(&world.channel, Some("nosuchjob")).await;
    cora.state().await;

    let end = world.call_path("host/end");
    assert_eq!(world.post(&world.admin, &end, json!({})).await.0, 200);
    let mut late = world.connect(&world.admin).await;
    assert_eq!(refused(&mut late, &world.channel).await, "call has ended");
}

/// Who writes into a thread that the bot began is told in the same words as everybody.
#[tokio::test]
async fn a_call_may_begin_in_the_thread_of_any_root_post() {
    let world = World::new().await;
    let bot = UserId::parse(world.bot().await.id.as_str()).unwrap();
    let chat = world.running.chat();
    let post = NewPost {
        room: world.channel.clone(),
        author: bot,
        root: None,
        message: "a thread".to_owned(),
        kind: String::new(),
        props: serde_json::Map::new(),
        files: Vec::new(),
    };
    let root = tokio::time::timeout(Duration::from_secs(5), chat.create_post(post));
    let root = root.await.unwrap().unwrap();
    let mut anna = world.connect(&world.anna).await;
    let title = "about it";
    anna.ask_to_join_in_thread(&world.channel, title, root.id.as_str())
        .await;
    let state = anna.state().await;
    assert_eq!(state["thread_id"], root.id.as_str());
    let path = format!("/posts/{}", state["post_id"].as_str().unwrap());
    let (_, post) = world.chat_get(&world.anna, &path).await;
    assert_eq!(post["props"]["title"], title);
    assert_eq!(post["root_id"], root.id.as_str());
}

/// Nobody who asks to join waits for ever, and a title is no reason to refuse.
#[tokio::test]
async fn a_join_that_cannot_be_read_is_answered_and_a_long_title_is_cut() {
    let world = World::new().await;
    let mut anna = world.connect(&world.anna).await;
    let channel = &world.channel;
    for (data, why) in [
        (json!({}), "`channelID` must be an id"),
        (json!({"channelID": 7}), "`channelID` must be a string"),
        (json!({"channelID": "x".repeat(200)}), "`channelID`"),
        (
            json!({"channelID": channel, "threadID": "no id"}),
            "`threadID`",
        ),
        (
            json!({"channelID": channel, "title": []}),
            "`title` must be a string",
        ),
    ] {
        let action = format!("{NAME_PREFIX}join");
        let frame = json!({"action": action, "seq": 1, "data": data}).to_string();
        assert!(anna.send_raw(Message::Text(frame.into())).await);
        let said = told(&mut anna).await;
        assert!(
            said.starts_with("cannot read the request to join: "),
            "{said}"
        );
        assert!(said.contains(why), "{said}");
    }
    let root = say(&world, channel, &world.anna, None).await;
    let title = "\u{e4}".repeat(257);
    anna.ask_to_join_in_thread(channel, &title, &root).await;
    let state = anna.state().await;
    let path = format!("/posts/{}", state["post_id"].as_str().unwrap());
    let (_, post) = world.chat_get(&world.anna, &path).await;
    assert_eq!(post["props"]["title"], "\u{e4}".repeat(256));
}
