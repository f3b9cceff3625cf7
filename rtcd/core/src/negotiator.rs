//! How a participant and this node agree on what is sent, behind one small interface.
//!
//! A leg says which tracks a participant should be shown; a negotiator brings that about, in whatever
//! way its kind of client understands: who may offer when, over which path, what stands beside an
//! offer. In: wishes of the leg, what the participant says, time. Out: changes of the participant's
//! `Session`, and `News` for the leg, in the order it is to act on them.
//! `calls`: one connection for both directions, a lock, a media map. Another client's way (two
//! connections, say) is another file here, another `Dialect`, and nothing in `leg`.
//! Not here: tracks, packets, what a participant publishes (`leg`); the bytes of the connection
//! (`session`).
//! Invariant: nothing a negotiator is told is lost: what cannot be said now is said later.

mod calls;

use std::time::{Duration, Instant};

use proto::id::{GroupId, SessionId};

use crate::config::CoreConfig;
use crate::counters::Counters;
use crate::io::{CloseReason, Description, Dialect, Measurement, Signal};
use crate::media::TrackKind;
use crate::session::{Mid, Section, Session};

/// A track as a participant is to see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) number: u32,
    pub(crate) kind: TrackKind,
    pub(crate) publisher: SessionId,
    /// Makes the track's id unique among those of its publisher.
    pub(crate) suffix: String,
}

/// What a negotiator works with while it is asked something.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) now: Instant,
    pub(crate) config: &'a CoreConfig,
    pub(crate) group: &'a GroupId,
    pub(crate) name: &'a SessionId,
    pub(crate) session: &'a mut Session,
    /// The participant's `MediaStream` that is a screen.
    pub(crate) screen: Option<&'a str>,
    pub(crate) counters: &'a mut Counters,
    pub(crate) news: Vec<News>,
    /// The session was changed, and must be flushed.
    pub(crate) is_touched: bool,
}

/// What a leg learns of a negotiation.
#[derive(Debug)]
pub(crate) enum News {
    /// To be told to the participant, after what is written to its channel.
    Signal(Signal),
    /// The first offer is answered: the connection can come about.
    Answered,
    /// What the participant's m-lines send now.
    Sources(Vec<(Mid, Section)>),
    /// The participant takes a track on this m-line, or none: to be answered with `settle`.
    Agreed {
        line: Mid,
        track: u32,
    },
    Measured(Measurement),
    /// The share of packets that the participant says it misses, 0 to 1.
    Loss(f64),
    /// It cannot go on.
    Failed(CloseReason),
}

/// What a leg did about an m-line that was agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    Live,
    /// The participant does not want it, or not in this codec.
    Refused,
    /// The track has ended, or is not wanted any more.
    TooLate,
}

/// One participant's negotiation.
pub(crate) trait Negotiator: std::fmt::Debug {
    /// The participant should be sent a track; said to it by `revise`.
    fn show(&mut self, track: Shown);

    /// The participant should not be sent a track any more; false when it never should have been.
    fn hide(&mut self, track: u32) -> bool;

    /// Whether the participant should be sent a track.
    fn is_shown(&self, track: u32) -> bool;

    /// Returns the track that is sent, or about to be, on an m-line.
    fn track_at(&self, line: Mid) -> Option<u32>;

    /// Returns all tracks that are sent, or about to be.
    fn tracks(&self) -> Vec<u32>;

    /// The leg acted on `News::Agreed`.
    fn settle(&mut self, line: Mid, settled: Settled);

    /// Says what has changed, as soon as that is possible.
    fn revise(&mut self, turn: &mut Turn<'_>);

    /// The participant describes its side, by way of the one who asked for its session.
    fn described(&mut self, turn: &mut Turn<'_>, description: &Description);

    /// The same, but it cannot be read.
    fn described_unreadably(&mut self, turn: &mut Turn<'_>);

    fn channel_opened(&mut self, turn: &mut Turn<'_>);

    fn channel_closed(&mut self, turn: &mut Turn<'_>);

    fn channel_message(&mut self, turn: &mut Turn<'_>, bytes: &[u8]);

    /// Fires what is due.
    fn timeout(&mut self, turn: &mut Turn<'_>);

    /// When `timeout` is to be called.
    fn deadline(&self, config: &CoreConfig) -> Option<Instant>;
}

/// Makes the negotiator of a participant that joins now.
pub(crate) fn negotiator(
    dialect: Dialect,
    now: Instant,
    config: &CoreConfig,
) -> Box<dyn Negotiator> {
    match dialect {
        Dialect::Calls {
            offers_over_channel,
        } => Box::new(calls::Calls::new(
            now,
            config.first_offer_timeout,
            offers_over_channel,
        )),
    }
}

impl Turn<'_> {
    fn measured(&mut self, make: impl FnOnce(GroupId) -> Measurement) {
        self.news.push(News::Measured(make(self.group.clone())));
    }

    fn lock_was_held(&mut self, took: Option<Duration>) {
        if let Some(took) = took {
            self.measured(|group| Measurement::LockHeldTime { group, took });
        }
    }
}
