//! One connection of signalling to the host.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use proto::id::{ConnId, GroupId, SessionId};
use proto::rtcd::{ControlMessage, HelloMessage, MAX_CONTROL_LEN, RtcKind, RtcMessage};

use super::{Memory, Shared};

/// As rtcd does: signalling takes 25 s of silence for a dead host.
const PING_PERIOD: Duration = Duration::from_secs(10);
/// How messages begin that are about what a session does: nearly all.
const ABOUT_A_SESSION: &[u8] = b"\xa3rtc";

/// Who is not registered is turned away, as by rtcd: signalling registers then.
pub(super) async fn open(
    State(shared): State<Shared>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let is_known = {
        let heard = shared.heard.lock().unwrap();
        if heard.is_away {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        client(&headers).is_some_and(|client| heard.registered.contains(&client))
    };
    if !is_known {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    upgrade.on_upgrade(move |socket| talk(shared, socket))
}

fn client(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("authorization")?.to_str().ok()?;
    let text = value.strip_prefix("Basic ")?;
    let plain = base64::engine::general_purpose::STANDARD.decode(text);
    let id = String::from_utf8(plain.ok()?).ok()?;
    id.split(':').next().map(str::to_owned)
}

async fn talk(shared: Shared, mut socket: WebSocket) {
    let (mut out, mut drops) = (shared.out.subscribe(), shared.drop_connections.subscribe());
    let mut stalls = shared.stalls.subscribe();
    shared.heard.lock().unwrap().connections += 1;
    let hello = ControlMessage::Hello(HelloMessage {
        client: GroupId::parse("client").unwrap(),
        conn: ConnId::random(),
    });
    if !send(&mut socket, &hello).await {
        return;
    }
    let mut pings = tokio::time::interval(PING_PERIOD);
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
            _ = pings.tick(), if reads => {
                if socket.send(Message::Ping(Bytes::new())).await.is_err() { return }
            }
            frame = socket.recv(), if reads => {
                let bytes = match frame {
                    Some(Ok(Message::Binary(bytes))) => bytes,
                    // Answered by the WebSocket itself.
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    _ => return,
                };
                if let Some(answer) = hear(&shared, &bytes)
                    && !send(&mut socket, &answer).await
                {
                    return;
                }
            }
        }
    }
}

fn hear(shared: &Shared, bytes: &[u8]) -> Option<ControlMessage> {
    if shared.memory == Memory::Sessions && bytes.starts_with(ABOUT_A_SESSION) {
        return None;
    }
    let message = ControlMessage::decode(bytes, MAX_CONTROL_LEN).unwrap();
    let mut heard = shared.heard.lock().unwrap();
    if shared.memory == Memory::Everything {
        heard.messages.push(message.clone());
    }
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

/// Whether the other side still listens.
async fn send(socket: &mut WebSocket, message: &ControlMessage) -> bool {
    let message = Message::Binary(message.encode().into());
    socket.send(message).await.is_ok()
}
