//! Seals and opens packets of one direction of a DTLS session.
//!
//! In: the exported master key and salt of one direction. Out: protected packets from plain ones,
//! and the other way round.
//! Invariant: the caller never seals two different packets under one number: with GCM that gives
//! the key away. Sealing the same bytes under the same number again yields the same packet.
//! See: RFC 3711 4.1, 4.2, 4.3 (AES-CM, HMAC-SHA1, key derivation), RFC 7714 (AES-GCM).

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    AES_128, AES_256, Algorithm, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{constant_time, hmac};
use zeroize::Zeroizing;

/// How packets are protected, as negotiated in DTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    Aes256Gcm,
    Aes128Gcm,
    Aes128CmSha1,
}

impl Profile {
    pub const ALL: [Self; 3] = [Self::Aes256Gcm, Self::Aes128Gcm, Self::Aes128CmSha1];

    /// Returns the name registered for DTLS-SRTP (RFC 5764, RFC 7714).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "AEAD_AES_256_GCM",
            Self::Aes128Gcm => "AEAD_AES_128_GCM",
            Self::Aes128CmSha1 => "AES128_CM_HMAC_SHA1_80",
        }
    }

    /// Bytes of a master key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes256Gcm => 32,
            Self::Aes128Gcm | Self::Aes128CmSha1 => 16,
        }
    }

    /// Bytes of a master salt.
    #[must_use]
    pub const fn salt_len(self) -> usize {
        match self {
            Self::Aes256Gcm | Self::Aes128Gcm => 12,
            Self::Aes128CmSha1 => 14,
        }
    }

    /// Bytes that protection adds to an RTP packet.
    #[must_use]
    pub const fn tag_len(self) -> usize {
        match self {
            Self::Aes256Gcm | Self::Aes128Gcm => 16,
            Self::Aes128CmSha1 => SHA1_TAG,
        }
    }
}

const SHA1_TAG: usize = 10;
/// Set in front of an SRTCP index when the packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;
/// Fixed header of RTCP that stays in clear: type, length, first SSRC.
const RTCP_CLEAR: usize = 8;

/// The keys of one direction.
#[derive(Debug)]
pub struct Half {
    profile: Profile,
    rtp: Cipher,
    rtcp: Cipher,
}

enum Cipher {
    Gcm {
        key: LessSafeKey,
        salt: [u8; 12],
    },
    /// Boxed: it is ten times the size and rarely used.
    CmSha1(Box<CmSha1>),
}

struct CmSha1 {
    key: EncryptingKey,
    salt: [u8; 14],
    auth: hmac::Key,
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher")
    }
}

impl Half {
    /// Derives the session keys; `None` when a length does not fit the profile.
    #[must_use]
    pub fn new(profile: Profile, master_key: &[u8], master_salt: &[u8]) -> Option<Self> {
        let derive = |label, len| derive(profile, master_key, master_salt, label, len);
        let cipher = |first_label| {
            let key = derive(first_label, profile.key_len())?;
            let auth = derive(first_label + 1, 20)?;
            let salt = derive(first_label + 2, profile.salt_len())?;
            Cipher::new(profile, &key, &auth, &salt)
        };
        Some(Self {
            profile,
            rtp: cipher(0)?,
            rtcp: cipher(3)?,
        })
    }

    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Writes the protected packet of `header`, `payload` and `padding` into `out`, which has
    /// exactly their length plus `Profile::tag_len`. `index` is the extended sequence number (48
    /// bits). `None` when lengths do not fit.
    pub fn seal_rtp(
        &self,
        index: u64,
        header: &[u8],
        payload: &[u8],
        padding: &[u8],
        out: &mut [u8],
    ) -> Option<()> {
        let ssrc = ssrc_at(header, 8)?;
        let (head, body) = out.split_at_mut_checked(header.len())?;
        head.copy_from_slice(header);
        match &self.rtp {
            Cipher::Gcm { key, salt } => {
                let (text, rest) = body.split_at_mut_checked(payload.len())?;
                let nonce = Nonce::assume_unique_for_key(rtp_nonce(salt, ssrc, index));
                let aad = Aad::from(header);
                key.seal_out_of_place_scatter(nonce, aad, payload, text, padding, rest)
                    .ok()
            }
            Cipher::CmSha1(cipher) => {
                let tag_at = header.len() + payload.len() + padding.len();
                let (text, rest) = body.split_at_mut_checked(payload.len())?;
                text.copy_from_slice(payload);
                rest.get_mut(..padding.len())?.copy_from_slice(padding);
                cipher.crypt(ssrc, index, body.get_mut(..payload.len() + padding.len())?)?;
                let roc = u32::try_from(index >> 16).ok()?.to_be_bytes();
                let (covered, tag) = out.split_at_mut_checked(tag_at)?;
                (tag.len() == SHA1_TAG).then_some(())?;
                tag.copy_from_slice(&cipher.tag(&[covered, &roc]));
                Some(())
            }
        }
    }

