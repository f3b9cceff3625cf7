//! Which shard a datagram belongs to.
//!
//! The kernel spreads datagrams over the shards' sockets by address, not by session. In: datagrams.
//! Out: the shard to hand each to. A Binding request names its session by ufrag; everything else
//! from an address follows the requests from there, also a first one that every shard was asked about.
//! Invariant: a request with a foreign ufrag cannot take over an address that another session uses
//! and keeps alive.
//! See: RFC 8489 (STUN), RFC 8445 (ICE).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::placement::ShardId;

/// An address belongs to its session this long after the session's last request from there. ICE
/// repeats requests every few seconds. Longer: a port that is used again by another session waits.
const KEPT_FOR: Duration = Duration::from_secs(10);
/// An address without requests is forgotten after this time.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// Requests remembered while every shard is asked about them. Anybody can send such requests.
const MOST_ASKED: usize = 1024;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0, 1];
const USERNAME: [u8; 2] = [0, 6];
const HEADER_LEN: usize = 20;

/// Where a datagram goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Here,
    Other(ShardId),
    /// Nobody is known to have this ufrag: ask every shard.
    AskAll,
}

/// Owners of ufrags, for all shards of a node. Read only for Binding requests.
#[derive(Debug, Default)]
pub(crate) struct Ufrags(RwLock<HashMap<String, ShardId>>);

impl Ufrags {
    pub(crate) fn owner(&self, ufrag: &str) -> Option<ShardId> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(ufrag)
            .copied()
    }

    pub(crate) fn learn(&self, ufrag: &str, owner: ShardId) {
        let mut owners = self.0.write().unwrap_or_else(PoisonError::into_inner);
        owners.insert(ufrag.to_owned(), owner);
    }

    /// Forgets the ufrags of a shard that it no longer has.
    pub(crate) fn retain(&self, owner: ShardId, still_has: impl Fn(&str) -> bool) {
        let mut owners = self.0.write().unwrap_or_else(PoisonError::into_inner);
        owners.retain(|ufrag, of| *of != owner || still_has(ufrag));
    }
}

#[derive(Debug, Clone, Copy)]
struct Owned {
    by: ShardId,
    last_request: Instant,
}

/// Addresses one shard's sockets have heard from.
#[derive(Debug)]
pub(crate) struct Routes {
    own: ShardId,
    addresses: HashMap<SocketAddr, Owned>,
    /// Ufrags of requests that every shard was asked about. The owner has answered before anything
    /// else comes from there, and some browsers do not repeat the request for seconds.
    asked: HashMap<SocketAddr, String>,
}

impl Routes {
    pub(crate) fn new(own: ShardId) -> Self {
        Self {
            own,
            addresses: HashMap::new(),
            asked: HashMap::new(),
        }
    }

    /// Finds the shard for a datagram. `owner` answers who has a ufrag.
    pub(crate) fn route(
        &mut self,
        source: SocketAddr,
        datagram: &[u8],
        now: Instant,
        owner: impl FnOnce(&str) -> Option<ShardId>,
    ) -> Route {
        let Some(ufrag) = requested_ufrag(datagram) else {
            if !self.addresses.contains_key(&source)
                && let Some(by) = self.asked.get(&source).and_then(|ufrag| owner(ufrag))
            {
                self.asked.remove(&source);
                self.follow(source, by, now);
            }
            return self
                .addresses
                .get(&source)
                .map_or(Route::Here, |owned| self.to(owned.by));
        };
        let Some(owner) = owner(ufrag) else {
            if self.asked.len() >= MOST_ASKED {
                self.asked.clear();
            }
            self.asked.insert(source, ufrag.to_owned());
            return Route::AskAll;
        };
        let kept = self.addresses.get(&source).is_some_and(|owned| {
            owned.by != owner && now.saturating_duration_since(owned.last_request) < KEPT_FOR
        });
        if !kept {
            self.follow(source, owner, now);
        }
        self.to(owner)
    }

    fn follow(&mut self, source: SocketAddr, by: ShardId, last_request: Instant) {
        self.addresses.insert(source, Owned { by, last_request });
    }

    /// Forgets addresses that are not in use.
    pub(crate) fn sweep(&mut self, now: Instant) {
        self.addresses
            .retain(|_, owned| now.saturating_duration_since(owned.last_request) < FORGOTTEN_AFTER);
    }

    fn to(&self, shard: ShardId) -> Route {
        if shard == self.own {
            Route::Here
        } else {
            Route::Other(shard)
        }
    }
}

