//! rtcd: the media node around `rtcd-core`.
//!
//! `start` opens the store, the sockets and the HTTP listener, and runs the shards: plain threads
//! that own the state machine. HTTP and WebSocket run on tokio and reach a shard only through its
//! inbox; nothing on a packet's way waits for them.
//! Everything that reads a clock, a socket, a file or the environment is in this crate and none of
//! it in `rtcd-core`.

#![cfg_attr(
    not(feature = "cluster"),
    allow(
        dead_code,
        reason = "without the feature there are no other nodes, and what is for them has no use"
    )
)]

mod addresses;
mod advertiser;
mod auth;
#[cfg_attr(not(feature = "cluster"), path = "cluster/alone.rs")]
mod cluster;
pub mod config;
mod control;
mod door;
pub mod drain;
mod driver;
pub mod framing;
mod http;
mod media;
mod metrics;
mod node;
mod node_link;
mod placement;
mod signals;
mod spread;
mod store;
pub mod stun;
mod system;
mod tcp;
pub mod turn;
mod udp;
mod ws;

pub use config::Config;
pub use node::{Running, serve, start};
pub use signals::run_until_signalled;
