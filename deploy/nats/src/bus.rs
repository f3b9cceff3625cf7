//! News and questions over plain messages.

use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::{Request, Subscriber};
use async_trait::async_trait;
use cluster::name::check_body;
use cluster::{Bus, Call, CallError, Delivery, Error, Feed, Pattern, Topic};
use futures_util::StreamExt as _;
use tokio::sync::watch;

use crate::link::State;
use crate::names::{Names, TURNS, Way};
use crate::open::Shared;

/// How long a subscription may take until the server has it.
const SUBSCRIBE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Wires {
    shared: Shared,
}

impl Wires {
    pub(crate) fn new(shared: Shared) -> Self {
        Self { shared }
    }

    /// What is addressed to another node is not for this one; the server says so too, later.
    fn may_hear(&self, addressee: Option<(&str, &str)>) -> Result<(), Error> {
        let is_others = addressee.is_some_and(|(node, _)| node != self.shared.node.as_str());
        let may = if is_others {
            Err(Error::Denied)
        } else {
            Ok(())
        };
        self.shared.counters.ended(may)
    }

    /// Waits until the server has taken what was sent before, by a question that it answers itself.
    async fn has_taken(&self) -> Result<(), Error> {
        let nobody = self.shared.names.nobody(self.shared.node.as_str());
        match self.ask(nobody, Vec::new(), SUBSCRIBE).await {
            Ok(_) | Err(CallError::Nobody) => Ok(()),
            Err(CallError::Timeout) => Err(Error::Unavailable),
            Err(CallError::Other(error)) => Err(error),
        }
    }

    async fn ask(
        &self,
        subject: String,
        body: Vec<u8>,
        within: Duration,
    ) -> Result<Vec<u8>, CallError> {
        let shared = &self.shared;
        shared.link.check().map_err(CallError::Other)?;
        let request = Request::new().payload(body.into()).timeout(Some(within));
        let asked = shared.client.send_request(subject.clone(), request);
        let answered = shared.link.unless_refused(&subject, asked).await;
        let answer = answered.map_err(CallError::Other)?;
        answer
            .map(|answer| answer.payload.to_vec())
            .map_err(|error| match error.kind() {
                RequestErrorKind::NoResponders => CallError::Nobody,
                RequestErrorKind::TimedOut => CallError::Timeout,
                RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => {
                    CallError::Other(Error::Invalid("this cannot be asked"))
                }
                RequestErrorKind::Other => CallError::Other(Error::Unknown),
            })
    }
}

#[async_trait]
impl Bus for Wires {
    fn publish(&self, topic: &Topic, body: Vec<u8>) -> Result<(), Error> {
        check_body(&body)?;
        let shared = &self.shared;
        let node = shared.node.as_str();
        let subject = shared
            .names
            .topic(Way::News, node, topic.as_str(), topic.addressee());
        shared.out.send(subject, body)
    }

    async fn subscribe(&self, pattern: &Pattern) -> Result<Box<dyn Feed<Delivery>>, Error> {
        self.may_hear(pattern.addressee())?;
        let shared = &self.shared;
        let mut states = shared.link.follow();
        let subject = shared.names.listening(Way::News, pattern);
        let heard = shared.client.subscribe(subject).await;
        let heard = heard.map_err(|_closed| Error::Unavailable)?;
        self.has_taken().await?;
        let state = *states.borrow_and_update();
        Ok(Box::new(Listening {
            heard,
            names: shared.names.clone(),
            states,
            state,
        }))
    }

    async fn request(
        &self,
        to: &Topic,
        body: Vec<u8>,
        within: Duration,
    ) -> Result<Vec<u8>, CallError> {
        check_body(&body).map_err(CallError::Other)?;
        let node = self.shared.node.as_str();
        let names = &self.shared.names;
        let subject = names.topic(Way::Question, node, to.as_str(), to.addressee());
        self.ask(subject, body, within).await
    }

    async fn serve(&self, at: &Topic) -> Result<Box<dyn Feed<Call>>, Error> {
        self.may_hear(at.addressee())?;
        let shared = &self.shared;
        let subject = shared
            .names
            .listening(Way::Question, &Pattern::from(at.clone()));
        let asked = shared.client.queue_subscribe(subject, TURNS.to_owned());
        let asked = asked.await.map_err(|_closed| Error::Unavailable)?;
        self.has_taken().await?;
        Ok(Box::new(Serving {
            asked,
            shared: shared.clone(),
        }))
    }
}

struct Listening {
    heard: Subscriber,
    names: Names,
    states: watch::Receiver<State>,
    /// As it was told last.
    state: State,
}

impl Listening {
    fn told(&mut self) -> Option<Delivery> {
        let now = *self.states.borrow_and_update();
        let before = std::mem::replace(&mut self.state, now);
        if now.made != before.made {
            return Some(Delivery::Reconnected);
        }
        // Which reader was too slow is not told: all take care.
        (now.slow != before.slow).then_some(Delivery::Lagged(0))
    }
}

#[async_trait]
impl Feed<Delivery> for Listening {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            if let Some(told) = self.told() {
                return Some(told);
            }
            tokio::select! {
                biased;
                changed = self.states.changed() => changed.ok()?,
                message = self.heard.next() => {
                    let message = message?;
                    if let Some((from, topic)) = self.names.spoken(&message.subject) {
                        let body = message.payload.to_vec();
                        return Some(Delivery::Message { from, topic, body });
                    }
                }
            }
        }
    }
}

struct Serving {
    asked: Subscriber,
    shared: Shared,
}

#[async_trait]
impl Feed<Call> for Serving {
    async fn next(&mut self) -> Option<Call> {
        loop {
            let message = self.asked.next().await?;
            let spoken = self.shared.names.spoken(&message.subject);
            let (Some((from, topic)), Some(reply)) = (spoken, message.reply) else {
                continue;
            };
            let out = self.shared.out.clone();
            let answer = move |body| out.send(reply.to_string(), body);
            return Some(Call::new(from, topic, message.payload.to_vec(), answer));
        }
    }
}
