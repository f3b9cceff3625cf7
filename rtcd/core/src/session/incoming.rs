//! What a participant sends: which stream is which source.
//!
//! In: packets as str0m decrypted them. Out: the same with their source and codec, looked up in
//! constant time. A source (an m-line and layer) has one entry, that of the SSRC heard last.
//! Invariant: a participant that changes its SSRC with every packet costs nothing lasting, neither
//! here nor in str0m, which remembers every SSRC that it ever decrypted: behind `MOST_SSRCS` of them
//! packets of further ones are refused unread.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use str0m::media::{Mid, Rid};
use str0m::rtp::RtpPacket;

use super::{Session, senders};
use crate::io::LinkedPacket;
use crate::media::{Codec, Layer};
use rtcd_srtp::rtp;

/// SSRCs of one participant in all its time here. Each screen it shows has at most four: enough for
/// hundreds of them.
const MOST_SSRCS: usize = 2048;

/// A media packet of a participant.
#[derive(Debug)]
pub(crate) struct IncomingPacket {
    pub(crate) source: SourceId,
    pub(crate) codec: Codec,
    pub(crate) packet: LinkedPacket,
}

/// Names an incoming RTP stream of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourceId {
    pub(crate) mid: Mid,
    pub(crate) layer: Layer,
}

/// The streams of one participant.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// By SSRC.
    known: HashMap<u32, Known, BuildHasherDefault<Spread>>,
    /// The SSRC of each source.
    current: BTreeMap<SourceId, u32>,
    /// All that were ever heard.
    heard: HashSet<u32, BuildHasherDefault<Spread>>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    pt: u8,
    source: SourceId,
    codec: Codec,
}

impl Sources {
    /// Whether the participant publishes nothing yet.
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(super) fn ssrcs(&self) -> impl Iterator<Item = u32> {
        self.current.values().copied()
    }

    /// Whether a datagram is media of one source too many.
    pub(super) fn refuses(&self, datagram: &[u8]) -> bool {
        self.heard.len() >= MOST_SSRCS
            && rtp::is_rtp(datagram)
            && rtp::ssrc(datagram).is_some_and(|ssrc| !self.heard.contains(&ssrc))
    }

    fn find(&self, ssrc: u32, pt: u8) -> Option<Known> {
        let known = self.known.get(&ssrc)?;
        (known.pt == pt).then_some(*known)
    }

    fn learn(&mut self, ssrc: u32, known: Known) {
        self.heard.insert(ssrc);
        if let Some(before) = self.current.insert(known.source, ssrc)
            && before != ssrc
        {
            self.known.remove(&before);
        }
        // The SSRC may have been another source's until now.
        if let Some(before) = self.known.insert(ssrc, known)
            && before.source != known.source
        {
            self.current.remove(&before.source);
        }
    }
}

/// Spreads SSRCs over a table. They are random as they come, and so few that whoever chooses them to
/// meet gains nothing.
#[derive(Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        let mixed = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

/// The layers by the names clients give them (RFC 8852).
const NAMES: [(&str, Layer); 3] = [("l", Layer::LOW), ("m", Layer::MIDDLE), ("h", Layer::HIGH)];

/// Returns the name of a layer.
pub(super) fn name(layer: Layer) -> Rid {
    let mut names = NAMES.iter();
    let name = names.find_map(|(name, known)| (*known == layer).then_some(*name));
    Rid::from(name.unwrap_or_default())
}

/// Finds the layer of a stream; `None` for one nobody asked for.
fn layer(name: Option<&str>) -> Option<Layer> {
    let Some(name) = name else {
        return Some(Layer::LOW);
    };
    let mut names = NAMES.iter();
    names.find_map(|(known, layer)| (*known == name).then_some(*layer))
}

impl Session {
    pub(super) fn incoming(&mut self, packet: RtpPacket) -> Option<IncomingPacket> {
        let (ssrc, pt) = (*packet.header.ssrc, *packet.header.payload_type);
        let known = match self.sources.find(ssrc, pt) {
            Some(known) => known,
            None => self.learn_source(&packet)?,
        };
        Some(IncomingPacket {
            source: known.source,
            codec: known.codec,
            packet: LinkedPacket {
                seq_no: *packet.seq_no,
                timestamp: packet.header.timestamp,
                marker: packet.header.marker,
                audio_level: packet
                    .header
                    .ext_vals
                    .audio_level
                    .map(|level| level.unsigned_abs()),
                payload: packet.payload,
            },
        })
    }

    fn learn_source(&mut self, packet: &RtpPacket) -> Option<Known> {
        let pt = packet.header.payload_type;
        let ssrc = *packet.header.ssrc;
        self.sources.heard.insert(ssrc);
        let codec = senders::codec_of(&self.rtc, pt)?;
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_rx(&packet.header.ssrc)?;
        // Publishers without RTX repair on the original SSRC; str0m would not ask them to.
        stream.suppress_nack(codec == Codec::Opus);
        let source = SourceId {
            mid: stream.mid(),
            layer: layer(stream.rid().as_deref())?,
        };
        let known = Known {
            pt: *pt,
            source,
            codec,
        };
        self.sources.learn(ssrc, known);
        Some(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(mid: &str, layer: Layer) -> Known {
        Known {
            pt: 96,
            source: SourceId {
                mid: Mid::from(mid),
                layer,
            },
            codec: Codec::Vp8,
        }
    }

    fn media(ssrc: u32) -> Vec<u8> {
        let mut packet = vec![0x80, 96, 0, 1, 0, 0, 0, 1];
        packet.extend(ssrc.to_be_bytes());
        packet
    }

    #[test]
    fn a_source_has_one_entry_whatever_its_ssrc() {
        let mut sources = Sources::default();
        for ssrc in 1..1000 {
            sources.learn(ssrc, known("0", Layer::LOW));
            sources.learn(ssrc + 5000, known("0", Layer::HIGH));
        }
        assert_eq!((sources.known.len(), sources.current.len()), (2, 2));
        assert!(sources.find(999, 96).is_some() && sources.find(998, 96).is_none());
        assert!(sources.find(999, 97).is_none(), "another codec");
        // One takes the SSRC of the other.
        sources.learn(999, known("0", Layer::HIGH));
        assert_eq!((sources.known.len(), sources.current.len()), (1, 1));
    }

    #[test]
    fn one_source_too_many_is_refused_and_those_before_are_not() {
        let mut sources = Sources::default();
        let most = u32::try_from(MOST_SSRCS).unwrap();
        for ssrc in 0..most {
            assert!(!sources.refuses(&media(ssrc)));
            sources.learn(ssrc, known("0", Layer::LOW));
        }
        assert!(sources.refuses(&media(most)));
        assert!(!sources.refuses(&media(7)));
        let feedback = [0x81, 206, 0, 2, 9, 9, 9, 9, 9, 9, 9, 9];
        assert!(!sources.refuses(&feedback), "no media");
    }

    #[test]
    fn layers_are_found_by_name_and_named() {
        for layer_known in Layer::ALL {
            assert_eq!(layer(Some(&*name(layer_known))), Some(layer_known));
        }
        assert_eq!(layer(None), Some(Layer::LOW));
        assert_eq!(layer(Some("x")), None);
    }
}
