//! All job services: which one takes a job, and what can be expected of them together.
//!
//! In: a job. Out: what the service says that took it.
//! A job goes to the one with the fewest, to the next when that refuses or is away, and waits for a place
//! when all are full. A transcript goes where the recording of its call is: what is lost with a service is
//! then one call's, and both go on together (`signalling_core`). A recording that goes on because its
//! service is lost comes back to that one last.
//! Invariant: a service that did not answer just now is asked last, and keeps nobody waiting who has another.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use proto::id::ChannelId;
use proto::offload::{JobsReport, Translated, Translation};
use proto::redact::Secret;
use serde_json::Value;
use signalling_core::{JobKind, JobRequest, JobTaken};

use super::{JobService, Speech};

/// How long a job may wait for a place.
const WAIT_SEC: u32 = 20;
/// Who has waited for so long at one service is not made to wait at another.
const WAITED: Duration = Duration::from_secs(10);
/// Which service has how many jobs must be said so soon, or does not count.
const REPORT_WITHIN: Duration = Duration::from_secs(1);

/// Every job service that is configured, at least one.
#[derive(Debug)]
pub(crate) struct JobServices {
    services: Vec<JobService>,
    /// Which one has the recording of a channel's call.
    recorders: Mutex<HashMap<ChannelId, usize>>,
}

impl JobServices {
    pub(crate) fn new(services: Vec<JobService>) -> Self {
        Self {
            services,
            recorders: Mutex::default(),
        }
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = &JobService> {
        self.services.iter()
    }

    /// Asks for a job.
    ///
    /// # Errors
    /// Why nobody took it, in the words of whoever was asked first.
    pub(crate) async fn create(
        &self,
        channel: &ChannelId,
        job: &JobRequest,
        token: &Secret,
    ) -> Result<JobTaken, String> {
        if let [only] = &self.services[..] {
            return only.create(channel, job, token, WAIT_SEC).await;
        }
        let order = self.order(channel, job).await;
        let mut refused = None;
        // Nobody waits for one place while there is another.
        for wait_sec in [0, WAIT_SEC] {
            for (index, service) in &order {
                let asked_at = Instant::now();
                match service.create(channel, job, token, wait_sec).await {
                    Ok(taken) => {
                        self.note_taken(channel, job, *index);
                        return Ok(taken);
                    }
                    Err(reason) => {
                        tracing::info!(address = service.base(), reason, "job not taken here");
                        refused.get_or_insert(reason);
                    }
                }
                if wait_sec > 0 && asked_at.elapsed() > WAITED {
                    return Err(refused.unwrap_or_default());
                }
            }
        }
        Err(refused.unwrap_or_default())
    }

    fn note_taken(&self, channel: &ChannelId, job: &JobRequest, index: usize) {
        if job.kind == JobKind::Recording {
            self.recorders().insert(channel.clone(), index);
        }
        let address = self.services.get(index).map(JobService::base);
        let kind = job.kind.as_str();
        tracing::info!(address, kind, job = %job.job, "job taken");
    }

    /// In which order they are asked, with their places in the configuration.
    async fn order(&self, channel: &ChannelId, job: &JobRequest) -> Vec<(usize, &JobService)> {
        let recorder = self.recorders().get(channel).copied();
        let is_recording = job.kind == JobKind::Recording;
        let reports = join_all(self.each().map(jobs_at)).await;
        let mut ranked: Vec<(Rank, &JobService)> = self
            .each()
            .zip(reports)
            .enumerate()
            .map(|(index, (service, jobs))| {
                let is_recorder = recorder == Some(index);
                let rank = Rank {
                    is_away: jobs.is_none(),
                    has_lost_it: is_recording && job.is_further && is_recorder,
                    is_deaf: service.is_deaf(),
                    is_elsewhere: !is_recording && recorder.is_some() && !is_recorder,
                    jobs: jobs.unwrap_or_default(),
                    index,
                };
                (rank, service)
            })
            .collect();
        ranked.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let in_order = ranked.into_iter();
        in_order
            .map(|(rank, service)| (rank.index, service))
            .collect()
    }

    /// Lines in another language; `None` where no service has anybody who translates.
    ///
    /// # Errors
    /// Why it failed, in words.
    pub(crate) async fn translate(
        &self,
        asked: &Translation,
    ) -> Result<Option<Translated>, String> {
        let mut answer = Ok(None);
        let mut services: Vec<&JobService> = self.each().collect();
        services.sort_by_key(|service| service.is_away());
        for service in services {
            match service.translate(asked).await {
                Ok(Some(translated)) => return Ok(Some(translated)),
                Ok(None) => {}
                Err(reason) => answer = Err(reason),
            }
        }
        answer
    }

    /// Which of our jobs run, and how they do; beside it, why some service does not say.
    pub(crate) async fn report(&self) -> (JobsReport, Option<String>) {
        let reports = join_all(self.each().map(JobService::report)).await;
        let mut all = JobsReport::default();
        let mut problems = Vec::new();
        let mut free: Option<u64> = None;
        for (service, report) in self.each().zip(reports) {
            match report {
                Ok(report) => {
                    all.jobs.extend(report.jobs);
                    // What fills first is what somebody has to look after.
                    free = Some(free.map_or(report.free_bytes, |free| free.min(report.free_bytes)));
                }
                Err(reason) if self.services.len() == 1 => problems.push(reason),
                Err(reason) => problems.push(format!("{}: {reason}", service.base())),
            }
        }
        all.jobs.sort_by_key(|job| job.start_at);
        all.free_bytes = free.unwrap_or_default();
        let problem = (!problems.is_empty()).then(|| problems.join("; "));
        (all, problem)
    }

    /// Each as administrators are shown it, beside the nodes.
    pub(crate) async fn overview(&self) -> Vec<Value> {
        join_all(self.each().map(JobService::overview)).await
    }

    /// What was heard last of speech, from whoever would be asked for it.
    pub(crate) fn speech(&self) -> Speech {
        let doubt = |service: &&JobService| {
            let is_known = service.is_known() && !service.is_away();
            (!is_known, !service.speech().problem.is_empty())
        };
        let asked = self.each().min_by_key(doubt);
        asked.map(JobService::speech).unwrap_or_default()
    }

    /// Asks those that were not asked just now, and returns what is known then.
    pub(crate) async fn fresh_speech(&self) -> Speech {
        let are_all_away = self.each().all(JobService::is_away);
        let asked = self.each();
        let asked = asked.filter(|service| are_all_away || !service.is_away());
        join_all(asked.map(JobService::fresh_speech)).await;
        self.speech()
    }

    fn recorders(&self) -> MutexGuard<'_, HashMap<ChannelId, usize>> {
        self.recorders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many jobs it has; `None` when it does not say, or did not answer just now.
async fn jobs_at(service: &JobService) -> Option<usize> {
    if service.is_away() {
        return None;
    }
    let report = tokio::time::timeout(REPORT_WITHIN, service.report()).await;
    let report = report.ok()?.ok()?;
    Some(report.jobs.len())
}

/// What decides who is asked first, the weightiest above.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_away: bool,
    /// The recording that goes on was there.
    has_lost_it: bool,
    /// It cannot transcribe.
    is_deaf: bool,
    /// The recording of which this is the transcript is at another.
    is_elsewhere: bool,
    jobs: usize,
    index: usize,
}
