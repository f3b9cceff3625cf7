//! What is heard of jobs when their call is over: a transcript is made after it.
//!
//! In: a bot's report that no call took. Out: the job's record, news for its channel, a post.

use std::sync::Arc;

use proto::id::{ChannelId, JobId};
use signalling_core::{Envelope, JobFailure, JobKind, JobView, News, PostEdit, Record, To};

use super::{Engine, moment};
use crate::store::StoreError;

impl Engine {
    /// Notes that a job of this channel failed whose call is over, or has a newer job of the kind.
    /// Says whether there is such a job.
    pub(crate) async fn note_late_failure(
        self: &Arc<Self>,
        channel: &ChannelId,
        job: &JobId,
        kind: JobKind,
        reason: String,
    ) -> Result<bool, StoreError> {
        let Some((mut job, call)) = self.store.job(job).await? else {
            return Ok(false);
        };
        if call.channel != *channel || job.kind != kind {
            return Ok(false);
        }
        let failure = JobFailure::Told(reason);
        job.failure = Some(failure.clone());
        if job.end_at_ms == 0 {
            job.end_at_ms = moment().unix_ms;
        }
        self.store.keep_all(&[Record::Job(job.clone())]).await?;
        if call.end_at_ms > 0 {
            let news = News::Job(JobView {
                kind,
                init_at_ms: job.init_at_ms,
                start_at_ms: job.start_at_ms,
                end_at_ms: job.end_at_ms,
                failure: job.failure,
            });
            self.publish(channel, Envelope { news, to: To::Room });
        }
        if let Some(post) = call.post.filter(|_| kind == JobKind::Transcribing) {
            let transcribing = job.id;
            self.edit_post(
                &post,
                PostEdit::NoTranscript {
                    transcribing,
                    failure,
                },
            );
        }
        Ok(true)
    }
}
