//! A calls server's plugin against a node, step by step, in the order and in the bytes it uses.
//!
//! Messages are written and read here by hand: nothing of this test knows how the node encodes.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, too: a panic is how a test says no"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use futures_util::{SinkExt as _, StreamExt as _};
use rtcd::config::{HostOverride, PortOverride};
use rtcd::{Config, Running};
use serde_json::Value;
use service::telemetry::testing::{Discretion, Secrets};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

const CLIENT: &str = "9qk5s1nq7jnhpkqz3cyr4bbmio";
const KEY: &str = "yd7xcc5pbpdsbnn5dtw3unzpmc4wqr8j";
const CALL: &str = "cccccccccccccccccccccccccc";
const USER: &str = "uuuuuuuuuuuuuuuuuuuuuuuuuu";
const FIRST: &str = "ssssssssssssssssssssssssss";
const SECOND: &str = "tttttttttttttttttttttttttt";
const THIRD: &str = "vvvvvvvvvvvvvvvvvvvvvvvvvv";
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser's first offer: a data channel and nothing else.
const OFFER: &str = "v=0\r\n\
    o=- 4611731400430051336 2 IN IP4 127.0.0.1\r\n\
    s=-\r\n\
    t=0 0\r\n\
    a=group:BUNDLE 0\r\n\
    a=extmap-allow-mixed\r\n\
    a=msid-semantic: WMS\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
    c=IN IP4 0.0.0.0\r\n\
    a=ice-ufrag:EsAw\r\n\
    a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
    a=ice-options:trickle\r\n\
    a=fingerprint:sha-256 \
    D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F\r\n\
    a=setup:actpass\r\n\
    a=mid:0\r\n\
    a=sctp-port:5000\r\n\
    a=max-message-size:262144\r\n";

fn text(value: &str) -> Vec<u8> {
    let len = u8::try_from(value.len()).unwrap();
    let head = if len < 32 {
        vec![0xa0 | len]
    } else {
        vec![0xd9, len]
    };
    [head, value.as_bytes().to_vec()].concat()
}

fn flag(value: bool) -> Vec<u8> {
    vec![0xc2 | u8::from(value)]
}

fn map(kind: &str, entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = text(kind);
    bytes.push(0x80 | u8::try_from(entries.len()).unwrap());
    for (key, value) in entries {
        bytes.extend(text(key));
        bytes.extend(value);
    }
    bytes
}

fn join(session: &str) -> Vec<u8> {
    let entries = [
        ("callID", text(CALL)),
        ("userID", text(USER)),
        ("sessionID", text(session)),
        ("channelID", text("ch1")),
        ("av1Support", flag(false)),
        ("dcSignaling", flag(true)),
    ];
    map("join", &entries)
}

fn about(kind: &str, session: &str) -> Vec<u8> {
    map(kind, &[("sessionID", text(session))])
}

/// The plugin fills in the session only.
fn rtc(session: &str, kind: u8, data: &str) -> Vec<u8> {
    let data_len = u16::try_from(data.len()).unwrap().to_be_bytes();
    let mut entries = vec![
        ("group_id", text("")),
        ("user_id", text("")),
        ("session_id", text(session)),
        ("call_id", text("")),
        ("type", vec![kind]),
    ];
    if !data.is_empty() {
        let bin = [&[0xc5][..], &data_len, data.as_bytes()].concat();
        entries.push(("data", bin));
    }
    map("rtc", &entries)
}

const ICE: u8 = 1;
const SDP: u8 = 2;
const MUTE: u8 = 3;
const UNMUTE: u8 = 4;

/// A message of the node: its type, and a map of texts.
#[derive(Debug, PartialEq)]
struct Heard {
    kind: String,
    data: BTreeMap<String, String>,
}