/// Returns the receiver's ufrag of a Binding request: USERNAME up to the colon.
pub(crate) fn requested_ufrag(datagram: &[u8]) -> Option<&str> {
    if datagram.get(..2)? != BINDING_REQUEST || datagram.get(4..8)? != MAGIC_COOKIE {
        return None;
    }
    let mut rest = datagram.get(HEADER_LEN..)?;
    loop {
        let (head, after) = rest.split_at_checked(4)?;
        let len = usize::from(u16::from_be_bytes([*head.get(2)?, *head.get(3)?]));
        if head.get(..2)? == USERNAME {
            let name = std::str::from_utf8(after.get(..len)?).ok()?;
            return Some(name.split_once(':')?.0);
        }
        // Attributes are padded to four bytes.
        rest = after.get(len.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(ufrag: &str) -> Vec<u8> {
        let name = format!("{ufrag}:remote");
        let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        bytes.extend([7; 12]);
        // Another attribute first, of a length that needs padding.
        bytes.extend([0x80, 0x22, 0, 3, b'a', b'b', b'c', 0]);
        bytes.extend([0, 6, 0, u8::try_from(name.len()).unwrap()]);
        bytes.extend(name.bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    const A: ShardId = ShardId(0);
    const B: ShardId = ShardId(1);
    const RTP: &[u8] = &[0x80, 111, 0, 1];

    #[test]
    fn finds_the_ufrag_of_a_request_only() {
        assert_eq!(requested_ufrag(&request("abcd")), Some("abcd"));
        let mut response = request("abcd");
        response[0] = 1;
        assert_eq!(requested_ufrag(&response), None);
        assert_eq!(requested_ufrag(RTP), None);
        let whole = request("abcd");
        for len in 0..whole.len() - 4 {
            assert_eq!(requested_ufrag(&whole[..len]), None, "{len}");
        }
        let mut lying = whole;
        lying[31] = 255;
        assert_eq!(requested_ufrag(&lying), None);
    }

    #[test]
    fn media_follows_the_requests_from_its_address() {
        let mut routes = Routes::new(A);
        let now = Instant::now();
        let source = address(1);
        assert_eq!(routes.route(source, RTP, now, |_| None), Route::Here);
        assert_eq!(
            routes.route(source, &request("x"), now, |_| None),
            Route::AskAll
        );
        assert_eq!(
            routes.route(source, &request("x"), now, |_| Some(B)),
            Route::Other(B)
        );
        assert_eq!(routes.route(source, RTP, now, |_| None), Route::Other(B));
        routes.sweep(now + FORGOTTEN_AFTER);
        assert_eq!(routes.route(source, RTP, now, |_| None), Route::Here);
    }

    #[test]
    fn what_follows_a_request_that_all_were_asked_about_finds_its_owner() {
        let mut routes = Routes::new(A);
        let now = Instant::now();
        let ask =
            |routes: &mut Routes, port| routes.route(address(port), &request("x"), now, |_| None);
        assert_eq!(ask(&mut routes, 1), Route::AskAll);
        assert_eq!(routes.route(address(1), RTP, now, |_| None), Route::Here);
        let known = |ufrag: &str| (ufrag == "x").then_some(B);
        assert_eq!(routes.route(address(1), RTP, now, known), Route::Other(B));
        assert_eq!(
            routes.route(address(1), RTP, now, |_| None),
            Route::Other(B)
        );

        for port in 1..=u16::try_from(MOST_ASKED * 2).unwrap() {
            ask(&mut routes, port);
        }
        assert!(routes.asked.len() <= MOST_ASKED, "{}", routes.asked.len());
    }

    #[test]
    fn an_address_in_use_cannot_be_taken_over() {
        let mut routes = Routes::new(A);
        let now = Instant::now();
        let source = address(1);
        assert_eq!(
            routes.route(source, &request("mine"), now, |_| Some(A)),
            Route::Here
        );
        assert_eq!(
            routes.route(source, &request("other"), now, |_| Some(B)),
            Route::Other(B)
        );
        assert_eq!(routes.route(source, RTP, now, |_| None), Route::Here);
        let later = now + KEPT_FOR;
        assert_eq!(
            routes.route(source, &request("other"), later, |_| Some(B)),
            Route::Other(B)
        );
        assert_eq!(routes.route(source, RTP, later, |_| None), Route::Other(B));
    }

    #[test]
    fn a_shard_forgets_only_its_own_ufrags() {
        let ufrags = Ufrags::default();
        ufrags.learn("a", A);
        ufrags.learn("b", B);
        ufrags.retain(A, |_| false);
        assert_eq!((ufrags.owner("a"), ufrags.owner("b")), (None, Some(B)));
    }
}
