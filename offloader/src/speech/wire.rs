//! Frames between the speech client and its process: a JSON header and the PCM it is about.
//!
//! In: bytes of a Unix socket. Out: requests and replies, each within limits.
//! Not here: who is served first (`queue`), what a request does (`engine`).
//!
//! ```text
//! +----------------+----------------+-------------+-----------------------------+
//! | header length  | body length    | header      | body                        |
//! | u32 LE         | u32 LE         | JSON, UTF-8 | i16 LE, 16 kHz mono samples |
//! +----------------+----------------+-------------+-----------------------------+
//! ```

use serde::{Deserialize, Serialize};

/// Longest header: a reply with a segment every second of a window is far below it.
pub(super) const HEADER_LIMIT: usize = 256 * 1024;

/// Longest body: a minute of audio.
pub(super) const BODY_LIMIT: usize = 60 * super::SAMPLE_RATE * 2;

/// Length of the two numbers before the header.
pub(super) const PREFIX: usize = 8;

/// What the words are for; decides the model and the decoding settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Captions,
    Transcript,
}

/// One question to the speech process; the audio it is about is the frame's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Request {
    /// Where is speech? Pauses shorter than `min_silence_ms` do not part a span.
    FindSpeech { min_silence_ms: u32, pad_ms: u32 },
    /// Which words? `model` is an installed one; `language` `None` means: detect it.
    Recognise {
        purpose: Purpose,
        model: String,
        language: Option<String>,
        /// Words that may come up, as a text that could have been said before.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        prompt: String,
        /// In English, whatever was spoken.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        translate: bool,
    },
    /// Which language? `model` is an installed one that knows several.
    TellLanguage { purpose: Purpose, model: String },
}

impl Request {
    /// What the answer is for. Looking for speech is the beginning of a transcript.
    pub(super) fn purpose(&self) -> Purpose {
        match self {
            Self::FindSpeech { .. } => Purpose::Transcript,
            Self::Recognise { purpose, .. } | Self::TellLanguage { purpose, .. } => *purpose,
        }
    }
}

/// A stretch of speech in ms from the beginning of the audio sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub start_ms: u64,
    pub end_ms: u64,
}

/// Words in ms from the beginning of the audio sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phrase {
    pub start_ms: u64,
    pub end_ms: u64,
    pub text: String,
    /// The same text, word by word.
    #[serde(default)]
    pub words: Vec<Word>,
    /// How sure the model was of its words on average, in thousandths.
    #[serde(default)]
    pub sureness: u16,
}

/// One word in ms from the beginning of the audio sent; the times of a caption's words are rough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    pub start_ms: u64,
    pub end_ms: u64,
    pub text: String,
    /// How sure the model was of its least sure part, in thousandths.
    pub sureness: u16,
}

/// A language and how probable it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tongue {
    /// ISO 639-1.
    pub code: String,
    /// Probability in thousandths.
    pub likely: u16,
}

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Reply {
    Speech {
        spans: Vec<Span>,
    },
    Words {
        language: String,
        spans: Vec<Span>,
        phrases: Vec<Phrase>,
        /// The most probable languages, best first; empty from a model that knows one only.
        #[serde(default)]
        tongues: Vec<Tongue>,
    },
    /// The most probable languages, best first; empty from a model that knows one only.
    Language {
        tongues: Vec<Tongue>,
    },
    /// Other caption windows were waiting and newer; nothing was recognised.
    Shed,
    Refused {
        reason: String,
    },
}

/// Why bytes are not a frame of ours.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("{part} of a speech frame is `{bytes}` bytes long, at most `{limit}` are read")]
    TooLong {
        part: &'static str,
        bytes: usize,
        limit: usize,
    },
    #[error("a speech frame ends after `{bytes}` bytes, its prefix promises `{wanted}`")]
    TooShort { bytes: usize, wanted: usize },
    #[error("the header of a speech frame is not one we know")]
    Header(#[source] serde_json::Error),
}