fn heard(kind: &str, data: &[(&str, &str)]) -> Heard {
    let entry = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    Heard {
        kind: kind.to_owned(),
        data: data.iter().map(entry).collect(),
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take(&mut self, len: usize) -> &[u8] {
        let (head, rest) = self.0.split_at(len);
        self.0 = rest;
        head
    }

    fn number(&mut self, len: usize) -> usize {
        let bytes = self.take(len).iter();
        bytes.fold(0, |sum, byte| sum << 8 | usize::from(*byte))
    }

    /// Strings, bytes and small numbers: all that the node sends.
    fn value(&mut self) -> String {
        let marker = self.number(1);
        let len = match marker {
            0..=0x7f => return marker.to_string(),
            0xa0..=0xbf => marker & 0x1f,
            0xd9 | 0xc4 => self.number(1),
            0xda | 0xc5 => self.number(2),
            0xdb | 0xc6 => self.number(4),
            other => panic!("unexpected value {other:#x}"),
        };
        String::from_utf8(self.take(len).to_vec()).unwrap()
    }
}

fn read(bytes: &[u8]) -> Heard {
    let mut reader = Reader(bytes);
    let kind = reader.value();
    let entries = reader.number(1);
    assert_eq!(entries & 0xf0, 0x80, "a small map");
    let data = (0..entries & 0x0f)
        .map(|_| (reader.value(), reader.value()))
        .collect();
    assert!(reader.0.is_empty());
    Heard { kind, data }
}

struct Plugin {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    _discretion: Discretion,
}

impl Plugin {
    async fn connect(node: &Running) -> Result<Self, tungstenite::Error> {
        let secrets = Secrets::default();
        secrets.keep("auth key", KEY);
        secrets.keep_description(OFFER);
        secrets.keep("address", "192.0.2.9");
        let discretion = Discretion::begin(&[&secrets]);
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{CLIENT}:{KEY}"));
        secrets.keep("sign-in", &pair);
        let url = format!("ws://{}/ws", node.http_addr());
        let mut request = url.into_client_request().unwrap();
        request
            .headers_mut()
            .insert("Authorization", format!("Basic {pair}").parse().unwrap());
        let (socket, _) = tokio_tungstenite::connect_async(request).await?;
        Ok(Self {
            socket,
            _discretion: discretion,
        })
    }

    /// Connects, and takes `hello`: two texts, in this order, since its reader goes by the first.
    async fn welcome(node: &Running) -> Self {
        let mut plugin = Self::connect(node).await.unwrap();
        let hello = plugin.bytes().await;
        let expected = [text("hello"), vec![0x82], text("clientID"), text(CLIENT)].concat();
        assert!(hello.starts_with(&expected), "{hello:x?}");
        assert_eq!(read(&hello).data["connID"].len(), 26);
        plugin
    }

    async fn send(&mut self, bytes: Vec<u8>) {
        self.socket
            .send(Message::Binary(bytes.into()))
            .await
            .unwrap();
    }

    async fn bytes(&mut self) -> Vec<u8> {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.socket.next());
            let frame = frame.await.expect("a message in time").unwrap().unwrap();
            if let Message::Binary(bytes) = frame {
                return bytes.to_vec();
            }
        }
    }

    async fn hear(&mut self) -> Heard {
        read(&self.bytes().await)
    }

    /// Proves that nothing but `close` of a fresh session waits: it is asked for now.
    async fn hears_nothing_else(&mut self) {
        self.send(join("probe")).await;
        self.send(about("leave", "probe")).await;
        assert_eq!(self.hear().await, heard("close", &[("sessionID", "probe")]));
    }

    /// Offers as a user behind the plugin does, and takes the answer and all candidates in.
    async fn first_exchange(&mut self, session: &str) -> (String, Vec<Value>) {
        let bare = r#"{"candidate":"candidate:1 1 udp 2113937151 192.0.2.9 50000 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"EsAw"}"#;
        // A candidate may overtake the offer.
        self.send(rtc(session, ICE, bare)).await;
        let offer = serde_json::json!({ "type": "offer", "sdp": OFFER });
        self.send(rtc(session, SDP, &offer.to_string())).await;
        self.send(rtc(session, ICE, r#"{"candidate":""}"#)).await;
        let message = self.signal(session, SDP).await;
        assert_eq!(message["type"], "answer");
        let sdp = message["sdp"].as_str().unwrap().to_owned();
        // One for each way to reach the node, and two are configured: UDP and TCP on loopback.
        let mut candidates = Vec::new();
        for _ in 0..2 {
            candidates.push(self.signal(session, ICE).await);
        }
        (sdp, candidates)
    }

    /// Takes a message about a session, with all four ids, and returns the JSON inside.
    async fn signal(&mut self, session: &str, kind: u8) -> Value {
        let message = self.hear().await;
        assert_eq!(message.kind, "rtc");
        let ids = ["group_id", "call_id", "user_id", "session_id"].map(|key| &message.data[key]);
        assert_eq!(ids, [CLIENT, CALL, USER, session]);
        assert_eq!(message.data["type"], kind.to_string());
        serde_json::from_str(&message.data["data"]).unwrap()
    }
}

async fn get(node: &Running, path: &str) -> (u16, String) {
    let answer = reqwest::Client::new()
        .get(format!("http://{}{path}", node.http_addr()))
        .basic_auth(CLIENT, Some(KEY))
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn sessions(node: &Running) -> Vec<String> {
    let (status, text) = get(node, &format!("/calls/{CALL}/sessions")).await;
    assert!(status == 200 || status == 404, "{status}");
    if status == 404 {
        return Vec::new();
    }
    let list: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut ids: Vec<String> = list
        .iter()
        .map(|session| session["SessionID"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

async fn start(directory: &tempfile::TempDir) -> Running {
    start_with(directory, |_| {}).await
}

async fn start_with(directory: &tempfile::TempDir, change: impl FnOnce(&mut Config)) -> Running {
    let mut config = Config::local(directory.path());
    config.rtc.shards = 2;
    config.rtc.leg_sessions = 1;
    config.rtc.host_override = HostOverride::Address("192.0.2.55".parse().unwrap());
    config.rtc.port_override = PortOverride::One(30_443);
    change(&mut config);
    rtcd::start(config).await.unwrap()
}

/// Activation: connect, register because that failed, connect again, look at version and load.
async fn activate(node: &Running) -> Plugin {
    let refused = Plugin::connect(node).await.err().expect("not registered");
    assert!(matches!(refused, tungstenite::Error::Http(_)), "{refused}");
    let credentials = serde_json::json!({ "clientID": CLIENT, "authKey": KEY });
    let answer = reqwest::Client::new()
        .post(format!("http://{}/register", node.http_addr()))
        .json(&credentials)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 201);
    assert_eq!(
        answer.text().await.unwrap(),
        format!("{{\"clientID\":\"{CLIENT}\",\"code\":\"201\"}}\n")
    );
    let plugin = Plugin::welcome(node).await;

    let (status, version) = get(node, "/version").await;
    assert_eq!(status, 200);
    let version: Value = serde_json::from_str(&version).unwrap();
    let version = version["buildVersion"].as_str().unwrap();
    let numbers: Vec<u32> = version
        .strip_prefix('v')
        .unwrap()
        .split('.')
        .map(|number| number.parse().unwrap())
        .collect();
    // Below 1.1.0 browsers do without the signalling lock.
    assert!(numbers.len() == 3 && numbers >= vec![1, 1, 0], "{version}");
    let (status, load) = get(node, "/system").await;
    assert_eq!(status, 200);
    let load: Value = serde_json::from_str(&load).unwrap();
    assert!(load["cpu_load"].as_f64().is_some_and(|load| load >= 0.0));
    assert!(sessions(node).await.is_empty());
    plugin
}

#[tokio::test]
async fn a_plugin_lives_through_a_call() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(&directory).await;
    let mut plugin = activate(&node).await;

    // Two users join; both are listed as soon as something later has had its effect.
    plugin.send(join(FIRST)).await;
    plugin.send(join(SECOND)).await;
    plugin.hears_nothing_else().await;
    assert_eq!(sessions(&node).await, [FIRST, SECOND]);

    let (answer, candidates) = plugin.first_exchange(FIRST).await;
    for line in [
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "a=group:BUNDLE 0",
        "a=mid:0",
        "a=sctp-port:5000",
    ] {
        assert!(answer.contains(line), "{line} is not in\n{answer}");
    }
    assert!(!answer.contains("a=ice-lite"), "{answer}");
    let mut protocols = Vec::new();
    for message in candidates {
        assert_eq!(message["type"], "candidate");
        let inner = &message["candidate"];
        assert_eq!(
            (&inner["sdpMid"], &inner["sdpMLineIndex"]),
            (&"".into(), &0.into())
        );
        assert!(inner.as_object().unwrap().contains_key("usernameFragment"));
        let line = inner["candidate"].as_str().unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(words[0].starts_with("candidate:"), "{line}");
        // The only local address is called so outside, and has that port there.
        assert_eq!(
            words[4..8],
            ["192.0.2.55", "30443", "typ", "host"],
            "{line}"
        );
        protocols.push(words[2].to_lowercase());
        assert!(answer.contains(line), "{line} is not in\n{answer}");
    }
    protocols.sort();
    assert_eq!(protocols, ["tcp", "udp"]);

    // Joined already; and what needs no answer.
    plugin.send(join(FIRST)).await;
    plugin.send(rtc(FIRST, MUTE, "")).await;
    plugin.send(rtc(FIRST, UNMUTE, "")).await;
    plugin.send(rtc("nobody", MUTE, "")).await;
    plugin.send(rtc("", MUTE, "")).await;
    plugin.send(rtc(FIRST, 0, "")).await;
    plugin.send(about("leave", "nobody")).await;
    plugin.send(about("reconnect", "nobody")).await;
    plugin.hears_nothing_else().await;

    // The user comes back on another node of the plugin: its messages, and `close`, go there.
    let mut other = Plugin::welcome(&node).await;
    other.send(about("reconnect", FIRST)).await;
    other.hears_nothing_else().await;
    plugin.send(about("leave", FIRST)).await;
    assert_eq!(other.hear().await, heard("close", &[("sessionID", FIRST)]));
    plugin.send(about("leave", FIRST)).await;
    plugin.hears_nothing_else().await;
    other.hears_nothing_else().await;
    assert_eq!(sessions(&node).await, [SECOND]);
    node.stop().await.unwrap();
}

#[tokio::test]
async fn a_call_outlives_the_plugin_and_ends_with_its_leaves() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(&directory).await;
    let mut plugin = activate(&node).await;
    for session in [FIRST, SECOND, THIRD] {
        plugin.send(join(session)).await;
    }
    for session in [FIRST, SECOND] {
        plugin.first_exchange(session).await;
    }
    drop(plugin);
    // It restarts: its key is good, the sessions are there, and it says nothing about them.
    let mut plugin = Plugin::welcome(&node).await;
    assert_eq!(sessions(&node).await, [FIRST, SECOND, THIRD]);
    for session in [FIRST, SECOND] {
        plugin.send(about("leave", session)).await;
        assert_eq!(
            plugin.hear().await,
            heard("close", &[("sessionID", session)])
        );
    }
    // The third has never offered anything.
    assert_eq!(sessions(&node).await, [THIRD]);
    assert_eq!(plugin.hear().await, heard("close", &[("sessionID", THIRD)]));
    assert!(sessions(&node).await.is_empty());
    plugin.hears_nothing_else().await;
    node.stop().await.unwrap();
}

#[tokio::test]
async fn a_drain_refuses_new_calls_and_ends_at_its_limit() {
    let directory = tempfile::tempdir().unwrap();
    let limit = Duration::from_secs(2);
    let node = start_with(&directory, |config| config.drain_limit = Some(limit)).await;
    let mut plugin = activate(&node).await;
    plugin.send(join(FIRST)).await;
    plugin.hears_nothing_else().await;
    let begin = std::time::Instant::now();
    let drained = node.drain();
    let meanwhile = async {
        while get(&node, "/readyz").await.0 != 503 {}
        // The probe is of the call that runs, so it still gets in.
        plugin.hears_nothing_else().await;
        assert_eq!(sessions(&node).await, [FIRST]);
    };
    tokio::join!(drained, meanwhile);
    assert!(begin.elapsed() >= limit);
    node.stop().await.unwrap();
}
