//! Ids: 26 characters, typed so that one kind never fits where another belongs.
//!
//! Format: the 16 bytes of a UUIDv4 in base32 with the alphabet below, most significant bits
//! first, without padding. Ids that arrive from outside are opaque: any string of 1 to
//! `MAX_ID_LEN` printable ASCII characters is accepted, because other servers choose them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest id accepted from outside, in bytes. Ours have 26; older servers and tests use others.
pub const MAX_ID_LEN: usize = 128;

const ALPHABET: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";

/// Encodes 16 bytes as the 26 characters of an id.
#[must_use]
pub fn encode_id(bytes: [u8; 16]) -> String {
    let number = u128::from_be_bytes(bytes);
    // 26 groups of 5 bits are 130 bits: the last group is padded with two zero bits.
    (0..26u32)
        .map(|group| {
            let shift = 128i32 - 5 * (i32::try_from(group).unwrap_or(0) + 1);
            let bits = if shift >= 0 {
                number >> shift
            } else {
                number << -shift
            };
            let index = usize::try_from(bits & 31).unwrap_or(0);
            char::from(ALPHABET.get(index).copied().unwrap_or(b'y'))
        })
        .collect()
}

/// Makes a fresh random id of 26 characters.
#[must_use]
pub fn new_id() -> String {
    encode_id(*uuid::Uuid::new_v4().as_bytes())
}

/// An id from outside was empty, too long, or held a character that is not printable ASCII.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} `{shown}`: an id has 1 to {MAX_ID_LEN} printable ASCII characters")]
pub struct InvalidId {
    kind: &'static str,
    shown: String,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => { $(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes an id that came from outside.
            ///
            /// # Errors
            /// When it is empty, longer than `MAX_ID_LEN`, or not printable ASCII.
            pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text: String = text.into();
                let well_formed = !text.is_empty()
                    && text.len() <= MAX_ID_LEN
                    && text.bytes().all(|byte| byte.is_ascii_graphic());
                if well_formed {
                    Ok(Self(text))
                } else {
                    let shown = text.chars().filter(|c| c.is_ascii_graphic()).take(32).collect();
                    Err(InvalidId { kind: stringify!($name), shown })
                }
            }

            /// Makes a fresh random id.
            #[must_use]
            pub fn random() -> Self {
                Self(new_id())
            }

            /// Returns the id as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )* };
}

ids! {
    /// A tenant of rtcd: the authenticated client id, never taken from a message.
    GroupId
    /// A call, unique within its group. Not the channel's id.
    CallId
    /// One WebRTC connection of a participant: the WebSocket connection id at join time.
    SessionId
    /// A person or bot.
    UserId
    /// A WebSocket connection.
    ConnId
    /// A chat channel; called *room* on the messaging side.
    ChannelId
    /// A team of channels.
    TeamId
    /// A message in a channel.
    PostId
    /// An uploaded file.
    FileId
    /// An upload in progress.
    UploadId
    /// A recording, transcription or captioning task.
    JobId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_the_vector_of_the_specification() {
        let bytes = 0x1234_5678_1234_4234_8234_1234_5678_9abc_u128.to_be_bytes();
        assert_eq!(encode_id(bytes), "ne4fc6y1gtbdjytwne4fc6r4zo");
    }

    #[test]
    fn refuses_what_is_empty_long_or_unprintable() {
        assert!(CallId::parse("").is_err());
        assert!(CallId::parse("a".repeat(MAX_ID_LEN + 1)).is_err());
        assert!(CallId::parse("two words").is_err());
        assert!(CallId::parse("c1").is_ok());
    }
}
