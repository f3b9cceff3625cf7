//! What must be there on the servers, made when it is not.
//!
//! Made as streams: the client's own call for a bucket asks for something that 2.9 answers in a form it
//! cannot read. Nodes make it themselves, with a right to make and none to change or delete: what is in
//! memory is gone when a server starts again, and nobody is there to run a command then.

use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use cluster::directory::RECORD_AGE;
use cluster::members::FACTS_AGE;
use cluster::queue::MOST_JOBS;

use crate::names::{Bucket, Names};

/// Submissions of a job's id within this time are known to be the same, whatever became of it.
const DUPLICATES: Duration = Duration::from_secs(120);
/// The dead that are kept, and for how long.
const MOST_DEAD: i64 = 1000;
const DEAD_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Largest message that a stream takes: a body, and its head.
const MOST_BYTES: i32 = 80 * 1024;

fn records(names: &Names, bucket: Bucket, age: Duration, storage: StorageType) -> Config {
    Config {
        name: names.records(bucket),
        subjects: vec![names.record(bucket, ">")],
        max_messages_per_subject: 1,
        max_message_size: MOST_BYTES,
        max_age: age,
        storage,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        discard: DiscardPolicy::New,
        // A window longer than what is kept is refused.
        duplicate_window: DUPLICATES.min(age),
        ..Config::default()
    }
}

pub(crate) fn streams(names: &Names, copies: usize) -> Vec<Config> {
    let mut streams = vec![
        records(names, Bucket::Nodes, FACTS_AGE, StorageType::Memory),
        records(names, Bucket::Directory, RECORD_AGE, StorageType::File),
        records(names, Bucket::Claims, RECORD_AGE, StorageType::File),
        Config {
            name: names.jobs(),
            subjects: vec![names.job("*")],
            retention: RetentionPolicy::WorkQueue,
            // One job of an id, for as long as it is there.
            max_messages_per_subject: 1,
            discard: DiscardPolicy::New,
            discard_new_per_subject: true,
            max_messages: i64::try_from(MOST_JOBS).unwrap_or(i64::MAX),
            max_message_size: MOST_BYTES,
            duplicate_window: DUPLICATES,
            ..Config::default()
        },
        Config {
            name: names.dead(),
            subjects: vec![names.dead_job("*")],
            max_messages_per_subject: 1,
            max_messages: MOST_DEAD,
            max_message_size: MOST_BYTES,
            max_age: DEAD_AGE,
            duplicate_window: DUPLICATES,
            ..Config::default()
        },
    ];
    for stream in &mut streams {
        stream.num_replicas = copies;
    }
    streams
}

/// Why something is not there and could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{stream}` is not on the servers between the nodes and could not be made: {why}")]
pub struct NotMade {
    stream: String,
    why: String,
}

/// Makes what is missing; what is there stays as it is.
pub(crate) async fn ensure(context: &Context, names: &Names, copies: usize) -> Result<(), NotMade> {
    for wanted in streams(names, copies) {
        let name = wanted.name.clone();
        match context.get_or_create_stream(wanted).await {
            Ok(stream) => {
                let has = stream.cached_info().config.num_replicas;
                if has != copies {
                    tracing::warn!(
                        stream = name,
                        has,
                        wanted = copies,
                        "`cluster.copies` is not what the servers have; they keep what they have"
                    );
                }
            }
            Err(error) => {
                let why = error.to_string();
                return Err(NotMade { stream: name, why });
            }
        }
    }
    Ok(())
}
