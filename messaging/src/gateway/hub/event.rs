//! An event as it goes out: put into words once, shared by every connection it is for.
//!
//! What differs is written between the shared words when a copy goes out: the number, which differs
//! per connection, and the addressee, where each of several people gets a copy of their own.

use std::collections::BTreeMap;
use std::io::Write as _;

use bytes::Bytes;
use proto::id::{ChannelId, ConnId, TeamId, UserId};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::Audience;

/// Room for what is written between the shared words: a number, and nearly every id.
const MAX_BETWEEN: usize = 256;

/// The words of an event for whomever it is: name and data.
#[derive(Debug)]
pub(super) struct Opening {
    text: Vec<u8>,
    is_minor: bool,
}

impl Opening {
    pub(super) fn new(name: &str, data: &Map<String, Value>) -> Self {
        let mut text = b"{\"event\":".to_vec();
        json(&mut text, name);
        field(&mut text, "data", data);
        let is_minor = matches!(
            name,
            "typing" | "status_change" | "multiple_channels_viewed"
        );
        Self { text, is_minor }
    }

    /// The event for one audience.
    pub(super) fn to(&self, audience: &Audience) -> Body {
        let omitted: BTreeMap<&str, bool> = audience
            .omit_users
            .iter()
            .map(|user| (user.as_str(), true))
            .collect();
        let mut text = self.text.clone();
        text.extend_from_slice(b",\"broadcast\":{\"omit_users\":");
        json(&mut text, &(!omitted.is_empty()).then_some(omitted));
        text.extend_from_slice(b",\"user_id\":");
        let addressee_at = match (&audience.user, &audience.each_of) {
            (None, Some(_)) => Some(text.len()),
            (user, _) => {
                json(&mut text, user.as_ref().map_or("", UserId::as_str));
                None
            }
        };
        let room = audience.room.as_ref().map_or("", ChannelId::as_str);
        let team = audience.team.as_ref().map_or("", TeamId::as_str);
        let connection = audience.connection.as_ref().map_or("", ConnId::as_str);
        let omitted = audience.omit_connection.as_ref().map_or("", ConnId::as_str);
        field(&mut text, "channel_id", room);
        field(&mut text, "team_id", team);
        field(&mut text, "connection_id", connection);
        field(&mut text, "omit_connection_id", omitted);
        text.extend_from_slice(b"},\"seq\":");
        Body {
            // no spare room: it may be kept for minutes
            text: text.into_boxed_slice().into(),
            addressee_at,
            is_minor: self.is_minor,
        }
    }
}

fn field<T: Serialize + ?Sized>(text: &mut Vec<u8>, name: &str, value: &T) {
    text.push(b',');
    json(text, name);
    text.push(b':');
    json(text, value);
}

fn json<T: Serialize + ?Sized>(text: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(text, value).expect("keys are texts and memory never fails");
}

/// Everything of an event that its copies share. The number comes last.
#[derive(Debug)]
pub(in crate::gateway) struct Body {
    text: Bytes,
    /// Where the id of whoever gets the copy belongs, if that is not in the text.
    addressee_at: Option<usize>,
    /// May be left out for a client that is behind.
    pub(super) is_minor: bool,
}

impl Body {
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// A copy under a number, in pieces of at most `piece` bytes: nearly always one, in a buffer of
    /// its own; the pieces of a larger event share its bytes.
    pub(in crate::gateway) fn numbered(
        &self,
        seq: u64,
        addressee: &UserId,
        piece: usize,
    ) -> Pieces {
        let all = self.text.len();
        let (before, named) = match self.addressee_at {
            Some(place) => (place.min(all), Some(addressee.as_str())),
            None => (all, None),
        };
        if all + MAX_BETWEEN < piece {
            let (before, after) = self.text.split_at(before);
            // exact but for an id with quotes in it: a buffer that is full is not copied again
            let between = named.map_or(0, |id| id.len() + 2) + digits(seq) + 1;
            let mut whole = Vec::with_capacity(all + between);
            whole.extend_from_slice(before);
            if let Some(id) = named {
                json(&mut whole, id);
            }
            whole.extend_from_slice(after);
            number(&mut whole, seq);
            return Pieces::new(
                [Bytes::new(), Bytes::new(), Bytes::new(), whole.into()],
                piece,
            );
        }
        let (mut id, mut tail) = (Vec::new(), Vec::new());
        if let Some(named) = named {
            json(&mut id, named);
        }
        number(&mut tail, seq);
        let (before, after) = (self.text.slice(..before), self.text.slice(before..));
        Pieces::new([before, id.into(), after, tail.into()], piece)
    }
}

