//! Finished files for people: encoded pictures beside a mix that is encoded here, or the mix alone.
//!
//! In: encoded pictures, samples. Out: MP4 (AAC, index in front) or Ogg (Opus), which play everywhere.
//! Not here: encoding pictures (`encode`), what is in them (`finish`).

use std::path::Path;

use super::encode::{Coded, PictureEncoder};
use super::{MediaError, PICTURE_CLOCK, refused};
use crate::opus::{RATE, Stereo};
use ff::format::Sample;
use ff::format::sample::Type as SampleType;
use ff::util::frame::Audio;
use ff::{ChannelLayout, Dictionary, Packet, Rational, codec, encoder, format};
use ffmpeg_next as ff;

/// What a mix becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoundKind {
    /// AAC in MP4.
    Aac,
    /// Opus in Ogg.
    Opus,
}

impl SoundKind {
    fn encoder(self) -> &'static str {
        match self {
            Self::Aac => "aac",
            Self::Opus => "libopus",
        }
    }

    fn id(self) -> codec::Id {
        match self {
            Self::Aac => codec::Id::AAC,
            Self::Opus => codec::Id::OPUS,
        }
    }

    fn container(self) -> &'static str {
        match self {
            Self::Aac => "mp4",
            Self::Opus => "ogg",
        }
    }

    fn layout(self) -> SampleType {
        match self {
            Self::Aac => SampleType::Planar,
            Self::Opus => SampleType::Packed,
        }
    }
}

/// Writes one file.
pub struct Movie {
    output: format::context::Output,
    kind: SoundKind,
    audio: encoder::audio::Encoder,
    /// Where the sound is among the streams; pictures, if any, come first.
    audio_index: usize,
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
    /// Begins a file, with pictures as `pictures` makes them.
    ///
    /// # Errors
    /// When an encoder is missing or refuses the options, or the file cannot be made.
    pub fn create(
        path: &Path,
        pictures: Option<&PictureEncoder>,
        kind: SoundKind,
        audio_kbps: u32,
    ) -> Result<Self, MediaError> {
        let mut output =
            format::output_as(path, kind.container()).map_err(refused("make the file"))?;
        let audio = open_sound(kind, audio_kbps)?;
        let pictures = pictures.map(|pictures| codec::Parameters::from(&pictures.video));
        let audio_index = usize::from(pictures.is_some());
        let streams = pictures.map(|parameters| (parameters.id(), parameters));
        let sound = (kind.id(), codec::Parameters::from(&audio));
        for (codec, parameters) in streams.into_iter().chain([sound]) {
            let mut stream = output
                .add_stream(encoder::find(codec))
                .map_err(refused("add a stream"))?;
            stream.set_parameters(parameters);
        }
        let mut flags = Dictionary::new();
        if kind == SoundKind::Aac {
            flags.set("movflags", "faststart");
            flags.set("video_track_timescale", "90000");
        }
        output
            .write_header_with(flags)
            .map_err(refused("write the header"))?;
        let base = |index| {
            output
                .stream(index)
                .map_or(Rational(1, PICTURE_CLOCK), |stream| stream.time_base())
        };
        let (video_base, audio_base) = (base(0), base(audio_index));
        Ok(Self {
            output,
            kind,
            audio,
            audio_index,
            video_base,
            audio_base,
            pending: Vec::new(),
            samples: 0,
        })
    }

    /// Adds an encoded picture that is shown until `until`, in 1/90000 s. Times must rise.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn picture(&mut self, coded: &Coded, until: i64) -> Result<(), MediaError> {
        let mut packet = Packet::copy(&coded.bytes);
        packet.set_stream(0);
        packet.set_pts(Some(coded.at));
        packet.set_dts(Some(coded.at));
        // Without it the last picture of a file lasts no time at all, and players leave it out.
        packet.set_duration((until - coded.at).max(0));
        if coded.key {
            packet.set_flags(codec::packet::Flags::KEY);
        }
        packet.rescale_ts(Rational(1, PICTURE_CLOCK), self.video_base);
        let written = packet.write_interleaved(&mut self.output);
        written.map_err(refused("write a picture"))
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
        self.audio.send_eof().map_err(refused("end the sound"))?;
        self.drain_audio()?;
        self.output
            .write_trailer()
            .map_err(refused("write the index"))
    }

    fn encode_sound(&mut self, piece: &[Stereo]) -> Result<(), MediaError> {
        let layout = self.kind.layout();
        let mut frame = Audio::new(Sample::F32(layout), piece.len(), ChannelLayout::STEREO);
        frame.set_rate(RATE);
        frame.set_pts(Some(self.samples));
        match layout {
            SampleType::Planar => {
                for (place, sample) in frame.plane_mut::<f32>(0).iter_mut().zip(piece) {
                    *place = sample.0;
                }
                for (place, sample) in frame.plane_mut::<f32>(1).iter_mut().zip(piece) {
                    *place = sample.1;
                }
            }
            SampleType::Packed => frame.plane_mut::<Stereo>(0).copy_from_slice(piece),
        }
        self.samples += i64::try_from(piece.len()).unwrap_or(0);
        self.audio
            .send_frame(&frame)
            .map_err(refused("encode sound"))?;
        self.drain_audio()
    }

    fn drain_audio(&mut self) -> Result<(), MediaError> {
        let mut packet = Packet::empty();
        let rate = i32::try_from(RATE).unwrap_or(48_000);
        while self.audio.receive_packet(&mut packet).is_ok() {
            packet.set_stream(self.audio_index);
            packet.rescale_ts(Rational(1, rate), self.audio_base);
            packet
                .write_interleaved(&mut self.output)
                .map_err(refused("write sound"))?;
        }
        Ok(())
    }
}

fn open_sound(kind: SoundKind, kbps: u32) -> Result<encoder::audio::Encoder, MediaError> {
    let name = kind.encoder();
    let codec = encoder::find_by_name(name).ok_or(MediaError::Missing {
        what: "encoder",
        name,
    })?;
    let mut context = codec::Context::new_with_codec(codec);
    context.set_flags(codec::Flags::GLOBAL_HEADER);
    let mut audio = context
        .encoder()
        .audio()
        .map_err(refused("prepare the encoder of sound"))?;
    let rate = i32::try_from(RATE).unwrap_or(48_000);
    audio.set_rate(rate);
    audio.set_format(Sample::F32(kind.layout()));
    audio.set_channel_layout(ChannelLayout::STEREO);
    audio.set_bit_rate(usize::try_from(kbps).unwrap_or(64) * 1000);
    audio.set_time_base(Rational(1, rate));
    audio
        .open_with(Dictionary::new())
        .map_err(refused("open the encoder of sound"))
}
