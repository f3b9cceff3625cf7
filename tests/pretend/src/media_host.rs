//! A media host without media: speaks the control protocol, remembers which session is in which call,
//! answers offers and leaves, and writes down what it hears.
//!
//! In: what signalling says. Out: answers, and whatever a test lets it say or do.
//! Not here: the protocol's words (`proto::rtcd`).

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests fail by panicking"
)]

mod socket;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use proto::id::SessionId;
use proto::rtcd::{ControlMessage, Credentials, RtcKind, RtcMessage};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

/// How long something that must be heard may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much of what it hears a host remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    Everything,
    /// Which session is in which call: what is measured beside it is signalling. Offers are not
    /// answered then.
    Sessions,
}

/// Is told of keys in clear, which a test looks for elsewhere.
type OnKey = Arc<dyn Fn(&str) + Send + Sync>;

#[derive(Debug, Default)]
struct Heard {
    messages: Vec<ControlMessage>,
    registered: Vec<String>,
    calls_by_session: BTreeMap<SessionId, String>,
    connections: usize,
    is_away: bool,
}

#[derive(Clone)]
struct Shared {
    heard: Arc<Mutex<Heard>>,
    out: broadcast::Sender<Vec<u8>>,
    drop_connections: broadcast::Sender<()>,
    stalls: watch::Sender<bool>,
    memory: Memory,
    on_key: OnKey,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// A host that serves until it is dropped.
#[derive(Debug)]
pub struct MediaHost {
    pub addr: SocketAddr,
    shared: Shared,
    task: Option<JoinHandle<()>>,
}

impl MediaHost {
    /// Serves within the runtime of a test. Each key is told to `on_key`.
    pub async fn start(on_key: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Shared::new(Memory::Everything, Arc::new(on_key));
        let app = router(shared.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            addr,
            shared,
            task: Some(task),
        }
    }

    /// Serves on a thread of its own until the process ends, so that it answers while the clients of a
    /// measurement are busy.
    ///
    /// # Errors
    /// When no port or no thread can be had.
    pub fn on_a_thread() -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let shared = Shared::new(Memory::Sessions, Arc::new(|_| ()));
        let app = router(shared.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let serving = move || {
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener)?;
                axum::serve(listener, app).await
            })
        };
        std::thread::Builder::new().spawn(serving)?;
        Ok(Self {
            addr,
            shared,
            task: None,
        })
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Tells signalling something, on every connection.
    pub fn say(&self, message: &ControlMessage) {
        self.shared.out.send(message.encode()).unwrap();
    }

    /// Closes a session, as after a broken connection of its client.
    pub fn close(&self, session: &str) {
        self.forget(session);
        self.say(&ControlMessage::Close(SessionId::parse(session).unwrap()));
    }

    /// Forgets a session without telling, as a restart does.
    pub fn forget(&self, session: &str) {
        let session = SessionId::parse(session).unwrap();
        self.heard_so_far(|heard| heard.calls_by_session.remove(&session));
    }

    /// Says that somebody began, or ceased, to speak.
    pub fn voice(&self, session: &str, on: bool) {
        let kind = if on {
            RtcKind::VoiceOn
        } else {
            RtcKind::VoiceOff
        };
        let session = SessionId::parse(session).unwrap();
        let message = RtcMessage::for_session(&session, kind, Vec::new());
        self.say(&ControlMessage::Vad(message));
    }

    /// Cuts the connections: what was not read yet is lost.
    pub fn drop_connections(&self) {
        self.shared.drop_connections.send(()).unwrap();
    }

    /// Is out of reach until `come_back`.
    pub fn go_away(&self) {
        self.heard_so_far(|heard| heard.is_away = true);
        self.drop_connections();
    }

    pub fn come_back(&self) {
        self.heard_so_far(|heard| heard.is_away = false);
    }

    /// Keeps the connections and reads nothing from them, or reads again.
    pub fn stall(&self, stalls: bool) {
        self.shared.stalls.send_replace(stalls);
    }

    /// Ends and is there again, with no memory of any session.
    pub fn restart(&self) {
        self.heard_so_far(|heard| heard.calls_by_session.clear());
        self.drop_connections();
    }

    /// Every message, where everything is remembered.
    #[must_use]
    pub fn heard(&self) -> Vec<ControlMessage> {
        self.heard_so_far(|heard| heard.messages.clone())
    }

    /// Who has registered.
    #[must_use]
    pub fn registered(&self) -> Vec<String> {
        self.heard_so_far(|heard| heard.registered.clone())
    }

    /// How many connections there were.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.heard_so_far(|heard| heard.connections)
    }

    /// How many sessions it has.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.heard_so_far(|heard| heard.calls_by_session.len())
    }

    /// The kinds of what was said about a session, in order.
    #[must_use]
    pub fn kinds(&self, session: &str) -> Vec<String> {
        self.kinds_after(session, 0)
    }

    /// The same behind the first messages.
    #[must_use]
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

    /// Waits until it has heard something about a session.
    pub async fn wait_for(&self, session: &str, kind: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.kinds(session).iter().any(|heard| heard == kind) {
            assert!(Instant::now() < deadline, "the media host hears no {kind}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn heard_so_far<T>(&self, look: impl FnOnce(&mut Heard) -> T) -> T {
        look(&mut self.shared.heard.lock().unwrap())
    }
}

impl Drop for MediaHost {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Shared {
    fn new(memory: Memory, on_key: OnKey) -> Self {
        Self {
            heard: Arc::default(),
            out: broadcast::channel(256).0,
            drop_connections: broadcast::channel(4).0,
            stalls: watch::Sender::new(false),
            memory,
            on_key,
        }
    }
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route(
            "/version",
            get(|| async { Json(json!({"buildVersion": "v1.3.0"})) }),
        )
        .route("/system", get(|| async { Json(json!({"cpu_load": 0.5})) }))
        .route("/register", post(register))
        .route("/calls/{call}/sessions", get(sessions))
        .route("/ws", get(socket::open))
        .with_state(shared)
}

async fn register(State(shared): State<Shared>, Json(body): Json<Credentials>) -> Response {
    (shared.on_key)(body.auth_key.expose());
    let mut heard = shared.heard.lock().unwrap();
    if heard.registered.contains(&body.client_id) || body.auth_key.expose().len() < 32 {
        return (StatusCode::BAD_REQUEST, "registration failed").into_response();
    }
    heard.registered.push(body.client_id.clone());
    let answer = json!({"clientID": body.client_id, "code": "201"});
    (StatusCode::CREATED, Json(answer)).into_response()
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
