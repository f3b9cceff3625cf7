//! What is heard of jobs when their call is over: films and transcripts are made after it.
//!
//! In: a bot's report that no call took. Out: the job's record, news for its channel, a post.

use std::sync::Arc;

use proto::id::{ChannelId, JobId};
use signalling_core::{
    Call, CallRecord, Envelope, JobFailure, JobKind, JobRecord, JobView, News, Record, To,
};

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
        failure: JobFailure,
    ) -> Result<bool, StoreError> {
        let Some((mut job, call)) = self.store.job(job).await? else {
            return Ok(false);
        };
        if call.channel != *channel || job.kind != kind {
            return Ok(false);
        }
        job.failure = Some(failure.clone());
        if job.end_at_ms == 0 {
            job.end_at_ms = moment().unix_ms;
        }
        self.store.keep_all(&[Record::Job(job.clone())]).await?;
        self.tell_late(&call, view(&job, None)).await;
        let edit = failure.in_the_thread(kind, job.id);
        if let (Some(post), Some(edit)) = (call.post, edit) {
            self.edit_post(&post, edit);
        }
        Ok(true)
    }

    /// Tells the channel how much is made of what comes of a job whose call is over. Not kept. Says
    /// whether there is such a job.
    pub(crate) async fn note_late_progress(
        self: &Arc<Self>,
        channel: &ChannelId,
        job: &JobId,
        kind: JobKind,
        percent: u8,
    ) -> Result<bool, StoreError> {
        let Some((job, call)) = self.store.job(job).await? else {
            return Ok(false);
        };
        if call.channel != *channel || job.kind != kind {
            return Ok(false);
        }
        self.tell_late(&call, view(&job, Some(percent))).await;
        Ok(true)
    }

    /// Tells the channel how a job of a call that is over stands. Not while another call runs there:
    /// the news names no call, and who is recorded in that one would read that nobody is.
    async fn tell_late(self: &Arc<Self>, of: &CallRecord, job: JobView) {
        let another_runs = self.look(&of.channel, Call::is_running).await == Some(true);
        if of.end_at_ms > 0 && !another_runs {
            let (news, to) = (News::Job(job), To::Room);
            self.publish(&of.channel, Envelope { news, to });
        }
    }
}

fn view(job: &JobRecord, progress: Option<u8>) -> JobView {
    JobView {
        kind: job.kind,
        init_at_ms: job.init_at_ms,
        start_at_ms: job.start_at_ms,
        end_at_ms: job.end_at_ms,
        failure: job.failure.clone(),
        paused_at_ms: 0,
        progress,
    }
}
