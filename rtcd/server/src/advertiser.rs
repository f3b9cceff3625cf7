//! What each new session is told: candidates, with a host name in them looked up anew.
//!
//! In: where the node listens, the operator's override. Out: candidates for one session.
//! A name is looked up at most once in `FRESH_FOR`, however many join: the others wait for that one
//! answer, at most `ANSWER_WITHIN`. While it cannot be looked up the last answer holds; before the
//! first one, local addresses are told.
//! Invariant: who waits here is the reader of one control connection, never a shard.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtcd_core::HostCandidate;
use service::addresses::can_be_reached;
use tokio::sync::Mutex;
use tracing::{info, warn};

use crate::addresses::{External, Here, Pair};
use crate::config::HostOverride;

const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Higher: a changed address is told later. Lower: more questions while many join.
const FRESH_FOR: Duration = Duration::from_secs(3);

/// Tells sessions where this node can be reached.
#[derive(Debug)]
pub(crate) struct Advertiser {
    told: Told,
}

#[derive(Debug)]
enum Told {
    Always(Arc<[HostCandidate]>),
    Named(Box<Named>),
}

#[derive(Debug)]
struct Named {
    name: String,
    ipv6: bool,
    here: Here,
    latest: Mutex<Latest>,
}

#[derive(Debug)]
struct Latest {
    external: External,
    candidates: Arc<[HostCandidate]>,
    looked_up: Option<Instant>,
}

impl Advertiser {
    pub(crate) fn new(here: Here, host_override: &HostOverride, ipv6: bool) -> Self {
        let external = match host_override {
            HostOverride::None => External::Unknown,
            HostOverride::Address(address) => External::Addresses(vec![*address]),
            HostOverride::Mapping(pairs) => External::Mapping(
                pairs
                    .iter()
                    .map(|(external, local)| Pair {
                        external: *external,
                        local: *local,
                    })
                    .collect(),
            ),
            HostOverride::Name(name) => {
                let latest = Latest {
                    external: External::Unknown,
                    candidates: here.candidates(&External::Unknown).into(),
                    looked_up: None,
                };
                let named = Named {
                    name: name.clone(),
                    ipv6,
                    here,
                    latest: Mutex::new(latest),
                };
                let told = Told::Named(Box::new(named));
                return Self { told };
            }
        };
        let candidates: Arc<[HostCandidate]> = here.candidates(&external).into();
        log(&candidates);
        Self {
            told: Told::Always(candidates),
        }
    }

    /// Returns what a session that joins now is told.
    pub(crate) async fn candidates(&self) -> Arc<[HostCandidate]> {
        match &self.told {
            Told::Always(candidates) => Arc::clone(candidates),
            Told::Named(named) => named.candidates(look_up).await,
        }
    }
}

impl Named {
    async fn candidates<Answer>(
        &self,
        look_up: impl FnOnce(String) -> Answer,
    ) -> Arc<[HostCandidate]>
    where
        Answer: Future<Output = std::io::Result<Vec<IpAddr>>>,
    {
        let mut latest = self.latest.lock().await;
        let is_fresh = |at: &Instant| at.elapsed() < FRESH_FOR;
        if latest.looked_up.as_ref().is_some_and(is_fresh) {
            return Arc::clone(&latest.candidates);
        }
        let answer = tokio::time::timeout(ANSWER_WITHIN, look_up(self.name.clone())).await;
        latest.looked_up = Some(Instant::now());
        let found = match answer {
            Ok(Ok(found)) => self.one_per_family(&found),
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        if found.is_empty() {
            let last = matches!(latest.external, External::Addresses(_));
            warn!(
                name = self.name,
                last_answer_holds = last,
                "rtc.ice_host_override cannot be looked up"
            );
            return Arc::clone(&latest.candidates);
        }
        let external = External::Addresses(found);
        if latest.external != external {
            latest.candidates = self.here.candidates(&external).into();
            latest.external = external;
            log(&latest.candidates);
        }
        Arc::clone(&latest.candidates)
    }

    fn one_per_family(&self, found: &[IpAddr]) -> Vec<IpAddr> {
        // A name server that blocks a name often answers 0.0.0.0.
        let mut found = found.iter().filter(|address| can_be_reached(**address));
        let v4 = found.clone().find(|address| address.is_ipv4());
        let v6 = found.find(|address| address.is_ipv6() && self.ipv6);
        v4.into_iter().chain(v6).copied().collect()
    }
}

async fn look_up(name: String) -> std::io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((name, 0)).await?;
    Ok(found.map(|address| address.ip()).collect())
}

