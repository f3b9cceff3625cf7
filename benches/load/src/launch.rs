//! Where the server under test is, or how to start it, and on which processors.
//!
//! In: `PROTOCOL=ADDRESS[#PID]` or `PROTOCOL=COMMAND`. Out: a connected `Server` and, where it is
//! known, the process whose CPU time counts. What was started here is ended when it is dropped.

mod config;

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::servers::Server;
use crate::servers::janus::Janus;
use crate::servers::livekit::{Keys, LiveKit};
use crate::servers::rtcd::{Account, Rtcd};

/// How long a started server may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Which protocol a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Rtcd,
    LiveKit,
    Janus,
}

/// A server under test: one that runs, or a command that starts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) protocol: Protocol,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Running {
        url: String,
        pid: Option<u32>,
    },
    /// Words; `{config}` stands for the path of the configuration written for it, `{folder}` for
    /// the folder it is in.
    Command(Vec<String>),
}

impl FromStr for Spec {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (protocol, place) = text.split_once('=').with_context(|| {
            format!("`{text}` is not PROTOCOL=ADDRESS[#PID] or PROTOCOL=COMMAND")
        })?;
        let protocol = match protocol {
            "rtcd" => Protocol::Rtcd,
            "livekit" => Protocol::LiveKit,
            "janus" => Protocol::Janus,
            other => bail!("no protocol `{other}`: there are rtcd, livekit and janus"),
        };
        if !place.contains("://") {
            let words: Vec<String> = place.split_whitespace().map(str::to_owned).collect();
            if words.is_empty() {
                bail!("`{text}` names no command");
            }
            let place = Place::Command(words);
            return Ok(Self { protocol, place });
        }
        let (url, pid) = match place.split_once('#') {
            Some((url, pid)) => {
                let pid = pid.parse();
                (
                    url,
                    Some(pid.with_context(|| format!("read the process id in `{text}`"))?),
                )
            }
            None => (place, None),
        };
        let url = url.trim_end_matches('/').to_owned();
        let place = Place::Running { url, pid };
        Ok(Self { protocol, place })
    }
}

impl Spec {
    /// Our rtcd or any other that takes the reference's configuration file.
    pub(crate) fn rtcd(program: &Path, arguments: &[&str]) -> Self {
        let mut words = vec![program.to_string_lossy().into_owned()];
        words.extend(arguments.iter().map(|word| (*word).to_owned()));
        Self {
            protocol: Protocol::Rtcd,
            place: Place::Command(words),
        }
    }

    /// Starts the server if need be and connects to it. `cpus`: which processors it gets, in the
    /// form of `taskset -c`; all if empty.
    pub(crate) fn start(&self, account: &Account, cpus: &str) -> anyhow::Result<Running> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("start the control runtime")?;
        let (url, pid, started) = match &self.place {
            Place::Running { url, pid } => (url.clone(), *pid, None),
            Place::Command(words) => {
                let started = Started::new(self.protocol, words, account, cpus)?;
                (started.url.clone(), Some(started.child.id()), Some(started))
            }
        };
        let server: Box<dyn Server> = match self.protocol {
            Protocol::Rtcd => Box::new(Rtcd::connect(&url, account, runtime.handle())?),
            Protocol::LiveKit => {
                let keys = Keys {
                    name: account.client_id.clone(),
                    secret: account.auth_key.clone(),
                };
                Box::new(LiveKit::new(&url, keys, runtime.handle()))
            }
            Protocol::Janus => Box::new(Janus::new(&url, runtime.handle())?),
        };
        Ok(Running {
            server: Some(server),
            pid,
            _started: started,
            _runtime: runtime,
        })
    }
}

/// A server that answers.
#[derive(Debug)]
pub(crate) struct Running {
    server: Option<Box<dyn Server>>,
    pub(crate) pid: Option<u32>,
    _started: Option<Started>,
    _runtime: tokio::runtime::Runtime,
}

impl Running {
    pub(crate) fn take_server(&mut self) -> anyhow::Result<Box<dyn Server>> {
        self.server
            .take()
            .context("the server was given away before")
    }
}

#[derive(Debug)]
struct Started {
    url: String,
    child: Child,
    _folder: TempDir,
}

impl Started {
    fn new(
        protocol: Protocol,
        words: &[String],
        account: &Account,
        cpus: &str,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for the server")?;
        let prepared = config::prepare(protocol, account, folder.path())?;
        let words = words.iter().map(|word| {
            word.replace("{config}", &prepared.file)
                .replace("{folder}", &prepared.folder)
        });
        let child = command(words, cpus)
            .stdout(Stdio::null())
            .spawn()
            .context("start the server under test")?;
        let mut started = Self {
            url: format!("http://127.0.0.1:{}", prepared.http_port),
            child,
            _folder: folder,
        };
        started.wait_until_it_listens(prepared.http_port)?;
        Ok(started)
    }

    fn wait_until_it_listens(&mut self, port: u16) -> anyhow::Result<()> {
        let give_up = Instant::now() + START_LIMIT;
        loop {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().context("look after the server")? {
                bail!("the server under test ended at its start: {status}");
            }
            if Instant::now() > give_up {
                bail!("the server under test did not listen on port {port} within {START_LIMIT:?}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Not asked to drain: nobody is in a call any more who would mind.
        let _ended_by_itself = self.child.kill();
        let _status = self.child.wait();
    }
}

fn command(words: impl Iterator<Item = String>, cpus: &str) -> Command {
    let mut words = words.collect::<Vec<_>>().into_iter();
    let mut command = if cpus.is_empty() {
        Command::new(words.next().unwrap_or_default())
    } else {
        let mut command = Command::new("taskset");
        command.args(["-c", cpus]);
        command
    };
    command.args(words);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_server_is_an_address_and_perhaps_a_process() {
        let spec: Spec = "rtcd=http://127.0.0.1:8045/#42".parse().unwrap();
        let place = Place::Running {
            url: "http://127.0.0.1:8045".to_owned(),
            pid: Some(42),
        };
        assert_eq!(spec.place, place);
        let spec: Spec = "rtcd=http://h:1".parse().unwrap();
        assert!(matches!(spec.place, Place::Running { pid: None, .. }));
    }

    #[test]
    fn anything_else_is_a_command() {
        let spec: Spec = "rtcd=/bin/rtcd run --config {config}".parse().unwrap();
        assert!(matches!(spec.place, Place::Command(words) if words.len() == 4));
        assert!("rtcd=".parse::<Spec>().is_err());
        assert!("sfu=http://h:1".parse::<Spec>().is_err());
        assert!("http".parse::<Spec>().is_err());
    }
}
