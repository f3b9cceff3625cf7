//! One control connection: frames of a WebSocket <-> control messages.
//!
//! In: binary frames of at most 1 MiB; text is logged and ignored. Out: binary frames from the
//! connection's queue, a ping every 10 s.
//! Liveness: without a pong for 20 s, or with a write that takes 10 s, the connection ends. Its
//! sessions do not: what could not be sent goes to the client's other, or next, connection, and so
//! does what was sent into the void (`unconfirmed`).

mod unconfirmed;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use proto::id::GroupId;
use proto::rtcd::{ControlMessage, MAX_CONTROL_LEN};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::auth::Source;
use crate::control::{Connection, Queue};
use crate::http::{App, tenant, unauthorized};
use unconfirmed::Unconfirmed;

const PING_EVERY: Duration = Duration::from_secs(10);
const PONG_WITHIN: Duration = Duration::from_secs(20);
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// How long a client has to take what is left when the node stops.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);

/// Answers `GET /ws`.
pub(crate) async fn upgrade(
    State(app): State<Arc<App>>,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    if !same_origin(&headers) {
        return (StatusCode::FORBIDDEN, "origin not allowed\n").into_response();
    }
    let Some(group) = tenant(&app, &headers, source).await else {
        return unauthorized();
    };
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => {
            // A proxy that does not pass upgrades on shows up here.
            warn!(clientID = %group, %rejection, "WebSocket upgrade refused");
            return rejection.into_response();
        }
    };
    upgrade
        .max_message_size(MAX_CONTROL_LEN)
        .max_frame_size(MAX_CONTROL_LEN)
        .on_upgrade(move |socket| serve(app, group, socket))
}

/// Without an `Origin` it is no browser; with one it must be ours.
fn same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"));
    matches!((origin, host), (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host))
}

async fn serve(app: Arc<App>, group: GroupId, socket: WebSocket) {
    let mut connection = app.control.connect(&group);
    info!(clientID = %group, connID = %connection.id, "client connected");
    let (mut sender, mut receiver) = socket.split();
    let (_, empty) = tokio::sync::mpsc::channel(1);
    let mut queue = std::mem::replace(&mut connection.queue, empty);
    let sent = Mutex::default();
    let mut in_flight = None;
    let end = {
        let writing = write(&app, &group, &mut sender, &mut queue, &sent, &mut in_flight);
        let reading = read(&app, &connection, &mut receiver, &sent);
        let mut stop = app.stop.clone();
        tokio::select! {
            end = writing => end,
            end = reading => end,
            _ = stop.wait_for(|stop| *stop) => End::NodeStops,
        }
    };
    queue.close();
    let mut unsent: Vec<ControlMessage> = Vec::new();
    if end.is_silence() {
        unsent.extend(lock(&sent).take());
    }
    // A message that was begun is in the socket's hands when only the node stops.
    unsent.extend(in_flight.filter(|_| end != End::NodeStops));
    while let Ok(message) = queue.try_recv() {
        unsent.push(message);
    }
    if end == End::NodeStops {
        last_words(&mut sender, &mut unsent).await;
    }
    info!(
        clientID = %group, connID = %connection.id, reason = end.as_str(), unsent = unsent.len(),
        "client disconnected"
    );
    app.control.disconnect(&connection, unsent);
    // A polite end, if the peer still listens; it is dropped either way.
    let _ = tokio::time::timeout(Duration::from_secs(1), sender.send(Message::Close(None))).await;
}

/// Writes what is left when the node stops: the `close` of its last session is often in it.
async fn last_words(sender: &mut SplitSink<WebSocket, Message>, unsent: &mut Vec<ControlMessage>) {
    let words: Vec<Message> = unsent
        .drain(..)
        .map(|message| Message::Binary(message.encode().into()))
        .collect();
    let written = async {
        sender.flush().await?;
        for word in words {
            sender.send(word).await?;
        }
        Ok::<(), axum::Error>(())
    };
    if !matches!(
        tokio::time::timeout(LAST_WORDS_WITHIN, written).await,
        Ok(Ok(()))
    ) {
        warn!("node stops before a client took what was left for it");
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    ClosedByClient,
    FrameRefused,
    NoPong,
    ReadsTooSlowly,
    WriteBrokenOff,
    WriteTooLong,
    NodeStops,
}

impl End {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ClosedByClient => "closed by client",
            Self::FrameRefused => "frame refused",
            Self::NoPong => "no pong",
            Self::ReadsTooSlowly => "client reads too slowly",
            Self::WriteBrokenOff => "write broken off",
            Self::WriteTooLong => "write took too long",
            Self::NodeStops => "node stops",
        }
    }

    /// Whether the way to the client was dead for a while: what was sent meanwhile is lost.
    const fn is_silence(self) -> bool {
        match self {
            Self::NoPong | Self::WriteBrokenOff | Self::WriteTooLong => true,
            Self::ClosedByClient | Self::FrameRefused | Self::ReadsTooSlowly | Self::NodeStops => {
                false
            }
        }
    }
}

fn lock(sent: &Mutex<Unconfirmed>) -> MutexGuard<'_, Unconfirmed> {
    sent.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends what is queued, and pings. Returns why it ended; `in_flight` is what was not sent then.
