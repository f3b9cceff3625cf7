//! FFmpeg behind a small door: decode Opus and VP8, scale pictures, write MP4 and Matroska.
//!
//! In: packets, samples, luma planes. Out: samples, pictures, files.
//! Not here: what is in the pictures and when (`finish`). The only file that names FFmpeg.
//! Samples are pairs of f32 at 48 kHz everywhere; pictures are planar YUV 4:2:0.

use std::path::Path;

use ffmpeg_next as ff;
use ff::codec::packet::Flags as PacketFlags;
use ff::format::sample::Type as SampleType;
use ff::format::{Pixel, Sample};
use ff::software::scaling;
use ff::util::frame::{Audio, Video};
use ff::{ChannelLayout, Dictionary, Packet, Rational, codec, encoder, format};

/// Samples per second of everything.
pub const RATE: u32 = 48_000;
/// Clock of pictures.
const PICTURE_CLOCK: i32 = 90_000;

/// FFmpeg refused something.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    #[error("FFmpeg has no {what} `{name}`: install a build that has it")]
    Missing { what: &'static str, name: &'static str },
    #[error("{operation}")]
    Refused {
        operation: &'static str,
        #[source]
        source: ff::Error,
    },
}

fn refused(operation: &'static str) -> impl FnOnce(ff::Error) -> MediaError {
    move |source| MediaError::Refused { operation, source }
}

/// Prepares FFmpeg and silences its own log lines. Harmless when repeated.
pub fn init() {
    // Since FFmpeg 4 there is nothing that can fail here.
    let _ = ff::init();
    ff::log::set_level(ff::log::Level::Fatal);
}

/// One sample of both sides.
pub type Stereo = (f32, f32);

/// Decodes the Opus packets of one track.
pub struct OpusDecoder {
    decoder: codec::decoder::Audio,
}

impl std::fmt::Debug for OpusDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpusDecoder")
    }
}

impl OpusDecoder {
    /// Makes a decoder.
    ///
    /// # Errors
    /// When FFmpeg has no Opus.
    pub fn new() -> Result<Self, MediaError> {
        let codec = codec::decoder::find_by_name("libopus")
            .or_else(|| codec::decoder::find(codec::Id::OPUS))
            .ok_or(MediaError::Missing { what: "decoder", name: "opus" })?;
        let decoder = codec::Context::new_with_codec(codec)
            .decoder()
            .open()
            .and_then(codec::decoder::Opened::audio)
            .map_err(refused("open the Opus decoder"))?;
        Ok(Self { decoder })
    }

    /// Decodes one packet; a damaged one gives no samples.
    pub fn decode(&mut self, packet: &[u8]) -> Vec<Stereo> {
        let mut out = Vec::new();
        if packet.is_empty() || self.decoder.send_packet(&Packet::copy(packet)).is_err() {
            return out;
        }
        let mut frame = Audio::empty();
        while self.decoder.receive_frame(&mut frame).is_ok() {
            append_samples(&frame, &mut out);
        }
        out
    }
}

fn append_samples(frame: &Audio, out: &mut Vec<Stereo>) {
    match (frame.format(), frame.channels()) {
        (Sample::F32(SampleType::Planar), 2) => {
            let (left, right) = (frame.plane::<f32>(0), frame.plane::<f32>(1));
            out.extend(left.iter().copied().zip(right.iter().copied()));
        }
        (Sample::F32(SampleType::Packed), 2) => out.extend(frame.plane::<(f32, f32)>(0)),
        (Sample::I16(SampleType::Packed), 2) => {
            let scale = |sample: i16| f32::from(sample) / 32_768.0;
            let pairs = frame.plane::<(i16, i16)>(0).iter();
            out.extend(pairs.map(|&(left, right)| (scale(left), scale(right))));
        }
        (Sample::F32(_), 1) => out.extend(frame.plane::<f32>(0).iter().map(|&s| (s, s))),
        (Sample::I16(_), 1) => out.extend(frame.plane::<i16>(0).iter().map(|&s| {
            let scaled = f32::from(s) / 32_768.0;
            (scaled, scaled)
        })),
        (other, channels) => {
            tracing::warn!(?other, channels, "the Opus decoder gave samples of unknown shape");
        }
    }
}

/// A decoded or composed picture.
#[derive(Clone)]
pub struct Frame(Video);

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({}x{})", self.0.width(), self.0.height())
    }
}

impl Frame {
    /// A grey picture from its luma, `width * height` bytes, 16 black to 235 white.
    #[must_use]
    pub fn from_luma(luma: &[u8], width: u32, height: u32) -> Self {
        let mut frame = Video::new(Pixel::YUV420P, width, height);
        let stride = frame.stride(0);
        let row_len = usize::try_from(width).unwrap_or(1).max(1);
        let rows = frame.data_mut(0).chunks_mut(stride.max(1));
        for (row, source) in rows.zip(luma.chunks(row_len)) {
            if let Some(row) = row.get_mut(..source.len()) {
                row.copy_from_slice(source);
            }
        }
        frame.data_mut(1).fill(128);
        frame.data_mut(2).fill(128);
        Self(frame)
    }

