//! The sockets of one shard: datagrams in by batches, out by groups.
//!
//! In: what the kernel holds; datagrams and groups to send. Out: batches of received datagrams.
//! One call takes up to `BATCH` datagrams (`recvmmsg`), one call hands over several packets for one
//! receiver (`UDP_SEGMENT`): most of what a packet costs is its way through the IP stack, which a
//! group goes once.
//! Invariant: nothing here waits.

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;

use anyhow::Context as _;
use mio::net::UdpSocket;
use mio::{Interest, Poll, Token};
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrStorage, recvmmsg,
    sendmsg,
};
use rtcd_core::MediaGroup;

use crate::udp::{MAX_DATAGRAM, ShardSockets};

/// Datagrams taken at once.
const BATCH: usize = 32;

/// One received datagram: where it came from and how long it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) source: SocketAddr,
    pub(super) len: usize,
}

/// What became of a group, in packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SendResult {
    /// The kernel's buffer is full.
    pub(super) blocked: u64,
    pub(super) refused: u64,
}

/// The sockets of a shard.
pub(super) struct Wire {
    sockets: Vec<Socket>,
    headers: MultiHeaders<SockaddrStorage>,
    buffer: Vec<u8>,
    arrivals: Vec<Arrival>,
    /// The kernel refused a group once: it knows none, or the card does not.
    sends_singly: bool,
}

pub(super) struct Socket {
    address: SocketAddr,
    socket: UdpSocket,
    /// May have more: the poll tells of a change only once.
    readable: bool,
}

/// Has the poll tell when a socket, named by its place, has something.
pub(super) fn watch(sockets: ShardSockets, poll: &Poll) -> anyhow::Result<Vec<Socket>> {
    let mut watched = Vec::new();
    for (index, (address, mut socket)) in sockets.0.into_iter().enumerate() {
        poll.registry()
            .register(&mut socket, Token(index), Interest::READABLE)
            .context("watch a media socket")?;
        watched.push(Socket {
            address,
            socket,
            readable: true,
        });
    }
    Ok(watched)
}

impl Wire {
    pub(super) fn new(sockets: Vec<Socket>) -> Self {
        Self {
            sockets,
            headers: MultiHeaders::preallocate(BATCH, None),
            buffer: vec![0; BATCH * MAX_DATAGRAM],
            arrivals: Vec::with_capacity(BATCH),
            sends_singly: false,
        }
    }

    pub(super) fn became_readable(&mut self, token: Token) {
        if let Some(socket) = self.sockets.get_mut(token.0) {
            socket.readable = true;
        }
    }

    pub(super) fn is_readable(&self) -> bool {
        self.sockets.iter().any(|socket| socket.readable)
    }

    pub(super) const fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Takes what a socket holds, at most `BATCH` datagrams. Returns the address they came to and
    /// how many there are; `None` when there is nothing.
    pub(super) fn receive(&mut self, index: usize) -> Option<(SocketAddr, usize)> {
        self.arrivals.clear();
        let socket = self.sockets.get_mut(index).filter(|s| s.readable)?;
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self
            .buffer
            .chunks_exact_mut(MAX_DATAGRAM)
            .map(|chunk| [IoSliceMut::new(chunk)])
            .collect();
        let received = recvmmsg(
            socket.socket.as_raw_fd(),
            &mut self.headers,
            slices.iter_mut(),
            MsgFlags::MSG_DONTWAIT,
            None,
        );
        match received {
            Ok(received) => {
                let arrivals = received.map(|message| Arrival {
                    source: message.address.and_then(socket_address).unwrap_or(NOWHERE),
                    // Cut off: no session would understand it.
                    len: if message.flags.contains(MsgFlags::MSG_TRUNC) {
                        0
                    } else {
                        message.bytes
                    },
                });
                self.arrivals.extend(arrivals);
                // Fewer than asked for: the rest comes with the next event.
                socket.readable = self.arrivals.len() == BATCH;
            }
            Err(Errno::EAGAIN) => {
                socket.readable = false;
                return None;
            }
            // An ICMP answer to something sent earlier; the session's own timers deal with it.
            Err(_) => {}
        }
        Some((socket.address, self.arrivals.len()))
    }

