//! What is wrong is answered or dropped, and nobody else notices.

use proto::calls::NAME_PREFIX;
use proto::calls::action::Action;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::world::World;

#[tokio::test]
async fn broken_actions_change_nothing_for_anybody() {
    let world = World::new().await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    let text = |action: &str, data: serde_json::Value| {
        let frame = json!({"action": format!("{NAME_PREFIX}{action}"), "seq": 1, "data": data});
        Message::Text(frame.to_string().into())
    };
    for message in [
        text("join", json!({})),
        text("join", json!({"channelID": 7})),
        text("join", json!({"channelID": "x".repeat(500)})),
        text("reconnect", json!({"channelID": world.channel})),
        text("sdp", json!({"data": "an offer in a text frame"})),
        text("ice", json!({"data": "no json"})),
        text("ice", json!({"data": {}})),
        text("screen_on", json!({"data": "{}"})),
        text("react", json!({"data": "[]"})),
        text(
            "caption",
            json!({"session_id": anna.connection, "text": "forged"}),
        ),
        text("metric", json!({"metric_name": "made_up"})),
        text("call_state", json!({"channelID": ["x"]})),
        text("no_such_action", json!({})),
        text("mute", json!(null)),
        text("leave_now", json!({"channelID": world.channel})),
    ] {
        assert!(ben.send_raw(message).await);
    }
    for seed in 0_u8..32 {
        let bytes: Vec<u8> = (0..64_u8)
            .map(|i| i.wrapping_mul(seed).wrapping_add(seed))
            .collect();
        let frame = Action::Sdp(proto::rtcd::SessionDescription {
            kind: proto::rtcd::SdpKind::Offer,
            sdp: String::new(),
        });
        let mut frame = frame.to_frame(1);
        frame
            .data
            .insert("data".to_owned(), proto::calls::Field::Bytes(bytes));
        ben.send_raw(Message::Binary(frame.encode_binary().into()))
            .await;
    }

    ben.act(&Action::RaiseHand).await;

    // Of all that, people see the hand and the one well-formed mute.
    anna.wait_for("user_muted").await;
    let hand = anna.wait_for("user_raise_hand").await;
    assert_eq!(hand.data["session_id"], ben.connection.as_str());
    anna.nothing_of("caption", &world.channel).await;
    assert!(
        !world
            .rtcd
            .kinds(&ben.connection)
            .contains(&"Sdp".to_owned())
    );
}

#[tokio::test]
async fn a_zip_bomb_is_not_inflated() {
    use std::io::Write as _;
    let world = World::new().await;
    let mut anna = world.connect(&world.anna).await;
    anna.join(&world.channel).await;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(br#"{"type":"offer","sdp":""#).unwrap();
    encoder.write_all(&vec![b'a'; 4 << 20]).unwrap();
    encoder.write_all(br#""}"#).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 8000);
    let mut frame = Action::Leave.to_frame(1);
    frame.action = format!("{NAME_PREFIX}sdp");
    frame
        .data
        .insert("data".to_owned(), proto::calls::Field::Bytes(bomb));
    anna.send_raw(Message::Binary(frame.encode_binary().into()))
        .await;
    anna.offer().await;
    anna.wait_for("signal").await;
    let offers = world.rtcd.kinds(&anna.connection);
    assert_eq!(offers.iter().filter(|kind| *kind == "Sdp").count(), 1);
}

#[tokio::test]
async fn a_flood_of_one_session_is_cut_and_others_do_not_feel_it() {
    let world = World::new().await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    for _ in 0..300 {
        ben.act(&Action::RaiseHand).await;
    }
    anna.act(&Action::Unmute).await;
    ben.wait_for("user_unmuted").await;
    let counted = "actions_refused_total{reason=\"rate_limit\"";
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while !world.metrics().await.contains(counted) {
        assert!(tokio::time::Instant::now() < deadline, "nothing was cut");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_frame_over_the_limit_closes_only_its_own_connection() {
    let world = World::new().await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    ben.send_raw(Message::Text("x".repeat(9000).into())).await;
    ben.closed().await;
    anna.act(&Action::Unmute).await;
    anna.wait_for("user_unmuted").await;
}

#[tokio::test]
async fn every_route_answers_nonsense_with_json() {
    let world = World::with_jobs().await;
    let bot = world.bot().await;
    let (_anna, _ben) = world.anna_and_ben().await;
    let nonsense: &[&[u8]] = &[
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\x00\xfe",
        b"{\"session_id\":7}",
    ];
    let unknown = "/calls/qqqqqqqqqqqqqqqqqqqqqqqqqq";
    for body in nonsense {
        for path in [
            "/bot/uploads".to_owned(),
            "/bot/uploads/unknown".to_owned(),
            format!("/bot{}", world.call_path("recordings")),
            format!("/bot{}", world.call_path("transcriptions")),
            format!("/bot{}", world.call_path("jobs/x/status")),
            world.call_path("host/make"),
            world.call_path("host/mute"),
            world.call_path("host/remove"),
            world.call_path("host/unknown"),
            world.call_path("recording/unknown"),
            format!("{unknown}/host/end"),
            format!("{unknown}/recording/start"),
            format!("{unknown}/dismiss-notification"),
            "/qqqqqqqqqqqqqqqqqqqqqqqqqq".to_owned(),
        ] {
            let (status, told) = world.post_bytes(&bot, &path, body.to_vec()).await;
            assert!((400..500).contains(&status), "{path}: {status} {told}");
            assert!(told["message"].is_string(), "{path}: {told}");
        }
    }
    let large = vec![b' '; (1 << 20) + 1];
    let (status, told) = world
        .post_bytes(&bot, &world.call_path("host/mute"), large)
        .await;
    assert_eq!(status, 413);
    assert!(told["message"].is_string(), "{told}");
    let (_, active) = world.get(&bot, &world.call_path("active")).await;
    assert_eq!(active["active"], true);
}
