//! Outgoing RTP streams: one per m-line we send on.
//!
//! In: packets of a track. Out: packets handed to str0m with this receiver's payload type, SSRC
//! and numbering.

use std::time::{Duration, Instant};

use proto::rtcd::Codec;
use str0m::Rtc;
use str0m::format::Codec as WireCodec;
use str0m::media::{Mid, Pt};
use str0m::rtp::{ExtensionValues, RtpWrite, Ssrc};

use crate::io::LinkedPacket;
use crate::rewrite::Placement;

/// How long a packet may be sent again; later it would come too late to be shown.
const RESEND_AGE: Duration = Duration::from_secs(3);
/// Largest share of repeated packets in what is sent: higher repairs worse links, and loads them.
const RESEND_SHARE: f32 = 0.4;

/// Sends one track to one participant.
#[derive(Debug)]
pub(crate) struct Sender {
    ssrc: Ssrc,
    pt: Pt,
    codec: Codec,
    placement: Placement,
}

impl Sender {
    /// `nack_buffer`: packets kept to be sent again.
    pub(super) fn new(rtc: &mut Rtc, mid: Mid, codec: Codec, nack_buffer: usize) -> Option<Self> {
        let media = rtc.media(mid)?;
        if !media.direction().is_sending() {
            return None;
        }
        let pts = media.remote_pts();
        let params = rtc.codec_config().params().iter();
        let pt = params
            .filter(|params| wire_codec(params.spec().codec) == Some(codec))
            .map(str0m::format::PayloadParams::pt)
            .find(|pt| pts.contains(pt))?;
        let mut direct = rtc.direct_api();
        let stream = direct.stream_tx_by_mid(mid, None)?;
        if codec != Codec::Opus {
            stream.set_rtx_cache(nack_buffer, RESEND_AGE, Some(RESEND_SHARE));
        }
        let ssrc = stream.ssrc();
        Some(Self {
            ssrc,
            pt,
            codec,
            placement: Placement::default(),
        })
    }

    pub(super) fn send(&mut self, rtc: &mut Rtc, now: Instant, packet: &LinkedPacket) -> bool {
        let Some((seq_no, time)) = self.placement.place(now, packet.seq_no, packet.timestamp)
        else {
            return false;
        };
        let mut direct = rtc.direct_api();
        let Some(stream) = direct.stream_tx(&self.ssrc) else {
            return false;
        };
        let level = packet
            .audio_level
            .and_then(|level| i8::try_from(level).ok());
        let extensions = ExtensionValues {
            audio_level: level.map(|level| -level),
            voice_activity: level.map(|_| false),
            ..ExtensionValues::default()
        };
        stream.write_rtp(
            RtpWrite::new(self.pt, seq_no.into(), time, now, packet.payload.clone())
                .marker(packet.marker)
                .nackable(self.codec != Codec::Opus)
                .ext_vals(extensions),
        );
        true
    }

    /// The next packet sent comes from another stream (a layer) and continues this one.
    pub(crate) fn switch(&mut self, now: Instant) {
        self.placement.switch(now, self.codec.clock_rate());
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
