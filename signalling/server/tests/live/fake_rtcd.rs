//! A media host without media: speaks the control protocol, answers every offer, and writes down
//! every message.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use proto::id::{ConnId, GroupId, SessionId};
use proto::rtcd::{
    ControlMessage, Credentials, HelloMessage, MAX_CONTROL_LEN, RtcKind, RtcMessage,
};
use serde_json::json;
use service::telemetry::testing::Secrets;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

#[derive(Debug, Default)]
struct Heard {
    messages: Vec<ControlMessage>,
    registered: Vec<String>,
    calls_by_session: BTreeMap<SessionId, String>,
    connections: usize,
    is_away: bool,
}

#[derive(Debug, Clone)]
struct Shared {
    heard: Arc<Mutex<Heard>>,
    out: broadcast::Sender<Vec<u8>>,
    drop_connections: broadcast::Sender<()>,
    stalls: watch::Sender<bool>,
    secrets: Secrets,
}

#[derive(Debug)]
pub struct FakeRtcd {
    pub addr: SocketAddr,
    shared: Shared,
    task: JoinHandle<()>,
}

impl FakeRtcd {
    pub async fn start(secrets: Secrets) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Shared {
            heard: Arc::default(),
            out: broadcast::channel(256).0,
            drop_connections: broadcast::channel(4).0,
            stalls: watch::Sender::new(false),
            secrets,
        };
        let app = Router::new()
            .route(
                "/version",
                get(|| async { Json(json!({"buildVersion": "v1.3.0"})) }),
            )
            .route("/system", get(|| async { Json(json!({"cpu_load": 0.5})) }))
            .route("/register", post(register))
            .route("/calls/{call}/sessions", get(sessions))
            .route("/ws", get(socket))
            .with_state(shared.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { addr, shared, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn say(&self, message: &ControlMessage) {
        self.shared.out.send(message.encode()).unwrap();
    }

    pub fn close(&self, session: &str) {
        self.forget(session);
        self.say(&ControlMessage::Close(SessionId::parse(session).unwrap()));
    }

    /// Forgets a session without telling, as a restart does.
    pub fn forget(&self, session: &str) {
        let mut heard = self.shared.heard.lock().unwrap();
        heard
            .calls_by_session
            .remove(&SessionId::parse(session).unwrap());
    }

    pub fn voice(&self, session: &str, on: bool) {
        let kind = if on {
            RtcKind::VoiceOn
        } else {
            RtcKind::VoiceOff
        };
        let session = SessionId::parse(session).unwrap();
        self.say(&ControlMessage::Vad(RtcMessage::for_session(
            &session,
            kind,
            Vec::new(),
        )));
    }

    /// Cuts the connections: what was not read yet is lost.
    pub fn drop_connections(&self) {
        self.shared.drop_connections.send(()).unwrap();
    }

    /// Is out of reach until `come_back`.
    pub fn go_away(&self) {
        self.shared.heard.lock().unwrap().is_away = true;
        self.drop_connections();
    }

    pub fn come_back(&self) {
        self.shared.heard.lock().unwrap().is_away = false;
    }

    /// Keeps the connections and reads nothing from them, or reads again.
    pub fn stall(&self, stalls: bool) {
        self.shared.stalls.send_replace(stalls);
    }

    /// Ends and is there again, with no memory of any session.
    pub fn restart(&self) {
        self.shared.heard.lock().unwrap().calls_by_session.clear();
        self.drop_connections();
    }

    pub fn heard(&self) -> Vec<ControlMessage> {
        self.shared.heard.lock().unwrap().messages.clone()
    }

    pub fn registered(&self) -> Vec<String> {
        self.shared.heard.lock().unwrap().registered.clone()
    }

    pub fn connections(&self) -> usize {
        self.shared.heard.lock().unwrap().connections
    }

    /// How many sessions it has.
    pub fn sessions(&self) -> usize {
        self.shared.heard.lock().unwrap().calls_by_session.len()
    }

    /// The kinds of what was said about a session, in order.
    pub fn kinds(&self, session: &str) -> Vec<String> {
        self.kinds_after(session, 0)
    }

    /// The same behind the first messages.
    pub fn kinds_after(&self, session: &str, first: usize) -> Vec<String> {
        let about = |message: &ControlMessage| match message {
            ControlMessage::Join(join) => (join.session.to_string(), "join".to_owned()),
            ControlMessage::Leave(session) => (session.to_string(), "leave".to_owned()),
            ControlMessage::Reconnect(session) => (session.to_string(), "reconnect".to_owned()),
            ControlMessage::Rtc(rtc) => (rtc.session.clone(), format!("{:?}", rtc.kind)),
            other => (String::new(), format!("{other:?}")),
        };
        let heard = self.heard();
        let all = heard.iter().skip(first).map(about);
        all.filter(|(of, _)| of == session)
            .map(|(_, kind)| kind)
            .collect()
    }

    pub async fn wait_for(&self, session: &str, kind: &str) {
        crate::world::until(&format!("media host hears {kind}"), || {
            self.kinds(session).iter().any(|heard| heard == kind)
        })
        .await;
    }
}

impl Drop for FakeRtcd {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn register(State(shared): State<Shared>, Json(body): Json<Credentials>) -> Response {
    shared.secrets.keep("auth key", body.auth_key.expose());
    let mut heard = shared.heard.lock().unwrap();
    if heard.registered.contains(&body.client_id) || body.auth_key.expose().len() < 32 {
        return (StatusCode::BAD_REQUEST, "registration failed").into_response();
    }
    heard.registered.push(body.client_id.clone());
    (
        StatusCode::CREATED,
        Json(json!({"clientID": body.client_id, "code": "201"})),
    )
        .into_response()
}

async fn sessions(State(shared): State<Shared>, Path(call): Path<String>) -> Response {
    let heard = shared.heard.lock().unwrap();
    let of_call = heard.calls_by_session.iter().filter(|(_, of)| **of == call);
    let list: Vec<_> = of_call
        .map(|(session, _)| {
            json!({"GroupID": "g", "CallID": call, "UserID": "u", "SessionID": session})
        })
        .collect();
    if list.is_empty() {
        return (StatusCode::NOT_FOUND, "no sessions found").into_response();
    }
    Json(list).into_response()
}

async fn socket(
    State(shared): State<Shared>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    use base64::Engine as _;
    if shared.heard.lock().unwrap().is_away {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let basic = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let known = basic
        .and_then(|text| text.strip_prefix("Basic "))
        .is_some_and(|text| {
            let plain = base64::engine::general_purpose::STANDARD
                .decode(text)
                .unwrap();
            let id = String::from_utf8(plain).unwrap();
            let id = id.split(':').next().unwrap().to_owned();
            shared.heard.lock().unwrap().registered.contains(&id)
        });
    if !known {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    upgrade.on_upgrade(move |socket| talk(shared, socket))
}

async fn talk(shared: Shared, mut socket: WebSocket) {
    let (mut out, mut drops) = (shared.out.subscribe(), shared.drop_connections.subscribe());
    let mut stalls = shared.stalls.subscribe();
    shared.heard.lock().unwrap().connections += 1;
    let hello = ControlMessage::Hello(HelloMessage {
        client: GroupId::parse("client").unwrap(),
        conn: ConnId::random(),
    });
    let _ = socket.send(Message::Binary(hello.encode().into())).await;
    loop {
        let reads = !*stalls.borrow_and_update();
        tokio::select! {
            // What the test said first holds first: nothing is read after a drop or a stall.
            biased;
            _ = drops.recv() => return,
            changed = stalls.changed() => changed.unwrap(),
            message = out.recv() => {
                let Ok(message) = message else { return };
                if socket.send(Message::Binary(message.into())).await.is_err() { return }
            }
            frame = tokio::time::timeout(Duration::from_secs(60), socket.recv()), if reads => {
                let bytes = match frame {
                    Ok(Some(Ok(Message::Binary(bytes)))) => bytes,
                    // Answered by the WebSocket itself.
                    Ok(Some(Ok(Message::Ping(_)))) => continue,
                    _ => return,
                };
                let message = ControlMessage::decode(&bytes, MAX_CONTROL_LEN).unwrap();
                if let Some(answer) = hear(&shared, message) {
                    let _ = socket.send(Message::Binary(answer.encode().into())).await;
                }
            }
        }
    }
}

fn hear(shared: &Shared, message: ControlMessage) -> Option<ControlMessage> {
    let mut heard = shared.heard.lock().unwrap();
    heard.messages.push(message.clone());
    match message {
        ControlMessage::Join(join) => {
            heard
                .calls_by_session
                .insert(join.session, join.call.to_string());
            None
        }
        ControlMessage::Leave(session) => heard
            .calls_by_session
            .remove(&session)
            .map(|_| ControlMessage::Close(session)),
        ControlMessage::Rtc(rtc) if rtc.kind == RtcKind::Sdp => {
            let session = SessionId::parse(rtc.session).unwrap();
            let answer = br#"{"type":"answer","sdp":"v=0 from the media host"}"#.to_vec();
            let answer = RtcMessage::for_session(&session, RtcKind::Sdp, answer);
            Some(ControlMessage::Rtc(answer))
        }
        _ => None,
    }
}
