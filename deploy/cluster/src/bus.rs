//! News to everybody who listens, questions to whoever answers.
//!
//! At most once; order per publisher and topic only; no history. After `Lagged` and `Reconnected` a
//! listener loads again what it must know, from the [`crate::Directory`] or from a database.

use std::time::Duration;

use async_trait::async_trait;

use crate::{CallError, Error, Feed, NodeId, Pattern, Topic};

/// Messages that wait for one listener; what comes beyond is missing and counted.
pub const ROOM: usize = 4096;

/// What a listener hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    Message {
        /// Who published it; the engine vouches for it.
        from: NodeId,
        topic: Topic,
        body: Vec<u8>,
    },
    /// Messages are missing here; 0: it is not known how many.
    Lagged(u64),
    /// The connection was gone, and with it whatever was published meanwhile.
    Reconnected,
}

/// A question that wants an answer.
pub struct Call {
    /// Who asks; the engine vouches for it.
    pub from: NodeId,
    pub topic: Topic,
    pub body: Vec<u8>,
    answer: Box<dyn FnOnce(Vec<u8>) -> Result<(), Error> + Send>,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("from", &self.from)
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

impl Call {
    /// For engines: a question, and what is done with its answer.
    pub fn new(
        from: NodeId,
        topic: Topic,
        body: Vec<u8>,
        answer: impl FnOnce(Vec<u8>) -> Result<(), Error> + Send + 'static,
    ) -> Self {
        Self {
            from,
            topic,
            body,
            answer: Box::new(answer),
        }
    }

    /// Answers; one that is dropped instead lets the asker's time run out.
    ///
    /// # Errors
    /// `Invalid` when the answer is too long, `Full` when it could not be sent.
    pub fn answer(self, body: Vec<u8>) -> Result<(), Error> {
        crate::name::check_body(&body)?;
        (self.answer)(body)
    }
}

/// The bus.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Publishes; never waits.
    ///
    /// # Errors
    /// `Full` when too much waits to be sent.
    fn publish(&self, topic: &Topic, body: Vec<u8>) -> Result<(), Error>;

    /// Listens. What is published after this has returned is heard.
    ///
    /// # Errors
    /// `Denied` for what is addressed to another node.
    async fn subscribe(&self, pattern: &Pattern) -> Result<Box<dyn Feed<Delivery>>, Error>;

    /// Asks and waits for one answer, for this long.
    ///
    /// # Errors
    /// `Nobody` at once when nobody serves there; `Timeout` is unknown: it may have happened.
    async fn request(
        &self,
        to: &Topic,
        body: Vec<u8>,
        within: Duration,
    ) -> Result<Vec<u8>, CallError>;

    /// Answers what is asked there. Of several that serve one is given each question. Where an engine is
    /// several servers, those who are at another one may be told `Nobody` for a moment yet.
    ///
    /// # Errors
    /// `Denied` for what is addressed to another node.
    async fn serve(&self, at: &Topic) -> Result<Box<dyn Feed<Call>>, Error>;
}
