//! One client's WebSocket: signing in, frames in both directions, the end.
//!
//! A reader and a writer share one task. The reader waits while the handler takes an action: then
//! only this client waits. The writer sends what the hub has queued, replies, and pings.
//! Not here: which events a client gets (`hub`), what an action of calls means (signalling).
//! Invariant: an action that the handler has begun is never cut off by the end of its socket.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use proto::id::ConnId;
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval_at, timeout};

use super::actions::{self, Budget};
use super::frame::{self, Request};
use super::hub::Resume;
use super::refusal::Refusal;
use super::seat::Seat;
use super::{ClientHandler, Gateway};
use crate::ChatError;
use crate::credentials::Credential;
use crate::model::{ClientAction, Login};

/// Largest message accepted: the reason why session descriptions travel compressed.
const MAX_MESSAGE_BYTES: usize = 8 * 1024;
/// How long a client may take to sign in on the socket.
const AUTH_DEADLINE: Duration = Duration::from_secs(5);
const PING_PERIOD: Duration = Duration::from_secs(60);
/// Longest silence: one ping and some patience.
const READ_DEADLINE: Duration = Duration::from_secs(100);
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// Replies that may wait; a client that does not read them is cut off.
const REPLY_QUEUE: usize = 64;
/// Prefix of the actions that are not ours to understand.
const CUSTOM_PREFIX: &str = "custom_";

/// The query of the upgrade.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Upgrade {
    connection_id: String,
    sequence_number: Option<String>,
}

impl Upgrade {
    /// Where the client left off; an error when it does not say exactly.
    fn resume(&self) -> Result<Option<Resume>, ()> {
        if self.connection_id.is_empty() {
            return Ok(None);
        }
        let connection = ConnId::parse(self.connection_id.as_str()).map_err(drop)?;
        let next_seq = self
            .sequence_number
            .as_deref()
            .unwrap_or_default()
            .parse()
            .map_err(drop)?;
        Ok(Some(Resume {
            connection,
            next_seq,
        }))
    }
}

/// Why a socket ended from our side.
#[derive(Debug, Clone, Copy)]
struct Farewell {
    code: u16,
    reason: &'static str,
}

const GONE: Farewell = Farewell {
    code: close_code::NORMAL,
    reason: "",
};
const BAD_FRAME: Farewell = Farewell {
    code: close_code::UNSUPPORTED,
    reason: "a frame is a JSON object or a MessagePack map",
};
const TOO_LARGE: Farewell = Farewell {
    code: close_code::SIZE,
    reason: "a message has at most 8192 bytes",
};
const NOT_SIGNED_IN: Farewell = Farewell {
    code: close_code::POLICY,
    reason: "sign in within 5 seconds with a good token",
};
const BAD_RESUME: Farewell = Farewell {
    code: close_code::POLICY,
    reason: "connection_id needs a sequence_number",
};
const SILENT: Farewell = Farewell {
    code: close_code::POLICY,
    reason: "nothing was heard for 100 seconds",
};
const TOO_MANY: Farewell = Farewell {
    code: close_code::AGAIN,
    reason: "you have too many connections",
};
const CUT_OFF: Farewell = Farewell {
    code: close_code::AGAIN,
    reason: "the login ended, a newer socket took over, or too much was left unread",
};
const TROUBLE: Farewell = Farewell {
    code: close_code::ERROR,
    reason: "the server has a problem",
};

/// What the WebSocket's route needs.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) gateway: Arc<Gateway>,
    pub(super) handler: Arc<dyn ClientHandler>,
}

/// `GET /api/v4/websocket`
pub(super) async fn upgrade(
    State(door): State<Door>,
    Query(query): Query<Upgrade>,
    headers: HeaderMap,
    ws: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    if !door.gateway.accepts_origin(&headers) {
        return Err(Refusal::forbidden(
            "pages of this origin may not connect: add it to `allowed_origins`",
        ));
    }
    let login = match Credential::from_headers(&headers) {
        Some(credential) => door.gateway.backend.login(credential.token()).await?,
        None => None,
    };
    let version = HeaderValue::from_str(&door.gateway.config.server_version);
    let ws = ws
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES);
    let mut response = ws.on_upgrade(move |socket| async move {
        Box::pin(serve(door, socket, login, query)).await;
    });
    if let Ok(version) = version {
        response.headers_mut().insert("x-version-id", version);
    }
    Ok(response)
}

