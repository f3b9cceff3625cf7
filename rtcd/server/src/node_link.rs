//! The way to another node, as legs of this one use it.
//!
//! In: what legs here tell legs there. Out: the same, in the words of the wire (`proto::rtcd`), and back.
//! Not here: the connection (`links`).
//! Invariant: nobody who uses it waits for the other node.

use std::fmt::Debug;
use std::sync::Arc;

use proto::rtcd::{CallName, Codec as CodecName, LegMessage, NodeMessage, TrackName, TrackType};
use rtcd_core::{
    CallKey, Codec, Layer, LayerSet, LinkMessage, LinkedPacket, LinkedTrack, LinkedTrackId,
    TrackKind,
};

use crate::placement::{NodeSerial, ShardId};

/// A packet for legs of another node.
#[derive(Debug)]
pub(crate) struct FarPacket {
    pub(crate) call: CallKey,
    pub(crate) from: ShardId,
    /// Shards there, as bits.
    pub(crate) to: u64,
    pub(crate) track: LinkedTrackId,
    pub(crate) layer: Layer,
    pub(crate) packet: LinkedPacket,
}

/// A connection to another node.
pub(crate) trait NodeLink: Debug + Send + Sync {
    fn serial(&self) -> NodeSerial;

    /// The other node's name.
    fn node(&self) -> Arc<str>;

    /// The address of its API; `None` when it is not known.
    fn url(&self) -> Option<String>;

    /// How loaded it is, in thousandths of what it can take; `None`: it takes nothing new.
    fn room(&self) -> Option<u16>;

    /// Whether whoever can wait should, before more is said.
    fn is_congested(&self) -> bool;

    /// Says something that must arrive. When that is not possible the connection ends.
    fn say(&self, message: &NodeMessage);

    /// Sends media, which may be lost; false when it did not leave.
    fn send(&self, packet: &FarPacket) -> bool;

    /// Nothing more of a call comes from this shard: what was kept for it can go.
    fn forget(&self, call: &CallKey, from: ShardId);
}

/// Writes a call.
pub(crate) fn call_name(call: &CallKey) -> CallName {
    CallName {
        group: call.group.clone(),
        call: call.call.clone(),
    }
}

/// Reads a call.
pub(crate) fn call_key(name: CallName) -> CallKey {
    CallKey {
        group: name.group,
        call: name.call,
    }
}

/// Writes a track.
pub(crate) fn track_name(track: &LinkedTrackId) -> TrackName {
    TrackName {
        publisher: track.publisher.clone(),
        number: track.number,
    }
}

/// Reads a track.
pub(crate) fn track_id(name: TrackName) -> LinkedTrackId {
    LinkedTrackId {
        publisher: name.publisher,
        number: name.number,
    }
}

/// Writes what a leg tells another. `None`: it is media, which has a way of its own.
pub(crate) fn write(message: &LinkMessage) -> Option<LegMessage> {
    Some(match message {
        LinkMessage::Rtp { .. } => return None,
        LinkMessage::Greeting { is_answer } => LegMessage::Greeting {
            is_answer: *is_answer,
        },
        LinkMessage::TrackPublished { track } => LegMessage::TrackPublished {
            track: track_name(&track.id),
            kind: kind_name(track.kind),
            codec: codec_name(track.codec),
            muted: track.muted,
            layers: track.layers.bits(),
        },
        LinkMessage::TrackEnded { track } => LegMessage::TrackEnded {
            track: track_name(track),
        },
        LinkMessage::TrackMuted { track, muted } => LegMessage::TrackMuted {
            track: track_name(track),
            muted: *muted,
        },
        LinkMessage::Layers { track, alive } => LegMessage::Layers {
            track: track_name(track),
            alive: alive.bits(),
        },
        LinkMessage::LayersWanted { track, layers } => LegMessage::LayersWanted {
            track: track_name(track),
            layers: layers.bits(),
        },
        LinkMessage::KeyframeWanted {
            track,
            layer,
            is_repair,
        } => LegMessage::KeyframeWanted {
            track: track_name(track),
            layer: layer.rank(),
            is_repair: *is_repair,
        },
        LinkMessage::Missing {
            track,
            layer,
            first,
            count,
        } => LegMessage::Missing {
            track: track_name(track),
            layer: layer.rank(),
            first: *first,
            count: *count,
        },
        LinkMessage::Presenter { session } => LegMessage::Presenter {
            session: session.clone(),
        },
    })
}

