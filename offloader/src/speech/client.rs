//! The way to the speech process: start it, ask it, stop it, count what was shed.
//!
//! In: PCM and a language. Out: segments (`transcribe`), hypotheses (`captions`).
//! Not here: keeping the process alive (`host`), who goes first (`queue`, `pool`).
//! Invariant: a clone is the same client; a process that only this client uses ends with it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::carrier::Carrier;
use super::host::{SpeechHost, private_folder};
use super::kept::{self, Kept};
use super::process::SpeechArgs;
use super::queue::{Lane, Queue, Waiting};
use super::wire::{Phrase, Purpose, Reply, Request, Span, Tongue, WireError, encode};
use crate::models;

/// How the speech process is started and how much it may do at once.
#[derive(Debug, Clone)]
pub struct SpeechConfig {
    /// Program and leading arguments that reach `speech::process::main`, such as
    /// `["/usr/bin/offloader", "speech"]`.
    pub command: Vec<OsString>,
    /// Socket of a process that is there already, kept by a [`SpeechHost`] of the same node.
    /// `None`: a process of this client's own is started with `command`.
    pub socket: Option<PathBuf>,
    /// Folder filled by `models pull`.
    pub models_dir: PathBuf,
    /// Model of transcripts: `base` (99 languages) or `tiny.en`.
    pub transcript_model: String,
    /// Model of live captions; `tiny.en` keeps the delay under a second on one core.
    pub caption_model: String,
    /// Model for speech in a language that the other two do not know; `None`: there is none.
    pub multilingual_model: Option<String>,
    /// A smaller one that stands in for it in captions while the machine is busy; `None`: there is none.
    pub relief_model: Option<String>,
    /// File for what was found out for transcripts, so that a second try need not ask again.
    pub kept: Option<PathBuf>,
    /// Threads that serve captions only. Each holds about 100 MB while in use.
    pub caption_lanes: usize,
    /// Threads that serve captions first and transcripts when no caption waits.
    pub shared_lanes: usize,
    /// Threads whisper.cpp may use for one window. More than 1 wastes a busy machine: they spin.
    pub threads_per_window: u32,
    /// Caption windows that may wait; above it the oldest is dropped and counted.
    pub caption_queue: usize,
}

impl SpeechConfig {
    /// English only, one caption lane and one shared lane.
    #[must_use]
    pub fn new(command: Vec<OsString>, models_dir: PathBuf) -> Self {
        Self {
            command,
            socket: None,
            models_dir,
            transcript_model: "tiny.en".to_owned(),
            caption_model: "tiny.en".to_owned(),
            multilingual_model: None,
            relief_model: None,
            kept: None,
            caption_lanes: 1,
            shared_lanes: 1,
            threads_per_window: 1,
            caption_queue: 8,
        }
    }

    fn lanes(&self) -> impl Iterator<Item = Lane> {
        let captions = std::iter::repeat_n(Lane::Captions, self.caption_lanes);
        captions.chain(std::iter::repeat_n(Lane::Shared, self.shared_lanes.max(1)))
    }

    /// Arguments of a process for this configuration that listens on `socket`.
    #[must_use]
    pub fn process_args(&self, socket: PathBuf) -> SpeechArgs {
        let mut preload = vec![self.caption_model.clone(), self.transcript_model.clone()];
        preload.extend(self.multilingual_model.clone());
        preload.sort();
        preload.dedup();
        SpeechArgs {
            socket,
            models_dir: self.models_dir.clone(),
            preload,
            caption_workers: self.caption_lanes,
            shared_workers: self.shared_lanes,
            caption_queue: self.caption_queue,
            threads: self.threads_per_window,
        }
    }
}

