//! The sockets of one shard: datagrams in by batches, out by groups.
//!
//! In: what the kernel holds; datagrams and media to send. Out: batches of received datagrams.
//! One call takes up to `BATCH` datagrams (`recvmmsg`); `outgoing` has the way out.
//! Sockets are not connected to their peers, though a send would cost 12 % less: Linux then looks at
//! every connected socket of the port for each datagram of a stranger, so that garbage costs five
//! times as much with 2000 people, and twenty times with 5000.
//! Invariant: nothing here waits.

mod outgoing;

use std::io::IoSliceMut;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;

use anyhow::Context as _;
use mio::net::UdpSocket;
use mio::{Interest, Poll, Token};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg};
use rtcd_core::{MediaBatch, Transport};

pub(super) use outgoing::SendResult;
use outgoing::Waiting;

use crate::udp::{MAX_DATAGRAM, ShardSockets};

/// Datagrams taken at once.
const BATCH: usize = 32;

/// One received datagram: where it came from and how long it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) source: SocketAddr,
    pub(super) len: usize,
}

/// The sockets of a shard.
pub(super) struct Wire {
    sockets: Vec<Socket>,
    headers: MultiHeaders<SockaddrStorage>,
    buffer: Vec<u8>,
    arrivals: Vec<Arrival>,
    /// Until the kernel refuses a group: it knows none, or the card does not.
    sends_segments: bool,
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
            sends_segments: true,
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
        if let Some(socket) = socket_for(&self.sockets, source) {
            result.count(socket.send_to(contents, destination), 1);
        }
        result
    }

    /// Sends what of a batch goes by UDP, in its order.
    pub(super) fn send_media(&mut self, batch: &MediaBatch) -> SendResult {
        let mut result = SendResult::default();
        let mut waiting = Waiting::default();
        for (group, bytes) in batch.groups() {
            if group.transport != Transport::Udp {
                continue;
            }
            let Some(socket) = socket_for(&self.sockets, group.source) else {
                continue;
            };
            if self.sends_segments && bytes.len() > group.segment {
                // Packets for the same receiver may wait.
                waiting.send(&mut result);
                match outgoing::send_segments(socket, group, bytes) {
                    Err(error) if outgoing::is_unsupported(&error) => {
                        tracing::info!(%error, "packets are sent one by one: no UDP_SEGMENT here");
                        self.sends_segments = false;
                    }
                    sent => {
                        result.count(sent, group.count(bytes));
                        continue;
                    }
                }
            }
            for packet in group.packets(bytes) {
                waiting.add(socket, group.destination, packet, &mut result);
            }
        }
        waiting.send(&mut result);
        result
    }
}

/// The socket bound to an address, or another one of its family.
fn socket_for(sockets: &[Socket], source: SocketAddr) -> Option<&UdpSocket> {
    let bound = sockets.iter().find(|socket| socket.address == source);
    let same_family = |socket: &&Socket| socket.address.is_ipv4() == source.is_ipv4();
    let socket = bound.or_else(|| sockets.iter().find(same_family))?;
    Some(&socket.socket)
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
