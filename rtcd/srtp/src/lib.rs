//! SRTP and SRTCP under the keys of a DTLS session that str0m negotiated.
//!
//! `keys` takes the key material out of a connection, `half` seals and opens packets of one
//! direction, `rtp` and `rtcp` write and read what is inside, `replay` refuses what was seen.
//! Used by the server to send media by itself, and by the load generator to cost a fraction of it.
//! Not here: which SSRC belongs to whom, and when what is sent (`rtcd-core`). No I/O, no clock.

pub mod half;
pub mod keys;
pub mod replay;
pub mod rtcp;
pub mod rtp;
pub mod twcc;

pub use half::{Half, Profile};
pub use keys::{Halves, KeySlot, SelfTestFault, build_tapped, self_test};
