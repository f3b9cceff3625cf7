//! Finds the session a datagram is for.
//!
//! In: transport, source address, contents. STUN requests name the session (the local half of their
//! USERNAME); everything else is found by the address learned from such a request.
//! Invariant: an address of one session is never taken over by another while the first is alive.
//! See: RFC 8445 7.2.2 (user names), RFC 8489 5 (STUN format), RFC 7983 (first byte).

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use crate::io::Transport;

/// A session within its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) leg: u64,
    pub(super) session: u32,
}

/// Most addresses kept per session; participants have few, attackers have many.
const MAX_ADDRESSES: usize = 16;

/// Most ICE names kept per session: a restart brings a new one while the old is still checked.
const MAX_NAMES: usize = 4;

/// Knows who is reached how.
#[derive(Debug, Default)]
pub(super) struct Demux {
    by_name: HashMap<String, Place>,
    by_address: HashMap<(Transport, SocketAddr), Place>,
    /// To remove a session without searching.
    known: BTreeMap<Place, Known>,
}

#[derive(Debug, Default)]
struct Known {
    names: Vec<String>,
    addresses: Vec<(Transport, SocketAddr)>,
}

impl Demux {
    /// Finds the session of a datagram, and whether it was found by name.
    pub(super) fn find(
        &self,
        transport: Transport,
        source: SocketAddr,
        contents: &[u8],
    ) -> Option<(Place, bool)> {
        if let Some(name) = local_name(contents) {
            return Some((*self.by_name.get(name)?, true));
        }
        Some((*self.by_address.get(&(transport, source))?, false))
    }

    /// Whether a session is reached under this ICE name.
    pub(super) fn has_name(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// A session is reached under this ICE name, besides earlier ones.
    pub(super) fn name(&mut self, name: String, place: Place) {
        if self.by_name.get(&name) == Some(&place) {
            return;
        }
        let known = self.known.entry(place).or_default();
        if known.names.len() >= MAX_NAMES {
            let oldest = known.names.remove(0);
            self.by_name.remove(&oldest);
        }
        known.names.push(name.clone());
        self.by_name.insert(name, place);
    }

    /// A session was reached from this address.
    pub(super) fn learn(&mut self, transport: Transport, source: SocketAddr, place: Place) {
        let address = (transport, source);
        if self.by_address.contains_key(&address) {
            return;
        }
        let known = self.known.entry(place).or_default();
        if known.addresses.len() >= MAX_ADDRESSES {
            let oldest = known.addresses.remove(0);
            self.by_address.remove(&oldest);
        }
        known.addresses.push(address);
        self.by_address.insert(address, place);
    }

    /// An address is of no use any more.
    pub(super) fn forget(&mut self, transport: Transport, source: SocketAddr) {
        if let Some(place) = self.by_address.remove(&(transport, source))
            && let Some(known) = self.known.get_mut(&place)
        {
            known
                .addresses
                .retain(|address| *address != (transport, source));
        }
    }

    /// A session is gone.
    pub(super) fn remove(&mut self, place: Place) {
        let Some(known) = self.known.remove(&place) else {
            return;
        };
        for name in known.names {
            self.by_name.remove(&name);
        }
        for address in known.addresses {
            self.by_address.remove(&address);
        }
    }
}

/// Reads the receiver's half of the USERNAME of a STUN request.
///
/// ```text
///  0: 00 type   2: length   4: 21 12 a4 42   8: transaction (12)   20: attributes
///  attribute: type (2) length (2) value, padded to 4
/// ```
fn local_name(contents: &[u8]) -> Option<&str> {
    const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
    const BINDING_REQUEST: [u8; 2] = [0, 1];
    const USERNAME: u16 = 6;
    let (head, mut rest) = contents.split_at_checked(20)?;
    if head.get(..2)? != BINDING_REQUEST || head.get(4..8)? != COOKIE {
        return None;
    }
    loop {
        let (attribute, tail) = rest.split_first_chunk::<4>()?;
        let [kind_high, kind_low, len_high, len_low] = *attribute;
        let len = usize::from(u16::from_be_bytes([len_high, len_low]));
        let (value, _) = tail.split_at_checked(len)?;
        if u16::from_be_bytes([kind_high, kind_low]) == USERNAME {
            return std::str::from_utf8(value).ok()?.split(':').next();
        }
        (_, rest) = tail.split_at_checked(len.next_multiple_of(4))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(username: &str) -> Vec<u8> {
        let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        bytes.extend([7; 12]);
        // Another attribute first, of odd length.
        bytes.extend([0x80, 0x22, 0, 3, b'a', b'b', b'c', 0]);
        bytes.extend([0, 6, 0, u8::try_from(username.len()).unwrap()]);
        bytes.extend(username.bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn requests_are_found_by_name_and_the_rest_by_address() {
        let place = Place { leg: 1, session: 2 };
        let other = Place { leg: 1, session: 3 };
        let address: SocketAddr = "10.0.0.1:5000".parse().unwrap();
        let mut demux = Demux::default();
        demux.name("ours".into(), place);
        let media = [0x80; 40];
        assert_eq!(demux.find(Transport::Udp, address, &media), None);
        let found = demux.find(Transport::Udp, address, &request("ours:theirs"));
        assert_eq!(found, Some((place, true)));
        demux.learn(Transport::Udp, address, place);
        demux.learn(Transport::Udp, address, other);
        assert_eq!(
            demux.find(Transport::Udp, address, &media),
            Some((place, false))
        );
        assert_eq!(demux.find(Transport::Tcp, address, &media), None);
        demux.remove(place);
        assert_eq!(demux.find(Transport::Udp, address, &media), None);
        assert_eq!(
            demux.find(Transport::Udp, address, &request("ours:theirs")),
            None
        );
        assert!(demux.by_name.is_empty() && demux.by_address.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_have_a_name_or_none(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut stun = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
            stun.extend(&bytes);
            let _ = local_name(&stun);
            let _ = local_name(&bytes);
        }
    }
}
