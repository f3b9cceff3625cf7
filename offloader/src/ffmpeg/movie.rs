//! MP4 files: H.264 pictures at varying distances, AAC sound, the index in front.
//!
//! In: pictures with their times, samples. Out: a file that plays everywhere.
//! Not here: which picture when (`finish`).

use std::path::Path;

use super::{Frame, MediaError, PICTURE_CLOCK, refused};
use crate::opus::{RATE, Stereo};
use ff::format::sample::Type as SampleType;
use ff::format::{Pixel, Sample};
use ff::util::frame::Audio;
use ff::{ChannelLayout, Dictionary, Packet, Rational, codec, encoder, format};
use ffmpeg_next as ff;

/// How a movie is made.
#[derive(Debug, Clone, Copy)]
pub struct MovieOptions {
    pub width: u32,
    pub height: u32,
    /// Most pictures per second.
    pub frame_rate: u32,
    pub video_kbps: u32,
    pub audio_kbps: u32,
    /// x264's word.
    pub preset: &'static str,
}

/// Writes an MP4: H.264 pictures of varying distance, AAC sound, index in front.
pub struct Movie {
    output: format::context::Output,
    video: encoder::video::Encoder,
    audio: encoder::audio::Encoder,
    video_base: Rational,
    audio_base: Rational,
    pending: Vec<Stereo>,
    samples: i64,
}

impl std::fmt::Debug for Movie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Movie({} samples)", self.samples)
    }
}

impl Movie {
    /// Begins a file.
    ///
    /// # Errors
    /// When an encoder is missing or refuses the options, or the file cannot be made.
    pub fn create(path: &Path, options: &MovieOptions) -> Result<Self, MediaError> {
        let mut output = format::output_as(path, "mp4").map_err(refused("make the MP4 file"))?;
        let video = open_h264(options)?;
        let audio = open_aac(options)?;
        for (codec, parameters) in [
            (codec::Id::H264, codec::Parameters::from(&video)),
            (codec::Id::AAC, codec::Parameters::from(&audio)),
        ] {
            let mut stream = output
                .add_stream(encoder::find(codec))
                .map_err(refused("add a stream"))?;
            stream.set_parameters(parameters);
        }
        let mut flags = Dictionary::new();
        flags.set("movflags", "faststart");
        flags.set("video_track_timescale", "90000");
        output
            .write_header_with(flags)
            .map_err(refused("write the MP4 header"))?;
        let base = |index| {
            output
                .stream(index)
                .map_or(Rational(1, PICTURE_CLOCK), |stream| stream.time_base())
        };
        let (video_base, audio_base) = (base(0), base(1));
        Ok(Self {
            output,
            video,
            audio,
            video_base,
            audio_base,
            pending: Vec::new(),
            samples: 0,
        })
    }

    /// Adds a picture shown from `at_ms` on. Times must rise.
    ///
    /// # Errors
    /// When it cannot be encoded or written.
    pub fn picture(&mut self, at_ms: i64, frame: &Frame, key: bool) -> Result<(), MediaError> {
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
        self.drain_video()
    }

