//! Reading the fields of actions: types and limits.
//!
//! Invariant: what comes out is within the limits of `calls`; what is refused is named.

use serde_json::Value;

use super::{Caption, CaptionLine, DecodeActionError, Emoji, Join, Metric, MetricName, Reconnect};
use crate::calls::frame::{Field, Fields};
use crate::calls::sdp::{self, Description};
use crate::calls::{
    MAX_CAPTION_BYTES, MAX_CAPTION_WORD_BYTES, MAX_NAME_BYTES, MAX_SMALL_JSON_BYTES,
    MAX_TITLE_CHARS,
};
use crate::id::{ChannelId, ConnId, InvalidId, JobId, PostId, SessionId};

pub(super) fn join(data: &Fields) -> Result<Join, DecodeActionError> {
    let reader = Reader {
        action: "join",
        data,
    };
    Ok(Join {
        channel: reader.id("channelID", ChannelId::parse)?,
        title: reader.title()?,
        thread: reader.optional_id("threadID", PostId::parse)?,
        job: reader.optional_id("jobID", JobId::parse)?,
        av1_support: reader.flag("av1Support"),
        dc_signalling: reader.flag("dcSignaling"),
    })
}

pub(super) fn reconnect(data: &Fields) -> Result<Reconnect, DecodeActionError> {
    let reader = Reader {
        action: "reconnect",
        data,
    };
    Ok(Reconnect {
        channel: reader.id("channelID", ChannelId::parse)?,
        original: reader.id("originalConnID", ConnId::parse)?,
        previous: reader.id("prevConnID", ConnId::parse)?,
    })
}

pub(super) fn sdp(data: &Fields) -> Result<Description, DecodeActionError> {
    let Some(Field::Bytes(bytes)) = data.get("data") else {
        return Err(DecodeActionError::Field {
            action: "sdp",
            field: "data",
            expected: "a byte string in a MessagePack frame",
        });
    };
    sdp::inflate(bytes).map_err(DecodeActionError::Sdp)
}

pub(super) fn stream(action: &'static str, data: &Fields) -> Result<String, DecodeActionError> {
    let (_, value) = Reader { action, data }.json_text("data")?;
    let key = if action == "screen_on" {
        "screenStreamID"
    } else {
        "videoStreamID"
    };
    match value.get(key).and_then(Value::as_str) {
        Some(stream) if !stream.is_empty() => Ok(stream.to_owned()),
        _ => Err(DecodeActionError::Field {
            action,
            field: "data",
            expected: "JSON text with the MediaStream's id",
        }),
    }
}

pub(super) fn emoji(data: &Fields) -> Result<Emoji, DecodeActionError> {
    let (_, value) = Reader {
        action: "react",
        data,
    }
    .json_text("data")?;
    let emoji: Emoji = serde_json::from_value(value).map_err(|source| DecodeActionError::Json {
        action: "react",
        field: "data",
        source,
    })?;
    for (field, text) in [
        ("name", &emoji.name),
        ("skin", &emoji.skin),
        ("unified", &emoji.unified),
    ] {
        within("react", field, text, MAX_NAME_BYTES)?;
    }
    within("react", "literal", &emoji.literal, MAX_NAME_BYTES)?;
    Ok(emoji)
}

pub(super) fn caption(data: &Fields) -> Result<Caption, DecodeActionError> {
    let reader = Reader {
        action: "caption",
        data,
    };
    let text = reader.text_or_empty("text", MAX_CAPTION_BYTES)?;
    let new_audio_len_ms = reader.json("new_audio_len_ms").and_then(Value::as_f64);
    Ok(Caption {
        session: reader.id("session_id", SessionId::parse)?,
        text,
        new_audio_len_ms: new_audio_len_ms.filter(|ms| *ms >= 0.0).unwrap_or(0.0),
        line: caption_line(&reader),
    })
}

/// Keys of ours; a caption in which they are missing or of no use is a caption all the same.
fn caption_line(reader: &Reader<'_>) -> Option<CaptionLine> {
    let settled_len = reader.json("settled_len").and_then(Value::as_u64)?;
    Some(CaptionLine {
        utterance: reader.text("utterance_id", MAX_CAPTION_WORD_BYTES).ok()??,
        is_final: reader.flag("final"),
        settled_len: u32::try_from(settled_len).ok()?,
        language: reader.text("language", MAX_CAPTION_WORD_BYTES).ok()??,
        is_notice: reader.flag("notice"),
    })
}

