//! Handing in: files are uploaded, then the result is told, until the messaging server has it.
//!
//! In: finished files, the journal of what was done already. Out: a result in the call's thread.
//! Every step is in the journal, so that a run after a crash goes on where the last one stopped:
//! a begun upload is resumed at the byte the server names, a finished one is not repeated.
//! A result is told again only when the call's post does not name it: an answer may be lost after the
//! server took it.
//! Invariant: what is journalled as handed in is never handed in again.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use proto::calls::JobKind;
use proto::calls::bot::{CallSummary, RecordingReport, Transcription, TranscriptionReport};
use proto::id::FileId;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::time::Instant;

use crate::capture::journal::{self, Entry, Journal};
use crate::client::bot::{BotApi, BotError, Progress, Remedy};

/// One piece of an upload, in bytes.
const PIECE: u64 = 8 << 20;
/// First pause after a failure; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Failures of this kind are waited out for so long in all.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// Pieces the server may leave unchanged before the upload is begun anew.
const MOST_STALLS: u32 = 3;

/// Nothing more can be done without help.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The token is refused; the files are kept for an operator.
    #[error("the messaging server refuses the bot: {0}")]
    Credentials(BotError),
    #[error("the messaging server will not take it: {0}")]
    Never(BotError),
    #[error("the messaging server could not be reached for {hours} h: {0}", hours = PATIENCE.as_secs() / 3600)]
    Unreachable(BotError),
    #[error("read or write the job's folder")]
    Folder(#[from] std::io::Error),
}

/// How failed calls are waited out. Tests shorten it.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub first_pause: Duration,
    pub patience: Duration,
    /// Bytes of one piece.
    pub piece: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first_pause: FIRST_PAUSE,
            patience: PATIENCE,
            piece: PIECE,
        }
    }
}

/// A transcript in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// ISO 639-1.
    pub language: String,
    /// In the job's folder: `.vtt`, `.txt`, then others.
    pub files: Vec<String>,
}

/// Hands in the results of one job.
#[derive(Debug)]
pub struct Publisher<'a> {
    bot: &'a BotApi,
    folder: &'a Path,
    journal: Journal,
    pace: Pace,
}

impl<'a> Publisher<'a> {
    /// Opens the folder of a job.
    ///
    /// # Errors
    /// When its journal cannot be written.
    pub fn open(bot: &'a BotApi, folder: &'a Path, pace: Pace) -> Result<Self, PublishError> {
        Ok(Self {
            bot,
            folder,
            journal: Journal::open(folder)?,
            pace,
        })
    }

    /// Uploads the file of a recording and tells where it is.
    ///
    /// # Errors
    /// When the server refuses for good, or cannot be reached for a day.
    pub async fn recording(
        &mut self,
        job: &str,
        post: &str,
        file: &str,
    ) -> Result<(), PublishError> {
        if self.is_handed_in() {
            return Ok(());
        }
        let ending = Path::new(file).extension().unwrap_or_default();
        let name = format!("{}.{}", self.name().await?, ending.to_string_lossy());
        let id = self.upload(file, &name).await?;
        let report = RecordingReport {
            job: job.to_owned(),
            post: post.to_owned(),
            files: vec![id],
        };
        let bot = self.bot;
        let tell = async || bot.hand_in_recording(&report).await;
        self.once(JobKind::Recording, (job, post), tell).await
    }

    /// Uploads the files of a transcript and tells where they are: WebVTT and text first, as every
    /// messaging server expects them; what comes after is for those who look at all. The transcript in
    /// its own language is the first of them: others take that one only.
    ///
    /// # Errors
    /// When the server refuses for good, or cannot be reached for a day.
    pub async fn transcript(
        &mut self,
        job: &str,
        post: &str,
        versions: &[Version],
        summary: Option<CallSummary>,
    ) -> Result<(), PublishError> {
        if self.is_handed_in() {
            return Ok(());
        }
        let name = self.name().await?;
        let mut transcriptions = Vec::new();
        for Version { language, files } in versions {
            let mut ids = Vec::new();
            for file in files {
                // `transcript.de.vtt` becomes `Call_Town_Square_2026-11-28_22-30-00.de.vtt`.
                let kind = file.split_once('.').map_or("", |(_, kind)| kind);
                ids.push(self.upload(file, &format!("{name}.{kind}")).await?);
            }
            transcriptions.push(Transcription {
                title: language.clone(),
                language: language.clone(),
                files: ids,
            });
        }
        let report = TranscriptionReport {
            job: job.to_owned(),
            post: post.to_owned(),
            transcriptions,
            summary,
        };
        let bot = self.bot;
        let tell = async || bot.hand_in_transcript(&report).await;
        self.once(JobKind::Transcribing, (job, post), tell).await
    }

    /// Tells of a result unless the call has it. Whether it has, a server may not let this bot see; then
    /// twice is better than never.
    async fn once(
        &mut self,
        kind: JobKind,
        (job, post): (&str, &str),
        tell: impl AsyncFn() -> Result<(), BotError>,
    ) -> Result<(), PublishError> {
        let mut patience = Patience::new(self.pace);
        let mut is_told = false;
        loop {
            match self.bot.has_result(post, kind, job).await {
                Ok(true) => {
                    tracing::info!("the call has the result already");
                    break;
                }
                Ok(false) => {}
                // An answer may have been lost: only who sees that there is none tells again.
                Err(error) if is_told && error.remedy() == Remedy::Retry => {
                    patience.wait(error).await?;
                    continue;
                }
                Err(error) => {
                    tracing::debug!(%error, "whether the call has the result is not known");
                }
            }
            is_told = true;
            match tell().await {
                Ok(()) => break,
                Err(error) => patience.wait(error).await?,
            }
        }
        self.journal.record(&Entry::HandedIn)?;
        Ok(())
    }

