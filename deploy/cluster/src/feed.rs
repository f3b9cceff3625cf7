//! What is heard one after the other, and the bounded box between who tells and who hears.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;

/// A source of news.
#[async_trait]
pub trait Feed<T>: Send {
    /// Waits for the next; `None` only when there will be no more. May be given up while it waits:
    /// nothing is lost by that.
    async fn next(&mut self) -> Option<T>;
}

/// A bounded box. What finds no room is counted, and the count takes the place of what is missing: the
/// reader meets it where the gap is.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    state: Mutex<State<T>>,
    filled: Notify,
    room: usize,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    lost: u64,
}

/// What a reader finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found<T> {
    One(T),
    /// So many are missing here.
    Lost(u64),
}

impl<T> Inbox<T> {
    pub(crate) fn new(room: usize) -> Arc<Self> {
        let state = State {
            waiting: VecDeque::new(),
            lost: 0,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            filled: Notify::new(),
            room,
        })
    }

    /// Puts one in; whether there was room. Once something is missing nothing is taken until the reader
    /// has come to the gap.
    pub(crate) fn put(&self, one: T) -> bool {
        let mut state = self.lock();
        let fits = state.lost == 0 && state.waiting.len() < self.room;
        if fits {
            state.waiting.push_back(one);
        } else {
            state.lost += 1;
        }
        drop(state);
        self.filled.notify_one();
        fits
    }

    /// Waits for what is next. One reader at a time.
    pub(crate) async fn take(&self) -> Found<T> {
        loop {
            if let Some(found) = self.try_take() {
                return found;
            }
            self.filled.notified().await;
        }
    }

    fn try_take(&self) -> Option<Found<T>> {
        let mut state = self.lock();
        if let Some(one) = state.waiting.pop_front() {
            return Some(Found::One(one));
        }
        let lost = std::mem::take(&mut state.lost);
        (lost > 0).then_some(Found::Lost(lost))
    }

    /// Forgets all that waits, gaps too.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        state.waiting.clear();
        state.lost = 0;
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.state)
    }
}

/// A panic of another holder leaves what it held as it was between two steps: none of ours are halves.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_missing_is_counted_where_it_is_missing() {
        let inbox = Inbox::new(2);
        assert!(inbox.put(1) && inbox.put(2));
        assert!(!inbox.put(3));
        assert_eq!(inbox.take().await, Found::One(1));
        assert!(!inbox.put(4), "the gap comes before what is put after it");
        assert_eq!(inbox.take().await, Found::One(2));
        assert_eq!(inbox.take().await, Found::Lost(2));
        assert!(inbox.put(5));
        assert_eq!(inbox.take().await, Found::One(5));
    }
}
