//! Binding requests by hand, for what no WebRTC stack would send.
//!
//! See: RFC 8489 (format, 14.5 MESSAGE-INTEGRITY, 14.7 FINGERPRINT), RFC 8445 7.1.

use aws_lc_rs::hmac;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const ICE_CONTROLLING: u16 = 0x802a;

/// What one side of an ICE connection calls itself, and its password.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    pub ufrag: String,
    pub password: String,
}

impl Credentials {
    /// Reads them from a session description.
    #[must_use]
    pub fn from_sdp(sdp: &str) -> Option<Self> {
        let value = |name: &str| sdp.lines().find_map(|line| line.strip_prefix(name));
        Some(Self {
            ufrag: value("a=ice-ufrag:")?.trim().to_owned(),
            password: value("a=ice-pwd:")?.trim().to_owned(),
        })
    }
}

/// Attributes of a check of a controlling agent.
#[must_use]
pub fn check_attributes(nominates: bool) -> Vec<u8> {
    let mut attributes = Vec::new();
    attribute(&mut attributes, PRIORITY, &1_694_498_815u32.to_be_bytes());
    attribute(&mut attributes, ICE_CONTROLLING, &7u64.to_be_bytes());
    if nominates {
        attribute(&mut attributes, USE_CANDIDATE, &[]);
    }
    attributes
}

/// Makes a Binding request of `from` for `to`: the user name, these attributes, and proof of
/// knowing the password.
#[must_use]
pub fn request(to: &Credentials, from: &str, transaction: [u8; 12], attributes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let name = format!("{}:{from}", to.ufrag);
    attribute(&mut body, USERNAME, name.as_bytes());
    body.extend(attributes);
    // The length covers MESSAGE-INTEGRITY, which is computed over everything before itself.
    let len = u16::try_from(body.len() + 24).unwrap_or(u16::MAX);
    let mut message = vec![0, 1];
    message.extend(len.to_be_bytes());
    message.extend(COOKIE);
    message.extend(transaction);
    message.extend(&body);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, to.password.as_bytes());
    let proof = hmac::sign(&key, &message);
    attribute(&mut message, MESSAGE_INTEGRITY, proof.as_ref());
    message
}

fn attribute(into: &mut Vec<u8>, kind: u16, value: &[u8]) {
    into.extend(kind.to_be_bytes());
    into.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
    into.extend(value);
    into.resize(into.len().next_multiple_of(4), 0);
}
