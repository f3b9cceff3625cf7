//! A call as it was stored, taken up again after a restart.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Conversation;
use super::session::Session;
use crate::io::{Moment, Setting};
use crate::jobs::{Job, Jobs};
use crate::outbox::Outbox;
use crate::record::RestoredCall;
use crate::rush::Rush;

impl Conversation {
    pub(crate) fn restored(
        setting: Setting,
        stored: RestoredCall,
        at: Moment,
        grace: Duration,
    ) -> Self {
        let bot = &setting.features.bot;
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
                media: record.media,
                join_at_ms: record.join_at_ms,
                unmuted: record.unmuted,
                raised_hand_ms: record.raised_hand_ms,
                video: record.video,
                voice: None,
                job: record.job,
                lost_until: Some(at.now + grace),
                removed_until: None,
            };
            (session.id.clone(), session)
        });
        let sessions: BTreeMap<_, _> = sessions.collect();
        let presenter = call.presenter.filter(|id| sessions.contains_key(id));
        let mut usage = call.usage;
        usage.keep_only(|session| sessions.contains_key(session), at);
        if presenter.is_none() {
            usage.screen_off(at);
        }
        let mut restored = Self {
            setting,
            id: call.id,
            title: call.title,
            start_at_ms: call.start_at_ms,
            owner: call.owner,
            told_host: call.host.clone(),
            host: call.host,
            host_locked: call.host_locked,
            post: call.post,
            thread: call.thread,
            sessions,
            presenter,
            participants: call.participants,
            dismissed: call.dismissed,
            usage,
            jobs,
            waiting: Vec::new(),
            rush: Rush::default(),
            leaving: Rush::default(),
            ends_until: None,
            awaited: BTreeMap::new(),
            is_over: false,
            out: Outbox::default(),
        };
        restored.await_bots_that_are_gone(at);
        if restored.sessions.is_empty() {
            restored.finish(at);
        } else {
            // Of a rush of leaves the record may know less than had happened.
            restored.elect_host();
        }
        restored
    }

    /// Of a job that runs the bot may just have lost its media.
    fn await_bots_that_are_gone(&mut self, at: Moment) {
        let Self { jobs, sessions, .. } = self;
        for job in [&mut jobs.recording, &mut jobs.transcribing] {
            let Some(job) = job.as_mut().filter(|job| job.is_running()) else {
                continue;
            };
            // By its job: on which connection it is may have been kept of the one and not yet of the other.
            let is_there = |session: &Session| session.job.as_ref() == Some(&job.id);
            if !sessions.values().any(is_there) {
                job.await_another(at);
            }
        }
    }
}
