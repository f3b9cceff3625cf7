//! One speaker's captions: gathers audio, asks for hypotheses, decides where a line ends.
//!
//! In: PCM as it arrives. Out: updates on a channel.
//! Not here: which words are believed (`agreement`), in which language (`tuning`), who is served first
//! (`queue`).
//! Invariant: at most one window of a speaker is being recognised, and none is longer than 12 s;
//! what arrives meanwhile waits, and above 12 s the oldest of it is dropped and counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::super::client::{Heard, SpeechClient, SpeechError};
use super::super::transcribe::quietest_ms;
use super::super::wire::Word;
use super::super::{SAMPLE_RATE, energy, length_ms, sample_index};
use super::agreement::{Line, Shown};
use super::tuning::Tuning;
use super::{CaptionOptions, CaptionUpdate};

/// Audio between two hypotheses on an idle machine. Less costs more encodes for a little less delay.
const STEP_MIN_MS: u64 = 500;
/// And on a loaded one.
const STEP_MAX_MS: u64 = 2_000;
/// A hypothesis that takes longer than this is one of a busy machine: words that nobody has confirmed
/// would be old when they came, and cost the others time.
const BUSY_MS: u64 = 1_200;
/// Silence after which a line is finished.
const PAUSE_MS: u64 = 700;
/// A line without a pause is cut after this much speech: the model's cost grows with the window.
const WINDOW_MS: u64 = 8_000;
/// Words at the end of the window that a cut leaves to the next line.
const CUT_FROM_MS: u64 = 4_500;
const CUT_UNTIL_MS: u64 = 7_500;
/// Audio kept from before speech was noticed.
const PRE_ROLL_MS: u64 = 300;
/// Audio that may wait while a window is recognised.
const WAITING_MS: u64 = 12_000;
/// No 100 ms louder than this: nobody speaks, the models are not asked (-56 dBFS).
const QUIET: f32 = 0.0015;

/// Where audio waits for the task of its speaker.
#[derive(Debug, Default)]
struct Inbox {
    state: Mutex<Waiting>,
    changed: Notify,
    dropped: AtomicU64,
    shed: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    pcm: Vec<f32>,
    newest: Option<Instant>,
    /// Samples lost since the task last looked.
    lost: usize,
    closed: bool,
}

/// The pushing end.
#[derive(Debug)]
pub(super) struct Inlet {
    inbox: Arc<Inbox>,
}

impl Inlet {
    pub(super) fn push(&self, pcm: &[f32]) {
        let mut waiting = self.inbox.lock();
        waiting.pcm.extend_from_slice(pcm);
        waiting.newest = Some(Instant::now());
        let excess = waiting.pcm.len().saturating_sub(sample_index(WAITING_MS));
        if excess > 0 {
            waiting.pcm.drain(..excess);
            if waiting.lost == 0 {
                self.inbox.dropped.fetch_add(1, Ordering::Relaxed);
            }
            waiting.lost += excess;
        }
        drop(waiting);
        self.inbox.changed.notify_one();
    }

    pub(super) fn windows_dropped(&self) -> u64 {
        self.inbox.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn windows_shed(&self) -> u64 {
        self.inbox.shed.load(Ordering::Relaxed)
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.inbox.lock().closed = true;
        self.inbox.changed.notify_one();
    }
}

/// Why words are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Notice {
    Behind,
    NotUnderstood,
    NoModel,
}

impl Notice {
    fn text(self) -> &'static str {
        match self {
            Self::Behind => "[captions pause: the server is busy]",
            Self::NotUnderstood => "[not understood: the captions know English only]",
            Self::NoModel => "[no captions: the server's speech model cannot be used]",
        }
    }
}

/// Why the task wakes up.
#[derive(Debug)]
enum Wake {
    Audio(Batch),
    /// Nothing has come for the length of a pause.
    Pause(Batch),
    Closed(Batch),
}

