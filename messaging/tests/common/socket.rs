//! A client's WebSocket, and patience.

#![expect(
    dead_code,
    reason = "shared by test crates, of which none needs all of it"
)]

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Longest wait for anything that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A client's WebSocket.
pub(crate) struct Socket {
    ws: WebSocketStream<MaybeTlsStream<TcpStream>>,
    seq: u64,
}

/// What came, or that the socket ended (with its close code, if any).
#[derive(Debug)]
pub(crate) enum Incoming {
    Frame(Value),
    End(Option<u16>),
}

impl Socket {
    pub(crate) async fn open_at(
        address: SocketAddr,
        query: &str,
        header: Option<(&'static str, String)>,
    ) -> Self {
        let url = format!("ws://{address}/api/v4/websocket{query}");
        let mut request = url.into_client_request().unwrap();
        if let Some((name, value)) = header {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let (ws, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        Self { ws, seq: 0 }
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.ws.send(message).await.unwrap();
    }

    /// Sends an action as JSON; returns its number.
    pub(crate) async fn act(&mut self, action: &str, data: Value) -> u64 {
        self.seq += 1;
        let frame = json!({ "action": action, "seq": self.seq, "data": data });
        self.send(Message::text(frame.to_string())).await;
        self.seq
    }

    /// Sends an action although the server may have ended the socket.
    pub(crate) async fn try_act(&mut self, action: &str, data: Value) {
        self.seq += 1;
        let frame = json!({ "action": action, "seq": self.seq, "data": data });
        drop(self.ws.send(Message::text(frame.to_string())).await);
    }

    /// What has come already, if anything.
    pub(crate) async fn try_next(&mut self) -> Option<Incoming> {
        let next = std::pin::pin!(self.next());
        tokio::select! {
            biased;
            incoming = next => Some(incoming),
            () = tokio::task::yield_now() => None,
        }
    }

    pub(crate) async fn binary(&mut self, bytes: &[u8]) {
        self.send(Message::Binary(Bytes::copy_from_slice(bytes)))
            .await;
    }

    pub(crate) async fn next(&mut self) -> Incoming {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.ws.next());
            match message.await.expect("something comes in time") {
                Some(Ok(Message::Text(text))) => {
                    return Incoming::Frame(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(frame))) => {
                    return Incoming::End(frame.map(|frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Incoming::End(None),
            }
        }
    }

    /// The next frame of any kind.
    pub(crate) async fn frame(&mut self) -> Value {
        match self.next().await {
            Incoming::Frame(frame) => frame,
            Incoming::End(code) => panic!("the socket ended with {code:?}"),
        }
    }

    /// The next event with this name; others are skipped.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["event"] == name {
                return frame;
            }
        }
    }

    /// The reply to a request; events are skipped.
    pub(crate) async fn reply(&mut self, seq: u64) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["seq_reply"] == seq {
                return frame;
            }
        }
    }

    /// The connection id from `hello`.
    pub(crate) async fn hello(&mut self) -> String {
        let frame = self.frame().await;
        assert_eq!(frame["event"], "hello");
        assert_eq!(frame["seq"], 0);
        text(&frame["data"]["connection_id"])
    }

    /// Waits for the end of the socket; returns its close code.
    pub(crate) async fn end(&mut self) -> Option<u16> {
        loop {
            if let Incoming::End(code) = self.next().await {
                return code;
            }
        }
    }

    /// Ends the socket as a lost network does: without a word.
    pub(crate) fn cut(self) {
        drop(self.ws);
    }
}

pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("`{value}` is no text"))
        .to_owned()
}
