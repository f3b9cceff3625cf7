//! What can be poured into a node by somebody who knows nothing, and by a client gone mad.
//!
//! Every flood returns how much it poured. Nothing here waits for an answer.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use harness::random::Random;
use harness::stun::{self, Credentials};
use proto::rtcd::ControlMessage;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::Strength;
use crate::client::{self, Receiver};
use crate::server::Server;

/// Sources of a flood of datagrams: enough that every shard's socket gets some.
const SOURCES: usize = 16;
/// Length of long offers: with its JSON and control message still below 64 KiB.
const LONG: usize = 60 * 1024;
const CONNECTING_AT_ONCE: usize = 200;
const CONNECTS_WITHIN: Duration = Duration::from_secs(2);

/// Datagrams of any contents and length.
///
/// # Errors
/// When no socket can be opened.
pub async fn garbage(server: &Server, strength: Strength) -> anyhow::Result<u64> {
    pour(server.media, strength, |random, datagram| {
        let len = 1 + random.place(1400);
        datagram.resize(len, 0);
        for byte in datagram.iter_mut().take(32) {
            *byte = random.byte();
        }
    })
    .await
}

/// Well-formed Binding requests for ICE names that nobody has.
///
/// # Errors
/// When no socket can be opened.
pub async fn unknown_names(server: &Server, strength: Strength) -> anyhow::Result<u64> {
    let to = Credentials {
        ufrag: "abcdefgh".to_owned(),
        password: "not the password".to_owned(),
    };
    let request = stun::request(&to, "them", [7; 12], &stun::check_attributes(true));
    let name = request
        .windows(to.ufrag.len())
        .position(|window| window == to.ufrag.as_bytes())
        .context("a name in the request")?;
    pour(server.media, strength, move |random, datagram| {
        datagram.clear();
        datagram.extend(&request);
        for byte in datagram.iter_mut().skip(name).take(8) {
            *byte = b'a' + random.byte() % 26;
        }
    })
    .await
}

async fn pour(
    to: SocketAddr,
    strength: Strength,
    make: impl Fn(&mut Random, &mut Vec<u8>) + Send + 'static,
) -> anyhow::Result<u64> {
    let poured = tokio::task::spawn_blocking(move || {
        let mut sockets = Vec::new();
        for _ in 0..SOURCES {
            let socket = UdpSocket::bind("127.0.0.1:0").context("bind")?;
            socket.connect(to).context("connect")?;
            sockets.push(socket);
        }
        let mut random = Random::new(1);
        let mut datagram = Vec::new();
        let began = Instant::now();
        let mut poured = 0u64;
        while began.elapsed() < strength.time {
            for socket in &sockets {
                make(&mut random, &mut datagram);
                // Refused is fine: the flood goes on.
                poured += u64::from(socket.send(&datagram).is_ok());
            }
            if let Some(rate) = strength.datagrams_per_second {
                let due = Duration::from_secs_f64(poured_seconds(poured, rate));
                std::thread::sleep(due.saturating_sub(began.elapsed()));
            }
        }
        Ok(poured)
    });
    poured.await.context("the flood's thread")?
}

#[expect(clippy::cast_precision_loss, reason = "a pace, not an exact count")]
fn poured_seconds(poured: u64, rate: u32) -> f64 {
    poured as f64 / f64::from(rate.max(1))
}

/// Connections to a port that say nothing, or only the beginning of something. They last as long as
/// they are kept.
///
/// # Errors
/// When not even one can be made.
pub async fn half_open(to: SocketAddr, strength: Strength) -> anyhow::Result<Vec<TcpStream>> {
    let mut held: Vec<TcpStream> = Vec::new();
    for _ in 0..strength.connections.div_ceil(CONNECTING_AT_ONCE) {
        let connect = || tokio::time::timeout(CONNECTS_WITHIN, TcpStream::connect(to));
        let batch = (0..CONNECTING_AT_ONCE).map(|_| connect());
        for stream in futures_util::future::join_all(batch).await {
            let Ok(Ok(mut stream)) = stream else { continue };
            // Half of them begin a frame, or a request, that never ends.
            if held.len().is_multiple_of(2) {
                let _ = stream.write_all(&[0x01]).await;
            }
            held.push(stream);
        }
    }
    anyhow::ensure!(!held.is_empty(), "no connection to {to}");
    Ok(held)
}

/// Sessions that join and never say anything.
///
/// # Errors
/// When the control connection is lost.
pub async fn silent_joins(server: &Server, strength: Strength) -> anyhow::Result<u64> {
    let (mut sender, receiver) = client::connect(server.http, "silent").await?;
    let reading = tokio::spawn(read(receiver));
    let mut pace = Pace::new(strength);
    while let Some(number) = pace.next().await {
        let call = format!("call{}", number % 50);
        sender.join(&call, &format!("silent{number}")).await?;
    }
    reading.abort();
    Ok(pace.count)
}

