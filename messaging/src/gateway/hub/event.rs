//! An event as it goes out: serialised once, shared by every connection it is for.

use std::collections::BTreeMap;

use bytes::{BufMut as _, Bytes, BytesMut};
use proto::id::{ChannelId, ConnId, TeamId, UserId};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::ClientEvent;

/// Longest number of an event, in digits.
const MAX_DIGITS: usize = 20;

/// Everything of an event but its number, which differs per connection and comes last.
#[derive(Debug)]
pub(in crate::gateway) struct Body {
    head: Bytes,
    /// May be left out for a client that is behind.
    pub(super) is_minor: bool,
}

#[derive(Serialize)]
struct Head<'a> {
    event: &'a str,
    data: &'a Map<String, Value>,
    broadcast: Broadcast<'a>,
}

#[derive(Serialize)]
struct Broadcast<'a> {
    omit_users: Option<BTreeMap<&'a str, bool>>,
    user_id: &'a str,
    channel_id: &'a str,
    team_id: &'a str,
    connection_id: &'a str,
    omit_connection_id: &'a str,
}

impl Body {
    pub(super) fn new(event: &ClientEvent) -> Self {
        let audience = &event.audience;
        let omitted: BTreeMap<&str, bool> = audience
            .omit_users
            .iter()
            .map(|user| (user.as_str(), true))
            .collect();
        let head = Head {
            event: &event.name,
            data: &event.data,
            broadcast: Broadcast {
                omit_users: (!omitted.is_empty()).then_some(omitted),
                user_id: audience.user.as_ref().map_or("", UserId::as_str),
                channel_id: audience.room.as_ref().map_or("", ChannelId::as_str),
                team_id: audience.team.as_ref().map_or("", TeamId::as_str),
                connection_id: audience.connection.as_ref().map_or("", ConnId::as_str),
                omit_connection_id: audience.omit_connection.as_ref().map_or("", ConnId::as_str),
            },
        };
        let mut text = serde_json::to_vec(&head).expect("keys are texts and memory never fails");
        text.pop();
        text.extend_from_slice(b",\"seq\":");
        let is_minor = matches!(
            event.name.as_str(),
            "typing" | "status_change" | "multiple_channels_viewed"
        );
        Self {
            // no spare room: it may be kept for minutes
            head: text.into_boxed_slice().into(),
            is_minor,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.head.len()
    }

    /// The event under a number, in pieces of at most `piece` bytes: nearly always one, which is a
    /// copy; the pieces of a larger event share its bytes.
    pub(in crate::gateway) fn numbered(&self, seq: u64, piece: usize) -> Pieces {
        let tail = format!("{seq}}}");
        if self.head.len() + MAX_DIGITS < piece {
            let mut whole = BytesMut::with_capacity(self.head.len() + tail.len());
            whole.put_slice(&self.head);
            whole.put_slice(tail.as_bytes());
            return Pieces {
                head: Bytes::new(),
                tail: Some(whole.freeze()),
                piece,
            };
        }
        Pieces {
            head: self.head.clone(),
            tail: Some(tail.into()),
            piece,
        }
    }
}

/// The pieces of a message, in order. Only the last one may be followed by another message.
#[derive(Debug)]
pub(in crate::gateway) struct Pieces {
    head: Bytes,
    tail: Option<Bytes>,
    piece: usize,
}

impl Iterator for Pieces {
    /// A piece, and whether it is the last.
    type Item = (Bytes, bool);

    fn next(&mut self) -> Option<(Bytes, bool)> {
        if !self.head.is_empty() {
            let count = self.piece.min(self.head.len());
            return Some((self.head.split_to(count), false));
        }
        Some((self.tail.take()?, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Audience;

    fn body(text: &str) -> Body {
        Body::new(&ClientEvent {
            name: "posted".to_owned(),
            data: Map::from_iter([("a\"b".to_owned(), Value::from(text))]),
            audience: Audience {
                room: Some(ChannelId::parse("r").unwrap()),
                omit_users: vec![UserId::parse("u").unwrap()],
                ..Audience::default()
            },
        })
    }

    #[test]
    fn the_number_is_the_last_field_and_the_order_is_the_wires() {
        let pieces: Vec<_> = body("ä").numbered(7, 1000).collect();
        let text = r#"{"event":"posted","data":{"a\"b":"ä"},"broadcast":{"omit_users":{"u":true},"user_id":"","channel_id":"r","team_id":"","connection_id":"","omit_connection_id":""},"seq":7}"#;
        assert_eq!(pieces, [(Bytes::from(text), true)]);
    }

    #[test]
    fn a_large_event_goes_in_pieces_that_share_its_bytes() {
        let body = body(&"x".repeat(1000));
        let whole: Vec<u8> = body
            .numbered(12, 10_000)
            .flat_map(|(piece, _)| piece)
            .collect();
        let pieces: Vec<_> = body.numbered(12, 256).collect();
        assert!(pieces.len() > 4 && pieces.iter().all(|(piece, _)| piece.len() <= 256));
        let lasts: Vec<bool> = pieces.iter().map(|(_, is_last)| *is_last).collect();
        assert!(lasts.iter().rev().skip(1).all(|is_last| !is_last) && lasts[lasts.len() - 1]);
        let first = body.head.as_ptr();
        assert_eq!(pieces[0].0.as_ptr(), first, "nothing was copied");
        let joined: Vec<u8> = pieces.into_iter().flat_map(|(piece, _)| piece).collect();
        assert_eq!(joined, whole);
    }
}
