//! The SFU as a state machine: packets and control messages in, packets and messages out.
//!
//! In: `Input` and the time. Out: `Output`, drained after every input or batch of inputs.
//! A `Shard` owns legs (parts of calls), a leg owns its sessions and tracks.
//! Not here: sockets, clocks, threads, locks, WebSockets (the `rtcd` server).
//! Invariants: only `session` speaks to str0m; a call that panics takes no other call with it;
//! a packet touches only the sessions that receive it; `Closed` is the last word about a session.

mod bandwidth;
mod config;
mod counters;
mod egress;
#[cfg(any(test, feature = "fault-injection"))]
mod fault;
mod io;
mod keyframes;
mod leg;
mod media;
mod negotiator;
mod pacer;
mod packet_cache;
mod picture_ids;
mod rewrite;
mod session;
mod shard;
mod speakers;
mod vad;

pub use config::{CoreConfig, HostCandidate, WallClock};
pub use counters::{ConnState, Counters, DropReason, ErrorKind, GroupCounters, TrackDirection};
pub use egress::{MediaBatch, MediaGroup};
pub use io::{
    CallKey, CloseReason, Description, DescriptionKind, Dialect, Input, JoinOutcome, JoinRequest,
    LinkId, LinkMessage, LinkedPacket, LinkedTrack, LinkedTrackId, Measurement, Output, Request,
    SessionKey, Signal, Transport,
};
pub use media::{Codec, Layer, LayerSet, TrackKind};
pub use rtcd_srtp::{Profile, SelfTestFault, self_test};
pub use shard::Shard;