fn digits(number: u64) -> usize {
    let more = number.checked_ilog10().unwrap_or_default();
    usize::try_from(more).unwrap_or_default() + 1
}

/// Ends a copy with its number.
fn number(text: &mut Vec<u8>, seq: u64) {
    write!(text, "{seq}}}").expect("memory never fails");
}

/// The pieces of a message, in order. Only the last one may be followed by another message.
#[derive(Debug)]
pub(in crate::gateway) struct Pieces {
    current: Bytes,
    /// The last of them is not empty.
    rest: std::array::IntoIter<Bytes, 4>,
    piece: usize,
}

impl Pieces {
    fn new(parts: [Bytes; 4], piece: usize) -> Self {
        Self {
            current: Bytes::new(),
            rest: parts.into_iter(),
            piece,
        }
    }
}

impl Iterator for Pieces {
    /// A piece, and whether it is the last.
    type Item = (Bytes, bool);

    fn next(&mut self) -> Option<(Bytes, bool)> {
        while self.current.is_empty() {
            self.current = self.rest.next()?;
        }
        let count = self.piece.min(self.current.len());
        let next = self.current.split_to(count);
        let is_last = self.current.is_empty() && self.rest.len() == 0;
        Some((next, is_last))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    fn data(text: &str) -> Map<String, Value> {
        Map::from_iter([("a\"b".to_owned(), Value::from(text))])
    }

    fn body(text: &str, audience: &Audience) -> Body {
        Opening::new("posted", &data(text)).to(audience)
    }

    fn to_room() -> Audience {
        Audience {
            room: Some(ChannelId::parse("r").unwrap()),
            omit_users: vec![id("u")],
            ..Audience::default()
        }
    }

    fn to_each() -> Audience {
        Audience {
            each_of: Some(Vec::new()),
            omit_users: Vec::new(),
            ..to_room()
        }
    }

    fn joined(pieces: Pieces) -> Vec<u8> {
        pieces.flat_map(|(piece, _)| piece).collect()
    }

    /// The frame as one value put into words as a whole, in the order of the wire.
    fn whole(text: &str, broadcast: &[(&str, Value)], seq: u64) -> Vec<u8> {
        #[derive(Serialize)]
        struct Frame<'a> {
            event: &'a str,
            data: Map<String, Value>,
            broadcast: Fields<'a>,
            seq: u64,
        }
        struct Fields<'a>(&'a [(&'a str, Value)]);
        impl Serialize for Fields<'_> {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
            }
        }
        let frame = Frame {
            event: "posted",
            data: data(text),
            broadcast: Fields(broadcast),
            seq,
        };
        serde_json::to_vec(&frame).unwrap()
    }

