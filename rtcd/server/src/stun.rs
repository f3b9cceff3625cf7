//! Asking STUN servers how this node is seen from outside, once, before the shards start.
//!
//! In: bound sockets, servers. Out: a public address for each local one that got an answer.
//! Servers are asked in their order until one answers; local addresses are asked for at once.
//! `message`: the bytes, also those of TURN.
//! See: RFC 8489 (Binding), 14.2 (XOR-MAPPED-ADDRESS).

pub mod message;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::future::join_all;
use mio::net::UdpSocket;
use tracing::{info, warn};

use crate::addresses::PublicAddresses;
use message::{Builder, Class, Kind, Message, Method, TransactionId};

/// How long each server has.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const RESOLVE_WITHIN: Duration = Duration::from_secs(1);
const REPEAT_EVERY: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(10);
const DEFAULT_PORT: u16 = 3478;

/// Returns the public addresses of sockets, given by local address. Sockets that share an address
/// belong together: the system may give an answer to any of them.
pub(crate) async fn public_addresses<'a>(
    sockets: impl IntoIterator<Item = (SocketAddr, &'a UdpSocket)>,
    servers: &[String],
    answer_within: Duration,
) -> PublicAddresses {
    let mut by_address: BTreeMap<SocketAddr, Vec<&UdpSocket>> = BTreeMap::new();
    for (address, socket) in sockets {
        by_address.entry(address).or_default().push(socket);
    }
    let asked = by_address.into_iter().map(async |(local, sockets)| {
        let seen = ask_in_turn(&sockets, servers, answer_within).await;
        match seen {
            Some(seen) => info!(%local, public = %seen, "public address found"),
            None => warn!(%local, "public address not found; the local one is offered"),
        }
        (local.ip(), seen.map(|seen| seen.ip()))
    });
    join_all(asked).await.into_iter().collect()
}

async fn ask_in_turn(
    sockets: &[&UdpSocket],
    servers: &[String],
    answer_within: Duration,
) -> Option<SocketAddr> {
    for server in servers {
        match public_address(sockets, server, answer_within).await {
            Ok(seen) => return Some(seen),
            Err(error) => {
                let error = format!("{error:#}");
                info!(server, error, "STUN server of no help");
            }
        }
    }
    None
}