impl Gateway {
    /// Whether the page that opens a socket is one of ours. Programs send no origin.
    fn accepts_origin(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return true;
        };
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        let site = self.config.site_url.trim_end_matches('/');
        if origin.eq_ignore_ascii_case(site)
            || self
                .config
                .allowed_origins
                .iter()
                .any(|known| known == "*" || known == origin)
        {
            return true;
        }
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let origin_host = origin.split_once("://").map(|(_, host)| host);
        host.is_some() && origin_host == host
    }
}

async fn serve(door: Door, mut socket: WebSocket, login: Option<Login>, query: Upgrade) {
    let farewell = match query.resume() {
        Err(()) => BAD_RESUME,
        Ok(resume) => match signed_in(&door.gateway, &mut socket, login).await {
            Ok(login) => match attach(door, login, resume).await {
                Ok(attached) => return converse(&mut socket, attached).await,
                Err(farewell) => farewell,
            },
            Err(farewell) => farewell,
        },
    };
    say(&mut socket, farewell).await;
}

/// The client may be gone: then there is nobody to say farewell to.
async fn say(
    socket: &mut (impl futures_util::Sink<Message, Error = axum::Error> + Unpin),
    farewell: Farewell,
) {
    let close = CloseFrame {
        code: farewell.code,
        reason: farewell.reason.into(),
    };
    drop(timeout(WRITE_DEADLINE, socket.send(Message::Close(Some(close)))).await);
}

/// Waits for the challenge when neither cookie nor header said who this is.
async fn signed_in(
    gateway: &Gateway,
    socket: &mut WebSocket,
    login: Option<Login>,
) -> Result<Login, Farewell> {
    if let Some(login) = login {
        return Ok(login);
    }
    timeout(AUTH_DEADLINE, challenge(gateway, socket))
        .await
        .unwrap_or(Err(NOT_SIGNED_IN))
}

async fn challenge(gateway: &Gateway, socket: &mut WebSocket) -> Result<Login, Farewell> {
    loop {
        let request = match socket.recv().await {
            None => return Err(GONE),
            Some(Err(_)) => return Err(TOO_LARGE),
            Some(Ok(message)) => match decode(&message)? {
                Some(request) => request,
                None => continue,
            },
        };
        if request.action != "authentication_challenge" {
            let reply = actions::failed(request.seq, &Refusal::unauthenticated());
            socket.send(Message::Text(reply)).await.map_err(|_| GONE)?;
            continue;
        }
        let token = actions::text_field(&request.data, "token").unwrap_or_default();
        let login = gateway
            .backend
            .login(token)
            .await
            .map_err(|error| trouble(&error, "a socket could not be signed in"))?;
        let Some(login) = login else {
            return Err(NOT_SIGNED_IN);
        };
        let reply = actions::done(request.seq, None);
        socket.send(Message::Text(reply)).await.map_err(|_| GONE)?;
        return Ok(login);
    }
}

fn trouble(error: &ChatError, what: &'static str) -> Farewell {
    tracing::warn!(error = error as &dyn std::error::Error, "{what}");
    TROUBLE
}

/// Reads a message; `None` for control frames.
fn decode(message: &Message) -> Result<Option<Request>, Farewell> {
    let request = match message {
        Message::Text(text) => frame::decode_text(text),
        Message::Binary(bytes) => frame::decode_binary(bytes),
        Message::Ping(_) | Message::Pong(_) => return Ok(None),
        Message::Close(_) => return Err(GONE),
    };
    match request {
        Ok(request) => Ok(Some(request)),
        Err(error) => {
            tracing::debug!(%error, "a client sent what is not a request");
            Err(BAD_FRAME)
        }
    }
}

/// A signed-in socket's place, and what goes out on it.
struct Conversation {
    seat: Seat,
    login: Arc<Login>,
    backlog: Vec<Utf8Bytes>,
    queue: mpsc::Receiver<Utf8Bytes>,
    first_of_person: bool,
}

/// Gives a signed-in socket its connection.
async fn attach(
    door: Door,
    login: Login,
    resume: Option<Resume>,
) -> Result<Conversation, Farewell> {
    let Door { gateway, handler } = door;
    let user = login.person.id.clone();
    let entry = gateway.hub.enter(&user);
    let membership = gateway
        .backend
        .membership(&user)
        .await
        .map_err(|error| trouble(&error, "a socket could not be attached"))?;
    let attached = entry
        .attach(&login.login_id, membership, resume)
        .ok_or(TOO_MANY)?;
    let place = (attached.connection, attached.generation);
    let seat = Seat::new(gateway.clone(), handler, place, user, attached.floor);
    // a login that ended before the hub knew this socket would have been ended without it
    let is_live = gateway.backend.login_is_live(&login.login_id).await;
    if !is_live.map_err(|error| trouble(&error, "a login could not be looked up"))? {
        gateway.hub.end_login(&login.login_id);
        return Err(NOT_SIGNED_IN);
    }
    Ok(Conversation {
        seat,
        login: Arc::new(login),
        backlog: attached.backlog,
        queue: attached.queue,
        first_of_person: attached.first_of_person,
    })
}

