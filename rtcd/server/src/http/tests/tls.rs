//! The API over TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::*;
use crate::config::TlsConfig;

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
