//! One job of a call.

use std::time::Instant;

use proto::id::{CallId, ConnId, JobId, UserId};

use crate::io::{JobTaken, Moment, PostEdit};
use crate::record::JobRecord;
use crate::{JOB_ANSWER_LIMIT, JOB_START_LIMIT, MEDIA_GRACE};

/// What kind of work a bot does in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    Recording,
    Transcribing,
    /// Part of the transcribing job; has a state of its own and no process of its own.
    Captioning,
}

impl JobKind {
    /// Returns the name in records and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Transcribing => "transcribing",
            Self::Captioning => "captioning",
        }
    }

    /// Reads the name in records.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Recording, Self::Transcribing, Self::Captioning]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// Why a job ended badly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobFailure {
    /// The job service did not take it, with its reason.
    NotTaken { kind: JobKind, reason: String },
    /// Nobody came to do it in time.
    BotDidNotCome(JobKind),
    /// Whoever did it is gone, and nobody has taken it over. Something may still come of it.
    BotVanished(JobKind),
    /// It was not even asked for: it is known that nothing would come of it, and why.
    NoSpeech(String),
    /// In somebody else's words: the bot's, or those of a record. Something may still come of it.
    Told(String),
    /// It ended too early, in the bot's words. What was taken until then comes.
    CutOff(String),
    /// Nothing comes of it, in the bot's words.
    Lost(String),
}

impl JobFailure {
    /// What the call's thread is told of a job that failed so: that nothing comes of it. What was cut off
    /// comes all the same, and a transcript says itself what it lacks; a recording that the service did not
    /// take was never announced.
    #[must_use]
    pub fn in_the_thread(&self, kind: JobKind, job: JobId) -> Option<PostEdit> {
        let failure = self.clone();
        match (kind, self) {
            (_, Self::CutOff(_) | Self::BotVanished(_)) => None,
            (JobKind::Transcribing, _) => Some(PostEdit::NoTranscript {
                transcribing: job,
                failure,
            }),
            (JobKind::Recording, Self::BotDidNotCome(_) | Self::Lost(_)) => {
                Some(PostEdit::NoRecording {
                    recording: job,
                    failure,
                })
            }
            (JobKind::Recording, Self::NotTaken { .. } | Self::NoSpeech(_) | Self::Told(_))
            | (JobKind::Captioning, _) => None,
        }
    }
}

/// Where a job stands. Times are Unix milliseconds, 0 while they have not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobView {
    pub kind: JobKind,
    pub init_at_ms: i64,
    pub start_at_ms: i64,
    pub end_at_ms: i64,
    pub failure: Option<JobFailure>,
    /// Since when its bot takes nothing.
    pub paused_at_ms: i64,
    /// How much of what is made after its end is made, in per cent.
    pub progress: Option<u8>,
}

#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) kind: JobKind,
    pub(crate) creator: UserId,
    pub(crate) init_at_ms: i64,
    pub(crate) start_at_ms: i64,
    pub(crate) end_at_ms: i64,
    pub(crate) failure: Option<JobFailure>,
    pub(crate) service_id: String,
    pub(crate) bot_connection: Option<ConnId>,
    /// What the host wants; that it is so, the bot says.
    pub(crate) pause_wanted: bool,
    pub(crate) paused_at_ms: i64,
    progress: Option<u8>,
    /// Not kept: after a restart of ours its bot stays where it is.
    may_move: bool,
    /// Its bot was asked to begin anew: whoever comes for it goes on, though the other is still there.
    is_moving: bool,
    /// When it has failed unless its bot reported that it runs.
    start_until: Instant,
    /// The bot is gone without having failed; when the job has, unless another went on with it.
    another_until: Option<Instant>,
}

impl Job {
    pub(super) fn new(kind: JobKind, creator: &UserId, at: Moment) -> Self {
        Self {
            id: JobId::random(),
            kind,
            creator: creator.clone(),
            init_at_ms: at.unix_ms,
            start_at_ms: 0,
            end_at_ms: 0,
            failure: None,
            service_id: String::new(),
            bot_connection: None,
            pause_wanted: false,
            paused_at_ms: 0,
            progress: None,
            may_move: false,
            is_moving: false,
            // Of a service whose answer never comes.
            start_until: at.now + JOB_ANSWER_LIMIT + JOB_START_LIMIT,
            another_until: None,
        }
    }

