//! What the operator keeps of a recording beside what is handed in, and recordings of other kinds.
//!
//! In: the plan. Out: a voice file each in the job's folder; an archive in the operator's folder, which
//! a transcript completes when it comes.
//! Where: `ARCHIVE/POST/DATE_JOB.mkv`. The transcript of a call belongs to the newest archive of its
//! post: it is handed in after its recording and before another of the same call is over.
//! Why it is not handed in beside the film: a recording's report makes a post of its files at once, and
//! its transcript may only follow (the plugin adds captions to a post that exists), so that what would be
//! posted is an archive without its transcript; files of a post cannot be exchanged.
//! Invariant: a recording is handed in although its archive could not be completed.

use std::path::{Path, PathBuf};

use anyhow::Context;
use proto::offload::{RecordingInput, RecordingOutput};
use time::OffsetDateTime;

use super::Job;
use crate::ffmpeg::SoundKind;
use crate::finish::manifest::{self, Manifest};
use crate::finish::plan::Plan;
use crate::finish::{self, archive};
use crate::speech::Utterance;

/// Where the archive of a recording will be; `None` when the operator keeps none.
pub(super) fn place(job: &Job, plan: &Plan) -> Option<PathBuf> {
    let folder = job.order.archive.as_ref()?;
    let begun = OffsetDateTime::from_unix_timestamp(plan.clock_at(0).div_euclid(1000));
    let begun = begun.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let name = format!(
        "{}_{:02}-{:02}-{:02}_{}.mkv",
        begun.date(),
        begun.hour(),
        begun.minute(),
        begun.second(),
        job.call.job_id
    );
    Some(folder.join(&job.call.post_id).join(name))
}

/// Keeps every voice for itself, and the archive.
pub(super) fn keep(folder: &Path, plan: &Plan, archive: Option<&Path>) -> anyhow::Result<()> {
    finish::make_voices(folder, plan)?;
    let Some(path) = archive else {
        return Ok(());
    };
    let home = path.parent().context("an archive lies in a folder")?;
    service::private::folder(home).context("make the folder of archives (store.archive_dir)")?;
    finish::make_archive(plan, path).context("make the archive")
}

/// Says what was kept: the files made for the job in its folder, and the archive beside itself.
pub(super) fn describe(
    manifest: &Manifest,
    folder: &Path,
    file: &str,
    archive: Option<&Path>,
) -> std::io::Result<()> {
    let voices = folder.read_dir()?.flatten().map(|entry| entry.path());
    let voices = voices.filter(|path| path.extension().is_some_and(|ending| ending == "mka"));
    let files: Vec<_> = voices.chain([folder.join(file)]).collect();
    manifest
        .clone()
        .write(&folder.join(manifest::NAME), &files)?;
    match archive.filter(|archive| archive.is_file()) {
        Some(archive) => {
            let files = [archive.to_path_buf()];
            manifest.clone().write(&manifest::beside(archive), &files)
        }
        None => Ok(()),
    }
}

/// Makes a recording that is no film.
pub(super) fn make_other(plan: &Plan, input: &RecordingInput, path: &Path) -> anyhow::Result<()> {
    let kbps = input.audio_kbps;
    match input.output {
        RecordingOutput::Webm => finish::make_webm(plan, kbps, path)?,
        RecordingOutput::Ogg => finish::make_sound(plan, SoundKind::Opus, kbps, path)?,
        RecordingOutput::M4a => finish::make_sound(plan, SoundKind::Aac, kbps, path)?,
        RecordingOutput::Mp4 => anyhow::bail!("a film is made by a process of its own"),
    }
    Ok(())
}

/// Puts the transcript into the archive of its recording, if this machine has it.
pub(super) async fn complete(job: &Job, said: Vec<Utterance>) {
    let Some(folder) = &job.order.archive else {
        return;
    };
    let Some(path) = newest(&folder.join(&job.call.post_id)) else {
        tracing::info!("the archive of this call is not on this machine");
        return;
    };
    let work = tokio::task::spawn_blocking(move || {
        archive::add_transcript(&path, &said)?;
        manifest::refresh(&manifest::beside(&path)).context("say so in its manifest")
    });
    match work.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!("put the transcript into the archive: {error:#}");
        }
        Err(error) => tracing::warn!(%error, "put the transcript into the archive"),
    }
}

/// The archive that was made last.
fn newest(home: &Path) -> Option<PathBuf> {
    let files = home.read_dir().ok()?.flatten().map(|entry| entry.path());
    // The names begin with the date.
    files
        .filter(|path| path.extension().is_some_and(|ending| ending == "mkv"))
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_belongs_to_the_newest_archive_of_its_call() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(newest(home.path()), None);
        for name in [
            "2026-11-29_02-00-00_b.mkv",
            "2026-11-28_23-00-00_c.mkv",
            "2026-11-29_03-00-00_a.part",
        ] {
            std::fs::write(home.path().join(name), "").unwrap();
        }
        let path = newest(home.path()).unwrap();
        assert!(path.ends_with("2026-11-29_02-00-00_b.mkv"), "{path:?}");
    }
}
