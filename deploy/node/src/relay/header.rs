//! The line that says where a connection comes from: PROXY protocol, version 1.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The longest line with its end (proxy-protocol, 2.1).
const LONGEST: usize = 107;

/// The line for somebody who comes from here. Where they were going is not said: the other node is it.
pub(super) fn write(from: SocketAddr) -> String {
    let (family, nowhere) = match from.ip() {
        IpAddr::V4(_) => ("TCP4", "0.0.0.0"),
        IpAddr::V6(_) => ("TCP6", "::"),
    };
    format!(
        "PROXY {family} {} {nowhere} {} 0\r\n",
        from.ip(),
        from.port()
    )
}

/// Reads the line, and not a byte more.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<SocketAddr> {
    let mut line = Vec::with_capacity(LONGEST);
    while !line.ends_with(b"\r\n") {
        if line.len() == LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no PROXY line"));
        }
        line.push(stream.read_u8().await?);
    }
    parse(&line).ok_or_else(|| {
        let line = String::from_utf8_lossy(&line).escape_debug().to_string();
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("no PROXY line: `{line}`"),
        )
    })
}

fn parse(line: &[u8]) -> Option<SocketAddr> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let mut words = line.split(' ');
    if words.next()? != "PROXY" {
        return None;
    }
    let family = words.next()?;
    let from: IpAddr = words.next()?.parse().ok()?;
    let _to: IpAddr = words.next()?.parse().ok()?;
    let port = words.next()?.parse().ok()?;
    let _to_port: u16 = words.next()?.parse().ok()?;
    let fits = match family {
        "TCP4" => from.is_ipv4(),
        "TCP6" => from.is_ipv6(),
        _ => false,
    };
    (fits && words.next().is_none()).then(|| SocketAddr::new(from, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_says_the_address_and_what_follows_is_left() {
        for from in ["192.0.2.7:50123", "[2001:db8::7]:1"] {
            let from: SocketAddr = from.parse().unwrap();
            let sent = format!("{}GET / HTTP/1.1", write(from));
            let mut stream = sent.as_bytes();
            assert_eq!(read(&mut stream).await.unwrap(), from);
            assert_eq!(stream, b"GET / HTTP/1.1");
        }
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        let endless = vec![b'x'; 4096];
        let lines: [&[u8]; 7] = [
            b"GET / HTTP/1.1\r\n",
            b"PROXY UNKNOWN\r\n",
            b"PROXY TCP4 ::1 :: 1 0\r\n",
            b"PROXY TCP4 192.0.2.7 0.0.0.0 70000 0\r\n",
            b"PROXY TCP4 192.0.2.7 0.0.0.0 1 0 more\r\n",
            b"PROXY TCP4 192.0.2.7",
            &endless,
        ];
        for line in lines {
            assert!(read(&mut &*line).await.is_err(), "{line:?}");
        }
    }
}
