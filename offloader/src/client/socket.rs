//! The messaging WebSocket of the bot: opened with its token, opened again when it is lost.
//!
//! In: actions. Out: events of the call. Not here: what they mean (`session`).
//! Invariant: `seq` starts at 1 on every connection.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use proto::calls::frame::EventFrame;
use proto::calls::{Action, ServerFrame};
use proto::id::ConnId;
use proto::redact::Secret;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::CloseReason;

/// Longest message of the server, in bytes.
const MAX_MESSAGE: usize = 4 << 20;
/// A connection that takes longer has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The WebSocket could not be opened or used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SocketError {
    #[error("`{url}` is no address of a messaging server")]
    Address { url: String },
    #[error("`{url}` did not answer within {} s", CONNECT_TIMEOUT.as_secs())]
    Timeout { url: String },
    #[error("`{url}` refused the bot's token")]
    Token { url: String },
    #[error("`{url}`")]
    WebSocket {
        url: String,
        #[source]
        source: Box<tungstenite::Error>,
    },
}

/// An open connection.
pub(super) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    seq: u64,
}

impl Socket {
    /// Opens the WebSocket of a site.
    pub(super) async fn open(site_url: &str, token: &Secret) -> Result<Self, SocketError> {
        let url = websocket_url(site_url);
        let address = || SocketError::Address { url: url.clone() };
        let mut request = url.as_str().into_client_request().map_err(|_| address())?;
        let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
        request
            .headers_mut()
            .insert("Authorization", bearer.map_err(|_| address())?);
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let opened = connect_async_with_config(request, Some(config), true);
        match tokio::time::timeout(CONNECT_TIMEOUT, opened).await {
            Ok(Ok((stream, _))) => Ok(Self { stream, seq: 0 }),
            Ok(Err(tungstenite::Error::Http(answer)))
                if matches!(answer.status().as_u16(), 401 | 403) =>
            {
                Err(SocketError::Token { url })
            }
            Ok(Err(source)) => Err(SocketError::WebSocket {
                url,
                source: Box::new(source),
            }),
            Err(_) => Err(SocketError::Timeout { url }),
        }
    }

    /// Sends an action; descriptions go as binary frames. `false` when the connection is lost.
    pub(super) async fn send(&mut self, action: &Action) -> bool {
        self.seq += 1;
        let frame = action.to_frame(self.seq);
        let message = match action {
            Action::Sdp(_) => Message::Binary(frame.encode_binary().into()),
            Action::Join(_)
            | Action::Leave
            | Action::Reconnect(_)
            | Action::CallState { .. }
            | Action::Ice { .. }
            | Action::Mute
            | Action::Unmute
            | Action::ScreenOn { .. }
            | Action::ScreenOff
            | Action::VideoOn { .. }
            | Action::VideoOff
            | Action::RaiseHand
            | Action::UnraiseHand
            | Action::React(_)
            | Action::Caption(_)
            | Action::Utterance(_)
            | Action::Metric(_)
            | Action::VoiceOn
            | Action::VoiceOff
            | Action::Ping => Message::Text(frame.encode_text().into()),
        };
        self.stream.send(message).await.is_ok()
    }

    /// The next event; `None` when the connection is lost. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<EventFrame> {
        loop {
            match self.stream.next().await? {
                Ok(Message::Text(text)) => match ServerFrame::decode(&text) {
                    Ok(ServerFrame::Event(event)) => return Some(event),
                    Ok(ServerFrame::Reply(_)) => {}
                    Err(error) => tracing::debug!(%error, "a frame was not understood"),
                },
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(
                    Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
                ) => {}
            }
        }
    }

    /// Says goodbye.
    pub(super) async fn close(mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(2), self.stream.close(None)).await;
    }
}

/// The first connection is tried for as long as a lost one, but a refused token ends it at once.
pub(super) async fn open_first(
    site_url: &str,
    token: &Secret,
    patience: Duration,
) -> Result<Socket, CloseReason> {
    let begun = Instant::now();
    loop {
        match Socket::open(site_url, token).await {
            Ok(socket) => return Ok(socket),
            Err(error @ (SocketError::Token { .. } | SocketError::Address { .. })) => {
                return Err(CloseReason::Unreachable(error.to_string()));
            }
            Err(error) if begun.elapsed() > patience => {
                return Err(CloseReason::Unreachable(error.to_string()));
            }
            Err(error) => {
                tracing::info!(%error, "the messaging server is not there yet");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// The first connection's id.
pub(super) async fn wait_hello(socket: &mut Socket) -> Option<ConnId> {
    loop {
        let frame = socket.next().await?;
        if frame.event == "hello" {
            return hello_connection(&frame);
        }
    }
}

/// The connection's id in a `hello`.
pub(super) fn hello_connection(frame: &EventFrame) -> Option<ConnId> {
    ConnId::parse(frame.data.get("connection_id")?.as_str()?).ok()
}

fn websocket_url(site_url: &str) -> String {
    let rest = site_url.strip_prefix("http").unwrap_or(site_url);
    format!("ws{}/api/v4/websocket", rest.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_follows_the_site() {
        assert_eq!(websocket_url("http://a:1"), "ws://a:1/api/v4/websocket");
        assert_eq!(websocket_url("https://a/"), "wss://a/api/v4/websocket");
    }
}
