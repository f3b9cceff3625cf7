//! The offloader from outside: its API over real sockets, its workers as real processes, a call
//! with real media, files read back.

mod capture;
mod job_api;
mod publishing;
mod recording;
mod sfu;
mod site;
mod sound;
