//! Who hears what: a row for every event.

use std::collections::BTreeSet;

use proto::calls::action::{Action, Caption, Emoji};
use serde_json::json;

use super::{PEOPLE, Scene, screen_on, stream, world};
use crate::client::short;
use crate::world::{World, until};

/// Who hears an event, as bits in the order of the columns: `m` for those who do.
#[rustfmt::skip]
pub(super) const EVENTS: &[(&str, &str)] = &[
    ("join",               "...mmmm"),
    ("error",              ".m....."),
    ("signal",             "....m.."),
    ("call_start",         "m..mmmm"),
    ("call_state",         "...mmmm"),
    ("call_end",           "m..mmmm"),
    ("user_joined",        "m..mmmm"),
    ("user_left",          "m..mmmm"),
    ("user_muted",         "...mmmm"),
    ("user_unmuted",       "...mmmm"),
    ("user_voice_on",      "...mmmm"),
    ("user_voice_off",     "...mmmm"),
    ("user_screen_on",     "...mmmm"),
    ("user_screen_off",    "...mmmm"),
    ("user_video_on",      "...mmmm"),
    ("user_video_off",     "...mmmm"),
    ("user_raise_hand",    "...mmmm"),
    ("user_unraise_hand",  "...mmmm"),
    ("user_reacted",       "...mmmm"),
    ("call_host_changed",  "...mmmm"),
    ("call_job_state",     "...mmmm"),
    ("user_dismissed_notification", "m......"),
    ("job_stop",           "......m"),
    ("job_pause",          "......m"),
    ("job_resume",         "......m"),
    ("caption",            "...mmmm"),
    ("host_mute",          "...m..."),
    ("host_screen_off",    "...m..."),
    ("host_lower_hand",    "...m..."),
    ("host_removed",       "...mmmm"),
    // Of media hosts that are nodes of a cluster only: tests/browser/media_nodes.test.mjs.
    ("media_moves",        "......."),
    ("channel_enable_voice",  "m..mmmm"),
    ("channel_disable_voice", "m..mmmm"),
];

#[tokio::test]
async fn every_event_is_heard_by_those_of_the_table_only() {
    let world = world().await;
    let mut heard: Vec<BTreeSet<String>> = vec![BTreeSet::new(); PEOPLE.len()];
    let scene = everything_happens(&world, &mut heard).await;
    drop(scene);
    let mut wrong = Vec::new();
    for (name, cells) in EVENTS {
        for (at, cell) in cells.chars().enumerate() {
            if heard[at].contains(*name) != (cell == 'm') {
                wrong.push(format!(
                    "`{name}` and {}: the table says `{cell}`",
                    PEOPLE[at]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Notes what everybody was sent so far.
async fn note(scene: &mut Scene, heard: &mut [BTreeSet<String>]) {
    for (client, heard) in scene.clients.iter_mut().zip(heard) {
        client.settled().await;
        heard.extend(client.events.drain(..).map(|event| short(&event)));
    }
}

/// What participants, their host and the bot do in the middle of a call.
async fn people_and_bot_act(world: &World, scene: &mut Scene, heard: &mut [BTreeSet<String>]) {
    let channel = scene.channel.clone();
    let path = |rest: &str| format!("/calls/{channel}/{rest}");
    let member = json!({"session_id": scene.session(3)});
    scene.clients[1].ask_to_join(&channel, None).await;
    scene.clients[4].offer().await;
    scene.clients[4].wait_for("signal").await;
    heard[4].insert("signal".to_owned());
    let session = scene.session(3).to_string();
    world.rtcd.voice(&session, true);
    world.rtcd.voice(&session, false);
    scene.witness.wait_for("user_voice_off").await;
    let emoji = Emoji {
        name: "wave".to_owned(),
        ..Emoji::default()
    };
    for action in [
        Action::Unmute,
        Action::Mute,
        Action::Unmute,
        Action::RaiseHand,
        screen_on(),
        Action::VideoOn { stream: stream() },
        Action::VideoOff,
        Action::React(emoji),
    ] {
        scene.clients[3].act(&action).await;
    }
    scene.witness.wait_for("user_reacted").await;
    for control in ["mute", "screen-off", "lower-hand"] {
        let (host, path) = (&scene.people[4], path(&format!("host/{control}")));
        assert_eq!(world.post(host, &path, member.clone()).await.0, 200);
    }
    scene.clients[3].act(&Action::ScreenOff).await;
    scene.clients[3].act(&Action::UnraiseHand).await;
    scene.witness.wait_for("user_unraise_hand").await;
    let (session, text) = (scene.session(3), "hi".to_owned());
    let caption = Caption {
        session,
        text,
        new_audio_len_ms: 1.0,
        line: None,
    };
    scene.clients[6].act(&Action::Caption(caption)).await;
    scene.witness.wait_for("caption").await;
}

/// A call in which everything happens that is told of.
async fn everything_happens(world: &World, heard: &mut [BTreeSet<String>]) -> Scene {
    // The clients of a scene wait for events, and forget what came before: a second call shows it.
    let mut scene = Scene::begin(world).await;
    let channel = scene.channel.clone();
    let path = |rest: &str| format!("/calls/{channel}/{rest}");
    let member = json!({"session_id": scene.session(3)});
    people_and_bot_act(world, &mut scene, heard).await;
    let dismiss = path("dismiss-notification");
    assert_eq!(
        world.post(&scene.people[0], &dismiss, json!({})).await.0,
        200
    );
    let switch = format!("/{channel}");
    for enabled in [false, true] {
        let body = json!({"enabled": enabled});
        assert_eq!(world.post(&scene.people[5], &switch, body).await.0, 200);
    }
    let make = json!({"new_host_id": scene.people[5].id});
    assert_eq!(
        world
            .post(&scene.people[4], &path("host/make"), make)
            .await
            .0,
        200
    );
    note(&mut scene, heard).await;
    let status = format!("/bot{}", path(&format!("jobs/{}/status", scene.recording)));
    let started = json!({"JobType": "recording", "Status": "started"});
    assert_eq!(world.post(&scene.people[6], &status, started).await.0, 200);
    for action in ["pause", "resume", "stop"] {
        let action = path(&format!("recording/{action}"));
        assert_eq!(
            world.post(&scene.people[5], &action, json!({})).await.0,
            200
        );
    }
    let remove = path("host/remove");
    assert_eq!(world.post(&scene.people[5], &remove, member).await.0, 200);
    note(&mut scene, heard).await;
    scene.clients[3].act(&Action::Leave).await;
    scene.witness.wait_for("user_left").await;
    scene.clients[3].ask_to_join(&channel, None).await;
    scene.clients[3].settled().await;
    assert_eq!(
        world
            .post(&scene.people[5], &path("host/end"), json!({}))
            .await
            .0,
        200
    );
    note(&mut scene, heard).await;
    for at in [3, 4, 5, 6] {
        scene.clients[at].act(&Action::Leave).await;
    }
    scene.witness.act(&Action::Leave).await;
    scene.recorder.act(&Action::Leave).await;
    until("the first call is over", || world.rtcd.sessions() == 0).await;
    // How it begins.
    for at in [4, 3, 5] {
        scene.clients[at].ask_to_join(&channel, None).await;
        scene.clients[at].wait_until_seen("call_state").await;
    }
    scene.clients[4].wait_until_seen("user_joined").await;
    // The bot's own join was waited for when the scene began.
    heard[6].extend(["join", "call_state"].map(str::to_owned));
    note(&mut scene, heard).await;
    scene
}
