//! The doors: each translates one protocol into the words of `signalling-core`, and back.
//!
//! `calls`: what clients and bots speak. `rtcd`: what media hosts speak, and the connections to
//! them. A second protocol for clients stands beside `calls`; the core does not know who asked.
//! Not here: who may do what (`signalling-core`), clients' connections (`messaging`), HTTP.
//! Invariant: a door decides nothing but what its protocol alone decides: names, texts, copies.

pub(crate) mod calls;
pub(crate) mod rtcd;
