//! The WebSocket: signing in, resuming, and bad input that harms nobody but its sender.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::desk::{Client, Desk, Heard, Incoming, Socket, text};

fn without_token(client: &Client) -> Client {
    Client {
        token: String::new(),
        ..client.clone()
    }
}

fn message_of(event: &Value) -> String {
    let post: Value = serde_json::from_str(&text(&event["data"]["post"])).unwrap();
    text(&post["message"])
}

#[tokio::test]
async fn a_token_signs_in_by_header_cookie_or_challenge() {
    let desk = Desk::open().await;
    let anna = desk.person("anna").await;
    let mut by_header = anna.socket().await;
    assert_eq!(by_header.hello().await.len(), 26);

    let cookie = ("cookie", format!("MMAUTHTOKEN={}", anna.token));
    let mut by_cookie = Socket::open_at(anna.address, "", Some(cookie)).await;
    assert_eq!(by_cookie.hello().await.len(), 26);

    let mut by_challenge = without_token(&anna).resume("").await;
    let seq = by_challenge.act("ping", json!({})).await;
    let refused = by_challenge.reply(seq).await;
    assert_eq!(
        (refused["status"].as_str(), &refused["error"]["status_code"]),
        (Some("FAIL"), &json!(401))
    );
    let seq = by_challenge
        .act("authentication_challenge", json!({ "token": anna.token }))
        .await;
    assert_eq!(
        by_challenge.frame().await,
        json!({ "status": "OK", "seq_reply": seq })
    );
    let connection = by_challenge.hello().await;
    let seq = by_challenge.act("ping", Value::Null).await;
    let pong = by_challenge.reply(seq).await;
    assert_eq!(
        (pong["status"].as_str(), pong["data"]["text"].as_str()),
        (Some("OK"), Some("pong"))
    );
    assert!(pong["data"]["server_time"].as_i64() > Some(0));
    assert!(!connection.is_empty());

    let mut wrong = without_token(&anna).resume("").await;
    wrong
        .act("authentication_challenge", json!({ "token": "wrong" }))
        .await;
    assert_eq!(wrong.end().await, Some(1008));
}

#[tokio::test]
async fn who_does_not_sign_in_is_sent_away() {
    let desk = Desk::open().await;
    let anna = desk.person("anna").await;
    let mut silent = without_token(&anna).resume("").await;
    let begin = std::time::Instant::now();
    assert_eq!(silent.end().await, Some(1008));
    assert!(begin.elapsed() >= Duration::from_secs(4));
}

