//! Whether the disk has room: asked before a job is taken, and while a call is recorded.
//!
//! A recording that fills the disk would take other people's with it and could not be finished: a film
//! needs about as much again as what it is made of, and its pictures lie there once more while it is made.
//! What one job was promised another cannot have. See `compat/offloader.md` 6.5.
//! Invariant: room is promised by one at a time.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use proto::offload::{JobRequest, JobType, RecordingInput};
use storage::space::{self, Disk, NoRoom};

/// Sound of a call as it is sent, in kbit/s: a few who speak at once.
const VOICES_KBPS: u64 = 128;
/// A shared screen as it is sent, in kbit/s.
const SCREEN_KBPS: u64 = 2500;
/// A capture ends when less than one in so many bytes of the disk is free.
const SMALLEST_SHARE: u64 = 20;
/// No more than this is kept free, in bytes: the share of a large disk would be hundreds of films.
const MOST_KEPT_FREE: u64 = 2 << 30;

/// What a job may come to take, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Need {
    pub folder: u64,
    /// Where everything that was sent is kept.
    pub archive: u64,
}

/// Where jobs write.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    pub data: &'a Path,
    pub archive: Option<&'a Path>,
}

/// The room that jobs were promised.
#[derive(Debug, Default)]
pub struct Promises(Mutex<BTreeMap<String, Promise>>);

#[derive(Debug)]
struct Promise {
    need: Need,
    folder: PathBuf,
}

impl Promise {
    /// What is not taken yet.
    fn left(&self) -> Need {
        Need {
            folder: self.need.folder.saturating_sub(bytes_below(&self.folder)),
            archive: self.need.archive,
        }
    }
}

impl Promises {
    /// Promises room to a job that will write into `folder`.
    ///
    /// # Errors
    /// When it does not fit beside what others were promised, or a disk does not say.
    pub fn give(
        &self,
        job: &str,
        need: Need,
        folder: PathBuf,
        places: Places<'_>,
    ) -> Result<Held<'_>, NoRoom> {
        let mut promises = self.promises();
        let others = promises.values().map(Promise::left);
        let all = others.fold(need, |sum, left| Need {
            folder: sum.folder.saturating_add(left.folder),
            archive: sum.archive.saturating_add(left.archive),
        });
        match places.archive.map(existing) {
            None => space::ensure_room(places.data, all.folder, 0)?,
            Some(archive) if are_on_one_disk(places.data, archive) => {
                let both = all.folder.saturating_add(all.archive);
                space::ensure_room(places.data, both, 0)?;
            }
            Some(archive) => {
                space::ensure_room(places.data, all.folder, 0)?;
                space::ensure_room(archive, all.archive, 0)?;
            }
        }
        promises.insert(job.to_owned(), Promise { need, folder });
        Ok(Held(Some((self, job.to_owned()))))
    }

    /// As `give`, for a job that was taken before: whatever is free.
    pub fn renew(&self, job: &str, need: Need, folder: PathBuf) {
        self.promises()
            .insert(job.to_owned(), Promise { need, folder });
    }

    /// Takes back what a job did not use.
    pub fn release(&self, job: &str) {
        self.promises().remove(job);
    }

    fn promises(&self) -> MutexGuard<'_, BTreeMap<String, Promise>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A promise that is taken back unless somebody keeps it.
#[derive(Debug)]
pub struct Held<'a>(Option<(&'a Promises, String)>);

impl Held<'_> {
    /// Leaves it to whoever releases the job.
    pub fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some((promises, job)) = self.0.take() {
            promises.release(&job);
        }
    }
}

/// What lies in a folder without folders.
#[must_use]
pub fn bytes_below(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let lengths = files.filter_map(|file| file.metadata().ok());
    lengths.map(|metadata| metadata.len()).sum()
}

/// The folder, or the nearest above it that is there already.
fn existing(folder: &Path) -> &Path {
    let mut above = folder.ancestors();
    above.find(|folder| folder.is_dir()).unwrap_or(folder)
}

fn are_on_one_disk(one: &Path, other: &Path) -> bool {
    let disk = |folder: &Path| folder.metadata().map(|metadata| metadata.dev()).ok();
    disk(one) == disk(other)
}

