//! Faults that tests ask for: not part of any program that is shipped.
//!
//! In: the name a test gave to a person. Out: a panic in the middle of that person's call.
//! Exists only where dev-dependencies turn on `fault-injection`.

use crate::request::{Emoji, Request};

/// Panics when somebody reacts with this picture.
pub(crate) fn panic_if_asked(request: &Request) {
    let asked = matches!(request, Request::React(Emoji { name, .. }) if name == "panics-here");
    assert!(!asked, "a panic made by a test");
}
