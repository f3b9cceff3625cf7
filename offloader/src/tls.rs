//! HTTPS for the job API.
//!
//! In: a certificate chain and a key in PEM. Out: the same routes over TLS 1.2 and 1.3.

use std::sync::Arc;

use anyhow::Context;
use axum::serve::Listener;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::TlsFiles;

/// A handshake that takes longer is broken off.
const HANDSHAKE: std::time::Duration = std::time::Duration::from_secs(10);
/// Connections whose handshake is done and that wait to be served.
const QUEUE: usize = 64;

type Ready = (TlsStream<TcpStream>, std::net::SocketAddr);

/// Hands out connections after their handshake; slow ones do not hold up the others.
struct TlsListener {
    ready: mpsc::Receiver<Ready>,
    address: std::net::SocketAddr,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(ready) => ready,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.address)
    }
}

/// Serves until `stop`.
///
/// # Errors
/// When certificate or key cannot be used.
pub(crate) fn serve(
    listener: TcpListener,
    files: &TlsFiles,
    app: axum::Router,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<JoinHandle<()>> {
    let acceptor = acceptor(files)?;
    let address = listener.local_addr()?;
    let (sender, ready) = mpsc::channel(QUEUE);
    let accepting = tokio::spawn(accept(listener, acceptor, sender));
    Ok(tokio::spawn(async move {
        let stopped = async move {
            let _ = stop.wait_for(|stop| *stop).await;
            accepting.abort();
        };
        let listener = TlsListener { ready, address };
        if let Err(error) = axum::serve(listener, app)
            .with_graceful_shutdown(stopped)
            .await
        {
            tracing::error!(%error, "the job API ended");
        }
    }))
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, ready: mpsc::Sender<Ready>) {
    loop {
        let Ok((stream, address)) = listener.accept().await else {
            // Out of files, most likely: give others time to close some.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    // Nobody waits any more when the service stops.
                    let _ = ready.send((stream, address)).await;
                }
                Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            }
        });
    }
}

fn acceptor(files: &TlsFiles) -> anyhow::Result<TlsAcceptor> {
    let (cert, key) = (files.cert_file.display(), files.key_file.display());
    let chain = CertificateDer::pem_file_iter(&files.cert_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("read the certificate `{cert}` (api.http.tls.cert_file)"))?;
    let secret = PrivateKeyDer::from_pem_file(&files.key_file)
        .with_context(|| format!("read the key `{key}` (api.http.tls.cert_key)"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .context("use certificate and key together")?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
