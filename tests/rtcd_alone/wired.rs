//! A participant of the simulation on a real socket: the WebRTC stack of `harness`, which has what
//! webrtc-rs lacks (ICE-TCP) and tells which packets came.
//!
//! A task owns the socket; stories look at the participant between its turns.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use harness::world::{Media, Participant, Style};
use proto::id::SessionId;
use proto::rtcd::{ControlMessage, RtcMessage, TrackType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;

use super::control::{Client, eventually};

/// Packets that prove that media flows now.
const SOME: usize = 25;
const LARGEST: usize = 2048;

/// A participant whose connection is driven by a task of its own, as long as this lives.
pub(crate) struct Wired {
    name: String,
    participant: Arc<Mutex<Participant>>,
    poke: Arc<tokio::sync::Notify>,
    task: tokio::task::JoinHandle<()>,
}

impl Wired {
    /// Joins a call over this transport and waits until the data channel is open.
    pub(crate) async fn join(client: &Client, call: &str, name: &str, way: Way) -> Self {
        let signals = client.messages_for(name);
        client.join(call, name).await;
        let (wire, arrivals) = Wire::open(way).await;
        let style = Style {
            tcp: matches!(way, Way::Tcp(_)),
            ..Style::default()
        };
        let now = Instant::now();
        let mut participant = Participant::new(name, wire.local(), 0, style, now);
        participant.offer(now);
        let participant = Arc::new(Mutex::new(participant));
        let poke = Arc::new(tokio::sync::Notify::new());
        let pump = Pump {
            session: SessionId::parse(name).unwrap(),
            client: client.clone(),
            participant: Arc::clone(&participant),
            node: way.node(),
            wire,
        };
        let task = tokio::spawn(pump.run(arrivals, signals, Arc::clone(&poke)));
        let wired = Self {
            name: name.to_owned(),
            participant,
            poke,
            task,
        };
        let what = format!("data channel of {name} by {way:?}");
        eventually(&what, || wired.look().channel_open).await;
        wired
    }

    fn look(&self) -> MutexGuard<'_, Participant> {
        self.participant.lock().unwrap()
    }

    pub(crate) fn speak(&self) {
        self.look().publish(Media::Sound, "microphone");
        self.poke.notify_one();
    }

    /// Waits for more of somebody's voice.
    pub(crate) async fn hears(&self, speaker: &str) {
        let before = self.numbers_of(speaker).len();
        let what = format!("voice of {speaker} at {}", self.name);
        eventually(&what, || self.numbers_of(speaker).len() >= before + SOME).await;
    }

    /// Returns the sequence numbers of a voice, as they came.
    pub(crate) fn numbers_of(&self, speaker: &str) -> Vec<u64> {
        let participant = self.look();
        let heard = participant.heard_of(speaker, TrackType::Voice);
        heard.iter().map(|heard| heard.seq_no).collect()
    }
}

impl Drop for Wired {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How a participant reaches the node.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    Udp(SocketAddr),
    Tcp(SocketAddr),
}

impl Way {
    fn node(self) -> SocketAddr {
        match self {
            Self::Udp(node) | Self::Tcp(node) => node,
        }
    }
}

/// An open connection to the node.
enum Wire {
    Udp(Arc<UdpSocket>),
    Tcp(OwnedWriteHalf),
}

impl Wire {
    /// Connects; what arrives comes out of the channel.
    async fn open(way: Way) -> (Self, mpsc::UnboundedReceiver<Vec<u8>>) {
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let wire = match way {
            Way::Udp(node) => {
                let socket = UdpSocket::bind(SocketAddr::new(node.ip(), 0))
                    .await
                    .unwrap();
                socket.connect(node).await.unwrap();
                let socket = Arc::new(socket);
                tokio::spawn(read_datagrams(Arc::clone(&socket), arrived));
                Self::Udp(socket)
            }
            Way::Tcp(node) => {
                let stream = TcpStream::connect(node).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (reading, writing) = stream.into_split();
                tokio::spawn(read_frames(reading, arrived));
                Self::Tcp(writing)
            }
        };
        (wire, arrivals)
    }

    fn local(&self) -> SocketAddr {
        match self {
            Self::Udp(socket) => socket.local_addr().unwrap(),
            Self::Tcp(stream) => stream.local_addr().unwrap(),
        }
    }

    async fn send(&mut self, contents: &[u8]) {
        match self {
            // A refused datagram is a lost one.
            Self::Udp(socket) => drop(socket.send(contents).await),
            Self::Tcp(stream) => {
                let len = u16::try_from(contents.len()).unwrap().to_be_bytes();
                let frame = [&len, contents].concat();
                // The node may close first.
                drop(stream.write_all(&frame).await);
            }
        }
    }
}

async fn read_datagrams(socket: Arc<UdpSocket>, arrived: mpsc::UnboundedSender<Vec<u8>>) {
    let mut buffer = [0; LARGEST];
    while let Ok(len) = socket.recv(&mut buffer).await {
        if arrived.send(buffer[..len].to_vec()).is_err() {
            return;
        }
    }
}

async fn read_frames(mut stream: OwnedReadHalf, arrived: mpsc::UnboundedSender<Vec<u8>>) {
    while let Ok(len) = stream.read_u16().await {
        let mut frame = vec![0; usize::from(len)];
        let is_whole = stream.read_exact(&mut frame).await.is_ok();
        if !is_whole || arrived.send(frame).is_err() {
            return;
        }
    }
}

/// What the task of a participant works with.
struct Pump {
    session: SessionId,
    client: Client,
    participant: Arc<Mutex<Participant>>,
    node: SocketAddr,
    wire: Wire,
}

impl Pump {
    async fn run(
        mut self,
        mut arrivals: mpsc::UnboundedReceiver<Vec<u8>>,
        mut signals: mpsc::UnboundedReceiver<RtcMessage>,
        poke: Arc<tokio::sync::Notify>,
    ) {
        loop {
            let deadline = self.flush().await;
            let participant = &self.participant;
            tokio::select! {
                Some(contents) = arrivals.recv() => {
                    let mut participant = participant.lock().unwrap();
                    participant.datagram(Instant::now(), self.node, &contents);
                }
                Some(message) = signals.recv() => {
                    participant.lock().unwrap().signal(Instant::now(), &message);
                }
                () = poke.notified() => participant.lock().unwrap().tick(Instant::now()),
                () = tokio::time::sleep_until(deadline.into()) => {
                    participant.lock().unwrap().tick(Instant::now());
                }
            }
        }
    }

    /// Sends what waits; returns when the participant wants to be woken.
    async fn flush(&mut self) -> Instant {
        let (datagrams, messages, deadline) = {
            let mut participant = self.participant.lock().unwrap();
            let datagrams = std::mem::take(&mut participant.datagrams);
            let messages = std::mem::take(&mut participant.messages);
            (datagrams, messages, participant.deadline())
        };
        for datagram in datagrams {
            self.wire.send(&datagram).await;
        }
        for (kind, data) in messages {
            let message = RtcMessage::for_session(&self.session, kind, data.into_bytes());
            self.client.send(&ControlMessage::Rtc(message)).await;
        }
        deadline
    }
}
