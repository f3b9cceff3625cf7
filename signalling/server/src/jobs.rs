//! A job service as its customer: signs in, announces runners, asks for jobs.
//!
//! In: a job to be done. Out: the service's id for it, or why it refused, in words; what can be
//! expected of speech (`speech`).
//! Not here: which of several services does it (`services`); stopping jobs: a bot is told by an event
//! (`signalling_core`).

mod input;
mod services;
mod speech;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use proto::id::ChannelId;
use proto::offload::{
    Credentials, ErrorReply, InitRequest, Job, JobRequest as ServiceRequest, JobsReport,
    Translated, Translation,
};
use proto::redact::Secret;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use service::outgoing::Whom;
use signalling_core::{JOB_ANSWER_LIMIT, JobKind, JobRequest, JobTaken};

use crate::config::{RecordingConfig, TranscribingConfig};
pub(crate) use services::JobServices;
pub(crate) use speech::Speech;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long it may take to say how its jobs do: an administrator waits for it.
const REPORT_LIMIT: Duration = Duration::from_secs(5);
/// After it did not answer it is taken to be away for so long.
const AWAY: Duration = Duration::from_secs(30);
/// The versions of the reference's runners whose behaviour is asked for.
const RECORDER: &str = "calls-recorder:v0.8.13";
const TRANSCRIBER: &str = "calls-transcriber:v0.7.2";

/// What is asked of any of them.
#[derive(Debug)]
pub(crate) struct Asks {
    /// First part of the runner names.
    pub(crate) image_registry: String,
    pub(crate) recording: RecordingConfig,
    pub(crate) transcribing: TranscribingConfig,
    /// Where bots find us.
    pub(crate) recorder_site: String,
    pub(crate) transcriber_site: String,
}

/// A job service that we may use.
#[derive(Debug)]
pub(crate) struct JobService {
    http: reqwest::Client,
    /// `http://host:port`.
    base: String,
    asks: Arc<Asks>,
    client_id: String,
    auth_key: Secret,
    heard: speech::Heard,
    /// `None`: it was not asked yet.
    standing: Mutex<Option<Standing>>,
}

/// Whether a service answers, and since when.
#[derive(Debug, Clone, Copy)]
struct Standing {
    answers: bool,
    since: Instant,
    /// When it did last, or did not.
    asked_at: Instant,
}

impl JobService {
    pub(crate) fn new(
        base: String,
        asks: Arc<Asks>,
        (client_id, auth_key): (String, Secret),
    ) -> Self {
        let http = Whom::OwnServices
            .client()
            .connect_timeout(CONNECT_LIMIT)
            // It may have to load something first.
            .timeout(JOB_ANSWER_LIMIT)
            .build()
            .unwrap_or_default();
        Self {
            http,
            base,
            asks,
            client_id,
            auth_key,
            heard: speech::Heard::default(),
            standing: Mutex::default(),
        }
    }

    /// Its address, without credentials.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Whether it did not answer just now: nobody waits for it who has another.
    fn is_away(&self) -> bool {
        let standing = self.standing();
        standing.is_some_and(|it| !it.answers && it.asked_at.elapsed() < AWAY)
    }

    fn note_answer(&self, answers: bool) {
        let now = Instant::now();
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = standing.filter(|before| before.answers == answers);
        *standing = Some(Standing {
            answers,
            since: before.map_or(now, |before| before.since),
            asked_at: now,
        });
    }

