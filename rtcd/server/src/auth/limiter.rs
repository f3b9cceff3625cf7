//! How often this node hashes a key: an even rate, dealt out fairly.
//!
//! In: who wants a hash, from where, for which tenant. Out: when it is their turn. Turns go round by
//! source, and within a source by tenant: whoever guesses keys waits behind their own guesses, and a
//! client elsewhere, or of another name, is next.
//! Invariants: nobody waits longer than `LONGEST_WAIT`; who would is refused. What waits is bounded: where
//! it is too much, those who wait for most give way.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use service::Tasks;
use service::supervise::End;
use tokio::sync::oneshot;

/// Hashes a second for each CPU. Higher: more CPU for somebody who guesses.
const PER_CPU: u32 = 12;
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Most requests that wait for a hash. Higher: more memory for somebody who guesses.
const MOST_WAITING: usize = 512;

/// Too many are waiting already.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

/// Where requests come from: an address, or as much of it as one owner has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Source(IpAddr);

impl Source {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            v4 @ IpAddr::V4(_) => Self(v4),
            // Who has one of these addresses has 2^64 of them (RFC 6177).
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
        }
    }
}

/// Spaces hashes.
#[derive(Debug)]
pub(super) struct Limiter {
    interval: Duration,
    state: Arc<Mutex<State>>,
    tasks: Tasks,
}

#[derive(Debug, Default)]
struct State {
    next_free: Option<Instant>,
    waiting: Fair<oneshot::Sender<()>>,
    /// A task deals out the turns, until nobody waits.
    is_dealt: bool,
}

impl Limiter {
    pub(super) fn for_cpus(cpus: usize, tasks: &Tasks) -> Self {
        let rate = u32::try_from(cpus.max(1))
            .unwrap_or(u32::MAX)
            .saturating_mul(PER_CPU);
        Self::every(Duration::from_secs(1) / rate, tasks)
    }

    fn every(interval: Duration, tasks: &Tasks) -> Self {
        Self {
            interval,
            state: Arc::default(),
            tasks: tasks.clone(),
        }
    }

    /// Waits for a turn.
    pub(super) async fn wait(&self, source: Source, tenant: &str) -> Result<(), TooMany> {
        let Some(turn) = self.line_up(source, tenant, Instant::now()) else {
            return Ok(());
        };
        match tokio::time::timeout(LONGEST_WAIT, turn).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(TooMany),
        }
    }

    /// Returns what is told when it is this one's turn; `None`: now.
    fn line_up(&self, source: Source, tenant: &str, now: Instant) -> Option<oneshot::Receiver<()>> {
        let mut state = lock(&self.state);
        if state.waiting.is_empty() && state.next_free.is_none_or(|at| now >= at) {
            state.next_free = Some(now + self.interval);
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        state.waiting.push(source, tenant, sender);
        if !std::mem::replace(&mut state.is_dealt, true) {
            let dealing = deal(Arc::clone(&self.state), self.interval);
            let left = Arc::clone(&self.state);
            let after = move |end: &End| {
                // Who waits is refused after a while; the next one finds a task that deals.
                if *end != End::Returned {
                    lock(&left).is_dealt = false;
                }
            };
            self.tasks.one_of("turns of key checks", dealing, after);
        }
        Some(receiver)
    }
}

