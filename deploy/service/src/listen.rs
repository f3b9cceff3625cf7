//! The one accept loop of every HTTP port: who may connect, how long they may take, and their end.
//!
//! In: a bound socket, a router, a [`Admission`] with the port's limits. Out: connections served until
//! `stop`, then up to `LETTING_GO` for those that are in the middle of an answer. Requests carry
//! `ConnectInfo<SocketAddr>`; WebSocket upgrades work and keep their place.
//! Not here: what is answered.
//! Invariant: a connection costs no buffer until it has said something, and is closed when nothing
//! has moved on it for as long as the limits say.

mod admission;
mod bounded;
mod strangers;
mod tls;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use admission::Closed;
pub use admission::{Admission, Limits};
pub use bounded::Bounded;
pub use strangers::{GivesWay, Stranger, Strangers};
pub use tls::{TlsFault, tls};

const TLS_HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How long running answers may take once the service stops.
const LETTING_GO: Duration = Duration::from_secs(10);
/// Pause after the system had no descriptor for a connection.
const NO_DESCRIPTOR_PAUSE: Duration = Duration::from_millis(50);
const BACKLOG: i32 = 1024;
/// Refused connections that are told so at once; further ones are closed without a word.
const REFUSALS_AT_ONCE: usize = 32;
/// How long a refused connection may take to read that it is.
const REFUSAL_WITHIN: Duration = Duration::from_secs(1);
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 29\r\nConnection: close\r\n\r\n\
    too many connections for now\n";

/// Binds `host:port`; an empty host is every address, of both families where there are two.
///
/// # Errors
/// When the address cannot be understood or is taken; the text names it.
pub async fn bind(address: &str) -> std::io::Result<TcpListener> {
    let named = |error: std::io::Error| {
        std::io::Error::new(error.kind(), format!("listen at {address}: {error}"))
    };
    let Some((host, port)) = address.rsplit_once(':') else {
        return Err(named(ErrorKind::AddrNotAvailable.into()));
    };
    if !host.is_empty() {
        return TcpListener::bind(address).await.map_err(named);
    }
    let port: u16 = port
        .parse()
        .map_err(|_| named(ErrorKind::InvalidInput.into()))?;
    let any_v6 = SocketAddr::from(([0u16; 8], port));
    let any_v4 = SocketAddr::from(([0u8; 4], port));
    let socket = bind_any(any_v6)
        .or_else(|_| bind_any(any_v4))
        .map_err(named)?;
    TcpListener::from_std(socket)
}

fn bind_any(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// What happens to connections.
#[derive(Clone)]
enum Purpose {
    Answer(Router, Option<TlsAcceptor>),
    HandOn(Arc<dyn Elsewhere>),
}

/// Who answers, when it is not this process.
pub trait Elsewhere: Send + Sync {
    /// Takes a connection on which something was said, of somebody who comes from `from`, until it ends.
    fn take(
        self: Arc<Self>,
        connection: Connection,
        from: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// A connection that was let in, whoever answers.
pub type Connection = Bounded<TcpStream>;

/// Serves until `stop` turns true (or its sender is gone), then lets go of what is left.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    admission: Arc<Admission>,
    mut stop: watch::Receiver<bool>,
) {
    let purpose = Purpose::Answer(router, tls);
    let connections = accept(&listener, &purpose, &admission, &mut stop).await;
    drop(listener);
    let_go(connections, admission.name()).await;
}

/// Has connections answered elsewhere until `stop` turns true (or its sender is gone), then ends those that
/// are left.
pub async fn hand_on(
    listener: TcpListener,
    to: Arc<dyn Elsewhere>,
    admission: Arc<Admission>,
    mut stop: watch::Receiver<bool>,
) {
    let purpose = Purpose::HandOn(to);
    drop(accept(&listener, &purpose, &admission, &mut stop).await);
}

/// What a connection is over, once it is there.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection that somebody else let in and handed on, and the address that it comes from.
pub type Handed = (Box<dyn Stream>, SocketAddr);

/// Serves connections that are handed on, as [`serve`] does those of a listener.
pub async fn serve_handed(
    mut handed: mpsc::Receiver<Handed>,
    router: Router,
    admission: Arc<Admission>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let handed = tokio::select! {
            handed = handed.recv() => handed,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Some((stream, peer)) = handed else { break };
        let place = match admission.admit(peer.ip()) {
            Ok(place) => place,
            Err(refused) => {
                debug!(port = admission.name(), ?refused, "connection refused");
                continue;
            }
        };
        let idle_within = admission.limits().idle_within;
        let (visit, gives_way) = Visit::begin(&admission, peer, &stop);
        let (router, admission) = (router.clone(), Arc::clone(&admission));
        connections.spawn(async move {
            let stream = Bounded::new(stream, idle_within, place);
            tokio::select! {
                () = visit.http(stream, router) => {}
                () = gives_way.wait() => admission.closed(Closed::GaveWay),
            }
        });
    }
    let_go(connections, admission.name()).await;
}

/// Accepts until `stop` turns true (or its sender is gone). Returns those that are there still.
async fn accept(
    listener: &TcpListener,
    purpose: &Purpose,
    admission: &Arc<Admission>,
    stop: &mut watch::Receiver<bool>,
) -> JoinSet<()> {
    let refusals = Arc::new(Semaphore::new(REFUSALS_AT_ONCE));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return connections,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: the next round would fail at once, too.
                admission.closed(Closed::NotAccepted);
                warn!(port = admission.name(), %error, "connection not accepted");
                tokio::time::sleep(NO_DESCRIPTOR_PAUSE).await;
                continue;
            }
        };
        let place = match admission.admit(peer.ip()) {
            Ok(place) => place,
            Err(refused) => {
                debug!(port = admission.name(), ?refused, "connection refused");
                let is_clear = !matches!(purpose, Purpose::Answer(_, Some(_)));
                if let (true, Ok(turn)) = (is_clear, Arc::clone(&refusals).try_acquire_owned()) {
                    connections.spawn(async move {
                        refuse(stream).await;
                        drop(turn);
                    });
                }
                continue;
            }
        };
        let (visit, gives_way) = Visit::begin(admission, peer, stop);
        let (admission, purpose) = (Arc::clone(admission), purpose.clone());
        connections.spawn(async move {
            tokio::select! {
                () = visit.run(stream, purpose, place) => {}
                () = gives_way.wait() => admission.closed(Closed::GaveWay),
            }
        });
    }
}

