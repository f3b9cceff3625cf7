//! What was negotiated for an m-line: outgoing streams and codecs.

use std::sync::Arc;

use crate::media::Codec;
use str0m::Rtc;
use str0m::format::Codec as WireCodec;
use str0m::media::{Media, Mid, Pt};
use str0m::rtp::Extension;

use crate::egress::{EgressStream, Extensions};

/// Prepares sending on an m-line. `stream`: its SSRC and its name. `nack_buffer`: packets kept to be
/// sent again.
pub(super) fn stream(
    rtc: &Rtc,
    mid: Mid,
    codec: Codec,
    stream: (u32, Arc<str>),
    nack_buffer: usize,
) -> Option<EgressStream> {
    let media = rtc.media(mid)?;
    if !media.direction().is_sending() {
        return None;
    }
    let pt = payload_type(rtc, media, codec)?;
    let is_repeated = codec != Codec::Opus;
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
    Some(EgressStream::new(stream, *pt, extensions, repeats))
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