/// Everything that waited.
#[derive(Debug)]
struct Batch {
    pcm: Vec<f32>,
    newest: Option<Instant>,
    lost: usize,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing here panics half-way through a change, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `samples` of audio, for the end, or, when `pausing`, for a pause in the arrivals.
    async fn next(&self, samples: usize, pausing: bool) -> Wake {
        loop {
            let seen = {
                let mut waiting = self.lock();
                if waiting.closed {
                    return Wake::Closed(waiting.take());
                }
                if waiting.pcm.len() >= samples {
                    return Wake::Audio(waiting.take());
                }
                waiting.pcm.len()
            };
            let limit = if pausing { PAUSE_MS } else { 3_600_000 };
            if timeout(Duration::from_millis(limit), self.changed.notified())
                .await
                .is_err()
                && pausing
            {
                let mut waiting = self.lock();
                if waiting.pcm.len() == seen && !waiting.closed {
                    return Wake::Pause(waiting.take());
                }
            }
        }
    }
}

impl Waiting {
    fn take(&mut self) -> Batch {
        let (pcm, lost) = (
            std::mem::take(&mut self.pcm),
            std::mem::take(&mut self.lost),
        );
        Batch {
            pcm,
            newest: self.newest,
            lost,
        }
    }
}

/// Starts the task of one speaker.
pub(super) fn start(
    client: SpeechClient,
    options: CaptionOptions,
    updates: mpsc::Sender<CaptionUpdate>,
) -> Inlet {
    let inbox = Arc::new(Inbox::default());
    let speaker = Speaker {
        inbox: inbox.clone(),
        tuning: Tuning::new(&client, options.language),
        client,
        updates,
        window: Vec::new(),
        begins: 0,
        speaking: false,
        line: Line::default(),
        number: 0,
        last_text: String::new(),
        reported: 0,
        step_ms: STEP_MIN_MS,
        took_ms: 0,
        behind: false,
        told: None,
        newest: Instant::now(),
    };
    tokio::spawn(speaker.run());
    Inlet { inbox }
}

struct Speaker {
    inbox: Arc<Inbox>,
    client: SpeechClient,
    tuning: Tuning,
    updates: mpsc::Sender<CaptionUpdate>,
    /// Audio of the line, with a little from before.
    window: Vec<f32>,
    /// Samples pushed before the window.
    begins: usize,
    speaking: bool,
    line: Line,
    number: u64,
    last_text: String,
    /// Samples pushed until the last update.
    reported: usize,
    step_ms: u64,
    /// The last hypothesis took so long.
    took_ms: u64,
    /// Audio was left out since the last hypothesis.
    behind: bool,
    /// The notice in sight.
    told: Option<Notice>,
    /// When the newest audio of the window arrived.
    newest: Instant,
}

impl Speaker {
    async fn run(mut self) {
        let inbox = self.inbox.clone();
        loop {
            let going_on = match inbox.next(sample_index(self.step_ms), self.speaking).await {
                Wake::Audio(batch) => {
                    self.add(batch);
                    self.hear().await
                }
                Wake::Pause(batch) => {
                    let new_audio = !batch.pcm.is_empty();
                    self.add(batch);
                    self.end_line(new_audio).await
                }
                Wake::Closed(batch) => {
                    let new_audio = !batch.pcm.is_empty();
                    self.add(batch);
                    if self.speaking || new_audio {
                        self.end_line(true).await;
                    }
                    return;
                }
            };
            if !going_on {
                return;
            }
        }
    }

    fn add(&mut self, batch: Batch) {
        if batch.lost > 0 {
            // What follows a hole is another line.
            self.behind = true;
            self.tuning.begin_line(u64::MAX, BUSY_MS);
            self.begins += self.window.len() + batch.lost;
            self.window.clear();
        }
        self.newest = batch.newest.unwrap_or(self.newest);
        let first_new = self.window.len();
        self.window.extend(batch.pcm);
        if self.window.len() > sample_index(WAITING_MS) {
            self.skip();
            return;
        }
        if !self.speaking && !loud(self.window.get(first_new..).unwrap_or_default()) {
            self.keep_last(sample_index(PRE_ROLL_MS));
        }
    }

