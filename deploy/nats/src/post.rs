//! Jobs in a work queue, the dead beside it.
//!
//! The server lends a job again and again: who has had it too often is `cluster::claim`'s business. A
//! bound of the server's own would leave such a job lying for ever, told of in a message that may be lost.

use std::time::Duration;

use async_nats::header::{HeaderMap, NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_ID};
use async_nats::jetstream::consumer::push::{Ordered, OrderedConfig};
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use async_nats::jetstream::{AckKind, Message};
use async_trait::async_trait;
use cluster::queue::{LEASE, MOST_JOBS};
use cluster::workers::{Parcel, Post};
use cluster::{Error, Feed, Job, Submitted};
use futures_util::StreamExt as _;
use proto::cluster::Turn;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::answers::Refused;
use crate::names::WORKERS;
use crate::open::Shared;
use crate::records::publish;

/// How long one request for a job lies at the server: after an election it must be made anew.
const ASK: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct Office {
    shared: Shared,
    /// Made with the first job that is asked for, and anew after an error.
    consumer: Mutex<Option<Consumer<pull::Config>>>,
}

impl Office {
    pub(crate) fn new(shared: Shared) -> Self {
        Self {
            shared,
            consumer: Mutex::new(None),
        }
    }

    async fn consumer(&self) -> Result<Consumer<pull::Config>, Error> {
        let mut known = self.consumer.lock().await;
        if let Some(consumer) = &*known {
            return Ok(consumer.clone());
        }
        let jobs = self.shared.names.jobs();
        let config = pull::Config {
            durable_name: Some(WORKERS.to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: LEASE,
            max_deliver: -1,
            max_ack_pending: i64::try_from(MOST_JOBS).unwrap_or(i64::MAX),
            ..pull::Config::default()
        };
        let made = self.shared.context.create_consumer_on_stream(config, jobs);
        let made = made.await.map_err(|error| {
            tracing::debug!(%error, "jobs cannot be asked for");
            Error::Unavailable
        })?;
        Ok(known.insert(made).clone())
    }

    /// Asks once; an error makes the consumer anew the next time.
    async fn ask(&self, wait: Duration) -> Result<Option<Message>, Error> {
        self.shared.link.check()?;
        let consumer = self.consumer().await?;
        let asked = async {
            let request = consumer.batch().max_messages(1);
            // Without a wait: what is there now, or nothing.
            let mut found = if wait.is_zero() {
                consumer.fetch().max_messages(1).messages().await?
            } else {
                request.expires(wait).messages().await?
            };
            found.next().await.transpose()
        };
        let asked: Result<_, async_nats::Error> = asked.await;
        match asked {
            Ok(found) => Ok(found),
            Err(error) => {
                tracing::debug!(%error, "no job could be asked for");
                *self.consumer.lock().await = None;
                Err(Error::Unavailable)
            }
        }
    }
}

#[async_trait]
impl Post for Office {
    async fn submit(&self, job: Job) -> Result<Submitted, Error> {
        self.shared.link.check()?;
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, job.id.as_str());
        let subject = self.shared.names.job(&job.id);
        match publish(&self.shared, &subject, job.body, headers).await {
            Ok(_) => Ok(Submitted::New),
            Err(Refused::IsThere) => Ok(Submitted::Duplicate),
            Err(Refused::Error(error)) => Err(error),
        }
    }

    async fn next(&self, wait: Duration) -> Result<Option<Box<dyn Parcel>>, Error> {
        let end = Instant::now() + wait;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if let Some(message) = self.ask(left.min(ASK)).await? {
                return lent(&self.shared, message).map(Some);
            }
            if Instant::now() >= end {
                return Ok(None);
            }
        }
    }

    async fn bury(&self, id: &str, letter: Vec<u8>) -> Result<(), Error> {
        self.shared.link.check()?;
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
        let subject = self.shared.names.dead_job(id);
        match publish(&self.shared, &subject, letter, headers).await {
            // It lies there already.
            Ok(_) | Err(Refused::IsThere | Refused::Error(Error::Conflict { .. })) => Ok(()),
            Err(Refused::Error(error)) => Err(error),
        }
    }

    async fn dead(&self) -> Result<Box<dyn Feed<Vec<u8>>>, Error> {
        let mut dead = Dead {
            shared: self.shared.clone(),
            heard: None,
            last: 0,
        };
        dead.begin().await?;
        Ok(Box::new(dead))
    }
}

fn lent(shared: &Shared, message: Message) -> Result<Box<dyn Parcel>, Error> {
    let no_job = Error::Invalid("what lies in the queue of jobs is none");
    let info = message.info().map_err(|_| no_job.clone())?;
    let turn = Turn {
        message: info.stream_sequence,
        delivery: u64::try_from(info.delivered).unwrap_or(0),
    };
    let id = message.subject.rsplit('.').next().ok_or(no_job)?;
    let job = Job {
        id: id.to_owned(),
        body: message.payload.to_vec(),
    };
    Ok(Box::new(Lent {
        shared: shared.clone(),
        message,
        job,
        turn,
    }))
}

struct Lent {
    shared: Shared,
    message: Message,
    job: Job,
    turn: Turn,
}

#[async_trait]
impl Parcel for Lent {
    fn job(&self) -> &Job {
        &self.job
    }

    fn turn(&self) -> Turn {
        self.turn
    }

    async fn extend(&self) -> Result<(), Error> {
        self.shared.link.check()?;
        let said = self.message.ack_with(AckKind::Progress).await;
        said.map_err(|_| Error::Unavailable)
    }

    async fn give_back(&self, after: Duration) -> Result<(), Error> {
        self.shared.link.check()?;
        let said = self.message.ack_with(AckKind::Nak(Some(after))).await;
        said.map_err(|_| Error::Unavailable)
    }

    async fn take_out(&self) -> Result<(), Error> {
        self.shared.link.check()?;
        self.message.double_ack().await.map_err(|_| Error::Unknown)
    }
}

struct Dead {
    shared: Shared,
    heard: Option<Ordered>,
    last: u64,
}

impl Dead {
    async fn begin(&mut self) -> Result<(), Error> {
        self.shared.link.check()?;
        let config = OrderedConfig {
            deliver_subject: self.shared.client.new_inbox(),
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: self.last + 1,
            },
            ..OrderedConfig::default()
        };
        let stream = self.shared.names.dead();
        let consumer = self
            .shared
            .context
            .create_consumer_on_stream(config, stream);
        let consumer = consumer.await.map_err(|_| Error::Unavailable)?;
        let heard = consumer.messages().await;
        self.heard = Some(heard.map_err(|_| Error::Unavailable)?);
        Ok(())
    }
}

#[async_trait]
impl Feed<Vec<u8>> for Dead {
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let Some(heard) = &mut self.heard else {
                tokio::time::sleep(PAUSE).await;
                // Not yet: tried again.
                let _begun = self.begin().await;
                continue;
            };
            let Some(Ok(message)) = heard.next().await else {
                self.heard = None;
                continue;
            };
            let number = message.info().map_or(0, |info| info.stream_sequence);
            if number > self.last {
                self.last = number;
                return Some(message.payload.to_vec());
            }
        }
    }
}
