//! Addresses participants are told, beside those the node listens at.
//!
//! In: local addresses, the operator's overrides, what a STUN server saw. Out: candidates.
//! Pure except `local_addresses`. Not here: looking up a name (`advertiser`).
//! The port override counts for external addresses only: a plain local address is reached at the
//! port that is listened at.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use rtcd_core::{HostCandidate, Transport};

use crate::config::RtcConfig;

/// What a local address is called outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) external: IpAddr,
    pub(crate) local: IpAddr,
}

/// What is known of external addresses, names looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum External {
    /// Nothing, beside what a STUN server saw.
    Unknown,
    /// At most one of each family.
    Addresses(Vec<IpAddr>),
    Mapping(Vec<Pair>),
}

/// A public address per local one, as a STUN server saw it; `None` where it gave no answer.
pub(crate) type PublicAddresses = BTreeMap<IpAddr, Option<IpAddr>>;

/// Where this node listens, and what is known of it outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Here {
    pub(crate) locals: Vec<IpAddr>,
    pub(crate) udp: Vec<SocketAddr>,
    pub(crate) tcp: Vec<SocketAddr>,
    pub(crate) public: PublicAddresses,
    pub(crate) port_override: Option<u16>,
}

impl Here {
    /// Makes the candidates participants are told.
    pub(crate) fn candidates(&self, external: &External) -> Vec<HostCandidate> {
        let pairs = pairs(&self.locals, external, &self.public);
        let outside = self.outside(external);
        let of = |transport, listening: &[SocketAddr]| -> Vec<HostCandidate> {
            listening
                .iter()
                .map(|local| {
                    let advertised = self.advertised(*local, &pairs, &outside);
                    HostCandidate {
                        transport,
                        advertised,
                        local: *local,
                    }
                })
                .collect()
        };
        [of(Transport::Udp, &self.udp), of(Transport::Tcp, &self.tcp)].concat()
    }

    fn advertised(
        &self,
        local: SocketAddr,
        pairs: &[Pair],
        outside: &BTreeSet<IpAddr>,
    ) -> SocketAddr {
        let address = pairs
            .iter()
            .find(|pair| pair.local == local.ip())
            .map_or(local.ip(), |pair| pair.external);
        let port = self
            .port_override
            .filter(|_| outside.contains(&address))
            .unwrap_or_else(|| local.port());
        SocketAddr::new(address, port)
    }

    /// The addresses the port override counts for.
    fn outside(&self, external: &External) -> BTreeSet<IpAddr> {
        let mut outside: BTreeSet<IpAddr> = self.public.values().flatten().copied().collect();
        match external {
            External::Unknown => {}
            External::Addresses(addresses) => outside.extend(addresses),
            External::Mapping(pairs) => outside.extend(pairs.iter().map(|pair| pair.external)),
        }
        outside
    }
}

/// Pairs each local address with the one outside.
fn pairs(locals: &[IpAddr], external: &External, public: &PublicAddresses) -> Vec<Pair> {
    match external {
        External::Mapping(pairs) => pairs.clone(),
        External::Addresses(addresses) => addresses
            .iter()
            .flat_map(|address| with_one_address(locals, *address))
            .collect(),
        External::Unknown if public.is_empty() => Vec::new(),
        External::Unknown => locals
            .iter()
            .map(|local| {
                let seen = public.get(local).copied().flatten();
                Pair {
                    external: seen.unwrap_or(*local),
                    local: *local,
                }
            })
            .collect(),
    }
}

/// All local addresses of a family share one address outside; loopback only when it is alone.
fn with_one_address(locals: &[IpAddr], external: IpAddr) -> Vec<Pair> {
    let family: Vec<IpAddr> = locals
        .iter()
        .filter(|local| local.is_ipv4() == external.is_ipv4())
        .copied()
        .collect();
    let is_only_one = family.len() == 1;
    family
        .into_iter()
        .map(|local| {
            let keeps_itself = local.is_loopback() && !is_only_one;
            Pair {
                external: if keeps_itself { local } else { external },
                local,
            }
        })
        .collect()
}

