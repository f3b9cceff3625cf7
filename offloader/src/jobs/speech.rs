//! The node's speech process, started with the first job that needs it.
//!
//! In: the configuration. Out: a process that workers reach over a socket.
//! Not here: what it does (`crate::speech`).
//! Invariant: at most one process per service, started only when a model is installed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use proto::offload::{SpeechAbility, SpeechModel};
use service::{Tasks, private};
use tempfile::TempDir;

use crate::config::{Config, SpeechConfig as Wishes};
use crate::models;
use crate::order::SpeechOrder;
use crate::speech::{SpeechConfig, SpeechHost, THIS_PROGRAM, processor};

/// Longest path a Unix socket may have, with a little room.
const LONGEST_SOCKET: usize = 100;

const SOCKET: &str = "speech.sock";

/// Length and time of change of a file.
type Stamp = (u64, Option<SystemTime>);

/// Starts the process when it is needed.
#[derive(Debug)]
pub struct Speech {
    wishes: Wishes,
    socket: PathBuf,
    /// Holds the socket where the data folder's name is too long for one.
    _folder: Option<TempDir>,
    host: Mutex<Option<SpeechHost>>,
    /// Models that were read, as they were then, and whether they were whole.
    seen: Mutex<BTreeMap<PathBuf, (Stamp, bool)>>,
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
            seen: Mutex::default(),
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

    /// Which models there are, and whether speech can be expected to work. Reads whole files the first
    /// time and after they changed.
    #[must_use]
    pub fn ability(&self) -> SpeechAbility {
        let installed = models::all_installed(&self.wishes.models_dir);
        let mut models = Vec::new();
        let mut vad = false;
        for (name, path) in installed {
            let damaged = !self.is_whole(&path);
            match models::languages_of(&path) {
                Some(languages) => models.push(SpeechModel {
                    name,
                    languages,
                    damaged,
                }),
                None if name == models::VAD => vad = !damaged,
                None => {}
            }
        }
        let usable = vad && models.iter().any(|model| !model.damaged);
        let problem = if let Some(missing) = processor::missing() {
            Some(format!(
                "speech recognition was built for {missing}, which this server's processor has not: no \
                 transcripts, no captions"
            ))
        } else {
            (!usable).then(|| {
                "this server has no speech model that can be used: no transcripts, no captions"
                    .to_owned()
            })
        };
        SpeechAbility { problem, models }
    }

    fn is_whole(&self, path: &Path) -> bool {
        let Ok(metadata) = path.metadata() else {
            return false;
        };
        let stamp = (metadata.len(), metadata.modified().ok());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, whole)) = seen.get(path)
            && *before == stamp
        {
            return *whole;
        }
        let whole = models::check_installed(path).is_ok();
        seen.insert(path.to_owned(), (stamp, whole));
        whole
    }

    /// Starts the process unless it runs. Without a model nothing happens: the job says so itself.
    /// Must be called inside a tokio runtime.
    pub fn ensure(&self) {
        let mut host = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        if host.is_some() {
            return;
        }
        let command = self.command();
        let mut config = SpeechConfig::new(Vec::new(), self.wishes.models_dir.clone());
        config.threads_per_window = self.wishes.threads;
        let mut args = config.process_args(self.socket.clone());
        args.preload
            .retain(|name| models::installed(&self.wishes.models_dir, name).is_some());
        match SpeechHost::start(command, args, &self.tasks) {
            Ok(started) => *host = Some(started),
            Err(error) => tracing::warn!(%error, "no speech recognition"),
        }
    }

    fn command(&self) -> Vec<OsString> {
        if !self.wishes.command.is_empty() {
            return self.wishes.command.iter().map(OsString::from).collect();
        }
        vec![THIS_PROGRAM.into(), "speech".into()]
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

    use proto::offload::Languages;

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

    #[tokio::test]
    async fn what_can_be_expected_of_speech_is_told_before_anybody_relies_on_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config {
            data_dir: dir.path().to_owned(),
            ..Config::default()
        };
        config.speech.models_dir = dir.path().to_owned();
        let speech = Speech::new(&config, &Tasks::new("test")).unwrap();
        let none = speech.ability();
        assert!(none.models.is_empty() && none.problem.is_some());

        let write = |name: &str, vocabulary: u32| {
            let start = [weights::FIRST_BYTES.as_slice(), &vocabulary.to_le_bytes()].concat();
            std::fs::write(dir.path().join(name), start).unwrap();
        };
        write("ggml-tiny.en-q8_0.bin", 51_864); // not the file it should be
        write("ggml-own.bin", 51_865); // put there by hand: nobody knows what it should be
        write("ggml-silero-v6.2.bin", 6);
        let damaged = speech.ability();
        let model = |name: &str, languages, damaged| SpeechModel {
            name: name.to_owned(),
            languages,
            damaged,
        };
        let expected = [
            model("ggml-own.bin", Languages::Many, false),
            model("tiny.en", Languages::English, true),
        ];
        assert_eq!(damaged.models, expected);
        assert!(
            damaged.problem.is_some(),
            "voice activity detection is damaged"
        );
    }
}