    fn broadcast<'a>(omitted: &Value, user: &str, room: &str) -> Vec<(&'a str, Value)> {
        vec![
            ("omit_users", omitted.clone()),
            ("user_id", json!(user)),
            ("channel_id", json!(room)),
            ("team_id", json!("")),
            ("connection_id", json!("")),
            ("omit_connection_id", json!("")),
        ]
    }

    #[test]
    fn the_number_is_the_last_field_and_the_order_is_the_wires() {
        let pieces: Vec<_> = body("ä", &to_room()).numbered(7, &id("x"), 1000).collect();
        let text = r#"{"event":"posted","data":{"a\"b":"ä"},"broadcast":{"omit_users":{"u":true},"user_id":"","channel_id":"r","team_id":"","connection_id":"","omit_connection_id":""},"seq":7}"#;
        assert_eq!(pieces, [(Bytes::from(text), true)]);
    }

    #[test]
    fn a_copy_is_what_the_whole_frame_would_be_whoever_gets_it_in_however_many_pieces() {
        let long = "say \"ä\"\n\\ \u{1}".repeat(200);
        // an id that another server chose may need to be escaped, and may be long
        let longest = "\"".repeat(proto::id::MAX_ID_LEN);
        for text in ["", "\"seq\":1} \u{1f600}\t", &long] {
            for name in ["anna", "b\"e\\n", longest.as_str()] {
                copies_are_whole(text, name);
            }
        }
    }

    fn copies_are_whole(text: &str, name: &str) {
        let (room, each) = (body(text, &to_room()), body(text, &to_each()));
        let in_room = broadcast(&json!({"u": true}), "", "r");
        let of_each = broadcast(&Value::Null, name, "r");
        for seq in [0, 9, 10, 12_345, u64::MAX] {
            for piece in [64, 600, 100_000] {
                let copy = joined(room.numbered(seq, &id(name), piece));
                assert_eq!(copy, whole(text, &in_room, seq));
                let copy = joined(each.numbered(seq, &id(name), piece));
                assert_eq!(copy, whole(text, &of_each, seq));
            }
        }
    }

    #[test]
    fn every_filter_is_said_where_the_wire_has_it() {
        let audience = Audience {
            connection: Some(ConnId::parse("c").unwrap()),
            user: Some(id("u")),
            each_of: None,
            room: Some(ChannelId::parse("r").unwrap()),
            team: Some(TeamId::parse("t").unwrap()),
            omit_users: vec![id("z"), id("a")],
            omit_connection: Some(ConnId::parse("o").unwrap()),
        };
        let copy = joined(body("", &audience).numbered(0, &id("x"), 1000));
        let said = r#""broadcast":{"omit_users":{"a":true,"z":true},"user_id":"u","channel_id":"r","team_id":"t","connection_id":"c","omit_connection_id":"o"},"seq":0}"#;
        let copy = String::from_utf8(copy).unwrap();
        assert!(copy.ends_with(said), "{copy}");
    }

    #[test]
    fn a_small_copy_is_written_into_a_buffer_of_its_size() {
        let each = body("x", &to_each());
        for seq in [0, 9, 10, 99, 100, u64::MAX] {
            let (between, mut tail) = ("\"anna\"".len(), Vec::new());
            number(&mut tail, seq);
            assert_eq!(tail.len(), digits(seq) + 1);
            let copy = joined(each.numbered(seq, &id("anna"), 1000));
            assert_eq!(copy.len(), each.len() + between + tail.len());
        }
    }

    #[test]
    fn a_large_event_goes_in_pieces_that_share_its_bytes() {
        for audience in [to_room(), to_each()] {
            let body = body(&"x".repeat(1000), &audience);
            let whole = joined(body.numbered(12, &id("anna"), 10_000));
            let pieces: Vec<_> = body.numbered(12, &id("anna"), 256).collect();
            assert!(pieces.len() > 4 && pieces.iter().all(|(piece, _)| piece.len() <= 256));
            let lasts: Vec<bool> = pieces.iter().map(|(_, is_last)| *is_last).collect();
            assert!(lasts.iter().rev().skip(1).all(|is_last| !is_last) && lasts[lasts.len() - 1]);
            let first = body.text.as_ptr();
            assert_eq!(pieces[0].0.as_ptr(), first, "nothing was copied");
            let joined: Vec<u8> = pieces.into_iter().flat_map(|(piece, _)| piece).collect();
            assert_eq!(joined, whole);
        }
    }
}
