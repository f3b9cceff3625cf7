//! Who may connect to one port: caps overall and per address, and what became of the others.
//!
//! In: an address. Out: a [`Place`], held for as long as the connection lives, or a refusal.
//! An IPv6 address counts with its /64, which one household has; loopback and the reverse proxies
//! that are named stand for many people, and have no cap of their own.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Strangers;
use crate::figures::{self, Kind};

/// Limits of one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once, WebSockets included. Higher: more descriptors and memory for whoever
    /// comes; further ones are refused.
    pub connections: usize,
    /// Of them from one address. Higher: one stranger can take more; lower: people behind one
    /// address (an office, a proxy) keep each other out.
    pub per_address: usize,
    /// Connections that have made no request yet. Lower: a crowd of slow ones loses its oldest.
    pub strangers: usize,
    /// A request's head must arrive in this time, and the next request on the same connection.
    pub head_within: Duration,
    /// Longest time without a byte either way; longer than the pings of WebSockets.
    pub idle_within: Duration,
    /// Largest head of a request, in bytes; at least 8192.
    pub most_head: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8192,
            per_address: 2048,
            strangers: 1024,
            head_within: Duration::from_secs(30),
            idle_within: Duration::from_secs(150),
            most_head: 64 * 1024,
        }
    }
}

impl Limits {
    /// Lowers the caps to what `descriptors` open files allow.
    #[must_use]
    pub fn within(self, descriptors: usize) -> Self {
        let connections = self.connections.min(descriptors).max(1);
        Self {
            connections,
            per_address: self.per_address.min((connections / 2).max(1)),
            strangers: self.strangers.min((connections / 4).max(1)),
            ..self
        }
    }
}

/// Why a connection was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Address,
}

/// Why a connection was closed from our side, or not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// Said nothing at all.
    Silent,
    /// Took too long for its head or its handshake.
    Slow,
    /// Nothing moved any more.
    Idle,
    /// Newer ones came before it had made a request.
    GaveWay,
    /// The system had no descriptor.
    NotAccepted,
}

#[derive(Debug, Default)]
struct Counts {
    full: AtomicU64,
    address: AtomicU64,
    silent: AtomicU64,
    slow: AtomicU64,
    idle: AtomicU64,
    gave_way: AtomicU64,
    not_accepted: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    open: usize,
    open_by_address: HashMap<IpAddr, usize>,
}

/// Whether an address stands for many people.
type StandsForMany = Box<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// The admission of one port.
pub struct Admission {
    name: &'static str,
    limits: Limits,
    is_proxy: StandsForMany,
    state: Mutex<State>,
    strangers: Arc<Strangers>,
    counts: Counts,
}

impl Admission {
    /// `name` is the port's in log lines and metrics.
    #[must_use]
    pub fn new(name: &'static str, limits: Limits) -> Arc<Self> {
        Self::behind(name, limits, |_| false)
    }

