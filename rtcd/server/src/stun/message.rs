//! STUN messages: header, attributes, integrity. Bytes in, values out, and back; no socket.
//!
//! Invariant: reading any bytes gives a message or `None`.
//! See: RFC 8489 (5 structure, 14 attributes), RFC 8656 (attributes of TURN).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use aws_lc_rs::hmac;

pub(crate) const COOKIE: u32 = 0x2112_a442;
const HEADER_LEN: usize = 20;
const INTEGRITY_LEN: usize = 20;

pub type TransactionId = [u8; 12];

/// What a message asks for or answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method(pub u8);

impl Method {
    pub const BINDING: Self = Self(1);
    pub const ALLOCATE: Self = Self(3);
    pub const REFRESH: Self = Self(4);
    pub const SEND: Self = Self(6);
    pub const DATA: Self = Self(7);
    pub const CREATE_PERMISSION: Self = Self(8);
    pub const CHANNEL_BIND: Self = Self(9);
}

/// The kind of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind(u16);

impl Kind {
    pub const USERNAME: Self = Self(0x0006);
    pub const MESSAGE_INTEGRITY: Self = Self(0x0008);
    pub const ERROR_CODE: Self = Self(0x0009);
    pub const CHANNEL_NUMBER: Self = Self(0x000c);
    pub const LIFETIME: Self = Self(0x000d);
    pub const XOR_PEER_ADDRESS: Self = Self(0x0012);
    pub const DATA: Self = Self(0x0013);
    pub const REALM: Self = Self(0x0014);
    pub const NONCE: Self = Self(0x0015);
    pub const XOR_RELAYED_ADDRESS: Self = Self(0x0016);
    pub const REQUESTED_TRANSPORT: Self = Self(0x0019);
    pub const XOR_MAPPED_ADDRESS: Self = Self(0x0020);
}

impl From<[u8; 2]> for Kind {
    fn from(bytes: [u8; 2]) -> Self {
        Self(u16::from_be_bytes(bytes))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Request,
    Indication,
    Success,
    Error,
}

impl Class {
    const fn bits(self) -> [u8; 2] {
        match self {
            Self::Request => [0, 0],
            Self::Indication => [0, 0x10],
            Self::Success => [1, 0],
            Self::Error => [1, 0x10],
        }
    }
}

/// A message that was read.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    pub method: Method,
    pub class: Class,
    pub id: TransactionId,
    whole: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads one message; what follows its length is not looked at.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let [high, low] = *bytes.first_chunk::<2>()?;
        let len = usize::from(u16::from_be_bytes(*bytes.get(2..4)?.first_chunk()?));
        let whole = bytes.get(..HEADER_LEN.checked_add(len)?)?;
        if whole.get(4..8)? != COOKIE.to_be_bytes() || high > 1 || low & 0xe0 != 0 {
            return None;
        }
        let classes = [
            Class::Request,
            Class::Indication,
            Class::Success,
            Class::Error,
        ];
        let class = classes
            .into_iter()
            .find(|class| class.bits() == [high, low & 0x10])?;
        Some(Self {
            method: Method(low & 0x0f),
            class,
            id: *whole.get(8..HEADER_LEN)?.first_chunk()?,
            whole,
        })
    }

    /// Returns the value of the first attribute of a kind.
    pub fn get(&self, kind: Kind) -> Option<&'a [u8]> {
        self.attributes()
            .find(|(found, _, _)| *found == kind)
            .map(|(_, value, _)| value)
    }

    pub fn number(&self, kind: Kind) -> Option<u32> {
        self.get(kind)?.try_into().ok().map(u32::from_be_bytes)
    }

    pub fn text(&self, kind: Kind) -> Option<&'a str> {
        std::str::from_utf8(self.get(kind)?).ok()
    }

    pub fn address(&self, kind: Kind) -> Option<SocketAddr> {
        xored(self.get(kind)?, self.id)
    }

    /// Returns the code of an error answer, such as 401.
    pub fn error_code(&self) -> Option<u16> {
        let [_, _, class, number] = *self.get(Kind::ERROR_CODE)?.first_chunk()?;
        Some(u16::from(class & 7) * 100 + u16::from(number))
    }

    /// Whether the sender has the key.
    pub fn is_authentic(&self, key: &[u8]) -> bool {
        let found = self
            .attributes()
            .find(|(kind, _, _)| *kind == Kind::MESSAGE_INTEGRITY);
        let Some((_, value, at)) = found else {
            return false;
        };
        let before = self.whole.get(..at).unwrap_or_default();
        let key = integrity_key(key);
        hmac::verify(&key, &to_be_signed(before), value).is_ok()
    }

    /// Kind, value, and where the attribute begins.
    fn attributes(&self) -> impl Iterator<Item = (Kind, &'a [u8], usize)> + use<'a> {
        let (whole, mut at) = (self.whole, HEADER_LEN);
        std::iter::from_fn(move || {
            let [a, b, c, d] = *whole.get(at..)?.first_chunk()?;
            let len = usize::from(u16::from_be_bytes([c, d]));
            let value = whole.get(at + 4..at + 4 + len)?;
            let begin = at;
            at += 4 + len.next_multiple_of(4);
            Some((Kind::from([a, b]), value, begin))
        })
    }
}

/// A message that is being written.
#[derive(Debug)]
pub struct Builder {
    bytes: Vec<u8>,
    id: TransactionId,
}

