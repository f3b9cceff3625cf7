//! The door to media hosts: the rtcd v1 protocol, and one connection per host.
//!
//! In: commands of calls (`translate::message` puts them into the protocol's words). Out: `MediaNews`
//! of all hosts, as inputs of calls (`translate::input`).
//! `hosts`: all of them, and the choice of one for a new call. `names`: several behind one name. `connection`: the life of one
//! connection. `api`: its HTTP side. `backlog`, behind `outbox`: what a host must be told, and told
//! again.
//! Invariant: telling a host something never waits; state that was told arrives, however long the
//! host was away.

mod api;
mod backlog;
mod connection;
mod hosts;
mod names;
mod outbox;
mod translate;

pub(crate) use backlog::KnownSession;
pub(crate) use hosts::{HostConfig, MediaHosts, MediaNews};
pub(crate) use names::{Changes, HostName};
pub(crate) use translate::{input, message};

use hosts::SharedStatus;
