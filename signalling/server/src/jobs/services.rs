//! All job services: which one takes a job, and what can be expected of them together.
//!
//! In: a job. Out: what the service says that took it.
//! A job goes to the one with the fewest, to the next when that refuses or is away, and waits for a place
//! at the first when all are full. A transcript goes where the recording of its call is: what is lost with
//! a service is then one call's, and both go on together (`signalling_core`).
//! Invariant: a service that does not answer is asked last, and keeps nobody waiting who has another.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use proto::id::ChannelId;
use proto::offload::{JobsReport, Translated, Translation};
use proto::redact::Secret;
use signalling_core::{JobKind, JobRequest, JobTaken};

use super::{JobService, Speech};

/// How long a job may wait for a place.
const WAIT_SEC: u32 = 20;

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
        let order = self.order(channel, job.kind).await;
        let mut refused = None;
        // Nobody waits for one place while there is another.
        let asked = order.iter().map(|&index| (index, 0));
        for (index, wait_sec) in asked.chain(order.first().map(|&first| (first, WAIT_SEC))) {
            let Some(service) = self.services.get(index) else {
                continue;
            };
            match service.create(channel, job, token, wait_sec).await {
                Ok(taken) => {
                    if job.kind == JobKind::Recording {
                        self.recorders().insert(channel.clone(), index);
                    }
                    tracing::info!(
                        address = service.base(),
                        kind = job.kind.as_str(),
                        job = %job.job,
                        "job taken"
                    );
                    return Ok(taken);
                }
                Err(reason) => {
                    tracing::info!(
                        address = service.base(),
                        reason,
                        "job not taken here; another is asked"
                    );
                    refused.get_or_insert(reason);
                }
            }
        }
        Err(refused.unwrap_or_default())
    }

    /// In which order they are asked, by index.
    async fn order(&self, channel: &ChannelId, kind: JobKind) -> Vec<usize> {
        let recorder = self.recorders().get(channel).copied();
        let recorder = recorder.filter(|_| kind != JobKind::Recording);
        let reports = join_all(self.each().map(JobService::report)).await;
        let ranks = self.each().zip(reports).enumerate();
        let mut ranks: Vec<_> = ranks
            .map(|(index, (service, report))| Rank {
                is_away: report.is_err(),
                is_elsewhere: recorder.is_some_and(|recorder| recorder != index),
                is_deaf: !service.speech().problem.is_empty(),
                jobs: report.map_or(0, |report| report.jobs.len()),
                index,
            })
            .collect();
        ranks.sort_unstable();
        ranks.into_iter().map(|rank| rank.index).collect()
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
        for service in self.each() {
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

    /// What was heard last of speech, from whoever would be asked for it.
    pub(crate) fn speech(&self) -> Speech {
        let mut heard: Vec<Speech> = self.each().map(JobService::speech).collect();
        heard.sort_by_key(|speech| !speech.problem.is_empty());
        heard.into_iter().next().unwrap_or_default()
    }

    /// Asks those that were not asked just now, and returns what is known then.
    pub(crate) async fn fresh_speech(&self) -> Speech {
        join_all(self.each().map(JobService::fresh_speech)).await;
        self.speech()
    }

    fn recorders(&self) -> MutexGuard<'_, HashMap<ChannelId, usize>> {
        self.recorders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What decides who is asked first, the weightiest above.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_away: bool,
    is_elsewhere: bool,
    is_deaf: bool,
    jobs: usize,
    index: usize,
}
