//! The contract of the HTTP API and of the control WebSocket, over real sockets.

use std::time::Duration;

use base64::Engine as _;
use futures_util::{SinkExt as _, StreamExt as _};
use proto::id::{CallId, SessionId, UserId};
use proto::redact::Secret;
use proto::rtcd::{ControlMessage, JoinMessage};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::{Config, Running, start};

mod tls;

const KEY: &str = "0123456789abcdef0123456789abcdef";

struct Node {
    node: Running,
    url: String,
    client: reqwest::Client,
    _directory: tempfile::TempDir,
}

async fn node(change: impl FnOnce(&mut Config)) -> Node {
    let directory = tempfile::tempdir().unwrap();
    let mut config = Config::local(directory.path());
    change(&mut config);
    let node = start(config).await.unwrap();
    let url = format!("http://{}", node.http_addr());
    Node {
        node,
        url,
        client: reqwest::Client::new(),
        _directory: directory,
    }
}

fn basic(name: &str, password: &str) -> String {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
    format!("Basic {pair}")
}

impl Node {
    async fn send(
        &self,
        method: &str,
        path: &str,
        authorization: Option<&str>,
        body: &str,
    ) -> (u16, String) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(authorization) = authorization {
            request = request.header("Authorization", authorization);
        }
        let response = request.body(body.to_owned()).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn post(&self, path: &str, body: &str) -> (u16, String) {
        self.send("POST", path, None, body).await
    }

