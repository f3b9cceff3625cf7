//! A recording whose job service is lost goes on at another, as a further recording of the same call.
//!
//! In: a job that failed. Out: another that is asked for. What the first has taken is with its service,
//! which hands it in when it is there again: hence two recordings, and none that is given up.
//! Not here: which service takes it (whoever carries out `Output::RequestJob`).

use super::job::{JobFailure, JobKind};
use crate::conversation::Conversation;
use crate::io::Moment;

/// So often one that was wanted goes on. What fails more often fails for a reason of its own.
const MOST_FURTHER: u32 = 5;

impl Conversation {
    /// Whether a job that runs, and fails so now, was wanted by people who are still there, and can be
    /// done by another service.
    pub(super) fn may_go_on_further(&self, kind: JobKind, failure: &JobFailure) -> bool {
        let is_lost = match failure {
            JobFailure::BotVanished(_) | JobFailure::CutOff(_) => true,
            JobFailure::NotTaken { .. }
            | JobFailure::BotDidNotCome(_)
            | JobFailure::NoSpeech(_)
            | JobFailure::Told(_)
            | JobFailure::Lost(_) => false,
        };
        let recording = self.jobs.recording.as_ref();
        let features = &self.setting.features;
        is_lost
            && kind == JobKind::Recording
            && recording.is_some_and(super::Job::is_running)
            && self.people().next().is_some()
            && features.recordings
            && features.job_services > 1
            && self.jobs.further < MOST_FURTHER
    }

    pub(super) fn go_on_further(&mut self, at: Moment) {
        let Some(before) = self.jobs.recording.as_ref() else {
            return;
        };
        let creator = before.creator.clone();
        let speech = self.jobs.transcribing.as_ref();
        let no_speech = speech.and_then(|job| match &job.failure {
            Some(JobFailure::NoSpeech(why)) => Some(why.clone()),
            _ => None,
        });
        self.jobs.further += 1;
        self.request_recording(&creator, no_speech, at);
    }
}
