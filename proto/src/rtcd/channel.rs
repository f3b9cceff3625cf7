//! Messages of the data channel `calls-dc`: a MessagePack number and, for most, one value.
//!
//! In: one data channel message. Out: a `ChannelMessage`. Numbers are accepted in any width, SDP
//! travels as zlib of its JSON with a limit on what comes out. Older mobile apps send the bare
//! text `ping` and expect the text `pong`.
//! Invariant: everything but `LegacyPong` is sent as binary; browsers cannot read text here.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::control::DecodeError;
use super::{SessionDescription, TrackType};
use crate::msgpack::{Reader, Token, Writer};

/// Largest session description accepted after inflating, in bytes of its JSON. Browsers need about
/// 1 KB for each voice of a call: 104 KB in one of a hundred.
pub const MAX_SDP_LEN: usize = 512 * 1024;

/// A message of the data channel.
#[derive(Debug, Clone, PartialEq)]
pub enum ChannelMessage {
    Ping,
    Pong,
    /// The text `ping` of older mobile apps.
    LegacyPing,
    /// The text `pong`, the answer to `LegacyPing`.
    LegacyPong,
    Sdp(SessionDescription),
    /// Share of packets lost, 0 to 1.
    LossRate(f64),
    /// Seconds.
    RoundTripTime(f64),
    /// Seconds.
    Jitter(f64),
    /// The participant asks for the signalling lock.
    Lock,
    /// The answer to `Lock`.
    LockResult(bool),
    Unlock,
    /// What every m-line the server sends on shows, by mid; always the full map.
    MediaMap(BTreeMap<String, MediaMapEntry>),
    /// A number this version does not know.
    Unknown(i64),
}

/// What one m-line shows, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaMapEntry {
    pub kind: TrackType,
    /// The publisher's session id. Text, because old servers wrote other things here.
    pub sender: String,
}

impl ChannelMessage {
    /// Reads one message.
    ///
    /// # Errors
    /// When the bytes end early, the value has the wrong type, or SDP does not inflate to JSON
    /// within `MAX_SDP_LEN`.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        match bytes {
            b"ping" => return Ok(Self::LegacyPing),
            b"pong" => return Ok(Self::LegacyPong),
            _ => {}
        }
        let mut reader = Reader::new(bytes);
        let Token::Int(number) = reader.value().ok_or(DecodeError::Truncated)? else {
            return Err(DecodeError::WrongShape {
                what: "message number",
            });
        };
        Ok(match number {
            1 => Self::Ping,
            2 => Self::Pong,
            3 => Self::Sdp(decode_sdp(&mut reader)?),
            4 => Self::LossRate(decode_number(&mut reader)?),
            5 => Self::RoundTripTime(decode_number(&mut reader)?),
            6 => Self::Jitter(decode_number(&mut reader)?),
            7 if reader.is_empty() => Self::Lock,
            7 => match reader.value().ok_or(DecodeError::Truncated)? {
                Token::Bool(granted) => Self::LockResult(granted),
                Token::Nil => Self::Lock,
                Token::Int(_)
                | Token::BigInt(_)
                | Token::Float(_)
                | Token::Text(_)
                | Token::Bytes(_)
                | Token::Array(_)
                | Token::Map(_)
                | Token::Ext => {
                    return Err(DecodeError::WrongShape {
                        what: "lock result",
                    });
                }
            },
            8 => Self::Unlock,
            9 => Self::MediaMap(decode_media_map(&mut reader)?),
            other => Self::Unknown(other),
        })
    }

    /// Writes the message; `is_text` says how it must be sent.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        match self {
            Self::LegacyPing => return b"ping".to_vec(),
            Self::LegacyPong => return b"pong".to_vec(),
            Self::Ping => writer.wide_u8(1),
            Self::Pong => writer.wide_u8(2),
            Self::Sdp(description) => {
                writer.wide_u8(3);
                writer.bin(&deflate(description.to_json().as_bytes()));
            }
            Self::LossRate(ratio) => {
                writer.wide_u8(4);
                writer.f64(*ratio);
            }
            Self::RoundTripTime(seconds) => {
                writer.wide_u8(5);
                writer.f64(*seconds);
            }
            Self::Jitter(seconds) => {
                writer.wide_u8(6);
                writer.f64(*seconds);
            }
            Self::Lock => writer.wide_u8(7),
            Self::LockResult(granted) => {
                writer.wide_u8(7);
                writer.bool(*granted);
            }
            Self::Unlock => writer.wide_u8(8),
            Self::MediaMap(entries) => {
                writer.wide_u8(9);
                writer.map(entries.len());
                for (mid, entry) in entries {
                    writer.str(mid);
                    writer.map(2);
                    writer.str("type");
                    writer.str(entry.kind.as_str());
                    writer.str("sender_id");
                    writer.str(&entry.sender);
                }
            }
            Self::Unknown(number) => {
                writer.wide_u8(u8::try_from(*number).unwrap_or(u8::MAX));
            }
        }
        writer.finish()
    }

    /// Whether the message is sent as text (PPID 51) rather than binary (PPID 53).
    #[must_use]
    pub fn is_text(&self) -> bool {
        matches!(self, Self::LegacyPing | Self::LegacyPong)
    }
}

