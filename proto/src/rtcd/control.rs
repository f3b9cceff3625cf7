//! Messages of the control WebSocket: two MessagePack values, a type name and its data.
//!
//! In: one binary frame. Out: a `ControlMessage`. Reading accepts any integer width, `bin` for
//! `str`, structs as maps or arrays, unknown keys and trailing bytes. Writing gives the bytes the
//! reference gives: its peer reads `hello` and `close` as maps of strings only.
//! Not here: whether the session is known, or belongs to the sender (rtcd server).

use crate::id::{CallId, ConnId, GroupId, InvalidId, SessionId, UserId};

use crate::msgpack::{Reader, Token, Writer};

/// Largest control message accepted from a peer, in bytes.
pub const MAX_CONTROL_LEN: usize = 1 << 20;

/// A message of the control WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlMessage {
    /// First message on every connection, from rtcd.
    Hello(HelloMessage),
    Join(JoinMessage),
    Leave(SessionId),
    /// Messages for the session go to this connection from now on.
    Reconnect(SessionId),
    /// Something for, or from, one session.
    Rtc(RtcMessage),
    /// Voice activity of one session.
    Vad(RtcMessage),
    /// The session is gone; exactly once and last.
    Close(SessionId),
    /// A type this version does not know.
    Unknown(String),
}

/// Who rtcd thinks the peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelloMessage {
    pub client: GroupId,
    pub conn: ConnId,
}

/// A session wants to enter a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinMessage {
    pub call: CallId,
    pub user: UserId,
    pub session: SessionId,
    /// For logs only.
    pub channel: String,
    pub av1_support: bool,
    /// Server offers go over the data channel.
    pub dc_signalling: bool,
}

/// What an `rtc` or `vad` message is about, by its wire number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RtcKind {
    Ice,
    Sdp,
    Mute,
    Unmute,
    ScreenOn,
    ScreenOff,
    VoiceOn,
    VoiceOff,
    VideoOn,
    VideoOff,
}

impl RtcKind {
    /// All kinds in the order of their numbers, from 1.
    pub const ALL: [Self; 10] = [
        Self::Ice,
        Self::Sdp,
        Self::Mute,
        Self::Unmute,
        Self::ScreenOn,
        Self::ScreenOff,
        Self::VoiceOn,
        Self::VoiceOff,
        Self::VideoOn,
        Self::VideoOff,
    ];

    /// Returns the number on the wire, 1 to 10.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Ice => 1,
            Self::Sdp => 2,
            Self::Mute => 3,
            Self::Unmute => 4,
            Self::ScreenOn => 5,
            Self::ScreenOff => 6,
            Self::VoiceOn => 7,
            Self::VoiceOff => 8,
            Self::VideoOn => 9,
            Self::VideoOff => 10,
        }
    }

    /// Finds a kind by its number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| i64::from(kind.number()) == number)
    }
}

/// The body of `rtc` and `vad`. Calls servers fill in only `session`; rtcd fills in all four ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtcMessage {
    pub group: String,
    pub user: String,
    pub session: String,
    pub call: String,
    pub kind: RtcKind,
    /// JSON for `Ice`, `Sdp`, `ScreenOn` and `VideoOn`; empty otherwise.
    pub data: Vec<u8>,
    /// Of ours alone, and passed over by others: the address of the API of the node that has the session,
    /// where that is not the one that says this; empty otherwise.
    pub node: String,
}

