//! A participant's way to the media port: datagrams, or frames over TCP (RFC 4571).

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::{TcpStream, UdpSocket};

/// One way.
#[derive(Debug)]
pub(crate) enum Wire {
    Udp {
        socket: UdpSocket,
        media: SocketAddr,
    },
    Tcp {
        stream: TcpStream,
        came: Vec<u8>,
        goes: Vec<u8>,
    },
}

impl Wire {
    pub(crate) async fn udp(media: SocketAddr) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.context("bind")?;
        Ok(Self::Udp { socket, media })
    }

    pub(crate) async fn tcp(media: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(media).await.context("connect")?;
        stream.set_nodelay(true).context("set nodelay")?;
        Ok(Self::Tcp {
            stream,
            came: Vec::new(),
            goes: Vec::new(),
        })
    }

    pub(crate) fn local_addr(&self) -> anyhow::Result<SocketAddr> {
        let address = match self {
            Self::Udp { socket, .. } => socket.local_addr(),
            Self::Tcp { stream, .. } => stream.local_addr(),
        };
        address.context("ask for the address")
    }

    /// Returns the next datagram. Nothing is lost when this is given up half way.
    pub(crate) async fn receive(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut buffer = [0; 4096];
        match self {
            Self::Udp { socket, .. } => loop {
                // An ICMP answer to something sent earlier is no reason to stop.
                if let Ok(len) = socket.recv(&mut buffer).await {
                    return Ok(buffer.get(..len).unwrap_or_default().to_vec());
                }
            },
            Self::Tcp { stream, came, .. } => loop {
                if let Some(frame) = take_frame(came) {
                    return Ok(frame);
                }
                stream.readable().await?;
                match stream.try_read(&mut buffer) {
                    Ok(0) => anyhow::bail!("the media connection was closed"),
                    Ok(len) => came.extend_from_slice(buffer.get(..len).unwrap_or_default()),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error).context("read the media connection"),
                }
            },
        }
    }

    /// Sends a datagram. Like a network: what does not go at once is lost, except half a frame.
    pub(crate) fn send(&mut self, datagram: &[u8]) {
        match self {
            Self::Udp { socket, media } => {
                let _ = socket.try_send_to(datagram, *media);
            }
            Self::Tcp { stream, goes, .. } => {
                let len = u16::try_from(datagram.len()).unwrap_or_default();
                goes.extend(len.to_be_bytes());
                goes.extend_from_slice(datagram);
                while let Ok(len) = stream.try_write(goes) {
                    goes.drain(..len);
                    if goes.is_empty() {
                        break;
                    }
                }
            }
        }
    }
}

fn take_frame(came: &mut Vec<u8>) -> Option<Vec<u8>> {
    let len = usize::from(u16::from_be_bytes(*came.first_chunk::<2>()?));
    let frame = came.get(2..2 + len)?.to_vec();
    came.drain(..2 + len);
    Some(frame)
}
