//! What clients say on the WebSocket: JSON text frames and MessagePack binary frames.
//!
//! Both carry `{action, seq, data}`. A byte string of a binary frame stays a byte string.
//! Invariant: no input panics; depth is limited, and nothing is allocated ahead of its bytes.

use serde_json::{Map, Number, Value};

use crate::model::{ActionData, ActionValue};

/// Deepest nesting accepted in a binary frame. (JSON has its own limit of 128.)
const MAX_DEPTH: usize = 16;

/// One request of a client.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    pub(super) action: String,
    pub(super) seq: i64,
    pub(super) data: ActionData,
}

/// A frame could not be read; the text goes to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    #[error("a text frame holds a JSON object")]
    Json,
    #[error("a binary frame holds a MessagePack map")]
    MessagePack,
    #[error("a frame has `action` (text), `seq` (number), and `data` (map) or none")]
    Fields,
}

/// Reads a text frame.
pub(super) fn decode_text(text: &str) -> Result<Request, FrameError> {
    let value: Value = serde_json::from_str(text).map_err(|_| FrameError::Json)?;
    let Value::Object(mut fields) = value else {
        return Err(FrameError::Json);
    };
    let data = match fields.remove("data") {
        None | Some(Value::Null) => ActionData::default(),
        Some(Value::Object(data)) => ActionData {
            fields: data
                .into_iter()
                .map(|(k, v)| (k, ActionValue::Json(v)))
                .collect(),
        },
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            return Err(FrameError::Fields);
        }
    };
    request(fields.remove("action"), fields.remove("seq"), data)
}

/// Reads a binary frame.
pub(super) fn decode_binary(bytes: &[u8]) -> Result<Request, FrameError> {
    let mut reader = Reader { rest: bytes };
    let Some(Item::Map(fields)) = reader.item(0) else {
        return Err(FrameError::MessagePack);
    };
    let (mut action, mut seq, mut data) = (None, None, ActionData::default());
    for (key, item) in fields {
        match (key.as_str(), item) {
            ("action", item) => action = item.into_json(),
            ("seq", item) => seq = item.into_json(),
            ("data", Item::Map(entries)) => {
                for (key, item) in entries {
                    let value = match item {
                        Item::Bytes(bytes) => ActionValue::Bytes(bytes),
                        Item::Json(_) | Item::Map(_) | Item::List(_) => {
                            ActionValue::Json(item.into_json().ok_or(FrameError::Fields)?)
                        }
                    };
                    data.fields.insert(key, value);
                }
            }
            ("data", Item::Json(Value::Null)) => {}
            ("data", _) => return Err(FrameError::Fields),
            _ => {}
        }
    }
    request(action, seq, data)
}

fn request(
    action: Option<Value>,
    seq: Option<Value>,
    data: ActionData,
) -> Result<Request, FrameError> {
    let action = match action {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(action)) => action,
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            return Err(FrameError::Fields);
        }
    };
    let seq = match seq {
        None | Some(Value::Null) => 0,
        Some(seq) => seq.as_i64().ok_or(FrameError::Fields)?,
    };
    Ok(Request { action, seq, data })
}

/// A MessagePack value. Only maps with text keys are read.
#[derive(Debug, PartialEq)]
enum Item {
    Json(Value),
    Bytes(Vec<u8>),
    Map(Vec<(String, Self)>),
    List(Vec<Self>),
}