impl RtcMessage {
    /// A message as a calls server sends it: only the session is named.
    #[must_use]
    pub fn for_session(session: &SessionId, kind: RtcKind, data: Vec<u8>) -> Self {
        Self {
            group: String::new(),
            user: String::new(),
            session: session.to_string(),
            call: String::new(),
            kind,
            data,
            node: String::new(),
        }
    }
}

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("message of {len} bytes: the limit is {limit} bytes")]
    TooLong { len: usize, limit: usize },
    #[error("MessagePack ends in the middle of a value, or holds the reserved byte 0xc1")]
    Truncated,
    #[error("{what} has the wrong type, or is missing")]
    WrongShape { what: &'static str },
    #[error("rtc type `{number}`: known are 1 to 10")]
    UnknownRtcKind { number: i64 },
    #[error("message holds an id that cannot be one")]
    Id(#[source] InvalidId),
    #[error("compressed text does not inflate, or to more than {limit} bytes")]
    Inflate { limit: usize },
    #[error("session description is not JSON of the expected shape")]
    Json,
}

impl ControlMessage {
    /// Reads one message of at most `limit` bytes.
    ///
    /// # Errors
    /// When the bytes are too many, end early, or a required value is missing or of a wrong type.
    /// A missing optional value, or one of a wrong type, counts as absent.
    pub fn decode(bytes: &[u8], limit: usize) -> Result<Self, DecodeError> {
        if bytes.len() > limit {
            return Err(DecodeError::TooLong {
                len: bytes.len(),
                limit,
            });
        }
        let mut reader = Reader::new(bytes);
        let name = reader.value().ok_or(DecodeError::Truncated)?.text().ok_or(
            DecodeError::WrongShape {
                what: "message type",
            },
        )?;
        match name {
            "hello" => decode_hello(&mut reader).map(Self::Hello),
            "join" => decode_join(&mut reader).map(Self::Join),
            "leave" => decode_session(&mut reader).map(Self::Leave),
            "reconnect" => decode_session(&mut reader).map(Self::Reconnect),
            "close" => decode_session(&mut reader).map(Self::Close),
            "rtc" => decode_rtc(&mut reader).map(Self::Rtc),
            "vad" => decode_rtc(&mut reader).map(Self::Vad),
            other => Ok(Self::Unknown(other.chars().take(64).collect())),
        }
    }

    /// Writes the message as one binary frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        match self {
            Self::Hello(hello) => {
                writer.str("hello");
                writer.map(2);
                string_entry(&mut writer, "clientID", hello.client.as_str());
                string_entry(&mut writer, "connID", hello.conn.as_str());
            }
            Self::Join(join) => {
                writer.str("join");
                writer.map(6);
                string_entry(&mut writer, "callID", join.call.as_str());
                string_entry(&mut writer, "userID", join.user.as_str());
                string_entry(&mut writer, "sessionID", join.session.as_str());
                string_entry(&mut writer, "channelID", &join.channel);
                writer.str("av1Support");
                writer.bool(join.av1_support);
                writer.str("dcSignaling");
                writer.bool(join.dc_signalling);
            }
            Self::Leave(session) => encode_session(&mut writer, "leave", session),
            Self::Reconnect(session) => encode_session(&mut writer, "reconnect", session),
            Self::Close(session) => encode_session(&mut writer, "close", session),
            Self::Rtc(message) => encode_rtc(&mut writer, "rtc", message),
            Self::Vad(message) => encode_rtc(&mut writer, "vad", message),
            Self::Unknown(name) => {
                writer.str(name);
                writer.nil();
            }
        }
        writer.finish()
    }
}

fn string_entry(writer: &mut Writer, key: &str, value: &str) {
    writer.str(key);
    writer.str(value);
}

fn encode_session(writer: &mut Writer, name: &str, session: &SessionId) {
    writer.str(name);
    writer.map(1);
    string_entry(writer, "sessionID", session.as_str());
}

fn encode_rtc(writer: &mut Writer, name: &str, message: &RtcMessage) {
    writer.str(name);
    let entries = 5 + usize::from(!message.data.is_empty()) + usize::from(!message.node.is_empty());
    writer.map(entries);
    string_entry(writer, "group_id", &message.group);
    string_entry(writer, "user_id", &message.user);
    string_entry(writer, "session_id", &message.session);
    string_entry(writer, "call_id", &message.call);
    writer.str("type");
    writer.u64(message.kind.number().into());
    if !message.data.is_empty() {
        writer.str("data");
        writer.bin(&message.data);
    }
    if !message.node.is_empty() {
        string_entry(writer, "node", &message.node);
    }
}

/// Hands every entry of a map to `entry`; keys that are not text are skipped.
fn each_entry<'a>(
    reader: &mut Reader<'a>,
    what: &'static str,
    mut entry: impl FnMut(&'a str, Token<'a>),
) -> Result<(), DecodeError> {
    let Token::Map(len) = reader.token().ok_or(DecodeError::Truncated)? else {
        return Err(DecodeError::WrongShape { what });
    };
    for _ in 0..len {
        let key = reader.value().ok_or(DecodeError::Truncated)?;
        let value = reader.value().ok_or(DecodeError::Truncated)?;
        if let Some(key) = key.text() {
            entry(key, value);
        }
    }
    Ok(())
}

