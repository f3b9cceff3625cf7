//! What tests stand on: a world with a network and a clock of its own.
//!
//! Not shipped. Nothing here decides anything the product decides.

pub mod world;
