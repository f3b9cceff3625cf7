//! The calls server's side of the control protocol, as small as it can be.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, StreamExt as _};
use proto::id::{CallId, SessionId, UserId};
use proto::rtcd::{ControlMessage, JoinMessage, MAX_CONTROL_LEN, RtcKind, RtcMessage};
use service::telemetry::testing::{Discretion, Secrets};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

const KEY: &str = "an authentication key of 32 bytes and more";
/// Everything here happens within this time, on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// A node in this process.
pub(crate) struct Node {
    running: rtcd::Running,
    _directory: tempfile::TempDir,
    secrets: Secrets,
    /// Ends with the node.
    _discretion: Discretion,
}

impl Node {
    pub(crate) async fn start(shards: usize, leg_sessions: usize) -> Self {
        Self::start_with(shards, leg_sessions, |_| {}).await
    }

    /// Starts a node with settings of its own.
    pub(crate) async fn start_with(
        shards: usize,
        leg_sessions: usize,
        change: impl FnOnce(&mut rtcd::config::RtcConfig),
    ) -> Self {
        Self::start_as(|config| {
            config.rtc.shards = shards;
            config.rtc.leg_sessions = leg_sessions;
            change(&mut config.rtc);
        })
        .await
    }

    /// Starts a node with any settings.
    pub(crate) async fn start_as(change: impl FnOnce(&mut rtcd::Config)) -> Self {
        let secrets = Secrets::default();
        let discretion = Discretion::begin(&[&secrets]);
        secrets.keep("auth key", KEY);
        let directory = tempfile::tempdir().unwrap();
        let mut config = rtcd::Config::local(directory.path());
        change(&mut config);
        let running = rtcd::start(config).await.unwrap();
        Self {
            running,
            _directory: directory,
            secrets,
            _discretion: discretion,
        }
    }

    /// Registers a client and connects it.
    pub(crate) async fn client(&self, id: &str) -> Client {
        let http = self.running.http_addr();
        let body = serde_json::json!({ "clientID": id, "authKey": KEY });
        let answer = reqwest::Client::new()
            .post(format!("http://{http}/register"))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), 201);
        let client = Client(Arc::new(Inner {
            url: format!("ws://{http}/ws"),
            id: id.to_owned(),
            secrets: self.secrets.clone(),
            sink: tokio::sync::Mutex::new(None),
            heard: Mutex::default(),
            reading: Mutex::default(),
        }));
        client.connect().await;
        client
    }

    pub(crate) fn tcp_addr(&self) -> SocketAddr {
        self.running.tcp_addrs()[0]
    }

    pub(crate) fn udp_addr(&self) -> SocketAddr {
        self.running.udp_addr()
    }

    pub(crate) async fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.running.http_addr());
        let answer = reqwest::get(url).await.unwrap();
        answer.text().await.unwrap()
    }

    /// Sends what no participant sends to the media port.
    pub(crate) async fn throw_at_media_port(&self) {
        let target = self.running.udp_addr();
        for round in 0..20u8 {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let mut stun = vec![0, 1, 0, 16, 0x21, 0x12, 0xa4, 0x42];
            stun.extend([round; 12]);
            stun.extend([0, 6, 0, 9]);
            stun.extend(b"abcd:efgh\0\0\0");
            let datagrams = [
                stun,
                vec![],
                vec![round; 1],
                vec![0x80 | round; 200],
                vec![22, 254, 253, round, 0, 0, 0, 0, 0, 0, 0, 0, 1],
                vec![0xff; 3000],
            ];
            for datagram in datagrams {
                socket.send_to(&datagram, target).await.unwrap();
            }
        }
    }

    /// Has it drain, and does not wait until it is empty.
    pub(crate) async fn begin_drain(&self) {
        let drained = self.running.drain();
        let _ = tokio::time::timeout(Duration::from_millis(1), drained).await;
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await.unwrap();
    }
}

#[derive(Default)]
struct Heard {
    sessions: HashMap<String, mpsc::UnboundedSender<RtcMessage>>,
    closes: HashMap<String, usize>,
    voices: HashMap<String, Vec<RtcKind>>,
    /// The addresses of the nodes that have sessions, where they are others.
    nodes: HashMap<String, String>,
}

