//! The HTTP listener: accepts, speaks TLS where configured, and lets go in time at the end.
//!
//! In: a bound socket and a router. Out: connections served until `stop`, then up to
//! `LETTING_GO` for those that are in the middle of an answer.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use crate::auth::Place;
use crate::config::{TlsConfig, TlsFault};
use crate::strangers::{Stranger, Strangers};

/// A request's head must arrive in this time.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// Largest head of a request, in bytes.
const MOST_HEAD: usize = 64 * 1024;
const TLS_HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Connections at once; further ones wait in the kernel.
const MOST_CONNECTIONS: usize = 8192;
/// Connections that have made no request yet. Lower: a crowd of slow ones loses its oldest.
const MOST_STRANGERS: usize = 1024;
/// How long running answers may take once the node stops.
const LETTING_GO: Duration = Duration::from_secs(10);
const BACKLOG: i32 = 1024;

/// Binds `host:port`; an empty host is every address, of both families where there are two.
pub(crate) async fn bind(address: &str) -> anyhow::Result<TcpListener> {
    let (host, port) = address
        .rsplit_once(':')
        .context("no port in the listen address")?;
    if !host.is_empty() {
        return TcpListener::bind(address)
            .await
            .with_context(|| format!("listen at {address}"));
    }
    let port: u16 = port
        .parse()
        .with_context(|| format!("port of `{address}`"))?;
    let any_v6 = SocketAddr::from(([0u16; 8], port));
    let any_v4 = SocketAddr::from(([0u8; 4], port));
    let socket = bind_any(any_v6)
        .or_else(|_| bind_any(any_v4))
        .with_context(|| format!("listen at {address}"))?;
    Ok(TcpListener::from_std(socket)?)
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

/// Loads the certificate and its key.
///
/// # Errors
/// Which file cannot be read, or that the two do not fit.
pub(crate) fn tls(config: &TlsConfig) -> Result<TlsAcceptor, TlsFault> {
    let fault = |key, rule: String| TlsFault { key, rule };
    let (cert, key) = ("api.http.tls.cert_file", "api.http.tls.cert_key");
    let unreadable = |file: &Path, error: rustls::pki_types::pem::Error| {
        format!("`{}` must be a readable PEM file: {error}", file.display())
    };
    let chain = CertificateDer::pem_file_iter(&config.cert_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fault(cert, unreadable(&config.cert_file, error)))?;
    let private = PrivateKeyDer::from_pem_file(&config.cert_key)
        .map_err(|error| fault(key, unreadable(&config.cert_key, error)))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut server = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| fault(cert, format!("TLS versions: {error}")))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| fault(cert, format!("must fit its key: {error}")))?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(server)))
}

/// Serves until `stop` turns true, then lets go of what is left.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let strangers = Strangers::new(MOST_STRANGERS);
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            break;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: the next round would fail at once, too.
                warn!(%error, "HTTP connection not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Who asks from where: requests carry it.
        let router = router.clone().layer(Extension(Place::of(peer.ip())));
        let (tls, stop) = (tls.clone(), stop.clone());
        let (stranger, gives_way) = strangers.admit();
        connections.spawn(async move {
            tokio::select! {
                () = connection(stream, tls, router, stranger, stop) => {}
                () = gives_way.wait() => debug!("HTTP connection without a request gave way"),
            }
            drop(place);
        });
    }
    drop(listener);
    let all_gone = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(LETTING_GO, all_gone).await.is_err() {
        warn!("HTTP connections cut after {} s", LETTING_GO.as_secs());
    }
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    stranger: Stranger,
    stop: watch::Receiver<bool>,
) {
    // Small messages both ways: waiting to fill a segment only adds delay.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        http(stream, router, stranger, stop).await;
        return;
    };
    match tokio::time::timeout(TLS_HANDSHAKE_WITHIN, tls.accept(stream)).await {
        Ok(Ok(stream)) => http(stream, router, stranger, stop).await,
        Ok(Err(error)) => debug!(%error, "TLS handshake broken off"),
        Err(_) => debug!("TLS handshake took too long"),
    }
}

async fn http<S>(stream: S, router: Router, stranger: Stranger, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let routes = TowerToHyperService::new(router);
    let stranger = Mutex::new(Some(stranger));
    let service = service_fn(|request| {
        // Whoever makes a request is known.
        drop(
            stranger
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        routes.call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MOST_HEAD)
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
        debug!(%error, "HTTP connection broken");
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::ServerName;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::TlsConnector;

    use super::*;
    use crate::Config;

    async fn get_version(
        address: SocketAddr,
        certificate: &CertificateDer<'static>,
        version: &'static rustls::SupportedProtocolVersion,
    ) -> std::io::Result<String> {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(certificate.clone())
            .map_err(std::io::Error::other)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .map_err(std::io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
        let stream = TcpStream::connect(address).await?;
        let mut stream = TlsConnector::from(Arc::new(client))
            .connect(name, stream)
            .await?;
        let request = "GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn speaks_tls_1_2_and_newer_when_asked_to() {
        let directory = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let mut config = Config::local(directory.path());
        let tls = TlsConfig {
            cert_file: directory.path().join("cert.pem"),
            cert_key: directory.path().join("key.pem"),
        };
        std::fs::write(&tls.cert_file, made.cert.pem()).unwrap();
        std::fs::write(&tls.cert_key, made.signing_key.serialize_pem()).unwrap();
        config.http.tls = Some(tls);
        let node = crate::start(config).await.unwrap();
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let answer = get_version(node.http_addr(), made.cert.der(), version)
                .await
                .unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(answer.contains("buildVersion"));
        }
        // Plain text on this port is no reason to fall over.
        let mut plain = TcpStream::connect(node.http_addr()).await.unwrap();
        plain
            .write_all(b"GET /version HTTP/1.1\r\n\r\n")
            .await
            .unwrap();
        let mut rest = Vec::new();
        let _ = plain.read_to_end(&mut rest).await;
        assert!(!rest.starts_with(b"HTTP"));
        node.stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_certificate_that_cannot_be_read_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::local(directory.path());
        config.http.tls = Some(TlsConfig {
            cert_file: directory.path().join("none.pem"),
            cert_key: directory.path().join("none.key"),
        });
        let refused = crate::start(config).await.unwrap_err();
        assert!(
            format!("{refused:#}").contains("api.http.tls.cert_file"),
            "{refused:#}"
        );
    }
}
