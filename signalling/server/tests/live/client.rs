//! A client of calls: a WebSocket that keeps every event it was sent.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use proto::calls::action::{Action, Join, Reconnect};
use proto::calls::frame::EventFrame;
use proto::calls::{NAME_PREFIX, ServerFrame};
use proto::id::{ChannelId, ConnId, JobId, PostId};
use proto::rtcd::{SdpKind, SessionDescription};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

pub struct Client {
    socket: Socket,
    pub connection: String,
    /// Events of calls, by short name, with their data; `hello`s are not kept.
    pub events: Vec<EventFrame>,
    seq: u64,
}

impl Client {
    pub async fn connect(addr: SocketAddr, token: &str) -> Self {
        let mut request = format!("ws://{addr}/api/v4/websocket?connection_id=&sequence_number=0")
            .into_client_request()
            .unwrap();
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("Authorization", bearer);
        let (socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let mut client = Self {
            socket,
            connection: String::new(),
            events: Vec::new(),
            seq: 0,
        };
        let hello = client.wait_for("hello").await;
        client.connection = hello.data["connection_id"].as_str().unwrap().to_owned();
        client.events.clear();
        client
    }

    /// Where the server sees this client.
    pub fn local_addr(&self) -> SocketAddr {
        let MaybeTlsStream::Plain(stream) = self.socket.get_ref() else {
            panic!("tests speak plainly");
        };
        stream.local_addr().unwrap()
    }

    pub async fn act(&mut self, action: &Action) {
        self.seq += 1;
        let frame = action.to_frame(self.seq);
        let message = match action {
            Action::Sdp(_) => Message::Binary(frame.encode_binary().into()),
            _ => Message::Text(frame.encode_text().into()),
        };
        self.socket.send(message).await.unwrap();
    }

    /// Sends whatever bytes; false when the server has closed the connection.
    pub async fn send_raw(&mut self, message: Message) -> bool {
        self.socket.send(message).await.is_ok()
    }

    pub async fn ask_to_join(&mut self, channel: &ChannelId, job: Option<&str>) {
        let join = Join {
            channel: channel.clone(),
            title: String::new(),
            thread: None,
            job: job.map(|job| JobId::parse(job).unwrap()),
            av1_support: false,
            dc_signalling: true,
        };
        self.act(&Action::Join(join)).await;
    }

    /// Asks to start a call in a thread.
    pub async fn ask_to_join_in_thread(&mut self, channel: &ChannelId, title: &str, root: &str) {
        let join = Join {
            channel: channel.clone(),
            title: title.to_owned(),
            thread: Some(PostId::parse(root).unwrap()),
            job: None,
            av1_support: false,
            dc_signalling: true,
        };
        self.act(&Action::Join(join)).await;
    }

    /// Joins and waits until the state has arrived.
    pub async fn join(&mut self, channel: &ChannelId) -> Value {
        self.ask_to_join(channel, None).await;
        self.state().await
    }

    /// The state of the call, asked for.
    pub async fn current_state(&mut self, channel: &ChannelId) -> Value {
        let channel = channel.clone();
        self.act(&Action::CallState { channel }).await;
        self.state().await
    }

    pub async fn state(&mut self) -> Value {
        let event = self.wait_for("call_state").await;
        serde_json::from_str(event.data["call"].as_str().unwrap()).unwrap()
    }

    pub async fn offer(&mut self) {
        let description = SessionDescription {
            kind: SdpKind::Offer,
            sdp: "v=0".to_owned(),
        };
        self.act(&Action::Sdp(description)).await;
    }

    pub async fn reconnect_as(&mut self, channel: &ChannelId, original: &str) {
        self.act(&Action::Reconnect(Reconnect {
            channel: channel.clone(),
            original: ConnId::parse(original).unwrap(),
            previous: ConnId::parse(original).unwrap(),
        }))
        .await;
    }

    /// The first event of that name not waited for yet; what came before it is forgotten.
    pub async fn wait_for(&mut self, name: &str) -> EventFrame {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(at) = self.events.iter().position(|event| short(event) == name) {
                self.events.drain(..at);
                return self.events.remove(0);
            }
            let next = tokio::time::timeout_at(deadline, self.next_event()).await;
            let seen: Vec<_> = self.events.iter().map(short).collect();
            let event = next.unwrap_or_else(|_| panic!("`{name}` did not come, but {seen:?}"));
            let event = event.unwrap_or_else(|| panic!("closed before `{name}`; got {seen:?}"));
            self.events.push(event);
        }
    }

    /// The names of the events of calls up to and with `last`.
    pub async fn names_until(&mut self, last: &str) -> Vec<String> {
        let events = self.events_until(last).await;
        let names = events.iter().filter_map(|event| {
            let name = short(event);
            let is_of_calls = event.event.starts_with(NAME_PREFIX);
            (is_of_calls || name == "posted" || name == "post_edited").then_some(name)
        });
        names.collect()
    }

    /// All events not waited for yet, up to and with `last`.
    pub async fn events_until(&mut self, last: &str) -> Vec<EventFrame> {
        let mut events: Vec<EventFrame> = Vec::new();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while events.last().is_none_or(|event| short(event) != last) {
            let event = if self.events.is_empty() {
                let next = tokio::time::timeout_at(deadline, self.next_event()).await;
                let seen: Vec<_> = events.iter().map(short).collect();
                next.unwrap_or_else(|_| panic!("`{last}` did not come, but {seen:?}"))
                    .unwrap()
            } else {
                self.events.remove(0)
            };
            events.push(event);
        }
        events
    }

    /// Waits until the server has taken everything said before on this connection, and keeps the
    /// events that came meanwhile.
    pub async fn settled(&mut self) {
        self.seq += 1;
        let asked = i64::try_from(self.seq).unwrap();
        let ping = serde_json::json!({"action": "ping", "seq": asked}).to_string();
        self.send_raw(Message::Text(ping.into())).await;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            let next = tokio::time::timeout_at(deadline, self.socket.next()).await;
            let Message::Text(text) = next.unwrap().unwrap().unwrap() else {
                continue;
            };
            match ServerFrame::decode(&text).unwrap() {
                ServerFrame::Event(event) => self.events.push(event),
                ServerFrame::Reply(reply) if reply.seq_reply == asked => return,
                ServerFrame::Reply(_) => {}
            }
        }
    }

    /// Waits for an event and keeps all of them.
    pub async fn wait_until_seen(&mut self, name: &str) {
        while !self.events.iter().any(|event| short(event) == name) {
            self.settled().await;
            // Not faster than a client may ask: on a busy machine it would be cut off.
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Whether no event of that name comes before the answer to a `call_state` asked now.
    pub async fn nothing_of(&mut self, name: &str, channel: &ChannelId) {
        self.act(&Action::CallState {
            channel: channel.clone(),
        })
        .await;
        let names = self.names_until("call_state").await;
        assert!(!names.iter().any(|seen| seen == name), "{names:?}");
    }

    /// Waits until the server closes the connection.
    pub async fn closed(&mut self) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while tokio::time::timeout_at(deadline, self.next_event())
            .await
            .unwrap()
            .is_some()
        {}
    }

    async fn next_event(&mut self) -> Option<EventFrame> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => {
                    if let ServerFrame::Event(event) = ServerFrame::decode(&text).unwrap() {
                        return Some(event);
                    }
                }
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}

/// The name without the prefix of calls.
pub fn short(event: &EventFrame) -> String {
    event
        .event
        .strip_prefix(NAME_PREFIX)
        .unwrap_or(&event.event)
        .to_owned()
}