    /// Returns a datagram of the last batch.
    pub(super) fn arrival(&self, index: usize) -> Option<(Arrival, &[u8])> {
        let arrival = *self.arrivals.get(index)?;
        let start = index * MAX_DATAGRAM;
        let contents = self.buffer.get(start..start + arrival.len)?;
        Some((arrival, contents))
    }

    /// Sends one datagram.
    pub(super) fn send(
        &self,
        source: SocketAddr,
        destination: SocketAddr,
        contents: &[u8],
    ) -> SendResult {
        let mut result = SendResult::default();
        if let Some(socket) = self.socket_for(source) {
            result.count(socket.send_to(contents, destination), 1);
        }
        result
    }

    /// Sends the packets of a group.
    pub(super) fn send_group(&mut self, group: &MediaGroup, bytes: &[u8]) -> SendResult {
        let mut result = SendResult::default();
        let Some(socket) = self.socket_for(group.source) else {
            return result;
        };
        let packets = bytes.len().div_ceil(group.segment.max(1));
        let segment = u16::try_from(group.segment)
            .ok()
            .filter(|_| packets > 1 && !self.sends_singly);
        if let Some(segment) = segment {
            let sent = send_segments(socket, group.destination, bytes, segment);
            match sent {
                Err(error) if is_unsupported(&error) => {
                    tracing::info!(%error, "packets are sent one by one: no UDP_SEGMENT here");
                    self.sends_singly = true;
                    return self.send_group(group, bytes);
                }
                other => result.count(other, u64::try_from(packets).unwrap_or(1)),
            }
            return result;
        }
        for packet in group.packets(bytes) {
            result.count(socket.send_to(packet, group.destination), 1);
        }
        result
    }

    /// The socket bound to an address, or another one of its family.
    fn socket_for(&self, source: SocketAddr) -> Option<&UdpSocket> {
        let bound = self.sockets.iter().find(|socket| socket.address == source);
        let same_family = |socket: &&Socket| socket.address.is_ipv4() == source.is_ipv4();
        let socket = bound.or_else(|| self.sockets.iter().find(same_family))?;
        Some(&socket.socket)
    }
}

impl SendResult {
    fn count(&mut self, sent: std::io::Result<usize>, packets: u64) {
        match sent {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.blocked += packets,
            Err(error) => {
                tracing::debug!(%error, "datagram not sent");
                self.refused += packets;
            }
        }
    }
}

const NOWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

fn socket_address(address: SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::new(v4.ip().into(), v4.port()));
    }
    let v6 = address.as_sockaddr_in6()?;
    Some(SocketAddr::new(v6.ip().into(), v6.port()))
}

fn send_segments(
    socket: &UdpSocket,
    destination: SocketAddr,
    bytes: &[u8],
    segment: u16,
) -> std::io::Result<usize> {
    let (fd, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
    let slices = [IoSlice::new(bytes)];
    let control = [ControlMessage::UdpGsoSegments(&segment)];
    let sent = match destination {
        SocketAddr::V4(v4) => sendmsg(fd, &slices, &control, flags, Some(&SockaddrIn::from(v4))),
        SocketAddr::V6(v6) => sendmsg(fd, &slices, &control, flags, Some(&SockaddrIn6::from(v6))),
    };
    sent.map_err(std::io::Error::from)
}

/// Old kernels know no segments; some cards refuse them because they do not compute checksums.
fn is_unsupported(error: &std::io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw);
    matches!(
        code,
        Some(Errno::EIO | Errno::EINVAL | Errno::ENOPROTOOPT | Errno::EOPNOTSUPP)
    )
}
