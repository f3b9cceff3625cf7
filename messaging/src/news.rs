//! What happens in a chat server, told to those who must react: the client gateway and calls.
//!
//! In: `ChatNews` in the order of the backend's records. Out: each listener hears all of it, in
//! that order, before the verb that caused it returns. `Backlog` is for a listener that needs time.
//! Invariant: telling never waits, and nothing that changes who may do what is ever dropped.

use std::collections::{HashSet, VecDeque};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::Notify;

use crate::model::ChatNews;

/// Somebody who reacts to the chat world.
pub trait NewsListener: Send + Sync + Debug {
    /// Called where the news is made, perhaps under a lock that keeps the order: must not wait.
    fn hear(&self, news: &ChatNews);
}

/// The listeners of one backend.
#[derive(Debug, Default)]
pub struct Newsroom {
    listeners: RwLock<Vec<Arc<dyn NewsListener>>>,
}

impl Newsroom {
    pub fn add(&self, listener: Arc<dyn NewsListener>) {
        let mut listeners = self
            .listeners
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.push(listener);
    }

    /// Tells everybody who listens.
    pub fn tell(&self, news: &ChatNews) {
        let listeners = self
            .listeners
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        for listener in &*listeners {
            listener.hear(news);
        }
    }
}

/// Keeps what calls must react to until they do.
///
/// Bounded by what there is, not by a number: one entry per archived room, ended login, and person
/// who left a room. Being told again of something that still waits adds nothing, for whoever takes
/// the news looks up how things are by then.
#[derive(Debug, Default)]
pub struct Backlog {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    order: VecDeque<ChatNews>,
    known: HashSet<ChatNews>,
}

impl Backlog {
    /// The next news, in the order in which they were first heard. For one reader.
    pub async fn next(&self) -> ChatNews {
        loop {
            let arrived = self.arrived.notified();
            if let Some(news) = self.take() {
                return news;
            }
            arrived.await;
        }
    }

    /// The next news if there is one.
    pub fn take(&self) -> Option<ChatNews> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let news = waiting.order.pop_front()?;
        waiting.known.remove(&news);
        Some(news)
    }
}

impl NewsListener for Backlog {
    fn hear(&self, news: &ChatNews) {
        match news {
            ChatNews::LeftRoom { .. }
            | ChatNews::RoomArchived { .. }
            | ChatNews::LoginEnded { .. } => {}
            ChatNews::JoinedRoom { .. }
            | ChatNews::JoinedTeam { .. }
            | ChatNews::LeftTeam { .. }
            | ChatNews::Event(_) => return,
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.known.insert(news.clone()) {
            waiting.order.push_back(news.clone());
        }
        drop(waiting);
        self.arrived.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use proto::id::{ChannelId, UserId};

    use super::*;

    fn left(room: &str) -> ChatNews {
        ChatNews::LeftRoom {
            room: ChannelId::parse(room).unwrap(),
            user: UserId::parse("anna").unwrap(),
        }
    }

    fn archived(room: &str) -> ChatNews {
        ChatNews::RoomArchived {
            room: ChannelId::parse(room).unwrap(),
        }
    }

    #[tokio::test]
    async fn what_waits_is_kept_once_and_in_order() {
        let newsroom = Newsroom::default();
        let backlog = Arc::new(Backlog::default());
        newsroom.add(backlog.clone());
        for news in [left("a"), archived("b"), left("a"), left("c")] {
            newsroom.tell(&news);
        }
        assert_eq!(backlog.next().await, left("a"));
        // taken already: now it is news again
        newsroom.tell(&left("a"));
        assert_eq!(backlog.next().await, archived("b"));
        assert_eq!(backlog.next().await, left("c"));
        assert_eq!(backlog.next().await, left("a"));
        assert_eq!(backlog.take(), None);
    }

    #[tokio::test]
    async fn a_reader_who_waits_is_woken() {
        let backlog = Arc::new(Backlog::default());
        let reader = tokio::spawn({
            let backlog = backlog.clone();
            async move { backlog.next().await }
        });
        tokio::task::yield_now().await;
        backlog.hear(&archived("b"));
        assert_eq!(reader.await.unwrap(), archived("b"));
    }
}