/// Returns the public address of sockets, as the server of a `stun:` URL sees it.
async fn public_address(
    sockets: &[&UdpSocket],
    url: &str,
    answer_within: Duration,
) -> anyhow::Result<SocketAddr> {
    let asking = sockets.first().context("no socket to ask from")?;
    let local = asking.local_addr().context("ask for the bound address")?;
    let server = resolve(url, local.is_ipv4()).await?;
    let id: TransactionId = rand::random();
    let start = Instant::now();
    let mut next_request = start;
    while start.elapsed() < answer_within {
        if Instant::now() >= next_request {
            asking
                .send_to(&request(id), server)
                .context("send a Binding request")?;
            next_request = Instant::now() + REPEAT_EVERY;
        }
        let answer = sockets
            .iter()
            .find_map(|socket| read_answer(socket, server, id));
        if let Some(address) = answer {
            return Ok(address);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    anyhow::bail!("no answer of {server} in {} s", answer_within.as_secs_f32())
}

/// Reads a socket empty; nothing else is expected there before the shards start.
fn read_answer(socket: &UdpSocket, server: SocketAddr, id: TransactionId) -> Option<SocketAddr> {
    let mut buffer = [0; 1500];
    while let Ok((len, from)) = socket.recv_from(&mut buffer) {
        let answer = buffer.get(..len).unwrap_or_default();
        if let Some(address) = mapped_address(answer, id).filter(|_| from == server) {
            return Some(address);
        }
    }
    None
}

/// Looks up the host of a `stun:` or `turn:` URL.
pub(crate) async fn resolve(url: &str, ipv4: bool) -> anyhow::Result<SocketAddr> {
    let host = url.split_once(':').map_or(url, |(_, host)| host);
    let host = host.split_once('?').map_or(host, |(host, _)| host);
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let target = if has_port {
        host.to_owned()
    } else {
        format!("{host}:{DEFAULT_PORT}")
    };
    let found = tokio::time::timeout(RESOLVE_WITHIN, tokio::net::lookup_host(target))
        .await
        .with_context(|| format!("resolve `{host}`"))?
        .with_context(|| format!("resolve `{host}`"))?
        .find(|address| address.is_ipv4() == ipv4);
    found.with_context(|| format!("`{host}` has no address of this family"))
}

fn request(id: TransactionId) -> Vec<u8> {
    Builder::new(Method::BINDING, Class::Request, id).finish()
}

/// Reads XOR-MAPPED-ADDRESS of the answer to our request.
fn mapped_address(answer: &[u8], id: TransactionId) -> Option<SocketAddr> {
    let message = Message::parse(answer)?;
    let is_answer =
        message.method == Method::BINDING && message.class == Class::Success && message.id == id;
    message
        .address(Kind::XOR_MAPPED_ADDRESS)
        .filter(|_| is_answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A STUN server that answers every request with one address.
    async fn serve(seen: SocketAddr) -> SocketAddr {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
                let id: TransactionId = buffer[8..20].try_into().unwrap();
                assert_eq!(&buffer[..len], request(id));
                let answer = Builder::new(Method::BINDING, Class::Success, id)
                    .address(Kind::XOR_MAPPED_ADDRESS, seen)
                    .finish();
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn learns_the_address_a_server_sees() {
        let seen: SocketAddr = "203.0.113.7:4444".parse().unwrap();
        let server = serve(seen).await;
        let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let local = socket.local_addr().unwrap();
        let servers = [format!("stun:{server}?transport=udp")];
        let found = public_addresses([(local, &socket)], &servers, ANSWER_WITHIN).await;
        assert_eq!(
            found,
            PublicAddresses::from([(local.ip(), Some(seen.ip()))])
        );
    }

    #[tokio::test]
    async fn asks_the_next_server_when_one_fails() {
        let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let working = serve("203.0.113.7:4444".parse().unwrap()).await;
        let servers = [
            "stun:no.such.host.invalid".to_owned(),
            format!("stun:{}", silent.local_addr().unwrap()),
            format!("stun:{working}"),
        ];
        let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let local = socket.local_addr().unwrap();
        let patience = Duration::from_millis(300);
        let found = public_addresses([(local, &socket)], &servers, patience).await;
        let wanted = "203.0.113.7".parse().unwrap();
        assert_eq!(found[&local.ip()], Some(wanted));
        let none = public_addresses([(local, &socket)], &servers[..2], patience).await;
        assert_eq!(none[&local.ip()], None);
    }

    #[tokio::test]
    async fn an_answer_may_arrive_at_any_of_the_shards() {
        let server = serve("203.0.113.7:4444".parse().unwrap()).await;
        let shards = crate::udp::bind(&["127.0.0.1".parse().unwrap()], 0, 8).unwrap();
        let sockets = shards
            .iter()
            .flat_map(|shard| shard.0.iter().map(|(local, socket)| (*local, socket)));
        let servers = [format!("stun:{server}")];
        let found = public_addresses(sockets, &servers, ANSWER_WITHIN).await;
        assert_eq!(found.len(), 1);
        assert!(found.values().all(Option::is_some));
    }

    #[test]
    fn other_answers_are_not_believed() {
        let id = [7; 12];
        let answer = Builder::new(Method::BINDING, Class::Success, id)
            .address(Kind::XOR_MAPPED_ADDRESS, "1.2.3.4:5".parse().unwrap())
            .finish();
        assert!(mapped_address(&answer, id).is_some());
        assert!(mapped_address(&answer, [8; 12]).is_none());
        for len in 0..answer.len() {
            assert!(mapped_address(&answer[..len], id).is_none(), "{len}");
        }
    }
}
