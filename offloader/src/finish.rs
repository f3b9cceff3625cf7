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

use crate::client::TrackKey;
use crate::ffmpeg::{self, Engine, MediaError, Movie, MovieOptions, SoundKind};
use crate::opus::RATE;
use crate::order::Look;

pub mod archive;
pub mod brush;
pub mod canvas;
pub mod card;
mod chapters;
pub mod ears;
pub mod faces;
pub mod film;
pub mod font;
#[cfg(test)]
mod gallery;
pub mod gaps;
pub mod icons;
mod loudness;
pub mod manifest;
pub mod name;
mod pen;
pub mod pictures;
pub mod plan;
pub mod reel;
pub mod resample;
pub mod seats;
pub mod sound;
pub mod talk;
pub mod text;
pub mod unseen;

use ears::Ears;
use film::{Film, Mix};
use plan::{Plan, PlannedTrack};
use resample::ToSpeech;
use sound::{Mixer, Piece, SoundError, TrackSound};
use talk::Talk;

pub use archive::{make_archive, make_voices, make_webm};

/// The movie's name in the folder.
pub const MOVIE: &str = "recording.mp4";
/// After the end of every recording, in milliseconds.
const ALL_MS: i64 = i64::MAX / RATE as i64;
/// Threads for pictures when somebody waits for them.
const MOST_THREADS: usize = 4;
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

/// Makes the movie of a recording whose capture is over, going on with what was made of it already.
///
/// # Errors
/// When a file cannot be read or written, or FFmpeg lacks an encoder.
pub fn make_movie(
    folder: &Path,
    plan: &Plan,
    options: &MovieOptions,
    look: &Look,
) -> Result<PathBuf, FinishError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let film = Film::open(folder, options, look, threads.min(MOST_THREADS))?;
    film.finish(plan, |_| ())
}

/// Makes the sound of a recording alone.
///
/// # Errors
/// When a file cannot be read or written, or FFmpeg lacks an encoder.
pub fn make_sound(plan: &Plan, kind: SoundKind, kbps: u32, path: &Path) -> Result<(), FinishError> {
    ffmpeg::init();
    // Who speaks is shown by nobody here.
    let (_, ear) = Talk::new();
    let mut ears = Ears::new(ear);
    ears.known_until(plan, None);
    ears.advance(ALL_MS);
    let part = path.with_extension("sound.part");
    let movie = Movie::create(&part, None, kind, kbps).map_err(FinishError::Media)?;
    let mixer = Mixer::new(gained_sounds(plan, |track| ears.gain(track))?);
    let mut mix = Mix::new(movie, mixer);
    for t_ms in (0..plan.span_ms).step_by(1000) {
        mix.until(t_ms)?;
    }
    mix.until(plan.span_ms)?;
    mix.finish()?;
    keep(&part, path)
}

/// How the movie that a job asks for is made, with `engine` if the operator wants that one.
///
/// # Errors
/// When FFmpeg lacks the encoder.
pub fn movie_options(
    input: &RecordingInput,
    engine: Option<Engine>,
) -> Result<MovieOptions, FinishError> {
    Ok(MovieOptions {
        width: input.width,
        height: input.height,
        frame_rate: input.frame_rate,
        video_kbps: input.video_kbps,
        audio_kbps: input.audio_kbps,
        preset: input.preset.as_str().to_owned(),
        engine: Engine::choose(engine).map_err(FinishError::Media)?,
    })
}

type Sounds = Vec<Box<dyn Iterator<Item = Piece>>>;

/// The sound tracks of a plan, each as loud as `gain` makes it.
fn gained_sounds(plan: &Plan, gain: impl Fn(TrackKey) -> f32) -> Result<Sounds, FinishError> {
    plan.tracks
        .iter()
        .filter(|track| track.kind.is_audio())
        .map(|track| {
            let gain = gain(track.key);
            let sound = open_sound(track)?.map(move |piece| piece.louder(gain));
            let sound: Box<dyn Iterator<Item = Piece>> = Box::new(sound);
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
