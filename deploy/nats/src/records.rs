//! Records: the last message of a subject, written with the number that the last one must have.

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::header::{HeaderMap, NATS_EXPECTED_LAST_SUBJECT_SEQUENCE};
use async_nats::jetstream::consumer::push::{Ordered, OrderedConfig};
use async_nats::jetstream::consumer::{DeliverPolicy, ReplayPolicy};
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::Stream;
use async_trait::async_trait;
use cluster::name::{check_body, check_key, check_prefix};
use cluster::{Change, Directory, Error, Feed, Read, Revision, Versioned};
use futures_util::StreamExt as _;

use crate::answers::{self, Refused};
use crate::names::Bucket;
use crate::open::Shared;

/// What a removed record bears instead of a value.
const OPERATION: &str = "KV-Operation";
const REMOVED: &str = "DEL";

/// A removed record leaves its number behind: a creation must know it. So often somebody may be quicker.
const CREATIONS: usize = 3;
/// Before a watch that broke off is begun again.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Clone)]
pub(crate) struct Records {
    shared: Shared,
    bucket: Bucket,
}

/// What lies at a key, removed or not.
struct Last {
    value: Option<Vec<u8>>,
    revision: u64,
}

impl Records {
    pub(crate) fn new(shared: Shared, bucket: Bucket) -> Self {
        Self { shared, bucket }
    }

    async fn stream(&self) -> Result<Stream<()>, Error> {
        let name = self.shared.names.records(self.bucket);
        let stream = self.shared.context.get_stream_no_info(name).await;
        stream.map_err(|_| Error::Invalid("the name of a cluster is one token"))
    }

    /// Writes a record whatever was there.
    pub(crate) async fn put(&self, key: &str, value: Vec<u8>) -> Result<Revision, Error> {
        self.write(key, None, value, HeaderMap::new()).await
    }

    /// Writes if the last number of the key is this one; 0: if there is none.
    async fn write(
        &self,
        key: &str,
        at: Option<u64>,
        value: Vec<u8>,
        mut headers: HeaderMap,
    ) -> Result<Revision, Error> {
        check_key(key)?;
        check_body(&value)?;
        self.shared.link.check()?;
        let subject = self.shared.names.record(self.bucket, key);
        if let Some(at) = at {
            headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, at.to_string());
        }
        let written = publish(&self.shared, &subject, value, headers).await;
        written.map(Revision).map_err(|refused| match refused {
            Refused::Error(error) => error,
            Refused::IsThere => Error::Conflict { current: None },
        })
    }

    async fn last(&self, key: &str, read: Read) -> Result<Option<Last>, Error> {
        check_key(key)?;
        self.shared.link.check()?;
        let subject = self.shared.names.record(self.bucket, key);
        let stream = self.stream().await?;
        let found = match read {
            Read::Recent => match stream.direct_get_last_for_subject(subject).await {
                Ok(found) => found,
                Err(error) => return answers::recent(&error).map(|()| None),
            },
            Read::Latest => match stream.get_last_raw_message_by_subject(&subject).await {
                Ok(found) => found,
                Err(error) => return answers::latest(&error).map(|()| None),
            },
        };
        Ok(Some(Last {
            revision: found.sequence,
            value: value_of(&found),
        }))
    }
}

fn value_of(message: &StreamMessage) -> Option<Vec<u8>> {
    let is_removed = message.headers.get(OPERATION).is_some();
    (!is_removed).then(|| message.payload.to_vec())
}

/// Publishes into a stream and waits for the acknowledgement; its number.
pub(crate) async fn publish(
    shared: &Shared,
    subject: &str,
    body: Vec<u8>,
    headers: HeaderMap,
) -> Result<u64, Refused> {
    let message = PublishMessage::build()
        .payload(body.into())
        .headers(headers);
    let sent = async {
        let sent = shared.context.send_publish(subject.to_owned(), message);
        sent.await?.await
    };
    let answered = shared.link.unless_refused(subject, sent).await;
    match answered.map_err(Refused::Error)? {
        Ok(written) if written.duplicate => Err(Refused::IsThere),
        Ok(written) => Ok(written.sequence),
        Err(error) => Err(answers::write(&error)),
    }
}

#[async_trait]
impl Directory for Records {
    async fn get(&self, key: &str, read: Read) -> Result<Option<Versioned>, Error> {
        let last = self.shared.counters.ended(self.last(key, read).await)?;
        Ok(last.and_then(|last| {
            let revision = Revision(last.revision);
            last.value.map(|value| Versioned { value, revision })
        }))
    }

    async fn create(&self, key: &str, value: Vec<u8>) -> Result<Revision, Error> {
        let mut at = 0;
        let mut created = Err(Error::Conflict { current: None });
        for _ in 0..CREATIONS {
            created = self
                .write(key, Some(at), value.clone(), HeaderMap::new())
                .await;
            if !matches!(created, Err(Error::Conflict { .. })) {
                break;
            }
            // Is one there, or has one been removed?
            at = match self.last(key, Read::Latest).await {
                Ok(Some(Last {
                    value: None,
                    revision,
                })) => revision,
                Ok(Some(last)) => {
                    let current = Some(Revision(last.revision));
                    created = Err(Error::Conflict { current });
                    break;
                }
                Ok(None) => 0,
                Err(error) => {
                    created = Err(error);
                    break;
                }
            };
        }
        self.shared.counters.ended(created)
    }

