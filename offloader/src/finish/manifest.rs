//! What was kept of a call, file by file, with what is missing in it: a small file of JSON beside it.
//!
//! ```json
//! {"version": 1, "program": "0.7.0", "libavformat": "59.27.100", "kind": "recording",
//!  "site_url": "https://chat", "channel_id": "...", "post_id": "...", "job_id": "...",
//!  "start_at": 1795905202000, "end_at": 1795905262000, "span_ms": 60000,
//!  "tracks": [{"track": 0, "kind": "voice", "session_id": "...", "user_id": "...", "name": "Ada",
//!              "from_ms": 0, "until_ms": 60000, "packets": 3000, "missing_packets": 0}],
//!  "pauses": [{"t_ms": 5000, "lasted_ms": 2000}],
//!  "gaps": [{"from_ms": 9000, "until_ms": 9800, "why": "..."}],
//!  "files": [{"name": "recording.mp4", "bytes": 1000, "sha256": "..."}]}
//! ```
//! In: a plan and the files made of it. Out: the manifest. Times named `_at` are Unix milliseconds, others
//! count from the recording's zero. `until_ms` of a gap is null when nothing was taken any more; a
//! transcript says its `model` as well.
//! Invariant: what is named in it is complete, and has these bytes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use proto::offload::input::CallInput;
use serde::{Deserialize, Serialize};

use super::plan::{Plan, PlannedTrack};
use crate::capture::arrivals::Arrivals;
use crate::capture::log::LogReader;

/// Its name in a job's folder. Beside an archive it is called as that, with this behind.
pub const NAME: &str = "manifest.json";

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    version: u32,
    program: String,
    libavformat: String,
    kind: String,
    site_url: String,
    channel_id: String,
    post_id: String,
    job_id: String,
    start_at: i64,
    end_at: i64,
    span_ms: i64,
    tracks: Vec<KeptTrack>,
    pauses: Vec<KeptPause>,
    gaps: Vec<KeptGap>,
    /// The speech model that heard what is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    files: Vec<KeptFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptTrack {
    track: u32,
    kind: String,
    session_id: String,
    user_id: String,
    name: String,
    from_ms: i64,
    until_ms: i64,
    packets: u64,
    /// That did not arrive, as their numbers tell.
    missing_packets: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptPause {
    t_ms: i64,
    lasted_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptGap {
    from_ms: i64,
    until_ms: Option<i64>,
    why: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptFile {
    name: String,
    bytes: u64,
    sha256: String,
}

impl Manifest {
    /// What is kept of a job of this kind, without its files.
    #[must_use]
    pub fn of(plan: &Plan, kind: &str, call: &CallInput) -> Self {
        let version = ffmpeg_next::format::version();
        Self {
            version: 1,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            libavformat: format!(
                "{}.{}.{}",
                version >> 16,
                (version >> 8) & 0xff,
                version & 0xff
            ),
            kind: kind.to_owned(),
            site_url: call.site_url.clone(),
            channel_id: call.channel_id.clone(),
            post_id: call.post_id.clone(),
            job_id: call.job_id.clone(),
            start_at: plan.clock_at(0),
            end_at: plan.clock_at(plan.span_ms),
            span_ms: plan.span_ms,
            tracks: plan.tracks.iter().map(|track| kept(plan, track)).collect(),
            pauses: plan
                .pauses
                .iter()
                .map(|pause| KeptPause {
                    t_ms: pause.t_ms,
                    lasted_ms: pause.lasted_ms(),
                })
                .collect(),
            gaps: plan
                .gaps
                .iter()
                .map(|gap| KeptGap {
                    from_ms: gap.from_ms,
                    until_ms: gap.until_ms,
                    why: gap.why.clone(),
                })
                .collect(),
            model: None,
            files: Vec::new(),
        }
    }

    /// As heard by a speech model.
    #[must_use]
    pub fn heard_by(self, model: &str) -> Self {
        Self {
            model: Some(model.to_owned()),
            ..self
        }
    }

    /// Names these files and what is in them, and is written to `path`.
    ///
    /// # Errors
    /// When a file cannot be read, or the manifest not be written.
    pub fn write(mut self, path: &Path, files: &[PathBuf]) -> io::Result<()> {
        let files = files.iter().map(|file| KeptFile::read(file));
        self.files = files.collect::<io::Result<_>>()?;
        self.files.sort_by(|one, other| one.name.cmp(&other.name));
        let part = path.with_extension("json.part");
        let mut file = File::create(&part)?;
        serde_json::to_writer_pretty(&mut file, &self)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(part, path)
    }
}

/// The manifest of an archive.
#[must_use]
pub fn beside(archive: &Path) -> PathBuf {
    archive.with_extension(NAME)
}

/// Writes anew what is in the files of a manifest, because one of them was changed; none is no fault.
///
/// # Errors
/// When a file cannot be read, or the manifest not be written.
pub fn refresh(path: &Path) -> io::Result<()> {
    let text = match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read?,
    };
    let manifest: Manifest = serde_json::from_slice(&text)?;
    let home = path.parent().unwrap_or(Path::new("."));
    let files = manifest.files.iter().map(|file| home.join(&file.name));
    let files: Vec<_> = files.collect();
    manifest.write(path, &files)
}

fn kept(plan: &Plan, track: &PlannedTrack) -> KeptTrack {
    // Numbers run on in a pause, of which nothing is kept.
    let mut stretches = vec![Arrivals::default(); plan.pauses.len() + 1];
    let mut packets = 0;
    for packet in LogReader::open(&track.log).into_iter().flatten() {
        let over = plan.pauses.iter();
        let over = over.filter(|pause| pause.t_ms.saturating_mul(1000) <= packet.arrival_us);
        if let Some(stretch) = stretches.get_mut(over.count()) {
            stretch.note(packet.seq_no);
        }
        packets += 1;
    }
    KeptTrack {
        track: track.key,
        kind: track.kind.as_str().to_owned(),
        session_id: track.session.clone(),
        user_id: plan.owner(&track.session).to_owned(),
        name: plan.name(&track.session),
        from_ms: track.from_ms,
        until_ms: track.until_ms,
        packets,
        missing_packets: stretches.iter().map(Arrivals::missing).sum(),
    }
}

impl KeptFile {
    fn read(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut hash = digest::Context::new(&digest::SHA256);
        let (mut bytes, mut piece) = (0, vec![0; 1 << 20]);
        loop {
            let read = file.read(&mut piece)?;
            let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else {
                break;
            };
            hash.update(read);
            bytes += u64::try_from(read.len()).unwrap_or(0);
        }
        let sha256 = hash.finish();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self {
            name: name.into_owned(),
            bytes,
            sha256: sha256
                .as_ref()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        })
    }
}
