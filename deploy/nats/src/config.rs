//! How a node reaches the servers between the nodes, and where that is written: in the folder of its
//! papers, as `parley cluster add-node` makes it.

use std::fs;
use std::path::{Path, PathBuf};

use cluster::NodeId;
use serde::Deserialize;

/// What the papers of a node say about it, beside the files that it names.
pub(crate) const SAYS: &str = "cluster.toml";

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

/// Why papers are of no use.
#[derive(Debug, thiserror::Error)]
pub enum PapersError {
    #[error(
        "read `{path}` (`cluster.papers` names the folder that `parley cluster add-node` wrote): {why}"
    )]
    Read { path: String, why: String },
    #[error("`{path}` says node = \"{node}\": {why}")]
    Name {
        path: String,
        node: String,
        why: cluster::Error,
    },
}

#[derive(Debug, Deserialize)]
struct Papers {
    cluster: Written,
}

#[derive(Debug, Deserialize)]
struct Written {
    node: String,
    site: String,
    servers: Vec<String>,
    copies: usize,
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Config {
    /// Reads the papers in a folder; the files that they name lie beside them.
    ///
    /// # Errors
    /// When one is missing, or does not say what it must.
    pub fn of_papers(folder: &Path) -> Result<Self, PapersError> {
        let read = |path: &Path| {
            fs::read_to_string(path).map_err(|error| PapersError::Read {
                path: path.display().to_string(),
                why: error.to_string(),
            })
        };
        let path = folder.join(SAYS);
        let Papers { cluster: written } =
            toml::from_str(&read(&path)?).map_err(|error| PapersError::Read {
                path: path.display().to_string(),
                why: error.to_string(),
            })?;
        let node = NodeId::new(&written.node).map_err(|why| PapersError::Name {
            path: path.display().to_string(),
            node: written.node.clone(),
            why,
        })?;
        let tls = Tls {
            authority: folder.join(written.authority),
            certificate: folder.join(written.certificate),
            key: folder.join(written.key),
        };
        for file in [&tls.authority, &tls.certificate, &tls.key] {
            read(file)?;
        }
        Ok(Self {
            servers: written.servers,
            node,
            site: written.site,
            copies: written.copies,
            tls: Some(tls),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::setup::{Plan, Server, Setup};

    /// As the verb writes them.
    fn papers(folder: &Path) {
        let plan = Plan {
            site: "here".to_owned(),
            servers: vec![Server::read("a=10.0.0.1").unwrap()],
            nodes: Vec::new(),
            installed_in: "/etc/x".into(),
            data_in: "/var/x".into(),
        };
        let (mut setup, _) = Setup::begin(plan, SystemTime::now()).unwrap();
        for file in setup.add_node("n1").unwrap() {
            if let Ok(name) = file.path.strip_prefix("nodes/n1") {
                fs::write(folder.join(name), file.text.expose()).unwrap();
            }
        }
    }

    #[test]
    fn what_add_node_writes_is_all_that_a_node_needs() {
        let folder = tempfile::tempdir().unwrap();
        papers(folder.path());
        let config = Config::of_papers(folder.path()).unwrap();
        assert_eq!((config.node.as_str(), &*config.site), ("n1", "here"));
        assert_eq!(
            (config.servers, config.copies),
            (vec!["10.0.0.1:4222".to_owned()], 1)
        );
        assert!(config.tls.unwrap().key.starts_with(folder.path()));
    }

    #[test]
    fn papers_that_are_not_whole_are_named_with_the_setting() {
        let folder = tempfile::tempdir().unwrap();
        let said = Config::of_papers(folder.path()).unwrap_err().to_string();
        assert!(
            said.contains("cluster.toml") && said.contains("cluster.papers"),
            "{said}"
        );
        papers(folder.path());
        fs::remove_file(folder.path().join("key.pem")).unwrap();
        let said = Config::of_papers(folder.path()).unwrap_err().to_string();
        assert!(said.contains("key.pem"), "{said}");
        let path = folder.path().join(SAYS);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(folder.path().join("key.pem"), "").unwrap();
        fs::write(&path, text.replace("\"n1\"", "\"n 1\"")).unwrap();
        let said = Config::of_papers(folder.path()).unwrap_err().to_string();
        assert!(said.contains("\"n 1\"") && said.contains("a-z"), "{said}");
    }
}
