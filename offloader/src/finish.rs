//! From a capture's files to finished files: a movie, each participant's sound, PCM for speech.
//!
//! In: a job's folder. Out: `recording.mp4`, `voice-*.mka` in it; samples for transcripts.
//! Runs in a blocking thread; can be run again from the start at any time.
//! Invariant: a file under its final name is complete.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use proto::offload::RecordingInput;
use proto::rtcd::TrackType;

use crate::capture::jitter::Ordered;
use crate::ffmpeg::{self, MediaError, Movie, MovieOptions, OpusFile};
use crate::opus::RATE;
use crate::order::Look;

pub mod brush;
pub mod canvas;
pub mod card;
pub mod faces;
pub mod font;
#[cfg(test)]
mod gallery;
pub mod icons;
mod loudness;
pub mod name;
mod pen;
pub mod pictures;
pub mod plan;
pub mod resample;
pub mod seats;
pub mod sound;
pub mod talk;
pub mod text;

use pictures::Pictures;
use plan::{Plan, PlannedTrack};
use resample::ToSpeech;
use sound::{Mixer, Piece, PlacedPackets, SoundError, TrackSound};
use talk::{Ear, Talk};

/// The movie's name in the folder.
pub const MOVIE: &str = "recording.mp4";
/// A picture is repeated at least so often, in milliseconds, so that players can seek.
const REPEAT_MS: i64 = 1_000;
/// Everything is new at least so often, in milliseconds.
const KEYFRAME_MS: i64 = 10_000;
/// A pause of a speaker above this parts the sound given to speech recognition, in milliseconds.
const PAUSE_MS: i64 = 3_000;
/// Longest piece given to speech recognition, in milliseconds.
const LONGEST_MS: i64 = 300_000;

/// A finished file could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    #[error("{operation} `{path}`")]
    File {
        operation: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("make the recording")]
    Media(#[source] MediaError),
    #[error("read the sound of track {track}")]
    Sound {
        track: u32,
        #[source]
        source: SoundError,
    },
}

/// Makes the movie of a recording. Overwrites what an interrupted run left.
///
/// # Errors
/// When a file cannot be read or written, or FFmpeg lacks an encoder.
pub fn make_movie(
    folder: &Path,
    plan: &Plan,
    input: &RecordingInput,
    look: &Look,
) -> Result<PathBuf, FinishError> {
    ffmpeg::init();
    let part = folder.join("recording.part.mp4");
    let options = MovieOptions {
        width: input.width,
        height: input.height,
        frame_rate: input.frame_rate,
        video_kbps: input.video_kbps,
        audio_kbps: input.audio_kbps,
        preset: input.preset.as_str(),
    };
    let mut movie = Movie::create(&part, &options).map_err(FinishError::Media)?;
    let (talk, ear) = Talk::new();
    let mut mixer = Mixer::new(open_sounds(plan, &ear)?);
    let size = (input.width, input.height);
    let mut pictures = Pictures::new(folder, plan, look, size, talk);
    let mut screen = Projector::new(&mut movie, plan.span_ms);
    let ticks = plan.span_ms.max(1) * i64::from(input.frame_rate) / 1000;
    let mut done_samples = 0;
    for tick in 0..=ticks {
        let t_ms = tick * 1000 / i64::from(input.frame_rate);
        // The sound first: the picture shows who is heard in it.
        let due = t_ms * i64::from(RATE / 1000);
        let block = mixer.next_block(usize::try_from(due - done_samples).unwrap_or(0));
        done_samples = due;
        screen.movie.sound(&block).map_err(FinishError::Media)?;
        screen
            .show(&mut pictures, t_ms)
            .map_err(FinishError::Media)?;
    }
    let due = plan.span_ms * i64::from(RATE / 1000);
    let mut block = mixer.next_block(usize::try_from(due - done_samples).unwrap_or(0));
    block.extend(mixer.finish());
    screen.movie.sound(&block).map_err(FinishError::Media)?;
    movie.finish().map_err(FinishError::Media)?;
    let path = folder.join(MOVIE);
    keep(&part, &path)?;
    Ok(path)
}

/// Puts pictures into a movie: when they change, and once a second.
struct Projector<'a> {
    movie: &'a mut Movie,
    span_ms: i64,
    shown_ms: i64,
    key_ms: i64,
}

impl<'a> Projector<'a> {
    fn new(movie: &'a mut Movie, span_ms: i64) -> Self {
        Self {
            movie,
            span_ms,
            shown_ms: 0,
            key_ms: i64::MIN / 2,
        }
    }

