//! One client's WebSocket: signing in, frames in both directions, the end.
//!
//! A reader and a writer share one task. The reader waits while the handler takes an action: then
//! only this client waits. The writer sends what the hub holds for this client, replies, and pings.
//! Not here: which events a client gets (`hub`), what an action of calls means (signalling).
//! Invariant: an action that the handler has begun is never cut off by the end of its socket.

mod farewell;
mod upgrade;
mod write;

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::stream::SplitStream;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::Error as SocketError;

use super::Gateway;
use super::actions;
use super::budget::{Budget, Verdict};
use super::frame::{self, Request};
use super::hub::Resume;
use super::metrics::CutOff;
use super::refusal::Refusal;
use super::seat::Seat;
use crate::ChatError;
use crate::model::{ClientAction, Login};
use farewell::{
    BAD_FRAME, BAD_RESUME, CUT_OFF, FLOOD, Farewell, GONE, NOT_SIGNED_IN, SILENT, TOO_LARGE,
    TOO_MANY, TROUBLE, say,
};
use upgrade::Upgrade;
pub(super) use upgrade::{Context, upgrade};

/// How long a client may take to sign in on the socket.
const AUTH_DEADLINE: Duration = Duration::from_secs(5);
/// Longest silence: one ping and some patience.
const READ_DEADLINE: Duration = Duration::from_secs(100);
/// Replies that may wait; a client that does not read them is not read either.
const REPLY_QUEUE: usize = 32;
/// Prefix of the actions that are not ours to understand.
const CUSTOM_PREFIX: &str = "custom_";

type Socket = WebSocketStream<TokioIo<Upgraded>>;
type Stream = SplitStream<Socket>;

async fn serve(context: Context, mut socket: Socket, login: Option<Login>, query: Upgrade) {
    let farewell = match query.resume() {
        Err(()) => BAD_RESUME,
        // boxed: needed for a moment, while the task lives as long as the client
        Ok(resume) => match Box::pin(admit(context, &mut socket, login, resume)).await {
            Ok(admitted) => {
                drop(query);
                return Box::pin(converse(socket, admitted)).await;
            }
            Err(farewell) => farewell,
        },
    };
    say(&mut socket, farewell).await;
}

/// A signed-in client and its place in the hub.
struct Admitted {
    seat: Seat,
    login: Arc<Login>,
    first_of_person: bool,
}

/// Gives a client its connection, once it is known who it is.
async fn admit(
    context: Context,
    socket: &mut Socket,
    login: Option<Login>,
    resume: Option<Resume>,
) -> Result<Admitted, Farewell> {
    let Context { gateway, handler } = context;
    let login = match login {
        Some(login) => login,
        None => timeout(AUTH_DEADLINE, challenge(&gateway, socket))
            .await
            .unwrap_or(Err(NOT_SIGNED_IN))?,
    };
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
    let first_of_person = attached.first_of_person;
    let seat = Seat::new(gateway.clone(), handler, attached, user);
    // a login that ended before the hub knew this socket would have been ended without it
    let is_live = gateway.backend.login_is_live(&login.login_id).await;
    if !is_live.map_err(|error| trouble(&error, "a login could not be looked up"))? {
        gateway.hub.end_login(&seat.user, &login.login_id);
        return Err(NOT_SIGNED_IN);
    }
    Ok(Admitted {
        seat,
        login: Arc::new(login),
        first_of_person,
    })
}

/// Waits for the challenge when neither cookie nor header said who this is.
async fn challenge(gateway: &Gateway, socket: &mut Socket) -> Result<Login, Farewell> {
    loop {
        let request = match socket.next().await {
            None => return Err(GONE),
            Some(Err(error)) => return Err(broken(&error)),
            Some(Ok(message)) => match decode(&message)? {
                Some(request) => request,
                None => continue,
            },
        };
        if request.action != "authentication_challenge" {
            let reply = actions::failed(request.seq, &Refusal::unauthenticated());
            socket.send(Message::text(reply)).await.map_err(|_| GONE)?;
            continue;
        }
        let token = actions::text_field(&request.data, "token").unwrap_or_default();
        let login = gateway
            .backend
            .login(token)
            .await
            .map_err(|error| trouble(&error, "a socket could not be signed in"))?;
        let login = login.ok_or(NOT_SIGNED_IN)?;
        let reply = actions::done(request.seq, None);
        socket.send(Message::text(reply)).await.map_err(|_| GONE)?;
        return Ok(login);
    }
}

fn trouble(error: &ChatError, what: &'static str) -> Farewell {
    tracing::warn!(error = error as &dyn std::error::Error, "{what}");
    TROUBLE
}

