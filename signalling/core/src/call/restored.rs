//! A call as it was stored, taken up again after a restart.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::id::UserId;

use super::Call;
use super::session::Session;
use crate::io::{Moment, RestoredCall};
use crate::jobs::{Job, Jobs};
use crate::limit::Allowance;

impl Call {
    pub(crate) fn restored(
        stored: RestoredCall,
        bot: &UserId,
        at: Moment,
        grace: Duration,
    ) -> Self {
        let call = stored.call;
        let mut jobs = Jobs::default();
        for record in stored.jobs {
            let kind = record.kind;
            *jobs.get_mut(kind) = Some(Job::restored(record, at));
        }
        let sessions = stored.sessions.into_iter().map(|record| {
            let session = Session {
                is_bot: record.user == *bot,
                id: record.id,
                user: record.user,
                login: record.login,
                connection: record.connection,
                join_at_ms: record.join_at_ms,
                unmuted: record.unmuted,
                raised_hand_ms: record.raised_hand_ms,
                video: record.video,
                job: record.job,
                lost_until: Some(at.now + grace),
                removed_until: None,
                allowance: Allowance::full(at.now),
            };
            (session.id.clone(), session)
        });
        let sessions: BTreeMap<_, _> = sessions.collect();
        Self {
            id: call.id,
            channel: call.channel,
            title: call.title,
            start_at_ms: call.start_at_ms,
            owner: call.owner,
            host: call.host,
            host_locked: call.host_locked,
            post: call.post,
            thread: call.thread,
            presenter: call
                .presenter
                .filter(|presenter| sessions.contains_key(presenter)),
            sessions,
            participants: call.participants,
            dismissed: call.dismissed,
            media: call.media,
            jobs,
            waiting: Vec::new(),
            ends_until: None,
        }
    }
}
