//! Sound as Opus packets, as a browser sends a voice: 20 ms each, with copies of what may be lost.

use anyhow::Context;
use ff::format::Sample;
use ff::format::sample::Type;
use ff::util::frame::Audio;
use ff::{ChannelLayout, Dictionary, Packet, codec, encoder};
use ffmpeg_next as ff;
use offloader::speech::SAMPLE_RATE;

/// Samples of 20 ms.
pub(crate) const FRAME: usize = SAMPLE_RATE / 50;

/// Bits per second of a voice.
const RATE: usize = 32_000;

/// 16 kHz mono as packets of 20 ms.
pub(crate) fn encode(pcm: &[f32]) -> anyhow::Result<Vec<Vec<u8>>> {
    ff::init()?;
    let codec = encoder::find_by_name("libopus").context("FFmpeg has no libopus")?;
    let mut audio = codec::Context::new_with_codec(codec).encoder().audio()?;
    audio.set_rate(i32::try_from(SAMPLE_RATE)?);
    audio.set_format(Sample::F32(Type::Packed));
    audio.set_channel_layout(ChannelLayout::MONO);
    audio.set_bit_rate(RATE);
    let mut options = Dictionary::new();
    for (key, value) in [
        ("application", "voip"),
        ("fec", "1"),
        ("packet_loss", "10"),
        ("frame_duration", "20"),
    ] {
        options.set(key, value);
    }
    let mut audio = audio.open_with(options)?;
    let mut packets = Vec::new();
    for (index, samples) in pcm.chunks(FRAME).enumerate() {
        let mut frame = Audio::new(Sample::F32(Type::Packed), FRAME, ChannelLayout::MONO);
        frame.set_rate(u32::try_from(SAMPLE_RATE)?);
        frame.set_pts(Some(i64::try_from(index * FRAME)?));
        let sides = frame.plane_mut::<f32>(0);
        sides.fill(0.0);
        for (place, sample) in sides.iter_mut().zip(samples) {
            *place = *sample;
        }
        audio.send_frame(&frame)?;
        take(&mut audio, &mut packets);
    }
    audio.send_eof()?;
    take(&mut audio, &mut packets);
    Ok(packets)
}

fn take(audio: &mut encoder::audio::Encoder, packets: &mut Vec<Vec<u8>>) {
    let mut packet = Packet::empty();
    while audio.receive_packet(&mut packet).is_ok() {
        packets.push(packet.data().unwrap_or_default().to_vec());
    }
}
