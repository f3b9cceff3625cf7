//! Reads many datagrams of one socket with one system call, with the kernel's arrival stamps.
//!
//! In: a socket. Out: datagrams, their source and when the kernel got them.

use std::io::IoSliceMut;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

use anyhow::Context;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;

/// Datagrams per call: what a participant receives between two visits, mostly.
const BATCH: usize = 16;
/// Longest datagram of any server here, and room.
const LONGEST: usize = 2048;

/// What is known about a datagram beside its bytes.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    len: usize,
    source: Option<SocketAddr>,
    at: Option<u64>,
}

/// Buffers for one call after the other.
pub(crate) struct Inbox {
    buffers: Box<[[u8; LONGEST]; BATCH]>,
    plain: MultiHeaders<SockaddrIn>,
    timed: MultiHeaders<SockaddrIn>,
    arrivals: Vec<Arrival>,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

/// A datagram in the inbox.
#[derive(Debug)]
pub(crate) struct Datagram<'a> {
    pub(crate) bytes: &'a mut [u8],
    pub(crate) source: Option<SocketAddr>,
    /// Nanoseconds since 1970.
    pub(crate) arrived: Option<u64>,
}

/// Asks the kernel for arrival stamps on `socket`.
pub(crate) fn stamp_arrivals(socket: &UdpSocket) -> anyhow::Result<()> {
    setsockopt(socket, sockopt::ReceiveTimestampns, &true).context("ask for arrival times")
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self {
            buffers: Box::new([[0; LONGEST]; BATCH]),
            plain: MultiHeaders::preallocate(BATCH, None),
            timed: MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(TimeSpec))),
            arrivals: Vec::with_capacity(BATCH),
        }
    }

    /// Reads what `socket` holds, at most `BATCH` datagrams; returns whether there may be more.
    /// `is_timed` as `stamp_arrivals` was called.
    pub(crate) fn fill(&mut self, socket: &UdpSocket, is_timed: bool) -> anyhow::Result<bool> {
        self.arrivals.clear();
        let headers = if is_timed {
            &mut self.timed
        } else {
            &mut self.plain
        };
        let mut buffers = self.buffers.iter_mut();
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = std::array::from_fn(|_| {
            let buffer = buffers.next().map_or(&mut [][..], |buffer| &mut buffer[..]);
            [IoSliceMut::new(buffer)]
        });
        let flags = MsgFlags::MSG_DONTWAIT;
        let messages = match recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), flags, None) {
            Ok(messages) => messages,
            // Refused: an earlier datagram of ours met a closed port, which the server's end shows.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => return Ok(false),
            Err(error) => return Err(error).context("read a participant's socket"),
        };
        self.arrivals.extend(messages.map(|message| {
            Arrival {
                len: message.bytes,
                source: message
                    .address
                    .map(|address| SocketAddr::V4(SocketAddrV4::from(address))),
                at: is_timed
                    .then(|| message.cmsgs().ok()?.find_map(|about| arrival(&about)))
                    .flatten(),
            }
        }));
        Ok(self.arrivals.len() == BATCH)
    }

    /// What the last `fill` read.
    pub(crate) fn datagrams(&mut self) -> impl Iterator<Item = Datagram<'_>> {
        self.buffers
            .iter_mut()
            .zip(&self.arrivals)
            .filter_map(|(buffer, arrival)| {
                Some(Datagram {
                    bytes: buffer.get_mut(..arrival.len)?,
                    source: arrival.source,
                    arrived: arrival.at,
                })
            })
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only one kind of control message was asked for"
)]
fn arrival(message: &ControlMessageOwned) -> Option<u64> {
    match message {
        ControlMessageOwned::ScmTimestampns(time) => nanos(*time),
        _ => None,
    }
}

fn nanos(time: TimeSpec) -> Option<u64> {
    let seconds = u64::try_from(time.tv_sec()).ok()?;
    let rest = u64::try_from(time.tv_nsec()).ok()?;
    Some(seconds * 1_000_000_000 + rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp;

    #[test]
    fn datagrams_come_in_order_with_source_and_time() {
        let here = UdpSocket::bind("127.0.0.1:0").unwrap();
        let there = UdpSocket::bind("127.0.0.1:0").unwrap();
        stamp_arrivals(&here).unwrap();
        let before = stamp::now();
        for number in 0..20u8 {
            there
                .send_to(&[number; 30], here.local_addr().unwrap())
                .unwrap();
        }
        let mut inbox = Inbox::new();
        let mut found = Vec::new();
        for _ in 0..3 {
            inbox.fill(&here, true).unwrap();
            for datagram in inbox.datagrams() {
                assert_eq!(datagram.source, there.local_addr().ok());
                assert!(datagram.arrived.is_some_and(|at| at >= before));
                assert_eq!(datagram.bytes.len(), 30);
                found.push(datagram.bytes[0]);
            }
        }
        assert_eq!(found, (0..20).collect::<Vec<_>>());
    }
}
