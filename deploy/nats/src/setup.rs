//! Certificates of everybody, configuration and rights for the servers: what an administrator needs to
//! run them, without knowing NATS.
//!
//! In: names and addresses, and what was written before. Out: [`File`]s, to be written by whoever asked.
//! No I/O. A node's certificate says who it is; the servers let it speak as nobody else, and make nothing
//! go away. Node and server know each other by one authority, which only this cluster has.
//!
//! ```text
//! cluster.json            what was asked for: names and addresses
//! authority/              who vouches; its key is needed for further nodes only: keep it apart
//! servers/NAME/           everything that one server needs, to be copied to it
//! nodes/NAME/             everything that one node needs, to be copied to it
//! ```

mod authority;
mod configuration;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cluster::name::check_token;
use proto::redact::Secret;
use serde::{Deserialize, Serialize};

use crate::names::Names;
use authority::{Authority, Purpose};

/// Where what was asked for is written.
pub const PLAN: &str = "cluster.json";
pub const AUTHORITY: &str = "authority/certificate.pem";
pub const AUTHORITY_KEY: &str = "authority/key.pem";

/// A file to be written, for the administrator's eyes only.
#[derive(Debug, Clone)]
pub struct File {
    /// Below the folder of the cluster.
    pub path: PathBuf,
    pub text: Secret,
}

/// Why nothing was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    #[error("`{name}` is no name for {what}: it has 1 to 64 of the characters a-z A-Z 0-9 _ -")]
    Name { what: &'static str, name: String },
    #[error(
        "{count} servers: one, or three (or five) on machines of their own, so that most of them are left when one goes"
    )]
    Count { count: usize },
    #[error("`{name}` stands for two servers")]
    Twice { name: String },
    #[error("`{text}` is no server: write NAME=ADDRESS, with a port behind a colon if it is not {port}", port = CLIENTS)]
    Server { text: String },
    #[error("`{PLAN}` is not what was written there: {why}")]
    Plan { why: String },
    #[error("make a certificate for {whom}: {why}")]
    Certificate { whom: String, why: String },
}

/// The usual port for nodes; servers talk to each other on the one 2000 above it.
pub const CLIENTS: u16 = 4222;
/// From the port for nodes to the one for servers.
const BETWEEN: u16 = 2000;

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    pub name: String,
    /// How nodes and the other servers reach it: an address or a host name.
    pub host: String,
    pub port: u16,
}

impl Server {
    /// Reads `NAME=HOST` or `NAME=HOST:PORT`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn read(text: &str) -> Result<Self, SetupError> {
        let refused = || SetupError::Server {
            text: text.to_owned(),
        };
        let (name, address) = text.split_once('=').ok_or_else(refused)?;
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.starts_with('[') => {
                (host, port.parse().map_err(|_| refused())?)
            }
            _ => (address, CLIENTS),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
        if host.is_empty() || !host.chars().all(is_host) {
            return Err(refused());
        }
        check_token(name).map_err(|_| refused())?;
        Ok(Self {
            name: name.to_owned(),
            host: host.to_owned(),
            port,
        })
    }

    fn servers_port(&self) -> u16 {
        let above = self.port.checked_add(BETWEEN);
        above.unwrap_or_else(|| self.port - BETWEEN)
    }

    fn address(&self, port: u16) -> String {
        if self.host.contains(':') {
            format!("[{}]:{port}", self.host)
        } else {
            format!("{}:{port}", self.host)
        }
    }

    fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub site: String,
    pub servers: Vec<Server>,
    pub nodes: Vec<String>,
    /// Where a server's files lie on its machine.
    pub installed_in: PathBuf,
    /// Where a server keeps what it is told.
    pub data_in: PathBuf,
}

impl Plan {
    /// Copies of what is kept: one on one server, three on more.
    #[must_use]
    pub fn copies(&self) -> usize {
        self.servers.len().min(3)
    }

