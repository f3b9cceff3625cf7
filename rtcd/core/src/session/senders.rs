//! Outgoing RTP streams: one per m-line we send on.
//!
//! In: packets of a track, placed in this receiver's numbering. Out: sealed packets in the batch,
//! or, where str0m sends, packets handed to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::media::Codec;
use str0m::Rtc;
use str0m::format::Codec as WireCodec;
use str0m::media::{Media, Mid, Pt};
use str0m::rtp::{Extension, ExtensionValues, RtpWrite, Ssrc};

use super::Session;
use crate::egress::{EgressStream, Extensions, MediaBatch, Outgoing};

/// How long a packet may be sent again; later it would come too late to be shown.
const RESEND_AGE: Duration = Duration::from_secs(3);
/// Largest share of repeated packets in what is sent: higher repairs worse links, and loads them.
const RESEND_SHARE: f32 = 0.4;

/// Sends one track to one participant.
#[derive(Debug)]
pub(crate) enum Sender {
    Own(EgressStream),
    Str0m(Str0mStream),
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// In the batch.
    Sealed,
    /// Handed to str0m: the session has to be flushed.
    Written,
    Refused,
}

/// A stream that str0m sends.
#[derive(Debug)]
pub(crate) struct Str0mStream {
    ssrc: Ssrc,
    pt: Pt,
    is_repeated: bool,
}

impl Sender {
    /// `ssrc`: the stream is ours. `nack_buffer`: packets kept to be sent again.
    pub(super) fn new(
        rtc: &mut Rtc,
        mid: Mid,
        codec: Codec,
        own: Option<(u32, Arc<str>)>,
        nack_buffer: usize,
    ) -> Option<Self> {
        let media = rtc.media(mid)?;
        if !media.direction().is_sending() {
            return None;
        }
        let pt = payload_type(rtc, media, codec)?;
        let is_repeated = codec != Codec::Opus;
        if let Some(own) = own {
            let known = media.remote_extmap();
            let extensions = if is_repeated {
                Extensions {
                    audio_level: None,
                    transport_sequence: known.id_of(Extension::TransportSequenceNumber),
                }
            } else {
                Extensions {
                    audio_level: known.id_of(Extension::AudioLevel),
                    transport_sequence: None,
                }
            };
            let repeats = is_repeated.then_some(nack_buffer);
            return Some(Self::Own(EgressStream::new(own, *pt, extensions, repeats)));
        }
        let mut direct = rtc.direct_api();
        let stream = direct.stream_tx_by_mid(mid, None)?;
        if is_repeated {
            stream.set_rtx_cache(nack_buffer, RESEND_AGE, Some(RESEND_SHARE));
        }
        let ssrc = stream.ssrc();
        Some(Self::Str0m(Str0mStream {
            ssrc,
            pt,
            is_repeated,
        }))
    }

    /// Sends a packet. `shared` is its payload as it came.
    pub(crate) fn send(
        &mut self,
        session: &mut Session,
        now: Instant,
        packet: &Outgoing<'_>,
        shared: &Arc<[u8]>,
        batch: &mut MediaBatch,
    ) -> Sent {
        match self {
            Self::Own(stream) => {
                let is_sealed = session
                    .egress()
                    .is_some_and(|egress| stream.send(egress, now, packet, batch));
                if is_sealed {
                    Sent::Sealed
                } else {
                    Sent::Refused
                }
            }
            Self::Str0m(stream) => stream.send(&mut session.rtc, now, packet, shared),
        }
    }

    /// The stream, if it is ours.
    pub(crate) const fn own(&mut self) -> Option<&mut EgressStream> {
        match self {
            Self::Own(stream) => Some(stream),
            Self::Str0m(_) => None,
        }
    }
}

impl Str0mStream {
    fn send(&self, rtc: &mut Rtc, now: Instant, packet: &Outgoing<'_>, shared: &Arc<[u8]>) -> Sent {
        let mut direct = rtc.direct_api();
        let Some(stream) = direct.stream_tx(&self.ssrc) else {
            return Sent::Refused;
        };
        let level = packet
            .audio_level
            .and_then(|level| i8::try_from(level).ok());
        let extensions = ExtensionValues {
            audio_level: level.map(|level| -level),
            voice_activity: level.map(|_| false),
            ..ExtensionValues::default()
        };
        let payload = match packet.pictures {
            None => Arc::clone(shared),
            Some(pictures) => {
                let mut changed = shared.to_vec();
                pictures.write(&mut changed);
                changed.into()
            }
        };
        let (seq_no, time) = (packet.seq_no.into(), packet.timestamp);
        stream.write_rtp(
            RtpWrite::new(self.pt, seq_no, time, now, payload)
                .marker(packet.marker)
                .nackable(self.is_repeated)
                .ext_vals(extensions),
        );
        Sent::Written
    }
}

/// Gives an m-line that is used again a stream of its own: a receiver must not take the new track
/// for a continuation of the old one.
pub(super) fn renew_stream(rtc: &mut Rtc, mid: Mid, is_audio: bool) {
    let mut direct = rtc.direct_api();
    let old = direct
        .stream_tx_by_mid(mid, None)
        .map(|stream| (stream.ssrc(), stream.rtx()));
    if let Some((ssrc, _)) = old {
        direct.remove_stream_tx(ssrc);
    }
    let ssrc = direct.new_ssrc();
    let rtx = (!is_audio && old.is_none_or(|(_, rtx)| rtx.is_some())).then(|| direct.new_ssrc());
    direct.declare_stream_tx(ssrc, rtx, mid, None);
}

/// Finds the payload type of a codec on an m-line.
pub(super) fn payload_type(rtc: &Rtc, media: &Media, codec: Codec) -> Option<Pt> {
    let pts = media.remote_pts();
    let params = rtc.codec_config().params().iter();
    params
        .filter(|params| wire_codec(params.spec().codec) == Some(codec))
        .map(str0m::format::PayloadParams::pt)
        .find(|pt| pts.contains(pt))
}

/// Finds the codec behind a payload type of this session.
pub(super) fn codec_of(rtc: &Rtc, pt: Pt) -> Option<Codec> {
    let mut params = rtc.codec_config().params().iter();
    wire_codec(params.find(|params| params.pt() == pt)?.spec().codec)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other codec is one that is never negotiated"
)]
fn wire_codec(codec: WireCodec) -> Option<Codec> {
    match codec {
        WireCodec::Opus => Some(Codec::Opus),
        WireCodec::Vp8 => Some(Codec::Vp8),
        WireCodec::Av1 => Some(Codec::Av1),
        _ => None,
    }
}
