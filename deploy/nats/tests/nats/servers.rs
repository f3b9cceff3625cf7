//! Real servers for tests: started on ports of their own, gone with the value that stands for them and
//! with the test process, whatever way it ends.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use cluster::NodeId;
use cluster_nats::setup::{File, Plan, Server, Setup};
use cluster_nats::{Config, Tls};
use tempfile::TempDir;

const INSTALL: &str = "run `tests/run`, or install what `deploy/steps.sh` names for it";

/// Runs the server until the input ends, which it does with the test.
const KEEPER: &str = r#"
"$@" & server=$!
echo "$server"
read -r _
kill -CONT "$server" 2>/dev/null
kill -KILL "$server" 2>/dev/null
wait "$server" 2>/dev/null
"#;

/// Debian's, which is the oldest that may be used.
pub(crate) fn debian() -> PathBuf {
    let places = ["/usr/sbin/nats-server", "/usr/bin/nats-server"];
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no nats-server in {places:?}: {INSTALL}"))
}

/// The newest that a package registry gives.
pub(crate) fn newest() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("target/tools/nats/bin/nats-server");
    assert!(path.exists(), "no `{}`: {INSTALL}", path.display());
    path
}

/// A port below those that the system hands out, so that nobody is given it meanwhile. Servers use the
/// one 2000 above it among themselves.
fn port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let process = std::process::id();
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(20_000 + (process * 97 + step * 7) % 9_000).unwrap();
        let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if is_free(port) && is_free(port + 2000) {
            return port;
        }
    }
}

/// A running server.
pub(crate) struct Running {
    keeper: Child,
    pub(crate) pid: i32,
    program: PathBuf,
    configuration: PathBuf,
    port: u16,
}

impl Running {
    fn start(program: &Path, configuration: &Path, port: u16) -> Self {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(configuration.with_file_name("log"))
            .unwrap();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .arg(program)
            .arg("-c")
            .arg(configuration)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // A Ctrl-C ends the test, and its end the server.
            .process_group(0)
            .spawn()
            .unwrap();
        let mut pid = String::new();
        let stdout = keeper.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut pid).unwrap();
        let running = Self {
            keeper,
            pid: pid.trim().parse().unwrap(),
            program: program.to_owned(),
            configuration: configuration.to_owned(),
            port,
        };
        running.answers();
        running
    }

    fn answers(&self) {
        let end = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(
                Instant::now() < end,
                "the server does not start: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.configuration.with_file_name("log")).unwrap_or_default()
    }

    pub(crate) fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        kill.args([&format!("-{name}"), &self.pid.to_string()]);
        assert!(kill.status().unwrap().success(), "{name}");
        while name == "STOP" && !self.is_stopped() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether none of its threads does anything any more.
    fn is_stopped(&self) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid)).unwrap();
        let mut states = threads.flatten().map(|thread| {
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit(") ")
                .next()
                .is_some_and(|rest| rest.starts_with('T'))
        });
        states.all(|is_stopped| is_stopped)
    }

    /// Ends it at once, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.signal("KILL");
        drop(self.keeper.stdin.take());
        self.keeper.wait().unwrap();
    }

    /// Starts it again, on the same port, with what it has kept.
    pub(crate) fn start_again(&mut self) {
        *self = Self::start(
            &self.program.clone(),
            &self.configuration.clone(),
            self.port,
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.keeper.stdin.take());
        drop(self.keeper.wait());
    }
}

/// Servers as `parley cluster init` writes them, with the certificates of some nodes.
pub(crate) struct House {
    pub(crate) servers: Vec<Running>,
    pub(crate) plan: Plan,
    pub(crate) setup: Setup,
    folder: TempDir,
}

impl House {
    pub(crate) fn start(program: &Path, count: usize, nodes: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let servers: Vec<Server> = (0..count)
            .map(|n| Server {
                name: format!("s{n}"),
                host: "127.0.0.1".to_owned(),
                port: port(),
            })
            .collect();
        let plan = Plan {
            site: "site".to_owned(),
            servers: servers.clone(),
            nodes: Vec::new(),
            // Each server's files lie in a folder of its own: rewritten below.
            installed_in: "/HERE".into(),
            data_in: "/HERE/data".into(),
        };
        let (mut setup, mut files) = Setup::begin(plan, SystemTime::now()).unwrap();
        for node in nodes {
            files.extend(setup.add_node(node).unwrap());
        }
        write(folder.path(), &files);
        let running = servers.iter().map(|server| {
            let home = folder.path().join("servers").join(&server.name);
            let configuration = home.join("server.conf");
            let text = fs::read_to_string(&configuration).unwrap();
            let text = text.replace("/HERE", &home.display().to_string());
            fs::write(&configuration, text).unwrap();
            Running::start(program, &configuration, server.port)
        });
        let servers = running.collect();
        Self {
            servers,
            plan: setup.plan().clone(),
            setup,
            folder,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What the servers said.
    pub(crate) fn log(&self) -> String {
        self.servers.iter().map(Running::log).collect()
    }

    /// How a node reaches them, with its own papers.
    pub(crate) fn config(&self, node: &str) -> Config {
        let servers = self.plan.servers.iter();
        let papers = self.path().join("nodes").join(node);
        Config {
            servers: servers
                .map(|server| format!("{}:{}", server.host, server.port))
                .collect(),
            node: NodeId::new(node).unwrap(),
            site: self.plan.site.clone(),
            copies: self.plan.copies(),
            tls: Some(Tls {
                authority: papers.join("authority.pem"),
                certificate: papers.join("certificate.pem"),
                key: papers.join("key.pem"),
            }),
        }
    }

    pub(crate) async fn engine(&self, node: &str) -> cluster::Engine {
        let opened = cluster_nats::open(&self.config(node)).await;
        opened.unwrap_or_else(|error| panic!("{node}: {error}\n{}", self.log()))
    }
}

pub(crate) fn write(folder: &Path, files: &[File]) {
    for file in files {
        let path = folder.join(&file.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file.text.expose()).unwrap();
    }
}