    async fn register(&self, id: &str) {
        let body = format!(r#"{{"clientID":"{id}","authKey":"{KEY}"}}"#);
        let (status, text) = self.post("/register", &body).await;
        assert_eq!(
            (status, text),
            (201, format!("{{\"clientID\":\"{id}\",\"code\":\"201\"}}\n"))
        );
    }

    async fn connect(&self, authorization: Option<&str>) -> Result<Socket, tungstenite::Error> {
        let mut request = self
            .url
            .replace("http", "ws")
            .into_client_request()
            .unwrap();
        *request.uri_mut() = format!("{}/ws", self.url.replace("http", "ws"))
            .parse()
            .unwrap();
        if let Some(authorization) = authorization {
            request
                .headers_mut()
                .insert("Authorization", authorization.parse().unwrap());
        }
        Ok(Socket(tokio_tungstenite::connect_async(request).await?.0))
    }
}

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn next(&mut self) -> Option<ControlMessage> {
        loop {
            let frame = tokio::time::timeout(Duration::from_secs(10), self.0.next());
            match frame.await.expect("a frame within 10 s")? {
                Ok(Message::Binary(bytes)) => {
                    return Some(ControlMessage::decode(&bytes, 1 << 20).unwrap());
                }
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn send(&mut self, message: &ControlMessage) {
        self.0
            .send(Message::Binary(message.encode().into()))
            .await
            .unwrap();
    }

    async fn join(&mut self, call: &str, session: &str) {
        let join = JoinMessage {
            call: CallId::parse(call).unwrap(),
            user: UserId::parse("u1").unwrap(),
            session: SessionId::parse(session).unwrap(),
            channel: "ch1".to_owned(),
            av1_support: false,
            dc_signalling: true,
        };
        self.send(&ControlMessage::Join(join)).await;
    }
}

#[tokio::test]
async fn open_endpoints_answer() {
    let node = node(|_| {}).await;
    let (status, text) = node.send("GET", "/version", None, "").await;
    assert_eq!(status, 200);
    let version: serde_json::Value = serde_json::from_str(&text).unwrap();
    // What the plugin compares, and what this is.
    assert_eq!(version["buildVersion"], "v1.3.0");
    assert_eq!(
        version["buildHash"],
        concat!("parley-", env!("CARGO_PKG_VERSION"))
    );
    for key in [
        "buildDate",
        "buildVersion",
        "buildHash",
        "goVersion",
        "goOS",
        "goArch",
    ] {
        assert!(version[key].is_string(), "{key}");
    }
    // What a build does not know of itself is empty, as at the reference; never these.
    for key in ["goVersion", "goOS", "goArch"] {
        assert_ne!(version[key], "", "{key}");
    }

    let deadline = tokio::time::Instant::now() + Duration::from_secs(2);
    loop {
        let (status, text) = node.send("GET", "/system", None, "").await;
        assert_eq!(status, 200);
        assert!(text.ends_with('\n'));
        let system: serde_json::Value = serde_json::from_str(&text).unwrap();
        if system["cpu_load"].as_f64().unwrap() > 0.0 {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "no load within 2 s");
    }

    let (status, text) = node.send("GET", "/metrics", None, "").await;
    assert_eq!(status, 200);
    assert!(text.contains("rtcd_process_start_time_seconds"), "{text}");
    assert_eq!(
        node.send("GET", "/readyz", None, "").await,
        (200, "ok\n".to_owned())
    );
    node.node.stop().await.unwrap();
}

#[tokio::test]
async fn unknown_paths_and_methods_are_not_found() {
    let node = node(|_| {}).await;
    let cases = [
        ("GET", "/"),
        ("GET", "/stats"),
        ("POST", "/version"),
        ("DELETE", "/system"),
        ("GET", "/register"),
        ("PUT", "/register"),
        ("GET", "/unregister"),
        ("GET", "/login"),
        ("POST", "/calls/c/sessions"),
        ("DELETE", "/calls/c/sessions/s"),
        ("POST", "/ws"),
        ("GET", "/calls/c"),
    ];
    for (method, path) in cases {
        let answer = node.send(method, path, None, "").await;
        assert_eq!(
            answer,
            (404, "404 page not found\n".to_owned()),
            "{method} {path}"
        );
    }
    node.node.stop().await.unwrap();
}

#[tokio::test]
async fn registration_answers_in_the_words_of_the_reference() {
    let node = node(|_| {}).await;
    node.register("clientA").await;
    let cases: &[(&str, &str)] = &[
        ("", r#"{"code":"400","error":"EOF"}"#),
        ("{", r#"{"code":"400","error":"unexpected EOF"}"#),
        (
            r#"{"clientID":"b","authKey":"short"}"#,
            r#"{"code":"400","error":"registration failed: key not long enough"}"#,
        ),
        (
            r#"{"authKey":"0123456789abcdef0123456789abcdef"}"#,
            r#"{"code":"400","error":"registration failed: error: empty key"}"#,
        ),
        (
            r#"{"clientID":"clientA","authKey":"0123456789abcdef0123456789abcdef"}"#,
            r#"{"code":"400","error":"registration failed: already registered"}"#,
        ),
    ];
    for (body, answer) in cases {
        assert_eq!(
            node.post("/register", body).await,
            (400, format!("{answer}\n")),
            "{body}"
        );
    }
    for body in [
        "{",
        "[]",
        r#"{"clientID":1}"#,
        "\"text\"",
        &"x".repeat(70_000),
    ] {
        let (status, text) = node.post("/register", body).await;
        assert_eq!(status, 400);
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["code"], "400");
        assert!(
            answer["error"]
                .as_str()
                .is_some_and(|error| !error.is_empty())
        );
    }
    node.node.stop().await.unwrap();
}

#[tokio::test]
async fn without_self_registration_only_the_admin_registers() {
    let node = node(|config| {
        config.security.allow_self_registration = false;
        config.security.admin_secret_key = Some(Secret::new("admin-secret"));
    })
    .await;
    let body = format!(r#"{{"clientID":"clientA","authKey":"{KEY}"}}"#);
    let (status, text) = node.post("/register", &body).await;
    assert_eq!(status, 401);
    assert_eq!(
        text,
        "{\"code\":\"401\",\"error\":\"authentication failed: invalid auth header\"}\n"
    );
    let admin = basic("", "admin-secret");
    assert_eq!(
        node.send("POST", "/register", Some(&admin), &body).await.0,
        201
    );
    let own = basic("clientA", KEY);
    let second = body.replace("clientA", "clientB");
    assert_eq!(
        node.send("POST", "/register", Some(&own), &second).await.0,
        403
    );

    // A client may remove itself and nobody else.
    let (status, text) = node
        .send(
            "POST",
            "/unregister",
            Some(&own),
            r#"{"clientID":"clientB"}"#,
        )
        .await;
    assert_eq!(
        (status, text.as_str()),
        (
            403,
            "{\"code\":\"403\",\"error\":\"client id not valid\"}\n"
        )
    );
    let cases = [
        (
            Some(&own),
            r#"{"clientID":""}"#,
            400,
            "client id should not be empty",
        ),
        (
            Some(&admin),
            r#"{"clientID":"nobody"}"#,
            400,
            "unregister failed: error: not found",
        ),
        (
            None,
            r#"{"clientID":"clientA"}"#,
            401,
            "authentication failed: invalid auth header",
        ),
    ];
    for (authorization, body, code, error) in cases {
        let authorization = authorization.map(String::as_str);
        let answer = node.send("POST", "/unregister", authorization, body).await;
        let wanted = format!("{{\"code\":\"{code}\",\"error\":\"{error}\"}}\n");
        assert_eq!(answer, (code, wanted));
    }
    let removed = node
        .send(
            "POST",
            "/unregister",
            Some(&own),
            r#"{"clientID":"clientA"}"#,
        )
        .await;
    assert_eq!(removed, (200, "{\"code\":\"200\"}\n".to_owned()));
    assert!(node.connect(Some(&own)).await.is_err());
    node.node.stop().await.unwrap();
}

#[tokio::test]
async fn unregistering_can_be_off() {
    let node = node(|config| config.security.allow_self_registration = false).await;
    let answer = node.post("/unregister", "{}").await;
    let wanted = "{\"code\":\"403\",\"error\":\"unregister not enabled\"}\n".to_owned();
    assert_eq!(answer, (403, wanted));
    node.node.stop().await.unwrap();
}

#[tokio::test]
async fn a_bearer_token_opens_what_the_key_opens() {
    let node = node(|_| {}).await;
    node.register("clientA").await;
    let body = format!(r#"{{"clientID":"clientA","authKey":"{KEY}"}}"#);
    let (status, text) = node.post("/login", &body).await;
    assert_eq!(status, 200);
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["code"], "200");
    let token = answer["bearerToken"].as_str().unwrap();
    assert_eq!(token.len(), 32);
    let bearer = format!("Bearer {token}");
    let (status, text) = node
        .send("GET", "/calls/c/sessions", Some(&bearer), "")
        .await;
    assert_eq!(
        (status, text.as_str()),
        (404, "failed to get session configs: group not found\n")
    );
    assert!(node.connect(Some(&bearer)).await.is_ok());

    let wrong = body.replace("0123", "9999");
    let (status, text) = node.post("/login", &wrong).await;
    assert_eq!(status, 400);
    assert!(
        text.contains("\"login failed: authentication failed\""),
        "{text}"
    );
    node.node.stop().await.unwrap();
}

#[tokio::test]
async fn sessions_are_shown_to_their_tenant_as_soon_as_they_joined() {
    let node = node(|_| {}).await;
    node.register("clientA").await;
    node.register("clientB").await;
    let (a, b) = (basic("clientA", KEY), basic("clientB", KEY));
    let mut socket = node.connect(Some(&a)).await.unwrap();
    let Some(ControlMessage::Hello(hello)) = socket.next().await else {
        panic!("no hello")
    };
    assert_eq!(hello.client.as_str(), "clientA");
    assert_eq!(hello.conn.as_str().len(), 26);
    socket.join("c1", "s1").await;

    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    let wanted = concat!(
        r#"{"GroupID":"clientA","CallID":"c1","UserID":"u1","SessionID":"s1","#,
        r#""Props":{"av1Support":false,"channelID":"ch1","dcSignaling":true}}"#
    );
    while node
        .send("GET", "/calls/c1/sessions/s1", Some(&a), "")
        .await
        != (200, format!("{wanted}\n"))
    {
        assert!(tokio::time::Instant::now() < deadline, "session not shown");
    }
    let list = node.send("GET", "/calls/c1/sessions", Some(&a), "").await;
    assert_eq!(list, (200, format!("[{wanted}]\n")));
    let missing = [
        (
            &a,
            "/calls/c2/sessions",
            "failed to get session configs: call not found\n",
        ),
        (
            &a,
            "/calls/c2/sessions/s1",
            "failed to get session config: call not found\n",
        ),
        (
            &a,
            "/calls/c1/sessions/s2",
            "failed to get session config: session not found\n",
        ),
        (
            &b,
            "/calls/c1/sessions/s1",
            "failed to get session config: group not found\n",
        ),
    ];
    for (who, path, text) in missing {
        assert_eq!(
            node.send("GET", path, Some(who), "").await,
            (404, text.to_owned()),
            "{path}"
        );
    }
    let nobody = node.send("GET", "/calls/c1/sessions", None, "").await;
    assert_eq!(nobody, (401, "unauthorized\n".to_owned()));

    // The session outlives its socket; `leave` on the next one ends it, with one `close`.
    drop(socket);
    let mut socket = node.connect(Some(&a)).await.unwrap();
    assert!(matches!(
        socket.next().await,
        Some(ControlMessage::Hello(_))
    ));
    assert_eq!(
        node.send("GET", "/calls/c1/sessions/s1", Some(&a), "")
            .await
            .0,
        200
    );
    let session = SessionId::parse("s1").unwrap();
    socket.send(&ControlMessage::Leave(session.clone())).await;
    assert_eq!(socket.next().await, Some(ControlMessage::Close(session)));
    assert_eq!(
        node.send("GET", "/calls/c1/sessions/s1", Some(&a), "")
            .await
            .0,
        404
    );
    node.node.stop().await.unwrap();
}

#[tokio::test]
async fn strangers_get_no_socket() {
    let node = node(|config| {
        config.security.admin_secret_key = Some(Secret::new("admin-secret"));
    })
    .await;
    node.register("clientA").await;
    let wrong = [
        None,
        Some(basic("clientA", "wrong")),
        Some("Bearer x".to_owned()),
        Some(basic("any", "admin-secret")),
    ];
    for authorization in wrong {
        match node.connect(authorization.as_deref()).await {
            Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 401),
            other => panic!("{:?}", other.map(|_| "connected")),
        }
    }
    node.node.stop().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_read_is_ignored_and_what_is_too_long_ends_the_socket() {
    let node = node(|_| {}).await;
    node.register("clientA").await;
    let a = basic("clientA", KEY);
    let mut socket = node.connect(Some(&a)).await.unwrap();
    assert!(matches!(
        socket.next().await,
        Some(ControlMessage::Hello(_))
    ));
    for garbage in [
        &[][..],
        &[0xc1],
        &[0xa4, b'j', b'o', b'i', b'n'],
        &[0xff; 1000],
    ] {
        socket
            .0
            .send(Message::Binary(garbage.to_vec().into()))
            .await
            .unwrap();
    }
    socket.0.send(Message::Text("hello".into())).await.unwrap();
    // Still there: it takes a join and a leave.
    socket.join("c1", "s1").await;
    let session = SessionId::parse("s1").unwrap();
    socket.send(&ControlMessage::Leave(session.clone())).await;
    assert_eq!(socket.next().await, Some(ControlMessage::Close(session)));

    let too_long = Message::Binary(vec![0; (1 << 20) + 1].into());
    // The other end may close before all is written.
    let _ = socket.0.send(too_long).await;
    assert_eq!(socket.next().await, None);
    let (_, metrics) = node.send("GET", "/metrics", None, "").await;
    assert!(metrics.contains("rtcd_drops_total{place=\"ws_in\",reason=\"unreadable\"} 4"));
    assert!(
        metrics.contains(
            "rtcd_ws_messages_total{clientID=\"clientA\",direction=\"in\",type=\"join\"} 1"
        )
    );
    node.node.stop().await.unwrap();
}

#[tokio::test]
async fn a_peer_that_sends_no_pong_is_let_go_and_its_session_stays() {
    let node = node(|_| {}).await;
    node.register("clientA").await;
    let a = basic("clientA", KEY);
    let mut silent = node.connect(Some(&a)).await.unwrap();
    silent.join("c1", "s1").await;
    // Not read from now on: pings stay unanswered. The session has no first offer, so it ends after
    // 10 s, and its `close` waits for the client's next connection.
    let gone = "rtcd_ws_connections_total{clientID=\"clientA\"} 0";
    let deadline = tokio::time::Instant::now() + Duration::from_secs(40);
    while !node
        .send("GET", "/metrics", None, "")
        .await
        .1
        .contains(gone)
    {
        assert!(tokio::time::Instant::now() < deadline, "still connected");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    drop(silent);
    // Its `close` was written to a connection that nobody read.
    let mut next = node.connect(Some(&a)).await.unwrap();
    assert!(matches!(next.next().await, Some(ControlMessage::Hello(_))));
    let s1 = SessionId::parse("s1").unwrap();
    assert_eq!(next.next().await, Some(ControlMessage::Close(s1)));
    node.node.stop().await.unwrap();
}