type Sink<'a> = SplitSink<&'a mut WebSocket, Message>;
type Stream<'a> = SplitStream<&'a mut WebSocket>;

/// Serves a socket until one side ends it.
async fn converse(socket: &mut WebSocket, conversation: Conversation) {
    let Conversation {
        mut seat,
        login,
        backlog,
        queue,
        first_of_person,
    } = conversation;
    let (mut sink, mut stream) = socket.split();
    {
        let (replies, reply_queue) = mpsc::channel(REPLY_QUEUE);
        let (stop, stopped) = oneshot::channel();
        let reading = async {
            if first_of_person {
                seat.gateway.report_presence(&seat.user).await;
            }
            let reading = read(&mut stream, &mut seat, &login, replies, stopped);
            AssertUnwindSafe(reading)
                .catch_unwind()
                .await
                .unwrap_or(TROUBLE)
        };
        let mut reading = pin!(reading);
        tokio::select! {
            farewell = write(&mut sink, backlog, queue, reply_queue) => {
                drop(stop);
                tokio::join!(say(&mut sink, farewell), reading);
            }
            farewell = &mut reading => say(&mut sink, farewell).await,
        }
    }
    seat.leave().await;
}

/// Sends the backlog, then events and replies as they come, and pings.
async fn write(
    sink: &mut Sink<'_>,
    backlog: Vec<Utf8Bytes>,
    mut queue: mpsc::Receiver<Utf8Bytes>,
    mut replies: mpsc::Receiver<Utf8Bytes>,
) -> Farewell {
    for text in backlog {
        if send(sink, Message::Text(text)).await.is_err() {
            return GONE;
        }
    }
    let mut pings = interval_at(tokio::time::Instant::now() + PING_PERIOD, PING_PERIOD);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            biased;
            text = queue.recv() => match text {
                Some(text) => Message::Text(text),
                None => return CUT_OFF,
            },
            Some(text) = replies.recv() => Message::Text(text),
            _ = pings.tick() => Message::Ping(bytes::Bytes::new()),
        };
        if send(sink, message).await.is_err() {
            return GONE;
        }
    }
}

async fn send(sink: &mut Sink<'_>, message: Message) -> Result<(), ()> {
    match timeout(WRITE_DEADLINE, sink.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(()),
    }
}

/// Carries out what the client asks for, one request after the other, until told to stop.
async fn read(
    stream: &mut Stream<'_>,
    seat: &mut Seat,
    login: &Arc<Login>,
    replies: mpsc::Sender<Utf8Bytes>,
    mut stopped: oneshot::Receiver<()>,
) -> Farewell {
    seat.take_floor().await;
    let mut budget = Budget::new(Instant::now());
    loop {
        let message = tokio::select! {
            biased;
            _ = &mut stopped => return CUT_OFF,
            message = timeout(READ_DEADLINE, stream.next()) => message,
        };
        let message = match message {
            Err(_) => return SILENT,
            Ok(None) => return GONE,
            Ok(Some(Err(error))) => {
                tracing::debug!(connection = %seat.connection, %error, "a socket broke");
                return TOO_LARGE;
            }
            Ok(Some(Ok(message))) => message,
        };
        let request = match decode(&message) {
            Ok(Some(request)) => request,
            Ok(None) => continue,
            Err(farewell) => return farewell,
        };
        if request.action.starts_with(CUSTOM_PREFIX) && request.seq > 0 {
            if !seat.is_current() {
                return CUT_OFF;
            }
            let action = ClientAction {
                connection: seat.connection.clone(),
                login: login.clone(),
                action: request.action,
                data: request.data,
            };
            seat.handler.action(action).await;
            continue;
        }
        let seq = request.seq;
        let carried_out = seat
            .gateway
            .carry_out(login, &seat.connection, request, &mut budget);
        let reply = match carried_out.await {
            Ok(Some(data)) => actions::done(seq, Some(data)),
            Ok(None) => continue,
            Err(refusal) => actions::failed(seq, &refusal),
        };
        if replies.try_send(reply).is_err() {
            return CUT_OFF;
        }
    }
}