fn decode_number(reader: &mut Reader<'_>) -> Result<f64, DecodeError> {
    reader
        .value()
        .ok_or(DecodeError::Truncated)?
        .number()
        .filter(|number| number.is_finite())
        .ok_or(DecodeError::WrongShape {
            what: "measured number",
        })
}

fn decode_sdp(reader: &mut Reader<'_>) -> Result<SessionDescription, DecodeError> {
    let Some(compressed) = reader.value().ok_or(DecodeError::Truncated)?.bytes() else {
        return Err(DecodeError::WrongShape {
            what: "compressed session description",
        });
    };
    let json = inflate(compressed)?;
    SessionDescription::from_json(&json).map_err(|_| DecodeError::Json)
}

fn decode_media_map(
    reader: &mut Reader<'_>,
) -> Result<BTreeMap<String, MediaMapEntry>, DecodeError> {
    const WHAT: DecodeError = DecodeError::WrongShape { what: "media map" };
    let Token::Map(len) = reader.token().ok_or(DecodeError::Truncated)? else {
        return Err(WHAT);
    };
    let mut entries = BTreeMap::new();
    for _ in 0..len {
        let mid = reader
            .value()
            .ok_or(DecodeError::Truncated)?
            .text()
            .ok_or(WHAT)?;
        let Token::Map(fields) = reader.token().ok_or(DecodeError::Truncated)? else {
            return Err(WHAT);
        };
        let (mut kind, mut sender) = (None, "");
        for _ in 0..fields {
            let key = reader.value().ok_or(DecodeError::Truncated)?;
            let value = reader.value().ok_or(DecodeError::Truncated)?;
            match key.text() {
                Some("type") => kind = value.text().and_then(TrackType::parse),
                Some("sender_id") => sender = value.text().unwrap_or_default(),
                Some(_) | None => {}
            }
        }
        // An entry of a type from the future must not hide the others.
        if let Some(kind) = kind {
            entries.insert(
                mid.to_owned(),
                MediaMapEntry {
                    kind,
                    sender: sender.to_owned(),
                },
            );
        }
    }
    Ok(entries)
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("writing to a vector succeeds")
}

fn inflate(compressed: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let limit = u64::try_from(MAX_SDP_LEN).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    // One byte more than allowed tells "exactly the limit" from "more than the limit".
    let read = ZlibDecoder::new(compressed)
        .take(limit + 1)
        .read_to_end(&mut bytes);
    if read.is_ok() && bytes.len() <= MAX_SDP_LEN {
        Ok(bytes)
    } else {
        Err(DecodeError::Inflate { limit: MAX_SDP_LEN })
    }
}
