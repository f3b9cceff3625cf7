//! The calls server's side of the control WebSocket, as a pair of queues.
//!
//! In: `ControlMessage`s to send. Out: those received, and a wake-up of the driving thread.
//! Registers the client first when the server does not know it yet.

use std::sync::Arc;
use std::sync::mpsc as sync_mpsc;

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use proto::rtcd::{ControlMessage, MAX_CONTROL_LEN};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// Who we are at the server under test.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) client_id: String,
    pub(crate) auth_key: String,
}

/// An open control connection.
#[derive(Debug)]
pub(crate) struct Control {
    outgoing: mpsc::UnboundedSender<ControlMessage>,
    incoming: sync_mpsc::Receiver<ControlMessage>,
    _runtime: tokio::runtime::Runtime,
}

impl Control {
    /// Connects to `url` (`http://host:port`), registering the account when needed.
    pub(crate) fn connect(
        url: &str,
        account: &Account,
        waker: Arc<mio::Waker>,
    ) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("start the control runtime")?;
        let socket = runtime.block_on(open(url, account))?;
        let (outgoing, mut to_send) = mpsc::unbounded_channel::<ControlMessage>();
        let (received, incoming) = sync_mpsc::channel();
        let (mut sink, mut stream) = socket.split();
        runtime.spawn(async move {
            while let Some(message) = to_send.recv().await {
                if sink
                    .send(Message::Binary(message.encode().into()))
                    .await
                    .is_err()
                {
                    return;
                }
            }
        });
        runtime.spawn(async move {
            while let Some(Ok(frame)) = stream.next().await {
                if !frame.is_binary() {
                    continue;
                }
                let Ok(message) = ControlMessage::decode(&frame.into_data(), MAX_CONTROL_LEN)
                else {
                    continue;
                };
                if received.send(message).is_err() || waker.wake().is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            outgoing,
            incoming,
            _runtime: runtime,
        })
    }

    pub(crate) fn send(&self, message: ControlMessage) {
        // A closed socket shows as sessions that never connect, which the report counts.
        let _closed = self.outgoing.send(message);
    }

    pub(crate) fn received(&self) -> Option<ControlMessage> {
        self.incoming.try_recv().ok()
    }
}

type Socket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn open(url: &str, account: &Account) -> anyhow::Result<Socket> {
    if let Ok(socket) = handshake(url, account).await {
        return Ok(socket);
    }
    let body = serde_json::json!({"clientID": account.client_id, "authKey": account.auth_key});
    let answer = reqwest::Client::new()
        .post(format!("{url}/register"))
        .json(&body)
        .send()
        .await
        .context("register the load generator")?;
    if answer.status().as_u16() != 201 {
        let text = answer.text().await.unwrap_or_default();
        bail!(
            "the server did not register `{}`: {text}",
            account.client_id
        );
    }
    handshake(url, account).await
}

async fn handshake(url: &str, account: &Account) -> anyhow::Result<Socket> {
    let address = url.replacen("http", "ws", 1) + "/ws";
    let mut request = address
        .as_str()
        .into_client_request()
        .context("build the request")?;
    let credentials = reqwest::Client::new()
        .get(url)
        .basic_auth(&account.client_id, Some(&account.auth_key))
        .build()
        .context("encode the credentials")?;
    if let Some(header) = credentials.headers().get("authorization") {
        request
            .headers_mut()
            .insert("authorization", header.clone());
    }
    let (socket, _answer) = tokio_tungstenite::connect_async(request)
        .await
        .context("open the control socket")?;
    Ok(socket)
}