    /// Pixels.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        (self.0.width(), self.0.height())
    }
}

/// Decodes the VP8 pictures of one track.
pub struct Vp8Decoder {
    decoder: codec::decoder::Video,
}

impl std::fmt::Debug for Vp8Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vp8Decoder")
    }
}

impl Vp8Decoder {
    /// Makes a decoder.
    ///
    /// # Errors
    /// When FFmpeg has no VP8.
    pub fn new() -> Result<Self, MediaError> {
        let codec = codec::decoder::find(codec::Id::VP8)
            .ok_or(MediaError::Missing { what: "decoder", name: "vp8" })?;
        let mut context = codec::Context::new_with_codec(codec);
        // Frame threads would hold pictures back; one thread gives each at once.
        context.set_threading(codec::threading::Config::count(1));
        let decoder = context
            .decoder()
            .open()
            .and_then(codec::decoder::Opened::video)
            .map_err(refused("open the VP8 decoder"))?;
        Ok(Self { decoder })
    }

    /// Decodes one picture; a damaged one gives nothing.
    pub fn decode(&mut self, picture: &[u8]) -> Option<Frame> {
        self.decoder.send_packet(&Packet::copy(picture)).ok()?;
        let mut newest = None;
        let mut frame = Video::empty();
        while self.decoder.receive_frame(&mut frame).is_ok() {
            newest = Some(Frame(std::mem::replace(&mut frame, Video::empty())));
        }
        newest
    }
}

/// Fits pictures of any size into one size, black bars around.
pub struct Fitter {
    width: u32,
    height: u32,
    scaler: Option<(Vec<u32>, scaling::Context)>,
}

impl std::fmt::Debug for Fitter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fitter({}x{})", self.width, self.height)
    }
}

impl Fitter {
    /// Fits into `width` times `height`, both even.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        Self { width, height, scaler: None }
    }

    /// Fits one picture.
    ///
    /// # Errors
    /// When FFmpeg cannot scale it.
    pub fn fit(&mut self, frame: &Frame) -> Result<Frame, MediaError> {
        let source = &frame.0;
        let (width, height) =
            fit_size((source.width(), source.height()), (self.width, self.height));
        let shape = vec![source.width(), source.height(), width, height];
        if self.scaler.as_ref().is_none_or(|(known, _)| *known != shape) {
            let context = scaling::Context::get(
                source.format(),
                source.width(),
                source.height(),
                Pixel::YUV420P,
                width,
                height,
                scaling::Flags::BILINEAR,
            )
            .map_err(refused("prepare the scaler"))?;
            self.scaler = Some((shape, context));
        }
        let mut scaled = Video::empty();
        if let Some((_, scaler)) = self.scaler.as_mut() {
            scaler.run(source, &mut scaled).map_err(refused("scale a picture"))?;
        }
        let mut canvas = Frame::from_luma(&[], self.width, self.height).0;
        canvas.data_mut(0).fill(16);
        let (left, top) = ((self.width - width) / 2 & !1, (self.height - height) / 2 & !1);
        for plane in 0..3 {
            let half = u32::from(plane > 0);
            let place = ((left >> half), (top >> half));
            copy_plane(&scaled, &mut canvas, plane, place, (width >> half, height >> half));
        }
        Ok(Frame(canvas))
    }
}

/// The largest even size of the same shape that fits.
fn fit_size(source: (u32, u32), target: (u32, u32)) -> (u32, u32) {
    let (sw, sh) = (u64::from(source.0.max(1)), u64::from(source.1.max(1)));
    let (tw, th) = (u64::from(target.0), u64::from(target.1));
    let (width, height) =
        if sw * th >= sh * tw { (tw, sh * tw / sw) } else { (sw * th / sh, th) };
    let even = |n: u64| u32::try_from(n.max(2) & !1).unwrap_or(2);
    (even(width), even(height))
}

