//! The signalling server as its clients, its media host and its job service see it: real sockets,
//! a media host and a job service that speak the real protocols and write down what they hear.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::large_futures,
    unreachable_pub,
    reason = "helpers of tests fail by panicking, and their modules see each other"
)]

mod administration;
mod bad_input;
mod bot_routes;
mod captions_read;
mod client;
mod commands;
mod direct;
mod fake_jobs;
mod faults;
mod files_on_s3;
mod handed_over;
mod hosting;
mod joining;
mod leaving;
mod mangled;
mod measured;
mod outages;
mod overview;
mod own_sessions;
mod pausing;
mod people;
mod push;
mod recording;
mod refused_joins;
mod rest;
mod restart;
mod several_job_services;
mod speech;
mod table;
mod transcripts;
mod watched;
mod what_remains;
mod without_calls;
mod world;
