//! What the connection tells besides answers: that it is gone or back, that a reader was too slow, that
//! a right is missing. And the way out for what must not wait.

use std::sync::Arc;

use async_nats::{Client, Event, ServerError};
use bytes::Bytes;
use cluster::{Counters, Error, Figure};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Messages that wait to be handed to the connection; while it is gone they wait there.
const OUTGOING: usize = 8192;
/// Refusals that are remembered for those who wait for an answer.
const REFUSALS: usize = 64;

/// The connection as its readers must know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) is_up: bool,
    /// How often it was made.
    pub(crate) made: u64,
    /// How often some reader was too slow: which one is not told.
    pub(crate) slow: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Link {
    state: watch::Sender<State>,
    refused: broadcast::Sender<Arc<str>>,
    counters: Arc<Counters>,
}

impl Link {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        let state = State {
            is_up: false,
            made: 0,
            slow: 0,
        };
        Self {
            state: watch::Sender::new(state),
            refused: broadcast::Sender::new(REFUSALS),
            counters,
        }
    }

    /// Takes what the client tells.
    pub(crate) fn handle(&self, event: Event) {
        match event {
            Event::Connected => {
                self.state.send_modify(|state| {
                    state.is_up = true;
                    state.made += 1;
                });
                if self.now().made > 1 {
                    self.counters.add(Figure::Reconnected, 1);
                    tracing::info!("the server between the nodes is there again");
                }
            }
            Event::Disconnected | Event::Closed => {
                let was_up = self
                    .state
                    .send_if_modified(|state| std::mem::take(&mut state.is_up));
                if was_up {
                    tracing::warn!("the server between the nodes is gone; running calls go on");
                }
            }
            Event::SlowConsumer(_) => {
                self.counters.add(Figure::Lagged, 1);
                self.state.send_modify(|state| state.slow += 1);
            }
            Event::ServerError(ServerError::Other(text)) => match refused_subject(&text) {
                Some(subject) => {
                    self.counters.add(Figure::Denied, 1);
                    tracing::error!(
                        subject,
                        "this node has no right to what it must do: write the rights again \
                         (`parley cluster add-node`) and load them into the servers"
                    );
                    // Nobody may be waiting for it.
                    let _waiting = self.refused.send(subject.into());
                }
                None => tracing::warn!(text, "the server between the nodes complains"),
            },
            Event::ServerError(error @ ServerError::AuthorizationViolation) => {
                self.counters.add(Figure::Denied, 1);
                tracing::error!(%error, "the server between the nodes does not know this node");
            }
            Event::ServerError(ServerError::SlowConsumer(_)) | Event::Draining => {}
            Event::LameDuckMode => {
                tracing::info!("a server between the nodes is about to stop");
            }
            Event::ClientError(error) => {
                tracing::debug!(%error, "the connection between the nodes")
            }
        }
    }

    pub(crate) fn now(&self) -> State {
        *self.state.borrow()
    }

    pub(crate) fn follow(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Whether anything can be sent at all.
    ///
    /// # Errors
    /// `Unavailable`: nothing was sent.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.now().is_up {
            Ok(())
        } else {
            Err(Error::Unavailable)
        }
    }

    /// Waits for an answer, or for the refusal of what was asked: the client says nothing of it.
    pub(crate) async fn unless_refused<T>(
        &self,
        subject: &str,
        answer: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let mut refused = self.refused.subscribe();
        let mut answer = std::pin::pin!(answer);
        loop {
            tokio::select! {
                answer = &mut answer => return Ok(answer),
                said = refused.recv() => match said {
                    Ok(said) if *said == *subject => return Err(Error::Denied),
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    // Never: the sender is ours.
                    Err(broadcast::error::RecvError::Closed) => return Ok(answer.await),
                },
            }
        }
    }
}

/// The subject in `Permissions Violation for Publish to "x"`.
fn refused_subject(text: &str) -> Option<&str> {
    let lower = text.to_ascii_lowercase();
    if !lower.contains("permissions violation") {
        return None;
    }
    text.split('"').nth(1)
}

/// On its way out.
#[derive(Debug)]
enum Outgoing {
    Message {
        subject: String,
        body: Vec<u8>,
    },
    /// Told when all before it has left.
    Mark(oneshot::Sender<()>),
}

/// The way out of what never waits. Ends with its last clone.
#[derive(Debug, Clone)]
pub(crate) struct Out(mpsc::Sender<Outgoing>);

impl Out {
    pub(crate) fn new(client: Client) -> Self {
        let (sender, mut outgoing) = mpsc::channel::<Outgoing>(OUTGOING);
        tokio::spawn(async move {
            while let Some(next) = outgoing.recv().await {
                carry(&client, next).await;
            }
        });
        Self(sender)
    }

    pub(crate) fn send(&self, subject: String, body: Vec<u8>) -> Result<(), Error> {
        let sent = self.0.try_send(Outgoing::Message { subject, body });
        sent.map_err(|_full| Error::Full)
    }

    /// Waits until what was sent has left this process; while the connection is gone that is never.
    pub(crate) async fn has_left(&self) {
        let (reached, mark) = oneshot::channel();
        if self.0.send(Outgoing::Mark(reached)).await.is_ok() {
            // Closed: so is the connection.
            let _reached = mark.await;
        }
    }
}

async fn carry(client: &Client, next: Outgoing) {
    match next {
        Outgoing::Message { subject, body } => {
            if let Err(error) = client.publish(subject, Bytes::from(body)).await {
                tracing::debug!(%error, "a message was not sent");
            }
        }
        Outgoing::Mark(reached) => {
            if let Err(error) = client.flush().await {
                tracing::debug!(%error, "what was sent may be lost");
            }
            // Whoever waited may have given up.
            let _told = reached.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_subject() {
        let text = "Permissions Violation for Publish to \"node.n2.x\"";
        assert_eq!(refused_subject(text), Some("node.n2.x"));
        let text = "permissions violation for subscription to \"a.>\" using queue \"q\"";
        assert_eq!(refused_subject(text), Some("a.>"));
        assert_eq!(refused_subject("maximum connections exceeded"), None);
    }

    #[tokio::test]
    async fn a_refusal_ends_the_wait_of_whoever_asked_for_it() {
        let counters = Arc::new(Counters::default());
        let link = Link::new(Arc::clone(&counters));
        let refuse = |subject: &str| {
            let text = format!("Permissions Violation for Publish to \"{subject}\"");
            link.handle(Event::ServerError(ServerError::Other(text)));
        };
        let never = link.unless_refused("mine", std::future::pending::<()>());
        let refusals = async {
            refuse("other");
            tokio::task::yield_now().await;
            refuse("mine");
        };
        let (ended, ()) = tokio::join!(never, refusals);
        assert_eq!(ended, Err(Error::Denied));
        assert_eq!(counters.get(Figure::Denied), 2);
        assert_eq!(link.unless_refused("mine", async { 7 }).await, Ok(7));
    }
}
