//! A relayed address at a TURN server: asking for it, keeping it, sending and receiving through it.
//!
//! In: datagrams of the server, addresses of peers, time. Out: datagrams for the server, events.
//! Pure but for the random ids of its requests: whoever owns it has the socket and the clock.
//! A peer can reach the relayed address only after `permit`. What is sent to a peer travels as an
//! indication until its channel is bound, then with four bytes of overhead.
//! See: RFC 8656 (7 allocate, 8 refresh, 9 permissions, 11 data, 12 channels).

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::credentials::Credentials;
use crate::stun::message::{Builder, Class, Kind, Message, Method, TransactionId};

/// UDP, as REQUESTED-TRANSPORT names it.
const UDP: [u8; 4] = [17, 0, 0, 0];
const LIFETIME: Duration = Duration::from_secs(600);
/// Permissions last 300 s.
const PERMIT_EVERY: Duration = Duration::from_secs(240);
/// Channels last 600 s.
const BIND_EVERY: Duration = Duration::from_secs(480);
const FIRST_REPEAT: Duration = Duration::from_millis(500);
/// Requests are repeated with doubling pauses: 7.5 s in all.
const MOST_TRIES: u32 = 4;
const FIRST_CHANNEL: u16 = 0x4000;
/// Peers of one session: its addresses, and strangers that share them.
const MOST_PEERS: usize = 16;
const UNAUTHORIZED: u16 = 401;
const STALE_NONCE: u16 = 438;

/// What the owner is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The relayed address is ours.
    Relayed(SocketAddr),
    /// A peer has sent something.
    Data { peer: SocketAddr, data: Vec<u8> },
    /// There is no relayed address, or no longer.
    Over(String),
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Allocate,
    Refresh,
    Permit(IpAddr),
    Bind(SocketAddr),
}

#[derive(Debug)]
struct Pending {
    ask: Ask,
    bytes: Vec<u8>,
    tries: u32,
    repeat_at: Instant,
    /// Sent with a nonce that the server had just given: refused again, it is no use.
    is_second: bool,
}

#[derive(Debug)]
struct Channel {
    number: u16,
    is_bound: bool,
}

/// What the server wants to be answered with.
#[derive(Debug)]
struct Challenge {
    realm: String,
    nonce: Vec<u8>,
    key: [u8; 16],
}

/// One relayed address.
#[derive(Debug)]
pub struct Allocation {
    credentials: Credentials,
    challenge: Option<Challenge>,
    is_up: bool,
    is_over: bool,
    pending: BTreeMap<TransactionId, Pending>,
    /// When to ask again for what the server forgets.
    due: Vec<(Instant, Ask)>,
    permitted: Vec<IpAddr>,
    channels: BTreeMap<SocketAddr, Channel>,
    out: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
}

impl Allocation {
    /// Begins to ask for a relayed address.
    pub fn new(credentials: Credentials, now: Instant) -> Self {
        let mut new = Self {
            credentials,
            challenge: None,
            is_up: false,
            is_over: false,
            pending: BTreeMap::new(),
            due: Vec::new(),
            permitted: Vec::new(),
            channels: BTreeMap::new(),
            out: VecDeque::new(),
            events: VecDeque::new(),
        };
        new.ask(Ask::Allocate, false, now);
        new
    }

    /// Lets a peer's address reach the relayed one.
    pub fn permit(&mut self, peer: IpAddr, now: Instant) {
        if self.permitted.contains(&peer) || self.permitted.len() >= MOST_PEERS {
            return;
        }
        self.permitted.push(peer);
        if self.is_up {
            self.ask(Ask::Permit(peer), false, now);
        }
    }

    /// Returns the datagram that brings `data` to a peer; the first one to a peer opens its channel.
    pub fn wrap(&mut self, peer: SocketAddr, data: &[u8], now: Instant) -> Vec<u8> {
        let is_new = !self.channels.contains_key(&peer) && self.channels.len() < MOST_PEERS;
        if is_new {
            let used = u16::try_from(self.channels.len()).unwrap_or_default();
            let channel = Channel {
                number: FIRST_CHANNEL + used,
                is_bound: false,
            };
            self.channels.insert(peer, channel);
            self.ask(Ask::Bind(peer), false, now);
        }
        let bound = self
            .channels
            .get(&peer)
            .filter(|channel| channel.is_bound)
            .zip(u16::try_from(data.len()).ok());
        if let Some((channel, len)) = bound {
            return [&channel.number.to_be_bytes(), &len.to_be_bytes(), data].concat();
        }
        Builder::new(Method::SEND, Class::Indication, rand::random())
            .address(Kind::XOR_PEER_ADDRESS, peer)
            .attribute(Kind::DATA, data)
            .finish()
    }

