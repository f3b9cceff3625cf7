//! The worker in the call: from joining to leaving.
//!
//! In: the order. Out: a folder with a capture, or the reason why there is none.
//! A recording's time begins when `started` was reported; a transcript's when the recording of the
//! same call began.
//! Invariant: the call is left, whatever happens here.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Context;
use proto::calls::JobKind;
use proto::calls::bot::StatusReport;
use proto::id::SessionId;
use proto::rtcd::TrackType;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::captions::Captions;
use super::film::Filming;
use super::names::{Found, Names};
use super::state::{self, State};
use super::{Details, Job};
use crate::auth::unix_ms;
use crate::capture::Capture;
use crate::client::bot::BotApi;
use crate::client::{self, CallCommand, CallEvent, CallHandle, CloseReason};
use crate::disk;

/// A recording that has not begun by then will not.
const RECORDING_START: Duration = Duration::from_secs(25);
/// A transcript waits for the recording as well.
const TRANSCRIPT_START: Duration = Duration::from_secs(45);
/// How often small things are looked after.
const TICK: Duration = Duration::from_millis(200);
/// How often the journal hears that the capture lasts.
const JOURNAL_TICK: Duration = Duration::from_secs(1);
/// Tries and pause of the report that the job has started.
const REPORT_TRIES: u32 = 3;
const REPORT_PAUSE: Duration = Duration::from_secs(2);
/// A start further back than this was told by a clock that differs from ours.
const LARGEST_CLOCK_GAP: Duration = Duration::from_secs(60);
/// How long the call is told why the capture ends.
const TELL_WITHIN: Duration = Duration::from_secs(3);

/// Of a call that was lost, so much is kept behind the last packet, and no less than until so long ago:
/// a call in which nobody speaks has no packets.
const GONE_TAIL: Duration = Duration::from_secs(1);
const LONGEST_GONE: Duration = Duration::from_secs(60);

/// How the capture ended.
pub(super) enum Captured {
    Something,
    Nothing {
        why: String,
    },
    /// It was ended before it began.
    NotWanted {
        why: String,
        /// Its start was reported: people wait for what comes of it.
        is_awaited: bool,
    },
    /// The media host of the call is gone: another worker joins anew, and goes on.
    PassedOn,
}

/// Why a capture ends.
#[derive(Debug)]
struct End {
    why: String,
    /// Nobody in the call wanted it: they are told.
    is_trouble: bool,
    /// Nothing was there any more from then on.
    gone_since: Option<Instant>,
    /// It was over then, however late that is noticed.
    over_at: Option<Instant>,
    /// Another worker can go on with it.
    passes_on: bool,
}

/// What messaging servers say of a job that was ended before its bot came.
const ENDED_BEFORE: &str = "job not in progress";

impl End {
    fn asked(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            is_trouble: false,
            gone_since: None,
            over_at: None,
            passes_on: false,
        }
    }

    fn trouble(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            is_trouble: true,
            gone_since: None,
            over_at: None,
            passes_on: false,
        }
    }

    /// When the call was over, as far as it is to be recorded.
    fn at(&self, now: Instant) -> Instant {
        if let Some(over_at) = self.over_at {
            return over_at.min(now);
        }
        self.gone_since.map_or(now, |since| {
            let since = since + GONE_TAIL;
            let longest = now.checked_sub(LONGEST_GONE).unwrap_or(since);
            since.max(longest).min(now)
        })
    }

    fn closed(reason: &CloseReason, last_packet: Option<Instant>) -> Self {
        match reason {
            CloseReason::Left => Self::asked(reason.to_string()),
            CloseReason::Refused(why) if why.starts_with(ENDED_BEFORE) => {
                Self::asked("it was ended before it began")
            }
            CloseReason::Refused(_) => Self::trouble(reason.to_string()),
            CloseReason::Unreachable(_)
            | CloseReason::MediaLost
            | CloseReason::MediaFailed(_)
            | CloseReason::HostGone => Self {
                gone_since: last_packet,
                passes_on: *reason == CloseReason::HostGone,
                ..Self::trouble(reason.to_string())
            },
        }
    }
}

