//! What a call has used so far: screens and cameras, and for how long.
//!
//! In: when something was shown and when not any more. Out: sums for the record.
//! Invariant: time counts once, when showing ends; a screen has one clock, each camera its own.

use std::collections::BTreeMap;

use proto::id::SessionId;

use crate::io::Moment;

/// Sums over a call, and what is shown just now. Times are Unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    pub screen_seconds: i64,
    /// Of all cameras together.
    pub video_seconds: i64,
    pub has_used_screen: bool,
    pub has_used_video: bool,
    /// Since when a screen is shared, if one is.
    pub screen_since: Option<i64>,
    /// Since when these sessions show themselves.
    pub video_since: BTreeMap<SessionId, i64>,
}

impl Usage {
    pub(crate) fn screen_on(&mut self, at: Moment) {
        self.has_used_screen = true;
        self.screen_since.get_or_insert(seconds(at));
    }

    pub(crate) fn screen_off(&mut self, at: Moment) {
        if let Some(since) = self.screen_since.take() {
            self.screen_seconds += (seconds(at) - since).max(0);
        }
    }

    pub(crate) fn video_on(&mut self, session: &SessionId, at: Moment) {
        self.has_used_video = true;
        let since = self.video_since.entry(session.clone());
        since.or_insert(seconds(at));
    }

    pub(crate) fn video_off(&mut self, session: &SessionId, at: Moment) {
        if let Some(since) = self.video_since.remove(session) {
            self.video_seconds += (seconds(at) - since).max(0);
        }
    }

    /// Ends the time of those who are no longer there.
    pub(crate) fn keep_only(&mut self, is_there: impl Fn(&SessionId) -> bool, at: Moment) {
        let gone: Vec<SessionId> = self.video_since.keys().cloned().collect();
        for session in gone.iter().filter(|session| !is_there(session)) {
            self.video_off(session, at);
        }
    }
}

fn seconds(at: Moment) -> i64 {
    at.unix_ms / 1000
}
