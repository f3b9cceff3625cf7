//! Calls and jobs as JSON bodies show them.

use std::collections::BTreeMap;

use proto::calls::{CallState, JobKind as WireKind, JobState, SessionState};
use signalling_core::{CallView, JobKind, JobView, SessionView};

use super::words;

pub(crate) fn state(view: CallView) -> CallState {
    let dismissed = view.dismissed_by;
    CallState {
        id: view.id,
        start_at: view.start_at_ms,
        sessions: view.sessions.into_iter().map(session).collect(),
        thread_id: view.thread,
        post_id: view.post,
        screen_sharing_session_id: view.presenter,
        owner_id: view.owner,
        host_id: view.host,
        recording: view.recording.map(|job| job_state(&job)),
        transcription: view.transcribing.map(|job| job_state(&job)),
        live_captions: view.captioning.map(|job| job_state(&job)),
        dismissed_notification: dismissed.map(|user| BTreeMap::from([(user, true)])),
    }
}

fn session(view: SessionView) -> SessionState {
    SessionState {
        session_id: view.session,
        user_id: view.user,
        unmuted: view.unmuted,
        raised_hand: view.raised_hand_ms,
        video: view.video,
        silent_for: view.silent_for_ms,
    }
}

pub(crate) fn job_state(view: &JobView) -> JobState {
    let kind = match view.kind {
        JobKind::Recording => WireKind::Recording,
        JobKind::Transcribing => WireKind::Transcribing,
        JobKind::Captioning => WireKind::Captioning,
    };
    JobState {
        kind,
        init_at: view.init_at_ms,
        start_at: view.start_at_ms,
        end_at: view.end_at_ms,
        err: words::job_failure(view.failure.as_ref()),
        paused_at: view.paused_at_ms,
        progress: view.progress,
    }
}
