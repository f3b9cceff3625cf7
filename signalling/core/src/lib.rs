//! Who is in a call, who hosts it, who shares a screen, and what bots do in it.
//!
//! A state machine without I/O: `Calls::handle_input(Input, Moment)`, then `Calls::poll_output()`
//! until `Output::Timeout`. Questions that need an answer at once (host controls, recording) are
//! methods; they too leave outputs to be polled.
//! Not here: sockets, storage, permissions of the chat world (they come in as facts), media.
//! Invariants: a connection has at most one session; the host has a session in the call and is
//! never the bot; the presenter has a session in the call; every join is answered by `join` or
//! `error`, unless its connection leaves first.

mod announce;
mod call;
mod calls;
mod host_control;
mod io;
mod jobs;
mod join;
mod limit;
mod session_action;

pub use calls::{Calls, LiveSession, NoCall};
pub use host_control::{HostControl, HostControlError};
pub use io::{
    CallRecord, Envelope, Features, Input, JobRecord, JobRequest, JoinFacts, JoinRequest,
    MediaHost, Moment, NewCallPost, Observation, Output, PostEdit, Record, Refusal, RestoredCall,
    SessionRecord, ThreadFact, To,
};
pub use jobs::{JobStatus, JobStatusError, RecordingError};

/// How long a session waits for its client to come back.
pub const RECONNECT_GRACE: std::time::Duration = std::time::Duration::from_secs(10);
/// How long clients have to leave by themselves after `call_end`.
pub const END_GRACE: std::time::Duration = std::time::Duration::from_secs(5);
/// How long a client has to leave by itself after `host_removed`.
pub const REMOVAL_GRACE: std::time::Duration = std::time::Duration::from_secs(3);
/// How long a bot has from the request of its job until it reports that it runs.
pub const JOB_START_LIMIT: std::time::Duration = std::time::Duration::from_secs(60);
