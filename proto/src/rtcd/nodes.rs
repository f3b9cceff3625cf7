//! What two media nodes of one cluster say to each other, over the connection between them.
//!
//! `NodeMessage`: what must arrive, in order; JSON, so that nodes of two versions
//! understand each other as far as both go, and messages of the control WebSocket as they are. `MediaHead`: what stands before each packet of a track.
//! Shards are named by their number within their node, from 0 to 63.
//! Not here: the connection (`node`), what a leg makes of it (`rtcd-core`).

use serde::{Deserialize, Serialize};

use super::{Codec, ControlMessage, MAX_CONTROL_LEN, TrackType};
use crate::id::{CallId, GroupId, SessionId};

/// A message between two nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeMessage {
    /// The sender's legs of a call: these, and no others. Said of every call at first, and whenever one
    /// changes.
    Legs(NodeLegs),
    /// From a leg of the sender to one of the receiver.
    Leg(LegToLeg),
    /// What a track is called in front of its packets.
    Track(NumberedTrack),
    /// That number stands for nothing any more.
    TrackOver { number: u32 },
    /// What a client asks of a session whose media the receiver has.
    #[serde(skip)]
    Asked(SessionMessage),
    /// What the client is told of it; `reconnect`: the client speaks to the node that has it.
    #[serde(skip)]
    Told(SessionMessage),
}

/// A message of the control WebSocket that is passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionMessage {
    /// The client's tenant.
    pub group: GroupId,
    pub message: ControlMessage,
}

/// First bytes of those; JSON begins with another one.
const ASKED: u8 = 1;
const TOLD: u8 = 2;

/// A call within its tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallName {
    pub group: GroupId,
    pub call: CallId,
}

/// Which shards of the sender have a leg of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeLegs {
    pub call: CallName,
    pub shards: Vec<u8>,
}

/// A message between legs of one call on two nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegToLeg {
    pub call: CallName,
    pub from: u8,
    pub to: u8,
    pub said: LegMessage,
}

/// The number of a track of one of the sender's legs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberedTrack {
    pub number: u32,
    pub call: CallName,
    pub from: u8,
    pub track: TrackName,
}

/// What legs of one call tell each other, beside media.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegMessage {
    Greeting {
        is_answer: bool,
    },
    TrackPublished {
        track: TrackName,
        kind: TrackType,
        codec: Codec,
        muted: bool,
        layers: u8,
    },
    TrackEnded {
        track: TrackName,
    },
    TrackMuted {
        track: TrackName,
        muted: bool,
    },
    /// Layers are a set: bit 0 the lowest.
    Layers {
        track: TrackName,
        alive: u8,
    },
    LayersWanted {
        track: TrackName,
        layers: u8,
    },
    /// A layer is its rank from below.
    KeyframeWanted {
        track: TrackName,
        layer: u8,
        is_repair: bool,
    },
    /// Of these packets none came.
    Missing {
        track: TrackName,
        layer: u8,
        first: u64,
        count: u64,
    },
    Presenter {
        session: Option<SessionId>,
    },
}

/// A track within its call: the publisher and a number of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackName {
    pub publisher: SessionId,
    pub number: u32,
}

/// A message could not be read; a later version may have written it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("message of a node: {0}")]
pub struct NodeMessageError(String);

impl NodeMessage {
    /// Writes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Asked(message) => message.encode(ASKED),
            Self::Told(message) => message.encode(TOLD),
            // Texts and numbers in named fields: JSON takes them all.
            Self::Legs(_) | Self::Leg(_) | Self::Track(_) | Self::TrackOver { .. } => {
                serde_json::to_vec(self).unwrap_or_default()
            }
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When it is none that this version knows.
    pub fn decode(bytes: &[u8]) -> Result<Self, NodeMessageError> {
        match bytes.split_first() {
            Some((&ASKED, rest)) => return SessionMessage::decode(rest).map(Self::Asked),
            Some((&TOLD, rest)) => return SessionMessage::decode(rest).map(Self::Told),
            Some(_) | None => {}
        }
        serde_json::from_slice(bytes).map_err(|error| NodeMessageError(error.to_string()))
    }
}

impl SessionMessage {
    /// `what u8 | length of the group u8 | group | message`.
    fn encode(&self, what: u8) -> Vec<u8> {
        let group = self.group.as_str().as_bytes();
        // An id has 128 bytes at most.
        let mut bytes = vec![what, u8::try_from(group.len()).unwrap_or(u8::MAX)];
        bytes.extend_from_slice(group);
        bytes.extend(self.message.encode());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, NodeMessageError> {
        let cut = || NodeMessageError("it ends early".to_owned());
        let (&len, rest) = bytes.split_first().ok_or_else(cut)?;
        let (group, message) = rest.split_at_checked(usize::from(len)).ok_or_else(cut)?;
        let group =
            std::str::from_utf8(group).map_err(|error| NodeMessageError(error.to_string()))?;
        let group = GroupId::parse(group).map_err(|error| NodeMessageError(error.to_string()))?;
        let message = ControlMessage::decode(message, MAX_CONTROL_LEN);
        let message = message.map_err(|error| NodeMessageError(error.to_string()))?;
        Ok(Self { group, message })
    }
}

/// What stands before a packet of a track.
///
/// ```text
/// flags u8 | number varint | shards varint | seq_no varint | timestamp u32 | level u8, if bit 3 | payload
/// flags: bits 0 and 1 the layer's rank, bit 2 the marker, bit 3 a level follows
/// ```
/// Numbers of varying length have seven bits a byte, the lowest first, and bit 7 where more follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaHead {
    /// See `NumberedTrack`.
    pub number: u32,
    /// The receiver's shards whose legs it is for, as bits.
    pub shards: u64,
    /// Rank from below, 0 to 3.
    pub layer: u8,
    pub marker: bool,
    /// Unwrapped sequence number.
    pub seq_no: u64,
    /// In the codec's clock.
    pub timestamp: u32,
    /// RFC 6464 level, 0 loud to 127 silent.
    pub audio_level: Option<u8>,
}

