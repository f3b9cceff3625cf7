//! Which tracks a server's offer carries: read from its SDP, compared with what was known.
//!
//! In: SDP text and the media map. Out: tracks that appeared and tracks that ended.
//! Pure. Not here: packets (`peer`).
//! Invariant: a media section that is used again for another track gives an end and a beginning.
//! See: RFC 8866, RFC 8830 (msid).

use std::collections::BTreeMap;

use proto::id::SessionId;
use proto::rtcd::{MediaMapEntry, TrackType};

use super::TrackKey;

/// Longest SDP that is looked at, in bytes.
const MAX_SDP_BYTES: usize = 256 * 1024;

/// One sending media section of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub mid: String,
    pub audio: bool,
    pub stream: String,
    pub track: String,
}

/// Reads the sections in which the other side sends something.
#[must_use]
pub fn sending_sections(sdp: &str) -> Vec<Section> {
    if sdp.len() > MAX_SDP_BYTES {
        return Vec::new();
    }
    let mut sections = Vec::new();
    let mut current: Option<Draft> = None;
    for line in sdp.lines() {
        let line = line.trim_end();
        if let Some(media) = line.strip_prefix("m=") {
            sections.extend(current.take().and_then(Draft::finish));
            let mut words = media.split(' ');
            let kind = words.next().unwrap_or_default();
            current = matches!(kind, "audio" | "video").then(|| Draft {
                audio: kind == "audio",
                sends: true,
                ..Draft::default()
            });
        } else if let Some(draft) = current.as_mut() {
            draft.take(line);
        }
    }
    sections.extend(current.take().and_then(Draft::finish));
    sections
}

#[derive(Default)]
struct Draft {
    audio: bool,
    sends: bool,
    mid: String,
    stream: String,
    track: String,
}

impl Draft {
    fn take(&mut self, line: &str) {
        if let Some(mid) = line.strip_prefix("a=mid:") {
            self.mid = mid.to_owned();
        } else if let Some(msid) = line.strip_prefix("a=msid:") {
            let (stream, track) = msid.split_once(' ').unwrap_or((msid, ""));
            self.stream = stream.to_owned();
            self.track = track.to_owned();
        } else if matches!(line, "a=recvonly" | "a=inactive") {
            self.sends = false;
        }
    }

    fn finish(self) -> Option<Section> {
        let sends = self.sends && !self.mid.is_empty() && !self.track.is_empty();
        sends.then_some(Section {
            mid: self.mid,
            audio: self.audio,
            stream: self.stream,
            track: self.track,
        })
    }
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Added {
        key: TrackKey,
        kind: TrackType,
        owner: SessionId,
    },
    Ended {
        key: TrackKey,
    },
}

/// The tracks of one connection, by media section.
#[derive(Debug, Default)]
pub struct Tracks {
    by_mid: BTreeMap<String, (String, TrackKey)>,
    next: TrackKey,
}

impl Tracks {
    /// Compares an offer with what is known.
    pub fn update(&mut self, sdp: &str, map: &BTreeMap<String, MediaMapEntry>) -> Vec<Change> {
        let sections = sending_sections(sdp);
        let mut changes = Vec::new();
        self.by_mid.retain(|mid, (track, key)| {
            let stays = sections.iter().any(|s| s.mid == *mid && s.track == *track);
            if !stays {
                changes.push(Change::Ended { key: *key });
            }
            stays
        });
        for section in sections {
            if self.by_mid.contains_key(&section.mid) {
                continue;
            }
            let Some((kind, owner)) = classify(&section, map.get(&section.mid)) else {
                continue;
            };
            let key = self.next;
            self.next = self.next.saturating_add(1);
            self.by_mid.insert(section.mid, (section.track, key));
            changes.push(Change::Added { key, kind, owner });
        }
        changes
    }

    /// The track that a media section carries now.
    #[must_use]
    pub fn by_mid(&self, mid: &str) -> Option<TrackKey> {
        self.by_mid.get(mid).map(|(_, key)| *key)
    }

    /// The media section that carries a track now.
    #[must_use]
    pub fn mid_of(&self, key: TrackKey) -> Option<&str> {
        self.by_mid
            .iter()
            .find(|(_, (_, known))| *known == key)
            .map(|(mid, _)| mid.as_str())
    }
}

