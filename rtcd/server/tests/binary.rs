//! The binary as an operator meets it: verbs, exit codes, environment, signals.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, too: a panic is how a test says no"
)]

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use futures_util::{SinkExt as _, StreamExt as _};
use proto::id::{CallId, SessionId, UserId};
use proto::rtcd::{ControlMessage, JoinMessage};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const KEY: &str = "0123456789abcdef0123456789abcdef";
const ADMIN: &str = "admin-secret";
const PATIENCE: Duration = Duration::from_secs(30);

fn rtcd(directory: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rtcd"));
    command.current_dir(directory.path()).env_clear();
    command
}

fn output(directory: &tempfile::TempDir, arguments: &[&str]) -> (i32, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = rtcd(directory).args(arguments).output().unwrap();
    let text = [stdout, stderr].concat();
    (status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn verbs_say_what_they_are_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let (code, text) = output(&directory, &["--version"]);
    let version = concat!("rtcd ", env!("CARGO_PKG_VERSION"), " (speaks rtcd 1.3.0)");
    assert_eq!((code, text.trim()), (0, version));

    let (code, text) = output(&directory, &["check-config"]);
    assert_eq!(code, 0);
    assert!(
        text.contains("no configuration file `config/config.toml`"),
        "{text}"
    );

    let file = directory.path().join("bad.toml");
    std::fs::write(
        &file,
        "[rtc]\nice_port_udp = 1\nice_port_tcp = 2\nspeed = 3\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    for arguments in [
        ["check-config", "-config", file],
        ["print-config", "--config", file],
    ] {
        let (code, text) = output(&directory, &arguments);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains("`rtc.ice_port_udp` is `1`"), "{text}");
        assert!(text.contains("`rtc.ice_port_tcp` is `2`"), "{text}");
    }
    let (code, text) = output(&directory, &["-config", file]);
    assert_eq!(code, 1, "{text}");

    std::fs::write(
        file,
        "[api.security]\nenable_admin = true\nadmin_secret_key = \"hush\"\n",
    )
    .unwrap();
    let (code, text) = output(&directory, &["print-config", "-config", file]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("admin_secret_key = \"(set)\" # file"),
        "{text}"
    );
    assert!(!text.contains("hush"));

    std::fs::write(file, "not toml").unwrap();
    let (code, text) = output(&directory, &["check-config", "-config", file]);
    assert_eq!(code, 1, "{text}");
}

/// A running binary, configured by its environment.
struct Running {
    child: Child,
    http: SocketAddr,
    log: std::thread::JoinHandle<String>,
}

impl Running {
    fn start(directory: &tempfile::TempDir) -> Self {
        let port = media_port();
        let mut child = rtcd(directory)
            .env("RTCD_API_HTTP_LISTENADDRESS", "127.0.0.1:0")
            .env("RTCD_API_SECURITY_ALLOWSELFREGISTRATION", "true")
            .env("RTCD_API_SECURITY_ENABLEADMIN", "true")
            .env("RTCD_API_SECURITY_ADMINSECRETKEY", ADMIN)
            .env("RTCD_RTC_ICEADDRESSUDP", "127.0.0.1")
            .env("RTCD_RTC_ICEADDRESSTCP", "127.0.0.1")
            .env("RTCD_RTC_ICEPORTUDP", port.to_string())
            .env("RTCD_RTC_ICEPORTTCP", port.to_string())
            .env("RTCD_STORE_DATASOURCE", directory.path().join("store"))
            .env("RTCD_LOGGER_CONSOLEJSON", "true")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut before = String::new();
        let http = loop {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("ended:\n{before}"))
                .unwrap();
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            before.push_str(&line);
            if event["msg"] == "rtcd serves" {
                break event["http"].as_str().unwrap().parse().unwrap();
            }
        };
        let log = std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .fold(before, |log, line| log + &line + "\n")
        });
        Self { child, http, log }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    fn wait(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, self.log.join().unwrap());
            }
            if Instant::now() > deadline {
                self.child.kill().unwrap();
                panic!("does not end:\n{}", self.log.join().unwrap());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    async fn get(&self, path: &str) -> u16 {
        let url = format!("http://{}{path}", self.http);
        reqwest::get(url).await.unwrap().status().as_u16()
    }
}

/// Finds a port that is free now, for both protocols, and that a file may name. It lies below those that
/// the system hands out on its own (32768 and above): whoever connects meanwhile does not take it.
fn media_port() -> u16 {
    // Tests of one program ask side by side, programs run side by side: each begins elsewhere.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id() * 131 + NEXT.fetch_add(977, Ordering::Relaxed);
    let begin = u16::try_from(begin % 12_000).unwrap();
    (0..12_000)
        .map(|step| 20_000 + (begin + step) % 12_000)
        .find(|port| {
            UdpSocket::bind(("127.0.0.1", *port)).is_ok()
                && TcpListener::bind(("127.0.0.1", *port)).is_ok()
        })
        .expect("a free port")
}

type Socket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn connect(node: &Running) -> Socket {
    let body = format!(r#"{{"clientID":"clientA","authKey":"{KEY}"}}"#);
    let client = reqwest::Client::new();
    let url = format!("http://{}/register", node.http);
    assert_eq!(
        client
            .post(url)
            .body(body)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        201
    );
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("clientA:{KEY}"));
    let mut request = format!("ws://{}/ws", node.http)
        .into_client_request()
        .unwrap();
    request
        .headers_mut()
        .insert("Authorization", format!("Basic {pair}").parse().unwrap());
    tokio_tungstenite::connect_async(request).await.unwrap().0
}

async fn send(socket: &mut Socket, message: ControlMessage) {
    socket
        .send(Message::Binary(message.encode().into()))
        .await
        .unwrap();
}

