//! The verb `cluster`: makes the papers of a cluster and writes them.
//!
//! In: what was typed. Out: files for this account's eyes only, and what to do with them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Subcommand;
use proto::redact::Secret;
use service::private;

use crate::setup::{AUTHORITY, AUTHORITY_KEY, File, PLAN, Plan, Server, Setup, SetupError};

/// What is made.
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Begin a cluster: certificates and configuration for the servers between its nodes.
    Init {
        /// A server, as NAME=ADDRESS or NAME=ADDRESS:PORT; one, or three on machines of their own.
        #[arg(long = "server", required = true, value_name = "NAME=ADDRESS")]
        servers: Vec<String>,
        /// Name of the cluster.
        #[arg(long, default_value = "parley")]
        site: String,
        /// Where the files are written.
        #[arg(long, default_value = "cluster")]
        folder: PathBuf,
        /// Where a server's files will lie on its machine.
        #[arg(long, default_value = "/etc/nats-server")]
        installed_in: PathBuf,
        /// Where a server keeps what it is told.
        #[arg(long, default_value = "/var/lib/nats-server")]
        data_in: PathBuf,
    },
    /// Add a node, or give one a new certificate.
    AddNode {
        /// Name of the node: 1 to 64 of a-z A-Z 0-9 _ -.
        name: String,
        /// Where `init` has written.
        #[arg(long, default_value = "cluster")]
        folder: PathBuf,
    },
}

/// Why nothing was made, or not all of it written.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(
        "`{folder}` holds a cluster already: add nodes with `parley cluster add-node NAME`, or name \
         another folder with `--folder`"
    )]
    IsThere { folder: String },
    #[error("read `{path}` (`parley cluster init` writes it): {source}")]
    Read {
        path: String,
        source: std::io::Error,
    },
    #[error("write: {0}")]
    Write(std::io::Error),
}

/// Makes it; returns what to do next.
///
/// # Errors
/// When what was typed makes no cluster, or a file cannot be read or written.
pub fn carry_out(command: ClusterCommand, now: SystemTime) -> Result<String, CommandError> {
    match command {
        ClusterCommand::Init {
            servers,
            site,
            folder,
            installed_in,
            data_in,
        } => {
            if folder.join(PLAN).exists() {
                let folder = folder.display().to_string();
                return Err(CommandError::IsThere { folder });
            }
            let servers = servers.iter().map(|server| Server::read(server));
            let plan = Plan {
                site,
                servers: servers.collect::<Result<_, _>>()?,
                nodes: Vec::new(),
                installed_in,
                data_in,
            };
            let (setup, files) = Setup::begin(plan, now)?;
            write(&folder, &files)?;
            Ok(begun(&folder, setup.plan()))
        }
        ClusterCommand::AddNode { name, folder } => {
            let read = |path: &str| {
                let path = folder.join(path);
                fs::read_to_string(&path).map_err(|source| CommandError::Read {
                    path: path.display().to_string(),
                    source,
                })
            };
            let key = Secret::new(read(AUTHORITY_KEY)?);
            let mut setup = Setup::read(&read(PLAN)?, &read(AUTHORITY)?, &key, now)?;
            let files = setup.add_node(&name)?;
            write(&folder, &files)?;
            Ok(added(&folder, setup.plan(), &name))
        }
    }
}

fn write(folder: &Path, files: &[File]) -> Result<(), CommandError> {
    for file in files {
        let path = folder.join(&file.path);
        private::folder(path.parent().unwrap_or(folder)).map_err(CommandError::Write)?;
        private::write(&path, file.text.expose().as_bytes()).map_err(CommandError::Write)?;
    }
    Ok(())
}

