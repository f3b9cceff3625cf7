//! Connections that have not shown yet that they are of use.
//!
//! Anybody can make these, so nobody waits for a place among them: when there are too many, the one
//! that has said nothing for longest gives way.
//! In: connections. Out: for each, the word that it must go.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// By arrival. Told when known; dropped when it must go.
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
}

/// The strangers of one port.
#[derive(Debug)]
pub struct Strangers {
    most: usize,
    state: Mutex<State>,
}

/// A connection's place among the strangers, given up with this value.
#[derive(Debug)]
pub struct Stranger {
    number: u64,
    among: Arc<Strangers>,
}

/// Tells a connection when it must go.
#[derive(Debug)]
pub struct GivesWay(oneshot::Receiver<()>);

impl Strangers {
    /// `most`: how many are kept.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            state: Mutex::default(),
        })
    }

    /// Takes one in; the oldest gives way if there are too many.
    pub fn admit(self: &Arc<Self>) -> (Stranger, GivesWay) {
        let (place, gives_way) = oneshot::channel();
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.waiting.insert(number, place);
        if state.waiting.len() > self.most {
            state.waiting.pop_first();
        }
        let stranger = Stranger {
            number,
            among: Arc::clone(self),
        };
        (stranger, GivesWay(gives_way))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        if let Some(place) = self.among.lock().waiting.remove(&self.number) {
            // Nobody listens when the connection has ended.
            let _ = place.send(());
        }
    }
}

impl GivesWay {
    /// Waits until the connection must go; for ever, once it is no stranger any more.
    pub async fn wait(self) {
        if self.0.await.is_ok() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_oldest_gives_way_and_who_is_known_stays() {
        let strangers = Strangers::new(2);
        let (known, stays) = strangers.admit();
        drop(known);
        let (_first, gives_way) = strangers.admit();
        let (_second, second_stays) = strangers.admit();
        let (_third, third_stays) = strangers.admit();
        gives_way.wait().await;
        for waits in [stays, second_stays, third_stays] {
            let soon = tokio::time::timeout(Duration::from_millis(20), waits.wait());
            assert!(soon.await.is_err(), "must not go");
        }
        assert_eq!(strangers.lock().waiting.len(), 2);
    }
}
