//! What a participant sends: packets of its publications, or packets made by hand.

use std::time::{Duration, Instant};

use str0m::format::PayloadParams;
use str0m::media::{Mid, Rid};
use str0m::rtp::{ExtensionValues, RtpWrite};

use super::{Media, Participant};

/// A packet to send as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawPacket {
    pub at: Instant,
    pub seq_no: u64,
    pub timestamp: u32,
    pub marker: bool,
    pub nackable: bool,
    pub payload: Vec<u8>,
}

/// Something the participant sends.
#[derive(Debug)]
pub(super) struct Publication {
    pub(super) mid: Mid,
    pub(super) media: Media,
    pub(super) on: bool,
    pub(super) seq_no: u64,
    pub(super) timestamp: u32,
    pub(super) next: Instant,
    /// Layers whose next picture is a keyframe.
    pub(super) keyframes_due: Vec<Option<Rid>>,
    /// What was sent of each layer so far.
    pub(super) sent: Vec<u64>,
    /// Layers that are not fed, by position.
    pub(super) resting: Vec<u8>,
}

impl Participant {
    /// Sends a packet of its own making on a publication, instead of the next one.
    pub fn write(&mut self, position: usize, packet: &RawPacket) {
        self.write_layer(position, 0, packet);
    }

    /// As [`Participant::write`], on a layer by its position.
    pub fn write_layer(&mut self, position: usize, layer: usize, packet: &RawPacket) {
        let Some(publication) = self.publications.get(position) else {
            return;
        };
        let (mid, codec) = (publication.mid, publication.media.codec());
        let params = self.rtc.codec_config().params().iter();
        let pt = params
            .filter(|p| p.spec().codec == codec)
            .map(PayloadParams::pt)
            .next();
        let rid = publication.media.layers().into_iter().nth(layer).flatten();
        let mut direct = self.rtc.direct_api();
        let Some((stream, pt)) = direct.stream_tx_by_mid(mid, rid).zip(pt) else {
            return;
        };
        let payload = packet.payload.clone();
        stream.write_rtp(
            RtpWrite::new(
                pt,
                packet.seq_no.into(),
                packet.timestamp,
                packet.at,
                payload,
            )
            .marker(packet.marker)
            .nackable(packet.nackable),
        );
        self.timeout = packet.at;
    }

    /// The layers of a publication, by position, of which a keyframe was asked for and not yet made.
    #[must_use]
    pub fn keyframes_owed(&self, position: usize) -> Vec<usize> {
        let Some(publication) = self.publications.get(position) else {
            return Vec::new();
        };
        let layers = publication.media.layers().into_iter().enumerate();
        let owed = layers.filter(|(_, rid)| publication.keyframes_due.contains(rid));
        owed.map(|(layer, _)| layer).collect()
    }

    /// Feeds one layer of a publication, by its position, or stops to, as browsers do when their
    /// network is narrow.
    pub fn feed_layer(&mut self, position: usize, layer: u8, on: bool) {
        let Some(publication) = self.publications.get_mut(position) else {
            return;
        };
        publication.resting.retain(|resting| *resting != layer);
        if !on {
            publication.resting.push(layer);
        }
    }

    /// Makes the next packet of a publication: 20 ms of sound, or a small picture.
    pub(super) fn produce(&mut self, position: usize, now: Instant) {
        let Some(publication) = self.publications.get_mut(position) else {
            return;
        };
        if !publication.on || publication.next > now {
            return;
        }
        publication.next = now + Duration::from_millis(20);
        publication.seq_no += 1;
        let (mid, media, seq_no) = (publication.mid, publication.media, publication.seq_no);
        let is_video = media != Media::Sound;
        publication.timestamp =
            publication
                .timestamp
                .wrapping_add(if is_video { 1800 } else { 960 });
        let time = publication.timestamp;
        let resting = publication.resting.clone();
        let is_due = |rid: &Option<Rid>, layer: u8| {
            publication.keyframes_due.contains(rid) && !resting.contains(&layer)
        };
        let keyframes: Vec<Option<Rid>> = (0..)
            .zip(media.layers())
            .filter_map(|(layer, rid)| is_due(&rid, layer).then_some(rid))
            .collect();
        publication
            .keyframes_due
            .retain(|rid| !keyframes.contains(rid));
        publication.sent.resize(media.layers().len(), 0);
        let mut sent = publication.sent.clone();
        let codec = media.codec();
        let params = self.rtc.codec_config().params().iter();
        let pt = params
            .filter(|p| p.spec().codec == codec)
            .map(PayloadParams::pt)
            .next();
        // The high one first, as some clients do: its stream is then the first of the m-line.
        for (layer, rid) in media.layers().into_iter().enumerate().rev() {
            let layer = u8::try_from(layer).expect("two layers");
            if resting.contains(&layer) {
                continue;
            }
            let extensions = ExtensionValues {
                audio_level: (!is_video).then_some(self.audio_level),
                voice_activity: (!is_video).then_some(true),
                ..ExtensionValues::default()
            };
            let mut direct = self.rtc.direct_api();
            let Some((stream, pt)) = direct.stream_tx_by_mid(mid, rid).zip(pt) else {
                continue;
            };
            // VP8: descriptor, then the bit that is 0 in keyframes; the layer last.
            let head = if is_video {
                [0x10, u8::from(!keyframes.contains(&rid))]
            } else {
                *b"op"
            };
            let filling = vec![0; media.filling(layer)];
            let payload = [head.as_slice(), &seq_no.to_be_bytes(), &filling, &[layer]].concat();
            // Layers do not share their numbering, and what is not sent has no number.
            let count = sent.get_mut(usize::from(layer)).expect("one for each");
            *count += 1;
            let seq_no = 500 + *count + 1000 * u64::from(layer);
            stream.write_rtp(
                RtpWrite::new(pt, seq_no.into(), time, now, payload)
                    .marker(is_video)
                    .nackable(is_video)
                    .ext_vals(extensions),
            );
        }
        if let Some(publication) = self.publications.get_mut(position) {
            publication.sent = sent;
        }
    }
}
