//! Addresses that are told to others: which of them nobody can reach.

use std::net::{IpAddr, Ipv4Addr};

/// Whether a machine can have this address: not the unspecified one, and none that stands for many.
#[must_use]
pub fn can_be_reached(address: IpAddr) -> bool {
    match address.to_canonical() {
        // 0.0.0.0/8 is "this network" (RFC 1122, 3.2.1.3).
        IpAddr::V4(address) => {
            let [first, ..] = address.octets();
            first != 0 && !address.is_multicast() && address != Ipv4Addr::BROADCAST
        }
        IpAddr::V6(address) => !address.is_unspecified() && !address.is_multicast(),
    }
}

/// Says who alone can reach this address, when not everybody can: worth a warning where it is told to
/// people elsewhere.
#[must_use]
pub fn reached_only_by(address: IpAddr) -> Option<&'static str> {
    let (is_loopback, is_link_local) = match address.to_canonical() {
        IpAddr::V4(address) => (address.is_loopback(), address.is_link_local()),
        IpAddr::V6(address) => (address.is_loopback(), address.is_unicast_link_local()),
    };
    if is_loopback {
        Some("programs on this machine")
    } else {
        is_link_local.then_some("machines on the same link")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_nobody_or_few_can_reach_are_known() {
        for (text, can, only) in [
            ("0.0.0.0", false, None),
            ("0.1.2.3", false, None),
            ("255.255.255.255", false, None),
            ("224.0.0.1", false, None),
            ("239.255.255.255", false, None),
            ("::", false, None),
            ("::ffff:0.0.0.0", false, None),
            ("ff02::1", false, None),
            ("127.0.0.1", true, Some("programs on this machine")),
            ("::1", true, Some("programs on this machine")),
            ("169.254.1.1", true, Some("machines on the same link")),
            ("fe80::1", true, Some("machines on the same link")),
            ("10.0.0.1", true, None),
            ("203.0.113.255", true, None),
            ("2001:db8::1", true, None),
        ] {
            let address = text.parse().unwrap();
            assert_eq!(can_be_reached(address), can, "{text}");
            assert_eq!(reached_only_by(address), only, "{text}");
        }
    }
}