    /// As [`Admission::new`]; addresses for which `is_proxy` holds have no cap of their own.
    #[must_use]
    pub fn behind(
        name: &'static str,
        limits: Limits,
        is_proxy: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            limits,
            is_proxy: Box::new(is_proxy),
            state: Mutex::default(),
            strangers: Strangers::new(limits.strangers),
            counts: Counts::default(),
        })
    }

    /// How much of what the port takes is taken, in thousandths.
    #[must_use]
    pub fn load(&self) -> u16 {
        let most = self.limits.connections.max(1);
        let taken = self.lock().open.min(most) * 1000 / most;
        u16::try_from(taken).unwrap_or(1000)
    }

    /// Renders the port's figures in Prometheus' text format, names beginning with `prefix`.
    #[must_use]
    pub fn metrics(&self, prefix: &str) -> String {
        let open = u64::try_from(self.lock().open).unwrap_or(u64::MAX);
        let counts = &self.counts;
        let reasons = [
            ("full", &counts.full),
            ("address", &counts.address),
            ("silent", &counts.silent),
            ("slow", &counts.slow),
            ("idle", &counts.idle),
            ("gave_way", &counts.gave_way),
            ("not_accepted", &counts.not_accepted),
        ];
        let reasons: Vec<(String, u64)> = reasons
            .iter()
            .map(|(reason, count)| {
                let labels = format!("port=\"{}\",reason=\"{reason}\"", self.name);
                (labels, count.load(Ordering::Relaxed))
            })
            .collect();
        let name = format!("{prefix}_connections");
        let mut text = String::new();
        let open = [(format!("port=\"{}\"", self.name), open)];
        figures::write(&mut text, &name, Kind::Gauge, "Open connections.", &open);
        let name = format!("{prefix}_connections_shed_total");
        let help = "Connections refused or closed by the limits of their port.";
        figures::write(&mut text, &name, Kind::Counter, help, &reasons);
        text
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn strangers(&self) -> &Arc<Strangers> {
        &self.strangers
    }

    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Place, Refused> {
        let home = home(address);
        let has_cap = !home.is_loopback() && !(self.is_proxy)(address.to_canonical());
        let mut state = self.lock();
        let refused = if state.open >= self.limits.connections {
            Some(Refused::Full)
        } else {
            let of_home = state.open_by_address.get(&home).copied().unwrap_or(0);
            (has_cap && of_home >= self.limits.per_address).then_some(Refused::Address)
        };
        if let Some(refused) = refused {
            let counter = match refused {
                Refused::Full => &self.counts.full,
                Refused::Address => &self.counts.address,
            };
            counter.fetch_add(1, Ordering::Relaxed);
            return Err(refused);
        }
        state.open += 1;
        *state.open_by_address.entry(home).or_default() += 1;
        Ok(Place {
            admission: Arc::clone(self),
            home,
        })
    }

    pub(super) fn closed(&self, closed: Closed) {
        let counter = match closed {
            Closed::Silent => &self.counts.silent,
            Closed::Slow => &self.counts.slow,
            Closed::Idle => &self.counts.idle,
            Closed::GaveWay => &self.counts.gave_way,
            Closed::NotAccepted => &self.counts.not_accepted,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("name", &self.name)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A connection's place, given up with this value.
#[derive(Debug)]
pub(super) struct Place {
    admission: Arc<Admission>,
    home: IpAddr,
}

impl Place {
    pub(super) fn closed(&self, closed: Closed) {
        self.admission.closed(closed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.admission.lock();
        state.open = state.open.saturating_sub(1);
        if let Some(of_home) = state.open_by_address.get_mut(&self.home) {
            *of_home = of_home.saturating_sub(1);
            if *of_home == 0 {
                state.open_by_address.remove(&self.home);
            }
        }
    }
}

/// What counts as one place to come from.
fn home(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        other @ (IpAddr::V4(_) | IpAddr::V6(_)) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_home_is_capped_and_others_are_not() {
        let limits = Limits {
            connections: 5,
            per_address: 2,
            ..Limits::default()
        };
        let admission = Admission::new("people", limits);
        let here =
            ["2001:db8::1", "2001:db8::2"].map(|text| admission.admit(address(text)).unwrap());
        let neighbour = admission.admit(address("2001:db8::3"));
        assert_eq!(neighbour.unwrap_err(), Refused::Address);
        let _there = admission.admit(address("2001:db8:0:1::1")).unwrap();
        let _mapped = admission.admit(address("::ffff:192.0.2.1")).unwrap();
        let _same = admission.admit(address("192.0.2.1")).unwrap();
        let full = admission.admit(address("192.0.2.2"));
        assert_eq!(full.unwrap_err(), Refused::Full);
        drop(here);
        let again = admission.admit(address("2001:db8::3")).unwrap();
        let text = admission.metrics("kitchen");
        assert!(
            text.contains("kitchen_connections{port=\"people\"} 4\n"),
            "{text}"
        );
        for reason in ["full", "address"] {
            let line = format!("_shed_total{{port=\"people\",reason=\"{reason}\"}} 1\n");
            assert!(text.contains(&line), "{text}");
        }
        drop(again);
        assert_eq!(admission.lock().open_by_address.len(), 2);
    }

    #[test]
    fn loopback_and_proxies_stand_for_many() {
        let limits = Limits {
            per_address: 1,
            ..Limits::default()
        };
        let admission = Admission::behind("people", limits, |ip| ip == address("192.0.2.9"));
        let places = [
            "127.0.0.1",
            "127.0.0.1",
            "::1",
            "::1",
            "192.0.2.9",
            "192.0.2.9",
        ]
        .map(|text| admission.admit(address(text)));
        assert!(places.iter().all(Result::is_ok));
    }

    #[test]
    fn few_descriptors_lower_every_cap() {
        let few = Limits::default().within(100);
        assert_eq!(
            (few.connections, few.per_address, few.strangers),
            (100, 50, 25)
        );
        assert_eq!(Limits::default().within(1_000_000), Limits::default());
        let none = Limits::default().within(0);
        assert_eq!(
            (none.connections, none.per_address, none.strangers),
            (1, 1, 1)
        );
    }
}
