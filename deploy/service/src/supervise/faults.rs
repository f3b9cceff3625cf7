//! A task that ends for no reason, for tests of whole processes.
//!
//! In: `FAULT_END_TASK=SERVICE/TASK` in the environment. Out: that task is cancelled soon after it began.

use std::sync::Arc;
use std::time::Duration;

use super::life::Entry;

/// Long enough for the other services to start.
const AFTER: Duration = Duration::from_secs(2);

pub(super) fn end_if_asked(service: &str, entry: &Arc<Entry>) {
    let own = format!("{service}/{}", entry.name());
    if std::env::var("FAULT_END_TASK").is_ok_and(|asked| asked == own) {
        let entry = Arc::clone(entry);
        std::thread::spawn(move || {
            std::thread::sleep(AFTER);
            entry.kill()
        });
    }
}