struct Live<'a> {
    job: &'a Job,
    capture: Capture,
    captions: Option<Captions>,
    commands: mpsc::Sender<CallCommand>,
    connected: bool,
    /// The zero of the recording of this call, once it has begun.
    recording_zero: Option<Instant>,
    report: Option<JoinHandle<Result<(), String>>>,
    names: Names,
    /// Who is in the call beside the bot.
    people: BTreeSet<SessionId>,
    own: Option<SessionId>,
    /// How the recording stands was heard once.
    knows_recording: bool,
    begun: Instant,
    ticked: Instant,
}

/// Captures until something ends it.
pub(super) async fn capture(job: &mut Job) -> anyhow::Result<Captured> {
    let mut filming = Filming::default();
    let captured = in_call(job, &mut filming).await;
    job.film = filming.end();
    captured
}

async fn in_call(job: &Job, filming: &mut Filming) -> anyhow::Result<Captured> {
    let CallHandle {
        mut events,
        commands,
    } = client::join(job.join_order()?);
    let capture = Capture::begin(&job.order.folder).context("begin the capture")?;
    let (names, mut found) = Names::new(job);
    let mut stop = job.stop.clone();
    let captions = match &job.details {
        Details::Transcribing(input) if input.captions_on => {
            Some(Captions::open(&job.order.speech, input, commands.clone()))
        }
        Details::Transcribing(_) | Details::Recording(_) => None,
    };
    let mut live = Live {
        job,
        capture,
        captions,
        commands,
        connected: false,
        recording_zero: None,
        report: None,
        names,
        people: BTreeSet::new(),
        own: None,
        knows_recording: false,
        begun: Instant::now(),
        ticked: Instant::now(),
    };
    let mut timer = tokio::time::interval(TICK);
    let end = loop {
        let ended = tokio::select! {
            event = events.recv() => match event {
                Some(event) => live.take(event),
                None => Some(End::trouble("the client ended")),
            },
            Some(found) = found.recv() => {
                live.learn(&found);
                None
            }
            changed = stop.changed() => {
                (changed.is_err() || *stop.borrow()).then(|| End::trouble("the recording server is stopped"))
            }
            _ = timer.tick() => live.tick().await,
        };
        if let Some(end) = ended {
            break end;
        }
        if live.capture.has_begun() {
            filming.look(job).await;
        }
    };
    tracing::info!(why = end.why, "the capture ends");
    live.end(events, end).await
}

