//! The node's speech process, started with the first job that needs it.
//!
//! In: the configuration. Out: a process that workers reach over a socket.
//! Not here: what it does (`crate::speech`).
//! Invariant: at most one process per service, started only when a model is installed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::config::{Config, SpeechConfig as Wishes};
use crate::order::SpeechOrder;
use crate::speech::{SpeechConfig, SpeechHost};

/// Longest path a Unix socket may have, with a little room.
const LONGEST_SOCKET: usize = 100;

/// Starts the process when it is needed.
#[derive(Debug)]
pub struct Speech {
    wishes: Wishes,
    socket: PathBuf,
    host: Mutex<Option<SpeechHost>>,
}

impl Speech {
    /// Prepares; nothing is started.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let mut socket = config.data_dir.join("speech.sock");
        if socket.as_os_str().len() > LONGEST_SOCKET {
            let name = format!("offloader-speech-{}.sock", std::process::id());
            socket = std::env::temp_dir().join(name);
            tracing::warn!(socket = %socket.display(), "store.data_source is too long for a socket");
        }
        Self {
            wishes: config.speech.clone(),
            socket,
            host: Mutex::default(),
        }
    }

    /// What workers must know.
    #[must_use]
    pub fn order(&self) -> SpeechOrder {
        SpeechOrder {
            socket: self.socket.clone(),
            models_dir: self.wishes.models_dir.clone(),
            model: self.wishes.model.clone(),
        }
    }

    /// Starts the process unless it runs. Without a model nothing happens: the job says so itself.
    /// Must be called inside a tokio runtime.
    pub fn ensure(&self) {
        let mut host = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        if host.is_some() {
            return;
        }
        let command = match self.command() {
            Ok(command) => command,
            Err(error) => {
                tracing::error!(%error, "find this program to start speech recognition");
                return;
            }
        };
        let mut config = SpeechConfig::new(Vec::new(), self.wishes.models_dir.clone());
        config.threads_per_window = self.wishes.threads;
        let mut args = config.process_args(self.socket.clone());
        args.preload
            .retain(|name| crate::models::installed(&self.wishes.models_dir, name).is_some());
        match SpeechHost::start(command, args) {
            Ok(started) => *host = Some(started),
            Err(error) => tracing::warn!(%error, "no speech recognition"),
        }
    }

    fn command(&self) -> std::io::Result<Vec<OsString>> {
        if !self.wishes.command.is_empty() {
            return Ok(self.wishes.command.iter().map(OsString::from).collect());
        }
        Ok(vec![std::env::current_exe()?.into(), "speech".into()])
    }
}
