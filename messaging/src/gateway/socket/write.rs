//! What goes out on a socket: events, replies, pings.
//!
//! Invariant: however large an event is and however many clients do not read it, a socket copies
//! one piece of it at a time.

use std::time::Duration;

use futures_util::{Sink, SinkExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::farewell::{CUT_OFF, Farewell, GONE};
use crate::gateway::hub::{Line, Next, Pieces};

const PING_PERIOD: Duration = Duration::from_secs(60);
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// Larger events go as several frames of one message.
const PIECE_BYTES: usize = 16 * 1024;

/// Runs until the connection or the client ends. What waits together goes out together.
pub(super) async fn write<S: Sink<Message> + Unpin>(
    sink: &mut S,
    line: &Line,
    mut replies: mpsc::Receiver<String>,
) -> Farewell {
    let mut pings = interval_at(Instant::now() + PING_PERIOD, PING_PERIOD);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let sent = match line.next() {
            Next::End => return CUT_OFF,
            Next::Event(seq, body) => {
                send_event(sink, body.numbered(seq, line.user(), PIECE_BYTES)).await
            }
            Next::Nothing => match replies.try_recv() {
                Ok(reply) => feed(sink, Message::text(reply)).await,
                Err(_) => {
                    if in_time(sink.flush()).await.is_err() {
                        return GONE;
                    }
                    tokio::select! {
                        biased;
                        () = line.wake.more.notified() => Ok(()),
                        Some(reply) = replies.recv() => feed(sink, Message::text(reply)).await,
                        _ = pings.tick() => feed(sink, Message::Ping(Bytes::new())).await,
                    }
                }
            },
        };
        if sent.is_err() {
            return GONE;
        }
    }
}

async fn send_event<S: Sink<Message> + Unpin>(sink: &mut S, pieces: Pieces) -> Result<(), ()> {
    let mut opcode = OpCode::Data(Data::Text);
    for (piece, is_last) in pieces {
        let frame = Frame::message(piece, opcode, is_last);
        feed(sink, Message::Frame(frame)).await?;
        opcode = OpCode::Data(Data::Continue);
    }
    Ok(())
}

async fn feed<S: Sink<Message> + Unpin>(sink: &mut S, message: Message) -> Result<(), ()> {
    in_time(sink.feed(message)).await
}

async fn in_time<E>(sending: impl Future<Output = Result<(), E>>) -> Result<(), ()> {
    match timeout(WRITE_DEADLINE, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use proto::id::UserId;
    use serde_json::Map;

    use super::*;
    use crate::gateway::budget::Limits;
    use crate::gateway::hub::{Attached, Hub};
    use crate::gateway::metrics::Metrics;
    use crate::model::{Audience, Membership};

    /// Takes everything at once; tells after each flush what has come before it.
    struct Wire {
        messages: Vec<Message>,
        flushed: mpsc::UnboundedSender<Vec<Message>>,
    }

    impl Sink<Message> for Wire {
        type Error = Infallible;

        fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Infallible> {
            self.messages.push(message);
            Ok(())
        }

        fn poll_flush(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Result<(), Infallible>> {
            let messages = std::mem::take(&mut self.messages);
            self.flushed.send(messages).unwrap();
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }
    }

    fn enter(hub: &Hub) -> Attached {
        let user = UserId::parse("anna").unwrap();
        let entry = hub.enter(&user);
        entry.attach("login", Membership::default(), None).unwrap()
    }

    fn publish(hub: &Hub, times: usize) {
        for _ in 0..times {
            hub.publish_to("e", &Map::new(), &[Audience::default()]);
        }
    }

    #[tokio::test]
    async fn what_waits_together_is_flushed_once_and_later_news_wake_the_writer() {
        let hub = Hub::new("1".to_owned(), Limits::default(), Arc::new(Metrics::new()));
        let attached = enter(&hub);
        publish(&hub, 20);
        let (replies, reply_queue) = mpsc::channel(8);
        for _ in 0..3 {
            replies.try_send("a reply".to_owned()).unwrap();
        }
        let (flushed, mut heard) = mpsc::unbounded_channel();
        let line = attached.line.clone();
        let writing = tokio::spawn(async move {
            let messages = Vec::new();
            let mut wire = Wire { messages, flushed };
            write(&mut wire, &line, reply_queue).await
        });
        // `hello` is the first of them
        assert_eq!(heard.recv().await.unwrap().len(), 1 + 20 + 3);
        for count in [1, 5] {
            publish(&hub, count);
            let mut got = Vec::new();
            while got.len() < count {
                got.extend(heard.recv().await.unwrap());
            }
            assert_eq!(got.len(), count);
        }
        writing.abort();
    }
}