    /// Gives the relayed address back; the owner sends what is still to be sent, and is done.
    pub fn release(&mut self) {
        if !self.is_up || self.is_over {
            return;
        }
        self.is_over = true;
        let bytes = self.request(Ask::Refresh, rand::random(), Duration::ZERO);
        self.out.push_back(bytes);
    }

    /// Takes a datagram of the server.
    pub fn handle(&mut self, datagram: &[u8], now: Instant) {
        if datagram.first().is_some_and(|byte| byte & 0xc0 == 0x40) {
            self.channel_data(datagram);
            return;
        }
        let Some(message) = Message::parse(datagram) else {
            return;
        };
        match message.class {
            Class::Indication => self.indication(&message),
            Class::Success | Class::Error => self.answer(&message, now),
            Class::Request => {}
        }
    }

    /// Repeats what was not answered, and renews what would be forgotten.
    pub fn tick(&mut self, now: Instant) {
        let unanswered: Vec<TransactionId> = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.repeat_at <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in unanswered {
            self.repeat(id, now);
        }
        let (due, later) = self.due.drain(..).partition(|(at, _)| *at <= now);
        self.due = later;
        let due: Vec<(Instant, Ask)> = due;
        for (_, ask) in due {
            self.ask(ask, false, now);
        }
    }

    /// Returns when to `tick`.
    pub fn deadline(&self) -> Option<Instant> {
        let repeats = self.pending.values().map(|pending| pending.repeat_at);
        repeats.chain(self.due.iter().map(|(at, _)| *at)).min()
    }

    pub fn take_transmit(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
    }

    pub fn take_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn channel_data(&mut self, datagram: &[u8]) {
        let Some((head, rest)) = datagram.split_first_chunk::<4>() else {
            return;
        };
        let [n0, n1, l0, l1] = *head;
        let number = u16::from_be_bytes([n0, n1]);
        let data = rest.get(..usize::from(u16::from_be_bytes([l0, l1])));
        let peer = self
            .channels
            .iter()
            .find(|(_, channel)| channel.number == number)
            .map(|(peer, _)| *peer);
        if let (Some(peer), Some(data)) = (peer, data) {
            let data = data.to_vec();
            self.events.push_back(Event::Data { peer, data });
        }
    }

    fn indication(&mut self, message: &Message<'_>) {
        let peer = message.address(Kind::XOR_PEER_ADDRESS);
        let data = message.get(Kind::DATA);
        if let (Method::DATA, Some(peer), Some(data)) = (message.method, peer, data) {
            let data = data.to_vec();
            self.events.push_back(Event::Data { peer, data });
        }
    }

    fn answer(&mut self, message: &Message<'_>, now: Instant) {
        let Some(pending) = self.pending.get(&message.id) else {
            return;
        };
        let (ask, is_second) = (pending.ask, pending.is_second);
        if message.class == Class::Success {
            let key = self.challenge.as_ref().map(|challenge| challenge.key);
            // Not the server's, then; its own may still come.
            if key.is_none_or(|key| message.is_authentic(&key)) {
                self.pending.remove(&message.id);
                self.granted(ask, message, now);
            }
            return;
        }
        self.pending.remove(&message.id);
        let code = message.error_code().unwrap_or_default();
        let asks_for_proof = code == UNAUTHORIZED || code == STALE_NONCE;
        if asks_for_proof && !is_second && self.take_challenge(message) {
            self.ask(ask, true, now);
        } else {
            self.refused(ask, &format!("the server answers {code} to {ask:?}"));
        }
    }

    fn take_challenge(&mut self, message: &Message<'_>) -> bool {
        let Some(nonce) = message.get(Kind::NONCE) else {
            return false;
        };
        let realm = message.text(Kind::REALM).map(str::to_owned).or_else(|| {
            let known = self.challenge.as_ref()?;
            Some(known.realm.clone())
        });
        let Some(realm) = realm else { return false };
        self.challenge = Some(Challenge {
            key: self.credentials.key(&realm),
            nonce: nonce.to_vec(),
            realm,
        });
        true
    }

