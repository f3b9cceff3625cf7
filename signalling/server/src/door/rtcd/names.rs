//! A media host's name that stands for several machines: each of its addresses is a host of its own.
//!
//! In: what the name means, asked again and again. Out: hosts that came, and hosts that take nothing new any
//! more. `http` only: the certificate of an `https` host is for its name.
//! Invariant: a name that means one machine is one host, under its name; one that has meant several is never
//! that again, and a lookup without an answer changes nothing.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use crate::config::ServiceUrl;

/// A name in an address of a media host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostName {
    base: String,
    /// Without the brackets of an address.
    host: String,
    port: u16,
    there: BTreeSet<IpAddr>,
    /// It has meant several machines.
    is_several: bool,
}

/// What another answer means, as bases of hosts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Changes {
    pub(crate) came: Vec<String>,
    pub(crate) went: Vec<String>,
}

impl HostName {
    /// `None`: the URL names an address, or speaks TLS.
    pub(crate) fn of(url: &ServiceUrl) -> Option<Self> {
        let authority = url.base.strip_prefix("http://")?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, 80),
        };
        if host.starts_with('[') || host.parse::<IpAddr>().is_ok() {
            return None;
        }
        Some(Self {
            base: url.base.clone(),
            host: host.to_owned(),
            port,
            there: BTreeSet::new(),
            is_several: false,
        })
    }

    /// Asks what the name means; nothing while nobody answers.
    pub(crate) async fn look_up(&self) -> Vec<IpAddr> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let found = found.inspect_err(|error| {
            tracing::debug!(name = self.host, %error, "the name of a media host means nothing now");
        });
        found
            .map(|all| all.map(|address| address.ip()).collect())
            .unwrap_or_default()
    }

    /// Takes an answer.
    pub(crate) fn take(&mut self, found: &[IpAddr]) -> Changes {
        // Of one family: `localhost` is one machine, and has an address of each.
        let is_v4 = found.iter().any(IpAddr::is_ipv4);
        let now = found.iter().filter(|ip| ip.is_ipv4() == is_v4);
        let now: BTreeSet<IpAddr> = now.copied().collect();
        if now.is_empty() || (now.len() == 1 && !self.is_several) {
            return Changes::default();
        }
        let came = now.difference(&self.there).map(|ip| self.base_of(*ip));
        let went = self.there.difference(&now).map(|ip| self.base_of(*ip));
        let mut changes = Changes {
            came: came.collect(),
            went: went.collect(),
        };
        if !std::mem::replace(&mut self.is_several, true) {
            changes.went.push(self.base.clone());
        }
        self.there = now;
        changes
    }

    /// Whether sessions of earlier calls may be at this host because it was behind the name then.
    pub(crate) fn may_have_been(&self, base: &str) -> bool {
        if base == self.base {
            return true;
        }
        let address = base.strip_prefix("http://");
        let address = address.and_then(|address| address.parse::<SocketAddr>().ok());
        address.is_some_and(|address| address.port() == self.port)
    }

    fn base_of(&self, ip: IpAddr) -> String {
        format!("http://{}", SocketAddr::new(ip, self.port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(base: &str) -> Option<HostName> {
        HostName::of(&ServiceUrl::plain(base))
    }

    fn ips(all: &[&str]) -> Vec<IpAddr> {
        all.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    fn changes(came: &[&str], went: &[&str]) -> Changes {
        let all = |bases: &[&str]| bases.iter().map(|base| (*base).to_owned()).collect();
        Changes {
            came: all(came),
            went: all(went),
        }
    }

    #[test]
    fn addresses_and_tls_have_no_name() {
        for none in [
            "http://10.0.0.1:8045",
            "http://[::1]:8045",
            "https://rtcd:8045",
        ] {
            assert_eq!(name(none), None, "{none}");
        }
        let known = name("http://rtcd").unwrap();
        assert_eq!((known.host.as_str(), known.port), ("rtcd", 80));
        assert!(
            name("http://rtcd:8045")
                .unwrap()
                .may_have_been("http://10.0.0.9:8045")
        );
        assert!(!known.may_have_been("http://10.0.0.9:8045") && known.may_have_been("http://rtcd"));
    }

    #[test]
    fn each_address_is_a_host_and_one_that_is_gone_takes_nothing_new() {
        let mut known = name("http://rtcd:8045").unwrap();
        let [a, b] = ["http://10.0.0.1:8045", "http://10.0.0.2:8045"];
        let both = ips(&["10.0.0.1", "10.0.0.2"]);
        assert_eq!(known.take(&ips(&["127.0.0.1", "::1"])), Changes::default());
        let expected = changes(&[a, b], &["http://rtcd:8045"]);
        assert_eq!(known.take(&both), expected);
        assert_eq!(known.take(&both), Changes::default());
        assert_eq!(known.take(&[]), Changes::default(), "nobody answered");
        assert_eq!(known.take(&both[1..]), changes(&[], &[a]));
        assert_eq!(known.take(&both), changes(&[a], &[]));
        let mut six = name("http://rtcd:8045").unwrap();
        let came = six.take(&ips(&["fd00::1", "fd00::2"])).came;
        assert_eq!(came, ["http://[fd00::1]:8045", "http://[fd00::2]:8045"]);
    }
}
