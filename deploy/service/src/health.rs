//! What `/readyz` answers: whether everything a service needs does its work, right now.
//!
//! In: the watched tasks, checks that ask (a database that is written to, a media host), services of
//! the same process. Out: troubles in words; none means ready.
//! Invariant: a check that does not answer in time is a trouble, and does not hold up the others.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::Tasks;

/// Longer than a check of a busy disk takes, shorter than probes wait.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

type Answer = Pin<Box<dyn Future<Output = Vec<String>> + Send>>;

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
