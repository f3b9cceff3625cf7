//! A recording whose job service is lost goes on at another, as a further recording of the same call.
//!
//! In: a job that failed. Out: another that is asked for. What the first has taken is with its service,
//! which hands it in when it is there again: hence two recordings, and none that is given up.
//! Not here: which service takes it (whoever carries out `Output::RequestJob`).
//! Invariant: what the host had paused stays paused.

use proto::id::UserId;

use super::job::{Job, JobFailure, JobKind};
use crate::conversation::Conversation;
use crate::io::Moment;
use crate::record::Record;

/// So often one that was wanted goes on. What fails more often fails for a reason of its own.
const MOST_FURTHER: u32 = 5;

/// What was wanted of the recording that is lost.
pub(super) struct Wanted {
    creator: UserId,
    no_speech: Option<String>,
    is_paused: bool,
}

impl Conversation {
    /// What a further recording shall be, when this job, which is still open, fails so: people who are
    /// still there wanted it, and another service can do it.
    pub(super) fn wanted_further(&self, kind: JobKind, failure: &JobFailure) -> Option<Wanted> {
        let recording = self.jobs.recording.as_ref().filter(|job| job.is_open())?;
        // Of one that was asked for anew it is known that it can be done.
        let was_there = recording.is_running() || self.jobs.further > 0;
        let is_lost = match failure {
            JobFailure::BotVanished(_) | JobFailure::CutOff(_) | JobFailure::BotDidNotCome(_) => {
                true
            }
            JobFailure::NotTaken { .. }
            | JobFailure::NoSpeech(_)
            | JobFailure::Told(_)
            | JobFailure::Lost(_) => false,
        };
        let features = &self.setting.features;
        let goes_on = is_lost
            && was_there
            && kind == JobKind::Recording
            && self.people().next().is_some()
            && features.recordings
            && features.job_services > 1
            && self.jobs.further < MOST_FURTHER;
        let speech = self.jobs.transcribing.as_ref();
        let no_speech = speech.and_then(|job| match &job.failure {
            Some(JobFailure::NoSpeech(why)) => Some(why.clone()),
            _ => None,
        });
        goes_on.then(|| Wanted {
            creator: recording.creator.clone(),
            no_speech,
            is_paused: recording.pause_wanted,
        })
    }

    pub(super) fn go_on_further(&mut self, wanted: Wanted, at: Moment) {
        self.jobs.further += 1;
        self.request_recording(&wanted.creator, wanted.no_speech, at);
        if let Some(job) = self.jobs.recording.as_mut().filter(|_| wanted.is_paused) {
            job.pause_wanted = true;
            let record = job.record(&self.id);
            self.out.store(Record::Job(record));
        }
    }
}

impl Job {
    /// Its bot reports that it does what it came for; what pauses by then takes nothing from the beginning.
    pub(super) fn start(&mut self, at: Moment) {
        self.start_at_ms = at.unix_ms;
        if self.pause_wanted {
            self.paused_at_ms = at.unix_ms;
        }
    }
}