fn copy_plane(
    from: &Video,
    to: &mut Video,
    plane: usize,
    (left, top): (u32, u32),
    (width, height): (u32, u32),
) {
    let index = |n: u32| usize::try_from(n).unwrap_or(0);
    let (from_stride, to_stride) = (from.stride(plane).max(1), to.stride(plane).max(1));
    let rows = from.data(plane).chunks(from_stride).take(index(height));
    let places = to.data_mut(plane).chunks_mut(to_stride).skip(index(top));
    for (row, place) in rows.zip(places) {
        let place = place.get_mut(index(left)..index(left + width));
        if let (Some(row), Some(place)) = (row.get(..index(width)), place) {
            place.copy_from_slice(row);
        }
    }
}

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
            let mut stream =
                output.add_stream(encoder::find(codec)).map_err(refused("add a stream"))?;
            stream.set_parameters(parameters);
        }
        let mut flags = Dictionary::new();
        flags.set("movflags", "faststart");
        flags.set("video_track_timescale", "90000");
        output.write_header_with(flags).map_err(refused("write the MP4 header"))?;
        let base = |index| {
            output.stream(index).map_or(Rational(1, PICTURE_CLOCK), |stream| stream.time_base())
        };
        let (video_base, audio_base) = (base(0), base(1));
        Ok(Self { output, video, audio, video_base, audio_base, pending: Vec::new(), samples: 0 })
    }

    /// Adds a picture shown from `at_ms` on. Times must rise.
    ///
    /// # Errors
    /// When it cannot be encoded or written.
    pub fn picture(&mut self, at_ms: i64, frame: &Frame, key: bool) -> Result<(), MediaError> {
        let mut frame = frame.0.clone();
        frame.set_pts(Some(at_ms * i64::from(PICTURE_CLOCK) / 1000));
        frame.set_kind(if key { ff::picture::Type::I } else { ff::picture::Type::None });
        self.video.send_frame(&frame).map_err(refused("encode a picture"))?;
        self.drain_video()
    }

    /// Adds sound.
    ///
    /// # Errors
    /// When it cannot be encoded or written.
    pub fn sound(&mut self, samples: &[Stereo]) -> Result<(), MediaError> {
        self.pending.extend_from_slice(samples);
        let size = usize::try_from(self.audio.frame_size()).unwrap_or(1024).max(1);
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
        self.output.write_trailer().map_err(refused("write the MP4 index"))
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
        self.audio.send_frame(&frame).map_err(refused("encode sound"))?;
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
            packet.write_interleaved(&mut self.output).map_err(refused("write sound"))?;
        }
        Ok(())
    }
}

fn open_h264(options: &MovieOptions) -> Result<encoder::video::Encoder, MediaError> {
    let codec = encoder::find_by_name("libx264")
        .ok_or(MediaError::Missing { what: "encoder", name: "libx264" })?;
    let mut context = codec::Context::new_with_codec(codec);
    context.set_flags(codec::Flags::GLOBAL_HEADER);
    let mut video =
        context.encoder().video().map_err(refused("prepare the H.264 encoder"))?;
    video.set_width(options.width);
    video.set_height(options.height);
    video.set_format(Pixel::YUV420P);
    video.set_time_base(Rational(1, PICTURE_CLOCK));
    let rate = i32::try_from(options.frame_rate).unwrap_or(20);
    video.set_frame_rate(Some(Rational(rate, 1)));
    video.set_gop(options.frame_rate.saturating_mul(10));
    // Without pictures that refer forwards every picture can be written as soon as it is made.
    video.set_max_b_frames(0);
    let bits = usize::try_from(options.video_kbps).unwrap_or(1500) * 1000;
    video.set_bit_rate(bits);
    video.set_max_bit_rate(bits * 2);
    let mut private = Dictionary::new();
    private.set("preset", options.preset);
    private.set("bufsize", &(bits * 4).to_string());
    private.set("forced-idr", "1");
    // Few look-ahead pictures: at one picture a second forty of them are forty seconds.
    private.set("rc-lookahead", "10");
    video.open_with(private).map_err(refused("open the H.264 encoder"))
}

fn open_aac(options: &MovieOptions) -> Result<encoder::audio::Encoder, MediaError> {
    let codec = encoder::find_by_name("aac")
        .ok_or(MediaError::Missing { what: "encoder", name: "aac" })?;
    let mut context = codec::Context::new_with_codec(codec);
    context.set_flags(codec::Flags::GLOBAL_HEADER);
    let mut audio = context.encoder().audio().map_err(refused("prepare the AAC encoder"))?;
    let rate = i32::try_from(RATE).unwrap_or(48_000);
    audio.set_rate(rate);
    audio.set_format(Sample::F32(SampleType::Planar));
    audio.set_channel_layout(ChannelLayout::STEREO);
    audio.set_bit_rate(usize::try_from(options.audio_kbps).unwrap_or(64) * 1000);
    audio.set_time_base(Rational(1, rate));
    audio.open_with(Dictionary::new()).map_err(refused("open the AAC encoder"))
}

/// Writes the Opus packets of one track as they are into a Matroska file.
pub struct OpusFile {
    output: format::context::Output,
    base: Rational,
}

impl std::fmt::Debug for OpusFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpusFile")
    }
}

