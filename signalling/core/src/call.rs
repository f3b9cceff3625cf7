//! One call: its sessions, host, presenter and jobs.
//!
//! ```text
//! (none) --join--> announcing --post created--> running --last session left--> (none)
//!                      |                           |
//!                      +--post refused--> (none)   +--host ends--> ending --5 s--> (none)
//! ```
//! Not here: judging joins (`join`), what sessions ask for (`session_action`), jobs (`jobs`).

mod restored;
pub(crate) mod session;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use proto::calls::event::{CallStateNews, HostChange, ScreenOff, SessionOfUser, UserSession};
use proto::calls::{CallState, Event};
use proto::id::{CallId, ChannelId, PostId, SessionId, UserId};
use proto::rtcd::ControlMessage;

use crate::announce::Outbox;
use crate::io::{CallRecord, JoinRequest, MediaHost, Record};
use crate::jobs::Jobs;
use session::Session;

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) channel: ChannelId,
    pub(crate) title: String,
    pub(crate) start_at_ms: i64,
    pub(crate) owner: UserId,
    pub(crate) host: Option<UserId>,
    /// Made host by hand: host again whenever present.
    pub(crate) host_locked: Option<UserId>,
    pub(crate) post: Option<PostId>,
    pub(crate) thread: Option<PostId>,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) presenter: Option<SessionId>,
    /// Everybody who ever was in the call.
    pub(crate) participants: BTreeSet<UserId>,
    pub(crate) dismissed: BTreeSet<UserId>,
    pub(crate) media: MediaHost,
    pub(crate) jobs: Jobs,
    /// Joins that wait for the call's post.
    pub(crate) waiting: Vec<JoinRequest>,
    /// When everybody is closed because the call was ended for all.
    pub(crate) ends_until: Option<Instant>,
}

impl Call {
    pub(crate) fn record(&self, end_at_ms: i64) -> CallRecord {
        CallRecord {
            id: self.id.clone(),
            channel: self.channel.clone(),
            start_at_ms: self.start_at_ms,
            end_at_ms,
            title: self.title.clone(),
            post: self.post.clone(),
            thread: self.thread.clone(),
            owner: self.owner.clone(),
            host: self.host.clone(),
            host_locked: self.host_locked.clone(),
            presenter: self.presenter.clone(),
            participants: self.participants.clone(),
            dismissed: self.dismissed.clone(),
            media: self.media.clone(),
        }
    }

    /// The call as `viewer` may see it: no bots, only the viewer's own dismissal.
    pub(crate) fn state(&self, viewer: &UserId) -> CallState {
        let dismissed = self
            .dismissed
            .contains(viewer)
            .then(|| BTreeMap::from([(viewer.clone(), true)]));
        CallState {
            id: self.id.clone(),
            start_at: self.start_at_ms,
            sessions: self.people().map(Session::state).collect(),
            thread_id: self.thread.clone(),
            post_id: self.post.clone(),
            screen_sharing_session_id: self.presenter.clone(),
            owner_id: self.owner.clone(),
            host_id: self.host.clone(),
            recording: self.jobs.recording.as_ref().map(|job| job.state()),
            transcription: self.jobs.transcribing.as_ref().map(|job| job.state()),
            live_captions: self.jobs.captioning.as_ref().map(|job| job.state()),
            dismissed_notification: dismissed,
        }
    }

    pub(crate) fn state_event(&self, viewer: &UserId) -> Event {
        let call = serde_json::to_string(&self.state(viewer)).unwrap_or_default();
        Event::CallState(CallStateNews {
            channel_id: self.channel.clone(),
            call,
        })
    }

    /// The sessions that are not the bot's.
    pub(crate) fn people(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values().filter(|session| !session.is_bot)
    }

    /// Everybody with a session, each once.
    pub(crate) fn users(&self) -> BTreeSet<UserId> {
        self.sessions
            .values()
            .map(|session| session.user.clone())
            .collect()
    }

    pub(crate) fn has_person(&self, user: &UserId) -> bool {
        self.people().any(|session| session.user == *user)
    }

    pub(crate) fn to_participants(&self, out: &mut Outbox, event: &Event) {
        out.tell_participants(&self.channel, &self.users(), event);
    }

    pub(crate) fn store(&self, out: &mut Outbox) {
        out.store(Record::Call(self.record(0)));
    }

    /// Elects the host anew; tells everybody when it is another one.
    pub(crate) fn elect_host(&mut self, out: &mut Outbox) {
        let elected = self.rightful_host();
        if elected == self.host {
            return;
        }
        self.host = elected;
        self.announce_host(out);
    }

    pub(crate) fn announce_host(&self, out: &mut Outbox) {
        let change = HostChange {
            host: self.host.clone(),
            call_id: self.id.clone(),
        };
        self.to_participants(out, &Event::CallHostChanged(change));
    }

    /// The locked host if present, else the present host, else who has been here longest.
    fn rightful_host(&self) -> Option<UserId> {
        let present = |user: &&UserId| self.has_person(user);
        self.host_locked
            .as_ref()
            .filter(present)
            .or_else(|| self.host.as_ref().filter(present))
            .cloned()
            .or_else(|| {
                self.people()
                    .min_by_key(|session| session.join_at_ms)
                    .map(|s| s.user.clone())
            })
    }

    pub(crate) fn stop_presenting(&mut self, out: &mut Outbox, session: &SessionId, known: bool) {
        if self.presenter.as_ref() != Some(session) {
            return;
        }
        self.presenter = None;
        let off = match self.sessions.get(session).filter(|_| known) {
            Some(s) => ScreenOff {
                user: Some(s.user.clone()),
                session_id: Some(s.id.clone()),
            },
            None => ScreenOff::default(),
        };
        self.to_participants(out, &Event::UserScreenOff(off));
    }

    /// Takes a session out and tells the others. `tell_media`: rtcd still has it.
    pub(crate) fn take_session(
        &mut self,
        out: &mut Outbox,
        id: &SessionId,
        tell_media: bool,
    ) -> Option<Session> {
        let session = self.sessions.get(id)?.clone();
        if tell_media {
            out.tell_media(&self.media, ControlMessage::Leave(id.clone()));
        }
        out.store(Record::SessionGone(id.clone()));
        self.stop_presenting(out, id, false);
        self.sessions.remove(id);
        if !session.is_bot {
            let left = UserSession {
                user_id: session.user.clone(),
                session_id: id.clone(),
            };
            out.tell_channel(&self.channel, Event::UserLeft(left));
            self.elect_host(out);
        }
        self.store(out);
        Some(session)
    }

    pub(crate) fn session_of_user(&self, id: &SessionId) -> Option<SessionOfUser> {
        let session = self.sessions.get(id)?;
        Some(SessionOfUser {
            user: session.user.clone(),
            session_id: id.clone(),
        })
    }

    /// When something of this call is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let sessions = self.sessions.values().filter_map(Session::deadline);
        sessions
            .chain(self.jobs.deadline())
            .chain(self.ends_until)
            .min()
    }
}
