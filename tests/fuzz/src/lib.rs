//! A target for every byte that comes from outside.
//!
//! In: any bytes. Out: nothing; a target says no by panicking.
//! `parsing`: what is only read (control messages, data channel, TCP framing, opened
//! media packets, configuration).
//! `session`: what reaches a session that nobody has proved anything to (offers, datagrams).
//! `relayed`: what a TURN server sends.
//! `call`: what a participant of a running call can do, and what a stranger can do to it.
//! `bytes`: how a target reads its orders from an input. `mutate`: inputs from inputs.
//! Seeds lie in `seeds/<target>/`; `tests/replay.rs` runs them and what is made of them with every
//! `cargo test`, `grow` lets coverage find new ones.
//! Contract of a target: no panic, bounded memory, bounded time, whatever the input.

mod bytes;
mod call;
pub mod mutate;
mod parsing;
mod relayed;
mod session;

/// Something that takes bytes from outside.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
    /// Inputs made of all seeds together in a replay; fewer where one costs more.
    pub mutations: u64,
}

/// All of them.
pub const TARGETS: [Target; 9] = [
    Target {
        name: "control",
        run: parsing::control,
        mutations: 60_000,
    },
    Target {
        name: "channel",
        run: parsing::channel,
        mutations: 40_000,
    },
    Target {
        name: "framing",
        run: parsing::framing,
        mutations: 20_000,
    },
    Target {
        name: "media",
        run: parsing::media,
        mutations: 60_000,
    },
    Target {
        name: "config",
        run: parsing::config,
        mutations: 4000,
    },
    Target {
        name: "relayed",
        run: relayed::relayed,
        mutations: 20_000,
    },
    Target {
        name: "offer",
        run: session::offer,
        mutations: 1500,
    },
    Target {
        name: "datagrams",
        run: session::datagrams,
        mutations: 1000,
    },
    Target {
        name: "call",
        run: call::call,
        mutations: 250,
    },
];

/// Finds a target by its name.
#[must_use]
pub fn find(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
