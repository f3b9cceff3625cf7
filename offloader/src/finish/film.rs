//! The film of a recording: its pictures are made while the call lasts, its sound when all is known.
//!
//! In: a job's folder, which others still write. Out: a reel (`reel`) that grows behind the capture;
//! at the end the finished file.
//! What is shown at a time is decided `SETTLES_MS` later, when its packets and names have come. The
//! sound waits for the end, because each voice's loudness is that of all it said; it is cheap.
//! Whoever goes on with another's reel walks through the recording from the start, because what is
//! seen depends on what was before, and encodes from where the reel ends.
//! Invariant: it only reads what it is made of; whenever it stops, another can go on.

use std::path::{Path, PathBuf};

use super::ears::Ears;
use super::pictures::Pictures;
use super::plan::Plan;
use super::reel::{self, Reel};
use super::sound::Mixer;
use super::talk::Talk;
use super::{FinishError, MOVIE, gained_sounds, keep};
use crate::capture::journal::Follower;
use crate::ffmpeg::{self, Coded, Movie, MovieOptions, PictureEncoder, SoundKind};
use crate::opus::RATE;
use crate::order::Look;

/// Longest wait for what belongs to a moment: a late packet 2 s, a name or a face about as long.
const SETTLES_MS: i64 = 4_000;
/// A picture is repeated at least so often, in milliseconds, so that players can seek.
const REPEAT_MS: i64 = 1_000;
/// Everything is new at least so often, in milliseconds: seeking is that coarse.
const KEYFRAME_MS: i64 = 2_000;
/// Pictures cost about so much more than sound.
const PICTURES_WEIGH: i64 = 3;
/// Ticks of `REEL_CLOCK` per millisecond.
const REEL_PER_MS: i64 = 90;

/// A film in the making.
#[derive(Debug)]
pub struct Film {
    folder: PathBuf,
    options: MovieOptions,
    journal: Follower,
    plan: Plan,
    ears: Ears,
    pictures: Pictures,
    encoder: PictureEncoder,
    reel: Reel,
    /// Until when the reel was there already, in its clock.
    kept: Option<i64>,
    /// The first moment that was not looked at.
    next_tick: i64,
    shown_ms: i64,
    key_ms: i64,
}

impl Film {
    /// Begins the film of a folder, or goes on with it, with so many threads for its pictures.
    ///
    /// # Errors
    /// When FFmpeg lacks the encoder, or the folder cannot be written.
    pub fn open(
        folder: &Path,
        options: &MovieOptions,
        look: &Look,
        threads: usize,
    ) -> Result<Self, FinishError> {
        ffmpeg::init();
        let encoder = PictureEncoder::open(options, threads).map_err(FinishError::Media)?;
        let reel = Reel::open(folder, &make(options, &encoder)).map_err(file("open", folder))?;
        let (talk, ear) = Talk::new();
        let size = (options.width, options.height);
        let kept = reel.last();
        if let Some(last) = kept {
            let kept_ms = last / REEL_PER_MS;
            tracing::info!(kept_ms, "the film is gone on with");
        }
        Ok(Self {
            folder: folder.to_path_buf(),
            options: options.clone(),
            journal: Follower::new(folder),
            plan: Plan::default(),
            ears: Ears::new(ear),
            pictures: Pictures::new(folder, look, size, talk),
            encoder,
            reel,
            kept,
            next_tick: 0,
            shown_ms: 0,
            key_ms: i64::MIN / 2,
        })
    }

    /// Learns what the capture wrote since the last time.
    pub fn look(&mut self) {
        for entry in self.journal.news() {
            self.plan.take(&self.folder, entry);
        }
        let known = Some(self.plan.span_ms);
        self.ears.known_until(&self.plan, known);
        self.pictures.known_until(&self.plan, known);
    }

    /// How far behind the capture the film is, beyond what it must be, in milliseconds.
    #[must_use]
    pub fn behind_ms(&self) -> i64 {
        (self.settled_ms() - self.time_of(self.next_tick)).max(0)
    }

    /// Makes pictures of at most `most_ms` of what is settled.
    ///
    /// # Errors
    /// When a picture cannot be made or kept.
    pub fn advance(&mut self, most_ms: i64) -> Result<(), FinishError> {
        let until = self.time_of(self.next_tick) + most_ms;
        let until = until.min(self.settled_ms());
        while self.plan.has_begun() && self.time_of(self.next_tick) < until {
            self.tick(i64::MAX)?;
        }
        self.reel.flush().map_err(file("write", &self.folder))
    }