/// Why speech was not turned into text.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SpeechError {
    #[error("speech model `{name}` is not in `{}`: run `models pull {name}`, or set the models folder", dir.display())]
    NoModel { name: String, dir: PathBuf },
    #[error(
        "this processor has no `{missing}`, which speech recognition was built to use: build Parley on a \
         machine like this one with `deploy/quickstart`, which builds it for what is there"
    )]
    Processor { missing: String },
    #[error("the command of the speech process is empty, it needs a program")]
    NoCommand,
    #[error("a caption window gave way to newer ones, `{limit}` were waiting (caption_queue)")]
    Shed { limit: usize },
    #[error("the speech process ended `{tries}` times while it worked on the same window")]
    Crashed { tries: u32 },
    #[error("the speech process does not start: {reason}")]
    NotStarting { reason: String },
    #[error("the speech process refused a window: {reason}")]
    Refused { reason: String },
    #[error("a window of audio does not fit into a frame")]
    Frame(#[source] Arc<WireError>),
    #[error("the speech process gave an answer to another question")]
    Mismatch,
    #[error("open `{}`, which keeps what was found out", path.display())]
    Kept {
        path: PathBuf,
        #[source]
        source: Arc<io::Error>,
    },
    #[error("make a folder for the socket of the speech process")]
    Folder(#[source] Arc<io::Error>),
    #[error("speech recognition has been stopped")]
    Stopped,
}

/// What has happened since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpeechStats {
    /// Times the client's own process was started; 1 when nothing ever went wrong.
    pub starts: u64,
    /// Windows answered.
    pub windows: u64,
    /// Caption windows dropped because newer ones were waiting.
    pub captions_shed: u64,
    /// Caption windows waiting now.
    pub captions_waiting: u64,
    /// Process id of the client's own process, 0 when there is none at the moment.
    pub child_pid: u64,
}

/// Handle of the speech process of this node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SpeechClient {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: SpeechConfig,
    queue: Arc<Queue>,
    answered: Arc<AtomicU64>,
    captions_shed: AtomicU64,
    kept: Option<Mutex<Kept>>,
    lanes: Vec<JoinHandle<()>>,
    /// The process and the folder of its socket, when they are this client's own.
    own: Option<(SpeechHost, TempDir)>,
}

impl Shared {
    fn stop(&self) {
        self.queue.close();
        // A lane that is aborted drops its window, which tells the owner.
        self.lanes.iter().for_each(JoinHandle::abort);
        if let Some((host, _)) = &self.own {
            host.stop();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The processor can run them, and all models that are needed are installed.
pub(super) fn check_models<'a>(
    dir: &Path,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), SpeechError> {
    if let Some(missing) = super::processor::missing() {
        return Err(SpeechError::Processor { missing });
    }
    for name in std::iter::once(models::VAD).chain(names) {
        if models::installed(dir, name).is_none() {
            return Err(SpeechError::NoModel {
                name: name.to_owned(),
                dir: dir.to_owned(),
            });
        }
    }
    Ok(())
}

/// Where speech is in a window and which words it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) language: String,
    pub(super) spans: Vec<Span>,
    pub(super) phrases: Vec<Phrase>,
    /// Best first; empty from a model that knows one only.
    pub(super) tongues: Vec<Tongue>,
}

impl Heard {
    pub(super) fn text(&self) -> String {
        let phrases = self.phrases.iter().map(|phrase| phrase.text.as_str());
        phrases.collect::<Vec<_>>().join(" ")
    }
}

/// What to listen for in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listening<'a> {
    pub(super) purpose: Purpose,
    pub(super) model: &'a str,
    /// `None`: to be detected.
    pub(super) language: Option<&'a str>,
    pub(super) prompt: &'a str,
    /// In English, whatever was spoken.
    pub(super) translate: bool,
}

