//! The thread of the connections to other nodes: one, so that a packet wakes nobody but it and whoever the
//! packet is for.

use std::io;

use service::Tasks;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Ends when it is dropped.
pub(super) struct OwnThread {
    /// To be entered by whatever belongs to the connections.
    pub(super) handle: Handle,
    /// The rest of the process.
    pub(super) rest: Handle,
    _end: oneshot::Sender<()>,
}

impl OwnThread {
    /// # Errors
    /// When the system gives none.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(super) fn start(tasks: &Tasks) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        tasks.must_live_thread("node-links", move || {
            runtime.block_on(async {
                // Its sender is dropped, never used.
                let _ended = ended.await;
            });
        })?;
        Ok(Self {
            handle,
            rest: Handle::current(),
            _end: end,
        })
    }
}
