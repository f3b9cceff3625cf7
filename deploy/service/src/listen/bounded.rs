//! A connection on which something has to move.
//!
//! In: a stream, and the longest time without a byte either way. Out: the same stream, whose next
//! read or write fails with `TimedOut` when that time is over.
//! Holds the connection's place, so that one which became a WebSocket still counts.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::admission::{Closed, Place};

/// The stream.
#[derive(Debug)]
pub struct Bounded<S> {
    stream: S,
    idle_within: Duration,
    moved_at: Instant,
    /// Set anew only when it goes off: moving costs no timer.
    alarm: Pin<Box<Sleep>>,
    place: Place,
}

impl<S> Bounded<S> {
    pub(super) fn new(stream: S, idle_within: Duration, place: Place) -> Self {
        let now = Instant::now();
        Self {
            stream,
            idle_within,
            moved_at: now,
            alarm: Box::pin(tokio::time::sleep_until(now + idle_within)),
            place,
        }
    }

    /// Ready only when the time is over.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.alarm.as_mut().poll(cx));
            let due = self.moved_at + self.idle_within;
            if Instant::now() >= due {
                self.place.closed(Closed::Idle);
                let words = "nothing has moved on this connection for too long";
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, words));
            }
            self.alarm.as_mut().reset(due);
        }
    }

    fn note<T>(
        &mut self,
        outcome: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        match outcome {
            Poll::Ready(done) => {
                self.moved_at = Instant::now();
                Poll::Ready(done)
            }
            Poll::Pending => self.poll_idle(cx).map(Err),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.note(outcome, cx)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note(outcome, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note(outcome, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
