//! The node's speech process, started with the first job that needs it.
//!
//! In: the configuration. Out: a process that workers reach over a socket.
//! Not here: what it does (`crate::speech`).
//! Invariant: at most one process per service, started only when a model is installed.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use service::{Tasks, private};
use tempfile::TempDir;

use crate::config::{Config, SpeechConfig as Wishes};
use crate::order::SpeechOrder;
use crate::speech::{SpeechConfig, SpeechHost};

/// Longest path a Unix socket may have, with a little room.
const LONGEST_SOCKET: usize = 100;

const SOCKET: &str = "speech.sock";

/// Starts the process when it is needed.
#[derive(Debug)]
pub struct Speech {
    wishes: Wishes,
    socket: PathBuf,
    /// Holds the socket where the data folder's name is too long for one.
    _folder: Option<TempDir>,
    host: Mutex<Option<SpeechHost>>,
    tasks: Tasks,
}

impl Speech {
    /// Prepares; nothing is started. What keeps the process running will be one of `tasks`.
    ///
    /// # Errors
    /// When there is no place for the socket.
    pub fn new(config: &Config, tasks: &Tasks) -> io::Result<Self> {
        let (socket, folder) = place(&config.data_dir)?;
        Ok(Self {
            wishes: config.speech.clone(),
            socket,
            _folder: folder,
            host: Mutex::default(),
            tasks: tasks.clone(),
        })
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
        match SpeechHost::start(command, args, &self.tasks) {
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

/// In the data folder, or in a private one that goes with this service: never under a name that
/// somebody else could have taken before.
fn place(data_dir: &Path) -> io::Result<(PathBuf, Option<TempDir>)> {
    let socket = data_dir.join(SOCKET);
    if socket.as_os_str().len() <= LONGEST_SOCKET {
        return Ok((socket, None));
    }
    let folder = private::passing_folder("parley-")?;
    let socket = folder.path().join(SOCKET);
    if socket.as_os_str().len() > LONGEST_SOCKET {
        let rule = format!(
            "`{}` is too long for a socket, and so is `{}`: shorten store.data_source, \
             XDG_RUNTIME_DIR or TMPDIR to {LONGEST_SOCKET} bytes",
            data_dir.display(),
            folder.path().display()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidFilename, rule));
    }
    tracing::info!(socket = %socket.display(), "the data folder's name is too long for a socket");
    Ok((socket, Some(folder)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_long_data_folder_gets_a_private_place_for_its_socket() {
        let (socket, folder) = place(Path::new("/data")).unwrap();
        assert_eq!(
            (socket, folder.is_some()),
            ("/data/speech.sock".into(), false)
        );

        let long = PathBuf::from(format!("/{}", "d".repeat(120)));
        let (one, folder) = place(&long).unwrap();
        let (other, _kept) = place(&long).unwrap();
        assert_ne!(one, other, "a name that can be known before");
        let folder = folder.unwrap();
        assert!(one.starts_with(folder.path()));
        let mode = std::fs::metadata(folder.path())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
