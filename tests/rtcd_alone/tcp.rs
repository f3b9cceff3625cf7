//! A connectivity check over TCP, by hand: webrtc-rs has no TCP candidates.

use std::net::SocketAddr;
use std::time::Duration;

use aws_lc_rs::hmac;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const TRANSACTION: [u8; 12] = *b"transaction!";

/// Sends a Binding request, framed, to where an answer says, and expects its success.
pub(crate) async fn check(node: SocketAddr, offer: &str, answer: &str, within: Duration) {
    let offered = answer.lines().find(|line| line.contains("tcptype passive"));
    let offered = offered.expect("the answer offers TCP");
    assert!(
        offered.contains(&format!("{} {}", node.ip(), node.port())),
        "{offered}"
    );
    let request = request(
        value(answer, "a=ice-ufrag:"),
        value(offer, "a=ice-ufrag:"),
        value(answer, "a=ice-pwd:"),
    );
    let exchange = async {
        let mut stream = TcpStream::connect(node).await.unwrap();
        let len = u16::try_from(request.len()).unwrap();
        stream.write_all(&len.to_be_bytes()).await.unwrap();
        stream.write_all(&request).await.unwrap();
        // Checks of the server for us may come first.
        loop {
            let len = usize::from(stream.read_u16().await.unwrap());
            let mut frame = vec![0; len];
            stream.read_exact(&mut frame).await.unwrap();
            if frame[8..20] == TRANSACTION {
                return frame;
            }
        }
    };
    let frame = tokio::time::timeout(within, exchange)
        .await
        .expect("an answer over TCP");
    assert_eq!(frame[..2], [1, 1], "Binding success");
}

fn value<'a>(sdp: &'a str, name: &str) -> &'a str {
    let line = sdp.lines().find_map(|line| line.strip_prefix(name));
    line.expect("ICE credentials in the description").trim()
}

/// RFC 8489 and 8445: USERNAME, PRIORITY, ICE-CONTROLLING, USE-CANDIDATE, MESSAGE-INTEGRITY.
fn request(theirs: &str, ours: &str, password: &str) -> Vec<u8> {
    let mut attributes = Vec::new();
    let mut put = |kind: u16, value: &[u8]| {
        attributes.extend(kind.to_be_bytes());
        attributes.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        attributes.extend(value);
        attributes.resize(attributes.len().next_multiple_of(4), 0);
    };
    put(0x0006, format!("{theirs}:{ours}").as_bytes());
    put(0x0024, &1_694_498_815u32.to_be_bytes());
    put(0x802a, &7u64.to_be_bytes());
    let mut message = vec![0, 1];
    // The length covers MESSAGE-INTEGRITY, which is computed over everything before itself.
    message.extend(u16::try_from(attributes.len() + 24).unwrap().to_be_bytes());
    message.extend(COOKIE);
    message.extend(TRANSACTION);
    message.extend(&attributes);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    let proof = hmac::sign(&key, &message);
    message.extend([0, 8, 0, 20]);
    message.extend(proof.as_ref());
    message
}