impl Live<'_> {
    /// Takes an event; the reason when it ends the capture.
    fn take(&mut self, event: CallEvent) -> Option<End> {
        let now = Instant::now();
        self.capture.take(&event, now);
        match event {
            CallEvent::Connected { .. } => self.connected = true,
            CallEvent::TrackAdded { track, kind, owner } => {
                self.names.look_up(&owner);
                let kept = self.capture.kept(track);
                if let Some(captions) = self.captions.as_mut().filter(|_| kind == TrackType::Voice)
                {
                    captions.add(track, kept, owner);
                }
            }
            CallEvent::TrackEnded { track } => {
                if let Some(captions) = self.captions.as_mut() {
                    captions.remove(track);
                }
            }
            CallEvent::Packet { track, packet } => {
                if let Some(captions) = self.captions.as_mut() {
                    captions.packet(track, packet);
                }
            }
            CallEvent::UserJoined { session, .. } => {
                self.names.look_up(&session);
                self.people.insert(session);
            }
            CallEvent::UserLeft { session } => {
                self.people.remove(&session);
            }
            CallEvent::JobState {
                kind,
                start_at,
                end_at,
                paused_at,
                err,
            } => {
                self.follow_recording(kind, end_at, paused_at);
                return self.take_job_state(kind, start_at, end_at, &err);
            }
            CallEvent::Pause => self.pause(true),
            CallEvent::Resume => self.pause(false),
            // A server asks its bots to leave for every reason there is.
            CallEvent::Stop if !self.people.iter().any(|who| Some(who) != self.own.as_ref()) => {
                return Some(End::asked("everybody left the call"));
            }
            CallEvent::Stop => return Some(End::asked("it was stopped in the call")),
            CallEvent::CallEnded => return Some(End::asked("the call ended")),
            CallEvent::Closed { reason } => {
                return Some(End::closed(&reason, self.capture.last_packet()));
            }
            CallEvent::Joined { session } => self.own = Some(session),
            CallEvent::Muted { .. }
            | CallEvent::Hand { .. }
            | CallEvent::ScreenOn { .. }
            | CallEvent::ScreenOff => {}
        }
        None
    }

    fn take_job_state(
        &mut self,
        kind: JobKind,
        start_at: i64,
        end_at: i64,
        err: &str,
    ) -> Option<End> {
        // An earlier recording of the same call has an end.
        if kind == JobKind::Recording && start_at > 0 && end_at == 0 {
            self.recording_zero.get_or_insert_with(|| zero_of(start_at));
        }
        // Said as well by `job_stop`, which may have been lost with a connection.
        let ended = kind == self.job.kind() && end_at > 0 && self.connected;
        ended.then(|| End::asked(if err.is_empty() { "it was ended" } else { err }))
    }

    /// What is not in the recording is not in its transcript. The recorder itself is told by an order,
    /// for a state may be an old one; but the first is what one finds who goes on for another.
    fn follow_recording(&mut self, kind: JobKind, end_at: i64, paused_at: i64) {
        if kind != JobKind::Recording || end_at > 0 {
            return;
        }
        let is_first = !std::mem::replace(&mut self.knows_recording, true);
        if self.job.kind() == JobKind::Transcribing || (is_first && paused_at > 0) {
            self.pause(paused_at > 0);
        }
    }

    fn pause(&mut self, pauses: bool) {
        let now = Instant::now();
        let is_new = if pauses {
            self.capture.pause(now)
        } else {
            self.capture.resume(now)
        };
        if !is_new {
            return;
        }
        tracing::info!(pauses, "the host paused it, or let it go on");
        let kind = self.job.kind();
        if kind == JobKind::Recording {
            let report = if pauses {
                StatusReport::paused(kind)
            } else {
                StatusReport::resumed(kind)
            };
            let (bot, id) = (self.job.bot.clone(), self.job.call.job_id.clone());
            tokio::spawn(async move {
                if let Err(error) = bot.status(&id, &report).await {
                    tracing::debug!(%error, "nobody wants to know of a pause");
                }
            });
        }
    }

    async fn tick(&mut self) -> Option<End> {
        let now = Instant::now();
        if self.capture.is_broken() {
            return Some(End::trouble(
                "the recording server's disk refuses to be written",
            ));
        }
        if !self.capture.has_begun() {
            return self.start(now).await;
        }
        if now.saturating_duration_since(self.ticked) >= JOURNAL_TICK {
            self.ticked = now;
            self.capture.tick(now);
            let (at_ms, condition) = (unix_ms(), self.capture.condition());
            state::write(&self.job.order.folder, &State { at_ms, condition });
            if let Some(full) = disk::must_end(&self.job.order.folder) {
                return Some(End::trouble(full));
            }
        }
        for track in self.capture.keyframes_wanted(now) {
            // A full queue: the wish is repeated in a second.
            let _ = self
                .commands
                .try_send(CallCommand::RequestKeyframe { track });
        }
        let limit = self.job.order.max_duration_sec.saturating_mul(1000);
        (self.capture.t_ms(now) >= limit).then(|| End {
            over_at: self.capture.instant_of(limit),
            ..End::asked("it reached its longest duration")
        })
    }

    /// Reports `started` as soon as it is true, then lets time begin.
    async fn start(&mut self, now: Instant) -> Option<End> {
        if let Some(report) = self.report.take_if(|report| report.is_finished()) {
            return match report.await {
                Ok(Ok(())) => {
                    // A transcript's times are those of the recording it belongs to.
                    self.capture.set_zero(self.recording_zero.unwrap_or(now));
                    tracing::info!("capturing");
                    None
                }
                Ok(Err(why)) => Some(End::trouble(why)),
                Err(error) => Some(End::trouble(error.to_string())),
            };
        }
        let limit = match self.job.details {
            Details::Recording(_) => RECORDING_START,
            Details::Transcribing(_) => TRANSCRIPT_START,
        };
        if now.saturating_duration_since(self.begun) > limit {
            let what = if self.connected {
                "the recording"
            } else {
                "the call"
            };
            let waited = format!("waited {} s for {what}", limit.as_secs());
            return Some(End::trouble(waited));
        }
        let ready = match self.job.details {
            Details::Recording(_) => self.connected,
            Details::Transcribing(_) => self.connected && self.recording_zero.is_some(),
        };
        if ready && self.report.is_none() {
            let (bot, job) = (self.job.bot.clone(), self.job.call.job_id.clone());
            let report = StatusReport::started(self.job.kind());
            self.report = Some(tokio::spawn(report_start(bot, job, report)));
        }
        None
    }

    fn learn(&self, found: &Found) {
        match found {
            Found::Name {
                session,
                user,
                name,
            } => self
                .capture
                .name(session.as_str(), user, name, Instant::now()),
            Found::Title(title) => self.capture.title(title),
        }
    }

    /// Leaves the capture as a worker does that dies, but for what is not on the disk yet.
    async fn pass_on(self) -> anyhow::Result<Captured> {
        if let Some(captions) = self.captions {
            captions.end().await;
        }
        let capture = self.capture;
        tokio::task::spawn_blocking(move || capture.leave_open())
            .await?
            .context("write what there is of the capture")?;
        Ok(Captured::PassedOn)
    }

    async fn end(
        self,
        mut events: mpsc::Receiver<CallEvent>,
        end: End,
    ) -> anyhow::Result<Captured> {
        let now = Instant::now();
        let ended = end.at(now);
        let begun = self.capture.has_begun();
        if begun && end.passes_on && self.job.details.may_go_on() {
            return self.pass_on().await;
        }
        let is_awaited = self.report.is_some();
        // While the job is still open: afterwards its end looks like anybody's. A job that has not
        // begun is reported by `worker`.
        if begun && end.is_trouble {
            let report = super::report_cut_off(self.job, end.why.clone());
            // Whoever does not answer will see that the bot has left.
            let _ = tokio::time::timeout(TELL_WITHIN, report).await;
        }
        // The client may have ended by itself.
        let _ = self.commands.send(CallCommand::Leave).await;
        let leaving = async { while events.recv().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_secs(5), leaving).await;
        if let Some(captions) = self.captions {
            captions.end().await;
        }
        let capture = self.capture;
        if end.is_trouble {
            capture.cut_off(&end.why, ended);
        }
        let why = end.why.clone();
        tokio::task::spawn_blocking(move || capture.end(&why, ended))
            .await?
            .context("write the last of the capture")?;
        Ok(if begun {
            Captured::Something
        } else if end.is_trouble {
            Captured::Nothing { why: end.why }
        } else {
            Captured::NotWanted {
                why: end.why,
                is_awaited,
            }
        })
    }
}

