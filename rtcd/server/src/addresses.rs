//! Addresses participants are told, beside those the node listens at.
//!
//! In: local addresses, the operator's overrides, what a STUN server saw. Out: candidates.
//! Pure except `local_addresses` and `resolve_override`.
//! The port override counts for external addresses only: a plain local address is reached at the
//! port that is listened at.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rtcd_core::{HostCandidate, Transport};
use tracing::warn;

use crate::config::RtcConfig;

const RESOLVE_WITHIN: Duration = Duration::from_secs(1);

/// What a local address is called outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) external: IpAddr,
    pub(crate) local: IpAddr,
}

/// What the operator says about external addresses, host names resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HostOverride {
    None,
    Address(IpAddr),
    Mapping(Vec<Pair>),
}

/// A public address per local one, as a STUN server saw it; `None` where it gave no answer.
pub(crate) type PublicAddresses = BTreeMap<IpAddr, Option<IpAddr>>;

/// Pairs each local address with the one outside.
pub(crate) fn pairs(
    locals: &[IpAddr],
    host_override: &HostOverride,
    public: &PublicAddresses,
) -> Vec<Pair> {
    match host_override {
        HostOverride::Mapping(pairs) => pairs.clone(),
        HostOverride::Address(external) => {
            let family: Vec<IpAddr> = locals
                .iter()
                .filter(|local| local.is_ipv4() == external.is_ipv4())
                .copied()
                .collect();
            let only_one = family.len() == 1;
            family
                .into_iter()
                .map(|local| {
                    let keeps_itself = local.is_loopback() && !only_one;
                    Pair {
                        external: if keeps_itself { local } else { *external },
                        local,
                    }
                })
                .collect()
        }
        HostOverride::None if public.is_empty() => Vec::new(),
        HostOverride::None => locals
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

/// Makes the candidates for the addresses that are listened at.
pub(crate) fn candidates(
    transport: Transport,
    listening: &[SocketAddr],
    pairs: &[Pair],
    host_override: &HostOverride,
    public: &PublicAddresses,
    port_override: Option<u16>,
) -> Vec<HostCandidate> {
    let mut externals: BTreeSet<IpAddr> = public.values().flatten().copied().collect();
    match host_override {
        HostOverride::None => {}
        HostOverride::Address(address) => {
            externals.insert(*address);
        }
        HostOverride::Mapping(pairs) => externals.extend(pairs.iter().map(|pair| pair.external)),
    }
    listening
        .iter()
        .map(|local| {
            let external = pairs
                .iter()
                .find(|pair| pair.local == local.ip())
                .map_or(local.ip(), |pair| pair.external);
            let port = port_override
                .filter(|_| externals.contains(&external))
                .unwrap_or_else(|| local.port());
            HostCandidate {
                transport,
                advertised: SocketAddr::new(external, port),
                local: *local,
            }
        })
        .collect()
}

/// Reads the host override and resolves a name in it. A name that cannot be resolved is logged and
/// counts as none: the node is then reachable locally only.
pub(crate) async fn resolve_override(written: &str, ipv6: bool) -> HostOverride {
    if written.is_empty() {
        return HostOverride::None;
    }
    if written.contains('/') {
        return HostOverride::Mapping(parse_mapping(written));
    }
    if let Ok(address) = written.parse() {
        return HostOverride::Address(address);
    }
    let lookup = tokio::time::timeout(RESOLVE_WITHIN, tokio::net::lookup_host((written, 0))).await;
    let found = match lookup {
        Ok(Ok(mut found)) => found.find(|address| ipv6 || address.is_ipv4()),
        Ok(Err(_)) | Err(_) => None,
    };
    if let Some(address) = found {
        return HostOverride::Address(address.ip());
    }
    warn!(
        name = written,
        "rtc.ice_host_override cannot be resolved; local addresses are offered"
    );
    HostOverride::None
}

/// Splits `external/internal,external/internal`; what is no address is logged and left out.
fn parse_mapping(written: &str) -> Vec<Pair> {
    let parse = |entry: &str| {
        let (external, local) = entry.split_once('/')?;
        let (external, local) = (external.trim().parse().ok()?, local.trim().parse().ok()?);
        Some(Pair { external, local })
    };
    written
        .split(',')
        .filter_map(|entry| {
            let pair = parse(entry);
            if pair.is_none() {
                warn!(
                    entry,
                    "entry of rtc.ice_host_override is not `address/address`; left out"
                );
            }
            pair
        })
        .collect()
}

/// Returns the addresses of this machine that may be offered: IPv4 with loopback, IPv6 only global.
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
        .filter(|address| is_offered(*address, config.enable_ipv6))
        .filter(|address| wanted.is_empty() || wanted.contains(address))
        .collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn is_offered(address: IpAddr, ipv6: bool) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_unspecified() && !address.is_multicast(),
        // Global unicast: 2000::/3.
        IpAddr::V6(address) => ipv6 && address.octets().first().is_some_and(|o| o & 0xe0 == 0x20),
    }
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

    #[test]
    fn local_and_external_addresses_are_paired() {
        let locals = [ip("127.0.0.1"), ip("10.1.1.1")];
        let address = HostOverride::Address(ip("1.1.1.1"));
        let mapping = HostOverride::Mapping(parse_mapping("8.8.8.8/10.1.1.1,8.8.4.4/127.0.0.1"));
        let none = HostOverride::None;
        let unanswered = public(&[("127.0.0.1", None), ("10.1.1.1", None)]);
        let one = public(&[("10.1.1.1", Some("1.1.1.1"))]);
        let both = public(&[
            ("127.0.0.1", Some("1.1.1.2")),
            ("10.1.1.1", Some("1.1.1.1")),
        ]);
        let cases = [
            (&none, public(&[]), ""),
            (&none, unanswered, "127.0.0.1/127.0.0.1,10.1.1.1/10.1.1.1"),
            (
                &address,
                public(&[]),
                "127.0.0.1/127.0.0.1,1.1.1.1/10.1.1.1",
            ),
            (&none, one.clone(), "127.0.0.1/127.0.0.1,1.1.1.1/10.1.1.1"),
            (&none, both, "1.1.1.2/127.0.0.1,1.1.1.1/10.1.1.1"),
            (&mapping, one, "8.8.8.8/10.1.1.1,8.8.4.4/127.0.0.1"),
        ];
        for (host_override, public, wanted) in cases {
            assert_eq!(shown(&pairs(&locals, host_override, &public)), wanted);
        }
    }

    #[test]
    fn an_override_replaces_a_single_address_even_loopback() {
        let address = HostOverride::Address(ip("1.1.1.1"));
        let one = pairs(&[ip("127.0.0.1")], &address, &public(&[]));
        assert_eq!(shown(&one), "1.1.1.1/127.0.0.1");
        let mixed = pairs(&[ip("10.1.1.1"), ip("2001:db8::1")], &address, &public(&[]));
        assert_eq!(shown(&mixed), "1.1.1.1/10.1.1.1");
    }

    #[test]
    fn the_port_override_counts_for_external_addresses_only() {
        let locals = [ip("127.0.0.1"), ip("10.1.1.1")];
        let listening = locals.map(|local| SocketAddr::new(local, 8443));
        let address = HostOverride::Address(ip("1.1.1.1"));
        let none = public(&[]);
        let pairs = pairs(&locals, &address, &none);
        let found = candidates(
            Transport::Udp,
            &listening,
            &pairs,
            &address,
            &none,
            Some(30_443),
        );
        let advertised: Vec<String> = found
            .iter()
            .map(|candidate| candidate.advertised.to_string())
            .collect();
        assert_eq!(advertised, ["127.0.0.1:8443", "1.1.1.1:30443"]);
        assert_eq!(
            found
                .iter()
                .map(|candidate| candidate.local)
                .collect::<Vec<_>>(),
            listening
        );
    }

    #[tokio::test]
    async fn overrides_are_read() {
        assert_eq!(resolve_override("", false).await, HostOverride::None);
        assert_eq!(
            resolve_override("1.2.3.4", false).await,
            HostOverride::Address(ip("1.2.3.4"))
        );
        let one = Pair {
            external: ip("1.2.3.4"),
            local: ip("10.0.0.1"),
        };
        assert_eq!(
            resolve_override("1.2.3.4/10.0.0.1, x/y", false).await,
            HostOverride::Mapping(vec![one])
        );
        assert_eq!(
            resolve_override("localhost", false).await,
            HostOverride::Address(ip("127.0.0.1"))
        );
    }
}
