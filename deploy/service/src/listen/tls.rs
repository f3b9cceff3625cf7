//! TLS of a listener: certificate and key from PEM files.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// What is wrong with the files, and with which of the two settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {rule}")]
pub struct TlsFault {
    /// The setting that names the file.
    pub key: &'static str,
    pub rule: String,
}

const CERTIFICATE: &str = "api.http.tls.cert_file";
const KEY: &str = "api.http.tls.cert_key";

/// Loads the certificate chain and its key; TLS 1.2 and 1.3 are spoken.
///
/// # Errors
/// Which file cannot be read, or that the two do not fit.
pub fn tls(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsFault> {
    let fault = |key, rule: String| TlsFault { key, rule };
    let unreadable = |file: &Path, error: rustls::pki_types::pem::Error| {
        format!("`{}` must be a readable PEM file: {error}", file.display())
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fault(CERTIFICATE, unreadable(certificate, error)))?;
    let private =
        PrivateKeyDer::from_pem_file(key).map_err(|error| fault(KEY, unreadable(key, error)))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut server = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| fault(CERTIFICATE, format!("TLS versions: {error}")))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| fault(CERTIFICATE, format!("must fit its key: {error}")))?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(server)))
}
