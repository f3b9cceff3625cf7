//! Who is in a call, who hosts it, who shares a screen, and what bots do in it.
//!
//! A state machine without I/O, one per channel: `Call::handle_input(Input, Moment)`, then
//! `Call::poll_output()` until `Output::Timeout`. Questions that need an answer at once (host
//! controls, recording) are methods; they too leave outputs to be polled.
//! Words are our own: doors translate them into the protocol of whoever asked, texts for people
//! included. Of `proto` only the ids are used here.
//! Not here: sockets, storage, permissions of the chat world (they come in as facts), media, how
//! much one client may say, which channel an input belongs to.
//! Invariants: the host has a session in the call and is never the bot; the presenter has a session
//! in the call; every join is answered, unless its connection leaves first.

mod call;
mod conversation;
mod host_control;
mod io;
mod jobs;
mod join;
mod media;
mod news;
mod outbox;
mod record;
mod request;
mod rush;
mod usage;

#[cfg(feature = "fault-injection")]
mod fault;

pub use call::{Call, LeaveError, NoCall};
pub use host_control::{HostControl, HostControlError};
pub use io::{
    Features, Hint, Input, JobRequest, JobTaken, JoinFacts, JoinRequest, Moment, NewCallPost,
    Observation, Output, PostEdit, Refusal, Roster, Seat, ThreadFact,
};
pub use jobs::{JobFailure, JobKind, JobStatus, JobStatusError, JobView, RecordingError};
pub use join::JoinError;
pub use media::{Capabilities, MediaCommand, MediaHost, Signal};
pub use news::{CallView, Envelope, News, SessionView, To, Who};
pub use record::{CallRecord, JobRecord, Record, RestoredCall, SessionRecord};
pub use request::{Caption, CaptionLine, Emoji, Request};
pub use usage::Usage;

/// How long a session waits for its client to come back.
pub const RECONNECT_GRACE: std::time::Duration = std::time::Duration::from_secs(10);
/// How long a call lasts without those whose media host is gone.
pub const MEDIA_GRACE: std::time::Duration = std::time::Duration::from_secs(15);
/// How long clients have to leave by themselves after the call was ended for all.
pub const END_GRACE: std::time::Duration = std::time::Duration::from_secs(5);
/// How long a client has to leave by itself after the host removed it.
pub const REMOVAL_GRACE: std::time::Duration = std::time::Duration::from_secs(3);
/// How long the job service has to take a job or to refuse it.
pub const JOB_ANSWER_LIMIT: std::time::Duration = std::time::Duration::from_secs(120);
/// How long a bot has from when its job was taken until it reports that it runs.
pub const JOB_START_LIMIT: std::time::Duration = std::time::Duration::from_secs(60);
