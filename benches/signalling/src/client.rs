//! A client's WebSocket, as cheap as it can be: events are looked at as text, never parsed.

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use proto::calls::NAME_PREFIX;
use proto::calls::action::{Action, Join, Reconnect};
use proto::id::{ChannelId, ConnId};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::api::Person;

/// Bytes read from a socket at once.
const READ_BUFFER: usize = 4096;
/// Of a client that shall not take much before it blocks.
const SMALL_RECEIVE_BUFFER: u32 = 4096;

/// A signed-in client.
#[derive(Debug)]
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    /// Also the id of the session that is made on it.
    pub(crate) connection: String,
    seq: u64,
}

impl Client {
    pub(crate) async fn connect(
        addr: std::net::SocketAddr,
        person: &Person,
    ) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4().context("make a socket")?;
        Self::connect_on(socket, addr, person).await
    }

    /// With so small a buffer that the server notices soon when nobody reads.
    pub(crate) async fn connect_small(
        addr: std::net::SocketAddr,
        person: &Person,
    ) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4().context("make a socket")?;
        socket
            .set_recv_buffer_size(SMALL_RECEIVE_BUFFER)
            .context("make a socket")?;
        Self::connect_on(socket, addr, person).await
    }

    async fn connect_on(
        socket: TcpSocket,
        addr: std::net::SocketAddr,
        person: &Person,
    ) -> anyhow::Result<Self> {
        let stream = socket.connect(addr).await.context("connect")?;
        stream.set_nodelay(true).context("connect")?;
        let url = format!("ws://{addr}/api/v4/websocket?connection_id=&sequence_number=0");
        let mut request = url.into_client_request().context("connect")?;
        let bearer = format!("Bearer {}", person.token);
        let bearer = bearer.parse().context("a token is printable")?;
        request.headers_mut().insert("Authorization", bearer);
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
        let opened = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
        let (socket, _) = opened.await.context("open the WebSocket")?;
        let mut client = Self {
            socket,
            connection: String::new(),
            seq: 0,
        };
        let hello = client.wait_for("hello\"").await?;
        let hello: serde_json::Value = serde_json::from_str(&hello).context("read hello")?;
        let connection = hello.pointer("/data/connection_id");
        connection
            .and_then(serde_json::Value::as_str)
            .context("no connection_id in hello")?
            .clone_into(&mut client.connection);
        Ok(client)
    }

    /// The next event or reply.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Utf8Bytes> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Close(frame))) => {
                    let reason = frame.map(|frame| frame.reason.to_string());
                    anyhow::bail!("closed: {}", reason.unwrap_or_default());
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error).context("read the WebSocket"),
                None => anyhow::bail!("the WebSocket ended"),
            }
        }
    }

    /// The next text that contains `what`.
    pub(crate) async fn wait_for(&mut self, what: &str) -> anyhow::Result<Utf8Bytes> {
        loop {
            let text = self.next().await?;
            if text.contains(what) {
                return Ok(text);
            }
            anyhow::ensure!(!text.contains("calls_error\""), "refused: {text}");
        }
    }

    pub(crate) async fn act(&mut self, action: &Action) -> anyhow::Result<()> {
        self.seq += 1;
        let text = action.to_frame(self.seq).encode_text();
        let sent = self.socket.send(Message::Text(text.into())).await;
        sent.context("write to the WebSocket")
    }

    pub(crate) async fn ask_to_join(&mut self, channel: &str) -> anyhow::Result<()> {
        self.act(&Action::Join(Join {
            channel: ChannelId::parse(channel).context("a channel's id")?,
            title: String::new(),
            thread: None,
            job: None,
            av1_support: false,
            dc_signalling: true,
        }))
        .await
    }

    /// Joins the call of a channel and waits until its state is here.
    pub(crate) async fn join(&mut self, channel: &str) -> anyhow::Result<()> {
        self.ask_to_join(channel).await?;
        self.wait_for("calls_call_state\"").await.map(drop)
    }

    /// Takes the session over that another connection began.
    pub(crate) async fn come_back(&mut self, channel: &str, original: &str) -> anyhow::Result<()> {
        let original = ConnId::parse(original).context("a connection's id")?;
        self.act(&Action::Reconnect(Reconnect {
            channel: ChannelId::parse(channel).context("a channel's id")?,
            original: original.clone(),
            previous: original,
        }))
        .await
    }
}

/// What the text of an event of calls contains: its name with the closing quote.
pub(crate) fn event(name: &str) -> String {
    format!("{NAME_PREFIX}{name}\"")
}