    pub(crate) fn restored(record: JobRecord, at: Moment) -> Self {
        Self {
            id: record.id,
            kind: record.kind,
            creator: record.creator,
            init_at_ms: record.init_at_ms,
            start_at_ms: record.start_at_ms,
            end_at_ms: record.end_at_ms,
            failure: record.failure,
            service_id: record.service_id,
            bot_connection: record.bot_connection,
            pause_wanted: record.pause_wanted,
            paused_at_ms: record.paused_at_ms,
            progress: None,
            may_move: false,
            is_moving: false,
            start_until: at.now + JOB_START_LIMIT,
            another_until: None,
        }
    }

    pub(crate) fn view(&self) -> JobView {
        JobView {
            kind: self.kind,
            init_at_ms: self.init_at_ms,
            start_at_ms: self.start_at_ms,
            end_at_ms: self.end_at_ms,
            failure: self.failure.clone(),
            paused_at_ms: self.paused_at_ms,
            progress: self.progress,
        }
    }

    pub(crate) fn record(&self, call: &CallId) -> JobRecord {
        JobRecord {
            id: self.id.clone(),
            call: call.clone(),
            kind: self.kind,
            creator: self.creator.clone(),
            init_at_ms: self.init_at_ms,
            start_at_ms: self.start_at_ms,
            end_at_ms: self.end_at_ms,
            failure: self.failure.clone(),
            service_id: self.service_id.clone(),
            bot_connection: self.bot_connection.clone(),
            pause_wanted: self.pause_wanted,
            paused_at_ms: self.paused_at_ms,
        }
    }

    /// Notes that the service has taken it: only now is its bot awaited.
    pub(super) fn taken_as(&mut self, taken: JobTaken, at: Moment) {
        self.service_id = taken.service_id;
        self.may_move = taken.may_move;
        self.start_until = at.now + JOB_START_LIMIT;
    }

    /// Ends it: nothing is taken any more, and so nothing pauses.
    pub(super) fn end(&mut self, at: Moment) {
        self.end_at_ms = at.unix_ms;
        self.pause_wanted = false;
        self.paused_at_ms = 0;
        self.another_until = None;
    }

    /// Waits for another bot, as long as for people who have lost their media.
    pub(crate) fn await_another(&mut self, at: Moment) {
        self.another_until = Some(at.now + MEDIA_GRACE);
    }

    pub(crate) fn awaits_another(&self) -> bool {
        self.another_until.is_some()
    }

    /// Its bot is there.
    pub(super) fn has_bot(&mut self, connection: &ConnId) {
        self.bot_connection = Some(connection.clone());
        self.another_until = None;
        self.is_moving = false;
    }

    /// Its bot is asked to begin anew. It may stay, for reasons of its own.
    pub(crate) fn note_move(&mut self) {
        self.is_moving = true;
    }

    pub(crate) fn is_moving(&self) -> bool {
        self.is_moving
    }

    /// Whether its bot can be asked to begin anew elsewhere, while it is well.
    pub(crate) fn may_move(&self) -> bool {
        self.may_move
    }

    pub(crate) fn is_open(&self) -> bool {
        self.end_at_ms == 0
    }

    /// Whether its bot does what it came for.
    pub(crate) fn is_running(&self) -> bool {
        self.is_open() && self.start_at_ms > 0
    }

    /// Notes how much is made; whether that is news.
    pub(super) fn advance(&mut self, percent: u8) -> bool {
        let percent = Some(percent.min(100));
        std::mem::replace(&mut self.progress, percent) != percent
    }

    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|until| until <= now)
    }

    /// When it has failed, while its bot is still awaited.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let begins = (self.is_open() && self.start_at_ms == 0).then_some(self.start_until);
        begins.or(self.another_until)
    }
}