/// The first question about a call without media: what were participants told?
fn log(candidates: &[HostCandidate]) {
    for candidate in candidates {
        info!(
            transport = ?candidate.transport, advertised = %candidate.advertised,
            local = %candidate.local, "candidate"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::net::SocketAddr;

    use super::*;

    fn here() -> Here {
        let locals: Vec<IpAddr> = vec!["127.0.0.1".parse().unwrap(), "10.1.1.1".parse().unwrap()];
        let at = |port| -> Vec<SocketAddr> {
            let sockets = locals.iter().map(|local| SocketAddr::new(*local, port));
            sockets.collect()
        };
        Here {
            udp: at(8443),
            tcp: at(8443),
            locals,
            ..Here::default()
        }
    }

    fn named(ipv6: bool) -> Named {
        let host_override = HostOverride::Name("media.example.org".to_owned());
        match Advertiser::new(here(), &host_override, ipv6).told {
            Told::Named(named) => *named,
            Told::Always(_) => panic!("a name is looked up"),
        }
    }

    fn second(candidates: &[HostCandidate]) -> String {
        candidates[1].advertised.to_string()
    }

    async fn ask(named: &Named, answer: &str) -> String {
        let answer: Vec<IpAddr> = answer
            .split_whitespace()
            .map(|address| address.parse().unwrap())
            .collect();
        second(&named.candidates(|_| async { Ok(answer) }).await)
    }

    /// As if the last answer were older than `FRESH_FOR`.
    async fn age(named: &Named) {
        named.latest.lock().await.looked_up = None;
    }

    #[tokio::test]
    async fn each_session_is_told_the_address_of_its_time() {
        let named = named(false);
        assert_eq!(ask(&named, "1.1.1.1").await, "1.1.1.1:8443");
        age(&named).await;
        assert_eq!(ask(&named, "2001:db8::1 2.2.2.2").await, "2.2.2.2:8443");
    }

    #[tokio::test]
    async fn a_storm_of_joins_asks_once() {
        let named = named(false);
        let asked = Cell::new(0);
        let slow_answer = async |_| {
            asked.set(asked.get() + 1);
            tokio::task::yield_now().await;
            Ok(vec!["1.1.1.1".parse().unwrap()])
        };
        let joins = (0..50).map(|_| named.candidates(slow_answer));
        for told in futures_util::future::join_all(joins).await {
            assert_eq!(second(&told), "1.1.1.1:8443");
        }
        assert_eq!(asked.get(), 1);
    }

    #[tokio::test]
    async fn without_an_answer_in_time_the_last_one_holds() {
        let named = named(false);
        let never = |_| std::future::pending();
        let begin = Instant::now();
        assert_eq!(second(&named.candidates(never).await), "10.1.1.1:8443");
        assert!(begin.elapsed() < ANSWER_WITHIN * 3);
        // Nobody waits for the next question before its time.
        let begin = Instant::now();
        assert_eq!(second(&named.candidates(never).await), "10.1.1.1:8443");
        assert!(begin.elapsed() < ANSWER_WITHIN / 2);

        age(&named).await;
        assert_eq!(ask(&named, "1.1.1.1").await, "1.1.1.1:8443");
        age(&named).await;
        let refused = |_| async { Err(std::io::ErrorKind::NotFound.into()) };
        assert_eq!(second(&named.candidates(refused).await), "1.1.1.1:8443");
        age(&named).await;
        assert_eq!(ask(&named, "2001:db8::1").await, "1.1.1.1:8443");
    }

    #[tokio::test]
    async fn a_written_address_needs_no_answer() {
        let address = HostOverride::Address("1.1.1.1".parse().unwrap());
        let told = Advertiser::new(here(), &address, false).candidates().await;
        assert_eq!(second(&told), "1.1.1.1:8443");
        let pairs = vec![("8.8.8.8".parse().unwrap(), "10.1.1.1".parse().unwrap())];
        let mapping = HostOverride::Mapping(pairs);
        let told = Advertiser::new(here(), &mapping, false).candidates().await;
        assert_eq!(second(&told), "8.8.8.8:8443");
        let name = HostOverride::Name("localhost".to_owned());
        let told = Advertiser::new(here(), &name, false).candidates().await;
        assert_eq!(second(&told), "127.0.0.1:8443");
    }
}
