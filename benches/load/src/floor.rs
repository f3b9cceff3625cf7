//! What this machine asks for at least: header, cipher and `sendto` in a bare loop.
//!
//! In: how many destinations, which cipher. Out: CPU time per packet, by the thread's own clock,
//! with one packet per system call and with three to one destination through GSO.
//! The destinations are sockets nobody reads: their buffers are full, so that only the sender's way
//! through the kernel counts. Header and cipher are written here, not taken from the server.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::{Context, bail};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrIn, sendmsg, setsockopt, sockopt};

use rtcd_srtp::{Half, Profile};

use crate::figures::median;
use crate::process::own_thread_cpu;

/// 12 bytes, an extension block with the audio level.
const HEADER: usize = 20;
const PAYLOAD: usize = 80;
/// Of GCM; the HMAC of the other profile is shorter.
const TAG: usize = 16;
const LONGEST: usize = HEADER + PAYLOAD + TAG;
const GROUP: usize = 3;
/// Turns over all destinations in one block; the figure is the median of the blocks.
const TURNS: usize = 20;
const BLOCKS: usize = 9;

/// Microseconds per packet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Floor {
    pub(crate) sendto: f64,
    pub(crate) gso: f64,
}

enum Cipher {
    Gcm {
        key: LessSafeKey,
        salt: [u8; 12],
    },
    /// The one profile that is not worth writing twice.
    CmSha1(Box<Half>),
}

struct Record {
    cipher: Cipher,
    ssrc: u32,
    index: u64,
    timestamp: u32,
    destination: SocketAddr,
}

/// Measures it. `profile` as `Profile::as_str` names it.
pub(crate) fn measure(destinations: usize, profile: &str) -> anyhow::Result<Floor> {
    let profile = Profile::ALL
        .into_iter()
        .find(|known| known.as_str() == profile)
        .with_context(|| format!("no SRTP profile `{profile}`"))?;
    let receivers = (0..destinations)
        .map(|_| receiver())
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut records = receivers
        .iter()
        .map(|receiver| record(receiver, profile))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let socket = UdpSocket::bind("127.0.0.1:0").context("bind the floor's socket")?;
    // Fills the receivers' buffers, and warms the caches.
    block(&mut records, |record| send_one(&socket, record))?;
    let mut single = Vec::with_capacity(BLOCKS);
    let mut grouped = Vec::with_capacity(BLOCKS);
    for _ in 0..BLOCKS {
        single.push(block(&mut records, |record| send_one(&socket, record))?);
        let group = block(&mut records, |record| send_group(&socket, record))?;
        grouped.push(group / f64::from(u32::try_from(GROUP).unwrap_or(1)));
    }
    Ok(Floor {
        sendto: median(&single),
        gso: median(&grouped),
    })
}

fn receiver() -> anyhow::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")
        .context("bind a destination (raise `ulimit -n` for many)")?;
    setsockopt(&socket, sockopt::RcvBuf, &4096).context("make a destination's buffer small")?;
    Ok(socket)
}

fn record(receiver: &UdpSocket, profile: Profile) -> anyhow::Result<Record> {
    let mut key = [0u8; 32];
    rand::fill(&mut key);
    let key = key.get(..profile.key_len()).context("cut the key")?;
    let gcm = |algorithm| {
        let key = UnboundKey::new(algorithm, key).context("make a key")?;
        anyhow::Ok(Cipher::Gcm {
            key: LessSafeKey::new(key),
            salt: rand::random(),
        })
    };
    let cipher = match profile {
        Profile::Aes256Gcm => gcm(&AES_256_GCM)?,
        Profile::Aes128Gcm => gcm(&AES_128_GCM)?,
        Profile::Aes128CmSha1 => {
            let half = Half::new(profile, key, &[7; 14]).context("make keys")?;
            Cipher::CmSha1(Box::new(half))
        }
    };
    Ok(Record {
        cipher,
        ssrc: rand::random(),
        index: 1000,
        timestamp: rand::random(),
        destination: receiver.local_addr().context("read a destination")?,
    })
}

/// Microseconds of CPU per call of `send`.
fn block(
    records: &mut [Record],
    mut send: impl FnMut(&mut Record) -> anyhow::Result<()>,
) -> anyhow::Result<f64> {
    let began = own_thread_cpu();
    for _ in 0..TURNS {
        for record in &mut *records {
            send(record)?;
        }
    }
    let took: Duration = own_thread_cpu().saturating_sub(began);
    let calls = u32::try_from(TURNS * records.len()).context("count the calls")?;
    Ok(took.as_secs_f64() * 1e6 / f64::from(calls))
}

