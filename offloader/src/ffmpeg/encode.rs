//! Pictures to H.264 or VP9, at varying distances.
//!
//! In: pictures with their times. Out: packets, in order, each shown until the next.
//! Not here: which picture when (`finish`), files (`movie`).
//! Invariant: no picture refers to a later one, so that what came out stays right whatever follows;
//! two encoders of the same options begin their streams with the same bytes.

use super::{Frame, MediaError, PICTURE_CLOCK, refused};
use ff::format::Pixel;
use ff::{Dictionary, Packet, Rational, codec, encoder};
use ffmpeg_next as ff;
use serde::{Deserialize, Serialize};

/// What makes pictures smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// H.264 by libx264, which is under the GPL. Plays everywhere.
    #[default]
    H264,
    /// VP9 by libvpx, which is under a BSD licence.
    Vp9,
}

impl Engine {
    /// FFmpeg's name of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::H264 => "libx264",
            Self::Vp9 => "libvpx-vp9",
        }
    }

    /// The engine that is wanted, else the first that the FFmpeg of this machine has.
    ///
    /// # Errors
    /// When it has none, or not the one that is wanted.
    pub fn choose(wanted: Option<Self>) -> Result<Self, MediaError> {
        super::init();
        let is_there = |engine: &Self| encoder::find_by_name(engine.name()).is_some();
        let missing = MediaError::Missing {
            what: "encoder",
            name: wanted.unwrap_or_default().name(),
        };
        match wanted {
            Some(engine) => Some(engine).filter(is_there),
            None => [Self::H264, Self::Vp9].into_iter().find(is_there),
        }
        .ok_or(missing)
    }
}

/// How a film is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovieOptions {
    pub width: u32,
    pub height: u32,
    /// Most pictures per second.
    pub frame_rate: u32,
    pub video_kbps: u32,
    pub audio_kbps: u32,
    /// x264's word.
    pub preset: String,
    pub engine: Engine,
}

/// An encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coded {
    /// When it is shown, in 1/90000 s.
    pub at: i64,
    /// It can be shown without any picture before it.
    pub key: bool,
    pub bytes: Vec<u8>,
}

/// Encodes the pictures of one film.
pub struct PictureEncoder {
    pub(super) video: encoder::video::Encoder,
    head: Vec<u8>,
}

impl std::fmt::Debug for PictureEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PictureEncoder({} bytes of head)", self.head.len())
    }
}

impl PictureEncoder {
    /// Opens an encoder with so many threads.
    ///
    /// # Errors
    /// When FFmpeg does not have it or it refuses the options.
    pub fn open(options: &MovieOptions, threads: usize) -> Result<Self, MediaError> {
        let name = options.engine.name();
        let codec = encoder::find_by_name(name).ok_or(MediaError::Missing {
            what: "encoder",
            name,
        })?;
        let mut context = codec::Context::new_with_codec(codec);
        context.set_flags(codec::Flags::GLOBAL_HEADER);
        context.set_threading(codec::threading::Config::count(threads));
        let mut video = context
            .encoder()
            .video()
            .map_err(refused("prepare the encoder of pictures"))?;
        video.set_width(options.width);
        video.set_height(options.height);
        video.set_format(Pixel::YUV420P);
        // Said, because players guess by the height, and guess wrong for ours from 720 rows on.
        video.set_colorspace(ff::color::Space::SMPTE170M);
        video.set_color_range(ff::color::Range::MPEG);
        video.set_time_base(Rational(1, PICTURE_CLOCK));
        let rate = i32::try_from(options.frame_rate).unwrap_or(20);
        video.set_frame_rate(Some(Rational(rate, 1)));
        // Keyframes are asked for; this is for whoever forgets to.
        video.set_gop(options.frame_rate.saturating_mul(10));
        video.set_max_b_frames(0);
        let private = match options.engine {
            Engine::H264 => tune_x264(&mut video, options),
            Engine::Vp9 => tune_vp9(&mut video, options),
        };
        let video = video
            .open_with(private)
            .map_err(refused("open the encoder of pictures"))?;
        let head = head(&video);
        Ok(Self { video, head })
    }

    /// What a player must know before the first picture.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Takes a picture shown from `at_ms` on; gives what is ready. Times must rise.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn encode(
        &mut self,
        at_ms: i64,
        frame: &Frame,
        key: bool,
    ) -> Result<Vec<Coded>, MediaError> {
        let mut frame = frame.0.clone();
        frame.set_pts(Some(at_ms * i64::from(PICTURE_CLOCK) / 1000));
        frame.set_kind(if key {
            ff::picture::Type::I
        } else {
            ff::picture::Type::None
        });
        self.video
            .send_frame(&frame)
            .map_err(refused("encode a picture"))?;
        Ok(self.drain())
    }

    /// Gives what it still holds. Nothing can be encoded afterwards.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn finish(&mut self) -> Result<Vec<Coded>, MediaError> {
        self.video.send_eof().map_err(refused("end the pictures"))?;
        Ok(self.drain())
    }

    fn drain(&mut self) -> Vec<Coded> {
        let mut coded = Vec::new();
        let mut packet = Packet::empty();
        while self.video.receive_packet(&mut packet).is_ok() {
            coded.push(Coded {
                at: packet.pts().unwrap_or(0),
                key: packet.is_key(),
                bytes: packet.data().unwrap_or_default().to_vec(),
            });
        }
        coded
    }
}

fn bits(options: &MovieOptions) -> usize {
    usize::try_from(options.video_kbps).unwrap_or(1500) * 1000
}

/// The same quality throughout: slides that stand still cost next to nothing, and what moves no more
/// than the preset's rate.
fn tune_x264(video: &mut encoder::video::Video, options: &MovieOptions) -> Dictionary<'static> {
    video.set_bit_rate(0);
    video.set_max_bit_rate(bits(options));
    let mut private = Dictionary::new();
    private.set("crf", "25");
    private.set("preset", &options.preset);
    private.set("bufsize", &(bits(options) * 2).to_string());
    private.set("forced-idr", "1");
    // One look-ahead picture: each further one takes 4.5 MB of memory at 720 rows for as long as the call
    // lasts, and holds the film back by a second where one picture a second is made; on slides and on
    // letters that move, ten of them made films no smaller.
    private.set("rc-lookahead", "1");
    private
}

fn tune_vp9(video: &mut encoder::video::Video, options: &MovieOptions) -> Dictionary<'static> {
    video.set_bit_rate(bits(options));
    let mut private = Dictionary::new();
    private.set("crf", "36");
    private.set("deadline", "realtime");
    // As `veryfast` and faster of x264; slower ones cost more than they give here.
    private.set("cpu-used", "8");
    private.set("row-mt", "1");
    private.set("lag-in-frames", "0");
    private.set("auto-alt-ref", "0");
    private.set("tune-content", "screen");
    private
}

#[expect(
    unsafe_code,
    reason = "the safe API does not show what an encoder says in front"
)]
fn head(video: &encoder::video::Encoder) -> Vec<u8> {
    // SAFETY: the context is open and ours; `extradata` is null or holds `extradata_size` bytes, and
    // is not changed while it is read.
    unsafe {
        let context = video.as_ptr();
        let length = usize::try_from((*context).extradata_size).unwrap_or(0);
        if (*context).extradata.is_null() {
            return Vec::new();
        }
        std::slice::from_raw_parts((*context).extradata, length).to_vec()
    }
}