/// Returns the addresses of this machine that may be offered: IPv4 with loopback, IPv6 beyond the
/// link; its loopback only when the operator names it.
pub(crate) fn local_addresses(config: &RtcConfig) -> std::io::Result<Vec<IpAddr>> {
    let wanted: Vec<IpAddr> = config
        .udp_addresses
        .iter()
        .chain(&config.tcp_addresses)
        .copied()
        .collect();
    let mut found: Vec<IpAddr> = if_addrs::get_if_addrs()?
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|address| is_offered(*address, config.enable_ipv6, &wanted))
        .collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Without any address that is `wanted`, all are.
fn is_offered(address: IpAddr, ipv6: bool, wanted: &[IpAddr]) -> bool {
    let is_named = wanted.contains(&address);
    let may_be = match address {
        IpAddr::V4(address) => !address.is_unspecified() && !address.is_multicast(),
        IpAddr::V6(address) if address.is_loopback() => ipv6 && is_named,
        // Unique local addresses (RFC 4193) are the global ones of a network of its own.
        IpAddr::V6(address) => {
            let ends_at_the_link = address.is_unicast_link_local() || address.is_multicast();
            ipv6 && !ends_at_the_link && !address.is_unspecified()
        }
    };
    may_be && (wanted.is_empty() || is_named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn shown(pairs: &[Pair]) -> String {
        let texts: Vec<String> = pairs
            .iter()
            .map(|pair| format!("{}/{}", pair.external, pair.local))
            .collect();
        texts.join(",")
    }

    fn public(entries: &[(&str, Option<&str>)]) -> PublicAddresses {
        entries
            .iter()
            .map(|(local, seen)| (ip(local), seen.map(ip)))
            .collect()
    }

    fn mapping(pairs: &[(&str, &str)]) -> External {
        let pair = |(external, local): &(&str, &str)| Pair {
            external: ip(external),
            local: ip(local),
        };
        External::Mapping(pairs.iter().map(pair).collect())
    }

    fn address(text: &str) -> External {
        External::Addresses(vec![ip(text)])
    }

    #[test]
    fn local_and_external_addresses_are_paired() {
        let locals = [ip("127.0.0.1"), ip("10.1.1.1")];
        let one = public(&[("10.1.1.1", Some("1.1.1.1"))]);
        let cases = [
            (External::Unknown, public(&[]), ""),
            (
                External::Unknown,
                public(&[("127.0.0.1", None), ("10.1.1.1", None)]),
                "127.0.0.1/127.0.0.1,10.1.1.1/10.1.1.1",
            ),
            (
                address("1.1.1.1"),
                public(&[]),
                "127.0.0.1/127.0.0.1,1.1.1.1/10.1.1.1",
            ),
            (
                External::Unknown,
                one.clone(),
                "127.0.0.1/127.0.0.1,1.1.1.1/10.1.1.1",
            ),
            (
                External::Unknown,
                public(&[
                    ("127.0.0.1", Some("1.1.1.2")),
                    ("10.1.1.1", Some("1.1.1.1")),
                ]),
                "1.1.1.2/127.0.0.1,1.1.1.1/10.1.1.1",
            ),
            (
                mapping(&[("8.8.8.8", "10.1.1.1"), ("8.8.4.4", "127.0.0.1")]),
                one,
                "8.8.8.8/10.1.1.1,8.8.4.4/127.0.0.1",
            ),
        ];
        for (external, public, wanted) in cases {
            assert_eq!(shown(&pairs(&locals, &external, &public)), wanted);
        }
    }

    #[test]
    fn an_override_replaces_a_single_address_even_loopback() {
        let one = pairs(&[ip("127.0.0.1")], &address("1.1.1.1"), &public(&[]));
        assert_eq!(shown(&one), "1.1.1.1/127.0.0.1");
        let mixed = [ip("10.1.1.1"), ip("2001:db8::1")];
        let only_v4 = pairs(&mixed, &address("1.1.1.1"), &public(&[]));
        assert_eq!(shown(&only_v4), "1.1.1.1/10.1.1.1");
        let both = External::Addresses(vec![ip("1.1.1.1"), ip("2001:db8::9")]);
        assert_eq!(
            shown(&pairs(&mixed, &both, &public(&[]))),
            "1.1.1.1/10.1.1.1,2001:db8::9/2001:db8::1"
        );
    }

    /// A machine with loopback and two networks that listens everywhere, TCP at another port.
    fn here(port_override: Option<u16>) -> Here {
        let locals = ["127.0.0.1", "10.1.1.1", "10.2.2.2"].map(ip);
        let at = |port| locals.map(|local| SocketAddr::new(local, port)).to_vec();
        Here {
            locals: locals.to_vec(),
            udp: at(8443),
            tcp: at(8444),
            public: public(&[]),
            port_override,
        }
    }

    fn advertised(here: &Here, external: &External) -> Vec<String> {
        let candidates = here.candidates(external);
        let listening: Vec<SocketAddr> =
            candidates.iter().map(|candidate| candidate.local).collect();
        assert_eq!(listening, [here.udp.as_slice(), &here.tcp].concat());
        candidates
            .iter()
            .map(|candidate| {
                let kind = match candidate.transport {
                    Transport::Udp => "udp",
                    Transport::Tcp => "tcp",
                };
                format!("{kind} {}", candidate.advertised)
            })
            .collect()
    }

    #[test]
    fn the_port_override_counts_for_external_addresses_over_udp_and_tcp() {
        assert_eq!(
            advertised(&here(Some(30_443)), &address("1.1.1.1")),
            [
                "udp 127.0.0.1:8443",
                "udp 1.1.1.1:30443",
                "udp 1.1.1.1:30443",
                "tcp 127.0.0.1:8444",
                "tcp 1.1.1.1:30443",
                "tcp 1.1.1.1:30443",
            ]
        );
        assert_eq!(
            advertised(&here(Some(30_443)), &mapping(&[("8.8.8.8", "10.2.2.2")])),
            [
                "udp 127.0.0.1:8443",
                "udp 10.1.1.1:8443",
                "udp 8.8.8.8:30443",
                "tcp 127.0.0.1:8444",
                "tcp 10.1.1.1:8444",
                "tcp 8.8.8.8:30443",
            ]
        );
        let seen = Here {
            public: public(&[("127.0.0.1", None), ("10.1.1.1", Some("9.9.9.9"))]),
            ..here(Some(30_443))
        };
        assert_eq!(
            advertised(&seen, &External::Unknown)[..3],
            [
                "udp 127.0.0.1:8443",
                "udp 9.9.9.9:30443",
                "udp 10.2.2.2:8443"
            ]
        );
    }

    #[test]
    fn without_any_override_listeners_are_told_as_they_are() {
        for port_override in [None, Some(30_443)] {
            assert_eq!(
                advertised(&here(port_override), &External::Unknown)[..2],
                ["udp 127.0.0.1:8443", "udp 10.1.1.1:8443"]
            );
        }
        assert_eq!(
            advertised(&here(None), &address("1.1.1.1"))[1..2],
            ["udp 1.1.1.1:8443"]
        );
    }

    #[test]
    fn ipv6_is_offered_when_it_is_on_and_reaches_beyond_the_link() {
        assert!(is_offered(ip("127.0.0.1"), false, &[]));
        for global in ["2001:db8::1", "fd00::1"] {
            assert!(!is_offered(ip(global), false, &[]), "{global}");
            assert!(is_offered(ip(global), true, &[]), "{global}");
        }
        for local_only in ["::", "::1", "fe80::1", "ff02::1"] {
            assert!(!is_offered(ip(local_only), true, &[]), "{local_only}");
        }
        // Loopback to whoever asks for it by name; a link needs more than an address.
        let named = [ip("::1"), ip("fe80::1")];
        assert!(is_offered(ip("::1"), true, &named));
        assert!(!is_offered(ip("::1"), false, &named));
        assert!(!is_offered(ip("fe80::1"), true, &named));
        assert!(!is_offered(ip("127.0.0.1"), true, &named), "not asked for");
    }
}