pub(super) fn metric(data: &Fields) -> Result<Metric, DecodeActionError> {
    let reader = Reader {
        action: "metric",
        data,
    };
    let name = reader.text_or_empty("metric_name", MAX_NAME_BYTES)?;
    let name = MetricName::ALL
        .into_iter()
        .find(|known| known.as_str() == name);
    let name = name.ok_or(DecodeActionError::Field {
        action: "metric",
        field: "metric_name",
        expected: "one of the measurements clients may send",
    })?;
    Ok(Metric {
        name,
        session: reader.optional_id("session_id", SessionId::parse)?,
        data: reader.text_or_empty("data", MAX_SMALL_JSON_BYTES)?,
    })
}

/// Reads the fields of one action.
pub(super) struct Reader<'a> {
    pub(super) action: &'static str,
    pub(super) data: &'a Fields,
}

impl Reader<'_> {
    fn json(&self, field: &str) -> Option<&Value> {
        match self.data.get(field) {
            Some(Field::Json(value)) => Some(value),
            Some(Field::Bytes(_)) | None => None,
        }
    }

    fn flag(&self, field: &str) -> bool {
        self.json(field).and_then(Value::as_bool).unwrap_or(false)
    }

    fn text(&self, field: &'static str, limit: usize) -> Result<Option<String>, DecodeActionError> {
        let value = match self.data.get(field) {
            None | Some(Field::Json(Value::Null)) => return Ok(None),
            Some(Field::Json(value)) => value.as_str(),
            Some(Field::Bytes(_)) => None,
        };
        let text = value.ok_or(DecodeActionError::Field {
            action: self.action,
            field,
            expected: "a string",
        })?;
        within(self.action, field, text, limit)?;
        Ok(Some(text.to_owned()))
    }

    fn text_or_empty(
        &self,
        field: &'static str,
        limit: usize,
    ) -> Result<String, DecodeActionError> {
        Ok(self.text(field, limit)?.unwrap_or_default())
    }

    pub(super) fn id<T>(
        &self,
        field: &'static str,
        parse: impl Fn(String) -> Result<T, InvalidId>,
    ) -> Result<T, DecodeActionError> {
        self.optional_id(field, parse)?
            .ok_or(DecodeActionError::Field {
                action: self.action,
                field,
                expected: "an id",
            })
    }

    /// One that is too long is cut, and names the call all the same.
    fn title(&self) -> Result<String, DecodeActionError> {
        let title = self.text_or_empty("title", usize::MAX)?;
        Ok(title.chars().take(MAX_TITLE_CHARS).collect())
    }

    /// An empty string is no id.
    fn optional_id<T>(
        &self,
        field: &'static str,
        parse: impl Fn(String) -> Result<T, InvalidId>,
    ) -> Result<Option<T>, DecodeActionError> {
        match self
            .text(field, MAX_NAME_BYTES)?
            .filter(|text| !text.is_empty())
        {
            None => Ok(None),
            Some(text) => parse(text)
                .map(Some)
                .map_err(|source| DecodeActionError::Id {
                    action: self.action,
                    field,
                    source,
                }),
        }
    }

    /// A string that holds JSON: the text and what it says.
    pub(super) fn json_text(
        &self,
        field: &'static str,
    ) -> Result<(String, Value), DecodeActionError> {
        let action = self.action;
        let text = self
            .text(field, MAX_SMALL_JSON_BYTES)?
            .ok_or(DecodeActionError::Field {
                action,
                field,
                expected: "a string of JSON",
            })?;
        let value = serde_json::from_str(&text).map_err(|source| DecodeActionError::Json {
            action,
            field,
            source,
        })?;
        Ok((text, value))
    }
}

fn within(
    action: &'static str,
    field: &'static str,
    text: &str,
    limit: usize,
) -> Result<(), DecodeActionError> {
    let size = text.len();
    if size > limit {
        Err(DecodeActionError::TooLong {
            action,
            field,
            size,
            limit,
        })
    } else {
        Ok(())
    }
}
