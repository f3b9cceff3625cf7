//! Tones as Opus packets, and what is heard in a finished file.

use std::f32::consts::TAU;
use std::path::Path;

use ff::format::Sample;
use ff::format::sample::Type;
use ff::util::frame::Audio;
use ff::{ChannelLayout, Packet, codec, encoder, media};
use ffmpeg_next as ff;

/// A tone that is heard throughout has at least this amplitude in a finished film: its loudness is
/// -23 LUFS there, which for a tone on both sides is about 0.071.
pub(crate) const HEARD: f32 = 0.055;

/// `count` packets of 20 ms of a tone.
pub(crate) fn tone_packets(hertz: f32, count: usize) -> Vec<Vec<u8>> {
    beep_packets(hertz, count, |_| true)
}

/// `count` packets of 20 ms of a tone that sounds in some of them.
pub(crate) fn beep_packets(
    hertz: f32,
    count: usize,
    sounds: impl Fn(usize) -> bool,
) -> Vec<Vec<u8>> {
    let tone = |at: u32| 0.3 * (TAU * hertz * (at % 48_000) as f32 / 48_000.0).sin();
    let sample = |at: u32| {
        if sounds(at as usize / 960) {
            tone(at)
        } else {
            0.0
        }
    };
    packets_of(sample, count)
}

/// A fixture of speech (`tests/fixtures/speech.sh`), as packets of 20 ms.
pub(crate) fn speech_packets(name: &str, seconds: usize) -> Vec<Vec<u8>> {
    // The bench that uses this lies one folder deeper than the tests.
    let homes = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1);
    let file = format!("target/fixtures/speech/{name}.s16");
    let path = homes
        .map(|home| home.join(&file))
        .find(|path| path.is_file());
    let path = path.unwrap_or(file.into());
    let bytes = std::fs::read(&path).unwrap_or_else(|_| {
        panic!(
            "`{}` is missing: run `tests/fixtures/speech.sh`",
            path.display()
        )
    });
    let (pairs, _) = bytes.as_chunks::<2>();
    let sample = |at: u32| {
        let pair = pairs.get(at as usize / 3).copied().unwrap_or_default();
        f32::from(i16::from_le_bytes(pair)) / 32768.0
    };
    packets_of(sample, seconds * 50)
}

fn packets_of(sample_at: impl Fn(u32) -> f32, count: usize) -> Vec<Vec<u8>> {
    ff::init().unwrap();
    let codec = encoder::find_by_name("libopus").unwrap();
    let mut audio = codec::Context::new_with_codec(codec)
        .encoder()
        .audio()
        .unwrap();
    audio.set_rate(48_000);
    audio.set_format(Sample::F32(Type::Packed));
    audio.set_channel_layout(ChannelLayout::MONO);
    audio.set_bit_rate(32_000);
    let mut audio = audio.open().unwrap();
    let mut packets = Vec::new();
    let mut sample = 0u32;
    while packets.len() < count {
        let mut frame = Audio::new(Sample::F32(Type::Packed), 960, ChannelLayout::MONO);
        frame.set_rate(48_000);
        frame.set_pts(Some(i64::from(sample)));
        for place in frame.plane_mut::<f32>(0) {
            *place = sample_at(sample);
            sample += 1;
        }
        audio.send_frame(&frame).unwrap();
        let mut packet = Packet::empty();
        while audio.receive_packet(&mut packet).is_ok() {
            packets.push(packet.data().unwrap().to_vec());
        }
    }
    packets.truncate(count);
    packets
}

/// `count` VP8 pictures of one colour (luma), the first a keyframe.
pub(crate) fn picture_packets(luma: u8, width: u32, height: u32, count: usize) -> Vec<Vec<u8>> {
    shaded_packets(|_| luma, width, height, count)
}

/// `count` VP8 pictures of one colour each, small enough for one packet; `luma` tells it by number.
pub(crate) fn shaded_packets(
    luma: impl Fn(usize) -> u8,
    width: u32,
    height: u32,
    count: usize,
) -> Vec<Vec<u8>> {
    vp8((width, height), count, |n, _, row| row.fill(luma(n)))
}

