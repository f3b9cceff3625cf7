//! Topics of one process: who listens, who serves, each with a bounded box.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::faults::{Faults, Met, Operation};
use crate::bus::ROOM;
use crate::counters::Figure;
use crate::feed::{Found, Inbox, lock};
use crate::name::check_body;
use crate::{Bus, Call, CallError, Counters, Delivery, Error, Feed, NodeId, Pattern, Topic};

type Listener = (NodeId, Weak<Inbox<Delivery>>, Arc<Counters>);
type Server = (NodeId, Weak<Inbox<Call>>);

#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Those who listen to one topic, by it.
    exact: HashMap<String, Vec<Listener>>,
    wild: Vec<(Pattern, Listener)>,
    /// In the order in which they are given questions.
    servers: HashMap<String, VecDeque<Server>>,
}

#[derive(Debug)]
pub(super) struct Wires {
    shared: Arc<Shared>,
    node: NodeId,
    faults: Faults,
    counters: Arc<Counters>,
}

impl Wires {
    pub(super) fn new(
        shared: Arc<Shared>,
        node: NodeId,
        faults: Faults,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            shared,
            node,
            faults,
            counters,
        }
    }

    /// What is addressed to another node is not for this one.
    fn may_hear(&self, addressee: Option<(&str, &str)>) -> Result<(), Error> {
        let is_others = addressee.is_some_and(|(node, _)| node != self.node.as_str());
        self.counters.ended(if is_others {
            Err(Error::Denied)
        } else {
            Ok(())
        })
    }

    /// Gives one listener the message; whether it is still there.
    fn deliver(&self, listener: &Listener, message: &Delivery) -> bool {
        let (node, inbox, counters) = listener;
        let Some(inbox) = inbox.upgrade() else {
            return false;
        };
        if !self.faults.is_cut(node) && !inbox.put(message.clone()) {
            counters.add(Figure::Lagged, 1);
        }
        true
    }

    /// Puts a question to the next of those who serve there.
    fn ask(&self, to: &Topic, body: Vec<u8>) -> Result<oneshot::Receiver<Vec<u8>>, CallError> {
        let mut state = lock(&self.shared.0);
        let servers = state.servers.get_mut(to.as_str());
        let Some(servers) = servers else {
            return Err(CallError::Nobody);
        };
        servers.retain(|(_, inbox)| inbox.strong_count() > 0);
        let Some((node, inbox)) = servers.pop_front() else {
            state.servers.remove(to.as_str());
            return Err(CallError::Nobody);
        };
        let (answer, answered) = oneshot::channel();
        if let Some(served) = inbox.upgrade()
            && !self.faults.is_cut(&node)
        {
            // An asker that no longer waits has no use for the answer.
            let answer = move |body| {
                let _sent = answer.send(body);
                Ok(())
            };
            served.put(Call::new(self.node.clone(), to.clone(), body, answer));
        }
        servers.push_back((node, inbox));
        Ok(answered)
    }
}

#[async_trait]
impl Bus for Wires {
    fn publish(&self, topic: &Topic, body: Vec<u8>) -> Result<(), Error> {
        check_body(&body)?;
        let met = self.faults.meet_now(Operation::Publish);
        if matches!(met, Met::Instead(_)) || self.faults.is_cut(&self.node) {
            return Ok(());
        }
        let message = Delivery::Message {
            from: self.node.clone(),
            topic: topic.clone(),
            body,
        };
        let mut state = lock(&self.shared.0);
        if let Some(listeners) = state.exact.get_mut(topic.as_str()) {
            listeners.retain(|listener| self.deliver(listener, &message));
            if listeners.is_empty() {
                state.exact.remove(topic.as_str());
            }
        }
        state.wild.retain(|(pattern, listener)| {
            if pattern.matches(topic) {
                self.deliver(listener, &message)
            } else {
                listener.1.strong_count() > 0
            }
        });
        Ok(())
    }

    async fn subscribe(&self, pattern: &Pattern) -> Result<Box<dyn Feed<Delivery>>, Error> {
        self.may_hear(pattern.addressee())?;
        let inbox = Inbox::new(ROOM);
        let listener = (
            self.node.clone(),
            Arc::downgrade(&inbox),
            Arc::clone(&self.counters),
        );
        let mut state = lock(&self.shared.0);
        if pattern.as_str().contains(['*', '>']) {
            state.wild.push((pattern.clone(), listener));
        } else {
            let key = pattern.as_str().to_owned();
            state.exact.entry(key).or_default().push(listener);
        }
        Ok(Box::new(Listening { inbox }))
    }

    async fn request(
        &self,
        to: &Topic,
        body: Vec<u8>,
        within: Duration,
    ) -> Result<Vec<u8>, CallError> {
        check_body(&body).map_err(CallError::Other)?;
        let end = tokio::time::Instant::now() + within;
        let met = self.faults.meet(Operation::Request).await;
        if self.faults.is_cut(&self.node) {
            return Err(CallError::Other(Error::Unavailable));
        }
        let answered = match met {
            Met::Instead(_) => None,
            Met::Nothing | Met::Stale | Met::After => Some(self.ask(to, body)?),
        };
        let answered = async {
            match answered {
                Some(answered) if met != Met::After => answered.await.ok(),
                _ => None,
            }
        };
        match tokio::time::timeout_at(end, answered).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => {
                // Nobody will answer any more; the asker learns it as over a network.
                tokio::time::sleep_until(end).await;
                Err(CallError::Timeout)
            }
            Err(_late) => Err(CallError::Timeout),
        }
    }

    async fn serve(&self, at: &Topic) -> Result<Box<dyn Feed<Call>>, Error> {
        self.may_hear(at.addressee())?;
        let inbox = Inbox::new(ROOM);
        let server = (self.node.clone(), Arc::downgrade(&inbox));
        let mut state = lock(&self.shared.0);
        let key = at.as_str().to_owned();
        state.servers.entry(key).or_default().push_back(server);
        Ok(Box::new(Serving { inbox }))
    }
}

struct Listening {
    inbox: Arc<Inbox<Delivery>>,
}

#[async_trait]
impl Feed<Delivery> for Listening {
    async fn next(&mut self) -> Option<Delivery> {
        Some(match self.inbox.take().await {
            Found::One(delivery) => delivery,
            Found::Lost(count) => Delivery::Lagged(count),
        })
    }
}

struct Serving {
    inbox: Arc<Inbox<Call>>,
}

#[async_trait]
impl Feed<Call> for Serving {
    async fn next(&mut self) -> Option<Call> {
        loop {
            // What found no room is not answered: its asker's time runs out.
            if let Found::One(call) = self.inbox.take().await {
                return Some(call);
            }
        }
    }
}