    /// Opens a protected packet in place and returns the length of header and payload together.
    /// `header_len` includes CSRCs and extensions.
    pub fn open_rtp(&self, index: u64, header_len: usize, packet: &mut [u8]) -> Option<usize> {
        let ssrc = ssrc_at(packet, 8)?;
        let plain_len = packet.len().checked_sub(self.profile.tag_len())?;
        match &self.rtp {
            Cipher::Gcm { key, salt } => {
                let (header, body) = packet.split_at_mut_checked(header_len)?;
                let nonce = Nonce::assume_unique_for_key(rtp_nonce(salt, ssrc, index));
                key.open_in_place(nonce, Aad::from(&*header), body).ok()?;
            }
            Cipher::CmSha1(cipher) => {
                let roc = u32::try_from(index >> 16).ok()?.to_be_bytes();
                let (covered, tag) = packet.split_at_mut_checked(plain_len)?;
                constant_time::verify_slices_are_equal(&cipher.tag(&[covered, &roc]), tag).ok()?;
                cipher.crypt(ssrc, index, covered.get_mut(header_len..)?)?;
            }
        }
        Some(plain_len)
    }

    /// Protects the compound packet in `compound` in place. `index` has 31 bits and counts the
    /// packets of the compound's first SSRC.
    pub fn seal_rtcp(&self, index: u32, compound: &mut Vec<u8>) -> Option<()> {
        let ssrc = ssrc_at(compound, 4)?;
        (index < ENCRYPTED).then_some(())?;
        let trailer = (index | ENCRYPTED).to_be_bytes();
        match &self.rtcp {
            Cipher::Gcm { key, salt } => {
                let (header, body) = compound.split_at_mut_checked(RTCP_CLEAR)?;
                let nonce = Nonce::assume_unique_for_key(rtcp_nonce(salt, ssrc, index));
                let aad = Aad::from(rtcp_aad(header, trailer)?);
                let tag = key.seal_in_place_separate_tag(nonce, aad, body).ok()?;
                compound.extend_from_slice(tag.as_ref());
                compound.extend_from_slice(&trailer);
            }
            Cipher::CmSha1(cipher) => {
                cipher.crypt(ssrc, index.into(), compound.get_mut(RTCP_CLEAR..)?)?;
                compound.extend_from_slice(&trailer);
                let tag = cipher.tag(&[compound]);
                compound.extend_from_slice(&tag);
            }
        }
        Some(())
    }

    /// Opens a protected compound packet into `plain`, which is overwritten, and returns its index.
    /// Whether the index was seen before is the caller's to check (`replay`).
    pub fn open_rtcp(&self, packet: &[u8], plain: &mut Vec<u8>) -> Option<u32> {
        let ssrc = ssrc_at(packet, 4)?;
        plain.clear();
        match &self.rtcp {
            Cipher::Gcm { key, salt } => {
                let (sealed, trailer) = packet.split_at_checked(packet.len().checked_sub(4)?)?;
                let trailer: [u8; 4] = trailer.try_into().ok()?;
                let word = u32::from_be_bytes(trailer);
                // Authenticated but not encrypted: nobody we negotiate with sends that.
                (word & ENCRYPTED != 0).then_some(())?;
                plain.extend_from_slice(sealed);
                let (header, body) = plain.split_at_mut_checked(RTCP_CLEAR)?;
                let index = word & !ENCRYPTED;
                let nonce = Nonce::assume_unique_for_key(rtcp_nonce(salt, ssrc, index));
                let aad = Aad::from(rtcp_aad(header, trailer)?);
                let len = key.open_in_place(nonce, aad, body).ok()?.len();
                plain.truncate(RTCP_CLEAR + len);
                Some(index)
            }
            Cipher::CmSha1(cipher) => {
                let (covered, tag) =
                    packet.split_at_checked(packet.len().checked_sub(SHA1_TAG)?)?;
                constant_time::verify_slices_are_equal(&cipher.tag(&[covered]), tag).ok()?;
                let (text, trailer) = covered.split_at_checked(covered.len().checked_sub(4)?)?;
                let word = u32::from_be_bytes(trailer.try_into().ok()?);
                (word & ENCRYPTED != 0).then_some(())?;
                let index = word & !ENCRYPTED;
                plain.extend_from_slice(text);
                cipher.crypt(ssrc, index.into(), plain.get_mut(RTCP_CLEAR..)?)?;
                Some(index)
            }
        }
    }
}