/// As `shaded_packets`, in AV1: the units of each picture, as an encoder gives them.
pub(crate) fn shaded_in_av1(
    luma: impl Fn(usize) -> u8,
    size: (u32, u32),
    count: usize,
) -> Vec<Vec<u8>> {
    let options = [
        ("usage", "realtime"),
        ("cpu-used", "8"),
        ("lag-in-frames", "0"),
    ];
    let draw = |n: usize, _: usize, row: &mut [u8]| row.fill(luma(n));
    pictures("libaom-av1", &options, size, count, draw)
}

/// Pictures on which everything moves: lines of letters that are scrolled.
pub(crate) fn moving_packets(width: u32, height: u32, count: u64) -> Vec<Vec<u8>> {
    let (wide, count) = (width as usize, count as usize);
    let ink = |x: usize, y: usize| y % 24 > 8 && (x * 7 + y / 24 * 13) % 17 > 8 && x % 11 > 2;
    // One roll of paper, shown piece by piece.
    let roll: Vec<u8> = (0..height as usize + count * 4)
        .flat_map(|y| (0..wide).map(move |x| if ink(x, y) { 30 } else { 220 }))
        .collect();
    vp8((width, height), count, |n, y, row| {
        let begin = (y + n * 4) * wide;
        row.copy_from_slice(&roll[begin..begin + wide]);
    })
}

fn vp8(size: (u32, u32), count: usize, draw: impl Fn(usize, usize, &mut [u8])) -> Vec<Vec<u8>> {
    let options = [
        ("deadline", "realtime"),
        ("cpu-used", "8"),
        ("lag-in-frames", "0"),
    ];
    pictures("libvpx", &options, size, count, draw)
}

fn pictures(
    encoder: &str,
    settings: &[(&str, &str)],
    (width, height): (u32, u32),
    count: usize,
    draw: impl Fn(usize, usize, &mut [u8]),
) -> Vec<Vec<u8>> {
    ff::init().unwrap();
    let codec = encoder::find_by_name(encoder).unwrap();
    let mut video = codec::Context::new_with_codec(codec)
        .encoder()
        .video()
        .unwrap();
    video.set_width(width);
    video.set_height(height);
    video.set_format(ff::format::Pixel::YUV420P);
    video.set_time_base(ff::Rational(1, 30));
    video.set_bit_rate(500_000);
    video.set_gop(1_000_000);
    let mut options = ff::Dictionary::new();
    for (name, value) in settings {
        options.set(name, value);
    }
    let mut video = video.open_with(options).unwrap();
    let mut pictures = Vec::new();
    for n in 0..count {
        let mut frame = ff::util::frame::Video::new(ff::format::Pixel::YUV420P, width, height);
        let stride = frame.stride(0);
        let rows = frame.data_mut(0).chunks_mut(stride).take(height as usize);
        for (y, row) in rows.enumerate() {
            draw(n, y, &mut row[..width as usize]);
        }
        frame.data_mut(1).fill(128);
        frame.data_mut(2).fill(128);
        frame.set_pts(Some(n as i64));
        video.send_frame(&frame).unwrap();
        let mut packet = Packet::empty();
        while video.receive_packet(&mut packet).is_ok() {
            pictures.push(packet.data().unwrap().to_vec());
        }
    }
    video.send_eof().unwrap();
    let mut packet = Packet::empty();
    while video.receive_packet(&mut packet).is_ok() {
        pictures.push(packet.data().unwrap().to_vec());
    }
    pictures
}

/// A finished file, opened up.
pub(crate) struct Probe {
    pub(crate) seconds: f64,
    pub(crate) video: Option<(codec::Id, u32, u32)>,
    pub(crate) audio: Option<codec::Id>,
    /// Left side at 48 kHz, silence where there are gaps.
    pub(crate) samples: Vec<f32>,
    /// Time in seconds and luma in the middle of every picture.
    pub(crate) pictures: Vec<(f64, u8)>,
}