    async fn swap(&self, key: &str, at: Revision, value: Vec<u8>) -> Result<Revision, Error> {
        let written = self.write(key, Some(at.0), value, HeaderMap::new()).await;
        self.shared.counters.ended(written)
    }

    async fn remove(&self, key: &str, at: Revision) -> Result<(), Error> {
        let mut headers = HeaderMap::new();
        headers.insert(OPERATION, REMOVED);
        let removed = self.write(key, Some(at.0), Vec::new(), headers).await;
        self.shared.counters.ended(removed.map(drop))
    }

    async fn watch(&self, prefix: &str) -> Result<Box<dyn Feed<Change>>, Error> {
        check_prefix(prefix)?;
        let below = if prefix.is_empty() {
            ">".to_owned()
        } else {
            format!("{prefix}.>")
        };
        let mut watch = Watch {
            prefix: self.shared.names.record(self.bucket, ""),
            filter: self.shared.names.record(self.bucket, &below),
            records: self.clone(),
            heard: None,
            told: VecDeque::new(),
            is_synced: false,
            newest: 0,
            last: 0,
        };
        self.shared.counters.ended(watch.begin().await)?;
        Ok(Box::new(watch))
    }
}

struct Watch {
    records: Records,
    /// What stands before every key.
    prefix: String,
    filter: String,
    heard: Option<Ordered>,
    told: VecDeque<Change>,
    is_synced: bool,
    /// The number of the last write when it began: a copy may tell what it has before that has come to it.
    newest: u64,
    /// Numbers grow over the whole bucket: one that does not is told twice.
    last: u64,
}

impl Watch {
    async fn begin(&mut self) -> Result<(), Error> {
        let shared = &self.records.shared;
        shared.link.check()?;
        let config = OrderedConfig {
            deliver_subject: shared.client.new_inbox(),
            filter_subject: self.filter.clone(),
            deliver_policy: DeliverPolicy::LastPerSubject,
            replay_policy: ReplayPolicy::Instant,
            ..OrderedConfig::default()
        };
        let stream = self.records.stream().await?;
        // Asked of the one that leads.
        self.newest = match stream.get_last_raw_message_by_subject(&self.filter).await {
            Ok(newest) => newest.sequence,
            Err(error) => answers::latest(&error).map(|()| 0)?,
        };
        let consumer = stream.create_consumer(config).await;
        let consumer = consumer.map_err(|error| unavailable(&error))?;
        let is_empty = self.newest == 0 && consumer.cached_info().num_pending == 0;
        let heard = consumer.messages().await;
        self.heard = Some(heard.map_err(|error| unavailable(&error))?);
        self.last = 0;
        self.is_synced = is_empty;
        if is_empty {
            // Of nothing nothing comes, not even that this was all.
            self.told.push_back(Change::Synced);
        }
        Ok(())
    }

    fn take(&mut self, message: &async_nats::jetstream::Message) {
        let Ok(info) = message.info() else {
            return;
        };
        let (sequence, pending) = (info.stream_sequence, info.pending);
        let key = message.subject.strip_prefix(&self.prefix);
        if let Some(key) = key.filter(|_| sequence > self.last) {
            self.last = sequence;
            let revision = Revision(sequence);
            let headers = message.headers.as_ref();
            let is_removed = headers.is_some_and(|headers| headers.get(OPERATION).is_some());
            let key = key.to_owned();
            self.told.push_back(if is_removed {
                Change::Gone { key, revision }
            } else {
                Change::Set {
                    key,
                    value: message.payload.to_vec(),
                    revision,
                }
            });
        }
        if !self.is_synced && pending == 0 && sequence >= self.newest {
            self.is_synced = true;
            self.told.push_back(Change::Synced);
        }
    }
}

fn unavailable(error: &dyn std::error::Error) -> Error {
    tracing::debug!(%error, "a watch could not be begun");
    Error::Unavailable
}

#[async_trait]
impl Feed<Change> for Watch {
    async fn next(&mut self) -> Option<Change> {
        loop {
            if let Some(change) = self.told.pop_front() {
                return Some(change);
            }
            let Some(heard) = &mut self.heard else {
                tokio::time::sleep(PAUSE).await;
                if self.begin().await.is_ok() {
                    self.told.push_front(Change::Resync);
                }
                continue;
            };
            match heard.next().await {
                Some(Ok(message)) => self.take(&message),
                Some(Err(error)) => {
                    tracing::debug!(%error, "a watch broke off; it is begun again");
                    self.heard = None;
                }
                None => self.heard = None,
            }
        }
    }
}
