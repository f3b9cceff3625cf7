//! Where a request comes from: the network that counts wrong passwords together.
//!
//! In: the peer's address, `X-Forwarded-For`, the proxies an operator trusts. Out: a place.
//! Invariant: what a stranger writes into a header never decides, only what a trusted proxy added.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::extract::ConnectInfo;
use axum::http::request::Parts;

/// One IPv4 address, or one IPv6 network of 64 bits: who has one address there has them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    V4([u8; 4]),
    V6([u8; 8]),
    /// The server that runs us does not tell.
    Unknown,
}

impl From<IpAddr> for Place {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.octets()),
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, g, h, ..] = v6.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

impl Place {
    /// Where a request comes from, by way of proxies that are trusted.
    pub(super) fn of(parts: &Parts, proxies: &[ProxyNet]) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let Some(ConnectInfo(peer)) = peer else {
            return Self::Unknown;
        };
        let forwarded = parts.headers.get_all("x-forwarded-for").iter();
        let forwarded: Vec<&str> = forwarded
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        client(peer.ip(), &forwarded, proxies).into()
    }
}

/// The last address of the chain that no trusted proxy has. Each proxy adds whom it heard at the
/// end, so what stands before the first stranger from behind is that stranger's own claim.
fn client(peer: IpAddr, forwarded: &[&str], proxies: &[ProxyNet]) -> IpAddr {
    let is_proxy = |address: IpAddr| proxies.iter().any(|net| net.contains(address));
    let mut client = peer;
    for entry in forwarded.iter().rev() {
        if !is_proxy(client) {
            break;
        }
        match address_of(entry.trim()) {
            Some(address) => client = address,
            None => break,
        }
    }
    client
}

/// `10.0.0.1`, `10.0.0.1:80`, `2001:db8::1` or `[2001:db8::1]:80`.
fn address_of(entry: &str) -> Option<IpAddr> {
    entry
        .parse()
        .ok()
        .or_else(|| Some(entry.parse::<SocketAddr>().ok()?.ip()))
        .or_else(|| {
            let inner = entry.strip_prefix('[')?.strip_suffix(']')?;
            inner.parse().ok()
        })
}

/// Addresses of proxies whose `X-Forwarded-For` is believed: one, or a network such as
/// `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyNet {
    address: IpAddr,
    prefix_bits: u8,
}

/// A text that names no address and no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address such as `10.0.0.1` nor a network such as `10.0.0.0/8`")]
pub struct NoNetwork(String);

impl FromStr for ProxyNet {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let wrong = || NoNetwork(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = prefix
            .map_or(Ok(longest), str::parse)
            .map_err(|_| wrong())?;
        if prefix_bits > longest {
            return Err(wrong());
        }
        Ok(Self {
            address,
            prefix_bits,
        })
    }
}

impl ProxyNet {
    /// Whether the address is in the network.
    #[must_use]
    pub fn contains(&self, other: IpAddr) -> bool {
        let bits = |address: IpAddr| match address {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, true),
            IpAddr::V6(v6) => (v6.to_bits(), false),
        };
        let ((own, is_v4), (other, other_is_v4)) = (bits(self.address), bits(other.to_canonical()));
        let ignored = 128 - u32::from(self.prefix_bits);
        // a shift by the whole width is no shift: `/0` covers everything
        let differs = (own ^ other).checked_shr(ignored).unwrap_or(0) != 0;
        is_v4 == other_is_v4 && !differs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_ipv6_network_is_one_place_and_a_mapped_address_is_the_ipv4_one() {
        assert_eq!(
            Place::from(ip("2001:db8::1")),
            Place::from(ip("2001:db8::ffff:2"))
        );
        assert_ne!(
            Place::from(ip("2001:db8::1")),
            Place::from(ip("2001:db8:0:1::1"))
        );
        assert_eq!(
            Place::from(ip("::ffff:10.0.0.1")),
            Place::from(ip("10.0.0.1"))
        );
        assert_ne!(Place::from(ip("10.0.0.1")), Place::from(ip("10.0.0.2")));
    }

    #[test]
    fn only_trusted_proxies_say_who_asked() {
        let proxies: Vec<ProxyNet> = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let found = |peer: &str, forwarded: &[&str]| client(ip(peer), forwarded, &proxies);
        assert_eq!(found("192.0.2.1", &["198.51.100.7"]), ip("192.0.2.1"));
        assert_eq!(found("127.0.0.1", &["198.51.100.7"]), ip("198.51.100.7"));
        assert_eq!(found("127.0.0.1", &[]), ip("127.0.0.1"));
        // the claim of the stranger stands before what our own proxies added
        let chain = ["1.1.1.1", " 198.51.100.7:4711", "10.1.2.3"];
        assert_eq!(found("127.0.0.1", &chain), ip("198.51.100.7"));
        assert_eq!(found("fd00::5", &["[2001:db8::9]"]), ip("2001:db8::9"));
        assert_eq!(found("127.0.0.1", &["unknown"]), ip("127.0.0.1"));
        assert_eq!(
            found("::ffff:10.0.0.9", &["198.51.100.7"]),
            ip("198.51.100.7")
        );
    }

    #[test]
    fn networks_are_read_and_compared_bit_by_bit() {
        let net: ProxyNet = "192.168.4.0/22".parse().unwrap();
        assert!(net.contains(ip("192.168.7.255")) && !net.contains(ip("192.168.8.0")));
        let all: ProxyNet = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains(ip("8.8.8.8")) && !all.contains(ip("::1")));
        for wrong in ["", "proxy", "10.0.0.0/33", "10.0.0.0/x", "::/129"] {
            assert!(wrong.parse::<ProxyNet>().is_err(), "{wrong}");
        }
    }
}