async fn next(socket: &mut Socket) -> ControlMessage {
    loop {
        let frame = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
        if let Message::Binary(bytes) = frame.unwrap().unwrap() {
            return ControlMessage::decode(&bytes, 1 << 20).unwrap();
        }
    }
}

fn join(call: &str, session: &str) -> ControlMessage {
    ControlMessage::Join(JoinMessage {
        call: CallId::parse(call).unwrap(),
        user: UserId::parse("u1").unwrap(),
        session: SessionId::parse(session).unwrap(),
        channel: String::new(),
        av1_support: false,
        dc_signalling: false,
    })
}

/// A calls server with the session `s1` of `call1`.
async fn with_a_session(node: &Running) -> Socket {
    let mut socket = connect(node).await;
    assert!(matches!(next(&mut socket).await, ControlMessage::Hello(_)));
    send(&mut socket, join("call1", "s1")).await;
    // Known to be in once a second message has had its effect.
    send(&mut socket, join("call0", "s0")).await;
    let s0 = SessionId::parse("s0").unwrap();
    send(&mut socket, ControlMessage::Leave(s0.clone())).await;
    assert_eq!(next(&mut socket).await, ControlMessage::Close(s0));
    socket
}

async fn until_ready_is(node: &Running, status: u16) {
    let deadline = Instant::now() + PATIENCE;
    while node.get("/readyz").await != status {
        assert!(
            Instant::now() < deadline,
            "/readyz does not become {status}"
        );
    }
}

#[tokio::test]
async fn sigterm_waits_for_the_last_session() {
    let directory = tempfile::tempdir().unwrap();
    let node = Running::start(&directory);
    let mut socket = with_a_session(&node).await;

    node.signal("-TERM");
    until_ready_is(&node, 503).await;
    assert_eq!(node.get("/version").await, 200);
    // A new call is refused, so its `leave` is answered by nothing; the running call is joined.
    let (new, late, first) = ("s9", "s2", "s1");
    send(&mut socket, join("call9", new)).await;
    send(&mut socket, join("call1", late)).await;
    for session in [new, late, first] {
        send(
            &mut socket,
            ControlMessage::Leave(SessionId::parse(session).unwrap()),
        )
        .await;
    }
    for session in [late, first] {
        let close = ControlMessage::Close(SessionId::parse(session).unwrap());
        assert_eq!(next(&mut socket).await, close);
    }
    let (status, log) = node.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("\"msg\":\"drained\""), "{log}");
    assert!(!log.contains(KEY), "the key is in the log");
    let file = std::fs::read_to_string(directory.path().join("rtcd.log")).unwrap();
    assert!(file.contains("\"msg\":\"rtcd stopped\""));
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let node = Running::start(&directory);
    let _held = with_a_session(&node).await;
    node.signal("-INT");
    until_ready_is(&node, 503).await;
    node.signal("-TERM");
    let (status, log) = node.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("running calls are cut off"), "{log}");
}

#[tokio::test]
async fn the_admin_drains_a_node_and_a_signal_behind_that_cuts_nobody_off() {
    let directory = tempfile::tempdir().unwrap();
    let node = Running::start(&directory);
    let mut socket = with_a_session(&node).await;

    let url = format!("http://{}", node.http);
    let asked_by = |name: &str, key: &str| {
        let asked = reqwest::Client::new().post(format!("{url}/drain"));
        asked.basic_auth(name, Some(key)).send()
    };
    let client = asked_by("clientA", KEY).await.unwrap();
    assert_eq!(client.status().as_u16(), 403);
    assert_eq!(node.get("/readyz").await, 200);
    let drain = |key: &str| {
        let mut command = rtcd(&directory);
        command.env("RTCD_API_SECURITY_ENABLEADMIN", "true");
        command.env("RTCD_API_SECURITY_ADMINSECRETKEY", key);
        command.args(["drain", "--url", &url]).output().unwrap()
    };
    let refused = drain("another");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("401"), "{said}");
    let drains = drain(ADMIN);
    assert_eq!(drains.status.code(), Some(0), "{drains:?}");
    until_ready_is(&node, 503).await;
    // Whoever supervises it ends what the admin has drained.
    node.signal("-TERM");
    let s1 = SessionId::parse("s1").unwrap();
    send(&mut socket, ControlMessage::Leave(s1.clone())).await;
    assert_eq!(next(&mut socket).await, ControlMessage::Close(s1));
    let (status, log) = node.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("\"msg\":\"drained\""), "{log}");
    assert!(!log.contains("cut off") && !log.contains(ADMIN), "{log}");
}

#[test]
fn a_port_in_use_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut port = taken.local_addr().unwrap().port();
    let other;
    if port > 49_151 {
        port = media_port();
        other = UdpSocket::bind(("127.0.0.1", port)).unwrap();
        assert_eq!(other.local_addr().unwrap().port(), port);
    }
    let Output { status, stderr, .. } = rtcd(&directory)
        .env("RTCD_API_HTTP_LISTENADDRESS", "127.0.0.1:0")
        .env("RTCD_RTC_ICEADDRESSUDP", "127.0.0.1")
        .env("RTCD_RTC_ICEADDRESSTCP", "127.0.0.1")
        .env("RTCD_RTC_ICEPORTUDP", port.to_string())
        .env("RTCD_STORE_DATASOURCE", directory.path().join("store"))
        .output()
        .unwrap();
    assert_eq!(status.code(), Some(1));
    let text = String::from_utf8(stderr).unwrap();
    assert!(
        text.contains("rtc.ice_port_udp") && text.contains(&port.to_string()),
        "{text}"
    );
}
