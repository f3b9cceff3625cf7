//! LiveKit: one WebSocket a participant, one transport each way.
//!
//! The server offers the transport it sends on (the subscriber's) as soon as a participant is in;
//! one who publishes announces its tracks and offers the other transport.
//! In: signalling messages (protocol buffers). Out: the same.
//! Not here: what their clients add for comfort (data tracks, quality choices, regions).
//! Rule: LiveKit's client protocol over `/rtc`, two peer connections; the token is a JWT (RFC 7519)
//! signed with HMAC-SHA256.

mod protobuf;
mod token;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use str0m::media::{Direction, MediaKind};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use self::protobuf::{Fields, Value, Writer, field};
pub(crate) use self::token::Keys;
use super::socket::Socket;
use super::{Kind, LegEvent, Mailbox, Publication, Seat, Server, Wish};
use crate::leg::Legs;

/// What the server's own join answer asks of clients.
const PING_EVERY: Duration = Duration::from_secs(5);
/// The version of the client protocol we keep to: two peer connections, the server offers first.
const PROTOCOL: u32 = 15;

/// Numbers of the fields of a client's message.
mod request {
    pub(super) const OFFER: u64 = 1;
    pub(super) const ANSWER: u64 = 2;
    pub(super) const ADD_TRACK: u64 = 4;
    pub(super) const LEAVE: u64 = 8;
    pub(super) const PING: u64 = 16;
}

/// Numbers of the fields of a server's message.
mod response {
    pub(super) const JOIN: u64 = 1;
    pub(super) const ANSWER: u64 = 2;
    pub(super) const OFFER: u64 = 3;
    pub(super) const TRICKLE: u64 = 4;
    pub(super) const TRACK_PUBLISHED: u64 = 6;
    pub(super) const LEAVE: u64 = 8;
}

/// A LiveKit server and the key pair to enter its rooms.
#[derive(Debug)]
pub(crate) struct LiveKit {
    url: String,
    keys: Keys,
    runtime: tokio::runtime::Handle,
}

impl LiveKit {
    /// `url`: `http://host:port`.
    pub(crate) fn new(url: &str, keys: Keys, runtime: &tokio::runtime::Handle) -> Self {
        Self {
            url: url.replacen("http", "ws", 1),
            keys,
            runtime: runtime.clone(),
        }
    }
}

impl Server for LiveKit {
    fn name(&self) -> &'static str {
        "livekit"
    }

    fn enter(
        &mut self,
        wish: &Wish,
        mailbox: Mailbox,
        _legs: &mut Legs,
        now: Instant,
    ) -> anyhow::Result<Box<dyn Seat>> {
        let identity = format!("load-{}", mailbox.participant);
        let token = self.keys.token(&identity, &wish.call)?;
        let address = format!(
            "{}/rtc?access_token={token}&auto_subscribe=1&protocol={PROTOCOL}",
            self.url
        );
        let request = address
            .as_str()
            .into_client_request()
            .context("build the request")?;
        Ok(Box::new(LiveKitSeat {
            socket: Socket::open(request, mailbox, &self.runtime),
            wanted: wish.publishes.clone(),
            announced: 0,
            publications: Vec::new(),
            hears: None,
            speaks: None,
            next_ping: now + PING_EVERY,
        }))
    }
}

/// One of the two transports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Transport {
    leg: usize,
    is_connected: bool,
}

#[derive(Debug)]
struct LiveKitSeat {
    socket: Socket,
    wanted: Vec<Kind>,
    /// How many of `wanted` the server knows.
    announced: usize,
    publications: Vec<Publication>,
    hears: Option<Transport>,
    speaks: Option<Transport>,
    next_ping: Instant,
}

