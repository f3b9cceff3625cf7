//! The engine between machines: NATS, with JetStream, behind the four traits of `cluster`.
//!
//! In: a [`Config`]. Out: a `cluster::Engine`; and, for whoever runs the servers, their configuration
//! and everybody's certificates ([`setup`]), so that nobody needs to know NATS.
//!
//! What was measured and is met here: buckets are made as streams of our own (the client's call fails on
//! 2.9); a conflict has two numbers; *no stream* mostly means *no leader*; a write without an answer may
//! have landed; a refused publish is told in an event only; a slow reader loses messages silently;
//! three copies before 2.10.27 let several writers win.
//! Invariant: no NATS word leaves this crate.

mod answers;
mod bus;
pub mod command;
mod config;
mod link;
mod names;
mod open;
mod post;
mod provision;
mod pulse;
mod records;
pub mod setup;
mod version;

pub use config::{Config, PapersError, Tls};
pub use open::{OpenError, open};
