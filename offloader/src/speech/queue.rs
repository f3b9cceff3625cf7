//! Who is served next: captions before transcripts, the newest caption before the oldest.
//!
//! In: windows of audio with a place to put the answer. Out: one window at a time per lane.
//! Invariant: at most `caption_limit` captions wait (the oldest gives way); transcripts are bounded
//! by their callers, each of which waits for its window before it makes the next.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::client::SpeechError;
use super::wire::{Purpose, Reply};

/// What a lane accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Captions,
    Shared,
}

/// One window of audio as a framed request, and the place for its answer.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) frame: Vec<u8>,
    /// How often the process ended while it worked on this.
    pub(super) tries: u32,
    pub(super) done: oneshot::Sender<Result<Reply, SpeechError>>,
}

/// Waiting windows.
#[derive(Debug)]
pub(super) struct Queue {
    caption_limit: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    captions: VecDeque<Waiting>,
    transcripts: VecDeque<Waiting>,
    closed: bool,
}

impl Queue {
    pub(super) fn new(caption_limit: usize) -> Self {
        let caption_limit = caption_limit.max(1);
        Self {
            caption_limit,
            state: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Adds a window. Returns the caption window that gave way, if one had to.
    pub(super) fn push(&self, purpose: Purpose, window: Waiting) -> Option<Waiting> {
        let mut state = self.lock();
        if state.closed {
            return None; // dropping the window tells its owner
        }
        let shed = match purpose {
            Purpose::Captions => {
                state.captions.push_back(window);
                let full = state.captions.len() > self.caption_limit;
                full.then(|| state.captions.pop_front()).flatten()
            }
            Purpose::Transcript => {
                state.transcripts.push_back(window);
                None
            }
        };
        drop(state);
        self.changed.notify_waiters();
        shed
    }

    /// Puts a window back to the front after the process died under it.
    pub(super) fn push_back(&self, purpose: Purpose, window: Waiting) {
        let mut state = self.lock();
        if !state.closed {
            match purpose {
                Purpose::Captions => state.captions.push_front(window),
                Purpose::Transcript => state.transcripts.push_front(window),
            }
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The next window for a lane whose owner still waits for the answer. Never resolves when closed.
    pub(super) async fn next(&self, lane: Lane) -> (Purpose, Waiting) {
        loop {
            // Made before looking, so that a push in between is not missed.
            let changed = self.changed.notified();
            if let Some(found) = self.take(lane) {
                return found;
            }
            changed.await;
        }
    }

    pub(super) fn captions_waiting(&self) -> usize {
        self.lock().captions.len()
    }

    /// Refuses everything from now on and drops what waits, which tells the owners.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.captions.clear();
        state.transcripts.clear();
    }

    /// Answers everything that waits with the same error.
    pub(super) fn fail_all(&self, error: &SpeechError) {
        let mut state = self.lock();
        let State {
            captions,
            transcripts,
            ..
        } = &mut *state;
        for window in captions.drain(..).chain(transcripts.drain(..)) {
            // The owner may be gone.
            let _ = window.done.send(Err(error.clone()));
        }
    }

    fn take(&self, lane: Lane) -> Option<(Purpose, Waiting)> {
        let mut state = self.lock();
        while let Some(window) = state.captions.pop_front() {
            if !window.done.is_closed() {
                return Some((Purpose::Captions, window));
            }
        }
        if lane == Lane::Captions {
            return None;
        }
        while let Some(window) = state.transcripts.pop_front() {
            if !window.done.is_closed() {
                return Some((Purpose::Transcript, window));
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing here panics half-way through a change, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Answer = oneshot::Receiver<Result<Reply, SpeechError>>;

    fn window(name: u8) -> (Waiting, Answer) {
        let (done, answer) = oneshot::channel();
        (
            Waiting {
                frame: vec![name],
                tries: 0,
                done,
            },
            answer,
        )
    }

    fn taken(queue: &Queue, lane: Lane) -> Option<u8> {
        queue.take(lane).map(|(_, window)| window.frame[0])
    }

    #[test]
    fn captions_go_before_transcripts_and_have_a_lane_of_their_own() {
        let queue = Queue::new(4);
        let (one, _a) = window(1);
        let (two, _b) = window(2);
        let (three, _c) = window(3);
        queue.push(Purpose::Transcript, one);
        queue.push(Purpose::Transcript, two);
        assert_eq!(taken(&queue, Lane::Captions), None);
        queue.push(Purpose::Captions, three);
        let order: Vec<_> = std::iter::from_fn(|| taken(&queue, Lane::Shared)).collect();
        assert_eq!(order, [3, 1, 2]);
    }

    #[test]
    fn the_oldest_caption_gives_way_and_a_transcript_never() {
        let queue = Queue::new(2);
        let mut answers = Vec::new();
        let mut shed = Vec::new();
        for name in 0..5 {
            let (caption, answer) = window(name);
            answers.push(answer);
            shed.extend(
                queue
                    .push(Purpose::Captions, caption)
                    .map(|window| window.frame[0]),
            );
            let (transcript, answer) = window(100 + name);
            answers.push(answer);
            assert!(queue.push(Purpose::Transcript, transcript).is_none());
        }
        assert_eq!((shed, queue.captions_waiting()), (vec![0, 1, 2], 2));
    }

    #[test]
    fn a_job_nobody_waits_for_is_skipped() {
        let queue = Queue::new(4);
        let (left, answer) = window(1);
        drop(answer);
        queue.push(Purpose::Transcript, left);
        assert_eq!(taken(&queue, Lane::Shared), None);
    }

    #[tokio::test]
    async fn closing_tells_everybody_who_waits() {
        let queue = Queue::new(4);
        let (waiting, answer) = window(1);
        queue.push(Purpose::Transcript, waiting);
        queue.close();
        assert!(answer.await.is_err());
        let (late, answer) = window(2);
        queue.push(Purpose::Captions, late);
        assert!(answer.await.is_err());
    }
}