fn begun(folder: &Path, plan: &Plan) -> String {
    let (shown, there) = (folder.display(), plan.installed_in.display());
    let mut text = format!("The cluster `{}` is in `{shown}`. Next:\n", plan.site);
    for server in &plan.servers {
        // Writing to a String does not fail.
        let _written = writeln!(
            text,
            "- copy `{shown}/servers/{name}/` to `{there}/` on {host}, for the account that runs \
             nats-server alone, and start there: nats-server -c {there}/server.conf",
            name = server.name,
            host = server.host,
        );
    }
    // Writing to a String does not fail.
    let _written = write!(
        text,
        "- for each machine that runs Parley: parley cluster add-node NAME --folder {shown}\n\
         - keep `{shown}/{AUTHORITY_KEY}` apart: whoever has it can make nodes."
    );
    if plan.servers.len() > 1 {
        text.push_str("\nThree copies need nats-server 2.10.27 or newer on every machine.");
    }
    text
}

fn added(folder: &Path, plan: &Plan, name: &str) -> String {
    let (shown, there) = (folder.display(), plan.installed_in.display());
    let mut text = format!(
        "The node `{name}` of the cluster `{}` has its papers. Next:\n\
         - copy `{shown}/nodes/{name}/` to its machine, for the account that runs Parley alone\n",
        plan.site
    );
    for server in &plan.servers {
        // Writing to a String does not fail.
        let _written = writeln!(
            text,
            "- copy `{shown}/servers/{}/rights.conf` to `{there}/` on {}, and have it read: \
             nats-server --signal reload",
            server.name, server.host,
        );
    }
    text.push_str("Connections stay as they are meanwhile.");
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Typed {
        #[command(subcommand)]
        command: ClusterCommand,
    }

    fn typed(line: &str, folder: &Path) -> ClusterCommand {
        let mut words = vec!["cluster"];
        words.extend(line.split(' '));
        words.extend(["--folder", folder.to_str().unwrap()]);
        Typed::try_parse_from(words).unwrap().command
    }

    fn run(line: &str, folder: &Path) -> Result<String, CommandError> {
        carry_out(typed(line, folder), SystemTime::now())
    }

    #[test]
    fn a_cluster_is_made_and_a_node_added_and_nobody_else_reads_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("mine");
        let said = run("init --server a=10.0.0.1", &folder).unwrap();
        assert!(
            said.contains("servers/a/") && said.contains("server.conf"),
            "{said}"
        );
        assert!(!said.contains("2.10.27"), "{said}");
        let said = run("add-node n1", &folder).unwrap();
        assert!(
            said.contains("nodes/n1/") && said.contains("rights.conf"),
            "{said}"
        );
        for path in [
            "authority/key.pem",
            "servers/a/server.conf",
            "servers/a/key.pem",
            "servers/a/rights.conf",
            "nodes/n1/key.pem",
            "nodes/n1/cluster.toml",
        ] {
            let mode = fs::metadata(folder.join(path))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{path}");
        }
        let rights = fs::read_to_string(folder.join("servers/a/rights.conf")).unwrap();
        assert!(rights.contains("CN=n1,O=parley"), "{rights}");
    }

    #[test]
    fn a_cluster_that_is_there_is_not_made_again_and_one_that_is_not_gets_no_nodes() {
        let place = tempfile::tempdir().unwrap();
        run("init --server a=h", place.path()).unwrap();
        let key = place.path().join(AUTHORITY_KEY);
        let before = fs::read(&key).unwrap();
        let again = run("init --server a=h", place.path()).unwrap_err();
        assert!(
            again.to_string().contains("holds a cluster already"),
            "{again}"
        );
        assert_eq!(fs::read(&key).unwrap(), before);
        let nowhere = run("add-node n1", &place.path().join("none")).unwrap_err();
        assert!(
            nowhere
                .to_string()
                .contains("`parley cluster init` writes it"),
            "{nowhere}"
        );
        let two = run("init --server a=h --server b=i", &place.path().join("two"));
        assert!(two.unwrap_err().to_string().starts_with("2 servers"));
    }
}
