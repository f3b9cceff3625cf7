//! Floods against a real rtcd, and what a running call notices of them.
//!
//! `server`: starts the program and reads its memory. `client`: one control connection. `call`: two
//! participants who talk all the time, and how late and how complete that arrives. `wire`:
//! their way to it. `floods`: what an attacker, or a broken client, can pour in.
//! Used short in `rtcd/server/tests/floods.rs`, at full strength by `benches/run floods`.

pub mod call;
pub mod client;
pub mod floods;
pub mod server;
mod wire;

/// How strong and how long a flood is.
#[derive(Debug, Clone, Copy)]
pub struct Strength {
    pub time: std::time::Duration,
    /// Connections held open.
    pub connections: usize,
    /// Joins, offers and descriptions a second.
    pub messages_per_second: u32,
    /// Datagrams a second; none: as fast as they go.
    pub datagrams_per_second: Option<u32>,
}
