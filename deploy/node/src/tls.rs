//! TLS 1.3 between nodes, both sides known by the papers that also let them in at the servers between them.

use std::path::Path;
use std::sync::Arc;

use cluster::NodeId;
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig, version};

/// Why papers are of no use for connections between nodes.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error(transparent)]
    Papers(#[from] cluster_nats::PapersError),
    #[error("the papers in `{folder}` name no certificate")]
    NoCertificate { folder: String },
    #[error("`{file}` (of `cluster.papers`): {why}")]
    File { file: String, why: String },
}

/// This node at both ends of a connection.
pub(crate) struct Papers {
    pub(crate) node: NodeId,
    pub(crate) site: String,
    pub(crate) client: ClientConfig,
    pub(crate) server: ServerConfig,
}

impl Papers {
    /// Reads the papers in a folder, for connections on which `protocol` is spoken.
    pub(crate) fn read(papers: &Path, protocol: &[u8]) -> Result<Self, IdentityError> {
        let config = cluster_nats::Config::of_papers(papers)?;
        let files = config.tls.ok_or_else(|| IdentityError::NoCertificate {
            folder: papers.display().to_string(),
        })?;
        let refused = |file: &Path| {
            let file = file.display().to_string();
            move |why: String| IdentityError::File { file, why }
        };
        let certificates = |file: &Path| {
            CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| refused(file)(error.to_string()))
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&files.authority)? {
            roots
                .add(certificate)
                .map_err(|error| refused(&files.authority)(error.to_string()))?;
        }
        let roots = Arc::new(roots);
        let chain = certificates(&files.certificate)?;
        let key = || {
            PrivateKeyDer::from_pem_file(&files.key)
                .map_err(|error| refused(&files.key)(error.to_string()))
        };
        let tls = |error: &dyn std::fmt::Display| refused(&files.certificate)(error.to_string());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&version::TLS13])
            .map_err(|error| tls(&error))?
            .with_root_certificates(Arc::clone(&roots))
            .with_client_auth_cert(chain.clone(), key()?)
            .map_err(|error| tls(&error))?;
        client.alpn_protocols = vec![protocol.to_vec()];
        let known = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
        let known = known.build().map_err(|error| tls(&error))?;
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])
            .map_err(|error| tls(&error))?
            .with_client_cert_verifier(known)
            .with_single_cert(chain, key()?)
            .map_err(|error| tls(&error))?;
        server.alpn_protocols = vec![protocol.to_vec()];
        Ok(Self {
            node: config.node,
            site: config.site,
            client,
            server,
        })
    }
}

/// Whether the certificate at the head of a chain is made out to this name.
pub(crate) fn is_made_out_to(chain: &[CertificateDer<'_>], name: &str) -> bool {
    let Some(leaf) = chain.first() else {
        return false;
    };
    let Ok(name) = ServerName::try_from(name) else {
        return false;
    };
    ParsedCertificate::try_from(leaf).is_ok_and(|parsed| verify_server_name(&parsed, &name).is_ok())
}
