//! Passive ICE-TCP for participants whose network blocks UDP: length-framed packets.
//!
//! In: TCP connections on the media port. Out: frames into the inbox of the shard that has the
//! session; frames of the shard back into the connection.
//! The first frame must be a Binding request: its ufrag says which shard. Connections that bring
//! none in time, or a frame that is too long, are closed.
//! Invariant: connections that say nothing keep nobody out: they give way to newer ones.
//! See: RFC 4571 (framing), RFC 6544 (TCP candidates).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rtcd_core::Transport;
use service::listen::{Stranger, Strangers};
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tracing::{debug, warn};

use crate::driver::{InboxSender, ShardMessage, Ufrags, requested_ufrag};
use crate::framing::Frames;
use crate::metrics::Metrics;
use crate::placement::ShardId;

/// Frames that may wait for a connection; further ones are dropped, like datagrams.
const QUEUE_LEN: usize = 1024;
/// Connections of sessions; further ones are refused.
const MOST_CONNECTIONS: usize = 4096;
/// Connections that have not named a session of ours. Lower: a crowd that connects at once, far
/// away, is cut off before its first packet arrives. Higher: more descriptors for those who only
/// connect.
const MOST_STRANGERS: usize = 1024;
const FIRST_FRAME_WITHIN: Duration = Duration::from_secs(30);
const READ_AT_ONCE: usize = 4096;
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// Where frames for one connection go.
#[derive(Debug, Clone)]
pub(crate) struct FrameSender(mpsc::Sender<Vec<u8>>);

impl FrameSender {
    /// Queues a frame; says whether there was room.
    pub(crate) fn send(&self, frame: Vec<u8>) -> bool {
        self.0.try_send(frame).is_ok()
    }
}

/// What a connection's task needs of the node.
#[derive(Debug, Clone)]
pub(crate) struct Shards {
    pub(crate) inboxes: Vec<InboxSender>,
    pub(crate) ufrags: Arc<Ufrags>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Shards {
    fn send(&self, shard: ShardId, message: ShardMessage) {
        let sent = self.inboxes.get(shard.0).map(|inbox| inbox.send(message));
        if !matches!(sent, Some(Ok(()))) {
            self.metrics.dropped("inbox", "tcp_frame");
        }
    }
}

/// Binds every address at one port (0: chosen by the system). An address that cannot be bound is
/// logged and left out.
///
/// # Errors
/// When the port is taken.
pub(crate) async fn bind(addresses: &[IpAddr], port: u16) -> anyhow::Result<Vec<TcpListener>> {
    let mut port = port;
    let mut listeners = Vec::new();
    for address in addresses {
        let wanted = SocketAddr::new(*address, port);
        match TcpListener::bind(wanted).await {
            Ok(listener) => {
                port = listener
                    .local_addr()
                    .context("ask for the bound TCP port")?
                    .port();
                listeners.push(listener);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                return Err(error)
                    .with_context(|| format!("bind media socket {wanted}/tcp (rtc.ice_port_tcp)"));
            }
            Err(error) => warn!(%error, address = %wanted, "address not bound, and not offered"),
        }
    }
    Ok(listeners)
}

/// Accepts connections until `stop`.
pub(crate) async fn serve(listener: TcpListener, shards: Shards, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let strangers = Strangers::new(MOST_STRANGERS);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let (stream, source) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "media connection not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (shards, mut stop) = (shards.clone(), stop.clone());
        let (metrics, places) = (Arc::clone(&shards.metrics), Arc::clone(&places));
        let (stranger, gives_way) = strangers.admit();
        tokio::spawn(async move {
            tokio::select! {
                () = connection(stream, source, shards, stranger, &places) => {}
                () = gives_way.wait() => metrics.dropped("tcp", "stranger_gave_way"),
                _ = stop.wait_for(|stop| *stop) => {}
            }
        });
    }
}

/// A connection that its shard knows of; the shard is told of its end with this value's.
struct Opened<'a> {
    shards: &'a Shards,
    owner: ShardId,
    source: SocketAddr,
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        let source = self.source;
        self.shards
            .send(self.owner, ShardMessage::TcpClosed { source });
    }
}

async fn connection(
    stream: TcpStream,
    source: SocketAddr,
    shards: Shards,
    stranger: Stranger,
    places: &Semaphore,
) {
    let Ok(destination) = stream.local_addr() else {
        return;
    };
    let _ = stream.set_nodelay(true);
    let (read, write) = stream.into_split();
    let mut frames_in = Frames::default();
    let first = read_frame(&read, &mut frames_in);
    let Ok(Some(first)) = tokio::time::timeout(FIRST_FRAME_WITHIN, first).await else {
        return;
    };
    let Some(ufrag) = requested_ufrag(&first) else {
        shards.metrics.dropped("tcp", "no_binding_request");
        debug!("media connection does not begin with a Binding request");
        return;
    };
    let Some(owner) = shards.ufrags.owner(ufrag) else {
        shards.metrics.dropped("tcp", "unknown_ufrag");
        return;
    };
    drop(stranger);
    let Ok(_place) = places.try_acquire() else {
        shards.metrics.dropped("tcp", "no_place");
        return;
    };
    let (sender, frames_out) = mpsc::channel(QUEUE_LEN);
    let opened = ShardMessage::TcpOpened {
        source,
        frames: FrameSender(sender),
    };
    let frame = |contents| ShardMessage::Datagram {
        transport: Transport::Tcp,
        source,
        destination,
        contents,
    };
    let _opened = Opened {
        shards: &shards,
        owner,
        source,
    };
    shards.send(owner, opened);
    shards.send(owner, frame(first));
    let writing = write_frames(write, frames_out);
    let reading = async {
        while let Some(contents) = read_frame(&read, &mut frames_in).await {
            shards.send(owner, frame(contents));
        }
    };
    tokio::select! {
        () = writing => {}
        () = reading => {}
    }
}

/// Reads one frame. `None` at the end, or when it is too long.
async fn read_frame(read: &OwnedReadHalf, frames: &mut Frames) -> Option<Vec<u8>> {
    loop {
        match frames.next_frame() {
            Ok(Some(frame)) => return Some(frame.to_vec()),
            Ok(None) => {}
            Err(error) => {
                debug!(%error, "media connection closed");
                return None;
            }
        }
        // Nothing is held for a connection that has nothing to say.
        read.readable().await.ok()?;
        let mut piece = [0; READ_AT_ONCE];
        match read.try_read(&mut piece) {
            Ok(0) => return None,
            Ok(len) => frames.extend(piece.get(..len)?),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
}

async fn write_frames(mut write: OwnedWriteHalf, mut frames: mpsc::Receiver<Vec<u8>>) {
    while let Some(frame) = frames.recv().await {
        let Ok(len) = u16::try_from(frame.len()) else {
            continue;
        };
        let mut bytes = Vec::with_capacity(frame.len() + 2);
        bytes.extend(len.to_be_bytes());
        bytes.extend(frame);
        match tokio::time::timeout(WRITE_WITHIN, write.write_all(&bytes)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}
