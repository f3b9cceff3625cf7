//! Who this node is for the others, and how it knows them: the papers that also let it in at the servers
//! between the nodes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cluster::NodeId;
use quinn::congestion::CubicConfig;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{AckFrequencyConfig, ClientConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt};
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{RootCertStore, version};

/// Says which protocol is spoken; another number for one that is not understood any more.
const PROTOCOL: &[u8] = b"parley-node/1";
/// A node that is silent for so long is gone. Longer: its people hear nothing for longer; shorter: a busy
/// machine counts as dead.
const SILENCE: Duration = Duration::from_secs(3);
const KEEP_ALIVE: Duration = Duration::from_millis(500);
/// Media that may wait to be sent, in bytes: beyond it the oldest is dropped.
const WAITING: usize = 1 << 20;
/// Media that came and nobody has looked at, in bytes.
const UNREAD: usize = 4 << 20;
/// Bytes under way before anything is known of the path: a shared screen begins with a large picture.
const FIRST_WINDOW: u64 = 256 << 10;
/// Packets of media between two acknowledgements. Fewer: each costs both sides.
const ACK_EVERY: u32 = 10;

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

/// This node for the others.
pub(super) struct Identity {
    pub(super) node: NodeId,
    site: String,
    client: Arc<QuicClientConfig>,
    server: Arc<QuicServerConfig>,
    transport: Arc<TransportConfig>,
}

impl Identity {
    pub(super) fn of_papers(papers: &Path) -> Result<Self, IdentityError> {
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
        let mut client = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&version::TLS13])
            .map_err(|error| tls(&error))?
            .with_root_certificates(Arc::clone(&roots))
            .with_client_auth_cert(chain.clone(), key()?)
            .map_err(|error| tls(&error))?;
        client.alpn_protocols = vec![PROTOCOL.to_vec()];
        let known = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
        let known = known.build().map_err(|error| tls(&error))?;
        let mut server = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])
            .map_err(|error| tls(&error))?
            .with_client_cert_verifier(known)
            .with_single_cert(chain, key()?)
            .map_err(|error| tls(&error))?;
        server.alpn_protocols = vec![PROTOCOL.to_vec()];
        let client = QuicClientConfig::try_from(client).map_err(|error| tls(&error))?;
        let server = QuicServerConfig::try_from(server).map_err(|error| tls(&error))?;
        Ok(Self {
            node: config.node,
            site: config.site,
            client: Arc::new(client),
            server: Arc::new(server),
            transport: Arc::new(transport()),
        })
    }

    pub(super) fn server(&self) -> ServerConfig {
        let mut config = ServerConfig::with_crypto(self.server.clone());
        config.transport_config(Arc::clone(&self.transport));
        config
    }

    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new(self.client.clone());
        config.transport_config(Arc::clone(&self.transport));
        config
    }

    /// What a node's certificate is made out to.
    pub(super) fn name_of(&self, node: &NodeId) -> String {
        node.dns_name(&self.site)
    }

    /// Whether the other side of a connection is this node, by its certificate.
    pub(super) fn is(&self, connection: &quinn::Connection, node: &NodeId) -> bool {
        let identity = connection.peer_identity();
        let chain = identity.and_then(|any| any.downcast::<Vec<CertificateDer<'_>>>().ok());
        let Some(leaf) = chain.as_ref().and_then(|chain| chain.first()) else {
            return false;
        };
        let Ok(name) = ServerName::try_from(self.name_of(node)) else {
            return false;
        };
        ParsedCertificate::try_from(leaf)
            .is_ok_and(|parsed| verify_server_name(&parsed, &name).is_ok())
    }
}

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    let silence = IdleTimeout::try_from(SILENCE).ok();
    let mut congestion = CubicConfig::default();
    congestion.initial_window(FIRST_WINDOW);
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(VarInt::from_u32(ACK_EVERY));
    transport
        .max_idle_timeout(silence)
        .keep_alive_interval(Some(KEEP_ALIVE))
        .datagram_send_buffer_size(WAITING)
        .datagram_receive_buffer_size(Some(UNREAD))
        .congestion_controller_factory(Arc::new(congestion))
        .ack_frequency_config(Some(acks));
    transport
}
