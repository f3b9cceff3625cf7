//! One registered client with a control connection.

use std::net::SocketAddr;

use anyhow::Context as _;
use base64::Engine as _;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use proto::id::{CallId, SessionId, UserId};
use proto::rtcd::{
    ControlMessage, JoinMessage, MAX_CONTROL_LEN, RtcKind, RtcMessage, SdpKind, SessionDescription,
};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

const KEY: &str = "an authentication key of 32 bytes and more";

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What is sent to the server.
#[derive(Debug)]
pub struct Sender(SplitSink<Socket, Message>);

/// What the server says.
#[derive(Debug)]
pub struct Receiver(SplitStream<Socket>);

/// Registers a client and connects it.
///
/// # Errors
/// When the server refuses either.
pub async fn connect(http: SocketAddr, name: &str) -> anyhow::Result<(Sender, Receiver)> {
    let body = serde_json::json!({ "clientID": name, "authKey": KEY });
    let answer = reqwest::Client::new()
        .post(format!("http://{http}/register"))
        .json(&body)
        .send()
        .await
        .context("register")?;
    anyhow::ensure!(
        answer.status().is_success(),
        "register `{name}`: {answer:?}"
    );
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{KEY}"));
    let mut request = format!("ws://{http}/ws").into_client_request()?;
    request
        .headers_mut()
        .insert("Authorization", format!("Basic {pair}").parse()?);
    let (socket, _) = tokio_tungstenite::connect_async(request)
        .await
        .context("open a control connection")?;
    let (sink, stream) = socket.split();
    Ok((Sender(sink), Receiver(stream)))
}

impl Sender {
    /// Sends a message; waits while the server does not read.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send(&mut self, message: &ControlMessage) -> anyhow::Result<()> {
        let frame = Message::Binary(message.encode().into());
        self.0.send(frame).await.context("send")
    }

    /// Lets a session join.
    ///
    /// # Errors
    /// When the connection is gone, or a name is not an id.
    pub async fn join(&mut self, call: &str, session: &str) -> anyhow::Result<()> {
        let join = JoinMessage {
            call: CallId::parse(call)?,
            user: UserId::parse("user")?,
            session: SessionId::parse(session)?,
            channel: String::new(),
            av1_support: false,
            dc_signalling: true,
        };
        self.send(&ControlMessage::Join(join)).await
    }

    /// Lets a session leave.
    ///
    /// # Errors
    /// When the connection is gone, or the name is not an id.
    pub async fn leave(&mut self, session: &str) -> anyhow::Result<()> {
        let message = ControlMessage::Leave(SessionId::parse(session)?);
        self.send(&message).await
    }

    /// Sends a message about a session.
    ///
    /// # Errors
    /// When the connection is gone, or the name is not an id.
    pub async fn rtc(&mut self, session: &str, kind: RtcKind, data: Vec<u8>) -> anyhow::Result<()> {
        let message = RtcMessage::for_session(&SessionId::parse(session)?, kind, data);
        self.send(&ControlMessage::Rtc(message)).await
    }

    /// Offers in the name of a session.
    ///
    /// # Errors
    /// When the connection is gone, or the name is not an id.
    pub async fn offer(&mut self, session: &str, sdp: &str) -> anyhow::Result<()> {
        let description = SessionDescription {
            kind: SdpKind::Offer,
            sdp: sdp.to_owned(),
        };
        self.rtc(session, RtcKind::Sdp, description.to_json().into_bytes())
            .await
    }
}

impl Receiver {
    /// Returns the next message; nothing when the connection is gone.
    pub async fn next(&mut self) -> Option<ControlMessage> {
        loop {
            let frame = self.0.next().await?.ok()?;
            if let Message::Binary(bytes) = frame {
                return ControlMessage::decode(&bytes, MAX_CONTROL_LEN).ok();
            }
        }
    }
}
