//! Signalling: calls for people in a chat world.
//!
//! One process serves the messaging API, the Calls API, the web client and their WebSocket, and
//! speaks to media hosts (`door::rtcd`) and to the job service (`jobs`, offloader API).
//! What calls are is decided in `signalling-core`; `engine` carries it out, `door` translates.
//! Invariants: signalling can restart without stopping media; the offloader can be away without
//! harming a call.

mod admin;
mod commands;
pub mod config;
mod door;
mod engine;
mod figures;
mod filename;
mod http;
mod jobs;
#[cfg_attr(not(feature = "cluster"), path = "leader/alone.rs")]
mod leader;
mod metrics;
#[cfg_attr(not(feature = "cluster"), path = "nodes/alone.rs")]
mod nodes;
mod posts;
mod start;
mod store;
mod turn_credentials;
mod web;

pub use admin::{add_account, set_password, with_chat};
pub use config::Config;
pub use start::{Running, serve, start, start_beside};
