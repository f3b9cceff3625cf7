//! The life of one link: connect, register once, tell the host which sessions are ours, carry
//! messages, reconnect with growing pauses.
//!
//! Invariant: after a reconnect every session of ours is either named to the host with `reconnect`
//! or reported as closed; nobody stays in a call whose media is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use futures_util::{SinkExt as _, StreamExt as _};
use proto::id::{CallId, SessionId};
use proto::rtcd::{ControlMessage, MAX_CONTROL_LEN, RtcKind, RtcMessage};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::api::{Api, CONNECT_LIMIT, chain};
use super::{HostConfig, MediaNews, SharedStatus};

/// Pause before the first new try; grows with every failure up to `LONGEST_PAUSE`. Shorter finds a
/// restarted host sooner, longer spares a host that is down.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often the load is asked. New calls go by it.
const LOAD_PERIOD: Duration = Duration::from_secs(5);
/// The host pings every ten seconds; a silence this long means that it is gone.
const SILENCE_LIMIT: Duration = Duration::from_secs(25);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What the host was told: sessions with their calls.
#[derive(Debug)]
struct Told {
    calls_by_session: BTreeMap<SessionId, CallId>,
}

impl Told {
    fn note(&mut self, message: &ControlMessage) {
        match message {
            ControlMessage::Join(join) => {
                self.calls_by_session
                    .insert(join.session.clone(), join.call.clone());
            }
            ControlMessage::Leave(session) | ControlMessage::Close(session) => {
                self.calls_by_session.remove(session);
            }
            ControlMessage::Hello(_)
            | ControlMessage::Reconnect(_)
            | ControlMessage::Rtc(_)
            | ControlMessage::Vad(_)
            | ControlMessage::Unknown(_) => {}
        }
    }
}