/// Reads what a leg of another node says. `None`: it names a layer that there is not.
pub(crate) fn read(message: LegMessage) -> Option<LinkMessage> {
    Some(match message {
        LegMessage::Greeting { is_answer } => LinkMessage::Greeting { is_answer },
        LegMessage::TrackPublished {
            track,
            kind,
            codec,
            muted,
            layers,
        } => LinkMessage::TrackPublished {
            track: LinkedTrack {
                id: track_id(track),
                kind: track_kind(kind),
                codec: track_codec(codec),
                muted,
                layers: LayerSet::from_bits(layers),
            },
        },
        LegMessage::TrackEnded { track } => LinkMessage::TrackEnded {
            track: track_id(track),
        },
        LegMessage::TrackMuted { track, muted } => LinkMessage::TrackMuted {
            track: track_id(track),
            muted,
        },
        LegMessage::Layers { track, alive } => LinkMessage::Layers {
            track: track_id(track),
            alive: LayerSet::from_bits(alive),
        },
        LegMessage::LayersWanted { track, layers } => LinkMessage::LayersWanted {
            track: track_id(track),
            layers: LayerSet::from_bits(layers),
        },
        LegMessage::KeyframeWanted {
            track,
            layer,
            is_repair,
        } => LinkMessage::KeyframeWanted {
            track: track_id(track),
            layer: Layer::of_rank(layer)?,
            is_repair,
        },
        LegMessage::Missing {
            track,
            layer,
            first,
            count,
        } => LinkMessage::Missing {
            track: track_id(track),
            layer: Layer::of_rank(layer)?,
            first,
            count,
        },
        LegMessage::Presenter { session } => LinkMessage::Presenter { session },
    })
}

const fn kind_name(kind: TrackKind) -> TrackType {
    match kind {
        TrackKind::Voice => TrackType::Voice,
        TrackKind::Screen => TrackType::Screen,
        TrackKind::ScreenAudio => TrackType::ScreenAudio,
        TrackKind::Video => TrackType::Video,
    }
}

const fn track_kind(name: TrackType) -> TrackKind {
    match name {
        TrackType::Voice => TrackKind::Voice,
        TrackType::Screen => TrackKind::Screen,
        TrackType::ScreenAudio => TrackKind::ScreenAudio,
        TrackType::Video => TrackKind::Video,
    }
}

const fn codec_name(codec: Codec) -> CodecName {
    match codec {
        Codec::Opus => CodecName::Opus,
        Codec::Vp8 => CodecName::Vp8,
        Codec::Av1 => CodecName::Av1,
    }
}

const fn track_codec(name: CodecName) -> Codec {
    match name {
        CodecName::Opus => Codec::Opus,
        CodecName::Vp8 => Codec::Vp8,
        CodecName::Av1 => Codec::Av1,
    }
}

#[cfg(test)]
mod tests {
    use proto::id::SessionId;

    use super::*;

    #[test]
    fn what_legs_say_survives_the_wire() {
        let track = LinkedTrackId {
            publisher: SessionId::parse("anna").unwrap(),
            number: 7,
        };
        let mut layers = LayerSet::of(Layer::HIGH);
        layers.insert(Layer::LOW);
        let described = LinkedTrack {
            id: track.clone(),
            kind: TrackKind::ScreenAudio,
            codec: Codec::Av1,
            muted: true,
            layers,
        };
        let said = [
            LinkMessage::Greeting { is_answer: true },
            LinkMessage::TrackPublished { track: described },
            LinkMessage::TrackEnded {
                track: track.clone(),
            },
            LinkMessage::TrackMuted {
                track: track.clone(),
                muted: true,
            },
            LinkMessage::Layers {
                track: track.clone(),
                alive: layers,
            },
            LinkMessage::LayersWanted {
                track: track.clone(),
                layers,
            },
            LinkMessage::KeyframeWanted {
                track: track.clone(),
                layer: Layer::MIDDLE,
                is_repair: true,
            },
            LinkMessage::Missing {
                track: track.clone(),
                layer: Layer::HIGH,
                first: 1 << 40,
                count: 3,
            },
            LinkMessage::Presenter {
                session: Some(track.publisher.clone()),
            },
        ];
        for message in said {
            let written = write(&message).unwrap();
            assert_eq!(read(written), Some(message));
        }
        let unknown = LegMessage::KeyframeWanted {
            track: track_name(&track),
            layer: 3,
            is_repair: false,
        };
        assert_eq!(read(unknown), None, "there are three layers");
    }
}
