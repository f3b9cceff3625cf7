//! Services that only pretend: what tests and measurements of signalling put beside it.
//!
//! `media_host`: an rtcd without media. Not shipped; it decides nothing that the product decides.

pub mod media_host;

pub use media_host::{MediaHost, Memory};
