//! UDP sockets: one per shard and local address, all on one port.
//!
//! In: addresses and a port (0: chosen by the system). Out: bound sockets, and datagrams in and out
//! of them without waiting.
//! Each shard has its own socket of every address (`SO_REUSEPORT`), bound to the address itself, so
//! that an answer leaves from where the request arrived.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use anyhow::Context as _;
use mio::net::UdpSocket;
use socket2::{Domain, Protocol, Socket, Type};
use tracing::warn;

/// Kernel buffers of a socket, in bytes; the kernel may grant less. Larger: longer bursts survive.
const BUFFER: usize = 8 << 20;
/// Attempts to find a port that is free at every address, when the system chooses.
const PORT_ATTEMPTS: usize = 16;
/// Largest datagram taken in, in bytes: more than any path carries in one piece.
pub(crate) const MAX_DATAGRAM: usize = 2048;

/// The sockets of one shard, and the addresses they are bound to.
#[derive(Debug, Default)]
pub(crate) struct ShardSockets(pub(crate) Vec<(SocketAddr, UdpSocket)>);

/// Binds every address for every shard. An address that cannot be bound is logged and left out.
///
/// # Errors
/// When the port is taken, or no address can be bound at all.
pub(crate) fn bind(
    addresses: &[IpAddr],
    port: u16,
    shards: usize,
) -> anyhow::Result<Vec<ShardSockets>> {
    let attempts = if port == 0 { PORT_ATTEMPTS } else { 1 };
    let mut last_error = None;
    for _ in 0..attempts {
        match bind_once(addresses, port, shards) {
            Ok(sockets) => return Ok(sockets),
            Err(error) => last_error = Some(error),
        }
    }
    Err(last_error.context("no attempt to bind")?)
}

fn bind_once(addresses: &[IpAddr], port: u16, shards: usize) -> anyhow::Result<Vec<ShardSockets>> {
    let mut port = port;
    let mut by_shard: Vec<ShardSockets> = (0..shards).map(|_| ShardSockets(Vec::new())).collect();
    for address in addresses {
        let wanted = SocketAddr::new(*address, port);
        match free_port(wanted) {
            Ok(found) => port = found,
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                return Err(error)
                    .with_context(|| format!("bind media socket {wanted}/udp (rtc.ice_port_udp)"));
            }
            Err(error) => {
                warn!(%error, address = %wanted, "address not bound, and not offered");
                continue;
            }
        }
        let wanted = SocketAddr::new(*address, port);
        for shard in &mut by_shard {
            let socket = open(wanted, true)
                .with_context(|| format!("bind media socket {wanted}/udp (rtc.ice_port_udp)"))?;
            shard.0.push((wanted, UdpSocket::from_std(socket.into())));
        }
    }
    if by_shard.iter().any(|shard| shard.0.is_empty()) {
        anyhow::bail!("no local address can be bound (rtc.ice_address_udp)");
    }
    Ok(by_shard)
}

/// Returns the port to bind. A socket that shares nothing finds out whether another process has it:
/// with sharing on, both would run and each would lose packets to the other.
fn free_port(address: SocketAddr) -> std::io::Result<u16> {
    let probe = open(address, false)?;
    let bound = probe.local_addr()?.as_socket();
    Ok(bound.map_or(address.port(), |bound| bound.port()))
}

fn open(address: SocketAddr, shared: bool) -> std::io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if shared {
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        // Refused sizes are no reason not to start.
        let _ = socket.set_recv_buffer_size(BUFFER);
        let _ = socket.set_send_buffer_size(BUFFER);
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_has_the_same_port_at_every_address() {
        let addresses = ["127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap()];
        let shards = bind(&addresses, 0, 3).unwrap();
        let bound: Vec<SocketAddr> = shards
            .iter()
            .flat_map(|shard| shard.0.iter().map(|(address, _)| *address))
            .collect();
        assert_eq!(bound.len(), 6);
        let port = bound[0].port();
        assert_ne!(port, 0);
        assert!(bound.iter().all(|address| address.port() == port));
    }

    #[test]
    fn a_port_in_use_is_refused() {
        let address: IpAddr = "127.0.0.1".parse().unwrap();
        let first = bind(&[address], 0, 2).unwrap();
        let port = first[0].0[0].0.port();
        let refused = bind(&[address], port, 1).unwrap_err();
        assert!(
            format!("{refused:#}").contains("rtc.ice_port_udp"),
            "{refused:#}"
        );
    }
}
