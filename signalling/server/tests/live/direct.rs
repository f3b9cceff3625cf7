//! Calls of two and of a few: ringing, dismissal, what is left of a call that nobody took.

use proto::calls::action::Action;
use proto::id::ChannelId;
use serde_json::{Value, json};

use crate::client::{Client, short};
use crate::world::{Person, World};

async fn call_post(world: &World, person: &Person, room: &ChannelId) -> Value {
    let path = format!("/channels/{room}/posts");
    let (_, page) = world.chat_get(person, &path).await;
    let posts = page["posts"].as_object().unwrap().values();
    let mut calls = posts.filter(|post| post["type"] == "custom_calls");
    calls.next().unwrap().clone()
}

async fn ended(world: &World, person: &Person, room: &ChannelId) -> Value {
    for _ in 0..200 {
        let post = call_post(world, person, room).await;
        if post["props"].get("end_at").is_some() {
            return post;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the call's post does not say that it ended");
}

#[tokio::test]
async fn a_direct_call_rings_every_device_of_the_other_until_it_is_dismissed() {
    let world = World::with(None, |raw| raw.calls.ringing = true).await;
    let (_, config) = world.get(&world.ben, "/config").await;
    assert_eq!(config["EnableRinging"], true);
    let room = world.direct(&world.anna, &world.ben).await;
    let mut phone = world.connect(&world.ben).await;
    let mut laptop = world.connect(&world.ben).await;
    let mut admin = world.connect(&world.admin).await;
    let mut anna = world.connect(&world.anna).await;
    let state = anna.join(&room).await;
    for device in [&mut phone, &mut laptop] {
        let rings = device.wait_for("call_start").await;
        assert_eq!(rings.data["channelID"], room.as_str());
        assert_eq!(rings.data["owner_id"], world.anna.id.as_str());
        assert_eq!(rings.data["id"], state["id"]);
    }
    // A client that starts now learns of it here.
    let (_, channels) = world.get(&world.ben, "/channels").await;
    let of_room = |channels: &Value| {
        let mut all = channels.as_array().unwrap().iter();
        all.find(|one| one["channel_id"] == room.as_str()).unwrap()["call"].clone()
    };
    assert_eq!(of_room(&channels)["id"], state["id"]);
    assert!(of_room(&channels).get("dismissed_notification").is_none());

    let dismiss = format!("/calls/{room}/dismiss-notification");
    assert_eq!(world.post(&world.ben, &dismiss, json!({})).await.0, 200);
    for device in [&mut phone, &mut laptop] {
        let quiet = device.wait_for("user_dismissed_notification").await;
        assert_eq!(quiet.data["userID"], world.ben.id.as_str());
        assert_eq!(quiet.data["callID"], state["id"]);
    }
    let (_, channels) = world.get(&world.ben, "/channels").await;
    let dismissed = json!({world.ben.id.as_str(): true});
    assert_eq!(of_room(&channels)["dismissed_notification"], dismissed);
    anna.nothing_of("user_dismissed_notification", &room).await;
    admin.ask_to_join(&world.channel, None).await;
    let seen = admin.events_until("call_state").await;
    let starts = seen.iter().filter(|event| short(event) == "call_start");
    let rooms: Vec<&Value> = starts.map(|event| &event.data["channelID"]).collect();
    assert_eq!(rooms, [world.channel.as_str()], "only of the own call");
}

#[tokio::test]
async fn a_call_that_nobody_took_is_unread_and_names_only_its_caller() {
    let world = World::new().await;
    let room = world.direct(&world.anna, &world.ben).await;
    let mut anna = world.connect(&world.anna).await;
    anna.join(&room).await;
    let post = call_post(&world, &world.ben, &room).await;
    assert_eq!(post["message"], "Firstanna started a call");
    assert_eq!(post["user_id"], world.anna.id.as_str());
    assert!(post["props"]["start_at"].is_i64());
    anna.act(&Action::Leave).await;
    let post = ended(&world, &world.ben, &room).await;
    assert_eq!(post["message"], "Call ended");
    assert_eq!(post["props"]["participants"], json!([world.anna.id]));
    let path = format!("/users/{}/channels/{room}/unread", world.ben.id);
    let (_, unread) = world.chat_get(&world.ben, &path).await;
    assert_eq!(
        (&unread["msg_count"], &unread["mention_count"]),
        (&json!(1), &json!(1))
    );
}

/// A nickname is what friends say: Mattermost's calls do not write it where everybody reads.
#[tokio::test]
async fn a_call_is_announced_under_the_full_name_else_the_username() {
    let world = World::new().await;
    let room = world.direct(&world.anna, &world.ben).await;
    let url = format!("http://{}/api/v4/users/me/patch", world.addr());
    let profile = json!({"first_name": "", "last_name": "", "nickname": "Annie"});
    let request = world.http.put(url).bearer_auth(&world.anna.token);
    assert_eq!(request.json(&profile).send().await.unwrap().status(), 200);
    let mut anna = world.connect(&world.anna).await;
    anna.join(&room).await;
    let post = call_post(&world, &world.ben, &room).await;
    assert_eq!(post["message"], "anna started a call");
}

#[tokio::test]
async fn a_call_that_was_taken_names_both_and_stays_in_its_thread() {
    let world = World::new().await;
    let room = world.direct(&world.anna, &world.ben).await;
    let body = json!({"channel_id": room, "message": "call me?"});
    let (_, root) = world.chat_post(&world.ben, "/posts", body).await;
    let mut anna = world.connect(&world.anna).await;
    anna.ask_to_join_in_thread(&room, "Budget", root["id"].as_str().unwrap())
        .await;
    let state = anna.state().await;
    assert_eq!(state["thread_id"], root["id"]);
    let mut ben = world.connect(&world.ben).await;
    ben.join(&room).await;
    anna.act(&Action::Leave).await;
    ben.act(&Action::Leave).await;
    let post = ended(&world, &world.anna, &room).await;
    assert_eq!(post["id"], state["post_id"]);
    assert_eq!(post["root_id"], root["id"]);
    assert_eq!(post["props"]["title"], "Budget");
    let mut both = [world.anna.id.as_str(), world.ben.id.as_str()];
    both.sort_unstable();
    assert_eq!(post["props"]["participants"], json!(both));
    let lasted =
        post["props"]["end_at"].as_i64().unwrap() - post["props"]["start_at"].as_i64().unwrap();
    assert!((0..60_000).contains(&lasted), "{lasted}");
}

#[tokio::test]
async fn in_test_mode_only_administrators_start_calls_and_everybody_joins_them() {
    let world = World::with(None, |raw| raw.calls.default_enabled = false).await;
    let mut anna = world.connect(&world.anna).await;
    anna.ask_to_join(&world.channel, None).await;
    let refused = anna.wait_for("error").await;
    assert_eq!(refused.data["data"], "insufficient permissions");
    assert_eq!(refused.data["connID"], anna.connection.as_str());
    let mut admin = world.connect(&world.admin).await;
    admin.join(&world.channel).await;
    anna.join(&world.channel).await;
    // Where calls are switched on, everybody starts them; nobody else may switch them.
    let room = world.direct(&world.anna, &world.ben).await;
    let switch = format!("/{room}");
    let on = json!({"enabled": true});
    assert_eq!(world.post(&world.anna, &switch, on.clone()).await.0, 403);
    assert_eq!(world.post(&world.admin, &switch, on).await.0, 200);
    let mut ben = world.connect(&world.ben).await;
    ben.join(&room).await;
}

/// What two clients that never went away see, and one that was away for a while, is the same.
#[tokio::test]
async fn the_state_after_a_reconnect_is_the_state_of_those_who_stayed() {
    let world = World::new().await;
    let (mut anna, ben) = world.anna_and_ben().await;
    let session = ben.connection.clone();
    drop(ben);
    // Meanwhile:
    anna.act(&Action::Unmute).await;
    anna.act(&Action::RaiseHand).await;
    let stream = "screen".to_owned();
    anna.act(&Action::ScreenOn { stream }).await;
    let mut admin = world.connect(&world.admin).await;
    admin.join(&world.channel).await;
    let make = json!({"new_host_id": world.admin.id});
    let path = world.call_path("host/make");
    assert_eq!(world.post(&world.anna, &path, make).await.0, 200);
    let mut back = world.connect(&world.ben).await;
    back.reconnect_as(&world.channel, &session).await;
    world.rtcd.wait_for(&session, "reconnect").await;

    let asked = |mut client: Client| {
        let channel = world.channel.clone();
        async move {
            client.events.clear();
            client.act(&Action::CallState { channel }).await;
            let mut state = client.state().await;
            let sessions = state["sessions"].as_array_mut().unwrap();
            sessions.sort_by_key(|one| one["session_id"].as_str().unwrap().to_owned());
            (client, state)
        }
    };
    let (mut back, of_back) = asked(back).await;
    let (_anna, of_anna) = asked(anna).await;
    let (_admin, of_admin) = asked(admin).await;
    assert_eq!(of_back, of_anna);
    assert_eq!(of_back, of_admin);
    assert_eq!(of_back["sessions"].as_array().unwrap().len(), 3);
    assert_eq!(of_back["host_id"], world.admin.id.as_str());
    assert!(of_back["screen_sharing_session_id"].is_string());
    // It is the same session still, on the new connection.
    back.act(&Action::Unmute).await;
    let heard = back.wait_for("user_unmuted").await;
    assert_eq!(heard.data["session_id"], session.as_str());
}
