//! Handing packets to the kernel, many with one call.
//!
//! In: sealed packets with their receivers. Out: how many the kernel did not take.
//! Several packets for one receiver go as one (`UDP_SEGMENT`): most of what a packet costs is its way
//! through the IP stack, which a group goes once. Packets for different receivers share only the
//! call (`sendmmsg`), which is worth 15 % of a send where calls are dear.

use std::io::{Error, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;

use mio::net::UdpSocket;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrIn, SockaddrIn6, sendmsg};
use rtcd_core::MediaGroup;
use rustix::net::addr::SocketAddrArg as _;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};

/// Packets of one call. Higher: hardly cheaper, and the first waits for the last.
const MOST_WAITING: usize = 32;

/// What the kernel did not take, in packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SendResult {
    /// Its buffer is full.
    pub(crate) blocked: u64,
    pub(crate) refused: u64,
}

impl SendResult {
    /// Counts `packets` that were sent with one call.
    pub(super) fn count(&mut self, sent: std::io::Result<usize>, packets: u64) {
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

/// Packets that wait to be sent together from one socket.
#[derive(Default)]
pub(super) struct Waiting<'a> {
    socket: Option<&'a UdpSocket>,
    packets: Vec<(SocketAddrAny, [IoSlice<'a>; 1])>,
}

impl<'a> Waiting<'a> {
    /// Adds a packet; sends what waits if there is no room, or if it leaves from another socket.
    pub(super) fn add(
        &mut self,
        socket: &'a UdpSocket,
        destination: SocketAddr,
        packet: &'a [u8],
        result: &mut SendResult,
    ) {
        let is_other = self
            .socket
            .is_some_and(|known| known.as_raw_fd() != socket.as_raw_fd());
        if is_other || self.packets.len() == MOST_WAITING {
            self.send(result);
        }
        self.socket = Some(socket);
        self.packets
            .push((destination.as_any(), [IoSlice::new(packet)]));
    }

    /// Sends what waits, in the order it was added.
    pub(super) fn send(&mut self, result: &mut SendResult) {
        let Some(socket) = self.socket else { return };
        let mut controls: Vec<SendAncillaryBuffer<'_, '_, '_>> = self
            .packets
            .iter()
            .map(|_| SendAncillaryBuffer::default())
            .collect();
        let mut headers: Vec<MMsgHdr<'_>> = self
            .packets
            .iter()
            .zip(&mut controls)
            .map(|((destination, packet), control)| {
                MMsgHdr::new_with_addr(destination, packet, control)
            })
            .collect();
        let mut rest = headers.as_mut_slice();
        while !rest.is_empty() {
            let sent = sendmmsg(socket, rest, SendFlags::DONTWAIT).map_err(Error::from);
            // The kernel tells of an error only for the first one.
            let done = sent.as_ref().map_or(1, |sent| (*sent).max(1));
            result.count(sent, 1);
            rest = rest.get_mut(done..).unwrap_or_default();
        }
        drop(headers);
        self.packets.clear();
    }
}

/// Sends packets of one size, the last of which may be shorter, to one receiver.
pub(super) fn send_segments(
    socket: &UdpSocket,
    group: &MediaGroup,
    bytes: &[u8],
) -> std::io::Result<usize> {
    let (fd, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
    let slices = [IoSlice::new(bytes)];
    let segment = u16::try_from(group.segment).map_err(|_| Errno::EMSGSIZE)?;
    let control = [ControlMessage::UdpGsoSegments(&segment)];
    let sent = match group.destination {
        SocketAddr::V4(v4) => sendmsg(fd, &slices, &control, flags, Some(&SockaddrIn::from(v4))),
        SocketAddr::V6(v6) => sendmsg(fd, &slices, &control, flags, Some(&SockaddrIn6::from(v6))),
    };
    sent.map_err(Error::from)
}

/// Old kernels know no segments; some cards refuse them because they do not compute checksums.
pub(super) fn is_unsupported(error: &Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw);
    matches!(
        code,
        Some(Errno::EIO | Errno::EINVAL | Errno::ENOPROTOOPT | Errno::EOPNOTSUPP)
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn socket() -> (std::net::UdpSocket, SocketAddr) {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    fn sender() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap()
    }

    #[test]
    fn every_packet_reaches_its_receiver_whatever_becomes_of_the_others() {
        let own = sender();
        let receivers: Vec<_> = (0..3).map(|_| socket()).collect();
        // Larger than a datagram can be.
        let huge = vec![0; 70_000];
        let packets: Vec<Vec<u8>> = (0..200u8).map(|n| vec![n, 7]).collect();
        let mut result = SendResult::default();
        let mut waiting = Waiting::default();
        for (index, packet) in packets.iter().enumerate() {
            let destination = receivers[index % receivers.len()].1;
            waiting.add(&own, destination, packet, &mut result);
            if index % 50 == 10 {
                waiting.add(&own, destination, &huge, &mut result);
            }
        }
        waiting.send(&mut result);
        assert_eq!((result.refused, result.blocked), (4, 0));
        for (place, (receiver, _)) in receivers.iter().enumerate() {
            let mut buffer = [0; 100];
            for expected in packets.iter().skip(place).step_by(receivers.len()) {
                let (len, from) = receiver.recv_from(&mut buffer).unwrap();
                assert_eq!(&buffer[..len], &expected[..]);
                assert_eq!(from, own.local_addr().unwrap());
            }
        }
    }

    #[test]
    fn packets_leave_from_the_socket_they_were_added_with() {
        let (first, second) = (sender(), sender());
        let (receiver, destination) = socket();
        let mut result = SendResult::default();
        let mut waiting = Waiting::default();
        for own in [&first, &first, &second, &first] {
            waiting.add(own, destination, b"x", &mut result);
        }
        waiting.send(&mut result);
        assert_eq!(result, SendResult::default());
        let sources: Vec<SocketAddr> = (0..4)
            .map(|_| receiver.recv_from(&mut [0; 10]).unwrap().1)
            .collect();
        let (first, second) = (first.local_addr().unwrap(), second.local_addr().unwrap());
        assert_eq!(sources, [first, first, second, first]);
    }
}
