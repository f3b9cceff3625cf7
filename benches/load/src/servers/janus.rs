//! Janus with its VideoRoom plugin: one WebSocket a participant, one transport each way.
//!
//! Everybody sits in the room with one handle, which hears of publishers and publishes; a second
//! handle subscribes to all publishers on one transport (the plugin's multistream form).
//! In: the JSON of the Janus API. Out: the same.
//! Not here: trickled candidates (each side's are in its descriptions), other plugins.
//! Invariant: one renegotiation of the subscriber's transport at a time.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use serde_json::{Value, json};
use str0m::media::{Direction, MediaKind};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::socket::Socket;
use super::{Kind, LegEvent, Mailbox, Publication, Seat, Server, Wish};
use crate::leg::Legs;

/// Half of the minute after which Janus drops a silent session.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(30);
/// The plugin's way to say that the room is there already.
const ROOM_EXISTS: u64 = 427;
/// More than any scenario has; the plugin's own default is three.
const MOST_PUBLISHERS: u32 = 10_000;

/// A Janus server.
#[derive(Debug)]
pub(crate) struct Janus {
    url: String,
    /// Where participants are: Janus never offers a loopback address.
    address: Ipv4Addr,
    runtime: tokio::runtime::Handle,
}

impl Janus {
    /// `url`: `http://host:port` or `ws://host:port` of the WebSocket transport.
    pub(crate) fn new(url: &str, runtime: &tokio::runtime::Handle) -> anyhow::Result<Self> {
        Ok(Self {
            url: url.replacen("http", "ws", 1),
            address: own_address()?,
            runtime: runtime.clone(),
        })
    }
}

impl Server for Janus {
    fn name(&self) -> &'static str {
        "janus"
    }

    fn enter(
        &mut self,
        wish: &Wish,
        mailbox: Mailbox,
        _legs: &mut Legs,
        now: Instant,
    ) -> anyhow::Result<Box<dyn Seat>> {
        let mut request = self
            .url
            .as_str()
            .into_client_request()
            .context("build the request")?;
        request.headers_mut().insert(
            "sec-websocket-protocol",
            HeaderValue::from_static("janus-protocol"),
        );
        let seat = JanusSeat {
            socket: Socket::open(request, mailbox, &self.runtime),
            address: self.address,
            room: room_number(&wish.call),
            session: 0,
            mouth: Handle::default(),
            ears: Handle::default(),
            wanted: wish.publishes.clone(),
            publications: Vec::new(),
            feeds: Vec::new(),
            subscribed: 0,
            is_negotiating: false,
            is_in_room: false,
            next_keep_alive: now + KEEP_ALIVE_EVERY,
        };
        seat.socket
            .send_text(json!({"janus": "create", "transaction": "create"}).to_string());
        Ok(Box::new(seat))
    }
}

/// One handle of the plugin, and its transport once there is one.
#[derive(Debug, Clone, Copy, Default)]
struct Handle {
    id: u64,
    leg: Option<usize>,
    is_connected: bool,
}

#[derive(Debug)]
struct JanusSeat {
    socket: Socket,
    address: Ipv4Addr,
    room: u64,
    session: u64,
    mouth: Handle,
    ears: Handle,
    wanted: Vec<Kind>,
    publications: Vec<Publication>,
    /// Everybody else who publishes, in the order in which we heard of them.
    feeds: Vec<u64>,
    /// How many of `feeds` the subscriber's handle asked for.
    subscribed: usize,
    is_negotiating: bool,
    is_in_room: bool,
    next_keep_alive: Instant,
}

impl Seat for JanusSeat {
    fn on_message(&mut self, bytes: &[u8], legs: &mut Legs, now: Instant) -> anyhow::Result<()> {
        if bytes.is_empty() {
            bail!("{}", self.socket.failure());
        }
        let message: Value = serde_json::from_slice(bytes).context("read the server's message")?;
        match text(&message, "/janus") {
            "success" => self.on_success(&message),
            "event" => self.on_plugin(&message, legs, now),
            "error" => bail!("the server refused: {message}"),
            "hangup" => bail!("the server hung up: {message}"),
            _ => Ok(()),
        }
    }