impl Builder {
    pub fn new(method: Method, class: Class, id: TransactionId) -> Self {
        let [high, low] = class.bits();
        let mut bytes = vec![high, low | method.0, 0, 0];
        bytes.extend(COOKIE.to_be_bytes());
        bytes.extend(id);
        Self { bytes, id }
    }

    pub fn attribute(mut self, kind: Kind, value: &[u8]) -> Self {
        let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
        let value = value.get(..usize::from(len)).unwrap_or_default();
        self.bytes.extend(kind.0.to_be_bytes());
        self.bytes.extend(len.to_be_bytes());
        self.bytes.extend(value);
        let padded = self.bytes.len().next_multiple_of(4);
        self.bytes.resize(padded, 0);
        self
    }

    pub fn address(self, kind: Kind, address: SocketAddr) -> Self {
        let id = self.id;
        self.attribute(kind, &xor(address, id))
    }

    /// Ends a message that is signed with a key.
    pub fn finish_signed(self, key: &[u8]) -> Vec<u8> {
        let proof = hmac::sign(&integrity_key(key), &to_be_signed(&self.bytes));
        self.attribute(Kind::MESSAGE_INTEGRITY, proof.as_ref())
            .finish()
    }

    pub fn finish(mut self) -> Vec<u8> {
        set_len(&mut self.bytes, 0);
        self.bytes
    }
}

fn integrity_key(key: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key)
}

/// What stands before the integrity attribute, as if the message ended with that attribute.
fn to_be_signed(before: &[u8]) -> Vec<u8> {
    let mut signed = before.to_vec();
    set_len(&mut signed, 4 + INTEGRITY_LEN);
    signed
}

fn set_len(message: &mut [u8], more: usize) {
    let len = (message.len() + more).saturating_sub(HEADER_LEN);
    let len = u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
    if let Some(place) = message.get_mut(2..4) {
        place.copy_from_slice(&len);
    }
}

fn xor_key(id: TransactionId) -> [u8; 16] {
    let mut key = [0; 16];
    let parts = COOKIE.to_be_bytes().into_iter().chain(id);
    key.iter_mut()
        .zip(parts)
        .for_each(|(place, byte)| *place = byte);
    key
}

fn xor(address: SocketAddr, id: TransactionId) -> Vec<u8> {
    let key = xor_key(id);
    let (family, octets) = match address.ip() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let port = address.port().to_be_bytes();
    let hidden = |bytes: &[u8]| -> Vec<u8> { bytes.iter().zip(key).map(|(b, k)| b ^ k).collect() };
    [vec![0, family], hidden(&port), hidden(&octets)].concat()
}

fn xored(value: &[u8], id: TransactionId) -> Option<SocketAddr> {
    let [_, family, p0, p1] = *value.first_chunk()?;
    let [high, low, ..] = COOKIE.to_be_bytes();
    let port = u16::from_be_bytes([p0 ^ high, p1 ^ low]);
    let address = value.get(4..)?;
    let ip = match family {
        1 => {
            let bits = u32::from_be_bytes(address.try_into().ok()?) ^ COOKIE;
            IpAddr::V4(Ipv4Addr::from_bits(bits))
        }
        2 => {
            let bits =
                u128::from_be_bytes(address.try_into().ok()?) ^ u128::from_be_bytes(xor_key(id));
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: TransactionId = *b"abcdefghijkl";

    #[test]
    fn what_is_written_is_read() {
        for address in ["203.0.113.7:4444", "[2001:db8::7]:4444"] {
            let address: SocketAddr = address.parse().unwrap();
            let bytes = Builder::new(Method::CHANNEL_BIND, Class::Error, ID)
                .attribute(Kind::REALM, b"example")
                .address(Kind::XOR_PEER_ADDRESS, address)
                .attribute(Kind::ERROR_CODE, &[0, 0, 4, 38, b'x'])
                .finish_signed(b"key");
            let message = Message::parse(&bytes).unwrap();
            assert_eq!(message.method, Method::CHANNEL_BIND);
            assert_eq!((message.class, message.id), (Class::Error, ID));
            assert_eq!(message.text(Kind::REALM), Some("example"));
            assert_eq!(message.address(Kind::XOR_PEER_ADDRESS), Some(address));
            assert_eq!(message.error_code(), Some(438));
            assert!(message.is_authentic(b"key"));
            assert!(!message.is_authentic(b"kez"));
            for len in 0..bytes.len() {
                assert!(Message::parse(&bytes[..len]).is_none(), "{len}");
            }
        }
    }

    /// RFC 5769, 2.2: an answer with integrity and fingerprint.
    #[test]
    fn the_published_answer_is_authentic() {
        let hex = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220\
                   002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7\
                   80280004c07d4c96";
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let message = Message::parse(&bytes).unwrap();
        assert!(message.is_authentic(b"VOkJxbRl1RmTxUk/WvJxBt"));
        assert_eq!(
            message.address(Kind::XOR_MAPPED_ADDRESS),
            Some("192.0.2.1:32853".parse().unwrap())
        );
    }

    #[test]
    fn any_bytes_are_read_without_harm() {
        let whole = Builder::new(Method::DATA, Class::Indication, ID)
            .attribute(Kind::DATA, &[7; 30])
            .finish();
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                if let Some(message) = Message::parse(&bytes) {
                    assert!(message.get(Kind::DATA).is_none_or(|data| data.len() <= 32));
                    assert!(!message.is_authentic(b""));
                }
            }
        }
    }
}
