//! The frames of the messaging WebSocket that carry actions and events.
//!
//! Client to server: a text frame holds JSON, a binary frame a MessagePack map; both decode to the
//! same `ClientFrame`. Server to client: JSON text only.
//! Invariant: a byte string of a binary frame stays a byte string (`Field::Bytes`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::msgpack::{Reader, Token, Writer};

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
    pub fn decode_binary(bytes: &[u8]) -> Result<Self, DecodeFrameError> {
        check_size(bytes.len())?;
        let Some(Packed::Map(map)) = Packed::read(&mut Reader::new(bytes), MAX_DEPTH) else {
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
        let mut out = Writer::default();
        out.map(3);
        out.str("action");
        out.str(&self.action);
        out.str("seq");
        out.u64(self.seq);
        out.str("data");
        out.map(self.data.len());
        for (key, field) in &self.data {
            out.str(key);
            match field {
                Field::Json(value) => write_json(&mut out, value),
                Field::Bytes(bytes) => out.bin(bytes),
            }
        }
        out.finish()
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
    fn read(reader: &mut Reader<'_>, depth: usize) -> Option<Self> {
        let depth = depth.checked_sub(1)?;
        Some(match reader.token()? {
            Token::Nil => Self::Json(Value::Null),
            Token::Bool(flag) => Self::Json(flag.into()),
            Token::Int(number) => Self::Json(number.into()),
            Token::BigInt(number) => Self::Json(number.into()),
            Token::Float(number) => Self::Json(number.into()),
            Token::Text(text) => Self::Json(std::str::from_utf8(text).ok()?.into()),
            Token::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
            // Every element takes at least one byte, so a lying length ends at the input's end.
            Token::Map(len) => {
                let entries = (0..len).map(|_| Some((key(reader)?, Self::read(reader, depth)?)));
                Self::Map(entries.collect::<Option<_>>()?)
            }
            Token::Array(len) => {
                let items = (0..len).map(|_| Self::read(reader, depth));
                Self::Array(items.collect::<Option<_>>()?)
            }
            Token::Ext => return None,
        })
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

fn key(reader: &mut Reader<'_>) -> Option<String> {
    match reader.token()? {
        Token::Text(text) => std::str::from_utf8(text).ok().map(str::to_owned),
        Token::Nil
        | Token::Bool(_)
        | Token::Int(_)
        | Token::BigInt(_)
        | Token::Float(_)
        | Token::Bytes(_)
        | Token::Array(_)
        | Token::Map(_)
        | Token::Ext => None,
    }
}

fn write_json(out: &mut Writer, value: &Value) {
    match value {
        Value::Null => out.nil(),
        Value::Bool(flag) => out.bool(*flag),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => out.str(text),
        Value::Array(items) => {
            out.array(items.len());
            items.iter().for_each(|item| write_json(out, item));
        }
        Value::Object(map) => {
            out.map(map.len());
            for (key, item) in map {
                out.str(key);
                write_json(out, item);
            }
        }
    }
}

fn write_number(out: &mut Writer, number: &serde_json::Number) {
    if let Some(n) = number.as_u64() {
        out.u64(n);
    } else if let Some(n) = number.as_i64() {
        out.i64(n);
    } else {
        out.f64(number.as_f64().unwrap_or(0.0));
    }
}