/// Deals out turns until nobody waits.
async fn deal(state: Arc<Mutex<State>>, interval: Duration) {
    loop {
        let next_free = lock(&state).next_free;
        if let Some(at) = next_free {
            tokio::time::sleep_until(at.into()).await;
        }
        let mut state = lock(&state);
        loop {
            let Some(turn) = state.waiting.pop() else {
                state.is_dealt = false;
                return;
            };
            // Who has given up costs no turn.
            if turn.send(()).is_ok() {
                state.next_free = Some(Instant::now() + interval);
                break;
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A queue in which sources, and within them tenants, take turns.
#[derive(Debug)]
struct Fair<T> {
    sources: HashMap<Source, Tenants<T>>,
    /// Whose turn it is next.
    order: VecDeque<Source>,
    len: usize,
}

/// Who waits at one source, tenant by tenant: whose turn it is next comes first.
#[derive(Debug)]
struct Tenants<T> {
    queues: VecDeque<(String, VecDeque<T>)>,
    len: usize,
}

impl<T> Default for Fair<T> {
    fn default() -> Self {
        Self {
            sources: HashMap::new(),
            order: VecDeque::new(),
            len: 0,
        }
    }
}

impl<T> Fair<T> {
    fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds one; when there are too many, one of the source and tenant with most goes.
    fn push(&mut self, source: Source, tenant: &str, waiter: T) {
        let order = &mut self.order;
        let tenants = self.sources.entry(source).or_insert_with(|| {
            order.push_back(source);
            Tenants {
                queues: VecDeque::new(),
                len: 0,
            }
        });
        let mut queues = tenants.queues.iter_mut();
        match queues.find(|(known, _)| known == tenant) {
            Some((_, queue)) => queue.push_back(waiter),
            None => tenants
                .queues
                .push_back((tenant.to_owned(), VecDeque::from([waiter]))),
        }
        tenants.len += 1;
        self.len += 1;
        if self.len > MOST_WAITING {
            self.shed();
        }
    }

    /// Takes the one whose turn it is.
    fn pop(&mut self) -> Option<T> {
        let source = self.order.pop_front()?;
        let tenants = self.sources.get_mut(&source)?;
        let (tenant, mut queue) = tenants.queues.pop_front()?;
        let waiter = queue.pop_front();
        if !queue.is_empty() {
            tenants.queues.push_back((tenant, queue));
        }
        tenants.len -= 1;
        self.len -= 1;
        if tenants.len == 0 {
            self.sources.remove(&source);
        } else {
            self.order.push_back(source);
        }
        waiter
    }

    /// Drops the latest of the longest queue of the source with most.
    fn shed(&mut self) {
        let most = self.order.iter().copied().max_by_key(|source| {
            let tenants = self.sources.get(source);
            tenants.map_or(0, |tenants| tenants.len)
        });
        let Some(source) = most else { return };
        let Some(tenants) = self.sources.get_mut(&source) else {
            return;
        };
        let queues = tenants.queues.iter_mut();
        if let Some((_, queue)) = queues.max_by_key(|(_, queue)| queue.len()) {
            queue.pop_back();
            tenants.len -= 1;
            self.len -= 1;
        }
        tenants.queues.retain(|(_, queue)| !queue.is_empty());
        if tenants.len == 0 {
            self.sources.remove(&source);
            self.order.retain(|known| *known != source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> Source {
        Source::of(IpAddr::from([192, 0, 2, last]))
    }

    fn all<T>(queue: &mut Fair<T>) -> Vec<T> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn places_take_turns_and_tenants_within_them() {
        let mut queue = Fair::default();
        for number in 0..3 {
            queue.push(source(1), "plugin", format!("stranger {number}"));
        }
        queue.push(source(1), "other", "neighbour".to_owned());
        queue.push(source(2), "plugin", "plugin".to_owned());
        assert_eq!(
            all(&mut queue),
            [
                "stranger 0",
                "plugin",
                "neighbour",
                "stranger 1",
                "stranger 2"
            ]
        );
        assert!(queue.is_empty() && queue.sources.is_empty() && queue.order.is_empty());
    }

    #[test]
    fn who_waits_for_most_gives_way() {
        let mut queue = Fair::default();
        queue.push(source(2), "plugin", 0);
        for number in 1..=10 * MOST_WAITING {
            // Under a thousand names, so as to look like many.
            let tenant = (number % 1000).to_string();
            queue.push(source(1), &tenant, number);
        }
        assert_eq!(queue.len, MOST_WAITING);
        queue.push(source(3), "plugin", usize::MAX);
        let left = all(&mut queue);
        assert_eq!(left.len(), MOST_WAITING);
        assert_eq!(left[0], 0);
        assert_eq!(left[2], usize::MAX, "second of three sources");
    }

    #[test]
    fn one_owners_addresses_are_one_place() {
        let of = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::7"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[tokio::test]
    async fn a_stranger_who_guesses_keeps_nobody_out() {
        let limiter = Arc::new(Limiter::every(
            Duration::from_millis(2),
            &Tasks::new("rtcd"),
        ));
        // All of them are in line before the plugin comes: nothing is dealt until this test waits.
        let line_up = |_| limiter.line_up(source(1), "plugin", Instant::now());
        let guesses: Vec<_> = (0..400).filter_map(line_up).collect();
        assert_eq!(guesses.len(), 399);
        limiter.wait(source(2), "plugin").await.unwrap();
        let ahead = 399 - lock(&limiter.state).waiting.len;
        assert!(ahead < 40, "{ahead} guesses came first");
    }

    #[tokio::test]
    async fn a_dealer_that_is_gone_has_a_successor() {
        let tasks = Tasks::new("rtcd");
        let interval = Duration::from_millis(300);
        let limiter = Arc::new(Limiter::every(interval, &tasks));
        limiter.wait(source(1), "plugin").await.unwrap();
        let second = Arc::clone(&limiter);
        let second = tokio::spawn(async move { second.wait(source(1), "plugin").await });
        let killed = async {
            while !tasks.kill("turns of key checks") {
                tokio::task::yield_now().await;
            }
            while lock(&limiter.state).is_dealt {
                tokio::task::yield_now().await;
            }
            limiter.wait(source(2), "plugin").await
        };
        let third = tokio::time::timeout(Duration::from_secs(5), killed).await;
        assert_eq!(third, Ok(Ok(())));
        assert_eq!(second.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn turns_are_spaced() {
        let limiter = Limiter::every(Duration::from_millis(5), &Tasks::new("rtcd"));
        let start = Instant::now();
        for _ in 0..10 {
            limiter.wait(source(1), "plugin").await.unwrap();
        }
        assert!(start.elapsed() >= Duration::from_millis(45));
    }
}
