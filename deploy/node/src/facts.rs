//! What a node says about itself to the others: JSON, in which unknown fields are passed over, for
//! nodes of two versions are there together while one is rolled out.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a node is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `rtcd`: forwards media.
    Media,
    /// `signalling`: people's connections, calls and chat.
    Signalling,
    /// `offloader`: recordings, transcripts, captions.
    Offloader,
    /// Of a later version.
    #[serde(other)]
    Unknown,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Media => "media",
            Self::Signalling => "signalling",
            Self::Offloader => "offloader",
            Self::Unknown => "unknown",
        })
    }
}

/// What a node says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    pub kind: Kind,
    pub version: String,
    /// Where other nodes reach its API, `http://host:port`; empty: nowhere.
    #[serde(default)]
    pub url: String,
    /// Where other nodes reach it for what they say to each other and for media (`Mesh`), `host:port`,
    /// UDP; empty: nowhere.
    #[serde(default)]
    pub links: String,
    /// It ends what it has and takes nothing new.
    #[serde(default)]
    pub draining: bool,
    /// It is there to take another's place, and does nothing by itself.
    #[serde(default)]
    pub stands_by: bool,
    /// How it does, for the eyes of administrators.
    #[serde(default)]
    pub report: Report,
}

/// How a node does; a few seconds old.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    #[serde(default)]
    pub calls: usize,
    #[serde(default)]
    pub sessions: usize,
    /// Its connections to other nodes.
    #[serde(default)]
    pub links: Vec<LinkReport>,
}

/// How a connection to another node does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkReport {
    pub node: String,
    /// There and back.
    pub round_trip_us: u64,
    /// Of a million datagrams to that node, lately.
    pub lost_ppm: u64,
}

impl Facts {
    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_version_is_understood_as_far_as_it_goes() {
        let later = br#"{"kind":"gateway","version":"9.0","sites":["x"],"url":"http://a:1"}"#;
        let facts = Facts::decode(later).unwrap();
        assert_eq!((facts.kind, &*facts.url), (Kind::Unknown, "http://a:1"));
        assert!(!facts.draining);
        assert_eq!(Facts::decode(&facts.encode()), Some(facts));
        assert_eq!(Facts::decode(b"no JSON"), None);
    }
}
