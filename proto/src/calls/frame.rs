//! The frames of the messaging WebSocket that carry actions and events.
//!
//! Client to server: a text frame holds JSON, a binary frame a MessagePack map; both decode to the
//! same `ClientFrame`. Server to client: JSON text only.
//! Invariant: a byte string of a binary frame stays a byte string (`Field::Bytes`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Largest inbound frame, in bytes. Session descriptions are deflated to stay below it.
pub const MAX_CLIENT_FRAME_BYTES: usize = 8 * 1024;
/// Deepest nesting of a MessagePack value.
const MAX_DEPTH: usize = 32;

/// One value of an action's `data`.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    Json(Value),
    Bytes(Vec<u8>),
}

/// The `data` of an action.
pub type Fields = BTreeMap<String, Field>;

/// One message of a client.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientFrame {
    pub action: String,
    /// Only echoed in replies; clients repeat numbers after a reconnect.
    pub seq: u64,
    pub data: Fields,
}

/// Why a frame is not a client's message.
#[derive(Debug, thiserror::Error)]
pub enum DecodeFrameError {
    #[error("frame of {size} bytes: the limit is {MAX_CLIENT_FRAME_BYTES}")]
    TooLarge { size: usize },
    #[error("text frame is not JSON of `action`, `seq` and `data`")]
    Json(#[source] serde_json::Error),
    #[error("binary frame is not a MessagePack map of `action`, `seq` and `data`")]
    MessagePack,
    #[error("`action` is empty or `seq` is 0")]
    Incomplete,
}

impl ClientFrame {
    /// Reads a text frame.
    ///
    /// # Errors
    /// When it is too large, not such JSON, or names no action.
    pub fn decode_text(text: &str) -> Result<Self, DecodeFrameError> {
        #[derive(Deserialize)]
        struct Text {
            #[serde(default)]
            action: String,
            #[serde(default)]
            seq: u64,
            #[serde(default)]
            data: Option<BTreeMap<String, Value>>,
        }
        check_size(text.len())?;
        let frame: Text = serde_json::from_str(text).map_err(DecodeFrameError::Json)?;
        let data = frame.data.unwrap_or_default();
        let data = data
            .into_iter()
            .map(|(key, value)| (key, Field::Json(value)))
            .collect();
        Self {
            action: frame.action,
            seq: frame.seq,
            data,
        }
        .complete()
    }

    /// Reads a binary frame.
    ///
    /// # Errors
    /// When it is too large, not such a MessagePack map, or names no action.
    pub fn decode_binary(mut bytes: &[u8]) -> Result<Self, DecodeFrameError> {
        check_size(bytes.len())?;
        let Ok(Packed::Map(map)) = Packed::read(&mut bytes, MAX_DEPTH) else {
            return Err(DecodeFrameError::MessagePack);
        };
        let mut frame = Self {
            action: String::new(),
            seq: 0,
            data: Fields::new(),
        };
        for (key, value) in map {
            match (key.as_str(), value) {
                ("action", Packed::Json(Value::String(action))) => frame.action = action,
                ("seq", Packed::Json(seq)) => frame.seq = seq.as_u64().unwrap_or(0),
                ("data", Packed::Map(data)) => {
                    frame.data = data.into_iter().map(|(k, v)| (k, v.into_field())).collect();
                }
                _ => {}
            }
        }
        frame.complete()
    }

    /// Writes a text frame. Byte strings have no JSON form and are left out.
    #[must_use]
    pub fn encode_text(&self) -> String {
        let data: Map<String, Value> = self
            .data
            .iter()
            .filter_map(|(key, field)| match field {
                Field::Json(value) => Some((key.clone(), value.clone())),
                Field::Bytes(_) => None,
            })
            .collect();
        json!({ "action": self.action, "seq": self.seq, "data": data }).to_string()
    }

