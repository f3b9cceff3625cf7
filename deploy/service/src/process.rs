//! What every process of ours does before anything else.

use crate::private;

/// To be called first in `main`, before any thread runs.
pub fn begin() {
    private::umask();
    // Libraries without a provider of their own ask for the process's (WebSockets do), and panic where
    // two are compiled in and none was chosen. That somebody chose before is no fault.
    let _before = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
