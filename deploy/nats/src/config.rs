//! How a node reaches the servers between the nodes.

use std::path::PathBuf;

use cluster::NodeId;

/// What a node must know.
#[derive(Debug, Clone)]
pub struct Config {
    /// `host:port` of every server: any that answers is used, and another when it goes.
    pub servers: Vec<String>,
    /// Who this is; with TLS, whom its certificate is for.
    pub node: NodeId,
    /// Name of the cluster: one token. Several may share the servers.
    pub site: String,
    /// Copies of what is kept: 1, or 3 on three servers.
    pub copies: usize,
    /// `None`: in the clear, for tests on one machine.
    pub tls: Option<Tls>,
}

/// Files of a node, as `setup` writes them.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Who vouches for the servers.
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}
