//! What the server tells, in the words of this crate.
//!
//! In: events and the state of a call. Out: `CallEvent`s. Pure.
//! Not here: events about the bot's own session (`session`).

use proto::calls::CallState;
use proto::calls::event::Event;

use super::super::{CallEvent, JoinOrder};

/// Who was there before the bot, who shares a screen, which jobs run.
pub(super) fn of_state(json: &str) -> Vec<CallEvent> {
    let state: CallState = match serde_json::from_str(json) {
        Ok(state) => state,
        Err(error) => {
            tracing::debug!(%error, "the call's state was not understood");
            return Vec::new();
        }
    };
    let mut events = Vec::new();
    for session in state.sessions {
        let (muted, raised) = (!session.unmuted, session.raised_hand > 0);
        let (user, session) = (session.user_id, session.session_id);
        events.push(CallEvent::UserJoined {
            user,
            session: session.clone(),
        });
        events.push(CallEvent::Hand {
            session: session.clone(),
            raised,
        });
        events.push(CallEvent::Muted { session, muted });
    }
    events.extend(
        state
            .screen_sharing_session_id
            .map(|session| CallEvent::ScreenOn { session }),
    );
    let jobs = [state.recording, state.transcription];
    events.extend(jobs.into_iter().flatten().map(|job| {
        let (start_at, end_at) = (job.start_at, job.end_at);
        CallEvent::JobState {
            kind: job.kind,
            start_at,
            end_at,
            paused_at: job.paused_at,
            err: job.err,
        }
    }));
    events
}

/// The event, if a recording wants to know of it.
pub(super) fn of_event(event: Event, order: &JoinOrder) -> Option<CallEvent> {
    Some(match event {
        Event::UserJoined(who) => CallEvent::UserJoined {
            user: who.user_id,
            session: who.session_id,
        },
        Event::UserLeft(who) => CallEvent::UserLeft {
            session: who.session_id,
        },
        Event::UserMuted(who) => CallEvent::Muted {
            session: who.session_id,
            muted: true,
        },
        Event::UserUnmuted(who) => CallEvent::Muted {
            session: who.session_id,
            muted: false,
        },
        Event::UserRaiseHand(who) | Event::UserUnraiseHand(who) => CallEvent::Hand {
            session: who.session_id,
            raised: who.raised_hand > 0,
        },
        Event::UserScreenOn(who) => CallEvent::ScreenOn {
            session: who.session_id,
        },
        Event::UserScreenOff(_) => CallEvent::ScreenOff,
        Event::CallJobState(news) if news.channel == order.channel => CallEvent::JobState {
            kind: news.state.kind,
            start_at: news.state.start_at,
            end_at: news.state.end_at,
            paused_at: news.state.paused_at,
            err: news.state.err,
        },
        Event::JobStop(stop) if stop.job_id == order.job => CallEvent::Stop,
        Event::JobPause(job) if job.job_id == order.job => CallEvent::Pause,
        Event::JobResume(job) if job.job_id == order.job => CallEvent::Resume,
        Event::CallEnd(_) => CallEvent::CallEnded,
        Event::Join(_)
        | Event::Error(_)
        | Event::Signal(_)
        | Event::CallStart(_)
        | Event::CallState(_)
        | Event::UserVoiceOn(_)
        | Event::UserVoiceOff(_)
        | Event::UserVideoOn(_)
        | Event::UserVideoOff(_)
        | Event::UserReacted(_)
        | Event::CallHostChanged(_)
        | Event::CallJobState(_)
        | Event::UserDismissedNotification(_)
        | Event::JobStop(_)
        | Event::JobPause(_)
        | Event::JobResume(_)
        | Event::Caption(_)
        | Event::HostMute(_)
        | Event::HostScreenOff(_)
        | Event::HostLowerHand(_)
        | Event::HostRemoved(_)
        | Event::MediaMoves(_)
        | Event::ChannelEnableVoice(_)
        | Event::ChannelDisableVoice(_) => return None,
    })
}
