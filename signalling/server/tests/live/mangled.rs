//! Frames that no client would send, the same ones every time: the server stays up, a call beside them
//! goes on, and nothing piles up.

use std::process::Command;

use proto::calls::action::{Action, Caption, Emoji, Join, Metric, MetricName, Reconnect};
use proto::calls::frame::ClientFrame;
use proto::calls::{Field, NAME_PREFIX};
use proto::id::{ChannelId, ConnId, SessionId};
use proto::rtcd::{SdpKind, SessionDescription};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::client::Client;
use crate::world::World;

const SEED: u64 = 20_261_128;
/// Connections one after the other, and frames on each: as many as a session may send at once.
const CONNECTIONS: usize = 40;
const FRAMES: usize = 100;
/// What the process may have grown by from the first quarter to the end.
const GROWTH_KIB: u64 = 32 << 10;
/// The name of the test below that is run in a process of its own, so that its memory is its own.
const INNER: &str = "mangled::a_call_goes_on_beside_mangled_frames";

#[test]
fn mangled_frames_neither_stop_the_server_nor_pile_up() {
    let tests = std::env::current_exe().unwrap();
    let mut inner = Command::new(tests);
    inner.args(["--exact", INNER, "--ignored", "--nocapture"]);
    let done = inner.output().unwrap();
    let told = String::from_utf8_lossy(&done.stdout);
    let trouble = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{told}\n{trouble}");
    assert!(told.contains("1 passed"), "nothing was run: {told}");
}

