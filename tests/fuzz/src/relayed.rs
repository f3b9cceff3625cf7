//! What a TURN server, or somebody in its name, sends to an address of ours that it relays. Orders:
//!
//! ```text
//!  0 piece            a datagram
//!  1 kind back piece  an answer with these attributes to a request, counted from the latest
//!  2 kind back piece  the same, signed with the right key
//!  3 back             a request is to be proved: 401 with realm and nonce
//!  4 back             a request is granted
//!  5 byte             so many times 2 s pass
//!  6 byte             a peer is let through
//!  7 byte piece       a datagram is sent to a peer
//!  8 number piece     data of a channel
//!  9                  the address is given back
//! ```

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use proto::redact::Secret;
use rtcd::stun::message::{Builder, Class, Kind, Message, Method, TransactionId};
use rtcd::turn::{Allocation, Credentials, Event};

use crate::bytes::Bytes;

const REALM: &str = "example.org";
const MOST_ORDERS: usize = 200;
/// Requests that may be sent for one order: all peers are permitted again, and all channels bound.
const MOST_REQUESTS: usize = 64;

/// An allocation with what it has asked so far.
struct Scene {
    allocation: Allocation,
    key: [u8; 16],
    now: Instant,
    asked: Vec<(Method, TransactionId)>,
    is_over: bool,
}

/// A relayed address of this node, whatever its server does.
pub(crate) fn relayed(input: &[u8]) {
    let credentials = Credentials {
        username: "1700000000:s".to_owned(),
        password: Secret::new("pw"),
    };
    let now = Instant::now();
    let mut scene = Scene {
        key: credentials.key(REALM),
        allocation: Allocation::new(credentials, now),
        now,
        asked: Vec::new(),
        is_over: false,
    };
    let mut bytes = Bytes::new(input);
    scene.look(usize::MAX);
    for _ in 0..MOST_ORDERS {
        let Some(order) = bytes.order() else { break };
        let brought = scene.obey(order, &mut bytes);
        scene.look(brought);
    }
}

impl Scene {
    /// Returns how much data the order brought to the allocation.
    fn obey(&mut self, order: u8, bytes: &mut Bytes<'_>) -> usize {
        match order % 10 {
            0 => return self.give(bytes.piece()),
            1 => {
                if let Some(answer) = self.answer(bytes.byte(), bytes.byte()) {
                    let answer = attributes(answer, bytes.piece()).finish();
                    return self.give(&answer);
                }
            }
            2 => {
                if let Some(answer) = self.answer(bytes.byte(), bytes.byte()) {
                    let answer = attributes(answer, bytes.piece()).finish_signed(&self.key);
                    return self.give(&answer);
                }
            }
            3 => {
                if let Some(answer) = self.answer(3, bytes.byte()) {
                    let answer = answer
                        .attribute(Kind::ERROR_CODE, &[0, 0, 4, 1])
                        .attribute(Kind::REALM, REALM.as_bytes())
                        .attribute(Kind::NONCE, b"nonce");
                    return self.give(&answer.finish());
                }
            }
            4 => {
                if let Some(answer) = self.answer(2, bytes.byte()) {
                    let relayed = SocketAddr::from(([203, 0, 113, 1], 50_000));
                    let answer = answer.address(Kind::XOR_RELAYED_ADDRESS, relayed);
                    return self.give(&answer.finish_signed(&self.key));
                }
            }
            5 => {
                self.now += Duration::from_secs(2) * u32::from(bytes.byte());
                self.allocation.tick(self.now);
            }
            6 => self.allocation.permit(peer(bytes.byte()).ip(), self.now),
            7 => {
                let (peer, data) = (peer(bytes.byte()), bytes.piece());
                let datagram = self.allocation.wrap(peer, data, self.now);
                let is_channel = datagram.first().is_some_and(|byte| byte & 0xc0 == 0x40);
                assert!(
                    is_channel || Message::parse(&datagram).is_some(),
                    "a datagram for a peer that no server understands"
                );
            }
            8 => {
                let (number, data) = (bytes.short() | 0x4000, bytes.piece());
                let len = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
                let datagram = [&number.to_be_bytes(), len.as_slice(), data].concat();
                return self.give(&datagram);
            }
            _ => self.allocation.release(),
        }
        0
    }

    fn give(&mut self, datagram: &[u8]) -> usize {
        self.allocation.handle(datagram, self.now);
        datagram.len()
    }

    /// Begins an answer to a request that was made.
    fn answer(&self, kind: u8, back: u8) -> Option<Builder> {
        let (method, id) = *self.asked.iter().rev().nth(usize::from(back))?;
        let class = match kind % 4 {
            0 => Class::Request,
            1 => Class::Indication,
            2 => Class::Success,
            _ => Class::Error,
        };
        Some(Builder::new(method, class, id))
    }

    /// Takes everything out, and looks whether it can be.
    fn look(&mut self, brought: usize) {
        let was_over = self.is_over;
        let mut requests = 0;
        while let Some(datagram) = self.allocation.take_transmit() {
            let message = Message::parse(&datagram).expect("requests are messages");
            assert_eq!(message.class, Class::Request);
            self.asked.push((message.method, message.id));
            requests += 1;
        }
        assert!(
            requests <= MOST_REQUESTS,
            "{requests} requests for one order"
        );
        while let Some(event) = self.allocation.take_event() {
            match event {
                Event::Data { data, .. } => {
                    assert!(data.len() <= brought, "more data than came");
                }
                Event::Over(why) => {
                    assert!(!was_over && !self.is_over, "it ends once: {why}");
                    self.is_over = true;
                }
                Event::Relayed(_) => assert!(!self.is_over, "an address after the end"),
            }
        }
        if was_over {
            assert_eq!(requests, 0, "asks on after the end");
            assert_eq!(self.allocation.deadline(), None, "waits after the end");
        }
    }
}

fn peer(number: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::from([198, 51, 100, number]), 4000)
}

/// Adds attributes: each two bytes of kind, then a piece.
fn attributes(mut answer: Builder, input: &[u8]) -> Builder {
    let mut bytes = Bytes::new(input);
    for _ in 0..16 {
        let Some(high) = bytes.order() else { break };
        let kind = Kind::from([high, bytes.byte()]);
        answer = answer.attribute(kind, bytes.piece());
    }
    answer
}