const LAYER_BITS: u8 = 0b11;
const MARKER: u8 = 1 << 2;
const HAS_LEVEL: u8 = 1 << 3;

impl MediaHead {
    /// Writes a packet.
    #[must_use]
    pub fn encode(&self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(payload.len() + 24);
        let mut flags = self.layer & LAYER_BITS;
        flags |= if self.marker { MARKER } else { 0 };
        flags |= if self.audio_level.is_some() {
            HAS_LEVEL
        } else {
            0
        };
        bytes.push(flags);
        put(&mut bytes, u64::from(self.number));
        put(&mut bytes, self.shards);
        put(&mut bytes, self.seq_no);
        bytes.extend_from_slice(&self.timestamp.to_be_bytes());
        bytes.extend(self.audio_level);
        bytes.extend_from_slice(payload);
        bytes
    }

    /// Reads a packet: what is before the payload, and the payload. `None` when it is none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (&flags, rest) = bytes.split_first()?;
        let (number, rest) = take(rest)?;
        let (shards, rest) = take(rest)?;
        let (seq_no, rest) = take(rest)?;
        let (timestamp, rest) = rest.split_first_chunk::<4>()?;
        let (audio_level, payload) = if flags & HAS_LEVEL == 0 {
            (None, rest)
        } else {
            let (&level, payload) = rest.split_first()?;
            (Some(level), payload)
        };
        let head = Self {
            number: u32::try_from(number).ok()?,
            shards,
            layer: flags & LAYER_BITS,
            marker: flags & MARKER != 0,
            seq_no,
            timestamp: u32::from_be_bytes(*timestamp),
            audio_level,
        };
        Some((head, payload))
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or(0));
}

fn take(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    // Ten bytes hold 64 bits.
    for (place, byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        let shift = u32::try_from(place * 7).ok()?;
        // The tenth byte has one bit of use.
        number |= (bits << shift >> shift == bits).then(|| bits << shift)?;
        if byte & 0x80 == 0 {
            return Some((number, bytes.get(place + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> MediaHead {
        MediaHead {
            number: 300,
            shards: 1 << 63 | 1,
            layer: 2,
            marker: true,
            seq_no: u64::MAX,
            timestamp: 0xfffe_0001,
            audio_level: Some(127),
        }
    }

    #[test]
    fn a_packet_is_read_as_it_was_written_and_cut_short_it_is_none() {
        for head in [
            head(),
            MediaHead {
                number: 0,
                shards: 1,
                layer: 0,
                marker: false,
                seq_no: 70_000,
                timestamp: 0,
                audio_level: None,
            },
        ] {
            let bytes = head.encode(b"payload");
            assert_eq!(MediaHead::decode(&bytes), Some((head, &b"payload"[..])));
            for len in 0..bytes.len() - b"payload".len() {
                assert_eq!(MediaHead::decode(&bytes[..len]), None, "{len}");
            }
        }
    }

    #[test]
    fn a_voice_has_eleven_bytes_before_it() {
        let head = MediaHead {
            number: 90,
            shards: 0b10,
            layer: 0,
            marker: false,
            seq_no: 80_000,
            timestamp: 9,
            audio_level: Some(30),
        };
        assert_eq!(head.encode(&[]).len(), 11);
    }

    #[test]
    fn numbers_that_are_too_long_are_refused() {
        let mut bytes = vec![0];
        bytes.extend([0xff; 9]);
        bytes.extend([2, 1, 1, 0, 0, 0, 0]);
        assert_eq!(MediaHead::decode(&bytes), None);
        assert_eq!(
            take(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
            Some((u64::MAX, &[][..]))
        );
    }

    #[test]
    fn a_message_is_read_as_it_was_written_and_a_later_one_is_an_error() {
        let call = CallName {
            group: GroupId::parse("g").unwrap(),
            call: CallId::parse("c").unwrap(),
        };
        let track = TrackName {
            publisher: SessionId::parse("anna").unwrap(),
            number: 3,
        };
        let messages = [
            NodeMessage::Legs(NodeLegs {
                call: call.clone(),
                shards: vec![0, 3],
            }),
            NodeMessage::Leg(LegToLeg {
                call,
                from: 1,
                to: 2,
                said: LegMessage::TrackPublished {
                    track,
                    kind: TrackType::ScreenAudio,
                    codec: Codec::Vp8,
                    muted: true,
                    layers: 0b101,
                },
            }),
            NodeMessage::TrackOver { number: 7 },
            NodeMessage::Asked(SessionMessage {
                group: GroupId::parse("g").unwrap(),
                message: ControlMessage::Leave(SessionId::parse("anna").unwrap()),
            }),
            NodeMessage::Told(SessionMessage {
                group: GroupId::parse("g").unwrap(),
                message: ControlMessage::Close(SessionId::parse("anna").unwrap()),
            }),
        ];
        for message in messages {
            assert_eq!(NodeMessage::decode(&message.encode()), Ok(message));
        }
        for broken in [&[][..], &[1], &[1, 9, b'g'], &[2, 1, b'g', 0xc1]] {
            assert!(NodeMessage::decode(broken).is_err(), "{broken:?}");
        }
        assert!(NodeMessage::decode(br#"{"moved":{"to":1}}"#).is_err());
        let wider = br#"{"track_over":{"number":7,"why":"left"}}"#;
        assert_eq!(
            NodeMessage::decode(wider),
            Ok(NodeMessage::TrackOver { number: 7 })
        );
    }
}