impl Item {
    /// As JSON; `None` when there is a byte string inside.
    fn into_json(self) -> Option<Value> {
        match self {
            Self::Json(value) => Some(value),
            Self::Bytes(_) => None,
            Self::List(items) => items
                .into_iter()
                .map(Self::into_json)
                .collect::<Option<Vec<_>>>()
                .map(Value::Array),
            Self::Map(fields) => fields
                .into_iter()
                .map(|(key, item)| Some((key, item.into_json()?)))
                .collect::<Option<Map<_, _>>>()
                .map(Value::Object),
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(count)?;
        self.rest = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn unsigned(&mut self, width: usize) -> Option<u64> {
        Some(
            self.take(width)?
                .iter()
                .fold(0, |number, byte| (number << 8) | u64::from(*byte)),
        )
    }

    fn length(&mut self, width: usize) -> Option<usize> {
        usize::try_from(self.unsigned(width)?).ok()
    }

    fn text(&mut self, length: usize) -> Option<Item> {
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        Some(Item::Json(Value::from(text)))
    }

    fn bytes(&mut self, length: usize) -> Option<Item> {
        Some(Item::Bytes(self.take(length)?.to_vec()))
    }

    fn list(&mut self, length: usize, depth: usize) -> Option<Item> {
        (0..length)
            .map(|_| self.item(depth + 1))
            .collect::<Option<Vec<_>>>()
            .map(Item::List)
    }

    fn map(&mut self, length: usize, depth: usize) -> Option<Item> {
        let mut fields = Vec::new();
        for _ in 0..length {
            let Item::Json(Value::String(key)) = self.item(depth + 1)? else {
                return None;
            };
            fields.push((key, self.item(depth + 1)?));
        }
        Some(Item::Map(fields))
    }

    fn float(number: f64) -> Option<Item> {
        // a whole number stays one: JavaScript writes 3 as a float now and then
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 53 bits")]
        let whole = (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64);
        let value = whole
            .map(Number::from)
            .or_else(|| Number::from_f64(number))?;
        Some(Item::Json(Value::Number(value)))
    }

    fn number(value: impl Into<Number>) -> Item {
        Item::Json(Value::Number(value.into()))
    }

    fn item(&mut self, depth: usize) -> Option<Item> {
        if depth > MAX_DEPTH {
            return None;
        }
        let [marker] = self.array()?;
        let low = |mask: u8| usize::from(marker & mask);
        match marker {
            0x00..=0x7f => Some(Self::number(marker)),
            0x80..=0x8f => self.map(low(0x0f), depth),
            0x90..=0x9f => self.list(low(0x0f), depth),
            0xa0..=0xbf => self.text(low(0x1f)),
            0xc0 => Some(Item::Json(Value::Null)),
            0xc2 => Some(Item::Json(Value::Bool(false))),
            0xc3 => Some(Item::Json(Value::Bool(true))),
            0xc4..=0xc6 => self
                .length(1 << (marker - 0xc4))
                .and_then(|n| self.bytes(n)),
            0xca => Self::float(f64::from(f32::from_be_bytes(self.array()?))),
            0xcb => Self::float(f64::from_be_bytes(self.array()?)),
            0xcc..=0xcf => self.unsigned(1 << (marker - 0xcc)).map(Self::number),
            0xd0 => Some(Self::number(i8::from_be_bytes(self.array()?))),
            0xd1 => Some(Self::number(i16::from_be_bytes(self.array()?))),
            0xd2 => Some(Self::number(i32::from_be_bytes(self.array()?))),
            0xd3 => Some(Self::number(i64::from_be_bytes(self.array()?))),
            0xd9..=0xdb => self.length(1 << (marker - 0xd9)).and_then(|n| self.text(n)),
            0xdc | 0xdd => self
                .length(2 << (marker - 0xdc))
                .and_then(|n| self.list(n, depth)),
            0xde | 0xdf => self
                .length(2 << (marker - 0xde))
                .and_then(|n| self.map(n, depth)),
            0xe0..=0xff => Some(Self::number(i8::from_be_bytes([marker]))),
            // 0xc1 is never used; 0xc7 to 0xc9 and 0xd4 to 0xd8 are extensions
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_and_binary_frames_say_the_same() {
        let text = decode_text(r#"{"action":"ping","seq":3,"data":{"a":[1,null,"x"]}}"#).unwrap();
        // {action: "ping", seq: 3, data: {a: [1, nil, "x"]}}
        let bytes = b"\x83\xa6action\xa4ping\xa3seq\x03\xa4data\x81\xa1a\x93\x01\xc0\xa1x";
        assert_eq!(decode_binary(bytes).unwrap(), text);
        assert_eq!(
            text.data.fields["a"],
            ActionValue::Json(json!([1, null, "x"]))
        );
    }

    #[test]
    fn byte_strings_stay_bytes() {
        let bytes = b"\x83\xa6action\xa1s\xa3seq\xcc\x05\xa4data\x81\xa4data\xc4\x03\x00\xff\x01";
        let request = decode_binary(bytes).unwrap();
        assert_eq!(request.seq, 5);
        assert_eq!(
            request.data.fields["data"],
            ActionValue::Bytes(vec![0, 255, 1])
        );
    }

    #[test]
    fn numbers_of_every_width_are_read() {
        let mut bytes = b"\x83\xa6action\xa1s\xa3seq\xcd\x01\x00\xa4data\x86".to_vec();
        bytes.extend(b"\xa1a\xcb\x40\x08\x00\x00\x00\x00\x00\x00\xa1b\xca\x3f\x00\x00\x00");
        bytes.extend(b"\xa1c\xd1\xff\xfe\xa1d\xff\xa1e\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
        bytes.extend(b"\xa1f\xd3\xff\xff\xff\xff\xff\xff\xff\xf0");
        let request = decode_binary(&bytes).unwrap();
        assert_eq!(request.seq, 256);
        let field = |name: &str| match &request.data.fields[name] {
            ActionValue::Json(value) => value.clone(),
            ActionValue::Bytes(_) => panic!("`{name}` is a number"),
        };
        assert_eq!(field("a"), json!(3));
        assert_eq!(field("b"), json!(0.5));
        assert_eq!(field("c"), json!(-2));
        assert_eq!(field("d"), json!(-1));
        assert_eq!(field("e"), json!(u64::MAX));
        assert_eq!(field("f"), json!(-16));
    }

    #[test]
    fn data_may_be_absent_or_null() {
        for text in [
            r#"{"action":"a","seq":1}"#,
            r#"{"action":"a","seq":1,"data":null}"#,
        ] {
            assert_eq!(decode_text(text).unwrap().data, ActionData::default());
        }
        assert_eq!(decode_text(r#"{"action":1}"#), Err(FrameError::Fields));
        assert_eq!(decode_text(r#"{"data":[]}"#), Err(FrameError::Fields));
        assert_eq!(decode_text("[]"), Err(FrameError::Json));
    }

    #[test]
    fn no_bytes_panic_and_no_length_is_believed() {
        // maps, lists, texts that claim four thousand million elements
        for marker in [0xdd, 0xdf, 0xdb, 0xc6] {
            assert!(decode_binary(&[marker, 0xff, 0xff, 0xff, 0xff]).is_err());
        }
        assert!(decode_binary(&[0x91; 8192]).is_err());
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for round in 0..20_000 {
            let bytes: Vec<u8> = (0..round % 64)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    state.to_be_bytes()[0]
                })
                .collect();
            let mut map = vec![0x83];
            map.extend(&bytes);
            drop(decode_binary(&bytes));
            drop(decode_binary(&map));
            drop(decode_text(&String::from_utf8_lossy(&bytes)));
        }
    }
}