fn decode_hello(reader: &mut Reader<'_>) -> Result<HelloMessage, DecodeError> {
    let (mut client, mut conn) = ("", "");
    each_entry(reader, "data of `hello`", |key, value| match key {
        "clientID" => client = value.text().unwrap_or_default(),
        "connID" => conn = value.text().unwrap_or_default(),
        _ => {}
    })?;
    Ok(HelloMessage {
        client: GroupId::parse(client).map_err(DecodeError::Id)?,
        conn: ConnId::parse(conn).map_err(DecodeError::Id)?,
    })
}

fn decode_session(reader: &mut Reader<'_>) -> Result<SessionId, DecodeError> {
    let mut session = "";
    each_entry(reader, "data of a message about a session", |key, value| {
        if key == "sessionID" {
            session = value.text().unwrap_or_default();
        }
    })?;
    SessionId::parse(session).map_err(DecodeError::Id)
}

fn decode_join(reader: &mut Reader<'_>) -> Result<JoinMessage, DecodeError> {
    let (mut call, mut user, mut session, mut channel) = ("", "", "", "");
    let (mut av1_support, mut dc_signalling) = (false, false);
    each_entry(reader, "data of `join`", |key, value| match key {
        "callID" => call = value.text().unwrap_or_default(),
        "userID" => user = value.text().unwrap_or_default(),
        "sessionID" => session = value.text().unwrap_or_default(),
        "channelID" => channel = value.text().unwrap_or_default(),
        "av1Support" => av1_support = value == Token::Bool(true),
        "dcSignaling" => dc_signalling = value == Token::Bool(true),
        _ => {}
    })?;
    Ok(JoinMessage {
        call: CallId::parse(call).map_err(DecodeError::Id)?,
        user: UserId::parse(user).map_err(DecodeError::Id)?,
        session: SessionId::parse(session).map_err(DecodeError::Id)?,
        channel: channel.to_owned(),
        av1_support,
        dc_signalling,
    })
}

/// The fields of `rtc.Message` as they are read, in the order of the array form.
#[derive(Default)]
struct RawRtc<'a> {
    group: &'a str,
    user: &'a str,
    session: &'a str,
    call: &'a str,
    kind: i64,
    data: &'a [u8],
    node: &'a str,
}

/// Of the form without names, in which nothing of ours is.
const RTC_KEYS: [&str; 6] = [
    "group_id",
    "user_id",
    "session_id",
    "call_id",
    "type",
    "data",
];

impl<'a> RawRtc<'a> {
    fn set(&mut self, key: &str, value: Token<'a>) {
        match key {
            "group_id" => self.group = value.text().unwrap_or_default(),
            "user_id" => self.user = value.text().unwrap_or_default(),
            "session_id" => self.session = value.text().unwrap_or_default(),
            "call_id" => self.call = value.text().unwrap_or_default(),
            "type" => {
                if let Token::Int(number) = value {
                    self.kind = number;
                }
            }
            "data" => {
                if let Some(bytes) = value.bytes() {
                    self.data = bytes;
                }
            }
            "node" => self.node = value.text().unwrap_or_default(),
            _ => {}
        }
    }
}

fn decode_rtc(reader: &mut Reader<'_>) -> Result<RtcMessage, DecodeError> {
    let mut raw = RawRtc::default();
    let mut start = reader.clone();
    if let Some(Token::Array(len)) = start.token() {
        for index in 0..len {
            let value = start.value().ok_or(DecodeError::Truncated)?;
            let key = usize::try_from(index)
                .ok()
                .and_then(|index| RTC_KEYS.get(index));
            if let Some(key) = key {
                raw.set(key, value);
            }
        }
    } else {
        each_entry(reader, "data of `rtc`", |key, value| raw.set(key, value))?;
    }
    if raw.session.is_empty() {
        return Err(DecodeError::WrongShape {
            what: "`session_id`",
        });
    }
    let kind =
        RtcKind::from_number(raw.kind).ok_or(DecodeError::UnknownRtcKind { number: raw.kind })?;
    Ok(RtcMessage {
        group: raw.group.to_owned(),
        user: raw.user.to_owned(),
        session: raw.session.to_owned(),
        call: raw.call.to_owned(),
        kind,
        data: raw.data.to_vec(),
        node: raw.node.to_owned(),
    })
}
