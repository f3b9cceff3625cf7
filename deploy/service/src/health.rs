//! What `/readyz` answers: whether everything a service needs does its work, right now.
//!
//! In: the watched tasks, checks that ask (a database that is written to, a media host), services of
//! the same process. Out: troubles in words; none means ready.
//! Invariant: a check that does not answer in time is a trouble, and does not hold up the others.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::Tasks;

/// Longer than a check of a busy disk takes, shorter than probes wait.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

type Answer = Pin<Box<dyn Future<Output = Vec<String>> + Send>>;

/// When a costly check was made last, and what it answered.
type LastAnswer = Option<(Instant, Vec<String>)>;

#[derive(Clone)]
struct Check {
    what: &'static str,
    ask: Arc<dyn Fn() -> Answer + Send + Sync>,
}

/// The health of one service and of those beside it.
#[derive(Clone)]
pub struct Health {
    tasks: Tasks,
    checks: Vec<Check>,
    others: Vec<Self>,
    answer_within: Duration,
}

impl Health {
    /// Begins with the tasks.
    #[must_use]
    pub fn of(tasks: &Tasks) -> Self {
        Self {
            tasks: tasks.clone(),
            checks: Vec::new(),
            others: Vec::new(),
            answer_within: ANSWER_WITHIN,
        }
    }

    /// Adds a check; it answers what is wrong.
    #[must_use]
    pub fn check<F>(
        mut self,
        what: &'static str,
        ask: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Vec<String>> + Send + 'static,
    {
        self.checks.push(Check {
            what,
            ask: Arc::new(move || Box::pin(ask())),
        });
        self
    }

    /// As [`Health::check`], for a check that costs something: however often this is asked, it is made
    /// once in a `period`; in between, its last answer counts.
    #[must_use]
    pub fn check_once_per<F>(
        self,
        period: Duration,
        what: &'static str,
        ask: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Vec<String>> + Send + 'static,
    {
        let last: Arc<Mutex<LastAnswer>> = Arc::default();
        let ask = Arc::new(ask);
        self.check(what, move || {
            let (last, ask) = (Arc::clone(&last), Arc::clone(&ask));
            async move {
                let mut last = last.lock().await;
                if let Some((at, answer)) = &*last
                    && at.elapsed() < period
                {
                    return answer.clone();
                }
                // For those who ask after a check that was given up.
                *last = Some((Instant::now(), vec![format!("{what} did not answer")]));
                let answer = ask().await;
                *last = Some((Instant::now(), answer.clone()));
                answer
            }
        })
    }

    /// Adds another service of this process; its troubles are told with its name.
    #[must_use]
    pub fn beside(mut self, other: Self) -> Self {
        self.others.push(other);
        self
    }

    /// Asks everything at once.
    pub async fn troubles(&self) -> Vec<String> {
        let own = futures_util::future::join_all(
            self.checks
                .iter()
                .map(|check| check.troubles(self.answer_within)),
        );
        let others = self.others.iter().map(Self::named_troubles);
        let (own, others) = tokio::join!(own, futures_util::future::join_all(others));
        let mut troubles = self.tasks.troubles();
        troubles.extend(own.into_iter().flatten());
        troubles.extend(others.into_iter().flatten());
        troubles
    }

    async fn named_troubles(&self) -> Vec<String> {
        let service = self.tasks.service();
        let troubles = Box::pin(self.troubles()).await;
        let named = troubles.iter().map(|text| format!("{service}: {text}"));
        named.collect()
    }
}

impl Check {
    async fn troubles(&self, within: Duration) -> Vec<String> {
        let answer = tokio::time::timeout(within, (self.ask)()).await;
        answer.unwrap_or_else(|_| vec![format!("{} did not answer within {within:?}", self.what)])
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checks: Vec<&str> = self.checks.iter().map(|check| check.what).collect();
        f.debug_struct("Health")
            .field("service", &self.tasks.service())
            .field("checks", &checks)
            .field("others", &self.others)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn everything_that_is_wrong_is_told_with_whose_it_is() {
        let (kitchen, cellar) = (Tasks::new("kitchen"), Tasks::new("cellar"));
        let below = Health::of(&cellar).check("wine", || async { vec!["corked".to_owned()] });
        let house = Health::of(&kitchen).check("gas", || async { Vec::new() });
        assert_eq!(house.troubles().await, [""; 0]);
        let house = house.beside(below);
        assert_eq!(house.troubles().await, ["cellar: corked"]);
        cellar.must_live("pump", async {});
        cellar.fatal().await;
        let told = house.troubles().await;
        assert_eq!(
            told,
            [
                "cellar: task `pump` has ended, and should not",
                "cellar: corked"
            ]
        );
    }

    #[tokio::test]
    async fn a_costly_check_is_made_once_in_its_period_however_many_ask() {
        let (made, works) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(true)),
        );
        let (count, answer) = (Arc::clone(&made), Arc::clone(&works));
        let period = Duration::from_millis(200);
        let house =
            Health::of(&Tasks::new("kitchen")).check_once_per(period, "market", move || {
                count.fetch_add(1, Ordering::Relaxed);
                let trouble = (!answer.load(Ordering::Relaxed)).then(|| "closed".to_owned());
                std::future::ready(trouble.into_iter().collect())
            });
        let begun = Instant::now();
        let all = futures_util::future::join_all((0..50).map(|_| house.troubles())).await;
        assert!(all.iter().all(Vec::is_empty));
        assert!(begun.elapsed() > period || made.load(Ordering::Relaxed) == 1);
        works.store(false, Ordering::Relaxed);
        tokio::time::sleep(period).await;
        assert_eq!(house.troubles().await, ["closed"]);
        works.store(true, Ordering::Relaxed);
        tokio::time::sleep(period).await;
        assert_eq!(house.troubles().await, [""; 0]);
    }

    #[tokio::test]
    async fn a_costly_check_that_hangs_is_not_made_again_at_once() {
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        let period = Duration::from_secs(60);
        let mut house =
            Health::of(&Tasks::new("kitchen")).check_once_per(period, "market", move || {
                count.fetch_add(1, Ordering::Relaxed);
                std::future::pending()
            });
        house.answer_within = Duration::from_millis(20);
        let told = house.troubles().await;
        assert_eq!(told, ["market did not answer within 20ms"]);
        assert_eq!(house.troubles().await, ["market did not answer"]);
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_check_that_hangs_is_a_trouble_and_holds_up_nobody() {
        let kitchen = Tasks::new("kitchen");
        let mut house = Health::of(&kitchen)
            .check("gas", std::future::pending)
            .check("water", || async { vec!["none".to_owned()] });
        house.answer_within = Duration::from_millis(20);
        assert_eq!(
            house.troubles().await,
            ["gas did not answer within 20ms", "none"]
        );
    }
}
