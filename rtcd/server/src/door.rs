//! Doors: each translates one protocol into the words of `rtcd-core`, and back.
//!
//! A door knows the quirks, texts and limits of its protocol; it never decides who may do what.

pub(crate) mod rtcd;