/// The track's name says what it is (`TYPE_SESSION_RANDOM`); the media map is asked when it does
/// not. Sound of unknown kind is a voice, pictures of unknown kind are nothing.
fn classify(section: &Section, entry: Option<&MediaMapEntry>) -> Option<(TrackType, SessionId)> {
    let mut parts = section.track.split('_');
    let named = parts.next().and_then(TrackType::parse);
    let owner = parts
        .next()
        .filter(|_| named.is_some())
        .unwrap_or(&section.stream);
    let kind = named.or(entry.map(|entry| entry.kind));
    let kind = match kind {
        Some(kind) if kind.is_audio() == section.audio => kind,
        Some(_) => return None,
        None if section.audio => TrackType::Voice,
        None => return None,
    };
    Some((kind, SessionId::parse(owner).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(sections: &[(&str, &str, &str, &str)]) -> String {
        let mut sdp =
            "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n".to_owned();
        for (kind, mid, direction, track) in sections {
            sdp.push_str(&format!(
                "m={kind} 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:{mid}\r\na={direction}\r\na=msid:s {track}\r\n"
            ));
        }
        sdp
    }

    fn session(id: &str) -> SessionId {
        SessionId::parse(id).unwrap()
    }

    #[test]
    fn tracks_appear_stay_end_and_sections_are_used_again() {
        let mut tracks = Tracks::default();
        let map = BTreeMap::new();
        let first = offer(&[("audio", "1", "sendrecv", "voice_anna_12345678")]);
        let added = tracks.update(&first, &map);
        let expected = Change::Added {
            key: 0,
            kind: TrackType::Voice,
            owner: session("anna"),
        };
        assert_eq!(added, [expected]);
        assert_eq!(tracks.update(&first, &map), []);

        let second = offer(&[
            ("audio", "1", "sendrecv", "voice_ben_12345678"),
            ("video", "2", "sendonly", "screen_anna_12345678"),
            ("audio", "3", "sendonly", "screen-audio_anna_12345678"),
        ]);
        let changes = tracks.update(&second, &map);
        assert_eq!(
            changes,
            [
                Change::Ended { key: 0 },
                Change::Added {
                    key: 1,
                    kind: TrackType::Voice,
                    owner: session("ben")
                },
                Change::Added {
                    key: 2,
                    kind: TrackType::Screen,
                    owner: session("anna")
                },
                Change::Added {
                    key: 3,
                    kind: TrackType::ScreenAudio,
                    owner: session("anna")
                },
            ]
        );
        assert_eq!((tracks.by_mid("2"), tracks.mid_of(3)), (Some(2), Some("3")));

        let third = offer(&[
            ("audio", "1", "sendrecv", "voice_ben_12345678"),
            ("video", "2", "inactive", "screen_anna_12345678"),
        ]);
        let ended = tracks.update(&third, &map);
        assert_eq!(ended, [Change::Ended { key: 2 }, Change::Ended { key: 3 }]);
    }

    #[test]
    fn unnamed_sound_is_a_voice_and_unnamed_pictures_need_the_map() {
        let sdp = offer(&[
            ("audio", "1", "sendonly", "t"),
            ("video", "2", "sendonly", "u"),
        ]);
        let mut tracks = Tracks::default();
        let added = tracks.update(&sdp, &BTreeMap::new());
        assert_eq!(added.len(), 1);
        let entry = MediaMapEntry {
            kind: TrackType::Screen,
            sender: "x".into(),
        };
        let added = tracks.update(&sdp, &BTreeMap::from([("2".to_owned(), entry)]));
        let expected = Change::Added {
            key: 1,
            kind: TrackType::Screen,
            owner: session("s"),
        };
        assert_eq!(added, [expected]);
    }

    #[test]
    fn any_text_is_no_reason_to_panic() {
        for text in [
            "",
            "m=",
            "m=audio",
            "a=mid:1",
            "m=audio 0\na=msid:\na=mid:",
            "\r\n\r\n",
        ] {
            assert!(Tracks::default().update(text, &BTreeMap::new()).is_empty());
        }
    }
}