impl OpusFile {
    /// Begins a file whose track is called `title`.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path, title: &str) -> Result<Self, MediaError> {
        let mut output =
            format::output_as(path, "matroska").map_err(refused("make the Opus file"))?;
        {
            let mut stream = output
                .add_stream(encoder::find(codec::Id::None))
                .map_err(refused("add a stream"))?;
            describe_opus(&mut stream)?;
            let mut tags = Dictionary::new();
            tags.set("title", &title.replace('\0', " "));
            stream.set_metadata(tags);
        }
        output.write_header().map_err(refused("write the Opus file's header"))?;
        let base = output.stream(0).map_or(Rational(1, 1000), |stream| stream.time_base());
        Ok(Self { output, base })
    }

    /// Adds a packet heard at `at_us`. Times must not fall; a gap stays a gap.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn packet(&mut self, at_us: i64, opus: &[u8]) -> Result<(), MediaError> {
        let mut packet = Packet::copy(opus);
        packet.set_stream(0);
        packet.set_pts(Some(at_us));
        packet.set_dts(Some(at_us));
        packet.set_flags(PacketFlags::KEY);
        packet.rescale_ts(Rational(1, 1_000_000), self.base);
        packet.write_interleaved(&mut self.output).map_err(refused("write an Opus packet"))
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<(), MediaError> {
        self.output.write_trailer().map_err(refused("end the Opus file"))
    }
}

/// The 19 bytes that describe an Opus stream of two channels. See RFC 7845 5.1.
fn opus_head() -> Vec<u8> {
    let mut head = b"OpusHead\x01\x02".to_vec();
    head.extend_from_slice(&312u16.to_le_bytes());
    head.extend_from_slice(&RATE.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    head
}

#[expect(unsafe_code, reason = "the safe API has no way to describe a stream that it did not encode")]
fn describe_opus(stream: &mut format::stream::StreamMut<'_>) -> Result<(), MediaError> {
    use ff::ffi;
    let head = opus_head();
    let padding = usize::try_from(ffi::AV_INPUT_BUFFER_PADDING_SIZE).unwrap_or(64);
    // SAFETY: the stream was made by `add_stream` and owns `codecpar`; `extradata` comes from
    // FFmpeg's allocator with the padding it asks for, is filled within its length, and is freed by
    // FFmpeg with the stream.
    unsafe {
        let parameters = (*stream.as_mut_ptr()).codecpar;
        let extra = ffi::av_mallocz(head.len() + padding).cast::<u8>();
        if extra.is_null() {
            let source = ff::Error::Other { errno: ff::error::ENOMEM };
            return Err(MediaError::Refused { operation: "describe an Opus stream", source });
        }
        std::ptr::copy_nonoverlapping(head.as_ptr(), extra, head.len());
        (*parameters).extradata = extra;
        (*parameters).extradata_size = i32::try_from(head.len()).unwrap_or(0);
        (*parameters).codec_type = ff::media::Type::Audio.into();
        (*parameters).codec_id = codec::Id::OPUS.into();
        (*parameters).sample_rate = i32::try_from(RATE).unwrap_or(48_000);
        (*parameters).frame_size = 960;
        ffi::av_channel_layout_default(&mut (*parameters).ch_layout, 2);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fit_keep_their_shape_and_are_even() {
        assert_eq!(fit_size((1920, 1080), (1280, 720)), (1280, 720));
        assert_eq!(fit_size((640, 480), (1280, 720)), (960, 720));
        assert_eq!(fit_size((3440, 1440), (1280, 720)), (1280, 534));
        assert_eq!(fit_size((1, 5000), (1280, 720)), (2, 720));
        assert_eq!(fit_size((0, 0), (1280, 720)), (720, 720));
    }

    #[test]
    fn a_fitted_picture_has_black_bars_and_its_content_in_the_middle() {
        init();
        let white = Frame::from_luma(&[235; 64 * 64], 64, 64);
        let fitted = Fitter::new(256, 128).fit(&white).unwrap();
        assert_eq!(fitted.size(), (256, 128));
        let stride = fitted.0.stride(0);
        let luma = |x: usize, y: usize| fitted.0.data(0)[y * stride + x];
        assert!(luma(128, 64) > 200 && luma(70, 5) > 200);
        assert_eq!((luma(5, 64), luma(250, 64)), (16, 16));
    }

    #[test]
    fn damaged_packets_are_no_reason_to_panic() {
        init();
        let mut opus = OpusDecoder::new().unwrap();
        let mut vp8 = Vp8Decoder::new().unwrap();
        for packet in [&[][..], &[0], &[0xff; 7], &[3, 0xff, 0xff], &[0x9d, 1, 0x2a, 0, 0]] {
            let _ = opus.decode(packet);
            assert!(vp8.decode(packet).is_none());
        }
    }
}
