//! What calls must react to, in order, on one bounded queue.
//!
//! Whoever causes a notice waits while the queue is full: that slows down one connection or one
//! request, never the others. While nobody listens, notices are dropped when the queue is full.

use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::model::Notice;

/// Notices that may wait for their reader.
const QUEUE: usize = 1024;

#[derive(Debug)]
pub(super) struct Notices {
    sender: mpsc::Sender<Notice>,
    receiver: Mutex<Option<mpsc::Receiver<Notice>>>,
}

impl Notices {
    pub(super) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
        }
    }

    /// Hands out the stream to the first who asks.
    pub(super) fn take(&self) -> Option<mpsc::Receiver<Notice>> {
        self.receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn has_reader(&self) -> bool {
        self.receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none()
    }

    pub(super) async fn send(&self, notice: Notice) {
        let notice = match self.sender.try_send(notice) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => return,
            Err(mpsc::error::TrySendError::Full(notice)) => notice,
        };
        if !self.has_reader() {
            tracing::debug!("nobody listens to the chat's notices: one dropped");
            return;
        }
        // an error means that the reader has gone: nobody is left to tell
        drop(self.sender.send(notice).await);
    }
}
