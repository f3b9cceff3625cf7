//! Joining, leaving, signals, coming back.

use proto::calls::action::{Action, Emoji};
use settings::Link;

use crate::world::World;

#[tokio::test]
async fn the_starter_sees_the_events_of_a_new_call_in_order() {
    let world = World::new().await;
    let mut anna = world.connect(&world.anna).await;
    anna.ask_to_join(&world.channel, None).await;

    let names = anna.names_until("call_state").await;

    let order = [
        "call_host_changed",
        "posted",
        "call_start",
        "join",
        "user_joined",
        "call_state",
    ];
    assert_eq!(names, order);
    world.rtcd.wait_for(&anna.connection, "join").await;
    assert_eq!(world.rtcd.registered().len(), 1);
}

#[tokio::test]
async fn a_later_one_gets_join_then_user_joined_then_the_state_with_both() {
    let world = World::new().await;
    let mut anna = world.connect(&world.anna).await;
    anna.join(&world.channel).await;
    let mut ben = world.connect(&world.ben).await;
    ben.ask_to_join(&world.channel, None).await;

    let joined = ben.wait_for("join").await;
    assert_eq!(joined.data["connID"], ben.connection.as_str());
    let news = ben.wait_for("user_joined").await;
    assert_eq!(news.data["channelID"], world.channel.as_str());
    let state = ben.state().await;

    assert_eq!(state["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(state["host_id"], world.anna.id.as_str());
    assert_eq!(state["owner_id"], world.anna.id.as_str());
    assert_eq!(state["thread_id"], state["post_id"]);
    assert_eq!(
        anna.wait_for("user_joined").await.data["user_id"],
        world.ben.id.as_str()
    );
}

#[tokio::test]
async fn offers_and_answers_pass_between_client_and_media_host() {
    let world = World::new().await;
    let mut anna = world.connect(&world.anna).await;
    anna.join(&world.channel).await;
    anna.offer().await;

    let signal = anna.wait_for("signal").await;

    assert_eq!(signal.data["connID"], anna.connection.as_str());
    assert!(
        signal.data["data"]
            .as_str()
            .unwrap()
            .contains("\"type\":\"answer\"")
    );
    let candidate = r#"{"candidate":"candidate:1 1 udp 1 127.0.0.1 9 typ host","sdpMid":"0"}"#;
    anna.act(&Action::Ice {
        candidate: r#"{"candidate":""}"#.to_owned(),
    })
    .await;
    anna.act(&Action::Ice {
        candidate: candidate.to_owned(),
    })
    .await;
    anna.act(&Action::Unmute).await;
    world.rtcd.wait_for(&anna.connection, "Unmute").await;
    // The end of candidates is not passed on.
    let expected = ["join", "Sdp", "Ice", "Unmute"];
    assert_eq!(world.rtcd.kinds(&anna.connection), expected);
}

#[tokio::test]
async fn everybody_hears_of_mute_hand_reaction_voice_and_screen() {
    let world = World::new().await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    let session = anna.connection.clone();

    anna.act(&Action::Unmute).await;
    assert_eq!(
        ben.wait_for("user_unmuted").await.data["userID"],
        world.anna.id.as_str()
    );
    anna.act(&Action::RaiseHand).await;
    assert!(
        ben.wait_for("user_raise_hand").await.data["raised_hand"]
            .as_i64()
            .unwrap()
            > 0
    );
    let emoji = Emoji {
        name: "wave".to_owned(),
        ..Emoji::default()
    };
    anna.act(&Action::React(emoji)).await;
    assert_eq!(
        ben.wait_for("user_reacted").await.data["emoji"]["name"],
        "wave"
    );
    world.rtcd.voice(&session, true);
    assert_eq!(
        ben.wait_for("user_voice_on").await.data["session_id"],
        session.as_str()
    );
    anna.act(&Action::ScreenOn {
        stream: "screen-1".to_owned(),
    })
    .await;
    assert_eq!(
        ben.wait_for("user_screen_on").await.data["session_id"],
        session.as_str()
    );
    world.rtcd.wait_for(&session, "ScreenOn").await;

    // One presenter at a time.
    ben.act(&Action::ScreenOn {
        stream: "screen-2".to_owned(),
    })
    .await;
    ben.act(&Action::CallState {
        channel: world.channel.clone(),
    })
    .await;
    let state = ben.state().await;
    assert_eq!(state["screen_sharing_session_id"], session.as_str());
    assert_eq!(state["sessions"].as_array().unwrap().len(), 2);
    assert!(
        !world
            .rtcd
            .kinds(&ben.connection)
            .contains(&"ScreenOn".to_owned())
    );

    anna.act(&Action::Leave).await;
    assert!(
        !ben.wait_for("user_screen_off")
            .await
            .data
            .contains_key("session_id")
    );
    assert_eq!(
        ben.wait_for("user_left").await.data["session_id"],
        session.as_str()
    );
    assert_eq!(
        ben.wait_for("call_host_changed").await.data["hostID"],
        world.ben.id.as_str()
    );
    world.rtcd.wait_for(&session, "leave").await;
}

#[tokio::test]
async fn a_client_that_comes_back_keeps_its_session() {
    let world = World::new().await;
    let (mut anna, ben) = world.anna_and_ben().await;
    let session = ben.connection.clone();
    drop(ben);

    let mut again = world.connect(&world.ben).await;
    again.reconnect_as(&world.channel, &session).await;
    world.rtcd.wait_for(&session, "reconnect").await;
    again.act(&Action::Unmute).await;

    let unmuted = anna.wait_for("user_unmuted").await;
    assert_eq!(unmuted.data["session_id"], session.as_str());
    anna.nothing_of("user_left", &world.channel).await;
    again.act(&Action::Leave).await;
    assert_eq!(
        anna.wait_for("user_left").await.data["session_id"],
        session.as_str()
    );
}

#[tokio::test]
async fn nobody_takes_over_the_session_of_another() {
    let world = World::new().await;
    let (anna, _ben) = world.anna_and_ben().await;
    let cora = world.newcomer("cora").await;
    let mut thief = world.connect(&cora).await;

    thief.reconnect_as(&world.channel, &anna.connection).await;
    thief.act(&Action::Unmute).await;
    thief
        .act(&Action::CallState {
            channel: world.channel.clone(),
        })
        .await;

    let state = thief.state().await;
    let sessions = state["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    assert!(sessions.iter().all(|session| session["unmuted"] == false));
}

#[tokio::test]
async fn a_session_that_stays_away_ends_after_its_grace() {
    let world = World::new().await;
    let (mut anna, ben) = world.anna_and_ben().await;
    let session = ben.connection.clone();
    drop(ben);

    // Ten seconds of grace, and the patience of `wait_for` is ten: two rounds.
    let left = tokio::time::timeout(std::time::Duration::from_secs(20), async {
        loop {
            anna.act(&Action::CallState {
                channel: world.channel.clone(),
            })
            .await;
            if anna.state().await["sessions"].as_array().unwrap().len() == 1 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    });
    left.await.expect("the session ended");
    world.rtcd.wait_for(&session, "leave").await;
}

#[tokio::test]
async fn what_the_media_host_closes_is_gone_at_once() {
    let world = World::new().await;
    let (mut anna, ben) = world.anna_and_ben().await;

    world.rtcd.close(&ben.connection);

    let left = anna.wait_for("user_left").await;
    assert_eq!(left.data["session_id"], ben.connection.as_str());
}

#[tokio::test]
async fn a_media_host_that_comes_back_is_told_of_the_sessions_and_missing_ones_end() {
    let world = World::new().await;
    let (mut anna, ben) = world.anna_and_ben().await;
    world.rtcd.wait_for(&ben.connection, "join").await;
    world.rtcd.forget(&ben.connection);
    world.rtcd.drop_connections();

    world.rtcd.wait_for(&anna.connection, "reconnect").await;

    let left = anna.wait_for("user_left").await;
    assert_eq!(left.data["session_id"], ben.connection.as_str());
    assert_eq!(world.rtcd.connections(), 2);
    assert_eq!(world.rtcd.registered().len(), 1);
}

#[tokio::test]
async fn joins_are_refused_in_words() {
    let world = World::new().await;
    let stranger = world.stranger("stranger").await;
    let mut outside = world.connect(&stranger).await;
    outside.ask_to_join(&world.channel, None).await;
    let refused = outside.wait_for("error").await;
    assert_eq!(refused.data["data"], "forbidden");
    assert_eq!(refused.data["connID"], outside.connection.as_str());

    let mut anna = world.connect(&world.anna).await;
    anna.join(&world.channel).await;
    anna.ask_to_join(&world.channel, None).await;
    assert_eq!(
        anna.wait_for("error").await.data["data"],
        "session is already connected"
    );

    let bot = world.bot().await;
    let mut bot = world.connect(&bot).await;
    bot.ask_to_join(&world.channel, None).await;
    let refused = bot.wait_for("error").await;
    assert_eq!(
        refused.data["data"],
        "JobID should not be empty for bot connections"
    );
    bot.ask_to_join(&world.channel, Some("unknownjob")).await;
    assert_eq!(
        bot.wait_for("error").await.data["data"],
        "no job in progress"
    );
}

#[tokio::test]
async fn a_call_without_media_host_is_refused_with_the_reason() {
    let world = World::with(None, |raw| {
        raw.rtcd.urls = vec![Link("http://127.0.0.1:9".to_owned())]
    })
    .await;
    let mut anna = world.connect(&world.anna).await;
    anna.ask_to_join(&world.channel, None).await;
    let refused = anna.wait_for("error").await;
    let text = refused.data["data"].as_str().unwrap();
    assert!(
        text.starts_with("failed to get rtcd host: media host http://127.0.0.1:9"),
        "{text}"
    );
    let ready = world
        .http
        .get(format!("http://{}/readyz", world.addr()))
        .send()
        .await
        .unwrap();
    assert_eq!(ready.status(), 503);
}

#[tokio::test]
async fn the_last_to_leave_ends_the_call_and_its_post_says_so() {
    let world = World::new().await;
    let mut anna = world.connect(&world.anna).await;
    let state = anna.join(&world.channel).await;
    anna.act(&Action::Leave).await;
    anna.wait_for("user_left").await;

    let edited = anna.wait_for("post_edited").await;

    let post: serde_json::Value =
        serde_json::from_str(edited.data["post"].as_str().unwrap()).unwrap();
    assert_eq!(post["id"], state["post_id"]);
    assert_eq!(post["message"], "Call ended");
    assert!(
        post["props"]["end_at"].as_i64().unwrap() >= post["props"]["start_at"].as_i64().unwrap()
    );
    assert_eq!(
        post["props"]["participants"],
        serde_json::json!([world.anna.id])
    );
    let (_, active) = world.get(&world.anna, &world.call_path("active")).await;
    assert_eq!(active["active"], false);
}

#[tokio::test]
async fn a_revoked_login_ends_its_sessions() {
    let world = World::new().await;
    let (mut anna, _ben) = world.anna_and_ben().await;
    let logout = format!("http://{}/api/v4/users/logout", world.addr());
    let request = world.http.post(logout).bearer_auth(&world.ben.token);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let left = anna.wait_for("user_left").await;
    assert_eq!(left.data["user_id"], world.ben.id.as_str());
}

#[tokio::test]
async fn whoever_is_removed_from_the_channel_leaves_its_call_and_hears_it() {
    let world = World::new().await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    let member = format!(
        "http://{}/api/v4/channels/{}/members/{}",
        world.addr(),
        world.channel,
        world.ben.id
    );
    let request = world.http.delete(member).bearer_auth(&world.admin.token);
    assert_eq!(request.send().await.unwrap().status(), 200);
    for client in [&mut anna, &mut ben] {
        let left = client.wait_for("user_left").await;
        assert_eq!(left.data["user_id"], world.ben.id.as_str());
        assert_eq!(left.data["channelID"], world.channel.as_str());
    }
    world.rtcd.wait_for(&ben.connection, "leave").await;
}
