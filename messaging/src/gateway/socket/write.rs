//! What goes out on a socket: events, replies, pings.
//!
//! Invariant: however large an event is and however many clients do not read it, a socket copies
//! one piece of it at a time.

use std::time::Duration;

use futures_util::SinkExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::Sink;
use super::farewell::{CUT_OFF, Farewell, GONE};
use crate::gateway::hub::{Body, Line, Next};

const PING_PERIOD: Duration = Duration::from_secs(60);
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// Larger events go as several frames of one message.
const PIECE_BYTES: usize = 16 * 1024;

/// Runs until the connection or the client ends.
pub(super) async fn write(
    sink: &mut Sink,
    line: &Line,
    mut replies: mpsc::Receiver<String>,
) -> Farewell {
    let mut pings = interval_at(Instant::now() + PING_PERIOD, PING_PERIOD);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let sent = match line.next() {
            Next::End => return CUT_OFF,
            Next::Event(seq, body) => send_event(sink, seq, &body).await,
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

async fn send_event(sink: &mut Sink, seq: u64, body: &Body) -> Result<(), ()> {
    let mut opcode = OpCode::Data(Data::Text);
    for (piece, is_last) in body.numbered(seq, PIECE_BYTES) {
        let frame = Frame::message(piece, opcode, is_last);
        feed(sink, Message::Frame(frame)).await?;
        opcode = OpCode::Data(Data::Continue);
    }
    Ok(())
}

async fn feed(sink: &mut Sink, message: Message) -> Result<(), ()> {
    in_time(sink.feed(message)).await
}

async fn in_time<E>(sending: impl Future<Output = Result<(), E>>) -> Result<(), ()> {
    match timeout(WRITE_DEADLINE, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(()),
    }
}