fn send_one(socket: &UdpSocket, record: &mut Record) -> anyhow::Result<()> {
    let mut packet = [0x55u8; LONGEST];
    let len = seal(record, &mut packet)?;
    socket
        .send_to(packet.get(..len).unwrap_or_default(), record.destination)
        .context("send to a destination")
        .map(drop)
}

fn send_group(socket: &UdpSocket, record: &mut Record) -> anyhow::Result<()> {
    let mut group = [0x55u8; GROUP * LONGEST];
    let mut at = 0;
    let mut len = 0;
    for _ in 0..GROUP {
        let packet = group
            .get_mut(at..)
            .and_then(|rest| rest.first_chunk_mut())
            .context("cut the group")?;
        len = seal(record, packet)?;
        at += len;
    }
    let SocketAddr::V4(destination) = record.destination else {
        bail!("the floor sends over IPv4");
    };
    let segment = u16::try_from(len).context("name the segment's size")?;
    sendmsg(
        socket.as_raw_fd(),
        &[std::io::IoSlice::new(group.get(..at).unwrap_or_default())],
        &[ControlMessage::UdpGsoSegments(&segment)],
        MsgFlags::empty(),
        Some(&SockaddrIn::from(destination)),
    )
    .context("send a group to a destination")
    .map(drop)
}

/// Writes the next packet and returns its length.
fn seal(record: &mut Record, packet: &mut [u8; LONGEST]) -> anyhow::Result<usize> {
    let index = record.index;
    record.index += 1;
    record.timestamp = record.timestamp.wrapping_add(960);
    let [.., s2, s1] = index.to_be_bytes();
    let [t0, t1, t2, t3] = record.timestamp.to_be_bytes();
    let [r0, r1, r2, r3] = record.ssrc.to_be_bytes();
    let written: [u8; HEADER] = [
        0x90, 111, s2, s1, t0, t1, t2, t3, r0, r1, r2, r3, 0xbe, 0xde, 0, 1, 0x10, 30, 0, 0,
    ];
    match &record.cipher {
        Cipher::Gcm { key, salt } => {
            let (header, rest) = packet
                .split_first_chunk_mut::<HEADER>()
                .context("cut the packet")?;
            *header = written;
            let nonce = Nonce::assume_unique_for_key(nonce(salt, record.ssrc, index));
            let (body, tag) = rest.split_at_mut(PAYLOAD);
            let made = key
                .seal_in_place_separate_tag(nonce, Aad::from(&written), body)
                .context("seal a packet")?;
            tag.copy_from_slice(made.as_ref());
            Ok(LONGEST)
        }
        Cipher::CmSha1(half) => {
            let len = HEADER + PAYLOAD + half.profile().tag_len();
            let out = packet.get_mut(..len).context("cut the packet")?;
            half.seal_rtp(index, &written, &[0x55; PAYLOAD], &[], out)
                .context("seal a packet")?;
            Ok(len)
        }
    }
}

/// RFC 7714 8.1: two zero bytes, SSRC, rollover counter, sequence number; xor the salt.
fn nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> [u8; 12] {
    let number = (u128::from(ssrc) << 48) | u128::from(index & 0xffff_ffff_ffff);
    let [_, _, _, _, input @ ..] = number.to_be_bytes();
    let mut nonce = *salt;
    for (byte, input) in nonce.iter_mut().zip(input) {
        *byte ^= input;
    }
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_is_a_send_and_a_seal() {
        let floor = measure(50, "AEAD_AES_256_GCM").unwrap();
        assert!((0.05..200.0).contains(&floor.sendto), "{floor:?}");
        assert!(floor.gso < floor.sendto, "{floor:?}");
        assert!(measure(5, "AES128_CM_HMAC_SHA1_80").unwrap().sendto > 0.0);
        assert!(measure(1, "NULL").is_err());
    }

    #[test]
    fn every_packet_has_its_own_nonce() {
        let mut nonces = std::collections::BTreeSet::new();
        for index in [0, 1, 65_535, 65_536] {
            assert!(nonces.insert(nonce(&[7; 12], 9, index)));
        }
        assert_eq!(
            nonce(&[0; 12], 0x0102_0304, 0x0a_0b0c_0d0e),
            [0, 0, 1, 2, 3, 4, 0, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e]
        );
    }
}