    fn granted(&mut self, ask: Ask, message: &Message<'_>, now: Instant) {
        let lifetime = message.number(Kind::LIFETIME).map_or(LIFETIME, |seconds| {
            Duration::from_secs(u64::from(seconds).max(60))
        });
        match ask {
            Ask::Allocate => {
                let Some(relayed) = message.address(Kind::XOR_RELAYED_ADDRESS) else {
                    self.refused(ask, "the server's answer names no address");
                    return;
                };
                self.is_up = true;
                self.events.push_back(Event::Relayed(relayed));
                self.due.push((now + lifetime / 2, Ask::Refresh));
                for peer in self.permitted.clone() {
                    self.ask(Ask::Permit(peer), false, now);
                }
            }
            Ask::Refresh => self.due.push((now + lifetime / 2, ask)),
            Ask::Permit(_) => self.due.push((now + PERMIT_EVERY, ask)),
            Ask::Bind(peer) => {
                if let Some(channel) = self.channels.get_mut(&peer) {
                    channel.is_bound = true;
                }
                self.due.push((now + BIND_EVERY, ask));
            }
        }
    }

    /// Without the address itself all is over; without a permission or channel one peer has less.
    fn refused(&mut self, ask: Ask, why: &str) {
        match ask {
            Ask::Allocate | Ask::Refresh => {
                self.is_over = true;
                self.pending.clear();
                self.due.clear();
                self.events.push_back(Event::Over(why.to_owned()));
            }
            Ask::Permit(_) | Ask::Bind(_) => {}
        }
    }

    fn repeat(&mut self, id: TransactionId, now: Instant) {
        let Some(pending) = self.pending.get_mut(&id) else {
            return;
        };
        if pending.tries >= MOST_TRIES {
            let ask = pending.ask;
            self.pending.remove(&id);
            self.refused(ask, &format!("the server does not answer {ask:?}"));
            return;
        }
        pending.repeat_at = now + FIRST_REPEAT * 2u32.pow(pending.tries);
        pending.tries += 1;
        self.out.push_back(pending.bytes.clone());
    }

    fn ask(&mut self, ask: Ask, is_second: bool, now: Instant) {
        if self.is_over {
            return;
        }
        let id: TransactionId = rand::random();
        let bytes = self.request(ask, id, LIFETIME);
        self.out.push_back(bytes.clone());
        let pending = Pending {
            ask,
            bytes,
            tries: 1,
            repeat_at: now + FIRST_REPEAT,
            is_second,
        };
        self.pending.insert(id, pending);
    }
    fn request(&self, ask: Ask, id: TransactionId, lifetime: Duration) -> Vec<u8> {
        let seconds = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
        let begin = |method| Builder::new(method, Class::Request, id);
        let request = match ask {
            Ask::Allocate => begin(Method::ALLOCATE).attribute(Kind::REQUESTED_TRANSPORT, &UDP),
            Ask::Refresh => begin(Method::REFRESH),
            // The port of a permission is not looked at.
            Ask::Permit(peer) => begin(Method::CREATE_PERMISSION)
                .address(Kind::XOR_PEER_ADDRESS, SocketAddr::new(peer, 0)),
            Ask::Bind(peer) => {
                let number = self.channels.get(&peer).map(|channel| channel.number);
                let [high, low] = number.unwrap_or_default().to_be_bytes();
                begin(Method::CHANNEL_BIND)
                    .attribute(Kind::CHANNEL_NUMBER, &[high, low, 0, 0])
                    .address(Kind::XOR_PEER_ADDRESS, peer)
            }
        };
        let request = match ask {
            Ask::Allocate | Ask::Refresh => {
                request.attribute(Kind::LIFETIME, &seconds.to_be_bytes())
            }
            Ask::Permit(_) | Ask::Bind(_) => request,
        };
        let Some(challenge) = &self.challenge else {
            return request.finish();
        };
        request
            .attribute(Kind::USERNAME, self.credentials.username.as_bytes())
            .attribute(Kind::REALM, challenge.realm.as_bytes())
            .attribute(Kind::NONCE, &challenge.nonce)
            .finish_signed(&challenge.key)
    }
}

#[cfg(test)]
mod tests;