/// Lengths of header and body from the first [`PREFIX`] bytes.
pub(super) fn lengths(prefix: [u8; PREFIX]) -> Result<(usize, usize), WireError> {
    let [a, b, c, d, e, f, g, h] = prefix;
    let header = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    let body = usize::try_from(u32::from_le_bytes([e, f, g, h])).unwrap_or(usize::MAX);
    for (part, bytes, limit) in [("header", header, HEADER_LIMIT), ("body", body, BODY_LIMIT)] {
        if bytes > limit {
            return Err(WireError::TooLong { part, bytes, limit });
        }
    }
    Ok((header, body))
}

/// Puts a header and samples into one frame.
pub(super) fn encode<T: Serialize>(header: &T, pcm: &[f32]) -> Result<Vec<u8>, WireError> {
    let header = serde_json::to_vec(header).map_err(WireError::Header)?;
    let mut frame = Vec::with_capacity(PREFIX + header.len() + pcm.len() * 2);
    for (part, bytes, limit) in [
        ("header", header.len(), HEADER_LIMIT),
        ("body", pcm.len() * 2, BODY_LIMIT),
    ] {
        let length = u32::try_from(bytes).ok().filter(|_| bytes <= limit);
        let length = length.ok_or(WireError::TooLong { part, bytes, limit })?;
        frame.extend_from_slice(&length.to_le_bytes());
    }
    frame.extend_from_slice(&header);
    for sample in pcm {
        frame.extend_from_slice(&to_i16(*sample).to_le_bytes());
    }
    Ok(frame)
}

/// Reads a whole frame as a request with its audio.
///
/// # Errors
/// When the bytes are not one frame, or its header is no request.
pub fn decode_request(frame: &[u8]) -> Result<(Request, Vec<f32>), WireError> {
    let (header, body) = parts(frame)?;
    Ok((
        serde_json::from_slice(header).map_err(WireError::Header)?,
        samples(body),
    ))
}

/// Reads a whole frame as a reply.
///
/// # Errors
/// When the bytes are not one frame, or its header is no reply.
pub fn decode_reply(frame: &[u8]) -> Result<Reply, WireError> {
    let (header, _) = parts(frame)?;
    serde_json::from_slice(header).map_err(WireError::Header)
}

fn parts(frame: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    let short = |wanted| WireError::TooShort {
        bytes: frame.len(),
        wanted,
    };
    let (prefix, rest) = frame.split_first_chunk().ok_or_else(|| short(PREFIX))?;
    let (header, body) = lengths(*prefix)?;
    let (head, tail) = rest
        .split_at_checked(header)
        .ok_or_else(|| short(PREFIX + header + body))?;
    let body = tail
        .get(..body)
        .ok_or_else(|| short(PREFIX + header + body))?;
    Ok((head, body))
}

/// i16 LE to float; an odd last byte is left out.
pub(super) fn samples(body: &[u8]) -> Vec<f32> {
    let (pairs, _) = body.as_chunks::<2>();
    pairs
        .iter()
        .map(|pair| f32::from(i16::from_le_bytes(*pair)) / 32768.0)
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "clamped to the range of i16 before"
)]
fn to_i16(sample: f32) -> i16 {
    (sample * 32768.0).clamp(-32768.0, 32767.0) as i16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_and_its_audio_come_back() {
        let request = Request::Recognise {
            purpose: Purpose::Captions,
            model: "tiny.en".into(),
            language: Some("en".into()),
            prompt: String::new(),
            translate: false,
        };
        let frame = encode(&request, &[0.0, 0.5, -1.0, 2.0]).unwrap();
        let (back, pcm) = decode_request(&frame).unwrap();
        assert_eq!(
            (back, pcm),
            (request, vec![0.0, 0.5, -1.0, 32767.0 / 32768.0])
        );
    }

    #[test]
    fn a_frame_beyond_its_limit_is_not_read() {
        let prefix = [0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f];
        assert!(matches!(
            lengths(prefix),
            Err(WireError::TooLong { part: "body", .. })
        ));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_request(&bytes);
            let _ = decode_reply(&bytes);
        }

        #[test]
        fn a_cut_frame_is_an_error(cut in 0usize..60) {
            let request = Request::FindSpeech { min_silence_ms: 1, pad_ms: 2 };
            let frame = encode(&request, &[0.1; 8]).unwrap();
            prop_assume!(cut < frame.len());
            prop_assert!(decode_request(&frame[..cut]).is_err());
        }
    }
}
