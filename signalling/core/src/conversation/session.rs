//! One session of a call: a person's client, or the bot.

use std::time::Instant;

use proto::id::{CallId, ConnId, JobId, SessionId, UserId};

use crate::io::{Moment, Seat};
use crate::media::MediaHost;
use crate::news::{SessionView, Who};
use crate::record::SessionRecord;

/// Whoever comes later is told of those who were heard since then: clients put them before the others for
/// so long.
const RECENT_MS: i64 = 30_000;

#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    pub(crate) login: String,
    /// Where its client is reached now; differs from `id` after a reconnect.
    pub(crate) connection: ConnId,
    /// Where its media is, and who is told of it.
    pub(crate) media: MediaHost,
    /// Unix milliseconds, strictly increasing within a call.
    pub(crate) join_at_ms: i64,
    pub(crate) unmuted: bool,
    pub(crate) raised_hand_ms: i64,
    pub(crate) video: bool,
    pub(crate) voice: Option<Voice>,
    pub(crate) job: Option<JobId>,
    pub(crate) is_bot: bool,
    /// When it ends unless its client comes back.
    pub(crate) lost_until: Option<Instant>,
    /// When it is closed because the host removed it.
    pub(crate) removed_until: Option<Instant>,
}

/// What was heard last of a session, as its media host told it. Not kept: a restart hears it anew.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Voice {
    On,
    OffSince {
        /// Unix milliseconds.
        ms: i64,
    },
}

impl Session {
    pub(crate) fn hear(&mut self, on: bool, at: Moment) {
        self.voice = Some(if on {
            Voice::On
        } else {
            Voice::OffSince { ms: at.unix_ms }
        });
    }

    pub(crate) fn is_speaking(&self) -> bool {
        matches!(self.voice, Some(Voice::On))
    }

    /// Milliseconds since it was heard, if that is not long ago.
    fn silent_for_ms(&self, at: Moment) -> Option<i64> {
        let silent = match self.voice? {
            Voice::On => 0,
            Voice::OffSince { ms } => (at.unix_ms - ms).max(1),
        };
        (silent < RECENT_MS).then_some(silent)
    }

    pub(crate) fn who(&self) -> Who {
        Who {
            user: self.user.clone(),
            session: self.id.clone(),
        }
    }

    /// Whose client joins anew when the media of the session is gone: a person's that is there.
    pub(crate) fn comes_back(&self) -> Option<&UserId> {
        let is_there = self.lost_until.is_none() && self.removed_until.is_none();
        (is_there && !self.is_bot).then_some(&self.user)
    }

    pub(crate) fn view(&self, at: Moment) -> SessionView {
        SessionView {
            session: self.id.clone(),
            user: self.user.clone(),
            unmuted: self.unmuted,
            raised_hand_ms: self.raised_hand_ms,
            video: self.video,
            silent_for_ms: self.silent_for_ms(at),
        }
    }

    pub(crate) fn seat(&self) -> Seat {
        Seat {
            session: self.id.clone(),
            connection: self.connection.clone(),
            user: self.user.clone(),
            login: self.login.clone(),
            media: self.media.clone(),
        }
    }

    pub(crate) fn record(&self, call: &CallId) -> SessionRecord {
        SessionRecord {
            id: self.id.clone(),
            call: call.clone(),
            user: self.user.clone(),
            login: self.login.clone(),
            connection: self.connection.clone(),
            media: self.media.clone(),
            join_at_ms: self.join_at_ms,
            unmuted: self.unmuted,
            raised_hand_ms: self.raised_hand_ms,
            video: self.video,
            job: self.job.clone(),
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.lost_until, self.removed_until]
            .into_iter()
            .flatten()
            .min()
    }
}
