//! Recordings, transcripts and captions of calls.
//!
//! The service (`service`, `http`, `jobs`) takes jobs over the job API and runs each in a process
//! of its own (`worker`), which joins the call as the Calls bot (`client`), writes what it hears
//! and sees to disk (`capture`), makes finished files (`finish`) and hands them in (`publish`).
//! Speech becomes text in one process per node (`speech`), with models of `models`; what is done with it
//! afterwards is `text`.
//! Invariant: the service outlives its workers, and a worker's folder outlives both.

pub mod auth;
pub mod capture;
pub mod cli;
pub mod client;
pub mod config;
pub mod disk;
pub mod ffmpeg;
pub mod finish;
pub mod http;
pub mod jobs;
pub mod metrics;
pub mod models;
pub mod opus;
pub mod order;
pub mod publish;
pub mod runner;
pub mod service;
pub mod sites;
pub mod speech;
pub mod store;
pub mod text;
pub mod worker;

pub use self::service::{Running, serve, start};
pub use config::Config;
pub use worker::worker_main;
