//! The wire: everything two Parley processes, or Parley and a client, say to each other.
//!
//! Types, codecs, ids, units. No behaviour, no I/O.
//! One module per protocol: `rtcd` (control WebSocket, HTTP, data channel), `calls` (client
//! actions and events), `offload` (job API), `cluster` (nodes of one cluster among themselves).
//! `federation` will stand beside them.
//! Invariant: decoding any bytes returns a value or a `DecodeError`; it never panics and never
//! allocates more than the limit it was given.

pub mod calls;
pub mod cluster;
pub mod id;
mod msgpack;
pub mod offload;
pub mod redact;
pub mod rtcd;
