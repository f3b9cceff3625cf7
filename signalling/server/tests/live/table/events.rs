//! Who hears what, and with which data: a row for every event.

use std::collections::{BTreeMap, BTreeSet};

use proto::calls::action::{Action, Caption, Emoji};
use proto::calls::frame::EventFrame;
use serde_json::{Map, Value, json};

use super::actions::{Scene, screen_on, stream};
use super::{PEOPLE, world};
use crate::client::short;
use crate::world::{World, until};

/// Who hears an event, in the order of the columns: `m` for those who do; and the keys of its data,
/// those of an object within in braces. Where there are several forms, a stroke is between them.
#[rustfmt::skip]
pub(super) const EVENTS: &[(&str, &str, &str)] = &[
    ("join",               "...mmmmm.", "connID"),
    ("error",              ".m.......", "connID data"),
    ("signal",             "....m....", "connID data"),
    ("call_start",         "m..mmmmm.", "channelID host_id id owner_id post_id start_at thread_id"),
    // Asked for, and after a join.
    ("call_state",         "...mmmmm.", "call channelID channel_id | call channel_id"),
    ("call_end",           "m..mmmmm.", "channelID"),
    ("user_joined",        "m..mmmmm.", "channelID session_id user_id"),
    ("user_left",          "m..mmmmm.", "channelID session_id user_id"),
    ("user_muted",         "...mmmmm.", "channelID session_id userID"),
    ("user_unmuted",       "...mmmmm.", "channelID session_id userID"),
    ("user_voice_on",      "...mmmmm.", "channelID session_id userID"),
    ("user_voice_off",     "...mmmmm.", "channelID session_id userID"),
    ("user_screen_on",     "...mmmmm.", "channelID session_id userID"),
    ("user_screen_off",    "...mmmmm.", "channelID session_id userID"),
    ("user_video_on",      "...mmmmm.", "channelID session_id userID"),
    ("user_video_off",     "...mmmmm.", "channelID session_id userID"),
    ("user_raise_hand",    "...mmmmm.", "channelID raised_hand session_id userID"),
    ("user_unraise_hand",  "...mmmmm.", "channelID raised_hand session_id userID"),
    ("user_reacted",       "...mmmmm.", "channelID emoji{literal name skin unified} session_id timestamp user_id"),
    ("call_host_changed",  "...mmmmm.", "call_id channelID hostID"),
    ("call_job_state",     "...mmmmm.", "callID channelID jobState{end_at err init_at start_at type}"),
    ("user_dismissed_notification", "m........", "callID channelID userID"),
    ("job_stop",           "......m..", "channelID job_id"),
    ("job_pause",          "......m..", "channelID job_id"),
    ("job_resume",         "......m..", "channelID job_id"),
    ("caption",            "...mmmmm.", "channelID channel_id session_id text user_id"),
    ("host_mute",          "...m.....", "channelID channel_id host_id session_id"),
    ("host_screen_off",    "...m.....", "channelID channel_id host_id session_id"),
    ("host_lower_hand",    "...m.....", "call_id channelID channel_id host_id session_id"),
    ("host_removed",       "...mmmmm.", "call_id channelID channel_id session_id user_id"),
    // Of media hosts that are nodes of a cluster only: tests/browser/media_nodes.test.mjs.
    ("media_moves",        ".........", ""),
    ("channel_enable_voice",  "m..mmmmm.", "channelID"),
    ("channel_disable_voice", "m..mmmmm.", "channelID"),
];
/// Who hears that the member left, when they were taken out of the channel: they, too.
const LEFT_OF_REMOVED: &str = "m..mmmmm.";

/// What everybody was sent so far.
#[derive(Default)]
struct Heard {
    names: [BTreeSet<String>; PEOPLE.len()],
    forms: BTreeMap<String, BTreeSet<String>>,
}

impl Heard {
    fn hear(&mut self, at: usize, event: &EventFrame) {
        self.names[at].insert(short(event));
        let forms = self.forms.entry(short(event)).or_default();
        forms.insert(keys(&event.data));
    }

    fn form(&self, name: &str) -> String {
        let forms = self.forms.get(name).into_iter().flatten();
        forms.map(String::as_str).collect::<Vec<_>>().join(" | ")
    }
}

fn keys(data: &Map<String, Value>) -> String {
    let sorted: BTreeMap<_, _> = data.iter().collect();
    let keys = sorted.into_iter().map(|(key, value)| match value {
        Value::Object(within) => format!("{key}{{{}}}", keys(within)),
        _ => key.clone(),
    });
    keys.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn every_event_is_heard_by_those_of_the_table_only_and_says_what_it_says() {
    let world = world().await;
    let mut heard = Heard::default();
    let scene = everything_happens(&world, &mut heard).await;
    drop(scene);
    let mut wrong = Vec::new();
    for (name, cells, form) in EVENTS {
        for (at, cell) in cells.chars().enumerate() {
            if heard.names[at].contains(*name) != (cell == 'm') {
                let who = PEOPLE[at];
                wrong.push(format!("`{name}` and {who}: the table says `{cell}`"));
            }
        }
        let told = heard.form(name);
        if told != *form {
            wrong.push(format!("`{name}` has `{told}`: the table says `{form}`"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn that_somebody_left_who_was_removed_is_heard_once_by_those_of_the_table() {
    let world = world().await;
    let mut scene = Scene::begin(&world).await;
    for client in &mut scene.clients {
        client.settled().await;
        client.events.clear();
    }
    let (host, member) = (&scene.people[4], &scene.people[3]);
    world.remove(host, &scene.channel, member).await;
    scene.witness.wait_for("user_left").await;
    for (at, cell) in LEFT_OF_REMOVED.chars().enumerate() {
        let client = &mut scene.clients[at];
        client.settled().await;
        let left = client.events.iter().filter(|one| short(one) == "user_left");
        assert_eq!(left.count(), usize::from(cell == 'm'), "{}", PEOPLE[at]);
    }
}

/// Notes what everybody was sent so far.
async fn note(scene: &mut Scene, heard: &mut Heard) {
    for (at, client) in scene.clients.iter_mut().enumerate() {
        client.settled().await;
        for event in client.events.drain(..) {
            heard.hear(at, &event);
        }
    }
}

/// What participants, their host and the bot do in the middle of a call.
async fn people_and_bot_act(world: &World, scene: &mut Scene, heard: &mut Heard) {
    let channel = scene.channel.clone();
    let path = |rest: &str| format!("/calls/{channel}/{rest}");
    let member = json!({"session_id": scene.session(3)});
    scene.clients[1].ask_to_join(&channel, None).await;
    scene.clients[4].offer().await;
    heard.hear(4, &scene.clients[4].wait_for("signal").await);
    let asked = Action::CallState {
        channel: channel.clone(),
    };
    scene.clients[3].act(&asked).await;
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
async fn everything_happens(world: &World, heard: &mut Heard) -> Scene {
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
    for at in [3, 4, 5, 6, 7] {
        scene.clients[at].act(&Action::Leave).await;
    }
    scene.witness.act(&Action::Leave).await;
    scene.recorder.act(&Action::Leave).await;
    until("the first call is over", || world.rtcd.sessions() == 0).await;
    // How it begins.
    for at in [4, 3, 5, 7] {
        scene.clients[at].ask_to_join(&channel, None).await;
        scene.clients[at].wait_until_seen("call_state").await;
    }
    scene.clients[4].wait_until_seen("user_joined").await;
    // The bot's own join was waited for when the scene began.
    heard.names[6].extend(["join", "call_state"].map(str::to_owned));
    note(&mut scene, heard).await;
    scene
}