fn broken(error: &SocketError) -> Farewell {
    tracing::debug!(%error, "a socket broke");
    if matches!(error, SocketError::Capacity(_)) {
        TOO_LARGE
    } else {
        GONE
    }
}

/// Reads a message; `None` for control frames.
fn decode(message: &Message) -> Result<Option<Request>, Farewell> {
    let request = match message {
        Message::Text(text) => frame::decode_text(text),
        Message::Binary(bytes) => frame::decode_binary(bytes),
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Ok(None),
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

/// Serves a socket until one side ends it.
async fn converse(socket: Socket, admitted: Admitted) {
    let Admitted {
        mut seat,
        login,
        first_of_person,
    } = admitted;
    let line = seat.line.clone();
    let (mut sink, mut stream) = socket.split();
    let (replies, reply_queue) = mpsc::channel(REPLY_QUEUE);
    let (stop, stopped) = oneshot::channel();
    // Why the reader ended, known before everybody has been told.
    let known_reason = OnceLock::new();
    let reason = &known_reason;
    let reading = async move {
        if first_of_person {
            seat.gateway.report_presence(&seat.user).await;
        }
        let reading = read(&mut stream, &mut seat, &login, replies, stopped);
        let farewell = AssertUnwindSafe(reading).catch_unwind().await;
        let farewell = farewell.unwrap_or(TROUBLE);
        // Leaving ends the writer, which would know no better reason than having been cut off.
        let farewell = *reason.get_or_init(|| farewell);
        seat.count(farewell);
        seat.leave().await;
        farewell
    };
    let mut reading = pin!(reading);
    let farewell = tokio::select! {
        farewell = write::write(&mut sink, &line, reply_queue) => farewell,
        () = line.wake.end.notified() => CUT_OFF,
        farewell = &mut reading => return say(&mut sink, farewell).await,
    };
    let farewell = *reason.get().unwrap_or(&farewell);
    drop(stop);
    tokio::join!(say(&mut sink, farewell), reading);
}

impl Seat {
    fn count(&self, farewell: Farewell) {
        let reason = match farewell {
            BAD_FRAME | TOO_LARGE => CutOff::BadFrame,
            FLOOD => CutOff::Flood,
            SILENT => CutOff::Silent,
            TROUBLE => CutOff::Trouble,
            _ => return,
        };
        self.gateway.metrics.cut_off(reason);
    }
}

/// Carries out what the client asks for, one request after the other, until told to stop.
async fn read(
    stream: &mut Stream,
    seat: &mut Seat,
    login: &Arc<Login>,
    replies: mpsc::Sender<String>,
    mut stopped: oneshot::Receiver<()>,
) -> Farewell {
    tokio::select! {
        biased;
        // it may take long until the socket before has finished its action
        _ = &mut stopped => return CUT_OFF,
        () = seat.wait_for_floor() => seat.begin().await,
    }
    let limits = &seat.gateway.config.limits;
    let mut budget = Budget::new(limits, login.person.is_bot, Instant::now());
    loop {
        let message = tokio::select! {
            biased;
            _ = &mut stopped => return CUT_OFF,
            message = timeout(READ_DEADLINE, stream.next()) => message,
        };
        let message = match message {
            Err(_) => return SILENT,
            Ok(None) => return GONE,
            Ok(Some(Err(error))) => return broken(&error),
            Ok(Some(Ok(message))) => message,
        };
        let verdict = budget.judge(seat.line.budget(), Instant::now());
        if verdict == Verdict::Close {
            return FLOOD;
        }
        let request = match decode(&message) {
            Ok(Some(request)) => request,
            Ok(None) => continue,
            Err(farewell) => return farewell,
        };
        let seq = request.seq;
        let answered = if verdict == Verdict::Refuse {
            seat.gateway.note_over_budget();
            Err(Refusal::too_many(
                "too many requests on this connection: slow down",
            ))
        } else if request.action.starts_with(CUSTOM_PREFIX) && seq > 0 {
            if !seat.line.is_current() {
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
        } else {
            seat.gateway
                .carry_out(login, &seat.connection, request)
                .await
        };
        let reply = match answered {
            Ok(Some(data)) => actions::done(seq, Some(data)),
            Ok(None) => continue,
            Err(refusal) => actions::failed(seq, &refusal),
        };
        tokio::select! {
            biased;
            _ = &mut stopped => return CUT_OFF,
            sent = replies.send(reply) => if sent.is_err() {
                return CUT_OFF;
            },
        }
    }
}
