//! The bytes a client sends, as the store takes them: counted, cut into steps, not waited for
//! without end.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use storage::blob::BoxError;
use tokio::time::{Instant, Sleep, sleep};

/// Longest silence in the middle of a body.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// Why no more comes, other than that it was all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// More than was admitted; the piece that went beyond is not handed on.
    TooMuch,
    Silence,
    Broken(String),
}

/// A body being received.
pub(super) struct Incoming<'a> {
    pieces: BoxStream<'a, Result<Bytes, String>>,
    silence: Pin<Box<Sleep>>,
    silence_limit: Duration,
    /// Whether the silence is being measured: not while the store is busy with what came.
    is_waiting: bool,
    /// Bytes that may still come at all.
    admitted: u64,
    /// Bytes until the stream pauses; it ends at the piece that reaches this.
    step: u64,
    has_ended: bool,
    ending: Option<Ending>,
}

impl<'a> Incoming<'a> {
    /// Admits so many bytes.
    pub(super) fn new<E: std::fmt::Display + 'a>(
        pieces: impl Stream<Item = Result<Bytes, E>> + Send + 'a,
        admitted: u64,
    ) -> Self {
        Self {
            pieces: pieces.map_err(|error| error.to_string()).boxed(),
            silence: Box::pin(sleep(SILENCE_LIMIT)),
            silence_limit: SILENCE_LIMIT,
            is_waiting: false,
            admitted,
            step: 0,
            has_ended: false,
            ending: None,
        }
    }

    /// Lets about so many bytes pass before the stream ends for now.
    pub(super) fn allow(&mut self, step: u64) {
        self.step = step;
    }

    /// Whether more may come after a pause.
    pub(super) fn goes_on(&self) -> bool {
        !self.has_ended
    }

    pub(super) fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    fn end(&mut self, ending: Ending) -> Poll<Option<Result<Bytes, BoxError>>> {
        self.has_ended = true;
        self.ending = Some(ending);
        Poll::Ready(Some(Err("the body ended early".into())))
    }
}

impl Stream for Incoming<'_> {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.has_ended || this.step == 0 {
            return Poll::Ready(None);
        }
        match this.pieces.poll_next_unpin(context) {
            Poll::Pending => {
                if !this.is_waiting {
                    this.is_waiting = true;
                    let end = Instant::now() + this.silence_limit;
                    this.silence.as_mut().reset(end);
                }
                match this.silence.as_mut().poll(context) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(()) => this.end(Ending::Silence),
                }
            }
            Poll::Ready(None) => {
                this.has_ended = true;
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => this.end(Ending::Broken(error)),
            Poll::Ready(Some(Ok(piece))) => {
                let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
                if length > this.admitted {
                    return this.end(Ending::TooMuch);
                }
                this.admitted -= length;
                this.step = this.step.saturating_sub(length);
                this.is_waiting = false;
                Poll::Ready(Some(Ok(piece)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn body(sizes: &[usize]) -> impl Stream<Item = Result<Bytes, String>> + Send + use<> {
        let pieces: Vec<_> = sizes.iter().map(|size| Ok(vec![0; *size].into())).collect();
        stream::iter(pieces)
    }

    async fn lengths(incoming: &mut Incoming<'_>) -> Vec<usize> {
        let mut lengths = Vec::new();
        while let Some(Ok(piece)) = incoming.next().await {
            lengths.push(piece.len());
        }
        lengths
    }

    #[tokio::test]
    async fn a_body_comes_in_steps_and_not_beyond_what_is_admitted() {
        let mut incoming = Incoming::new(body(&[3, 3, 3, 3]), 10);
        incoming.allow(4);
        assert_eq!(lengths(&mut incoming).await, [3, 3]);
        assert!(incoming.goes_on());
        incoming.allow(100);
        assert_eq!(lengths(&mut incoming).await, [3]);
        assert!(!incoming.goes_on());
        assert_eq!(incoming.ending(), Some(&Ending::TooMuch));
    }

    #[tokio::test]
    async fn a_body_that_falls_silent_ends() {
        let quiet = body(&[3]).chain(stream::pending());
        let mut incoming = Incoming::new(quiet, 10);
        incoming.silence_limit = Duration::from_millis(5);
        incoming.allow(10);
        assert_eq!(lengths(&mut incoming).await, [3]);
        assert_eq!(incoming.ending(), Some(&Ending::Silence));
        let broken = body(&[3]).chain(stream::iter([Err("cut".to_owned())]));
        let mut incoming = Incoming::new(broken, 10);
        incoming.allow(10);
        assert_eq!(lengths(&mut incoming).await, [3]);
        assert_eq!(incoming.ending(), Some(&Ending::Broken("cut".to_owned())));
    }
}
