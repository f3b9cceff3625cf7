//! What tests stand on: a world with a network and a clock of its own, and tools beside it.
//!
//! `world`: shards, participants and what travels between them. `stun`: requests by hand.
//! `random`: numbers from a seed. `memory`: a counting allocator.
//! Not shipped. Nothing here decides anything the product decides.

pub mod memory;
pub mod random;
pub mod stun;
pub mod world;