    fn check(&self) -> Result<(), SetupError> {
        named("a cluster", &self.site)?;
        let count = self.servers.len();
        if !matches!(count, 1 | 3 | 5) {
            return Err(SetupError::Count { count });
        }
        for (at, server) in self.servers.iter().enumerate() {
            let mut before = self.servers.iter().take(at);
            if before.any(|other| other.name == server.name) {
                let name = server.name.clone();
                return Err(SetupError::Twice { name });
            }
        }
        Ok(())
    }
}

fn named(what: &'static str, name: &str) -> Result<(), SetupError> {
    check_token(name).map_err(|_| SetupError::Name {
        what,
        name: name.to_owned(),
    })
}

/// A cluster's papers.
#[derive(Debug)]
pub struct Setup {
    plan: Plan,
    authority: Authority,
    now: SystemTime,
}

impl Setup {
    /// Begins a cluster: a new authority, everything for its servers.
    ///
    /// # Errors
    /// When the plan makes no cluster.
    pub fn begin(plan: Plan, now: SystemTime) -> Result<(Self, Vec<File>), SetupError> {
        plan.check()?;
        let authority = Authority::new(&plan.site, now)?;
        let setup = Self {
            plan,
            authority,
            now,
        };
        let mut files = vec![
            file(AUTHORITY, setup.authority.certificate.clone()),
            file(AUTHORITY_KEY, setup.authority.key()),
            setup.written_plan(),
        ];
        for server in &setup.plan.servers {
            files.extend(setup.server(server)?);
        }
        Ok((setup, files))
    }

    /// Goes on with what was written before.
    ///
    /// # Errors
    /// When it is not what was written.
    pub fn read(
        plan: &str,
        authority: &str,
        authority_key: &Secret,
        now: SystemTime,
    ) -> Result<Self, SetupError> {
        let plan: Plan = serde_json::from_str(plan).map_err(|error| SetupError::Plan {
            why: error.to_string(),
        })?;
        plan.check()?;
        let authority = Authority::read(&plan.site, authority, authority_key, now)?;
        Ok(Self {
            plan,
            authority,
            now,
        })
    }

    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Adds a node, or gives one a new certificate: its files, and the rights for every server.
    ///
    /// # Errors
    /// When the name is none.
    pub fn add_node(&mut self, name: &str) -> Result<Vec<File>, SetupError> {
        named("a node", name)?;
        if !self.plan.nodes.iter().any(|node| node == name) {
            self.plan.nodes.push(name.to_owned());
        }
        let folder = Path::new("nodes").join(name);
        let (certificate, key) = self.authority.issue(&Purpose::Node(name), self.now)?;
        let mut files = self.papers(&folder, certificate, key);
        let settings = configuration::node(&self.plan, name);
        files.push(file(folder.join(crate::config::SAYS), settings));
        let rights = configuration::rights(&self.plan, &Names::new(&self.plan.site));
        for server in &self.plan.servers {
            let path = Path::new("servers").join(&server.name).join("rights.conf");
            files.push(file(path, rights.clone()));
        }
        files.push(self.written_plan());
        Ok(files)
    }

    fn server(&self, server: &Server) -> Result<Vec<File>, SetupError> {
        let folder = Path::new("servers").join(&server.name);
        let (certificate, key) = self.authority.issue(&Purpose::Server(server), self.now)?;
        let mut files = self.papers(&folder, certificate, key);
        let rights = configuration::rights(&self.plan, &Names::new(&self.plan.site));
        files.push(file(folder.join("rights.conf"), rights));
        let text = configuration::server(&self.plan, server);
        files.push(file(folder.join("server.conf"), text));
        Ok(files)
    }

    fn papers(&self, folder: &Path, certificate: String, key: String) -> Vec<File> {
        vec![
            file(
                folder.join("authority.pem"),
                self.authority.certificate.clone(),
            ),
            file(folder.join("certificate.pem"), certificate),
            file(folder.join("key.pem"), key),
        ]
    }

    fn written_plan(&self) -> File {
        // Names and numbers: JSON takes them all.
        let text = serde_json::to_string_pretty(&self.plan).unwrap_or_default();
        file(PLAN, text)
    }
}

fn file(path: impl Into<PathBuf>, text: String) -> File {
    File {
        path: path.into(),
        text: Secret::new(text),
    }
}

#[cfg(test)]
mod tests;
