//! Jobs: admitted, kept, followed to their end, found again after a restart.
//!
//! In: requests of authenticated callers. Out: jobs, each with a worker process (`follow`).
//! Not here: HTTP (`http`), what a worker does (`worker`).
//! Invariant: a job is in the database before its worker starts; a client sees its own jobs only;
//! a job ends in `done`, `failed` or `parked`, whatever dies in between.

use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proto::offload::{Job, JobRequest, JobType, SECRET_INPUTS, SpeechAbility, redact};
use serde_json::{Map, Value};
use service::Tasks;
use service::supervise::End;
use storage::Sealer;
use storage::space::NoRoom;

use crate::auth::{Caller, unix_ms};
use crate::config::Config;
use crate::disk::{self, Promises};
use crate::metrics::Metrics;
use crate::runner::check_runner;
use crate::store::{JobRow, Phase, Store};

mod admission;
pub mod cost;
mod echo;
mod follow;
pub mod parked;
mod report;
pub mod speech;
mod sweep;

use admission::{Admission, Candidate, Limits, Stopped};
use cost::Cores;
use speech::Speech;

/// Longest time a request may wait for a place, in seconds: a Calls plugin gives up after sixty.
const LONGEST_WAIT_SEC: u32 = 45;
/// The file in a job's folder that its workers log to.
const WORKER_LOG: &str = "worker.log";
/// Longest piece of a worker's log that is given out, in bytes.
const MAX_LOG_BYTES: u64 = 1 << 20;

/// Why a job was not created. The texts are part of the API.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("{field}: {rule}")]
    Invalid { field: &'static str, rule: String },
    #[error("failed to create {kind} job: max concurrent jobs reached")]
    Capacity { kind: JobType },
    #[error("failed to create {kind} job: {reason}")]
    NoRoom {
        kind: JobType,
        #[source]
        reason: NoRoom,
    },
    #[error("failed to create {kind} job: {reason}")]
    Internal { kind: JobType, reason: String },
}

/// Why a job was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    #[error("job is running")]
    Running,
    #[error("job not found")]
    Unknown,
    #[error("delete the job")]
    Internal(anyhow::Error),
}

/// All jobs of this service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Jobs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Config,
    store: Store,
    sealer: Sealer,
    metrics: Metrics,
    speech: Speech,
    /// Whoever follows a job is one of these.
    tasks: Tasks,
    /// Jobs whose worker has not ended, and those that wait.
    admission: Admission,
    /// The room on the disk that these have.
    promises: Promises,
}

impl Jobs {
    /// Makes the set of jobs; `recover` then takes up the unfinished ones.
    #[must_use]
    pub fn new(
        config: Config,
        store: Store,
        sealer: Sealer,
        metrics: Metrics,
        speech: Speech,
        tasks: Tasks,
    ) -> Self {
        let limits = Limits {
            jobs: config.max_concurrent_jobs,
            jobs_per_client: match config.max_concurrent_jobs_per_client {
                0 => usize::MAX,
                share => share,
            },
            cores: match config.max_cores {
                all if all.is_none() => Cores::of_this_machine(),
                some => some,
            },
        };
        Self {
            inner: Arc::new(Inner {
                config,
                store,
                sealer,
                admission: Admission::new(limits, metrics.clone()),
                promises: Promises::default(),
                metrics,
                speech,
                tasks,
            }),
        }
    }