    /// Writes a binary frame.
    #[must_use]
    pub fn encode_binary(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_map_len(&mut out, 3);
        write_str(&mut out, "action");
        write_str(&mut out, &self.action);
        write_str(&mut out, "seq");
        // Writing to a Vec cannot fail, here and below.
        let _ = rmp::encode::write_uint(&mut out, self.seq);
        write_str(&mut out, "data");
        write_map_len(&mut out, self.data.len());
        for (key, field) in &self.data {
            write_str(&mut out, key);
            match field {
                Field::Json(value) => write_json(&mut out, value),
                Field::Bytes(bytes) => {
                    let _ = rmp::encode::write_bin(&mut out, bytes);
                }
            }
        }
        out
    }

    fn complete(self) -> Result<Self, DecodeFrameError> {
        if self.action.is_empty() || self.seq == 0 {
            Err(DecodeFrameError::Incomplete)
        } else {
            Ok(self)
        }
    }
}

/// One message of the server.
#[derive(Debug, Clone, PartialEq)]
pub enum ServerFrame {
    Event(EventFrame),
    Reply(Reply),
}

/// An event with its addressees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventFrame {
    pub event: String,
    #[serde(default)]
    pub data: Map<String, Value>,
    #[serde(default)]
    pub broadcast: Broadcast,
    #[serde(default)]
    pub seq: i64,
}

/// Whom an event was sent to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Broadcast {
    pub omit_users: Option<BTreeMap<String, bool>>,
    pub user_id: String,
    pub channel_id: String,
    pub team_id: String,
    pub connection_id: String,
    pub omit_connection_id: String,
}

/// The answer to an action of the core server; actions of calls get none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    pub status: String,
    pub seq_reply: i64,
    #[serde(default)]
    pub data: Option<Map<String, Value>>,
    #[serde(default)]
    pub error: Option<Value>,
}

impl ServerFrame {
    /// Reads a server's text frame.
    ///
    /// # Errors
    /// When it is neither an event nor a reply.
    pub fn decode(text: &str) -> Result<Self, serde_json::Error> {
        let value: Value = serde_json::from_str(text)?;
        if value.get("event").is_some() {
            serde_json::from_value(value).map(Self::Event)
        } else {
            serde_json::from_value(value).map(Self::Reply)
        }
    }
}

fn check_size(size: usize) -> Result<(), DecodeFrameError> {
    if size > MAX_CLIENT_FRAME_BYTES {
        Err(DecodeFrameError::TooLarge { size })
    } else {
        Ok(())
    }
}

/// A MessagePack value on its way to a `Field`.
enum Packed {
    Json(Value),
    Bytes(Vec<u8>),
    Map(Vec<(String, Self)>),
    Array(Vec<Self>),
}

impl Packed {
    fn read(bytes: &mut &[u8], depth: usize) -> Result<Self, ()> {
        use rmp::Marker as M;
        let depth = depth.checked_sub(1).ok_or(())?;
        let rest = *bytes;
        let marker = rmp::decode::read_marker(bytes).map_err(|_| ())?;
        *bytes = rest;
        match marker {
            M::Null => rmp::decode::read_nil(bytes)
                .map(|()| Self::Json(Value::Null))
                .map_err(drop),
            M::True | M::False => rmp::decode::read_bool(bytes)
                .map(|b| Self::Json(b.into()))
                .map_err(drop),
            M::F32 => rmp::decode::read_f32(bytes)
                .map(|f| Self::Json(f.into()))
                .map_err(drop),
            M::F64 => rmp::decode::read_f64(bytes)
                .map(|f| Self::Json(f.into()))
                .map_err(drop),
            M::U64 => rmp::decode::read_u64(bytes)
                .map(|n| Self::Json(n.into()))
                .map_err(drop),
            M::FixPos(_)
            | M::FixNeg(_)
            | M::U8
            | M::U16
            | M::U32
            | M::I8
            | M::I16
            | M::I32
            | M::I64 => rmp::decode::read_int::<i64, _>(bytes)
                .map(|n| Self::Json(n.into()))
                .map_err(drop),
            M::FixStr(_) | M::Str8 | M::Str16 | M::Str32 => {
                read_str(bytes).map(|text| Self::Json(text.into()))
            }
            M::Bin8 | M::Bin16 | M::Bin32 => {
                let len = rmp::decode::read_bin_len(bytes).map_err(drop)?;
                take(bytes, len).map(|bin| Self::Bytes(bin.to_vec()))
            }
            M::FixMap(_) | M::Map16 | M::Map32 => Self::read_map(bytes, depth),
            M::FixArray(_) | M::Array16 | M::Array32 => {
                let len = rmp::decode::read_array_len(bytes).map_err(drop)?;
                // Every element takes at least one byte, so a lying length ends at the input's end.
                (0..len)
                    .map(|_| Self::read(bytes, depth))
                    .collect::<Result<_, _>>()
                    .map(Self::Array)
            }
            M::FixExt1
            | M::FixExt2
            | M::FixExt4
            | M::FixExt8
            | M::FixExt16
            | M::Ext8
            | M::Ext16
            | M::Ext32
            | M::Reserved => Err(()),
        }
    }