/// The instant of a moment that the messaging server named, if its clock is near ours; else now.
fn zero_of(start_at: i64) -> Instant {
    let now = Instant::now();
    let ago = u64::try_from(unix_ms().saturating_sub(start_at)).map(Duration::from_millis);
    match ago {
        Ok(ago) if ago <= LARGEST_CLOCK_GAP => now.checked_sub(ago).unwrap_or(now),
        Ok(_) | Err(_) => {
            tracing::warn!(start_at, "the messaging server's clock differs from ours");
            now
        }
    }
}

async fn report_start(bot: BotApi, job: String, report: StatusReport) -> Result<(), String> {
    let mut last = String::new();
    for attempt in 0..REPORT_TRIES {
        if attempt > 0 {
            tokio::time::sleep(REPORT_PAUSE).await;
        }
        match bot.status(&job, &report).await {
            Ok(()) => return Ok(()),
            Err(error) => last = format!("{:#}", anyhow::Error::from(error)),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_was_lost_ends_soon_after_what_was_last_heard_and_no_other_does() {
        let last = Instant::now();
        let later = |seconds| last + Duration::from_secs(seconds);
        let lost = |heard| End::closed(&CloseReason::MediaLost, heard);
        assert_eq!(lost(Some(last)).at(later(41)), later(1));
        assert_eq!(
            lost(Some(last)).at(later(600)),
            later(540),
            "a call that was silent"
        );
        assert_eq!(lost(Some(last)).at(last), last);
        assert_eq!(lost(None).at(later(41)), later(41));
        assert!(lost(Some(last)).is_trouble);
        let left = End::closed(&CloseReason::Left, Some(last));
        assert_eq!((left.at(later(9)), left.is_trouble), (later(9), false));
        let early = "job not in progress or already started".to_owned();
        assert!(!End::closed(&CloseReason::Refused(early), None).is_trouble);
        let other = CloseReason::Refused("no".to_owned());
        assert!(End::closed(&other, None).is_trouble);
    }
}