    /// Recognition is far behind: a late caption helps nobody, so the line starts over with the
    /// newest audio. The longer a window, the longer it would take.
    fn skip(&mut self) {
        self.inbox.dropped.fetch_add(1, Ordering::Relaxed);
        self.keep_last(sample_index(CUT_FROM_MS));
        self.line.finish(None);
        self.tuning.begin_line(u64::MAX, BUSY_MS);
        self.speaking = false;
        self.behind = true;
    }

    /// Asks for a hypothesis and shows what follows from it. False when there is nobody to show it to.
    async fn hear(&mut self) -> bool {
        if !self.speaking && self.window.len() <= sample_index(PRE_ROLL_MS) {
            return true;
        }
        if std::mem::take(&mut self.behind) && !self.notice(Notice::Behind).await {
            return false;
        }
        let window_ms = length_ms(self.window.len());
        if window_ms >= WINDOW_MS {
            return self.cut().await;
        }
        let heard = match self.recognise(self.window.clone()).await {
            Ok(heard) => heard,
            Err(error) => return self.missed(&error).await,
        };
        let Some(speech_end) = heard.spans.last().map(|span| span.end_ms) else {
            return self.no_speech().await;
        };
        self.speaking = true;
        if window_ms.saturating_sub(speech_end) >= PAUSE_MS {
            let shown = self.line.finish(Some(&words(&heard)));
            return self.close_line(shown, sample_index(speech_end)).await;
        }
        self.line.observe(&words(&heard), self.took_ms <= BUSY_MS);
        let shown = self.line.shown();
        self.show(shown, false).await
    }

    /// Silence where speech was expected: the line is over.
    async fn no_speech(&mut self) -> bool {
        if self.speaking {
            let shown = self.line.finish(None);
            return self.close_line(shown, self.window.len()).await;
        }
        self.keep_last(sample_index(PRE_ROLL_MS));
        true
    }

    /// The arrivals paused or ended: one last hypothesis if there is audio it has not seen.
    async fn end_line(&mut self, new_audio: bool) -> bool {
        let mut last = None;
        if new_audio && self.window.len() > sample_index(PRE_ROLL_MS) {
            match self.recognise(self.window.clone()).await {
                Ok(heard) => last = Some(words(&heard)).filter(|words| !words.is_empty()),
                Err(error) => {
                    if !self.missed(&error).await {
                        return false;
                    }
                }
            }
        }
        let shown = self.line.finish(last.as_deref());
        self.close_line(shown, self.window.len()).await
    }

    /// The line is too long for one window: its front is settled at a quiet moment.
    async fn cut(&mut self) -> bool {
        let at = sample_index(quietest_ms(&self.window, CUT_FROM_MS, CUT_UNTIL_MS));
        let (front, rest) = self
            .window
            .split_at_checked(at)
            .unwrap_or((&self.window, &[]));
        let (front, rest) = (front.to_vec(), rest.to_vec());
        let heard = match self.recognise(front).await {
            Ok(heard) => words(&heard),
            Err(error) => return self.missed(&error).await,
        };
        self.tuning.begin_line(self.took_ms, BUSY_MS);
        let next = match self.recognise(rest).await {
            Ok(heard) => words(&heard),
            Err(error) => return self.missed(&error).await,
        };
        self.line.cut(&heard, &next);
        self.keep_last(self.window.len() - at);
        let shown = self.line.shown();
        self.show(shown, false).await
    }