struct Inner {
    url: String,
    id: String,
    secrets: Secrets,
    sink: tokio::sync::Mutex<Option<Sink>>,
    heard: Mutex<Heard>,
    reading: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

type Sink = SplitSink<WebSocketStream<MaybeTlsStream<TcpStream>>, Message>;

/// A registered client with one control socket.
#[derive(Clone)]
pub(crate) struct Client(Arc<Inner>);

impl Client {
    /// Opens the socket and waits for `hello`.
    pub(crate) async fn connect(&self) {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{}:{KEY}", self.0.id));
        let mut request = self.0.url.as_str().into_client_request().unwrap();
        request
            .headers_mut()
            .insert("Authorization", format!("Basic {pair}").parse().unwrap());
        let (socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let (sink, mut stream) = socket.split();
        let first = tokio::time::timeout(PATIENCE, stream.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let hello = ControlMessage::decode(&first.into_data(), MAX_CONTROL_LEN).unwrap();
        assert!(matches!(hello, ControlMessage::Hello(_)), "{hello:?}");
        *self.0.sink.lock().await = Some(sink);
        let inner = Arc::clone(&self.0);
        let reading = tokio::spawn(async move {
            while let Some(Ok(frame)) = stream.next().await {
                if let Message::Binary(bytes) = frame {
                    inner.take(ControlMessage::decode(&bytes, MAX_CONTROL_LEN).unwrap());
                }
            }
        });
        *self.0.reading.lock().unwrap() = Some(reading);
    }

    /// Drops the socket without a word.
    pub(crate) async fn disconnect(&self) {
        *self.0.sink.lock().await = None;
        let reading = self.0.reading.lock().unwrap().take();
        if let Some(reading) = reading {
            reading.abort();
            let _ = reading.await;
        }
    }

    pub(crate) async fn send(&self, message: &ControlMessage) {
        if let ControlMessage::Rtc(rtc) = message {
            let text = String::from_utf8_lossy(&rtc.data);
            // What a description holds is escaped, line ends and all.
            self.0
                .secrets
                .keep_description(&text.replace("\\r\\n", "\n"));
        }
        self.send_bytes(message.encode()).await;
    }

    pub(crate) async fn send_bytes(&self, bytes: Vec<u8>) {
        let mut sink = self.0.sink.lock().await;
        // A refused frame ends the socket before all of it is written.
        let _ = sink
            .as_mut()
            .unwrap()
            .send(Message::Binary(bytes.into()))
            .await;
    }

    pub(crate) async fn join(&self, call: &str, session: &str) {
        let join = JoinMessage {
            call: CallId::parse(call).unwrap(),
            user: UserId::parse(format!("user-{session}")).unwrap(),
            session: SessionId::parse(session).unwrap(),
            channel: "channel1".to_owned(),
            av1_support: false,
            dc_signalling: true,
        };
        self.send(&ControlMessage::Join(join)).await;
    }

    /// Returns the stream of messages for a session.
    pub(crate) fn messages_for(&self, session: &str) -> mpsc::UnboundedReceiver<RtcMessage> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.0
            .heard
            .lock()
            .unwrap()
            .sessions
            .insert(session.to_owned(), sender);
        receiver
    }

    /// Returns how often `close` came for a session.
    pub(crate) fn closes(&self, session: &str) -> usize {
        self.0
            .heard
            .lock()
            .unwrap()
            .closes
            .get(session)
            .copied()
            .unwrap_or_default()
    }

    pub(crate) async fn closed_once(&self, session: &str) {
        eventually(&format!("close of {session}"), || self.closes(session) > 0).await;
        assert_eq!(self.closes(session), 1);
    }

    /// Where another node has a session, as this one says.
    pub(crate) fn node_of(&self, session: &str) -> Option<String> {
        self.0.heard.lock().unwrap().nodes.get(session).cloned()
    }

    pub(crate) async fn voice(&self, session: &str, kind: RtcKind) {
        eventually(&format!("{kind:?} of {session}"), || {
            let heard = self.0.heard.lock().unwrap();
            heard
                .voices
                .get(session)
                .is_some_and(|voices| voices.last() == Some(&kind))
        })
        .await;
    }
}

impl Inner {
    fn take(&self, message: ControlMessage) {
        let mut heard = self.heard.lock().unwrap();
        match message {
            ControlMessage::Rtc(message) => {
                assert_eq!(message.group, self.id);
                assert!(!message.call.is_empty() && !message.user.is_empty());
                if !message.node.is_empty() {
                    let (session, node) = (message.session.clone(), message.node.clone());
                    heard.nodes.insert(session, node);
                }
                if let Some(sender) = heard.sessions.get(&message.session) {
                    let _ = sender.send(message);
                }
            }
            ControlMessage::Vad(message) => {
                assert!(!message.call.is_empty() && !message.user.is_empty());
                heard
                    .voices
                    .entry(message.session)
                    .or_default()
                    .push(message.kind);
            }
            ControlMessage::Close(session) => {
                *heard.closes.entry(session.to_string()).or_default() += 1;
            }
            other => panic!("unexpected {other:?}"),
        }
    }
}

/// Waits until something is so.
pub(crate) async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "not within {PATIENCE:?}: {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