/// Runs until the sender of `messages` is gone.
pub(super) async fn run(
    host: HostConfig,
    mut messages: mpsc::Receiver<ControlMessage>,
    news: mpsc::Sender<MediaNews>,
    status: SharedStatus,
) {
    let api = Api::new(host.clone());
    let mut told = Told {
        calls_by_session: host.known.clone(),
    };
    let mut pause = FIRST_PAUSE;
    loop {
        match connect(&host, &api, &status).await {
            Ok(socket) => {
                tracing::info!(host = host.base, "media host connected");
                pause = FIRST_PAUSE;
                close_lost_sessions(&api, &mut told, &news).await;
                let ended = carry(socket, &api, &mut messages, &news, &status, &mut told).await;
                let Err(trouble) = ended else { return };
                tracing::warn!(host = host.base, trouble, "media host lost");
                status.change(|status| {
                    status.connected = false;
                    status.trouble = trouble;
                });
            }
            Err(trouble) => {
                let before = status.read().trouble;
                if before != trouble {
                    tracing::warn!(host = host.base, trouble, "media host not reachable");
                }
                status.change(|status| status.trouble = trouble);
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn connect(host: &HostConfig, api: &Api, status: &SharedStatus) -> Result<Socket, String> {
    let version = api.version().await.map_err(|error| error.to_string())?;
    let socket = match open_socket(host).await {
        Ok(socket) => socket,
        Err(Refused::Unreachable(words)) => return Err(words),
        // It answered but did not let us in: it may not know us yet.
        Err(Refused::Handshake(words)) => {
            api.register()
                .await
                .map_err(|error| format!("{words}; {error}"))?;
            open_socket(host).await.map_err(|refused| refused.words())?
        }
    };
    let cpu_load = api.cpu_load().await.ok();
    status.change(|status| {
        status.connected = true;
        status.trouble.clear();
        status.cpu_load = cpu_load;
        status.version = version.build_version;
        status.build = version.build_hash;
    });
    Ok(socket)
}

enum Refused {
    Unreachable(String),
    Handshake(String),
}

impl Refused {
    fn words(self) -> String {
        match self {
            Self::Unreachable(words) | Self::Handshake(words) => words,
        }
    }
}

async fn open_socket(host: &HostConfig) -> Result<Socket, Refused> {
    let url = format!("{}/ws", host.base.replacen("http", "ws", 1));
    let unreachable =
        |error: &WsError| Refused::Unreachable(format!("open its WebSocket: {}", chain(error)));
    let mut request = url
        .into_client_request()
        .map_err(|error| unreachable(&error))?;
    let credentials = format!("{}:{}", host.client_id, host.auth_key.expose());
    let basic = base64::engine::general_purpose::STANDARD.encode(credentials);
    let value = format!("Basic {basic}")
        .parse()
        .map_err(|_| Refused::Unreachable("our id or key is not printable ASCII".to_owned()))?;
    request.headers_mut().insert("Authorization", value);
    // Without delay: a command that waits for the answer to the one before costs a join 40 ms.
    let opened = tokio_tungstenite::connect_async_with_config(request, None, true);
    match tokio::time::timeout(CONNECT_LIMIT, opened).await {
        Err(_) => Err(Refused::Unreachable(
            "open its WebSocket: no answer in 4 s".to_owned(),
        )),
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(WsError::Http(answer))) => {
            let words = format!("open its WebSocket: answered {}", answer.status());
            Err(Refused::Handshake(words))
        }
        Ok(Err(error)) => Err(unreachable(&error)),
    }
}

/// Asks the host which of our sessions it still has and reports the others as closed.
async fn close_lost_sessions(api: &Api, told: &mut Told, news: &mpsc::Sender<MediaNews>) {
    let calls: BTreeSet<CallId> = told.calls_by_session.values().cloned().collect();
    for call in calls {
        let Ok(alive) = api.sessions(&call).await else {
            continue;
        };
        let lost: Vec<SessionId> = told
            .calls_by_session
            .iter()
            .filter(|(session, of)| **of == call && !alive.contains(*session))
            .map(|(session, _)| session.clone())
            .collect();
        for session in lost {
            told.calls_by_session.remove(&session);
            let _ = news.send(MediaNews::Closed { session }).await;
        }
    }
}

/// Carries messages both ways. `Ok` when there is nothing more to carry, ever.
async fn carry(
    mut socket: Socket,
    api: &Api,
    messages: &mut mpsc::Receiver<ControlMessage>,
    news: &mpsc::Sender<MediaNews>,
    status: &SharedStatus,
    told: &mut Told,
) -> Result<(), String> {
    for session in told.calls_by_session.keys() {
        write(&mut socket, &ControlMessage::Reconnect(session.clone())).await?;
    }
    let mut load_period = tokio::time::interval(LOAD_PERIOD);
    let mut heard_at = tokio::time::Instant::now();
    loop {
        tokio::select! {
            frame = socket.next() => {
                let frame = frame.ok_or_else(|| "it closed the WebSocket".to_owned())?;
                let frame = frame.map_err(|error| format!("read its WebSocket: {}", chain(&error)))?;
                heard_at = tokio::time::Instant::now();
                if let Message::Binary(bytes) = frame {
                    hear(&bytes, news, told).await;
                }
            }
            message = messages.recv() => {
                let Some(message) = message else { return Ok(()) };
                told.note(&message);
                write(&mut socket, &message).await?;
            }
            _ = load_period.tick() => {
                if let Ok(load) = api.cpu_load().await {
                    status.change(|status| status.cpu_load = Some(load));
                }
            }
            () = tokio::time::sleep_until(heard_at + SILENCE_LIMIT) => {
                return Err("it was silent for 25 s".to_owned());
            }
        }
    }
}

async fn write(socket: &mut Socket, message: &ControlMessage) -> Result<(), String> {
    let frame = Message::Binary(message.encode().into());
    socket
        .send(frame)
        .await
        .map_err(|error| format!("write to its WebSocket: {}", chain(&error)))
}

async fn hear(bytes: &[u8], news: &mpsc::Sender<MediaNews>, told: &mut Told) {
    let message = match ControlMessage::decode(bytes, MAX_CONTROL_LEN) {
        Ok(message) => message,
        Err(error) => {
            tracing::warn!(%error, "media host sent what cannot be read");
            return;
        }
    };
    told.note(&message);
    let heard = match message {
        ControlMessage::Close(session) => Some(MediaNews::Closed { session }),
        ControlMessage::Rtc(message) | ControlMessage::Vad(message) => understand(message),
        ControlMessage::Hello(_)
        | ControlMessage::Join(_)
        | ControlMessage::Leave(_)
        | ControlMessage::Reconnect(_)
        | ControlMessage::Unknown(_) => None,
    };
    if let Some(heard) = heard {
        let _ = news.send(heard).await;
    }
}

fn understand(message: RtcMessage) -> Option<MediaNews> {
    let session = SessionId::parse(message.session).ok()?;
    match message.kind {
        RtcKind::Ice | RtcKind::Sdp => {
            let json = String::from_utf8(message.data).ok()?;
            Some(MediaNews::Signal { session, json })
        }
        RtcKind::VoiceOn => Some(MediaNews::Voice { session, on: true }),
        RtcKind::VoiceOff => Some(MediaNews::Voice { session, on: false }),
        RtcKind::Mute
        | RtcKind::Unmute
        | RtcKind::ScreenOn
        | RtcKind::ScreenOff
        | RtcKind::VideoOn
        | RtcKind::VideoOff => None,
    }
}
