//! A media host without media: lets signalling in, remembers which session is in which call, and
//! answers a leave. What is measured beside it is signalling.
//!
//! It runs on a thread of its own, so that it answers while the clients are busy.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use proto::id::{ConnId, GroupId, SessionId};
use proto::rtcd::{ControlMessage, Credentials, HelloMessage, MAX_CONTROL_LEN};
use serde_json::json;

#[derive(Debug, Default)]
struct Known {
    clients: Vec<String>,
    calls_by_session: BTreeMap<SessionId, String>,
}

type Shared = Arc<Mutex<Known>>;

/// A host that serves until the process ends.
#[derive(Debug)]
pub(crate) struct FakeRtcd {
    pub(crate) addr: SocketAddr,
}

impl FakeRtcd {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .context("listen as a media host")?;
        listener
            .set_nonblocking(true)
            .context("listen as a media host")?;
        let addr = listener.local_addr().context("listen as a media host")?;
        let shared = Shared::default();
        let app = Router::new()
            .route(
                "/version",
                get(|| std::future::ready(Json(json!({"buildVersion": "v1.3.0"})))),
            )
            .route(
                "/system",
                get(|| std::future::ready(Json(json!({"cpu_load": 0.5})))),
            )
            .route("/register", post(register))
            .route("/calls/{call}/sessions", get(sessions))
            .route("/ws", get(socket))
            .with_state(shared);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("start the media host")?;
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, app).await
            })
        });
        Ok(Self { addr })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

fn known(shared: &Shared) -> std::sync::MutexGuard<'_, Known> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn register(State(shared): State<Shared>, Json(body): Json<Credentials>) -> Response {
    known(&shared).clients.push(body.client_id.clone());
    let answer = json!({"clientID": body.client_id, "code": "201"});
    (StatusCode::CREATED, Json(answer)).into_response()
}

async fn sessions(State(shared): State<Shared>, Path(call): Path<String>) -> Response {
    let known = known(&shared);
    let of_call = known.calls_by_session.iter().filter(|(_, of)| **of == call);
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

/// Who is not registered is turned away, as by rtcd: signalling registers then.
async fn socket(
    State(shared): State<Shared>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let id = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "))
        .and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok())
        .and_then(|plain| String::from_utf8(plain).ok());
    let id = id.as_deref().and_then(|text| text.split(':').next());
    if !id.is_some_and(|id| known(&shared).clients.iter().any(|client| client == id)) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    upgrade.on_upgrade(move |socket| talk(shared, socket))
}

async fn talk(shared: Shared, mut socket: WebSocket) {
    let Ok(client) = GroupId::parse("client") else {
        return;
    };
    let hello = ControlMessage::Hello(HelloMessage {
        client,
        conn: ConnId::random(),
    });
    if send(&mut socket, &hello).await.is_err() {
        return;
    }
    // As rtcd does: signalling takes 25 s of silence for a dead host.
    let mut pings = tokio::time::interval(std::time::Duration::from_secs(10));
    loop {
        let frame = tokio::select! {
            _ = pings.tick() => {
                if socket.send(Message::Ping(axum::body::Bytes::new())).await.is_err() {
                    return;
                }
                continue;
            }
            frame = socket.recv() => frame,
        };
        let Some(Ok(frame)) = frame else { return };
        let Message::Binary(bytes) = frame else {
            continue;
        };
        // Nearly all messages are about what a session does; only the others matter here.
        if bytes.starts_with(b"\xa3rtc") {
            continue;
        }
        let closed = match ControlMessage::decode(&bytes, MAX_CONTROL_LEN) {
            Ok(ControlMessage::Join(join)) => {
                let call = join.call.to_string();
                known(&shared).calls_by_session.insert(join.session, call);
                None
            }
            Ok(ControlMessage::Leave(session)) => known(&shared)
                .calls_by_session
                .remove(&session)
                .map(|_| ControlMessage::Close(session)),
            Ok(_) | Err(_) => None,
        };
        if let Some(closed) = closed
            && send(&mut socket, &closed).await.is_err()
        {
            return;
        }
    }
}

async fn send(socket: &mut WebSocket, message: &ControlMessage) -> Result<(), axum::Error> {
    socket.send(Message::Binary(message.encode().into())).await
}