/// What a job takes at most: what it captures, and what is made of it. Input that cannot be read costs
/// nothing: its job fails when it begins.
#[must_use]
pub fn need_of(request: &JobRequest, kind: JobType) -> Need {
    let seconds = request.max_duration_sec.unsigned_abs();
    let bytes = |kbps: u64| (kbps * 1000 / 8).saturating_mul(seconds);
    match kind {
        JobType::Recording => {
            let Ok(input) = RecordingInput::parse(&request.input_data) else {
                return Need::default();
            };
            let (video, audio) = (u64::from(input.video_kbps), u64::from(input.audio_kbps));
            let sent = VOICES_KBPS + SCREEN_KBPS;
            Need {
                // As it was sent, each voice once more as a file of its own, the pictures, the film.
                folder: bytes(sent + VOICES_KBPS + video + video + audio),
                archive: bytes(sent),
            }
        }
        JobType::Transcribing => Need {
            folder: bytes(2 * VOICES_KBPS),
            archive: 0,
        },
    }
}

/// Why a capture into `folder` must end now; `None` while there is room, or the disk does not say.
#[must_use]
pub fn must_end(folder: &Path) -> Option<String> {
    full(space::disk(folder).ok()?)
}

fn full(disk: Disk) -> Option<String> {
    let kept = (disk.total / SMALLEST_SHARE).min(MOST_KEPT_FREE);
    (disk.free < kept).then(|| {
        let mega = |bytes: u64| bytes / 1_000_000;
        format!(
            "the recording server's disk is nearly full ({} MB free, {} MB are kept free): what was \
             recorded until now is kept",
            mega(disk.free),
            mega(kept)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_ends_at_one_in_twenty_or_two_gigabytes() {
        let disk = |free, total| full(Disk { free, total }).is_some();
        assert!(disk(4_999_999, 100_000_000) && !disk(5_000_000, 100_000_000));
        let large = 4 << 40;
        assert!(disk((2 << 30) - 1, large) && !disk(2 << 30, large));
        let said = full(Disk {
            free: 3_000_000,
            total: 100_000_000,
        })
        .unwrap();
        assert!(said.contains("3 MB free, 5 MB"), "{said}");
    }

    fn request(seconds: i64) -> JobRequest {
        let id = "a".repeat(26);
        let input = serde_json::json!({
            "site_url": "http://site", "call_id": id, "post_id": id, "recording_id": id,
            "auth_token": id, "video_rate": 1000, "audio_rate": 64,
        });
        JobRequest {
            max_duration_sec: seconds,
            input_data: input.as_object().unwrap().clone(),
            ..JobRequest::default()
        }
    }

    #[test]
    fn an_estimate_counts_voices_the_screen_and_what_is_made_of_them() {
        let need = need_of(&request(10), JobType::Recording);
        assert_eq!(
            need.folder,
            125 * 10 * (128 + 2500 + 128 + 1000 + 1000 + 64)
        );
        assert_eq!(need.archive, 125 * 10 * (128 + 2500));
        let need = need_of(&request(10), JobType::Transcribing);
        assert_eq!((need.folder, need.archive), (125 * 10 * 256, 0));
    }

    #[test]
    fn the_same_bytes_are_promised_once() {
        let data = tempfile::tempdir().unwrap();
        let archive = data.path().join("still/to/be/made");
        let free = space::free_bytes(data.path()).unwrap();
        let need = |folder, archive| Need { folder, archive };
        let promises = Promises::default();
        let give = |job: &str, need, archive| {
            let places = Places {
                data: data.path(),
                archive,
            };
            let folder = data.path().join(job);
            promises.give(job, need, folder, places).map(Held::keep)
        };
        let most = need(free / 5 * 3, 0);
        give("first", most, None).unwrap();
        assert!(matches!(
            give("second", most, None),
            Err(NoRoom::Full { .. })
        ));
        promises.release("first");
        give("second", most, None).unwrap();
        // What it has written is not free any more, and not promised twice.
        std::fs::create_dir(data.path().join("second")).unwrap();
        let file = std::fs::File::create(data.path().join("second/log")).unwrap();
        file.set_len(free / 5 * 2).unwrap();
        give("third", need(free / 5 * 2, 0), None).unwrap();
        promises.release("second");
        promises.release("third");
        // An archive on the same disk takes its share of it.
        let both = need(free / 5 * 3, free / 5 * 3);
        give("fourth", both, None).unwrap();
        promises.release("fourth");
        assert!(give("fourth", both, Some(archive.as_path())).is_err());
    }

    #[test]
    fn an_archive_on_another_disk_needs_room_there() {
        let data = tempfile::tempdir().unwrap();
        let other = Path::new("/dev/shm");
        if !other.is_dir() || are_on_one_disk(data.path(), other) {
            return;
        }
        let places = Places {
            data: data.path(),
            archive: Some(other),
        };
        let need = Need {
            folder: 0,
            archive: u64::MAX / 2,
        };
        let promises = Promises::default();
        let refused = promises.give("job", need, data.path().into(), places);
        let Err(NoRoom::Full { folder, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(folder, other);
    }
}