pub(crate) fn probe(path: &Path) -> Probe {
    ff::init().unwrap();
    let mut input = ff::format::input(path).unwrap();
    let seconds = input.duration() as f64 / 1e6;
    let decoder = |kind| {
        let stream = input.streams().best(kind)?;
        let context = codec::Context::from_parameters(stream.parameters()).unwrap();
        Some((stream.index(), stream.time_base(), context.decoder()))
    };
    let mut video = decoder(media::Type::Video).map(|(i, b, d)| (i, b, d.video().unwrap()));
    let mut audio = decoder(media::Type::Audio).map(|(i, b, d)| (i, b, d.audio().unwrap()));
    let mut probe = Probe {
        seconds,
        video: video
            .as_ref()
            .map(|(_, _, d)| (d.id(), d.width(), d.height())),
        audio: audio.as_ref().map(|(_, _, d)| d.id()),
        samples: Vec::new(),
        pictures: Vec::new(),
    };
    let packets: Vec<_> = input
        .packets()
        .map(|(stream, packet)| (stream.index(), packet))
        .collect();
    for (index, packet) in &packets {
        if let Some((_, base, decoder)) = video.as_mut().filter(|(i, ..)| i == index) {
            decoder.send_packet(packet).unwrap();
            take_pictures(decoder, *base, &mut probe.pictures);
        }
        if let Some((_, base, decoder)) = audio.as_mut().filter(|(i, ..)| i == index)
            && decoder.send_packet(packet).is_ok()
        {
            take_samples(decoder, *base, &mut probe.samples);
        }
    }
    if let Some((_, base, decoder)) = video.as_mut() {
        decoder.send_eof().unwrap();
        take_pictures(decoder, *base, &mut probe.pictures);
    }
    probe
}

fn take_pictures(
    decoder: &mut codec::decoder::Video,
    base: ff::Rational,
    out: &mut Vec<(f64, u8)>,
) {
    let mut frame = ff::util::frame::Video::empty();
    while decoder.receive_frame(&mut frame).is_ok() {
        let middle = frame.stride(0) * (frame.height() as usize / 2) + frame.width() as usize / 2;
        let time = frame.pts().unwrap() as f64 * f64::from(base);
        out.push((time, frame.data(0)[middle]));
    }
}

fn take_samples(decoder: &mut codec::decoder::Audio, base: ff::Rational, out: &mut Vec<f32>) {
    let mut frame = Audio::empty();
    while decoder.receive_frame(&mut frame).is_ok() {
        let at = (frame.pts().unwrap_or(0) as f64 * f64::from(base) * 48_000.0).round() as i64;
        let samples: Vec<f32> = match frame.format() {
            Sample::F32(Type::Planar) => frame.plane::<f32>(0).to_vec(),
            Sample::I16(Type::Planar) => frame
                .plane::<i16>(0)
                .iter()
                .map(|s| f32::from(*s) / 32_768.0)
                .collect(),
            other => panic!("samples of {other:?}"),
        };
        let skip = usize::try_from(-at).unwrap_or(0).min(samples.len());
        let at = usize::try_from(at.max(0)).unwrap();
        out.resize(at.max(out.len()), 0.0);
        out.truncate(at);
        out.extend(&samples[skip..]);
    }
}

impl Probe {
    /// How loud a tone is by the mean of its tenths of a second, whose phases need not agree. In files in
    /// which nothing was encoded anew Matroska counts in whole milliseconds, so that once in a while the
    /// phase jumps by one; in films of calls in real time a voice whose first packets were held up is bent
    /// back to its place.
    pub(crate) fn mean_tone(&self, hertz: f32, from: f64, until: f64) -> f32 {
        let tenths = ((until - from) * 10.0).round() as u32;
        let tone = |n| {
            self.tone(
                hertz,
                from + f64::from(n) / 10.0,
                from + f64::from(n + 1) / 10.0,
            )
        };
        (0..tenths).map(tone).sum::<f32>() / tenths as f32
    }

    /// How loud a tone is between two times in seconds: its amplitude (the tones above have 0.3).
    pub(crate) fn tone(&self, hertz: f32, from: f64, until: f64) -> f32 {
        let (from, until) = ((from * 48_000.0) as usize, (until * 48_000.0) as usize);
        let piece = &self.samples[from.min(self.samples.len())..until.min(self.samples.len())];
        let (mut re, mut im) = (0.0f64, 0.0f64);
        for (n, sample) in piece.iter().enumerate() {
            let angle = f64::from(TAU) * f64::from(hertz) * n as f64 / 48_000.0;
            re += f64::from(*sample) * angle.cos();
            im += f64::from(*sample) * angle.sin();
        }
        (2.0 * re.hypot(im) / piece.len().max(1) as f64) as f32
    }
}