    fn standing(&self) -> Option<Standing> {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As administrators are shown it, beside the nodes. Who did not answer just now is not asked again.
    async fn overview(&self) -> Value {
        let report = if self.is_away() {
            Err("the job service did not answer just now".to_owned())
        } else {
            self.report().await
        };
        let calls = report.as_ref().ok().map(|report| {
            let of_calls = report.jobs.iter().map(|job| job.call_id.as_str());
            of_calls.collect::<HashSet<&str>>().len()
        });
        let standing = self.standing();
        let answers = standing.is_some_and(|it| it.answers);
        let since = standing.map_or(Duration::ZERO, |it| it.since.elapsed());
        let why = match report {
            Err(why) if !answers => why,
            // It answers, and does not tell: not every job service does.
            Err(_) | Ok(_) if self.is_deaf() => self.speech().problem,
            Err(_) | Ok(_) => String::new(),
        };
        json!({
            "id": self.base.trim_start_matches("http://").trim_start_matches("https://"),
            "kind": "offloader",
            "url": self.base,
            "state": if answers { "up" } else { "silent" },
            "since_ms": u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            "calls": calls,
            "why": why,
        })
    }

    /// Announces the runners that will be asked for.
    ///
    /// # Errors
    /// Why the service cannot be used, in words.
    pub(crate) async fn init(&self) -> Result<(), String> {
        let mut runners = vec![self.runner(RECORDER)];
        if self.asks.transcribing.enabled {
            runners.push(self.runner(TRANSCRIBER));
        }
        let answer = self.post("/jobs/init", &InitRequest { runners }).await?;
        accepted(answer).await.map(drop)
    }

    /// Asks for a job. `wait_sec`: how long our own service may keep it
    /// waiting for a place; another does not know the word.
    ///
    /// # Errors
    /// Why it was refused, in words.
    async fn create(
        &self,
        channel: &ChannelId,
        job: &JobRequest,
        token: &Secret,
        wait_sec: u32,
    ) -> Result<JobTaken, String> {
        let request = self.request(channel, job, token, wait_sec);
        let answer = self.post("/jobs", &request).await?;
        let created: Job = accepted(answer)
            .await?
            .json()
            .await
            .map_err(|error| words(&error))?;
        Ok(JobTaken {
            service_id: created.id,
            may_move: self.is_ours(),
        })
    }

    /// Lines in another language; `None` where the service has nobody who translates.
    ///
    /// # Errors
    /// Why it failed, in words.
    async fn translate(&self, asked: &Translation) -> Result<Option<Translated>, String> {
        let answer = self.post("/translate", asked).await?;
        // The reference's service has no such route.
        if let StatusCode::NOT_IMPLEMENTED | StatusCode::NOT_FOUND = answer.status() {
            return Ok(None);
        }
        let translated = accepted(answer).await?.json().await;
        translated.map(Some).map_err(|error| words(&error))
    }

    fn request(
        &self,
        channel: &ChannelId,
        job: &JobRequest,
        token: &Secret,
        wait_sec: u32,
    ) -> ServiceRequest {
        let site_url = match job.kind {
            JobKind::Recording => &self.asks.recorder_site,
            JobKind::Transcribing | JobKind::Captioning => &self.asks.transcriber_site,
        };
        let place = input::Place {
            site_url,
            channel,
            post: &job.post,
            job: &job.job,
            token,
        };
        let seconds = i64::from(self.asks.recording.max_minutes) * 60;
        match job.kind {
            JobKind::Recording => ServiceRequest {
                kind: "recording".to_owned(),
                max_duration_sec: seconds,
                runner: self.runner(RECORDER),
                input_data: input::recording(&place, &self.asks.recording.film, self.is_ours()),
                wait_sec,
            },
            // Captions are part of transcribing.
            JobKind::Transcribing | JobKind::Captioning => ServiceRequest {
                kind: "transcribing".to_owned(),
                max_duration_sec: seconds * 2,
                runner: self.runner(TRANSCRIBER),
                input_data: input::transcribing(&place, &self.asks.transcribing, self.is_ours()),
                wait_sec,
            },
        }
    }

    fn runner(&self, name: &str) -> String {
        format!("{}/{name}", self.asks.image_registry)
    }

    /// Which of our jobs run, and how they do.
    ///
    /// # Errors
    /// Why the service does not say, in words; one that is not ours cannot.
    async fn report(&self) -> Result<JobsReport, String> {
        let path = "/jobs/status";
        let answer = self.ask(|| self.http.get(self.address(path)).timeout(REPORT_LIMIT));
        let answer = answer.await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Err("the job service does not tell how its jobs do".to_owned());
        }
        let report = accepted(answer).await?.json().await;
        report.map_err(|error| words(&error))
    }

    async fn post<T: serde::Serialize>(
        &self,
        path: &str,
        body: &T,
    ) -> Result<reqwest::Response, String> {
        self.ask(|| self.http.post(self.address(path)).json(body))
            .await
    }

    /// Asks with our credentials. A service that does not know us yet is registered with once.
    async fn ask(&self, request: impl Fn() -> RequestBuilder) -> Result<reqwest::Response, String> {
        let answer = self.ask_once(request()).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let credentials = Credentials {
            client_id: self.client_id.clone(),
            auth_key: self.auth_key.expose().to_owned(),
        };
        let registering = self.http.post(self.address("/register"));
        let registered = registering.json(&credentials).send().await;
        accepted(registered.map_err(|error| words(&error))?).await?;
        self.ask_once(request()).await
    }

    async fn ask_once(&self, request: RequestBuilder) -> Result<reqwest::Response, String> {
        let request = request.basic_auth(&self.client_id, Some(self.auth_key.expose()));
        let answer = request.send().await;
        self.note_answer(answer.is_ok());
        answer.map_err(|error| words(&error))
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

async fn accepted(answer: reqwest::Response) -> Result<reqwest::Response, String> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status();
    let body = answer.text().await.unwrap_or_default();
    let told = serde_json::from_str::<ErrorReply>(&body).map(|reply| reply.error);
    Err(told.unwrap_or_else(|_| format!("job service answered {status}")))
}

fn words(error: &reqwest::Error) -> String {
    let cause = Whom::OwnServices.words(error);
    format!("job service not reachable: {cause}")
}