impl Cipher {
    fn new(profile: Profile, key: &[u8], auth: &[u8], salt: &[u8]) -> Option<Self> {
        let gcm = |algorithm| {
            Some(Self::Gcm {
                key: LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?),
                salt: salt.try_into().ok()?,
            })
        };
        match profile {
            Profile::Aes256Gcm => gcm(&AES_256_GCM),
            Profile::Aes128Gcm => gcm(&AES_128_GCM),
            Profile::Aes128CmSha1 => Some(Self::CmSha1(Box::new(CmSha1 {
                key: counter_mode(&AES_128, key)?,
                salt: salt.try_into().ok()?,
                auth: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, auth),
            }))),
        }
    }
}

impl CmSha1 {
    /// Encrypts or decrypts: in counter mode both are one operation. See RFC 3711 4.1.1.
    fn crypt(&self, ssrc: u32, index: u64, text: &mut [u8]) -> Option<()> {
        let mut iv = [0; 16];
        let [salted @ .., _, _] = &mut iv;
        *salted = self.salt;
        xor(salted.get_mut(4..8)?, &ssrc.to_be_bytes());
        xor(salted.get_mut(6..14)?, &index.to_be_bytes());
        // An empty text is refused by the library, and needs nothing.
        if text.is_empty() {
            return Some(());
        }
        keystream(&self.key, iv, text)
    }

    fn tag(&self, covered: &[&[u8]]) -> [u8; SHA1_TAG] {
        let mut context = hmac::Context::with_key(&self.auth);
        for part in covered {
            context.update(part);
        }
        let tag = context.sign();
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

/// RFC 7714 8.1: two zero bytes, SSRC, rollover counter, sequence number, under the salt.
fn rtp_nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> [u8; 12] {
    let mut nonce = *salt;
    let [_, _, a, b, c, d, rest @ ..] = &mut nonce;
    for (byte, other) in [a, b, c, d].into_iter().zip(ssrc.to_be_bytes()) {
        *byte ^= other;
    }
    let [_, _, index @ ..] = index.to_be_bytes();
    xor(rest, &index);
    nonce
}

/// RFC 7714 9.1: two zero bytes, SSRC, two zero bytes, index, under the salt.
fn rtcp_nonce(salt: &[u8; 12], ssrc: u32, index: u32) -> [u8; 12] {
    rtp_nonce(salt, ssrc, index.into())
}

/// RFC 7714 9.2: what stays in clear, header and trailer.
fn rtcp_aad(header: &[u8], trailer: [u8; 4]) -> Option<[u8; RTCP_CLEAR + 4]> {
    let mut aad = [0; RTCP_CLEAR + 4];
    let (head, tail) = aad.split_at_mut_checked(RTCP_CLEAR)?;
    head.copy_from_slice(header.get(..RTCP_CLEAR)?);
    tail.copy_from_slice(&trailer);
    Some(aad)
}

fn ssrc_at(packet: &[u8], offset: usize) -> Option<u32> {
    let bytes = packet.get(offset..)?.first_chunk()?;
    Some(u32::from_be_bytes(*bytes))
}

fn xor(bytes: &mut [u8], other: &[u8]) {
    for (byte, other) in bytes.iter_mut().zip(other) {
        *byte ^= other;
    }
}

fn counter_mode(algorithm: &'static Algorithm, key: &[u8]) -> Option<EncryptingKey> {
    EncryptingKey::ctr(UnboundCipherKey::new(algorithm, key).ok()?).ok()
}

fn keystream(key: &EncryptingKey, iv: [u8; 16], text: &mut [u8]) -> Option<()> {
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    key.less_safe_encrypt(text, context).ok().map(drop)
}

/// Derives a session key: RFC 3711 4.3.1 with a key derivation rate of 0. The 12 bytes of salt of
/// GCM count as 14 with two zeros behind (RFC 7714 11).
fn derive(
    profile: Profile,
    master_key: &[u8],
    master_salt: &[u8],
    label: u8,
    len: usize,
) -> Option<Zeroizing<Vec<u8>>> {
    if master_key.len() != profile.key_len() || master_salt.len() != profile.salt_len() {
        return None;
    }
    let algorithm = match profile {
        Profile::Aes256Gcm => &AES_256,
        Profile::Aes128Gcm | Profile::Aes128CmSha1 => &AES_128,
    };
    let mut iv = [0; 16];
    iv.get_mut(..master_salt.len())?
        .copy_from_slice(master_salt);
    let [_, _, _, _, _, _, _, at_label, ..] = &mut iv;
    *at_label ^= label;
    let mut derived = Zeroizing::new(vec![0; len]);
    keystream(&counter_mode(algorithm, master_key)?, iv, &mut derived)?;
    Some(derived)
}

#[cfg(test)]
mod tests;