    fn on_event(
        &mut self,
        leg: usize,
        event: LegEvent,
        _legs: &mut Legs,
        _now: Instant,
    ) -> anyhow::Result<()> {
        match event {
            LegEvent::Connected => {
                for handle in [&mut self.mouth, &mut self.ears] {
                    handle.is_connected |= handle.leg == Some(leg);
                }
            }
            LegEvent::ChannelOpen(..) | LegEvent::ChannelData(..) => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn on_timeout(&mut self, _legs: &mut Legs, _now: Instant) -> anyhow::Result<()> {
        Ok(())
    }

    /// A listener of a room in which nobody publishes has no transport: Janus makes none.
    fn entered(&self) -> bool {
        self.is_in_room
            && (self.wanted.is_empty() || self.mouth.is_connected)
            && (self.feeds.is_empty() || self.ears.is_connected)
    }

    fn publications(&self) -> &[Publication] {
        &self.publications
    }

    fn keep_alive(&mut self, _legs: &mut Legs, now: Instant) -> anyhow::Result<()> {
        if now >= self.next_keep_alive {
            self.next_keep_alive = now + KEEP_ALIVE_EVERY;
            self.send(&mut json!({"janus": "keepalive", "transaction": "keepalive"}));
        }
        Ok(())
    }

    fn leave(&mut self, _legs: &mut Legs) {
        self.send(&mut json!({"janus": "destroy", "transaction": "destroy"}));
    }
}

impl JanusSeat {
    /// An answer of Janus itself, or of the plugin at once.
    fn on_success(&mut self, message: &Value) -> anyhow::Result<()> {
        let id = number(message, "/data/id");
        match text(message, "/transaction") {
            "create" => {
                self.session = id;
                self.attach("mouth");
            }
            "mouth" => {
                self.mouth.id = id;
                let body = json!({
                    "request": "create", "room": self.room, "publishers": MOST_PUBLISHERS,
                    "audiocodec": "opus", "videocodec": "vp8", "bitrate": 0,
                });
                self.ask(self.mouth.id, "room", &body, None);
            }
            "room" => self.on_room(message)?,
            "ears" => {
                self.ears.id = id;
                self.is_negotiating = false;
                self.subscribe();
            }
            _ => {}
        }
        Ok(())
    }

    fn on_room(&self, message: &Value) -> anyhow::Result<()> {
        let error = number(message, "/plugindata/data/error_code");
        if error != 0 && error != ROOM_EXISTS {
            bail!("the server made no room: {message}");
        }
        let body = json!({"request": "join", "ptype": "publisher", "room": self.room});
        self.ask(self.mouth.id, "join", &body, None);
        Ok(())
    }

    fn on_plugin(&mut self, message: &Value, legs: &mut Legs, now: Instant) -> anyhow::Result<()> {
        let data = message.pointer("/plugindata/data").unwrap_or(&Value::Null);
        if data.get("error_code").is_some() {
            bail!("the plugin refused: {data}");
        }
        let sdp = text(message, "/jsep/sdp");
        match (text(message, "/jsep/type"), self.mouth.leg) {
            ("offer", _) => self.answer(sdp, legs, now)?,
            ("answer", Some(leg)) => legs.get(leg)?.accept_answer(sdp)?,
            _ => {}
        }
        let is_started = text(data, "/started") == "ok";
        let is_unchanged = text(data, "/videoroom") == "updated" && sdp.is_empty();
        if is_started || is_unchanged {
            self.is_negotiating = false;
        }
        for feed in data
            .get("publishers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            self.feeds.push(number(feed, "/id"));
        }
        if text(data, "/videoroom") == "joined" {
            self.is_in_room = true;
            if !self.wanted.is_empty() {
                self.publish(legs, now)?;
            }
        }
        self.subscribe();
        Ok(())
    }

    fn publish(&mut self, legs: &mut Legs, now: Instant) -> anyhow::Result<()> {
        let leg = legs.open_on(self.address, now)?;
        self.mouth.leg = Some(leg);
        let wanted = &self.wanted;
        let (publications, offer) = legs.get(leg)?.offer(|api| {
            let added = wanted.iter().map(|kind| {
                let media = match kind {
                    Kind::Voice => MediaKind::Audio,
                    Kind::Screen => MediaKind::Video,
                };
                let mid = api.add_media(media, Direction::SendOnly, None, None, None);
                Publication {
                    leg,
                    mid,
                    kind: *kind,
                }
            });
            added.collect::<Vec<_>>()
        })?;
        self.publications = publications;
        let body = json!({"request": "publish"});
        self.ask(self.mouth.id, "publish", &body, Some(("offer", &offer)));
        Ok(())
    }

    /// Asks for the publishers we do not hear yet, unless an earlier wish is still on its way.
    fn subscribe(&mut self) {
        let new = self.feeds.get(self.subscribed..).unwrap_or_default();
        if new.is_empty() || self.is_negotiating {
            return;
        }
        if self.ears.id == 0 {
            self.is_negotiating = true;
            self.attach("ears");
            // Its answer comes here again.
            return;
        }
        let streams: Vec<Value> = new.iter().map(|feed| json!({"feed": feed})).collect();
        let is_first = self.subscribed == 0;
        self.subscribed = self.feeds.len();
        self.is_negotiating = true;
        let body = if is_first {
            json!({
                "request": "join", "ptype": "subscriber", "room": self.room, "streams": streams,
            })
        } else {
            json!({"request": "subscribe", "streams": streams})
        };
        self.ask(self.ears.id, "subscribe", &body, None);
    }

    fn answer(&mut self, offer: &str, legs: &mut Legs, now: Instant) -> anyhow::Result<()> {
        let leg = match self.ears.leg {
            Some(leg) => leg,
            None => legs.open_on(self.address, now)?,
        };
        self.ears.leg = Some(leg);
        let answer = legs.get(leg)?.accept_offer(offer)?;
        let body = json!({"request": "start"});
        self.ask(self.ears.id, "start", &body, Some(("answer", &answer)));
        Ok(())
    }

    fn attach(&self, transaction: &str) {
        self.send(&mut json!({
            "janus": "attach", "plugin": "janus.plugin.videoroom", "transaction": transaction,
        }));
    }

    fn ask(&self, handle: u64, transaction: &str, body: &Value, sdp: Option<(&str, &str)>) {
        let mut message = json!({
            "janus": "message", "handle_id": handle, "transaction": transaction, "body": body,
        });
        if let (Some((kind, sdp)), Some(message)) = (sdp, message.as_object_mut()) {
            let description = json!({"type": kind, "sdp": sdp, "trickle": false});
            message.insert("jsep".to_owned(), description);
        }
        self.send(&mut message);
    }

    fn send(&self, message: &mut Value) {
        if let Some(message) = message.as_object_mut() {
            message.insert("session_id".to_owned(), json!(self.session));
        }
        self.socket.send_text(message.to_string());
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn number(value: &Value, pointer: &str) -> u64 {
    value
        .pointer(pointer)
        .and_then(Value::as_u64)
        .unwrap_or_default()
}

/// An address of this machine that is not loopback.
fn own_address() -> anyhow::Result<Ipv4Addr> {
    let wanted = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING;
    getifaddrs()
        .context("list this machine's addresses")?
        .filter(|interface| interface.flags.contains(wanted))
        .filter(|interface| !interface.flags.contains(InterfaceFlags::IFF_LOOPBACK))
        .find_map(|interface| Some(interface.address?.as_sockaddr_in()?.ip()))
        .context("Janus needs an IPv4 address beside loopback, and this machine has none")
}

/// Janus' rooms have numbers: one of 52 bits (JSON's limit is 53) made of the call's name.
fn room_number(call: &str) -> u64 {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, call.as_bytes());
    let head = digest.as_ref().first_chunk::<8>().copied();
    (u64::from_be_bytes(head.unwrap_or_default()) >> 12).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_is_one_room() {
        assert_eq!(room_number("a"), room_number("a"));
        assert_ne!(room_number("a"), room_number("b"));
        assert!(room_number("a") < 1 << 53);
    }
}
