//! The control WebSocket of an rtcd server, shared by all participants of the generator.
//!
//! In: `ControlMessage`s to send, mailboxes of the sessions we expect something for. Out: each frame
//! put into the mailbox of the session it names.
//! Registers the client first when the server does not know it yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use futures_util::stream::SplitStream;
use futures_util::{SinkExt, StreamExt};
use proto::id::SessionId;
use proto::rtcd::{ControlMessage, MAX_CONTROL_LEN};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::servers::Mailbox;

/// Who we are at the server under test.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) client_id: String,
    pub(crate) auth_key: String,
}

type Mailboxes = Arc<Mutex<HashMap<String, Mailbox>>>;

/// An open control connection.
#[derive(Debug)]
pub(crate) struct Control {
    sender: Sender,
    mailboxes: Mailboxes,
}

/// Sends control messages.
#[derive(Debug, Clone)]
pub(crate) struct Sender(mpsc::UnboundedSender<ControlMessage>);

impl Sender {
    pub(crate) fn send(&self, message: &ControlMessage) {
        // A closed socket shows as sessions that never connect, which the report counts.
        let _closed = self.0.send(message.clone());
    }
}

impl Control {
    /// Connects to `url` (`http://host:port`), registering the account when needed.
    pub(crate) fn connect(
        url: &str,
        account: &Account,
        runtime: &tokio::runtime::Handle,
    ) -> anyhow::Result<Self> {
        let socket = runtime.block_on(open(url, account))?;
        let (outgoing, mut to_send) = mpsc::unbounded_channel::<ControlMessage>();
        let (mut sink, stream) = socket.split();
        runtime.spawn(async move {
            while let Some(message) = to_send.recv().await {
                let frame = Message::Binary(message.encode().into());
                if sink.send(frame).await.is_err() {
                    return;
                }
            }
            // The last message was followed by the end of this generator.
            let _closed = sink.close().await;
        });
        let mailboxes = Mailboxes::default();
        runtime.spawn(receive(stream, Arc::clone(&mailboxes)));
        Ok(Self {
            sender: Sender(outgoing),
            mailboxes,
        })
    }

    pub(crate) fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Frames that name `session` go into `mailbox` from now on, until the session is closed.
    pub(crate) fn expect(&self, session: &SessionId, mailbox: Mailbox) {
        self.mailboxes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(session.as_str().to_owned(), mailbox);
    }
}

async fn receive(mut stream: SplitStream<Socket>, mailboxes: Mailboxes) {
    while let Some(Ok(frame)) = stream.next().await {
        if !frame.is_binary() {
            continue;
        }
        let frame = frame.into_data();
        let Ok(message) = ControlMessage::decode(&frame, MAX_CONTROL_LEN) else {
            continue;
        };
        deliver(&message, &frame, &mailboxes);
    }
}

/// Voice activity and the greeting concern nobody here.
fn deliver(message: &ControlMessage, frame: &[u8], mailboxes: &Mailboxes) {
    let mut mailboxes = mailboxes.lock().unwrap_or_else(PoisonError::into_inner);
    match message {
        ControlMessage::Rtc(message) => {
            if let Some(mailbox) = mailboxes.get(&message.session) {
                let _generator_gone = mailbox.post(frame.to_vec());
            }
        }
        ControlMessage::Close(session) => {
            mailboxes.remove(session.as_str());
        }
        ControlMessage::Hello(_)
        | ControlMessage::Join(_)
        | ControlMessage::Leave(_)
        | ControlMessage::Reconnect(_)
        | ControlMessage::Vad(_)
        | ControlMessage::Unknown(_) => {}
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
    // Without delay, as the connections of Go programs are: small messages must not wait for others.
    let (socket, _answer) = tokio_tungstenite::connect_async_with_config(request, None, true)
        .await
        .context("open the control socket")?;
    Ok(socket)
}