async fn let_go(mut connections: JoinSet<()>, port: &str) {
    let all_gone = async { while connections.join_next().await.is_some() {} };
    if timeout(LETTING_GO, all_gone).await.is_err() {
        let seconds = LETTING_GO.as_secs();
        warn!(port, "connections cut after {seconds} s");
    }
}

/// Says why, and takes in what was sent meanwhile: otherwise the system would cut our words off.
async fn refuse(mut stream: TcpStream) {
    let words = async {
        stream.write_all(REFUSAL).await?;
        stream.shutdown().await?;
        let mut ignored = [0; 1024];
        while stream.read(&mut ignored).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    // However it ends, the connection is closed.
    let _ = timeout(REFUSAL_WITHIN, words).await;
}

/// One connection's stay.
struct Visit {
    admission: Arc<Admission>,
    peer: SocketAddr,
    stranger: Stranger,
    stop: watch::Receiver<bool>,
}

impl Visit {
    fn begin(
        admission: &Arc<Admission>,
        peer: SocketAddr,
        stop: &watch::Receiver<bool>,
    ) -> (Self, GivesWay) {
        let (stranger, gives_way) = admission.strangers().admit();
        let visit = Self {
            admission: Arc::clone(admission),
            peer,
            stranger,
            stop: stop.clone(),
        };
        (visit, gives_way)
    }

    async fn run(mut self, stream: TcpStream, purpose: Purpose, place: admission::Place) {
        // Small messages both ways: waiting to fill a segment only adds delay.
        let _ = stream.set_nodelay(true);
        // Until something is said, nothing is held but the socket.
        let limits = *self.admission.limits();
        let mut first_byte = [0];
        let first_word = timeout(limits.head_within, stream.peek(&mut first_byte));
        let spoke = tokio::select! {
            spoke = first_word => spoke,
            _ = self.stop.wait_for(|stop| *stop) => return,
        };
        match spoke {
            Ok(Ok(1..)) => {}
            Ok(Ok(0) | Err(_)) => return,
            Err(_) => {
                self.admission.closed(Closed::Silent);
                return;
            }
        }
        let stream = Bounded::new(stream, limits.idle_within, place);
        let (router, tls) = match purpose {
            Purpose::Answer(router, tls) => (router, tls),
            Purpose::HandOn(elsewhere) => {
                // Whether it is a stranger is asked where it is answered.
                drop(self.stranger);
                elsewhere.take(stream, self.peer).await;
                return;
            }
        };
        let Some(tls) = tls else {
            self.http(stream, router).await;
            return;
        };
        match timeout(TLS_HANDSHAKE_WITHIN, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.http(stream, router).await,
            Ok(Err(error)) => debug!(%error, "TLS handshake broken off"),
            Err(_) => self.admission.closed(Closed::Slow),
        }
    }

    async fn http<S>(self, stream: S, router: Router)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self {
            admission,
            peer,
            stranger,
            mut stop,
        } = self;
        let routes = TowerToHyperService::new(router);
        let stranger = Mutex::new(Some(stranger));
        let service = service_fn(|mut request: hyper::Request<hyper::body::Incoming>| {
            // Whoever makes a request is known.
            drop(
                stranger
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take(),
            );
            request.extensions_mut().insert(ConnectInfo(peer));
            routes.call(request)
        });
        let limits = admission.limits();
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_within)
            .max_buf_size(limits.most_head)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut served = std::pin::pin!(served);
        let ended = tokio::select! {
            ended = served.as_mut() => Some(ended),
            _ = stop.wait_for(|stop| *stop) => None,
        };
        let ended = if let Some(ended) = ended {
            ended
        } else {
            served.as_mut().graceful_shutdown();
            served.await
        };
        if let Err(error) = ended {
            if error.is_timeout() {
                admission.closed(Closed::Slow);
            }
            debug!(%error, "HTTP connection broken");
        }
    }
}

#[cfg(test)]
mod tests;
