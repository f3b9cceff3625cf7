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
use std::time::{Duration, Instant};

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

/// Errors in a row after which a socket is left alone for a while. Fewer may be ICMP answers to something
/// sent earlier.
const TOLERATED: u32 = 8;
/// First time it is left alone; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

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
    /// Times a socket gave an error instead of datagrams, ever.
    pub(super) errors: u64,
}

pub(super) struct Socket {
    address: SocketAddr,
    socket: UdpSocket,
    /// May have more: the poll tells of a change only once.
    readable: bool,
    trouble: Trouble,
}

/// Errors of a socket, one after the other.
#[derive(Debug, Default)]
struct Trouble {
    in_a_row: u32,
    retry_at: Option<Instant>,
}

impl Trouble {
    /// Another error; true when the socket is to be left alone until `retry_at`.
    fn add(&mut self, now: Instant) -> bool {
        self.in_a_row = self.in_a_row.saturating_add(1);
        let Some(times) = self.in_a_row.checked_sub(TOLERATED) else {
            return false;
        };
        let pause = FIRST_PAUSE * 2u32.pow(times.min(16));
        self.retry_at = Some(now + pause.min(LONGEST_PAUSE));
        true
    }

    fn is_over(&mut self) {
        *self = Self::default();
    }

    /// Whether it is time to try again; said once.
    fn is_due(&mut self, now: Instant) -> bool {
        self.retry_at.take_if(|at| now >= *at).is_some()
    }

    /// Whether the longest pause is reached: it will not pass by itself.
    const fn lasts(&self) -> bool {
        self.in_a_row >= TOLERATED + 10
    }
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
            trouble: Trouble::default(),
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
            errors: 0,
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

    /// When to try a socket again that gave errors.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        let sockets = self.sockets.iter();
        sockets.filter_map(|socket| socket.trouble.retry_at).min()
    }

    /// How many sockets give nothing but errors.
    pub(super) fn failing(&self) -> usize {
        let sockets = self.sockets.iter();
        sockets.filter(|socket| socket.trouble.lasts()).count()
    }

    pub(super) const fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Takes what a socket holds, at most `BATCH` datagrams. Returns the address they came to and
    /// how many there are; `None` when there is nothing.
    pub(super) fn receive(&mut self, index: usize, now: Instant) -> Option<(SocketAddr, usize)> {
        self.arrivals.clear();
        let socket = self.sockets.get_mut(index)?;
        socket.readable |= socket.trouble.is_due(now);
        if !socket.readable {
            return None;
        }
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
                socket.trouble.is_over();
                // Fewer than asked for: the rest comes with the next event.
                socket.readable = self.arrivals.len() == BATCH;
            }
            Err(Errno::EAGAIN) => {
                socket.readable = false;
                socket.trouble.is_over();
                return None;
            }
            // Mostly an ICMP answer to something sent earlier: the session's own timers deal with it.
            Err(error) => {
                self.errors += 1;
                if socket.trouble.add(now) {
                    socket.readable = false;
                    if socket.trouble.in_a_row == TOLERATED {
                        tracing::warn!(%error, address = %socket.address, "media socket fails");
                    }
                }
                return None;
            }
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

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;

    /// A wire whose only socket is none.
    fn broken() -> Wire {
        let file = std::fs::File::open("/dev/null").unwrap();
        let socket = std::net::UdpSocket::from(OwnedFd::from(file));
        Wire::new(vec![Socket {
            address: NOWHERE,
            socket: UdpSocket::from_std(socket),
            readable: true,
            trouble: Trouble::default(),
        }])
    }

    #[test]
    fn a_socket_that_fails_for_good_is_left_alone_ever_longer() {
        let mut wire = broken();
        let start = Instant::now();
        // A shard that turns as fast as it can, for 20 s.
        for ms in 0..20_000 {
            let now = start + Duration::from_millis(ms);
            assert_eq!(wire.receive(0, now), None);
        }
        assert!((20..=50).contains(&wire.errors), "{} tries", wire.errors);
        assert!(!wire.is_readable());
        let pause = wire.retry_at().unwrap() - start;
        assert!(pause <= Duration::from_secs(21), "still tried: {pause:?}");
        assert_eq!(wire.failing(), 1, "and it is known");
    }

    #[test]
    fn single_errors_cost_no_pause() {
        let mut trouble = Trouble::default();
        let now = Instant::now();
        for _ in 0..100 {
            assert!((1..TOLERATED).all(|_| !trouble.add(now)));
            trouble.is_over();
        }
        assert!(!trouble.lasts());
    }
}