    fn is_handed_in(&self) -> bool {
        journal::read(self.folder).contains(&Entry::HandedIn)
    }

    async fn name(&mut self) -> Result<String, PublishError> {
        let known = journal::read(self.folder).into_iter().find_map(|entry| {
            if let Entry::Named { name } = entry {
                Some(name)
            } else {
                None
            }
        });
        if let Some(name) = known {
            return Ok(name);
        }
        let bot = self.bot;
        let name = self.patiently(async || bot.filename().await).await?;
        self.journal.record(&Entry::Named { name: name.clone() })?;
        Ok(name)
    }

    /// Uploads a file of the folder, or finds out that it was uploaded before.
    async fn upload(&mut self, file: &str, name: &str) -> Result<FileId, PublishError> {
        let (mut session, mut done) = (None, None);
        for entry in journal::read(self.folder) {
            if let Entry::Upload { file: known, id } = entry {
                session = (known == file).then_some(id).or(session);
            } else if let Entry::Uploaded {
                file: known,
                file_id,
            } = entry
            {
                done = (known == file).then_some(file_id).or(done);
            }
        }
        if let Some(id) = done.and_then(|id| FileId::parse(id).ok()) {
            return Ok(id);
        }
        let size = tokio::fs::metadata(self.folder.join(file)).await?.len();
        loop {
            let id = match session.take() {
                Some(id) => id,
                None => self.begin_upload(file, name, size).await?,
            };
            match self.send_pieces(file, &id).await? {
                Some(file_id) => {
                    let entry = Entry::Uploaded {
                        file: file.to_owned(),
                        file_id: file_id.to_string(),
                    };
                    self.journal.record(&entry)?;
                    return Ok(file_id);
                }
                None => tracing::warn!(file, "the upload session is gone; a new one is begun"),
            }
        }
    }

    async fn begin_upload(
        &mut self,
        file: &str,
        name: &str,
        size: u64,
    ) -> Result<String, PublishError> {
        let bot = self.bot;
        let session = self
            .patiently(async || bot.create_upload(name, size).await)
            .await?;
        let id = session.id.to_string();
        self.journal.record(&Entry::Upload {
            file: file.to_owned(),
            id: id.clone(),
        })?;
        Ok(id)
    }

    /// Sends what the server does not have; `None` when the session is gone.
    async fn send_pieces(&self, file: &str, id: &str) -> Result<Option<FileId>, PublishError> {
        let mut input = tokio::fs::File::open(self.folder.join(file)).await?;
        let mut patience = Patience::new(self.pace);
        let (mut last_offset, mut stalls) = (None, 0);
        loop {
            let sent = async {
                let offset = self.bot.upload(id).await?.file_offset;
                let piece = read_piece(&mut input, offset, self.pace.piece).await;
                Ok::<_, BotError>((offset, piece))
            };
            let outcome = match sent.await {
                Ok((offset, piece)) => {
                    stalls = if last_offset == Some(offset) {
                        stalls + 1
                    } else {
                        0
                    };
                    last_offset = Some(offset);
                    if stalls >= MOST_STALLS {
                        return Ok(None);
                    }
                    self.bot.upload_piece(id, piece?).await
                }
                Err(error) => Err(error),
            };
            match outcome {
                Ok(Progress::Complete(info)) => return Ok(Some(info.id)),
                Ok(Progress::Partial) => patience = Patience::new(self.pace),
                Err(error) if error.remedy() == Remedy::Gone => return Ok(None),
                Err(error) => patience.wait(error).await?,
            }
        }
    }

    /// Repeats a call until it succeeds or there is no hope.
    async fn patiently<T>(
        &self,
        call: impl AsyncFn() -> Result<T, BotError>,
    ) -> Result<T, PublishError> {
        let mut patience = Patience::new(self.pace);
        loop {
            match call().await {
                Ok(value) => return Ok(value),
                Err(error) => patience.wait(error).await?,
            }
        }
    }
}

async fn read_piece(input: &mut tokio::fs::File, offset: u64, most: u64) -> std::io::Result<Bytes> {
    input.seek(std::io::SeekFrom::Start(offset)).await?;
    let mut piece = Vec::new();
    input.take(most).read_to_end(&mut piece).await?;
    Ok(piece.into())
}

/// Pauses that grow, and an end.
struct Patience {
    pause: Duration,
    until: Instant,
}

impl Patience {
    fn new(pace: Pace) -> Self {
        Self {
            pause: pace.first_pause,
            until: Instant::now() + pace.patience,
        }
    }

    async fn wait(&mut self, error: BotError) -> Result<(), PublishError> {
        match error.remedy() {
            Remedy::Credentials => return Err(PublishError::Credentials(error)),
            Remedy::Never | Remedy::Gone => return Err(PublishError::Never(error)),
            Remedy::Retry if Instant::now() >= self.until => {
                return Err(PublishError::Unreachable(error));
            }
            Remedy::Retry => {}
        }
        let jitter = rand::random_range(0.8..1.2);
        tracing::info!(%error, "handing in is tried again");
        tokio::time::sleep(self.pause.mul_f64(jitter)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}
