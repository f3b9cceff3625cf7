//! Requests to the chat server about one post: one after the other, each with a time limit.
//!
//! In: futures with the post they are about. Out: their results, told by themselves.
//! Invariants: a request that hangs holds up those about the same post only, and them no longer than
//! its limit; requests about one post run in the order in which they came.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use proto::id::PostId;

/// Requests about one post that may wait; there are a few per recording.
const MOST_WAITING: usize = 64;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// All lanes that are in use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lanes(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting(HashMap<PostId, VecDeque<(Work, Duration)>>);

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} lanes", self.0.len())
    }
}

/// Too much waits for the lane of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MOST_WAITING} requests wait for the chat server already")]
pub(crate) struct LaneFull;

impl Lanes {
    /// Runs `work` when everything before it in the post's lane is done; gives up after `limit`.
    pub(crate) fn run(
        &self,
        post: &PostId,
        limit: Duration,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), LaneFull> {
        let work: Work = Box::pin(work);
        let mut waiting = self.waiting();
        if let Some(lane) = waiting.0.get_mut(post) {
            if lane.len() >= MOST_WAITING {
                return Err(LaneFull);
            }
            lane.push_back((work, limit));
            return Ok(());
        }
        waiting.0.insert(post.clone(), VecDeque::new());
        let (lanes, post) = (self.clone(), post.clone());
        tokio::spawn(async move { lanes.serve(post, work, limit).await });
        Ok(())
    }

    async fn serve(&self, post: PostId, work: Work, limit: Duration) {
        let mut next = Some((work, limit));
        while let Some((work, limit)) = next {
            let done = tokio::time::timeout(limit, AssertUnwindSafe(work).catch_unwind()).await;
            match done {
                Ok(Ok(())) => {}
                Ok(Err(_)) => tracing::error!(%post, "a panic in a request to the chat server"),
                Err(_) => tracing::warn!(%post, ?limit, "the chat server did not answer in time"),
            }
            let mut waiting = self.waiting();
            next = waiting.0.get_mut(&post).and_then(VecDeque::pop_front);
            if next.is_none() {
                waiting.0.remove(&post);
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn post(id: &str) -> PostId {
        PostId::parse(id).unwrap()
    }

    #[tokio::test]
    async fn one_post_is_served_in_order_and_another_beside_it() {
        let (lanes, (sender, mut done)) = (Lanes::default(), mpsc::unbounded_channel());
        let (open, gate) = tokio::sync::oneshot::channel::<()>();
        let say = |word: &'static str| {
            let sender = sender.clone();
            async move { sender.send(word).unwrap() }
        };
        let first = say("first");
        let held = async move {
            gate.await.unwrap();
            first.await;
        };
        lanes.run(&post("a"), LONG, held).unwrap();
        lanes.run(&post("a"), LONG, say("second")).unwrap();
        lanes.run(&post("b"), LONG, say("elsewhere")).unwrap();
        assert_eq!(done.recv().await, Some("elsewhere"));
        open.send(()).unwrap();
        assert_eq!(done.recv().await, Some("first"));
        assert_eq!(done.recv().await, Some("second"));
    }

    #[tokio::test]
    async fn what_hangs_or_panics_is_given_up_and_what_is_too_much_is_refused() {
        let (lanes, (sender, mut done)) = (Lanes::default(), mpsc::unbounded_channel());
        let hanging = std::future::pending();
        let short = Duration::from_millis(20);
        lanes.run(&post("a"), short, hanging).unwrap();
        lanes
            .run(&post("a"), LONG, async { panic!("made by a test") })
            .unwrap();
        lanes
            .run(
                &post("a"),
                LONG,
                async move { sender.send("served").unwrap() },
            )
            .unwrap();
        for _ in 2..MOST_WAITING {
            lanes.run(&post("a"), LONG, std::future::ready(())).unwrap();
        }
        let more = lanes.run(&post("a"), LONG, std::future::ready(()));
        assert_eq!(more, Err(LaneFull));
        assert_eq!(done.recv().await, Some("served"));
    }
}
