//! What the service tells a worker and what the worker leaves behind: both sides of a process.
//!
//! The order is one JSON line on the worker's standard input, because it holds the bot's token,
//! which must stand neither in the arguments nor on disk. A second line `stop` asks the worker to
//! end the capture; the end of the input means that the service is gone. Then the capture goes on, and stays
//! where it is until a service says, by a lock, that it would follow.
//! The outcome is a small file in the job's folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use proto::offload::JobType;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ffmpeg::Engine;
use crate::text::TextOrder;

/// The line that ends a capture.
pub const STOP_LINE: &str = "stop";

/// What a worker shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Join the call, record until it ends, then finish.
    Capture,
    /// Make the best of what an earlier worker left.
    Finish,
}

/// The whole order. Holds secrets: never printed.
#[derive(Clone, Serialize, Deserialize)]
pub struct WorkerOrder {
    pub task: Task,
    /// The job's id at this service.
    pub id: String,
    /// The job's folder.
    pub folder: PathBuf,
    pub kind: JobType,
    pub max_duration_sec: i64,
    pub input_data: Map<String, Value>,
    pub speech: SpeechOrder,
    #[serde(default)]
    pub text: TextOrder,
    #[serde(default)]
    pub look: Look,
    /// Folder in which everything that was sent is kept for the operator; `None`: it is not.
    #[serde(default)]
    pub archive: Option<PathBuf>,
}

/// How a recording looks, as far as the operator decides it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Folder of fonts that are looked at before those of the system.
    pub fonts: Option<PathBuf>,
    /// How far the clock shown is ahead of UTC, in minutes.
    pub utc_offset_minutes: i32,
    /// What makes the pictures smaller; `None`: the first that FFmpeg has.
    #[serde(default)]
    pub engine: Option<Engine>,
}

impl std::fmt::Debug for WorkerOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerOrder")
            .field("task", &self.task)
            .field("id", &self.id)
            .finish()
    }
}

/// How a worker reaches speech recognition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpeechOrder {
    /// Socket of the node's speech process.
    pub socket: PathBuf,
    pub models_dir: PathBuf,
    /// The operator's choice of model; empty: the job's size decides.
    pub model: String,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// Handed in, or there was nothing to hand in.
    Done,
    /// Cannot be done; nothing worth keeping.
    Failed,
    /// Ready but not handed in: the messaging server refuses the bot, or the result. Kept for an operator.
    Parked,
}

/// What a worker leaves in the folder when it ends by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub ending: Ending,
    /// Why, or what is missing; empty when all is well.
    #[serde(default)]
    pub note: String,
}

impl Outcome {
    fn path(folder: &Path) -> PathBuf {
        folder.join("outcome.json")
    }

    /// Writes the outcome, durably and at once.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let part = folder.join("outcome.part");
        let mut file = File::create(&part)?;
        file.write_all(serde_json::to_string(self)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(part, Self::path(folder))?;
        // The name is the folder's data: without this a power cut may take the outcome back.
        File::open(folder)?.sync_all()
    }

    /// Takes the outcome back, so that another worker goes on.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn remove(folder: &Path) -> io::Result<()> {
        match fs::remove_file(Self::path(folder)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Reads the outcome; `None` when no worker ended by itself.
    #[must_use]
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(Self::path(folder)).ok()?).ok()
    }
}

/// What a worker's allocator is told in the environment, where it is glibc's: one arena for all threads,
/// and what is free goes back to the machine. A recording lasts for hours, and there are many.
pub(crate) const FRUGAL: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
    ("MALLOC_TRIM_THRESHOLD_", "131072"),
];

/// The file whose lock says that a worker has the folder; it holds the worker's process id.
#[must_use]
pub fn lock_path(folder: &Path) -> PathBuf {
    folder.join("lock")
}

/// The file whose lock says that a service waits for the folder: it will follow whoever has that.
fn follower_path(folder: &Path) -> PathBuf {
    folder.join("follower.lock")
}

/// This program, for a process of another task that begins now. Also when its file has been replaced by a
/// newer one: who speaks with the process speaks as the older does (proc(5), `/proc/self/exe`).
///
/// # Errors
/// When the system does not tell.
pub fn this_program() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let is_there = path.exists();
    Ok(if is_there {
        path
    } else {
        PathBuf::from("/proc/self/exe")
    })
}

/// Holds a job's folder for one worker at a time, across processes; freed when it is dropped or
/// its process dies.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the folder; `None` when a worker has it.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub fn take(folder: &Path) -> io::Result<Option<Self>> {
        Self::take_file(&lock_path(folder))
    }

    /// Says that a service waits for the folder; `None` when another does.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub fn follow(folder: &Path) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        let options = options.create(true).truncate(false).write(true);
        // Nothing is written: the disk may be full.
        let file = options.open(follower_path(folder))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether a service waits for the folder.
    ///
    /// # Errors
    /// When the lock file cannot be looked at.
    pub fn is_followed(folder: &Path) -> io::Result<bool> {
        match File::open(follower_path(folder)) {
            Ok(file) => match file.try_lock_shared() {
                Ok(()) => Ok(false),
                Err(fs::TryLockError::WouldBlock) => Ok(true),
                Err(fs::TryLockError::Error(error)) => Err(error),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// As `take`, with a lock file of another purpose.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub(crate) fn take_file(path: &Path) -> io::Result<Option<Self>> {
        // Not truncated before it is ours: it holds the process id of whoever has the folder.
        let mut options = OpenOptions::new();
        let mut file = options
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0)?;
                write!(file, "{}", std::process::id())?;
                Ok(Some(Self { _file: file }))
            }
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Whether a file or folder was last changed `age` ago or longer.
pub(crate) fn is_older(metadata: &fs::Metadata, age: Duration) -> bool {
    let changed = metadata.modified().unwrap_or_else(|_| SystemTime::now());
    changed.elapsed().is_ok_and(|past| past >= age)
}
