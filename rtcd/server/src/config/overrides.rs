//! What participants are told in place of the addresses and the port that are listened at.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::str::FromStr;

use service::addresses;

/// The address participants are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostOverride {
    None,
    Address(IpAddr),
    /// Looked up for each session.
    Name(String),
    /// 1:1 address translation: (outside, here).
    Mapping(Vec<(IpAddr, IpAddr)>),
}

impl FromStr for HostOverride {
    type Err = String;

    /// Reads `""`, an address, a host name or `external/internal,external/internal`.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::None);
        }
        if text.contains('/') {
            let pairs = text.split(',').map(pair).collect::<Result<Vec<_>, _>>()?;
            return Ok(Self::Mapping(pairs));
        }
        if let Ok(address) = text.parse() {
            return told(address).map(Self::Address);
        }
        let is_name = text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        if is_name {
            Ok(Self::Name(text.to_owned()))
        } else {
            Err("it must be an IP address, a host name, or `external/internal` pairs separated by commas".to_owned())
        }
    }
}

fn pair(entry: &str) -> Result<(IpAddr, IpAddr), String> {
    let addresses = entry.split_once('/').and_then(|(external, local)| {
        let (external, local) = (external.trim().parse().ok()?, local.trim().parse().ok()?);
        Some((external, local))
    });
    let (external, local) =
        addresses.ok_or_else(|| format!("`{}` must be `address/address`", entry.trim()))?;
    Ok((told(external)?, told(local)?))
}

/// An address that participants are told, or that this machine has.
fn told(address: IpAddr) -> Result<IpAddr, String> {
    if addresses::can_be_reached(address) {
        return Ok(address);
    }
    Err(format!(
        "`{address}` must be an address that a machine can have, not an unspecified, multicast or \
         broadcast one"
    ))
}

const PORTS: std::ops::RangeInclusive<u16> = 80..=49151;

/// The port clients are told where it differs from the one listened at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortOverride {
    None,
    One(u16),
    /// For many nodes with one configuration: the entry of a local address counts.
    ByLocalAddress(Vec<(IpAddr, u16)>),
}

impl FromStr for PortOverride {
    type Err = String;

    /// Reads `""`, `port` or `ip/port,ip/port`.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::None);
        }
        if !text.contains('/') {
            return Ok(Self::One(port(text)?));
        }
        let (mut addresses, mut ports) = (BTreeSet::new(), BTreeSet::new());
        let mut entries = Vec::new();
        for entry in text.split(',').map(str::trim) {
            let (address, number) = entry
                .split_once('/')
                .ok_or_else(|| format!("`{entry}` must be `ip/port`"))?;
            let address: IpAddr = address
                .parse()
                .map_err(|_| format!("`{address}` must be an IP address"))?;
            let address = told(address)?;
            // As in the reference, any port will do here.
            let number = number
                .trim()
                .parse()
                .map_err(|_| format!("`{number}` must be a port"))?;
            if !addresses.insert(address) || !ports.insert(number) {
                return Err(format!(
                    "`{entry}` names an address or a port for the second time"
                ));
            }
            entries.push((address, number));
        }
        Ok(Self::ByLocalAddress(entries))
    }
}

impl PortOverride {
    /// Returns the port for a machine with these addresses.
    #[must_use]
    pub fn for_machine(&self, local: &[IpAddr]) -> Option<u16> {
        match self {
            Self::None => None,
            Self::One(port) => Some(*port),
            Self::ByLocalAddress(entries) => entries
                .iter()
                .find(|(address, _)| local.contains(address))
                .map(|(_, port)| *port),
        }
    }
}

fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .ok()
        .filter(|port| PORTS.contains(port))
        .ok_or_else(|| format!("`{text}` must be a port from 80 to 49151"))
}

/// Local addresses, separated by commas; empty: all of them.
#[derive(Debug, Clone)]
pub struct LocalAddresses(pub(super) Vec<IpAddr>);

impl FromStr for LocalAddresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let read = parts.map(|part| match part.parse() {
            Ok(address) if addresses::can_be_reached(address) => Ok(address),
            Ok(_) => Err(format!(
                "`{part}` must be an address of this machine; leave it empty for all of them"
            )),
            Err(_) => Err(format!(
                "`{part}` must be an IP address; separate addresses by commas"
            )),
        });
        read.collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_overrides() {
        let ip = |text: &str| text.parse().unwrap();
        let cases = [
            ("", HostOverride::None),
            (" 1.2.3.4 ", HostOverride::Address(ip("1.2.3.4"))),
            ("2001:db8::1", HostOverride::Address(ip("2001:db8::1"))),
            (
                "media.example.org",
                HostOverride::Name("media.example.org".to_owned()),
            ),
            (
                "8.8.8.8/10.1.1.1, 8.8.4.4/127.0.0.1",
                HostOverride::Mapping(vec![
                    (ip("8.8.8.8"), ip("10.1.1.1")),
                    (ip("8.8.4.4"), ip("127.0.0.1")),
                ]),
            ),
        ];
        for (written, wanted) in cases {
            assert_eq!(written.parse::<HostOverride>().unwrap(), wanted);
        }
        for wrong in ["1.2.3.4/x", "1.2.3.4/10.0.0.1,", "two words", "host:8443"] {
            assert!(wrong.parse::<HostOverride>().is_err(), "{wrong}");
        }
        for nobody in [
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "0.0.0.0/10.1.1.1",
            "8.8.8.8/0.0.0.0",
            "8.8.8.8/10.1.1.1,239.1.1.1/10.1.1.2",
        ] {
            let rule = nobody.parse::<HostOverride>().unwrap_err();
            assert!(rule.contains("that a machine can have"), "{rule}");
        }
        assert!("0.0.0.0/8443".parse::<PortOverride>().is_err());
    }

    fn local() -> Vec<IpAddr> {
        vec!["127.0.0.1".parse().unwrap(), "10.1.1.1".parse().unwrap()]
    }

    #[test]
    fn port_overrides() {
        assert_eq!(
            "".parse::<PortOverride>().unwrap().for_machine(&local()),
            None
        );
        assert_eq!(
            "8444"
                .parse::<PortOverride>()
                .unwrap()
                .for_machine(&local()),
            Some(8444)
        );
        let list = "10.1.1.9/8445, 10.1.1.1/8444"
            .parse::<PortOverride>()
            .unwrap();
        assert_eq!(list.for_machine(&local()), Some(8444));
        let others = "10.1.1.9/8445".parse::<PortOverride>().unwrap();
        assert_eq!(others.for_machine(&local()), None);
        for wrong in [
            "79",
            "50000",
            "x",
            "10.1.1.1/70000",
            "a/8443",
            "10.1.1.1/8443,10.1.1.2/8443",
        ] {
            assert!(wrong.parse::<PortOverride>().is_err(), "{wrong}");
        }
    }
}