    /// Adds sound.
    ///
    /// # Errors
    /// When it cannot be encoded or written.
    pub fn sound(&mut self, samples: &[Stereo]) -> Result<(), MediaError> {
        self.pending.extend_from_slice(samples);
        let size = usize::try_from(self.audio.frame_size())
            .unwrap_or(1024)
            .max(1);
        while self.pending.len() >= size {
            let rest = self.pending.split_off(size);
            let piece = std::mem::replace(&mut self.pending, rest);
            self.encode_sound(&piece)?;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<(), MediaError> {
        let piece = std::mem::take(&mut self.pending);
        if !piece.is_empty() {
            self.encode_sound(&piece)?;
        }
        self.video.send_eof().map_err(refused("end the pictures"))?;
        self.drain_video()?;
        self.audio.send_eof().map_err(refused("end the sound"))?;
        self.drain_audio()?;
        self.output
            .write_trailer()
            .map_err(refused("write the MP4 index"))
    }

    fn encode_sound(&mut self, piece: &[Stereo]) -> Result<(), MediaError> {
        let format = Sample::F32(SampleType::Planar);
        let mut frame = Audio::new(format, piece.len(), ChannelLayout::STEREO);
        frame.set_rate(RATE);
        frame.set_pts(Some(self.samples));
        for (place, sample) in frame.plane_mut::<f32>(0).iter_mut().zip(piece) {
            *place = sample.0;
        }
        for (place, sample) in frame.plane_mut::<f32>(1).iter_mut().zip(piece) {
            *place = sample.1;
        }
        self.samples += i64::try_from(piece.len()).unwrap_or(0);
        self.audio
            .send_frame(&frame)
            .map_err(refused("encode sound"))?;
        self.drain_audio()
    }

    fn drain_video(&mut self) -> Result<(), MediaError> {
        let mut packet = Packet::empty();
        while self.video.receive_packet(&mut packet).is_ok() {
            packet.set_stream(0);
            packet.rescale_ts(Rational(1, PICTURE_CLOCK), self.video_base);
            let written = packet.write_interleaved(&mut self.output);
            written.map_err(refused("write a picture"))?;
        }
        Ok(())
    }

    fn drain_audio(&mut self) -> Result<(), MediaError> {
        let mut packet = Packet::empty();
        let rate = i32::try_from(RATE).unwrap_or(48_000);
        while self.audio.receive_packet(&mut packet).is_ok() {
            packet.set_stream(1);
            packet.rescale_ts(Rational(1, rate), self.audio_base);
            packet
                .write_interleaved(&mut self.output)
                .map_err(refused("write sound"))?;
        }
        Ok(())
    }
}

fn open_h264(options: &MovieOptions) -> Result<encoder::video::Encoder, MediaError> {
    let codec = encoder::find_by_name("libx264").ok_or(MediaError::Missing {
        what: "encoder",
        name: "libx264",
    })?;
    let mut context = codec::Context::new_with_codec(codec);
    context.set_flags(codec::Flags::GLOBAL_HEADER);
    let mut video = context
        .encoder()
        .video()
        .map_err(refused("prepare the H.264 encoder"))?;
    video.set_width(options.width);
    video.set_height(options.height);
    video.set_format(Pixel::YUV420P);
    // Said, because players guess by the height, and guess wrong for ours from 720 rows on.
    video.set_colorspace(ff::color::Space::SMPTE170M);
    video.set_color_range(ff::color::Range::MPEG);
    video.set_time_base(Rational(1, PICTURE_CLOCK));
    let rate = i32::try_from(options.frame_rate).unwrap_or(20);
    video.set_frame_rate(Some(Rational(rate, 1)));
    video.set_gop(options.frame_rate.saturating_mul(10));
    // Without pictures that refer forwards every picture can be written as soon as it is made.
    video.set_max_b_frames(0);
    // The same quality throughout: slides that stand still cost next to nothing, and what moves no
    // more than the preset's rate.
    let bits = usize::try_from(options.video_kbps).unwrap_or(1500) * 1000;
    video.set_bit_rate(0);
    video.set_max_bit_rate(bits);
    let mut private = Dictionary::new();
    private.set("crf", "25");
    private.set("preset", options.preset);
    private.set("bufsize", &(bits * 2).to_string());
    private.set("forced-idr", "1");
    // Few look-ahead pictures: at one picture a second forty of them are forty seconds.
    private.set("rc-lookahead", "10");
    video
        .open_with(private)
        .map_err(refused("open the H.264 encoder"))
}

fn open_aac(options: &MovieOptions) -> Result<encoder::audio::Encoder, MediaError> {
    let codec = encoder::find_by_name("aac").ok_or(MediaError::Missing {
        what: "encoder",
        name: "aac",
    })?;
    let mut context = codec::Context::new_with_codec(codec);
    context.set_flags(codec::Flags::GLOBAL_HEADER);
    let mut audio = context
        .encoder()
        .audio()
        .map_err(refused("prepare the AAC encoder"))?;
    let rate = i32::try_from(RATE).unwrap_or(48_000);
    audio.set_rate(rate);
    audio.set_format(Sample::F32(SampleType::Planar));
    audio.set_channel_layout(ChannelLayout::STEREO);
    audio.set_bit_rate(usize::try_from(options.audio_kbps).unwrap_or(64) * 1000);
    audio.set_time_base(Rational(1, rate));
    audio
        .open_with(Dictionary::new())
        .map_err(refused("open the AAC encoder"))
}