    /// Takes up every job that an earlier run of the service did not see end.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn recover(&self) -> anyhow::Result<usize> {
        let rows = self.inner.store.unfinished().await?;
        let count = rows.len();
        for row in rows {
            self.take_up(row);
        }
        Ok(count)
    }

    /// Takes up jobs that an operator has released since (`parked`).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn take_up_released(&self) -> anyhow::Result<()> {
        for row in self.inner.store.unfinished().await? {
            if self.is_draining() || self.inner.admission.is_running(&row.id) {
                continue;
            }
            // It may have ended since the list was read.
            let row = self.inner.store.job(&row.id).await?;
            if let Some(row) = row.filter(parked::is_released) {
                self.take_up(row);
            }
        }
        Ok(())
    }

    fn take_up(&self, row: JobRow) {
        tracing::info!(job = row.id, "take up an unfinished job");
        let request: JobRequest = serde_json::from_str(&row.request).unwrap_or_default();
        let kind = JobType::parse(&request.kind);
        if let Some(kind) = kind {
            let need = disk::need_of(&request, kind);
            let folder = self.folder(&row.id);
            self.inner.promises.renew(&row.id, need, folder);
        }
        let stop = self.inner.admission.take_up(Candidate {
            id: row.id.clone(),
            tenant: row.tenant.clone(),
            cost: kind.map_or_else(Cores::default, |kind| cost::of(&request, kind)),
        });
        self.follow(row, stop, true);
    }

    /// Creates a job and starts its worker.
    ///
    /// # Errors
    /// When the request is not valid, the service is full, or the job cannot be kept.
    pub async fn create(&self, request: JobRequest, caller: &Caller) -> Result<Job, CreateError> {
        let kind = self
            .check(&request)
            .inspect_err(|_| self.refused("invalid"))?;
        let id = proto::id::new_id();
        let config = &self.inner.config;
        let places = disk::Places {
            data: &config.data_dir,
            archive: config.archive_dir.as_deref(),
        };
        let need = disk::need_of(&request, kind);
        let promised = self
            .inner
            .promises
            .give(&id, need, self.folder(&id), places);
        let promised = promised.map_err(|reason| {
            self.refused("disk");
            tracing::error!(%kind, "no room for a job: {reason}");
            CreateError::NoRoom { kind, reason }
        })?;
        let candidate = Candidate {
            id: id.clone(),
            tenant: tenant(caller).to_owned(),
            cost: cost::of(&request, kind),
        };
        let patience = Duration::from_secs(request.wait_sec.min(LONGEST_WAIT_SEC).into());
        let stop = self.inner.admission.enter(candidate, patience).await;
        let Some(stop) = stop else {
            self.refused("capacity");
            return Err(CreateError::Capacity { kind });
        };
        match self.keep(id.clone(), request, caller).await {
            Ok((row, job)) => {
                self.inner
                    .metrics
                    .jobs_accepted
                    .with_label_values(&[kind.as_str()])
                    .inc();
                tracing::info!(job = id, %kind, runner = job.request.runner, "job accepted");
                promised.keep();
                self.follow(row, stop, false);
                Ok(job)
            }
            Err(error) => {
                self.inner.admission.leave(&id);
                // Nobody will follow it: nothing of it may stay.
                let _ = remove_folder(self.folder(&id)).await;
                self.refused("internal");
                tracing::error!(job = id, "keep the job: {error:#}");
                Err(CreateError::Internal {
                    kind,
                    reason: "it could not be kept".to_owned(),
                })
            }
        }
    }

    /// One job of the caller, secrets redacted.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn read(&self, id: &str, caller: &Caller) -> anyhow::Result<Option<Job>> {
        let Some(row) = self.row(id, caller).await? else {
            return Ok(None);
        };
        let request: JobRequest = serde_json::from_str(&row.request)?;
        let mut output_data = Map::new();
        // To clients a parked job has failed as others have; beside it they may read that it is not lost.
        let phase = match row.phase {
            Phase::Parked => {
                output_data.insert("parked".to_owned(), Value::from(true));
                Phase::Failed
            }
            other @ (Phase::Capturing | Phase::Finishing | Phase::Done | Phase::Failed) => other,
        };
        output_data.insert("status".to_owned(), Value::from(phase.as_str()));
        if !row.note.is_empty() {
            output_data.insert("err".to_owned(), Value::from(row.note));
        }
        let (start_at, stop_at) = (row.start_at, row.stop_at);
        Ok(Some(Job {
            id: row.id,
            request,
            start_at,
            stop_at,
            output_data,
        }))
    }

    /// The end of the worker's log; `None` when there is no such job or no log.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn logs(&self, id: &str, caller: &Caller) -> anyhow::Result<Option<String>> {
        if self.row(id, caller).await?.is_none() {
            return Ok(None);
        }
        let path = self.folder(id).join(WORKER_LOG);
        let text = tokio::task::spawn_blocking(move || {
            let mut file = std::fs::File::open(path)?;
            let len = file.metadata()?.len();
            file.seek(SeekFrom::Start(len.saturating_sub(MAX_LOG_BYTES)))?;
            let mut bytes = Vec::new();
            file.take(MAX_LOG_BYTES).read_to_end(&mut bytes)?;
            Ok::<_, std::io::Error>(String::from_utf8_lossy(&bytes).into_owned())
        });
        Ok(text.await?.ok())
    }

    /// Removes the folder of an ended job; its record stays readable.
    ///
    /// # Errors
    /// When it still runs, is unknown, or cannot be removed.
    pub async fn delete(&self, id: &str, caller: &Caller) -> Result<(), DeleteError> {
        let row = self.row(id, caller).await.map_err(DeleteError::Internal)?;
        let row = row.ok_or(DeleteError::Unknown)?;
        if row.stop_at == 0 {
            return Err(DeleteError::Running);
        }
        remove_folder(self.folder(id))
            .await
            .map_err(|error| DeleteError::Internal(error.into()))
    }

    /// What can be expected of speech. Blocks when models must be read.
    #[must_use]
    pub fn speech_ability(&self) -> SpeechAbility {
        self.inner.speech.ability()
    }

    /// Whether the service takes no more jobs.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.inner.admission.is_closed()
    }

    /// Takes no more jobs. Those that run go on.
    pub fn close(&self) {
        self.inner.admission.close();
    }

    /// Takes no more jobs, asks every worker to end its capture and waits until all are gone or
    /// `patience` is over. Workers that need longer go on by themselves; the next start finds them.
    pub async fn drain(&self, patience: Duration) {
        self.close();
        self.inner.admission.stop_all();
        let deadline = tokio::time::Instant::now() + patience;
        while !self.inner.admission.is_empty() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The order of the checks and their texts are part of the API.
    fn check(&self, request: &JobRequest) -> Result<JobType, CreateError> {
        let invalid = |field, rule: &str| CreateError::Invalid {
            field,
            rule: rule.to_owned(),
        };
        if request.kind.is_empty() {
            return Err(invalid("invalid Type value", "should not be empty"));
        }
        if self.inner.config.validate_runners {
            check_runner(&request.runner, &self.inner.config.image_registry)
                .map_err(|error| invalid("invalid Runner value", &error.to_string()))?;
        }
        if request.max_duration_sec <= 0 {
            return Err(invalid(
                "invalid MaxDurationSec value",
                "should be positive",
            ));
        }
        let longest = self.inner.config.longest_job.as_secs();
        if request.max_duration_sec.unsigned_abs() > longest {
            let rule = format!("should be at most {longest} (jobs.longest_job_time)");
            return Err(invalid("invalid MaxDurationSec value", &rule));
        }
        let allowed = &self.inner.config.allowed_sites;
        let site = request.input_data.get("site_url").and_then(Value::as_str);
        // Without a list the input is the worker's to judge, as in the reference.
        if !allowed.is_empty() {
            crate::sites::check(site.unwrap_or_default(), allowed)
                .map_err(|error| invalid("invalid InputData value", &error.to_string()))?;
        }
        JobType::parse(&request.kind)
            .ok_or_else(|| invalid("invalid Type value", &format!("\"{}\"", request.kind)))
    }

    async fn keep(
        &self,
        id: String,
        mut request: JobRequest,
        caller: &Caller,
    ) -> anyhow::Result<(JobRow, Job)> {
        let secrets: Map<String, Value> = request
            .input_data
            .iter()
            .filter(|(key, _)| {
                SECRET_INPUTS
                    .iter()
                    .any(|name| key.eq_ignore_ascii_case(name))
            })
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let sealed = self
            .inner
            .sealer
            .seal(&id, serde_json::to_string(&secrets)?.as_bytes())?;
        redact(&mut request.input_data);
        tokio::fs::create_dir_all(self.folder(&id)).await?;
        let row = JobRow {
            id,
            tenant: tenant(caller).to_owned(),
            request: serde_json::to_string(&request)?,
            sealed,
            phase: Phase::Capturing,
            start_at: unix_ms(),
            stop_at: 0,
            attempts: 0,
            note: String::new(),
        };
        self.inner.store.add_job(&row).await?;
        let job = Job {
            id: row.id.clone(),
            request,
            start_at: row.start_at,
            ..Job::default()
        };
        Ok((row, job))
    }

    async fn row(&self, id: &str, caller: &Caller) -> anyhow::Result<Option<JobRow>> {
        let row = self.inner.store.job(id).await?;
        Ok(row.filter(|row| *caller == Caller::Admin || row.tenant == tenant(caller)))
    }

    fn folder(&self, id: &str) -> PathBuf {
        self.inner.config.data_dir.join("jobs").join(id)
    }

    fn refused(&self, reason: &str) {
        self.inner
            .metrics
            .jobs_refused
            .with_label_values(&[reason])
            .inc();
    }

    /// Whatever goes wrong in following it, the job comes to its end.
    fn follow(&self, row: JobRow, stop: Stopped, recovered: bool) {
        let place = Place(self.clone(), row.id.clone());
        let (jobs, kept) = (self.clone(), row.clone());
        let work = async move {
            let _place = place;
            if let Err(error) = follow::follow(&jobs, row.clone(), stop, recovered).await {
                jobs.give_up(row, format!("{error:#}")).await;
            }
        };
        let jobs = self.clone();
        let after = move |end: &End| {
            if *end != End::Returned {
                let trouble = format!("following it broke off: it {end}");
                let tasks = jobs.inner.tasks.clone();
                let ending = async move { jobs.give_up(kept, trouble).await };
                tasks.one_of("job given up", ending, |_| ());
            }
        };
        self.inner.tasks.one_of("job", work, after);
    }

    async fn give_up(&self, row: JobRow, trouble: String) {
        tracing::error!(job = row.id, "follow the job: {trouble}");
        follow::give_up(self, row, trouble).await;
    }
}

/// A job's place among those that run, until it is followed no more.
struct Place(Jobs, String);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.inner.admission.leave(&self.1);
        self.0.inner.promises.release(&self.1);
    }
}

fn tenant(caller: &Caller) -> &str {
    match caller {
        Caller::Admin => "",
        Caller::Client(id) => id,
    }
}

async fn remove_folder(folder: PathBuf) -> std::io::Result<()> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