    /// Makes what is left when the capture is over; `told` hears how much is done, in per cent.
    ///
    /// # Errors
    /// When a file cannot be read or written, or FFmpeg lacks an encoder.
    pub fn finish(mut self, plan: &Plan, mut told: impl FnMut(u8)) -> Result<PathBuf, FinishError> {
        self.plan = plan.clone();
        self.ears.known_until(plan, None);
        self.pictures.known_until(plan, None);
        let begun_ms = self.time_of(self.next_tick).min(plan.span_ms);
        let ticks = plan.span_ms.max(1) * i64::from(self.options.frame_rate) / 1000;
        let whole = (PICTURES_WEIGH * (plan.span_ms - begun_ms) + plan.span_ms).max(1);
        let mut tell = |done: i64| told(u8::try_from(done * 100 / whole).unwrap_or(100).min(100));
        while self.next_tick <= ticks {
            tell(PICTURES_WEIGH * (self.time_of(self.next_tick) - begun_ms));
            self.tick(plan.span_ms)?;
        }
        // The very last words have no picture of their own.
        self.ears.advance(super::ALL_MS);
        let rest = self.encoder.finish().map_err(FinishError::Media)?;
        let kept = self.reel.add(&rest).and_then(|()| self.reel.flush());
        kept.map_err(file("write", &self.folder))?;
        let pictures_done = whole - plan.span_ms;
        self.join(plan, |t_ms| tell(pictures_done + t_ms))
    }

    /// The reel and the sound become one file.
    fn join(&self, plan: &Plan, mut tell: impl FnMut(i64)) -> Result<PathBuf, FinishError> {
        let part = self.folder.join("recording.part.mp4");
        let (pictures, kbps) = (Some(&self.encoder), self.options.audio_kbps);
        let movie = Movie::create(&part, pictures, SoundKind::Aac, kbps);
        let mixer = Mixer::new(gained_sounds(plan, |track| self.ears.gain(track))?);
        let mut mix = Mix::new(movie.map_err(FinishError::Media)?, mixer);
        let reel = reel::Pictures::open(&self.folder).map_err(file("read", &self.folder))?;
        // A call that was lost ends earlier than it seemed to at first.
        let is_in = |picture: &Coded| picture.at <= 0 || picture.at < plan.span_ms * REEL_PER_MS;
        let mut reel = reel.take_while(is_in).peekable();
        while let Some(picture) = reel.next() {
            let t_ms = picture.at / REEL_PER_MS;
            tell(t_ms);
            mix.until(t_ms)?;
            let end = plan.span_ms * REEL_PER_MS;
            let until = reel.peek().map_or(end, |next| next.at);
            let shown = mix.movie.picture(&picture, until);
            shown.map_err(FinishError::Media)?;
        }
        mix.until(plan.span_ms)?;
        mix.finish()?;
        let path = self.folder.join(MOVIE);
        keep(&part, &path)?;
        // A reel is made anew from the same files, should anybody want one.
        let _ = std::fs::remove_file(reel::path(&self.folder));
        Ok(path)
    }

    fn time_of(&self, tick: i64) -> i64 {
        tick * 1000 / i64::from(self.options.frame_rate.max(1))
    }

    fn settled_ms(&self) -> i64 {
        self.plan.span_ms - SETTLES_MS
    }

    /// The next moment: heard first, for the picture shows who is heard in it.
    fn tick(&mut self, span_ms: i64) -> Result<(), FinishError> {
        let t_ms = self.time_of(self.next_tick);
        self.next_tick += 1;
        self.ears.advance(t_ms);
        if t_ms > 0 && t_ms >= span_ms {
            return Ok(());
        }
        let is_kept = self.kept.is_some_and(|kept| t_ms * REEL_PER_MS <= kept);
        self.pictures.look_at(!is_kept);
        let change = self.pictures.change_at(&self.plan, t_ms);
        let change = change.map_err(FinishError::Media)?;
        if change.is_none() && t_ms - self.shown_ms < REPEAT_MS {
            return Ok(());
        }
        self.shown_ms = t_ms;
        if is_kept {
            return Ok(());
        }
        let key = change == Some(true) || t_ms - self.key_ms >= KEYFRAME_MS;
        if key {
            self.key_ms = t_ms;
        }
        let coded = self.encoder.encode(t_ms, self.pictures.frame(), key);
        let coded = coded.map_err(FinishError::Media)?;
        self.reel.add(&coded).map_err(file("write", &self.folder))
    }
}

/// Sound on its way into a file.
pub(super) struct Mix {
    movie: Movie,
    mixer: Mixer,
    /// Samples that were mixed.
    done: i64,
}

impl Mix {
    pub(super) fn new(movie: Movie, mixer: Mixer) -> Self {
        Self {
            movie,
            mixer,
            done: 0,
        }
    }

    pub(super) fn until(&mut self, t_ms: i64) -> Result<(), FinishError> {
        let due = t_ms * i64::from(RATE / 1000);
        let block = usize::try_from(due - self.done).unwrap_or(0);
        let block = self.mixer.next_block(block);
        self.done = self.done.max(due);
        self.movie.sound(&block).map_err(FinishError::Media)
    }

    pub(super) fn finish(mut self) -> Result<(), FinishError> {
        let rest = self.mixer.finish();
        self.movie.sound(&rest).map_err(FinishError::Media)?;
        self.movie.finish().map_err(FinishError::Media)
    }
}

/// What a reel is made with.
fn make(options: &MovieOptions, encoder: &PictureEncoder) -> Vec<u8> {
    let mut make = serde_json::to_vec(options).unwrap_or_default();
    make.extend_from_slice(encoder.head());
    make
}

fn file(operation: &'static str, folder: &Path) -> impl FnOnce(std::io::Error) -> FinishError {
    let path = reel::path(folder);
    move |source| FinishError::File {
        operation,
        path,
        source,
    }
}
