//! The process dies at a chosen statement, as by `kill -9`.

use std::sync::atomic::{AtomicI64, Ordering};

/// Statements still allowed; negative for ever.
static ALLOWED: AtomicI64 = AtomicI64::new(-1);
/// Statements seen.
static SEEN: AtomicI64 = AtomicI64::new(0);

/// Lets `count` places pass; the process dies at the next one.
pub fn die_after(count: u32) {
    ALLOWED.store(i64::from(count), Ordering::SeqCst);
}

/// How many places a run has passed; each statement has one before and one after it.
pub fn places_passed() -> i64 {
    SEEN.load(Ordering::SeqCst)
}

/// A place where the process may die.
pub(crate) fn statement() {
    SEEN.fetch_add(1, Ordering::SeqCst);
    if ALLOWED.load(Ordering::SeqCst) >= 0 && ALLOWED.fetch_sub(1, Ordering::SeqCst) == 0 {
        // nothing is flushed, closed or dropped
        std::process::abort();
    }
}