#[tokio::test]
#[ignore = "run by the test above, in a process of its own"]
async fn a_call_goes_on_beside_mangled_frames() {
    let world = World::with(None, |raw| {
        raw.gateway.frames_per_second = 10_000;
        raw.gateway.frames_per_second_per_person = 100_000;
    })
    .await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    let mallory = world.newcomer("mallory").await;
    let mut random = StdRng::seed_from_u64(SEED);
    let mut at_first = 0;
    for round in 0..CONNECTIONS {
        let mut client = world.connect(&mallory).await;
        if random.random_bool(0.7) {
            client.join(&world.channel).await;
        }
        for _ in 0..FRAMES {
            let frame = sample(&mut random, &world.channel, &client, &anna);
            // Refused where the server has cut it off.
            client.send_raw(mangled(&mut random, frame)).await;
        }
        drop(client);
        for (action, event) in [
            (Action::Unmute, "user_unmuted"),
            (Action::Mute, "user_muted"),
        ] {
            anna.act(&action).await;
            // Mallory may have said the same.
            let own = anna.connection.clone();
            while ben.wait_for(event).await.data["session_id"] != own.as_str() {}
            while anna.wait_for(event).await.data["session_id"] != own.as_str() {}
        }
        if round == CONNECTIONS / 4 {
            at_first = resident_kib();
        }
    }
    let grown = resident_kib().saturating_sub(at_first);
    assert!(grown < GROWTH_KIB, "grown by {grown} KiB");
    let metrics = world.metrics().await;
    // Neither was all of it thrown out at the first byte, nor was nothing wrong with any.
    for figure in [
        "cut_off_total{reason=\"bad_frame\"} ",
        "actions_refused_total{reason=\"undecodable\",",
        "websocket_events_total{direction=\"in\",type=\"react\"} ",
    ] {
        assert!(metrics.contains(figure), "{figure}: {metrics}");
    }
    for bad in metrics
        .lines()
        .filter(|line| line.contains("_panics_total"))
    {
        assert!(bad.starts_with('#') || bad.ends_with(" 0"), "{bad}");
    }
    assert_eq!(
        world.running.health().troubles().await,
        Vec::<String>::new()
    );
    // Mallory's last session is still being waited for; nobody else was made up.
    let (_, channel) = world.get(&world.anna, &format!("/{}", world.channel)).await;
    let sessions = channel["call"]["sessions"].as_array().unwrap();
    let known = [&world.anna.id, &world.ben.id, &mallory.id];
    let of_somebody =
        |session: &&Value| known.iter().any(|user| session["user_id"] == user.as_str());
    assert_eq!(sessions.iter().filter(of_somebody).count(), sessions.len());
    let own = |person: &str| sessions.iter().any(|one| one["session_id"] == person);
    assert!(
        own(&anna.connection) && own(&ben.connection),
        "{sessions:?}"
    );
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

/// A frame as a client would send it, about its own session or somebody else's.
fn sample(random: &mut StdRng, channel: &ChannelId, own: &Client, other: &Client) -> ClientFrame {
    let whose = if random.random_bool(0.5) { own } else { other };
    let connection = ConnId::parse(whose.connection.clone()).unwrap();
    let session = SessionId::parse(whose.connection.clone()).unwrap();
    let text = |kind: &str| format!("{kind}-{}", whose.connection);
    let action = match random.random_range(0..18) {
        0 => Action::Join(Join {
            channel: channel.clone(),
            title: text("title"),
            thread: None,
            job: None,
            av1_support: true,
            dc_signalling: true,
        }),
        1 => Action::Reconnect(Reconnect {
            channel: channel.clone(),
            original: connection.clone(),
            previous: connection,
        }),
        2 => Action::CallState {
            channel: channel.clone(),
        },
        3 | 4 => Action::Sdp(SessionDescription {
            kind: SdpKind::Offer,
            sdp: text("v=0"),
        }),
        5 | 6 => Action::Ice {
            candidate: json!({"candidate": text("candidate"), "sdpMid": "0"}).to_string(),
        },
        7 => Action::ScreenOn {
            stream: text("screen"),
        },
        8 => Action::VideoOn {
            stream: text("video"),
        },
        9 | 10 => Action::React(Emoji {
            name: text("+1"),
            ..Emoji::default()
        }),
        11 => Action::Caption(Caption {
            session,
            text: text("said"),
            new_audio_len_ms: 1.0,
            line: None,
        }),
        12 => Action::Metric(Metric {
            name: MetricName::ClientIceCandidatePair,
            session: Some(session),
            data: json!({"state": "succeeded", "local": {}, "remote": {}}).to_string(),
        }),
        13 => Action::RaiseHand,
        14 => Action::ScreenOff,
        15 => Action::VideoOff,
        16 => Action::Unmute,
        _ => Action::Mute,
    };
    action.to_frame(random.random_range(1..1000))
}

/// Mostly a frame with something wrong in it; now and then bytes of which no frame can be made.
fn mangled(random: &mut StdRng, mut frame: ClientFrame) -> Message {
    if random.random_bool(0.2) {
        let name: String = (0..random.random_range(0..20))
            .map(|_| random.random::<char>())
            .collect();
        frame.action = format!("{NAME_PREFIX}{name}");
    }
    let keys: Vec<String> = frame.data.keys().cloned().collect();
    for key in keys {
        if random.random_bool(0.5) {
            let made = made_up(random, 0);
            frame.data.insert(key, made);
        }
    }
    let binary = random.random_bool(0.5);
    let mut bytes = if binary {
        frame.encode_binary()
    } else {
        frame.encode_text().into_bytes()
    };
    if random.random_bool(0.005) {
        for _ in 0..random.random_range(1..8) {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) if !binary => Message::Text(text.into()),
        Ok(text) => Message::Binary(text.into_bytes().into()),
        Err(error) => Message::Binary(error.into_bytes().into()),
    }
}

/// A value of any kind.
fn made_up(random: &mut StdRng, depth: usize) -> Field {
    if random.random_bool(0.3) {
        let bytes = (0..random.random_range(0..600)).map(|_| random.random());
        return Field::Bytes(bytes.collect());
    }
    Field::Json(made_up_json(random, depth))
}

fn made_up_json(random: &mut StdRng, depth: usize) -> Value {
    let below = |random: &mut StdRng| made_up_json(random, depth + 1);
    match random.random_range(0..if depth > 4 { 6 } else { 8 }) {
        0 => Value::Null,
        1 => json!(random.random::<bool>()),
        2 => json!(random.random::<i64>()),
        3 => json!(random.random::<f64>() * 1e300),
        4 => {
            let length = random.random_range(0..200);
            let text: String = (0..length).map(|_| random.random::<char>()).collect();
            json!(text)
        }
        // Text that is JSON again, as some fields are.
        5 => json!(json!({"name": random.random::<u32>(), "candidate": [[]]}).to_string()),
        6 => (0..random.random_range(0..6))
            .map(|_| below(random))
            .collect(),
        _ => (0..random.random_range(0..6))
            .map(|at| (at.to_string(), below(random)))
            .collect(),
    }
}
