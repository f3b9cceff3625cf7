//! Whisper and Silero inside the speech process.
//!
//! In: one request with its audio. Out: spans of speech, words.
//! Not here: sockets (`process`), cutting long audio (`transcribe`), stability (`captions`).
//! Invariant: one context per model file, one state per worker and model; every run is independent
//! of the one before (`no_context`).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use whisper_rs::{
    WhisperContext, WhisperContextParameters, WhisperError, WhisperState, WhisperVadContext,
    WhisperVadContextParams, WhisperVadParams,
};

use super::hygiene::without_restart;
use super::wire::{Purpose, Reply, Request, Span};
use super::{length_ms, sample_index};
use crate::models;

mod decode;

use decode::{Decoded, Wish};

/// Longest audio of one recognition: what the encoder sees.
const WINDOW_LIMIT_MS: u64 = 30_000;

/// Silence kept around speech in a caption window, so that no consonant is cut.
const CAPTION_PAD_MS: u64 = 150;

/// What can go wrong with the models.
#[derive(Debug, thiserror::Error)]
pub(super) enum EngineError {
    #[error("load the model `{}`: is it a complete ggml file? `models verify` tells", path.display())]
    Model { path: PathBuf, source: WhisperError },
    #[error("load the voice activity model `{}`: `models verify` tells whether it is whole", path.display())]
    Vad { path: PathBuf, source: WhisperError },
    #[error("do not use the speech model `{name}`")]
    Damaged {
        name: String,
        source: models::DamagedModel,
    },
    #[error("speech model `{name}` is not in `{}`: run `models pull {name}`", dir.display())]
    NoModel { name: String, dir: PathBuf },
    #[error("make room for a recognition")]
    State(#[source] WhisperError),
    #[error("look for speech")]
    FindSpeech(#[source] WhisperError),
    #[error("recognise a window")]
    Recognise(#[source] WhisperError),
    #[error("a window is `{ms}` ms long, at most `{WINDOW_LIMIT_MS}` are recognised at once")]
    TooLong { ms: u64 },
    #[error("language `{0}` is not one Whisper knows: use a code such as `en` or `es`")]
    Language(String),
    #[error("the model path `{}` is not UTF-8", .0.display())]
    Path(PathBuf),
}

/// The models, shared by all threads; a Whisper model is loaded when it is first asked for.
#[derive(Debug)]
pub(super) struct Engine {
    models_dir: PathBuf,
    contexts: Mutex<BTreeMap<String, Arc<WhisperContext>>>,
    /// Voice activity detection was found whole; each worker loads a copy of its own.
    vad_checked: OnceLock<()>,
    threads: i32,
}

impl Engine {
    /// Loads voice activity detection and `preload`: a damaged file should be known now, not at the
    /// first word. It ends nothing: whoever asks for that model is refused with the reason, and
    /// others that are whole go on to serve.
    pub(super) fn load(models_dir: PathBuf, preload: &[String], threads: u32) -> Self {
        whisper_rs::install_logging_hooks();
        let threads = i32::try_from(threads.clamp(1, 64)).unwrap_or(1);
        let engine = Self {
            models_dir,
            contexts: Mutex::default(),
            vad_checked: OnceLock::new(),
            threads,
        };
        let vad = engine.load_vad().map(drop);
        let models = preload.iter().map(|name| engine.context(name).map(drop));
        for error in std::iter::once(vad).chain(models).filter_map(Result::err) {
            tracing::error!("{}", with_causes(&error));
        }
        engine
    }

    fn load_vad(&self) -> Result<WhisperVadContext, EngineError> {
        let mut params = WhisperVadContextParams::new();
        params.set_n_threads(1);
        params.set_use_gpu(false);
        let path = self.file(models::VAD)?;
        if self.vad_checked.get().is_none() {
            whole(models::VAD, &path)?;
            self.vad_checked.get_or_init(|| ());
        }
        let text = path
            .to_str()
            .ok_or_else(|| EngineError::Path(path.clone()))?;
        WhisperVadContext::new(text, params).map_err(|source| EngineError::Vad {
            path: path.clone(),
            source,
        })
    }

    /// The model `name`. Others who want it wait while it is loaded.
    fn context(&self, name: &str) -> Result<Arc<WhisperContext>, EngineError> {
        // A panic while loading leaves the map as it was.
        let mut contexts = self.contexts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(context) = contexts.get(name) {
            return Ok(context.clone());
        }
        let path = self.file(name)?;
        whole(name, &path)?;
        let mut params = WhisperContextParameters::default();
        params.use_gpu(false);
        let context = WhisperContext::new_with_params(&path, params)
            .map_err(|source| EngineError::Model { path, source })?;
        let context = Arc::new(context);
        contexts.insert(name.to_owned(), context.clone());
        Ok(context)
    }

    fn file(&self, name: &str) -> Result<PathBuf, EngineError> {
        models::installed(&self.models_dir, name).ok_or_else(|| EngineError::NoModel {
            name: name.to_owned(),
            dir: self.models_dir.clone(),
        })
    }
}

/// A damaged model would not fail: it would hear words that nobody said.
fn whole(name: &str, path: &Path) -> Result<(), EngineError> {
    let checked = models::check_installed(path);
    checked.map(drop).map_err(|source| EngineError::Damaged {
        name: name.to_owned(),
        source,
    })
}

/// Scratch memory for one window at a time: some 100 MB per model once it was used.
#[derive(Debug)]
pub(super) struct Worker {
    engine: Arc<Engine>,
    vad: Option<WhisperVadContext>,
    states: BTreeMap<String, WhisperState>,
}

impl Worker {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            vad: None,
            states: BTreeMap::new(),
        }
    }

    /// Answers one request; what goes wrong becomes a refusal with its reason.
    pub(super) fn answer(&mut self, request: &Request, pcm: &[f32]) -> Reply {
        let begun = Instant::now();
        let reply = match request {
            Request::FindSpeech {
                min_silence_ms,
                pad_ms,
            } => self
                .find_speech(pcm, *min_silence_ms, *pad_ms)
                .map(|spans| Reply::Speech { spans }),
            Request::Recognise {
                purpose,
                model,
                language,
                prompt,
                translate,
            } => {
                let wish = Wish {
                    purpose: *purpose,
                    model,
                    language: language.as_deref(),
                    prompt,
                    translate: *translate,
                };
                match purpose {
                    Purpose::Captions => self.caption(&wish, pcm),
                    Purpose::Transcript => self.transcript(&wish, pcm),
                }
            }
            Request::TellLanguage { model, .. } => {
                let wish = Wish::language_only(model);
                self.words(&wish, pcm).map(|decoded| Reply::Language {
                    tongues: decoded.tongues,
                })
            }
        };
        tracing::debug!(audio_ms = length_ms(pcm.len()), took = ?begun.elapsed(), "speech window");
        reply.unwrap_or_else(|error| Reply::Refused {
            reason: with_causes(&error),
        })
    }

    fn transcript(&mut self, wish: &Wish<'_>, pcm: &[f32]) -> Result<Reply, EngineError> {
        let decoded = self.words(wish, pcm)?;
        let spans = vec![Span {
            start_ms: 0,
            end_ms: length_ms(pcm.len()),
        }];
        Ok(decoded.into_reply(spans))
    }

    /// The words of a caption window: speech is looked for first, and only speech is decoded.
    fn caption(&mut self, wish: &Wish<'_>, pcm: &[f32]) -> Result<Reply, EngineError> {
        let spans = self.find_speech(pcm, 300, 60)?;
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else {
            let nothing = Decoded {
                language: wish.language.unwrap_or("en").to_owned(),
                ..Decoded::default()
            };
            return Ok(nothing.into_reply(spans));
        };
        let from = first.start_ms.saturating_sub(CAPTION_PAD_MS);
        let until = sample_index(last.end_ms + CAPTION_PAD_MS).min(pcm.len());
        let speech = pcm.get(sample_index(from)..until).unwrap_or_default();
        let mut decoded = self.words(wish, speech)?;
        for phrase in &mut decoded.phrases {
            let text = without_restart(&phrase.text);
            decode::keep_words_of(phrase, text);
            decode::delay(phrase, from);
        }
        Ok(decoded.into_reply(spans))
    }

    fn find_speech(
        &mut self,
        pcm: &[f32],
        min_silence_ms: u32,
        pad_ms: u32,
    ) -> Result<Vec<Span>, EngineError> {
        if pcm.is_empty() {
            return Ok(Vec::new());
        }
        let vad = match &mut self.vad {
            Some(vad) => vad,
            none => none.insert(self.engine.load_vad()?),
        };
        let mut params = WhisperVadParams::new();
        params.set_min_speech_duration(150);
        params.set_min_silence_duration(i32::try_from(min_silence_ms).unwrap_or(i32::MAX));
        params.set_speech_pad(i32::try_from(pad_ms).unwrap_or(i32::MAX));
        let found = vad
            .segments_from_samples(params, pcm)
            .map_err(EngineError::FindSpeech)?;
        let limit = length_ms(pcm.len());
        let spans = found.map(|span| Span {
            start_ms: centiseconds(span.start).min(limit),
            end_ms: centiseconds(span.end).min(limit),
        });
        Ok(spans.filter(|span| span.start_ms < span.end_ms).collect())
    }

    fn words(&mut self, wish: &Wish<'_>, pcm: &[f32]) -> Result<Decoded, EngineError> {
        let ms = length_ms(pcm.len());
        if ms > WINDOW_LIMIT_MS {
            return Err(EngineError::TooLong { ms });
        }
        if let Some(language) = wish.language
            && whisper_rs::get_lang_id(language).is_none()
        {
            return Err(EngineError::Language(language.to_owned()));
        }
        let context = self.engine.context(wish.model)?;
        let state = match self.states.entry(wish.model.to_owned()) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(free) => free.insert(context.create_state().map_err(EngineError::State)?),
        };
        decode::decode(&context, state, wish, pcm, self.engine.threads)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0 and a day"
)]
fn centiseconds(value: f32) -> u64 {
    (value * 10.0).clamp(0.0, 86_400_000.0) as u64
}

fn with_causes(error: &EngineError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