#[tokio::test]
async fn pages_of_other_origins_cannot_connect() {
    let desk =
        Desk::open_with(|config| config.allowed_origins = vec!["http://dev.example".into()]).await;
    let anna = desk.person("anna").await;
    let open = async |origin: String| {
        let request = anna.request(reqwest::Method::GET, "/websocket");
        let request = request
            .header("origin", origin)
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(open("http://evil.example".to_owned()).await, 403);
    assert_eq!(open("http://dev.example".to_owned()).await, 101);
    assert_eq!(open(format!("http://{}", desk.address)).await, 101);
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed() {
    let (desk, mut ear) = Desk::open_heard().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let mut socket = ben.socket().await;
    let connection = socket.hello().await;
    anna.say(&room, "one").await;
    let one = socket.event("posted").await;
    let seen = one["seq"].as_i64().unwrap();
    socket.cut();
    // the server must have noticed, or else it would still write to the dead socket
    while !matches!(ear.next().await, Heard::Disconnected { .. }) {}
    anna.say(&room, "two").await;
    anna.say(&room, "three").await;
    let query = format!("?connection_id={connection}&sequence_number={}", seen + 1);
    let mut back = ben.resume(&query).await;
    let seq = back
        .act("custom_com.mattermost.calls_reconnect", json!({}))
        .await;
    assert_eq!(seq, 1);
    let mut expected = seen + 1;
    let mut messages = Vec::new();
    while messages.len() < 2 {
        let frame = back.frame().await;
        assert_ne!(frame["event"], "hello");
        assert_eq!(frame["seq"], expected);
        expected += 1;
        if frame["event"] == "posted" {
            messages.push(message_of(&frame));
        }
    }
    assert_eq!(messages, ["two", "three"]);
    // signalling sees the same connection come back, then its action
    let mut kinds = Vec::new();
    while kinds.len() < 2 {
        match ear.next().await {
            Heard::Connected { connection: id, .. } => {
                assert_eq!(id.as_str(), connection);
                kinds.push("connected");
            }
            Heard::Action(action) => {
                assert_eq!(action.connection.as_str(), connection);
                kinds.push("action");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(kinds, ["connected", "action"]);
}

#[tokio::test]
async fn a_second_socket_takes_over_while_the_first_still_hangs() {
    let (desk, mut ear) = Desk::open_heard().await;
    let anna = desk.person("anna").await;
    let mut old = anna.socket().await;
    let connection = old.hello().await;
    let query = format!("?connection_id={connection}&sequence_number=1");
    let mut new = anna.resume(&query).await;
    assert!(old.end().await.is_some());
    let seq = new.act("ping", json!({})).await;
    assert_eq!(new.reply(seq).await["status"], "OK");
    let mut seen = Vec::new();
    while seen.len() < 3 {
        match ear.next().await {
            Heard::Connected { .. } => seen.push("connected"),
            Heard::Disconnected { .. } => seen.push("disconnected"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, ["connected", "disconnected", "connected"]);
}

#[tokio::test]
async fn unknown_and_foreign_connections_start_anew_and_half_a_resume_is_refused() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let mut socket = anna.socket().await;
    let connection = socket.hello().await;
    for id in ["abcdefghijklmnopqrstuvwxyz", connection.as_str()] {
        let query = format!("?connection_id={id}&sequence_number=1");
        let mut other = ben.resume(&query).await;
        assert_ne!(other.hello().await, id);
    }
    for query in [
        "",
        "&sequence_number=",
        "&sequence_number=x",
        "&sequence_number=-1",
    ] {
        let query = format!("?connection_id={connection}{query}");
        let mut half = anna.resume(&query).await;
        assert_eq!(half.end().await, Some(1008), "{query}");
    }
    let seq = socket.act("ping", json!({})).await;
    assert_eq!(socket.reply(seq).await["status"], "OK");
}

#[tokio::test]
async fn bad_input_ends_its_senders_socket_and_disturbs_nobody_else() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let mut witness = ben.socket().await;
    witness.hello().await;
    let bad = [
        Message::text("no json"),
        Message::text("[]"),
        Message::text(r#"{"action":1,"seq":1}"#),
        Message::binary(b"\xc1\xff\x00random".to_vec()),
        Message::binary(vec![0xdf, 0xff, 0xff, 0xff, 0xff]),
        Message::binary(vec![0x91; 4000]),
        Message::text(format!(
            r#"{{"action":"ping","seq":1,"data":{{"a":"{}"}}}}"#,
            "x".repeat(9000)
        )),
        Message::binary(vec![0; 9000]),
    ];
    for message in bad {
        let mut socket = anna.socket().await;
        socket.hello().await;
        let shown: String = format!("{message:?}").chars().take(60).collect();
        socket.send(message).await;
        let code = socket.end().await;
        assert!(
            matches!(code, Some(1003 | 1009) | None),
            "{shown}: {code:?}"
        );
    }
    // requests that can be read but not carried out are answered
    let mut socket = anna.socket().await;
    socket.hello().await;
    for (frame, id) in [
        (
            json!({ "seq": 1 }),
            "api.web_socket_router.no_action.app_error",
        ),
        (
            json!({ "action": "ping" }),
            "api.web_socket_router.bad_seq.app_error",
        ),
        (
            json!({ "action": "custom_x", "seq": 0 }),
            "api.web_socket_router.bad_seq.app_error",
        ),
        (
            json!({ "action": "none", "seq": 2 }),
            "api.web_socket_router.bad_action.app_error",
        ),
    ] {
        socket.send(Message::text(frame.to_string())).await;
        let reply = loop {
            let reply = socket.frame().await;
            if reply.get("event").is_none() {
                break reply;
            }
        };
        assert_eq!(
            (reply["status"].as_str(), reply["error"]["id"].as_str()),
            (Some("FAIL"), Some(id))
        );
    }
    let data = json!({ "channel_id": "unknown", "parent_id": "" });
    let seq = socket.act("user_typing", data).await;
    assert_eq!(socket.reply(seq).await["status"], "FAIL");
    let room = anna.town_square().await;
    anna.say(&room, "all is well").await;
    assert_eq!(message_of(&witness.event("posted").await), "all is well");
}

#[tokio::test]
async fn random_frames_never_stop_the_server() {
    let desk = Desk::open().await;
    let anna = desk.person("anna").await;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..40 {
        let mut socket = anna.socket().await;
        let bytes: Vec<u8> = (0..round * 7)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[0]
            })
            .collect();
        socket.binary(&bytes).await;
        assert!(socket.end().await.is_none_or(|code| code == 1003));
    }
    assert_eq!(anna.get("/users/me").await.0, 200);
}

#[tokio::test]
async fn typing_is_told_to_the_others_only() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let (mut to_anna, mut to_ben) = (anna.socket().await, ben.socket().await);
    to_anna.hello().await;
    to_ben.hello().await;
    let seq = to_anna
        .act(
            "user_typing",
            json!({ "channel_id": room, "parent_id": "" }),
        )
        .await;
    assert_eq!(to_anna.reply(seq).await["status"], "OK");
    let typing = to_ben.event("typing").await;
    assert_eq!(
        typing["data"],
        json!({ "parent_id": "", "user_id": anna.id })
    );
    assert_eq!(typing["broadcast"]["omit_users"], json!({ &anna.id: true }));
    let seq = to_anna.act("ping", json!({})).await;
    loop {
        let Incoming::Frame(frame) = to_anna.next().await else {
            panic!("the socket ended")
        };
        assert_ne!(frame["event"], "typing");
        if frame["seq_reply"] == seq {
            break;
        }
    }
}

#[tokio::test]
async fn a_flood_of_pings_is_answered_with_a_refusal() {
    let desk = Desk::open().await;
    let anna = desk.person("anna").await;
    let mut socket = anna.socket().await;
    socket.hello().await;
    let mut refused = 0;
    for _ in 0..1000 {
        let seq = socket.act("ping", json!({})).await;
        if socket.reply(seq).await["status"] == "FAIL" {
            refused += 1;
            break;
        }
    }
    assert!(refused > 0, "more than a hundred at once are too many");
}