/// Sessions that join with an offer of 60 KiB, most of it words that mean nothing.
///
/// # Errors
/// When the control connection is lost.
pub async fn long_offers(server: &Server, strength: Strength) -> anyhow::Result<u64> {
    let mut text = offer(1);
    while text.len() < LONG {
        text += "a=candidate-of-no-use:1 1 udp 2130706431 10.0.0.1 5000 typ host\r\n";
    }
    offers(server, strength, &text).await
}

/// Sessions that join with an offer of 60 KiB, with as many m-lines as fit.
///
/// # Errors
/// When the control connection is lost.
pub async fn many_lines(server: &Server, strength: Strength) -> anyhow::Result<u64> {
    offers(server, strength, &widest_offer(LONG)).await
}

async fn offers(server: &Server, strength: Strength, text: &str) -> anyhow::Result<u64> {
    let name = format!("long{}", text.len());
    let (mut sender, receiver) = client::connect(server.http, &name).await?;
    let reading = tokio::spawn(read(receiver));
    let mut pace = Pace::new(strength);
    while let Some(number) = pace.next().await {
        let session = format!("long{number}");
        sender.join("call", &session).await?;
        sender.offer(&session, text).await?;
    }
    for number in 0..pace.count {
        sender.leave(&format!("long{number}")).await?;
    }
    reading.abort();
    Ok(pace.count)
}

/// One session that offers again and again.
///
/// # Errors
/// When the control connection is lost.
pub async fn renegotiations(server: &Server, strength: Strength) -> anyhow::Result<u64> {
    let (mut sender, receiver) = client::connect(server.http, "storm").await?;
    let reading = tokio::spawn(read(receiver));
    sender.join("call", "storm").await?;
    let offers = [offer(1), offer(4)];
    sender.offer("storm", &offer(0)).await?;
    let mut pace = Pace::new(strength);
    while let Some(number) = pace.next().await {
        let offer = offers.get(usize::from(number % 2 == 1));
        sender
            .offer("storm", offer.map_or("", String::as_str))
            .await?;
    }
    sender.leave("storm").await?;
    reading.abort();
    Ok(pace.count)
}

async fn read(mut receiver: Receiver) {
    while let Some(message) = receiver.next().await {
        drop::<ControlMessage>(message);
    }
}

/// Hands out numbers at the rate of a flood until its time is over.
struct Pace {
    began: Instant,
    strength: Strength,
    count: u64,
}

impl Pace {
    fn new(strength: Strength) -> Self {
        Self {
            began: Instant::now(),
            strength,
            count: 0,
        }
    }

    async fn next(&mut self) -> Option<u64> {
        let rate = self.strength.messages_per_second;
        let due = Duration::from_secs_f64(poured_seconds(self.count, rate));
        let early = due.saturating_sub(self.began.elapsed());
        if early > Duration::from_millis(2) {
            tokio::time::sleep(early).await;
        }
        if self.began.elapsed() > self.strength.time {
            return None;
        }
        self.count += 1;
        Some(self.count - 1)
    }
}

/// An offer with a data channel and so many voices.
fn offer(voices: usize) -> String {
    const TRANSPORT: &str = "c=IN IP4 0.0.0.0\r\na=ice-ufrag:them\r\n\
        a=ice-pwd:their-password-is-long\r\na=ice-options:trickle\r\n\
        a=fingerprint:sha-256 11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:\
        11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00\r\na=setup:actpass\r\n";
    let mids: Vec<String> = (0..=voices).map(|mid| mid.to_string()).collect();
    let mut text = format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n\
         a=msid-semantic: WMS\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{TRANSPORT}a=mid:0\r\n\
         a=sctp-port:5000\r\na=max-message-size:262144\r\n",
        mids.join(" ")
    );
    for mid in mids.iter().skip(1) {
        text += &format!(
            "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n{TRANSPORT}a=mid:{mid}\r\na=sendrecv\r\n\
             a=msid:stream{mid} track{mid}\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n\
             a=ssrc:{} cname:c\r\n",
            1000 + mid.len()
        );
    }
    text
}

/// The longest such offer that is not longer than this.
fn widest_offer(limit: usize) -> String {
    let (one, two) = (offer(100).len(), offer(101).len());
    let voices = limit.saturating_sub(offer(0).len()) / (two - one + 2);
    offer(voices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_offer_is_nearly_as_long_as_it_may_be() {
        let offer = widest_offer(LONG);
        assert!((55 * 1024..=LONG).contains(&offer.len()), "{}", offer.len());
        assert!(offer.matches("m=audio").count() > 100);
    }
}
