//! What is recorded of the running call: the way to end it in order when its machine is lost.
//!
//! In: records as they are made. Out: the call as a restart would find it.

use std::collections::BTreeMap;

use proto::id::SessionId;
use signalling_core::{CallRecord, JobKind, JobRecord, Record, RestoredCall, SessionRecord};

/// The newest records of one call.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    call: Option<CallRecord>,
    sessions: BTreeMap<SessionId, SessionRecord>,
    jobs: BTreeMap<JobKind, JobRecord>,
}

impl Mirror {
    pub(super) fn of(stored: &RestoredCall) -> Self {
        let mut mirror = Self::default();
        mirror.note(&Record::Call(stored.call.clone()));
        for session in &stored.sessions {
            mirror.note(&Record::Session(session.clone()));
        }
        for job in &stored.jobs {
            mirror.note(&Record::Job(job.clone()));
        }
        mirror
    }

    pub(super) fn note(&mut self, record: &Record) {
        match record {
            Record::Call(call) => self.call = Some(call.clone()),
            Record::Session(session) => {
                self.sessions.insert(session.id.clone(), session.clone());
            }
            Record::SessionGone(session) => {
                self.sessions.remove(session);
            }
            Record::Job(job) => {
                self.jobs.insert(job.kind, job.clone());
            }
        }
    }

    /// `None` while nothing was recorded.
    pub(super) fn into_stored(self) -> Option<RestoredCall> {
        Some(RestoredCall {
            call: self.call?,
            sessions: self.sessions.into_values().collect(),
            jobs: self.jobs.into_values().collect(),
        })
    }
}
