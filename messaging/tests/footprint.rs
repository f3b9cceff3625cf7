//! What clients cost the server in memory. One test, which has its process for itself.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "in a test, the helpers too may fail by panic"
)]

#[path = "common/hall.rs"]
#[expect(dead_code, reason = "shared with a test crate that needs more of it")]
mod hall;
#[path = "common/memory/mod.rs"]
#[expect(dead_code, reason = "shared with a test crate that needs more of it")]
mod memory;
#[path = "common/socket.rs"]
mod socket;

use std::sync::Arc;

use messaging::model::RoomKind;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use hall::{Guest, Hall};

fn rss_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<usize>().unwrap() * 1024
}

#[tokio::test]
async fn clients_cost_little_whether_they_read_or_not() {
    idle_clients().await;
    sockets_that_are_not_read().await;
}

/// A client that needs next to no memory itself: it has read `hello` and keeps the line open.
async fn line(hall: &Hall, guest: &Guest) -> TcpStream {
    let mut line = TcpStream::connect(hall.address).await.unwrap();
    let request = format!(
        "GET /api/v4/websocket?connection_id=&sequence_number=0 HTTP/1.1\r\nhost: x\r\n\
         connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nauthorization: Bearer {}\r\n\r\n",
        guest.token
    );
    line.write_all(request.as_bytes()).await.unwrap();
    let mut heard = Vec::with_capacity(1024);
    let hello = b"\"event\":\"hello\"";
    while !heard.windows(hello.len()).any(|part| part == hello) {
        assert!(line.read_buf(&mut heard).await.unwrap() > 0);
    }
    line
}

async fn idle_clients() {
    const CLIENTS: usize = 500;
    const ROOMS: usize = 20;
    let hall = Hall::open(Arc::new(())).await;
    let rooms: Vec<_> = (0..ROOMS)
        .map(|_| hall.backend.add_room(RoomKind::Private))
        .collect();
    let guest = |number: usize| {
        let id = hall.backend.add_person(&format!("guest{number}"), false);
        for room in &rooms {
            hall.backend.join(room, &id);
        }
        let token = hall.backend.sign_in(&id);
        Guest { id, token }
    };
    let guests: Vec<Guest> = (0..CLIENTS + 50).map(guest).collect();
    let (first, rest) = guests.split_at(50);
    let mut lines = Vec::with_capacity(guests.len());
    // what the first ones bring into memory is not theirs alone
    for guest in first {
        lines.push(line(&hall, guest).await);
    }
    let before = rss_bytes();
    for guest in rest {
        lines.push(line(&hall, guest).await);
    }
    let each = rss_bytes().saturating_sub(before) / CLIENTS;
    println!("{each} bytes per idle client");
    assert!(each < 60_000, "{each} bytes per idle client");
}

async fn sockets_that_are_not_read() {
    const SOCKETS: usize = 60;
    const POSTS: usize = 100;
    let hall = Hall::open(Arc::new(())).await;
    let mut reader = hall.socket(&hall.ben).await;
    reader.hello().await;
    let mut idle = Vec::new();
    for _ in 0..SOCKETS {
        let mut socket = hall.socket(&hall.anna).await;
        let connection = socket.hello().await;
        idle.push((socket, connection));
    }
    let before = rss_bytes();
    let mut most = 0;
    let body = "x".repeat(185_000);
    for number in 0..POSTS {
        hall.announce("posted", &body);
        let event = reader.event("posted").await;
        assert_eq!(event["seq"], json!(number + 1));
        assert_eq!(event["data"]["text"].as_str().unwrap().len(), body.len());
        most = most.max(rss_bytes().saturating_sub(before));
    }
    // it was 967 MB: a copy for each socket
    println!("{most} bytes for {SOCKETS} sockets that are not read");
    assert!(most < 48 << 20, "{most} bytes more");
    // too much was missed: they begin anew
    let (_, connection) = &idle[0];
    let query = format!("?connection_id={connection}&sequence_number=1");
    let mut back = hall.resume(&hall.anna, &query).await;
    assert_ne!(back.hello().await, *connection);
}
