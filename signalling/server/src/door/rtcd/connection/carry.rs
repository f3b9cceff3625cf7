//! One connection to a media host while it stands: writes, reads and asks the load side by side, so
//! that none of them waits for another.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use proto::id::SessionId;
use proto::rtcd::{ControlMessage, MAX_CONTROL_LEN, RtcKind, RtcMessage};
use signalling_core::MediaHost;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::door::rtcd::api::{Api, chain};
use crate::door::rtcd::outbox::Outbox;
use crate::door::rtcd::{MediaNews, SharedStatus};

/// How often the load is asked. New calls go by it.
const LOAD_PERIOD: Duration = Duration::from_secs(5);
/// The host pings every ten seconds; a silence this long means that it is gone.
const SILENCE_LIMIT: Duration = Duration::from_secs(25);
/// A host that takes nothing for so long is as good as gone; the protocol's own limit.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// Messages written before they are pushed out.
const BATCH: usize = 64;

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Carries messages both ways until the connection ends; returns why it did.
pub(super) async fn carry(
    socket: Socket,
    api: &Api,
    outbox: &Outbox,
    news: &mpsc::Sender<MediaNews>,
    status: &SharedStatus,
) -> String {
    let (sink, stream) = socket.split();
    tokio::select! {
        trouble = write(sink, outbox) => trouble,
        trouble = read(stream, api.base(), outbox, news) => trouble,
        never = ask_load(api, status) => match never {},
    }
}

async fn ask_load(api: &Api, status: &SharedStatus) -> std::convert::Infallible {
    let mut period = tokio::time::interval(LOAD_PERIOD);
    loop {
        period.tick().await;
        if let Ok(load) = api.cpu_load().await {
            status.change(|status| status.cpu_load = Some(load));
        }
    }
}

/// Writes what waits.
async fn write(mut sink: SplitSink<Socket, Message>, outbox: &Outbox) -> String {
    loop {
        outbox.ready().await;
        match timeout(WRITE_LIMIT, write_batch(&mut sink, outbox)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return format!("write to its WebSocket: {}", chain(&error)),
            Err(_) => return format!("it took nothing for {} s", WRITE_LIMIT.as_secs()),
        }
    }
}

/// The pong of the ping behind a batch says that it arrived.
async fn write_batch(
    sink: &mut SplitSink<Socket, Message>,
    outbox: &Outbox,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    for _ in 0..BATCH {
        let Some(message) = outbox.take() else { break };
        sink.feed(Message::Binary(message.encode().into())).await?;
    }
    if let Some(number) = outbox.ping() {
        let number = Bytes::copy_from_slice(&number.to_be_bytes());
        sink.feed(Message::Ping(number)).await?;
    }
    sink.flush().await
}

async fn read(
    mut stream: SplitStream<Socket>,
    base: &str,
    outbox: &Outbox,
    news: &mpsc::Sender<MediaNews>,
) -> String {
    loop {
        let frame = match timeout(SILENCE_LIMIT, stream.next()).await {
            Err(_) => return format!("it was silent for {} s", SILENCE_LIMIT.as_secs()),
            Ok(None) => return "it closed the WebSocket".to_owned(),
            Ok(Some(Err(error))) => return format!("read its WebSocket: {}", chain(&error)),
            Ok(Some(Ok(frame))) => frame,
        };
        match frame {
            Message::Binary(bytes) => hear(&bytes, base, outbox, news).await,
            Message::Pong(bytes) => {
                if let Ok(number) = <[u8; 8]>::try_from(&*bytes) {
                    outbox.confirm(u64::from_be_bytes(number));
                }
            }
            // Pings are answered by the WebSocket itself.
            Message::Ping(_) | Message::Text(_) | Message::Frame(_) => {}
            Message::Close(_) => return "it closed the WebSocket".to_owned(),
        }
    }
}

async fn hear(bytes: &[u8], base: &str, outbox: &Outbox, news: &mpsc::Sender<MediaNews>) {
    let message = match ControlMessage::decode(bytes, MAX_CONTROL_LEN) {
        Ok(message) => message,
        Err(error) => {
            tracing::warn!(%error, "media host sent what cannot be read");
            return;
        }
    };
    let heard = match message {
        ControlMessage::Close(session) => outbox
            .closed(&session)
            .then_some(MediaNews::Closed { session }),
        ControlMessage::Rtc(mut message) | ControlMessage::Vad(mut message) => {
            let node = std::mem::take(&mut message.node);
            let heard = understand(message, outbox);
            if let Some(MediaNews::Signal { session, .. }) = &heard
                && !node.is_empty()
                && outbox.has(session)
            {
                let elsewhere = MediaNews::Elsewhere {
                    session: session.clone(),
                    from: MediaHost(base.to_owned()),
                    host: MediaHost(node),
                };
                let _ = news.send(elsewhere).await;
            }
            heard
        }
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

fn understand(message: RtcMessage, outbox: &Outbox) -> Option<MediaNews> {
    let session = SessionId::parse(message.session).ok()?;
    match message.kind {
        RtcKind::Ice | RtcKind::Sdp => {
            let json = String::from_utf8(message.data).ok()?;
            if message.kind == RtcKind::Sdp {
                outbox.answered(&session);
            }
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

#[cfg(test)]
mod tests {
    use proto::id::CallId;

    use super::*;
    use crate::door::rtcd::backlog::KnownSession;

    #[tokio::test]
    async fn which_host_has_a_session_is_heard_before_its_answer_from_the_one_that_was_asked() {
        let asked = |session: &str| KnownSession {
            session: SessionId::parse(session).unwrap(),
            call: CallId::parse("call").unwrap(),
            unmuted: false,
        };
        let outbox = Outbox::new(vec![asked("s")]);
        let (news, mut heard) = mpsc::channel(8);
        let mut told = async |session: &str, node: &str| {
            let session = SessionId::parse(session).unwrap();
            let mut answer = RtcMessage::for_session(&session, RtcKind::Sdp, b"{}".to_vec());
            answer.node = node.to_owned();
            let bytes = ControlMessage::Rtc(answer).encode();
            hear(&bytes, "http://asked", &outbox, &news).await;
            std::iter::from_fn(|| heard.try_recv().ok()).collect::<Vec<_>>()
        };
        let of_s = told("s", "http://other").await;
        let [
            MediaNews::Elsewhere { from, host, .. },
            MediaNews::Signal { .. },
        ] = &of_s[..]
        else {
            panic!("{of_s:?}");
        };
        let hosts = (from.0.as_str(), host.0.as_str());
        assert_eq!(hosts, ("http://asked", "http://other"));
        for (session, node) in [("s", ""), ("another", "http://other")] {
            let of_it = told(session, node).await;
            assert!(matches!(of_it[..], [MediaNews::Signal { .. }]), "{of_it:?}");
        }
    }
}
