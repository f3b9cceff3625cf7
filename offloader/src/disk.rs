//! Whether the disk has room: asked before a job is taken, and while a call is recorded.
//!
//! A recording that fills the disk would take other people's with it and could not be finished: a film
//! needs about as much again as what it is made of, and its pictures lie there once more while it is made.
//! See `compat/offloader.md` 6.5.

use std::path::Path;

use proto::offload::{JobRequest, JobType, RecordingInput};
use storage::space::{self, Disk, NoRoom};

/// Sound of a call for a transcript, in kbit/s: a few who speak at once.
const VOICES_KBPS: u64 = 128;
/// A capture ends when less than one in so many bytes of the disk is free.
const SMALLEST_SHARE: u64 = 20;
/// No more than this is kept free, in bytes: the share of a large disk would be hundreds of films.
const MOST_KEPT_FREE: u64 = 2 << 30;

/// Whether a job may begin: what it captures at most, and what is made of it, fit into `folder`.
///
/// # Errors
/// When they do not, or the disk does not say.
pub fn ensure_room_for(request: &JobRequest, kind: JobType, folder: &Path) -> Result<(), NoRoom> {
    let seconds = request.max_duration_sec.unsigned_abs();
    let bytes = (kbps(request, kind) * 1000 / 8).saturating_mul(seconds);
    let copies = match kind {
        JobType::Recording => 3,
        JobType::Transcribing => 2,
    };
    space::ensure_room(folder, bytes.saturating_mul(copies), 0)
}

/// Input that cannot be read costs nothing: its job fails when it begins.
fn kbps(request: &JobRequest, kind: JobType) -> u64 {
    match kind {
        JobType::Recording => RecordingInput::parse(&request.input_data).map_or(0, |input| {
            u64::from(input.video_kbps) + u64::from(input.audio_kbps)
        }),
        JobType::Transcribing => VOICES_KBPS,
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
}