    fn show(&mut self, pictures: &mut Pictures<'_>, t_ms: i64) -> Result<(), MediaError> {
        if t_ms > 0 && t_ms >= self.span_ms {
            return Ok(());
        }
        let change = pictures.change_at(t_ms)?;
        if change.is_none() && t_ms - self.shown_ms < REPEAT_MS {
            return Ok(());
        }
        let key = change == Some(true) || t_ms - self.key_ms >= KEYFRAME_MS;
        if key {
            self.key_ms = t_ms;
        }
        self.shown_ms = t_ms;
        self.movie.picture(t_ms, pictures.frame(), key)
    }
}

type Sounds = Vec<Box<dyn Iterator<Item = Piece>>>;

/// The sound tracks of a plan, all of them about as loud. Voices are listened to, to know who speaks.
fn open_sounds(plan: &Plan, ear: &Ear) -> Result<Sounds, FinishError> {
    plan.tracks
        .iter()
        .filter(|track| track.kind.is_audio())
        .map(|track| {
            let gain = loudness::gain(open_sound(track)?);
            let sound = open_sound(track)?.map(move |piece| piece.louder(gain));
            let sound: Box<dyn Iterator<Item = Piece>> = if track.kind == TrackType::Voice {
                Box::new(ear.listen(&track.session, sound))
            } else {
                Box::new(sound)
            };
            Ok(sound)
        })
        .collect()
}

fn open_sound(track: &PlannedTrack) -> Result<TrackSound, FinishError> {
    TrackSound::open(&track.log).map_err(|source| FinishError::Sound {
        track: track.key,
        source,
    })
}

/// Writes every sound track, as it was sent, into a file of its own.
///
/// # Errors
/// When a file cannot be read or written.
pub fn make_voices(folder: &Path, plan: &Plan) -> Result<Vec<PathBuf>, FinishError> {
    ffmpeg::init();
    let mut files = Vec::new();
    for track in plan.tracks.iter().filter(|track| track.kind.is_audio()) {
        let packets =
            PlacedPackets::open(&track.log, RATE).map_err(|source| FinishError::File {
                operation: "read",
                path: track.log.clone(),
                source,
            })?;
        let name = format!(
            "{}-{}-{:04}.mka",
            track.kind.as_str(),
            track.session,
            track.key
        );
        let part = folder.join(format!("{name}.part"));
        let title = plan.name(&track.session);
        let mut file = OpusFile::create(&part, &title).map_err(FinishError::Media)?;
        for item in packets {
            if let Ordered::Packet((at_us, packet)) = item {
                file.packet(at_us.max(0), &packet.payload)
                    .map_err(FinishError::Media)?;
            }
        }
        file.finish().map_err(FinishError::Media)?;
        let path = folder.join(name);
        keep(&part, &path)?;
        files.push(path);
    }
    Ok(files)
}

/// Sound of one speaker, ready for speech recognition.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    pub offset_ms: u64,
    /// 16 kHz mono.
    pub pcm: Vec<f32>,
}

/// The voice tracks of a plan.
pub fn voices(plan: &Plan) -> impl Iterator<Item = &PlannedTrack> {
    plan.tracks
        .iter()
        .filter(|track| track.kind == TrackType::Voice)
}

/// The sound of a voice track in sections, parted at long pauses; shorter ones are silence.
#[derive(Debug)]
pub struct Sections {
    sound: TrackSound,
    ahead: Option<Piece>,
}

impl Sections {
    /// Opens a track.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub fn open(track: &PlannedTrack) -> Result<Self, FinishError> {
        ffmpeg::init();
        let mut sound = open_sound(track)?;
        let ahead = sound.next();
        Ok(Self { sound, ahead })
    }
}

impl Iterator for Sections {
    type Item = Section;

    fn next(&mut self) -> Option<Section> {
        let per_ms = i64::from(RATE / 1000);
        let first = self.ahead.take()?;
        let start = first.start.max(0);
        let mut filter = ToSpeech::new();
        let mut end = first.end();
        let mut pcm = filter.push(&first.samples);
        self.ahead = self.sound.next();
        while let Some(piece) = self.ahead.take_if(|piece| {
            piece.start - end <= PAUSE_MS * per_ms && piece.end() - start <= LONGEST_MS * per_ms
        }) {
            let silence = usize::try_from(piece.start - end).unwrap_or(0);
            pcm.extend(filter.push(&vec![(0.0, 0.0); silence]));
            pcm.extend(filter.push(&piece.samples));
            end = piece.end();
            self.ahead = self.sound.next();
        }
        let offset_ms = u64::try_from(start / per_ms).unwrap_or(0);
        Some(Section { offset_ms, pcm })
    }
}

/// Gives a finished file its name once it is on the disk.
pub(crate) fn keep(part: &Path, path: &Path) -> Result<(), FinishError> {
    let failed = |operation| {
        let path = path.to_path_buf();
        move |source| FinishError::File {
            operation,
            path,
            source,
        }
    };
    File::open(part)
        .and_then(|file| file.sync_all())
        .map_err(failed("sync"))?;
    fs::rename(part, path).map_err(failed("name"))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed("sync the folder of"))
}
