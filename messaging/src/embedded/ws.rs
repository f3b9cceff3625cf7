//! One client's WebSocket: signing in, frames in both directions, the end.
//!
//! A reader and a writer share one task. The reader may wait for calls to take an action: then
//! only this client waits. The writer sends what the hub has queued, replies, and pings.
//! Not here: which events a client gets (`hub`), what an action of calls means (signalling).

mod actions;
mod frame;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use proto::id::ConnId;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval_at, timeout};

use super::Server;
use super::accounts::Caller;
use super::fault::Fault;
use super::hub::{Attached, Resume};
use super::rooms::to_user;
use super::status::Status;
use super::{wire, ws::actions::Budget};
use crate::credentials::Credential;
use crate::model::{ClientAction, Notice};

use frame::Request;

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

/// `GET /api/v4/websocket`
pub(super) async fn upgrade(
    State(server): State<Arc<Server>>,
    Query(query): Query<Upgrade>,
    headers: HeaderMap,
    ws: WebSocketUpgrade,
) -> Result<Response, Fault> {
    if !server.accepts_origin(&headers) {
        return Err(Fault::forbidden(
            "pages of this origin may not connect: add it to `allowed_origins`",
        ));
    }
    let caller = match Credential::from_headers(&headers) {
        Some(credential) => server.authenticate(credential.token()).await?,
        None => None,
    };
    let ws = ws
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES);
    Ok(ws.on_upgrade(move |socket| async move {
        Box::pin(serve(server, socket, caller, query)).await;
    }))
}

impl Server {
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

async fn serve(server: Arc<Server>, mut socket: WebSocket, caller: Option<Caller>, query: Upgrade) {
    let farewell = match query.resume() {
        Err(()) => BAD_RESUME,
        Ok(resume) => match signed_in(&server, &mut socket, caller).await {
            Ok(caller) => converse(&server, &mut socket, &caller, resume).await,
            Err(farewell) => farewell,
        },
    };
    let close = CloseFrame {
        code: farewell.code,
        reason: farewell.reason.into(),
    };
    // the client may be gone: then there is nobody to say farewell to
    drop(timeout(WRITE_DEADLINE, socket.send(Message::Close(Some(close)))).await);
}

/// Waits for the challenge when neither cookie nor header said who this is.
async fn signed_in(
    server: &Server,
    socket: &mut WebSocket,
    caller: Option<Caller>,
) -> Result<Caller, Farewell> {
    if let Some(caller) = caller {
        return Ok(caller);
    }
    timeout(AUTH_DEADLINE, challenge(server, socket))
        .await
        .unwrap_or(Err(NOT_SIGNED_IN))
}

async fn challenge(server: &Server, socket: &mut WebSocket) -> Result<Caller, Farewell> {
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
            let reply = actions::failed(request.seq, &Fault::unauthenticated());
            socket.send(Message::Text(reply)).await.map_err(|_| GONE)?;
            continue;
        }
        let token = actions::text_field(&request.data, "token").unwrap_or_default();
        let caller = server.authenticate(token).await.map_err(|fault| {
            tracing::warn!(?fault, "a socket could not be signed in");
            TROUBLE
        })?;
        let Some(caller) = caller else {
            return Err(NOT_SIGNED_IN);
        };
        let reply = actions::done(request.seq, None);
        socket.send(Message::Text(reply)).await.map_err(|_| GONE)?;
        return Ok(caller);
    }
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

/// Serves a signed-in socket until one side ends it.
async fn converse(
    server: &Server,
    socket: &mut WebSocket,
    caller: &Caller,
    resume: Option<Resume>,
) -> Farewell {
    let attached = {
        let _no_change = server.membership.read().await;
        match server.load_membership(&caller.person.id).await {
            Ok(membership) => {
                server
                    .hub
                    .attach(&caller.person.id, &caller.login_id, membership, resume)
            }
            Err(fault) => {
                tracing::warn!(?fault, "a socket could not be attached");
                return TROUBLE;
            }
        }
    };
    let Some(attached) = attached else {
        return TOO_MANY;
    };
    let connection = attached.connection.clone();
    let generation = attached.generation;
    let user = caller.person.id.clone();
    if attached.replaced {
        // the older task finds itself replaced and keeps silent
        let (connection, user) = (connection.clone(), user.clone());
        server
            .notify(Notice::Disconnected { connection, user })
            .await;
    }
    let notice = Notice::Connected {
        connection: connection.clone(),
        user: user.clone(),
    };
    server.notify(notice).await;
    if attached.first_of_person {
        server.show_status(&user, Status::Online);
    }

    let (mut sink, mut stream) = socket.split();
    let farewell = exchange(server, &mut sink, &mut stream, caller, attached).await;

    if let Some(detached) = server.hub.detach(&connection, generation, Instant::now()) {
        if detached.last_of_person {
            server.show_status(&user, Status::Offline);
        }
        server
            .notify(Notice::Disconnected { connection, user })
            .await;
    }
    farewell
}

type Sink<'a> = SplitSink<&'a mut WebSocket, Message>;
type Stream<'a> = SplitStream<&'a mut WebSocket>;

async fn exchange(
    server: &Server,
    sink: &mut Sink<'_>,
    stream: &mut Stream<'_>,
    caller: &Caller,
    attached: Attached,
) -> Farewell {
    let (replies, reply_queue) = mpsc::channel(REPLY_QUEUE);
    let Attached {
        connection,
        generation,
        backlog,
        queue,
        ..
    } = attached;
    tokio::select! {
        farewell = write(sink, backlog, queue, reply_queue) => farewell,
        farewell = read(server, stream, caller, &connection, generation, replies) => farewell,
    }
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

/// Carries out what the client asks for, one request after the other.
async fn read(
    server: &Server,
    stream: &mut Stream<'_>,
    caller: &Caller,
    connection: &ConnId,
    generation: u64,
    replies: mpsc::Sender<Utf8Bytes>,
) -> Farewell {
    let mut budget = Budget::new(Instant::now());
    loop {
        let message = match timeout(READ_DEADLINE, stream.next()).await {
            Err(_) => return SILENT,
            Ok(None) => return GONE,
            Ok(Some(Err(error))) => {
                tracing::debug!(%connection, %error, "a socket broke");
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
            if !server.hub.is_current(connection, generation) {
                return CUT_OFF;
            }
            let action = ClientAction {
                connection: connection.clone(),
                login: caller.login(),
                action: request.action,
                data: request.data,
            };
            server.notify(Notice::Action(action)).await;
            continue;
        }
        let seq = request.seq;
        let reply = match server
            .carry_out(caller, connection, request, &mut budget)
            .await
        {
            Ok(Some(data)) => actions::done(seq, Some(data)),
            Ok(None) => continue,
            Err(fault) => actions::failed(seq, &fault),
        };
        if replies.try_send(reply).is_err() {
            return CUT_OFF;
        }
    }
}

impl Server {
    /// Shows what a person's clients say, unless the person chose a status.
    pub(super) fn show_status(&self, person: &proto::id::UserId, status: Status) {
        if self.statuses.observe(person, status, self.now_ms()) {
            self.announce_status(person);
        }
    }

    pub(super) fn announce_status(&self, person: &proto::id::UserId) {
        let data = wire::status(person, self.statuses.of(person));
        self.emit("status_change", data, to_user(person));
    }
}
