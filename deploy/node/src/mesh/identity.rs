//! Who this node is for the others, and how it knows them: the papers that also let it in at the servers
//! between the nodes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cluster::NodeId;
use quinn::congestion::CubicConfig;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{AckFrequencyConfig, ClientConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt};
use rustls::pki_types::CertificateDer;

use crate::tls::{IdentityError, Papers, is_made_out_to};

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
        let read = Papers::read(papers, PROTOCOL)?;
        let fits = |error: &dyn std::fmt::Display| IdentityError::File {
            file: papers.display().to_string(),
            why: error.to_string(),
        };
        let client = QuicClientConfig::try_from(read.client).map_err(|error| fits(&error))?;
        let server = QuicServerConfig::try_from(read.server).map_err(|error| fits(&error))?;
        Ok(Self {
            node: read.node,
            site: read.site,
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
        chain.is_some_and(|chain| is_made_out_to(&chain, &self.name_of(node)))
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