impl Seat for LiveKitSeat {
    fn on_message(&mut self, bytes: &[u8], legs: &mut Legs, now: Instant) -> anyhow::Result<()> {
        if bytes.is_empty() {
            bail!("{}", self.socket.failure());
        }
        for (number, value) in Fields(bytes) {
            self.on_part(number, value, legs, now)?;
        }
        Ok(())
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
                let transports = [&mut self.hears, &mut self.speaks];
                for transport in transports.into_iter().flatten() {
                    transport.is_connected |= transport.leg == leg;
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

    fn entered(&self) -> bool {
        self.hears.is_some_and(|hears| hears.is_connected)
            && (self.wanted.is_empty() || self.speaks.is_some_and(|speaks| speaks.is_connected))
    }

    fn publications(&self) -> &[Publication] {
        &self.publications
    }

    fn keep_alive(&mut self, _legs: &mut Legs, now: Instant) -> anyhow::Result<()> {
        if now >= self.next_ping {
            self.next_ping = now + PING_EVERY;
            let millis = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
            let ping = Writer::default().number(1, u64::try_from(millis)?);
            self.send(request::PING, &ping);
        }
        Ok(())
    }

    fn leave(&mut self, _legs: &mut Legs) {
        // The reason: the client wants it so.
        self.send(request::LEAVE, &Writer::default().number(2, 1));
    }
}

impl LiveKitSeat {
    fn on_part(
        &mut self,
        number: u64,
        value: Value<'_>,
        legs: &mut Legs,
        now: Instant,
    ) -> anyhow::Result<()> {
        match number {
            response::JOIN => {
                self.announce();
                Ok(())
            }
            response::OFFER => self.on_offer(value.bytes(), legs, now),
            response::ANSWER => {
                let speaks = self.speaks.context("an answer without an offer")?;
                let sdp = field(value.bytes(), 2).context("an answer without SDP")?;
                legs.get(speaks.leg)?.accept_answer(&sdp.text())
            }
            response::TRICKLE => self.on_trickle(value.bytes(), legs),
            response::TRACK_PUBLISHED => {
                self.announced += 1;
                if self.announced == self.wanted.len() {
                    self.publish(legs, now)?;
                }
                Ok(())
            }
            response::LEAVE => {
                let reason = field(value.bytes(), 2).map_or(0, Value::number);
                bail!("the server sent the participant away, reason {reason}")
            }
            _ => Ok(()),
        }
    }

    /// Tells the server of every track to come.
    fn announce(&self) {
        for (number, kind) in self.wanted.iter().enumerate() {
            // Type (audio 0, video 1) and source (microphone 2, screen 3) as LiveKit counts them.
            let track = Writer::default()
                .bytes(1, track_name(number).as_bytes())
                .bytes(2, track_name(number).as_bytes());
            let track = match kind {
                Kind::Voice => track.number(8, 2).number(13, 1),
                Kind::Screen => track
                    .number(3, 1)
                    .number(4, 1920)
                    .number(5, 1080)
                    .number(8, 3),
            };
            self.send(request::ADD_TRACK, &track);
        }
    }

    fn publish(&mut self, legs: &mut Legs, now: Instant) -> anyhow::Result<()> {
        let leg = legs.open(now)?;
        self.speaks = Some(Transport {
            leg,
            is_connected: false,
        });
        let wanted = &self.wanted;
        let (publications, offer) = legs.get(leg)?.offer(|api| {
            let added = wanted.iter().enumerate().map(|(number, kind)| {
                let media = match kind {
                    Kind::Voice => MediaKind::Audio,
                    Kind::Screen => MediaKind::Video,
                };
                let stream = Some("load".to_owned());
                let track = Some(track_name(number));
                let mid = api.add_media(media, Direction::SendOnly, stream, track, None);
                Publication {
                    leg,
                    mid,
                    kind: *kind,
                }
            });
            added.collect::<Vec<_>>()
        })?;
        self.publications = publications;
        self.send(request::OFFER, &description("offer", &offer));
        Ok(())
    }

    fn on_offer(&mut self, offer: &[u8], legs: &mut Legs, now: Instant) -> anyhow::Result<()> {
        let hears = match self.hears {
            Some(hears) => hears,
            None => Transport {
                leg: legs.open(now)?,
                is_connected: false,
            },
        };
        self.hears = Some(hears);
        let sdp = field(offer, 2).context("an offer without SDP")?.text();
        let answer = legs.get(hears.leg)?.accept_offer(&sdp)?;
        let mut message = description("answer", &answer);
        if let Some(id) = field(offer, 3) {
            message = message.number(3, id.number());
        }
        self.send(request::ANSWER, &message);
        Ok(())
    }

    fn on_trickle(&self, trickle: &[u8], legs: &mut Legs) -> anyhow::Result<()> {
        let is_for_hearing = field(trickle, 2).map_or(0, Value::number) == 1;
        let transport = if is_for_hearing {
            self.hears
        } else {
            self.speaks
        };
        let init = field(trickle, 1).map_or(&[][..], Value::bytes);
        if let (Some(transport), false) = (transport, init.is_empty()) {
            let init: serde_json::Value =
                serde_json::from_slice(init).context("read the server's candidate")?;
            let candidate = init.get("candidate").and_then(serde_json::Value::as_str);
            legs.get(transport.leg)?
                .add_candidate(candidate.unwrap_or_default());
        }
        Ok(())
    }

    fn send(&self, number: u64, message: &Writer) {
        let message = Writer::default().message(number, message);
        self.socket.send_binary(message.finish());
    }
}

fn track_name(number: usize) -> String {
    format!("track{number}")
}

fn description(kind: &str, sdp: &str) -> Writer {
    Writer::default()
        .bytes(1, kind.as_bytes())
        .bytes(2, sdp.as_bytes())
}
