//! What happened in a job, one JSON line after the other: the memory of a worker that may die.
//!
//! In: entries. Out: the same entries, up to a last line that is cut. What a reader does not
//! understand it leaves out.
//! Invariant: times named `t_ms` count from the recording's zero.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use proto::rtcd::TrackType;
use serde::{Deserialize, Serialize};

use crate::client::TrackKey;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Entry {
    /// The capture counts from here. Unix milliseconds.
    Zero {
        at_ms: i64,
    },
    /// The capture had lasted so long when this was written.
    Tick {
        t_ms: i64,
    },
    Track {
        track: TrackKey,
        kind: TrackType,
        session: String,
        t_ms: i64,
    },
    TrackEnded {
        track: TrackKey,
        t_ms: i64,
    },
    /// Somebody is in the call; written again when the name becomes known.
    Person {
        session: String,
        user: String,
        name: String,
        t_ms: i64,
    },
    PersonLeft {
        session: String,
        t_ms: i64,
    },
    Muted {
        session: String,
        muted: bool,
        t_ms: i64,
    },
    Hand {
        session: String,
        raised: bool,
        t_ms: i64,
    },
    /// Whose screen is shown; `None`: nobody's.
    Screen {
        session: Option<String>,
        t_ms: i64,
    },
    /// Nothing is taken from here on, and time stands still. `at_ms` is in Unix milliseconds.
    Paused {
        t_ms: i64,
        at_ms: i64,
    },
    /// It goes on.
    Resumed {
        t_ms: i64,
        at_ms: i64,
    },
    /// Another worker goes on with the capture of one that died. Time went on meanwhile.
    Part {
        t_ms: i64,
        at_ms: i64,
    },
    /// The capture ended as it should.
    Stopped {
        t_ms: i64,
        reason: String,
    },
    /// The capture ended against the call's will: what comes after `t_ms` is missing, for this reason.
    CutOff {
        t_ms: i64,
        reason: String,
    },
    /// An earlier worker died; the recording ends where its files end.
    Recovered {
        at_ms: i64,
    },
    /// The name of the room that the call is in.
    Titled {
        title: String,
    },
    /// The base of the file names, once known.
    Named {
        name: String,
    },
    /// A finished file lies in the folder.
    Made {
        file: String,
    },
    /// An upload began.
    Upload {
        file: String,
        id: String,
    },
    /// An upload is complete.
    Uploaded {
        file: String,
        file_id: String,
    },
    /// The messaging server has the result.
    HandedIn,
}

/// The journal of a folder.
#[derive(Debug)]
pub struct Journal {
    file: File,
}

/// Where a folder's journal is.
#[must_use]
pub fn path(folder: &Path) -> PathBuf {
    folder.join("journal.jsonl")
}

impl Journal {
    /// Opens a journal to add to it; a last line that was cut is ended first.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let mut file = options
            .create(true)
            .read(true)
            .append(true)
            .open(path(folder))?;
        let mut last = [b'\n'];
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        if last != [b'\n'] {
            file.write_all(b"\n")?;
        }
        Ok(Self { file })
    }

    /// Adds an entry; it survives the death of this process.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_string(entry)?;
        line.push('\n');
        self.file.write_all(line.as_bytes())
    }

    /// Hands everything to the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Adds an entry and hands it to the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn record(&mut self, entry: &Entry) -> io::Result<()> {
        self.append(entry)?;
        self.sync()
    }
}

/// Reads the journal of a folder; none is an empty one.
#[must_use]
pub fn read(folder: &Path) -> Vec<Entry> {
    let bytes = std::fs::read(path(folder)).unwrap_or_default();
    entries(&bytes).collect()
}

/// Whether a capture had begun in a folder.
#[must_use]
pub fn has_begun(folder: &Path) -> bool {
    let entries = read(folder);
    let mut entries = entries.iter();
    entries.any(|entry| matches!(entry, Entry::Zero { .. }))
}

fn entries(bytes: &[u8]) -> impl Iterator<Item = Entry> {
    bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
}

/// Reads a journal that others still write.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    /// Bytes of whole lines that were read.
    read: u64,
}

impl Follower {
    /// Begins with the first entry of a folder's journal.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            path: path(folder),
            read: 0,
        }
    }

    /// What was written since the last time, in whole lines.
    pub fn news(&mut self) -> Vec<Entry> {
        let mut fresh = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.read))?;
            file.read_to_end(&mut fresh)
        });
        if read.is_err() {
            // It is not there yet; or the next time tells.
            return Vec::new();
        }
        let whole = fresh.iter().rposition(|byte| *byte == b'\n');
        fresh.truncate(whole.map_or(0, |last| last + 1));
        self.read += u64::try_from(fresh.len()).unwrap_or(0);
        entries(&fresh).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_anywhere_it_keeps_whole_lines_and_can_be_added_to() {
        let folder = tempfile::tempdir().unwrap();
        let entries = [
            Entry::Zero { at_ms: 1 },
            Entry::Tick { t_ms: 2000 },
            Entry::Screen {
                session: None,
                t_ms: 5,
            },
            Entry::Track {
                track: 3,
                kind: TrackType::ScreenAudio,
                session: "s".into(),
                t_ms: 4,
            },
        ];
        let mut journal = Journal::open(folder.path()).unwrap();
        entries
            .iter()
            .for_each(|entry| journal.record(entry).unwrap());
        assert_eq!(read(folder.path()), entries);
        let whole = std::fs::read(path(folder.path())).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(path(folder.path()), &whole[..cut]).unwrap();
            let kept = read(folder.path());
            assert!(entries.starts_with(&kept), "cut at {cut}");
            Journal::open(folder.path())
                .unwrap()
                .record(&Entry::HandedIn)
                .unwrap();
            let after = read(folder.path());
            assert!(after.starts_with(&kept) && after.last() == Some(&Entry::HandedIn));
        }
    }

    #[test]
    fn a_follower_hears_of_every_entry_once_and_of_none_by_half() {
        let folder = tempfile::tempdir().unwrap();
        let mut follower = Follower::new(folder.path());
        assert_eq!(follower.news(), []);
        let mut journal = Journal::open(folder.path()).unwrap();
        journal.append(&Entry::Tick { t_ms: 1 }).unwrap();
        journal.append(&Entry::Tick { t_ms: 2 }).unwrap();
        assert_eq!(follower.news().len(), 2);
        let (half, rest) = ("{\"event\":\"tick\"", ",\"t_ms\":3}\n");
        journal.file.write_all(half.as_bytes()).unwrap();
        assert_eq!(follower.news(), []);
        journal.file.write_all(rest.as_bytes()).unwrap();
        assert_eq!(follower.news(), [Entry::Tick { t_ms: 3 }]);
    }
}