    fn read_map(bytes: &mut &[u8], depth: usize) -> Result<Self, ()> {
        let len = rmp::decode::read_map_len(bytes).map_err(drop)?;
        (0..len)
            .map(|_| Ok((read_str(bytes)?, Self::read(bytes, depth)?)))
            .collect::<Result<_, ()>>()
            .map(Self::Map)
    }

    fn into_field(self) -> Field {
        match self {
            Self::Bytes(bytes) => Field::Bytes(bytes),
            Self::Json(value) => Field::Json(value),
            other @ (Self::Map(_) | Self::Array(_)) => Field::Json(other.into_json()),
        }
    }

    fn into_json(self) -> Value {
        match self {
            Self::Json(value) => value,
            // Nested byte strings have no meaning in this protocol.
            Self::Bytes(_) => Value::Null,
            Self::Map(map) => map.into_iter().map(|(k, v)| (k, v.into_json())).collect(),
            Self::Array(items) => items.into_iter().map(Self::into_json).collect(),
        }
    }
}

fn read_str(bytes: &mut &[u8]) -> Result<String, ()> {
    let len = rmp::decode::read_str_len(bytes).map_err(drop)?;
    let text = take(bytes, len)?;
    std::str::from_utf8(text).map(str::to_owned).map_err(drop)
}

fn take<'a>(bytes: &mut &'a [u8], len: u32) -> Result<&'a [u8], ()> {
    let len = usize::try_from(len).map_err(drop)?;
    let (head, tail) = bytes.split_at_checked(len).ok_or(())?;
    *bytes = tail;
    Ok(head)
}

fn write_str(out: &mut Vec<u8>, text: &str) {
    let _ = rmp::encode::write_str(out, text);
}

fn write_map_len(out: &mut Vec<u8>, len: usize) {
    let _ = rmp::encode::write_map_len(out, u32::try_from(len).unwrap_or(u32::MAX));
}

fn write_json(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => {
            let _ = rmp::encode::write_nil(out);
        }
        Value::Bool(flag) => {
            let _ = rmp::encode::write_bool(out, *flag);
        }
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_str(out, text),
        Value::Array(items) => {
            let len = u32::try_from(items.len()).unwrap_or(u32::MAX);
            let _ = rmp::encode::write_array_len(out, len);
            items.iter().for_each(|item| write_json(out, item));
        }
        Value::Object(map) => {
            write_map_len(out, map.len());
            for (key, item) in map {
                write_str(out, key);
                write_json(out, item);
            }
        }
    }
}

fn write_number(out: &mut Vec<u8>, number: &serde_json::Number) {
    if let Some(n) = number.as_u64() {
        let _ = rmp::encode::write_uint(out, n);
    } else if let Some(n) = number.as_i64() {
        let _ = rmp::encode::write_sint(out, n);
    } else {
        let _ = rmp::encode::write_f64(out, number.as_f64().unwrap_or(0.0));
    }
}
