//! Which shard a datagram belongs to.
//!
//! The kernel spreads datagrams over the shards' sockets by address, not by session. In: datagrams.
//! Out: the shard to hand each to. A Binding request names its session by ufrag; everything else
//! from an address follows the requests from there.
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
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0, 1];
const USERNAME: [u8; 2] = [0, 6];
const HEADER_LEN: usize = 20;

/// Owners of ufrags, for all shards of a node: told when a session gets its ufrag, which is before
/// its participant knows it. Read only for Binding requests.
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

    pub(crate) fn learn(&self, ufrag: String, owner: ShardId) {
        let mut owners = self.0.write().unwrap_or_else(PoisonError::into_inner);
        owners.insert(ufrag, owner);
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
}

impl Routes {
    pub(crate) fn new(own: ShardId) -> Self {
        Self {
            own,
            addresses: HashMap::new(),
        }
    }

    /// Finds the shard for a datagram: this one, if nothing is known. `owner` answers who has a
    /// ufrag.
    pub(crate) fn route(
        &mut self,
        source: SocketAddr,
        datagram: &[u8],
        now: Instant,
        owner: impl FnOnce(&str) -> Option<ShardId>,
    ) -> ShardId {
        let Some(ufrag) = requested_ufrag(datagram) else {
            let owned = self.addresses.get(&source);
            return owned.map_or(self.own, |owned| owned.by);
        };
        let Some(owner) = owner(ufrag) else {
            return self.own;
        };
        let kept = self.addresses.get(&source).is_some_and(|owned| {
            owned.by != owner && now.saturating_duration_since(owned.last_request) < KEPT_FOR
        });
        if !kept {
            self.addresses.insert(
                source,
                Owned {
                    by: owner,
                    last_request: now,
                },
            );
        }
        owner
    }

    /// Forgets addresses that are not in use.
    pub(crate) fn sweep(&mut self, now: Instant) {
        self.addresses
            .retain(|_, owned| now.saturating_duration_since(owned.last_request) < FORGOTTEN_AFTER);
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
        assert_eq!(routes.route(source, RTP, now, |_| None), A);
        assert_eq!(routes.route(source, &request("x"), now, |_| None), A);
        assert_eq!(routes.route(source, &request("x"), now, |_| Some(B)), B);
        assert_eq!(routes.route(source, RTP, now, |_| None), B);
        routes.sweep(now + FORGOTTEN_AFTER);
        assert_eq!(routes.route(source, RTP, now, |_| None), A);
    }

    #[test]
    fn an_address_in_use_cannot_be_taken_over() {
        let mut routes = Routes::new(A);
        let now = Instant::now();
        let source = address(1);
        assert_eq!(routes.route(source, &request("mine"), now, |_| Some(A)), A);
        assert_eq!(routes.route(source, &request("other"), now, |_| Some(B)), B);
        assert_eq!(routes.route(source, RTP, now, |_| None), A);
        let later = now + KEPT_FOR;
        assert_eq!(
            routes.route(source, &request("other"), later, |_| Some(B)),
            B
        );
        assert_eq!(routes.route(source, RTP, later, |_| None), B);
    }

    #[test]
    fn a_shard_forgets_only_its_own_ufrags() {
        let ufrags = Ufrags::default();
        ufrags.learn("a".to_owned(), A);
        ufrags.learn("b".to_owned(), B);
        ufrags.retain(A, |_| false);
        assert_eq!((ufrags.owner("a"), ufrags.owner("b")), (None, Some(B)));
    }
}
