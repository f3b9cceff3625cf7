//! The WebSocket of a session is lost: it is opened again, media goes on meanwhile.
//!
//! In: the session. Out: nothing when it is back, else why the session is over.
//! A connection counts from its `hello`: a server that does not know the token any more lets one be
//! opened, and never says a word on it.
//! Invariant: it is tried for `JoinOrder::patience` in all, however often a connection is lost anew.

use std::time::{Duration, Instant};

use proto::calls::Action;
use proto::calls::action::Reconnect;
use proto::id::ConnId;

use super::super::peer::Peer;
use super::super::socket::{Socket, SocketError, hello_connection};
use super::{CallCommand, CloseReason, MEDIA_GRACE, Session, next_datagram};

/// An open connection that has not said hello by then will not.
const HELLO_WITHIN: Duration = Duration::from_secs(5);

/// What came first.
enum Heard {
    Hello(ConnId),
    /// The new connection was lost as well, or time is over.
    Nothing,
    Over(CloseReason),
}

impl Session {
    /// Opens the WebSocket again and takes the session over to it.
    pub(super) async fn reopen(&mut self) -> Option<CloseReason> {
        let patience = self.order.patience;
        let lost = Instant::now();
        let mut pause = Duration::ZERO;
        while lost.elapsed() < patience {
            let jitter = Duration::from_millis(rand::random_range(0..500));
            pause = (pause + Duration::from_secs(1) + jitter).min(patience);
            if let Heard::Over(reason) = self.while_media_flows(pause, false).await {
                return Some(reason);
            }
            if self
                .media_lost_at
                .is_some_and(|at| at.elapsed() > MEDIA_GRACE)
            {
                return Some(CloseReason::MediaLost);
            }
            match Socket::open(&self.order.site_url, &self.order.token).await {
                Ok(socket) => self.socket = socket,
                Err(error @ SocketError::Token { .. }) => {
                    return Some(CloseReason::Unreachable(error.to_string()));
                }
                Err(error) => {
                    tracing::info!(%error, "the signalling connection is still lost");
                    continue;
                }
            }
            let within = HELLO_WITHIN.min(patience.saturating_sub(lost.elapsed()));
            match self.while_media_flows(within, true).await {
                Heard::Hello(connection) => {
                    if self.take_over(connection).await {
                        return None;
                    }
                }
                Heard::Nothing => tracing::info!("the messaging server said nothing"),
                Heard::Over(reason) => return Some(reason),
            }
        }
        let seconds = patience.as_secs();
        Some(CloseReason::Unreachable(format!("lost for {seconds} s")))
    }

    /// Tells the server which session goes on over this connection; whether it could be told.
    async fn take_over(&mut self, connection: ConnId) -> bool {
        let previous = std::mem::replace(&mut self.current, connection);
        let reconnect = Action::Reconnect(Reconnect {
            channel: self.order.channel.clone(),
            original: self.original.clone(),
            previous,
        });
        let told = self.socket.send(&reconnect).await;
        if told {
            tracing::info!("the signalling connection is back");
        }
        told
    }

    /// Media goes on for a while, or until the new connection says hello if that is listened to.
    async fn while_media_flows(&mut self, span: Duration, listens: bool) -> Heard {
        let until = Instant::now() + span;
        while Instant::now() < until {
            let due = self.peer.as_ref().map_or(until, Peer::deadline).min(until);
            let ended = tokio::select! {
                frame = self.socket.next(), if listens => match frame {
                    Some(frame) if frame.event == "hello" => {
                        return hello_connection(&frame).map_or(Heard::Nothing, Heard::Hello);
                    }
                    Some(_) => None,
                    None => return Heard::Nothing,
                },
                datagram = next_datagram(self.peer.as_mut()) => {
                    self.with_peer(|peer| peer.receive(&datagram))
                }
                () = tokio::time::sleep_until(due.into()) => self.with_peer(Peer::tick),
                command = self.commands.recv() => match command {
                    Some(CallCommand::Leave) | None => Some(CloseReason::Left),
                    Some(other) => self.take_command(other).await,
                },
            };
            let ended = match ended {
                Some(reason) => Some(reason),
                None => Box::pin(self.tell()).await,
            };
            if let Some(reason) = ended {
                return Heard::Over(reason);
            }
        }
        Heard::Nothing
    }
}
