//! What every engine does, as tests: an engine's crate names them with [`contract!`](crate::contract!).
//!
//! In: a [`Stage`], which opens engines of nodes that share one cluster nobody else uses.
#![expect(
    clippy::missing_panics_doc,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a suite tells what is wrong by panicking"
)]

pub mod bus;
pub mod directory;
pub mod queue;
pub mod registry;

use std::time::Duration;

use async_trait::async_trait;

use crate::{Engine, Feed};

/// A cluster that nobody else uses.
#[async_trait]
pub trait Stage: Send + Sync {
    /// Opens the engine of a node.
    async fn engine(&self, node: &str) -> Engine;
}

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes a test of each rule: `$open` is an `async fn() -> impl Stage` beside it, `$test` the attribute
/// of a test.
#[macro_export]
macro_rules! contract {
    ($open:ident, $test:meta) => {
        $crate::contract! { @parts $open, $test,
            directory: [
                a_record_is_created_once_and_changed_from_where_it_is
                what_is_not_there_is_neither_changed_nor_removed
                of_many_who_write_from_one_revision_one_wins
                of_many_who_create_over_what_was_removed_one_wins
                every_acknowledged_increment_counts
                the_latest_is_what_the_last_write_made_it
                a_watch_tells_what_is_there_and_then_what_changes
                a_watch_of_nothing_is_synced_at_once
                names_and_sizes_are_checked
            ]
            queue: [
                a_job_is_taken_once_and_its_result_is_there
                a_job_that_is_there_is_not_added_again
                a_job_that_is_done_is_not_begun_again
                a_job_given_back_comes_again_after_its_time
                a_job_that_failed_lies_with_the_dead
                a_job_given_back_too_often_is_dead
                many_workers_share_many_jobs
                a_silent_worker_loses_its_job_and_learns_it
                signs_keep_a_job
            ]
            bus: [
                everybody_who_listens_hears_in_order
                patterns_choose
                a_question_is_answered_by_one_of_those_who_serve
                nobody_is_said_at_once_and_silence_at_its_time
                what_is_addressed_to_a_node_is_heard_by_it_alone
                who_is_too_slow_learns_it
            ]
            registry: [
                who_joins_is_seen_with_its_facts_and_who_leaves_goes
                facts_and_load_are_told_when_they_change
                who_falls_silent_is_suspected_and_then_down
                a_later_start_replaces_an_earlier_one
                a_node_joins_once
            ]
        }
    };
    (@parts $open:ident, $test:meta, $($part:ident: [$($rule:ident)*])*) => { $(
        mod $part { $(
            #[$test]
            async fn $rule() {
                let stage = super::$open().await;
                $crate::contract::$part::$rule(&stage).await;
            }
        )* }
    )* };
}

/// The next of a feed.
async fn next<T>(feed: &mut Box<dyn Feed<T>>) -> T {
    let next = tokio::time::timeout(PATIENCE, feed.next()).await;
    next.expect("something comes in time").expect("it goes on")
}

/// Nothing comes for this long.
async fn nothing<T: std::fmt::Debug>(feed: &mut Box<dyn Feed<T>>, during: Duration) {
    if let Ok(came) = tokio::time::timeout(during, feed.next()).await {
        panic!("{came:?} came");
    }
}