    async fn recognise(&mut self, pcm: Vec<f32>) -> Result<Heard, SpeechError> {
        let begun = Instant::now();
        let heard = self.tuning.hear(&self.client, &pcm).await;
        // Half of the time may be spent on this speaker; the rest is for the others.
        let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(STEP_MAX_MS);
        self.step_ms = (took * 2).clamp(STEP_MIN_MS, STEP_MAX_MS);
        self.took_ms = took;
        let (heard, understood) = heard?;
        if !understood {
            self.notice(Notice::NotUnderstood).await;
        }
        Ok(heard)
    }

    /// A window that got no answer. The next one holds the same audio and more.
    async fn missed(&mut self, error: &SpeechError) -> bool {
        let mut going_on = true;
        match error {
            SpeechError::Stopped => return false,
            SpeechError::Shed { .. } => {
                self.inbox.shed.fetch_add(1, Ordering::Relaxed);
                self.step_ms = STEP_MAX_MS;
            }
            SpeechError::Refused { .. }
            | SpeechError::NoModel { .. }
            | SpeechError::Processor { .. }
            | SpeechError::NoCommand
            | SpeechError::NotStarting { .. } => {
                tracing::warn!(%error, "no captions");
                self.step_ms = STEP_MAX_MS;
                going_on = self.notice(Notice::NoModel).await;
            }
            SpeechError::Crashed { .. }
            | SpeechError::Folder(_)
            | SpeechError::Kept { .. }
            | SpeechError::Frame(_)
            | SpeechError::Mismatch => {
                tracing::warn!(%error, "a caption window was not recognised");
                self.step_ms = STEP_MAX_MS;
            }
        }
        self.keep_last(sample_index(WAITING_MS));
        going_on
    }

    /// Says why there are no words, once until there are words again. False when nobody listens.
    async fn notice(&mut self, notice: Notice) -> bool {
        if self.told == Some(notice) {
            return !self.updates.is_closed();
        }
        self.told = Some(notice);
        let text = notice.text().to_owned();
        let update = CaptionUpdate {
            is_notice: true,
            ..self.update(text, 0, true)
        };
        self.number += 1;
        self.updates.send(update).await.is_ok()
    }

    async fn close_line(&mut self, shown: Shown, until: usize) -> bool {
        self.speaking = false;
        self.tuning.begin_line(self.took_ms, BUSY_MS);
        let sent = self.show(shown, true).await;
        let rest = self.window.len().saturating_sub(until);
        self.keep_last(rest.min(sample_index(PRE_ROLL_MS)));
        self.last_text.clear();
        sent
    }

    async fn show(&mut self, shown: Shown, is_final: bool) -> bool {
        let Shown { text, stable_bytes } = shown;
        if text.is_empty() || (text == self.last_text && !is_final) {
            return !self.updates.is_closed();
        }
        let update = self.update(text, stable_bytes, is_final);
        self.told = None;
        self.number += u64::from(is_final);
        self.last_text.clone_from(&update.text);
        self.updates.send(update).await.is_ok()
    }

    fn update(&mut self, text: String, stable_bytes: usize, is_final: bool) -> CaptionUpdate {
        let heard_until = self.begins + self.window.len();
        let new_audio = heard_until.saturating_sub(self.reported);
        self.reported = heard_until;
        CaptionUpdate {
            stable_bytes,
            line: self.number,
            language: self.tuning.language().to_owned(),
            is_notice: false,
            new_audio_len_ms: length_ms(new_audio),
            is_final,
            delay: self.newest.elapsed(),
            heard_until_ms: length_ms(heard_until),
            flicker: self.line.flicker(),
            text,
        }
    }

    fn keep_last(&mut self, samples: usize) {
        let excess = self.window.len().saturating_sub(samples);
        self.window.drain(..excess);
        self.begins += excess;
    }
}

fn loud(pcm: &[f32]) -> bool {
    pcm.chunks(SAMPLE_RATE / 10)
        .any(|piece| energy(piece) > QUIET)
}

fn words(heard: &Heard) -> Vec<Word> {
    let phrases = heard.phrases.iter();
    phrases.flat_map(|phrase| phrase.words.clone()).collect()
}
