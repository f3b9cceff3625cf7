//! One connection to one node.
//!
//! Over one stream, in both directions: messages, each with its length in front (four bytes, most
//! significant first), the first one the name of who sends it. Media in datagrams; what is too long for
//! one in a stream of its own.
//! Invariant: whoever says or sends something does not wait. Messages are never lost while the
//! connection lasts; where too many wait, it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cluster::NodeId;
use quinn::{Connection, RecvStream, SendDatagramError, SendStream, VarInt};
use tokio::sync::mpsc;

use super::Hears;

/// Longest message, in bytes: a longer one is not sent, for it would end the connection of everybody.
const LONGEST: usize = 4 << 20;
/// Messages that may wait.
const OUTGOING: usize = 65_536;
/// How soon whoever could take no more is asked again.
const FULL_PAUSE: Duration = Duration::from_millis(2);
/// Packets too long for a datagram that may wait.
const LONG_ONES: usize = 256;
/// Longest of them, in bytes.
const LONGEST_PACKET: usize = 64 << 10;

/// A connection and the stream over which things are said.
pub(super) struct Streams {
    pub(super) connection: Connection,
    pub(super) outgoing: SendStream,
    pub(super) incoming: RecvStream,
}

/// A connection to a node.
#[derive(Debug)]
pub struct Wire {
    node: NodeId,
    serial: u32,
    connection: Connection,
    outgoing: mpsc::Sender<Vec<u8>>,
    long: mpsc::Sender<Bytes>,
    pub(super) counted: Counted,
}

/// Packets of media since the connection was made.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) refused: AtomicU64,
}

impl Wire {
    /// Whom it leads to.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.node
    }

    /// Another one for each connection of this process.
    #[must_use]
    pub fn serial(&self) -> u32 {
        self.serial
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.connection.remote_address()
    }

    /// How long it takes there and back.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        self.connection.rtt()
    }

    /// Datagrams sent since the connection was made, and how many of them did not arrive.
    #[must_use]
    pub fn sent_and_lost(&self) -> (u64, u64) {
        let path = self.stats().path;
        (path.sent_packets, path.lost_packets)
    }

    pub(super) fn stats(&self) -> quinn::ConnectionStats {
        self.connection.stats()
    }

    /// Says something that arrives, in order, or ends the connection.
    pub fn say(&self, message: Vec<u8>) {
        if message.len() > LONGEST {
            let (node, len) = (&self.node, message.len());
            tracing::error!(%node, len, "a message to a node is too long, and was not sent");
            return;
        }
        if self.outgoing.try_send(message).is_err() {
            self.end("it takes what is said too slowly");
        }
    }

    /// Whether so much waits to be said that who can wait should.
    #[must_use]
    pub fn is_congested(&self) -> bool {
        self.outgoing.capacity() < OUTGOING / 2
    }

    /// Sends media; false when it did not leave.
    pub fn send(&self, datagram: Bytes) -> bool {
        let sent = match self.connection.send_datagram(datagram.clone()) {
            Ok(()) => true,
            Err(SendDatagramError::TooLarge) => self.long.try_send(datagram).is_ok(),
            Err(
                SendDatagramError::UnsupportedByPeer
                | SendDatagramError::Disabled
                | SendDatagramError::ConnectionLost(_),
            ) => false,
        };
        let count = if sent {
            &self.counted.sent
        } else {
            &self.counted.refused
        };
        count.fetch_add(1, Ordering::Relaxed);
        sent
    }

    pub(super) fn end(&self, why: &str) {
        self.connection.close(VarInt::from_u32(1), why.as_bytes());
    }
}

/// The reading half of a connection.
pub(super) struct Reading {
    wire: Arc<Wire>,
    outgoing: SendStream,
    incoming: RecvStream,
    waiting: mpsc::Receiver<Vec<u8>>,
    long: mpsc::Receiver<Bytes>,
}

/// Makes a wire, which works while `Reading::run` does.
pub(super) fn open(node: NodeId, serial: u32, streams: Streams) -> (Arc<Wire>, Reading) {
    let (outgoing, waiting) = mpsc::channel(OUTGOING);
    let (long, long_ones) = mpsc::channel(LONG_ONES);
    let wire = Arc::new(Wire {
        node,
        serial,
        connection: streams.connection,
        outgoing,
        long,
        counted: Counted::default(),
    });
    let reading = Reading {
        wire: Arc::clone(&wire),
        outgoing: streams.outgoing,
        incoming: streams.incoming,
        waiting,
        long: long_ones,
    };
    (wire, reading)
}

impl Reading {
    /// Reads and writes until the connection is over; says why it is.
    pub(super) async fn run(self, mut hears: Box<dyn Hears>) -> String {
        let Self {
            wire,
            mut outgoing,
            mut incoming,
            mut waiting,
            mut long,
        } = self;
        let connection = wire.connection.clone();
        let write = async {
            while let Some(message) = waiting.recv().await {
                if write_message(&mut outgoing, &message).await.is_none() {
                    return;
                }
            }
        };
        let write_long = async {
            while let Some(packet) = long.recv().await {
                let Ok(mut stream) = connection.open_uni().await else {
                    return;
                };
                // Of no use to anybody if it does not arrive soon.
                let _written = stream.write_all(&packet).await;
            }
        };
        let (heard, mut said) = mpsc::channel::<Vec<u8>>(64);
        let read = async {
            while let Some(message) = read_message(&mut incoming).await {
                if heard.send(message).await.is_err() {
                    return;
                }
            }
        };
        let hear = async {
            loop {
                tokio::select! {
                    biased;
                    message = said.recv(), if !hears.is_full() => match message {
                        Some(message) => hears.said(&message),
                        None => return,
                    },
                    () = tokio::time::sleep(FULL_PAUSE), if hears.is_full() => {}
                    datagram = connection.read_datagram() => match datagram {
                        Ok(datagram) => {
                            wire.counted.received.fetch_add(1, Ordering::Relaxed);
                            hears.sent(&datagram);
                        }
                        Err(_) => return,
                    },
                    stream = connection.accept_uni() => match stream {
                        Ok(mut stream) => {
                            if let Ok(packet) = stream.read_to_end(LONGEST_PACKET).await {
                                wire.counted.received.fetch_add(1, Ordering::Relaxed);
                                hears.sent(&packet);
                            }
                        }
                        Err(_) => return,
                    },
                }
            }
        };
        tokio::select! {
            () = write => {}
            () = write_long => {}
            () = read => {}
            () = hear => {}
        }
        wire.end("it is over at the other side");
        connection.closed().await.to_string()
    }
}

/// Writes one message with its length; `None` when it cannot be written.
pub(super) async fn write_message(stream: &mut SendStream, message: &[u8]) -> Option<()> {
    let len = u32::try_from(message.len()).ok()?;
    stream.write_all(&len.to_be_bytes()).await.ok()?;
    stream.write_all(message).await.ok()
}

/// Reads one message; `None` when there is no more, or it is too long.
pub(super) async fn read_message(stream: &mut RecvStream) -> Option<Vec<u8>> {
    let mut len = [0; 4];
    stream.read_exact(&mut len).await.ok()?;
    let len = usize::try_from(u32::from_be_bytes(len)).ok()?;
    if len > LONGEST {
        return None;
    }
    let mut message = vec![0; len];
    stream.read_exact(&mut message).await.ok()?;
    Some(message)
}
