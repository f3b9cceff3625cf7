//! Faults that tests ask for: not part of any program that is shipped.
//!
//! In: the name a test gave to a participant. Out: a panic in the middle of its call.
//! Exists in tests only: in those of this crate, and in those of crates whose dev-dependencies turn
//! on `fault-injection`.

use proto::id::UserId;

/// Panics when a participant of this name is muted or unmuted.
pub(crate) fn panic_if_asked(user: &UserId) {
    let is_asked = user.as_str().ends_with("panics-when-muted");
    assert!(!is_asked, "a panic made by a test");
}