async fn write(
    app: &App,
    group: &GroupId,
    sender: &mut SplitSink<WebSocket, Message>,
    queue: &mut Queue,
    sent: &Mutex<Unconfirmed>,
    in_flight: &mut Option<ControlMessage>,
) -> End {
    let mut pings = tokio::time::interval(PING_EVERY);
    pings.tick().await;
    loop {
        let frame = tokio::select! {
            message = queue.recv() => {
                let Some(message) = message else { return End::ReadsTooSlowly };
                let frame = Message::Binary(message.encode().into());
                count(app, group, &message, "out");
                *in_flight = Some(message);
                frame
            }
            _ = pings.tick() => {
                lock(sent).pinged();
                Message::Ping(Bytes::new())
            }
        };
        match tokio::time::timeout(WRITE_WITHIN, sender.send(frame)).await {
            Ok(Ok(())) => lock(sent).sent(in_flight.take()),
            Ok(Err(_)) => return End::WriteBrokenOff,
            Err(_) => return End::WriteTooLong,
        }
    }
}

/// Takes frames in until the peer is gone or silent. Returns why it ended.
async fn read(
    app: &App,
    connection: &Connection,
    receiver: &mut SplitStream<WebSocket>,
    sent: &Mutex<Unconfirmed>,
) -> End {
    let mut deadline = Instant::now() + PONG_WITHIN;
    loop {
        let frame = match tokio::time::timeout_at(deadline, receiver.next()).await {
            Err(_) => return End::NoPong,
            Ok(None) => return End::ClosedByClient,
            Ok(Some(Err(error))) => {
                debug!(connID = %connection.id, %error, "frame refused");
                return End::FrameRefused;
            }
            Ok(Some(Ok(frame))) => frame,
        };
        match frame {
            Message::Binary(bytes) => take(app, connection, &bytes).await,
            Message::Pong(_) => {
                deadline = Instant::now() + PONG_WITHIN;
                lock(sent).ponged();
            }
            Message::Text(_) => warn!(connID = %connection.id, "text frame ignored"),
            Message::Close(_) => return End::ClosedByClient,
            // Answered by the WebSocket itself; does not count as a sign of life.
            Message::Ping(_) => {}
        }
    }
}

async fn take(app: &App, connection: &Connection, bytes: &[u8]) {
    let message = match ControlMessage::decode(bytes, MAX_CONTROL_LEN) {
        Ok(message) => message,
        Err(error) => {
            app.metrics.dropped("ws_in", "unreadable");
            warn!(
                clientID = %connection.group, connID = %connection.id, %error,
                "control message ignored"
            );
            return;
        }
    };
    count(app, &connection.group, &message, "in");
    let name = name_of(&message);
    let session = session_of(&message).to_owned();
    if let Err(error) = carry_out(app, connection, message).await {
        app.metrics.dropped("ws_in", "refused");
        warn!(
            clientID = %connection.group, connID = %connection.id, message = name,
            sessionID = session, %error, "control message without effect"
        );
    }
}

async fn carry_out(
    app: &App,
    connection: &Connection,
    message: ControlMessage,
) -> Result<(), crate::control::ControlError> {
    let control = &app.control;
    match message {
        ControlMessage::Join(join) => {
            let candidates = app.advertiser.candidates().await;
            control.join(connection, join, candidates)
        }
        ControlMessage::Rtc(message) => control.rtc(&connection.group, message).await,
        ControlMessage::Reconnect(session) => control.rebind(connection, session),
        ControlMessage::Leave(session) => {
            // Leaving twice is fine: the other side ends calls by leaving for everybody.
            let _ = control.leave(&connection.group, session);
            Ok(())
        }
        ControlMessage::Hello(_)
        | ControlMessage::Vad(_)
        | ControlMessage::Close(_)
        | ControlMessage::Unknown(_) => {
            warn!(connID = %connection.id, "control message of no use here");
            Ok(())
        }
    }
}

/// Counts a message. As in the reference, `hello` and `close` are not counted on their way out.
fn count(app: &App, group: &GroupId, message: &ControlMessage, direction: &str) {
    let uncounted = matches!(message, ControlMessage::Hello(_) | ControlMessage::Close(_))
        && direction == "out";
    if !uncounted {
        let labels = [group.as_str(), name_of(message), direction];
        app.metrics.ws_messages.with_label_values(&labels).inc();
    }
}

/// The session a message is about, for the log.
fn session_of(message: &ControlMessage) -> &str {
    match message {
        ControlMessage::Join(join) => join.session.as_str(),
        ControlMessage::Leave(session)
        | ControlMessage::Reconnect(session)
        | ControlMessage::Close(session) => session.as_str(),
        ControlMessage::Rtc(message) | ControlMessage::Vad(message) => &message.session,
        ControlMessage::Hello(_) | ControlMessage::Unknown(_) => "",
    }
}

fn name_of(message: &ControlMessage) -> &'static str {
    match message {
        ControlMessage::Hello(_) => "hello",
        ControlMessage::Join(_) => "join",
        ControlMessage::Leave(_) => "leave",
        ControlMessage::Reconnect(_) => "reconnect",
        ControlMessage::Rtc(_) => "rtc",
        ControlMessage::Vad(_) => "vad",
        ControlMessage::Close(_) => "close",
        ControlMessage::Unknown(_) => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_browser_of_another_origin_is_refused() {
        let headers = |origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("rtcd:8045"));
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_static(origin));
            }
            headers
        };
        assert!(same_origin(&headers(None)));
        assert!(same_origin(&headers(Some("https://RTCD:8045"))));
        assert!(!same_origin(&headers(Some("https://elsewhere"))));
        assert!(!same_origin(&headers(Some("null"))));
    }
}