impl SpeechClient {
    /// Checks that the models are there and opens the way to the process: to the one at `socket`,
    /// or to one of its own. Requests made before it is ready wait for it. Must be called inside a
    /// tokio runtime.
    ///
    /// # Errors
    /// [`SpeechError::NoModel`] names the first missing model; [`SpeechError::Processor`];
    /// [`SpeechError::NoCommand`].
    pub fn start(config: SpeechConfig) -> Result<Self, SpeechError> {
        let wanted = [
            config.caption_model.as_str(),
            config.transcript_model.as_str(),
        ];
        check_models(&config.models_dir, wanted.into_iter())?;
        let kept = config.kept.as_ref().map(|path| {
            let opened = Kept::open(path).map(Mutex::new);
            opened.map_err(|source| SpeechError::Kept {
                path: path.clone(),
                source: Arc::new(source),
            })
        });
        let kept = kept.transpose()?;
        let queue = Arc::new(Queue::new(config.caption_queue));
        let (socket, own) = match &config.socket {
            Some(socket) => (socket.clone(), None),
            None => {
                let (folder, socket) = private_folder()?;
                let args = config.process_args(socket.clone());
                let host = SpeechHost::start_for(config.command.clone(), args, queue.clone())?;
                (socket, Some((host, folder)))
            }
        };
        let answered = Arc::new(AtomicU64::new(0));
        let carrier = Carrier {
            socket,
            queue: queue.clone(),
            answered: answered.clone(),
        };
        let lanes = config
            .lanes()
            .map(|lane| tokio::spawn(carrier.clone().run(lane)))
            .collect();
        let captions_shed = AtomicU64::new(0);
        let shared = Shared {
            config,
            queue,
            answered,
            captions_shed,
            kept,
            lanes,
            own,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Turns one track's audio (16 kHz mono) into timed segments. `language` is an ISO 639-1 code;
    /// `None` finds it out. Long audio is cut at pauses; a window on which the process dies is tried
    /// again. Waits rather than dropping anything.
    ///
    /// # Errors
    /// When a window cannot be recognised in three tries, or the client has been stopped.
    pub async fn transcribe(
        &self,
        pcm: Vec<f32>,
        language: Option<String>,
    ) -> Result<super::Transcription, SpeechError> {
        let mut voice = super::Voice::new(language);
        self.transcribe_more(&pcm, &mut voice).await
    }

    /// As [`SpeechClient::transcribe`], for a speaker of whom more is known from earlier audio.
    ///
    /// # Errors
    /// As there.
    pub async fn transcribe_more(
        &self,
        pcm: &[f32],
        voice: &mut super::Voice,
    ) -> Result<super::Transcription, SpeechError> {
        super::transcribe::transcribe(self, pcm, voice).await
    }

    /// Opens the live captions of one speaker.
    #[must_use]
    pub fn captions(
        &self,
        options: super::CaptionOptions,
    ) -> (super::CaptionStream, super::CaptionUpdates) {
        super::captions::open(self.clone(), options)
    }

    /// Ends this client, and its process if it has one of its own; waiting requests get
    /// [`SpeechError::Stopped`].
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// The model of transcripts.
    #[must_use]
    pub fn transcript_model(&self) -> &str {
        &self.shared.config.transcript_model
    }

    /// Whether a model of transcripts can say in English what was said in another language.
    #[must_use]
    pub fn can_translate(&self) -> bool {
        self.model(Purpose::Transcript).1 || self.multilingual().is_some()
    }

    /// Counters for metrics and tests.
    #[must_use]
    pub fn stats(&self) -> SpeechStats {
        let host = self.shared.own.as_ref().map(|(host, _)| host);
        SpeechStats {
            starts: host.map_or(0, SpeechHost::starts),
            windows: self.shared.answered.load(Ordering::Relaxed),
            captions_shed: self.shared.captions_shed.load(Ordering::Relaxed),
            captions_waiting: self.shared.queue.captions_waiting() as u64,
            child_pid: host.map_or(0, SpeechHost::child_pid),
        }
    }

    /// Spans of speech in at most a minute of audio.
    pub(super) async fn find_speech(
        &self,
        pcm: &[f32],
        min_silence_ms: u32,
        pad_ms: u32,
    ) -> Result<Vec<Span>, SpeechError> {
        let request = Request::FindSpeech {
            min_silence_ms,
            pad_ms,
        };
        match self.ask(Purpose::Transcript, &request, pcm).await? {
            Reply::Speech { spans } => Ok(spans),
            Reply::Refused { reason } => Err(SpeechError::Refused { reason }),
            Reply::Words { .. } | Reply::Language { .. } | Reply::Shed => {
                Err(SpeechError::Mismatch)
            }
        }
    }

    /// The model for a purpose, and whether it knows more than English.
    pub(super) fn model(&self, purpose: Purpose) -> (&str, bool) {
        let config = &self.shared.config;
        let model = match purpose {
            Purpose::Captions => &config.caption_model,
            Purpose::Transcript => &config.transcript_model,
        };
        (model, models::is_multilingual(&config.models_dir, model))
    }

    /// The model for what [`SpeechClient::model`] does not know.
    pub(super) fn multilingual(&self) -> Option<&str> {
        self.shared.config.multilingual_model.as_deref()
    }

    /// The model that does its work in captions while the machine is busy.
    pub(super) fn relief(&self) -> Option<&str> {
        self.shared.config.relief_model.as_deref()
    }

    /// Words of one window of at most 30 s.
    pub(super) async fn recognise(
        &self,
        listening: &Listening<'_>,
        pcm: &[f32],
    ) -> Result<Heard, SpeechError> {
        let request = Request::Recognise {
            purpose: listening.purpose,
            model: listening.model.to_owned(),
            language: listening.language.map(str::to_owned),
            prompt: listening.prompt.to_owned(),
            translate: listening.translate,
        };
        match self.ask(listening.purpose, &request, pcm).await? {
            Reply::Shed => Err(self.shed()),
            Reply::Words {
                language,
                spans,
                phrases,
                tongues,
            } => Ok(Heard {
                language,
                spans,
                phrases,
                tongues,
            }),
            Reply::Refused { reason } => Err(SpeechError::Refused { reason }),
            Reply::Speech { .. } | Reply::Language { .. } => Err(SpeechError::Mismatch),
        }
    }

    /// The most probable languages of at most 30 s of speech, best first. `model` must know several.
    pub(super) async fn tell_language(
        &self,
        purpose: Purpose,
        model: &str,
        pcm: &[f32],
    ) -> Result<Vec<Tongue>, SpeechError> {
        let request = Request::TellLanguage {
            purpose,
            model: model.to_owned(),
        };
        match self.ask(purpose, &request, pcm).await? {
            Reply::Shed => Err(self.shed()),
            Reply::Language { tongues } => Ok(tongues),
            Reply::Refused { reason } => Err(SpeechError::Refused { reason }),
            Reply::Speech { .. } | Reply::Words { .. } => Err(SpeechError::Mismatch),
        }
    }

    fn shed(&self) -> SpeechError {
        self.shared.captions_shed.fetch_add(1, Ordering::Relaxed);
        SpeechError::Shed {
            limit: self.shared.config.caption_queue,
        }
    }

    async fn ask(
        &self,
        purpose: Purpose,
        request: &Request,
        pcm: &[f32],
    ) -> Result<Reply, SpeechError> {
        let frame = encode(request, pcm).map_err(|error| SpeechError::Frame(Arc::new(error)))?;
        // The same audio is asked about again only when an earlier try at a transcript did not end.
        let kept = self.shared.kept.as_ref();
        let kept = kept.filter(|_| purpose == Purpose::Transcript);
        let question = kept.map(|kept| (kept, kept::question(&frame)));
        if let Some((kept, question)) = &question
            && let Some(answer) = lock(kept).answer(question)
        {
            return Ok(answer);
        }
        let reply = self.send(purpose, frame).await?;
        if let Some((kept, question)) = question
            && !matches!(reply, Reply::Refused { .. } | Reply::Shed)
        {
            lock(kept).keep(question, &reply);
        }
        Ok(reply)
    }

    async fn send(&self, purpose: Purpose, frame: Vec<u8>) -> Result<Reply, SpeechError> {
        let (done, answer) = oneshot::channel();
        let shed = self.shared.queue.push(
            purpose,
            Waiting {
                frame,
                tries: 0,
                done,
            },
        );
        if let Some(oldest) = shed {
            self.shared.captions_shed.fetch_add(1, Ordering::Relaxed);
            let limit = self.shared.config.caption_queue;
            // The owner of the window may be gone; then nobody needs the answer.
            let _ = oldest.done.send(Err(SpeechError::Shed { limit }));
        }
        answer.await.unwrap_or(Err(SpeechError::Stopped))
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    // Nothing here panics half-way through a change, so poisoned answers are still whole.
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
