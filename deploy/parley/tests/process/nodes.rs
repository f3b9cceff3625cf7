//! Several processes as nodes of one cluster, as an operator sets them up: a real server between them,
//! two media nodes, one signalling node.

use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::house::{Ended, add, ended, parley};

/// Longer than a start takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    fn start(command: &mut Command, log: PathBuf) -> Self {
        let written = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        command.stdin(Stdio::null());
        command.stdout(written.try_clone().unwrap()).stderr(written);
        let child = command.spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}; run `tests/run`"));
        Self { child, log }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success(), "{name}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // it may be gone already
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            let said = std::fs::read_to_string(&self.log).unwrap_or_default();
            let told = format!("== {}\n{said}\n", self.log.display());
            // Beside what the panic says; nobody may be reading.
            drop(std::io::stderr().write_all(told.as_bytes()));
        }
    }
}

/// A port that media may have too: those that the system hands out go further.
fn port() -> u16 {
    let mut kept = Vec::new();
    loop {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = held.local_addr().unwrap().port();
        if port < 49_000 {
            return port;
        }
        kept.push(held);
    }
}

/// A program that was built beside this one.
fn program(name: &str) -> Command {
    let beside = Path::new(env!("CARGO_BIN_EXE_parley")).with_file_name(name);
    Command::new(beside)
}

struct Cluster {
    folder: tempfile::TempDir,
    /// Where signalling listens.
    front: u16,
}

impl Cluster {
    /// With the papers of one server and these nodes.
    fn begin(nodes: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cluster = Self {
            folder,
            front: port(),
        };
        let mut command = parley("cluster init --server");
        command.arg(format!("a=127.0.0.1:{}", port()));
        command.arg("--folder").arg(cluster.path("papers"));
        command
            .arg("--installed-in")
            .arg(cluster.path("papers/servers/a"));
        command.arg("--data-in").arg(cluster.path("kept"));
        done(&ended(&mut command));
        for node in nodes {
            let mut command = parley("cluster add-node");
            command
                .arg(node)
                .arg("--folder")
                .arg(cluster.path("papers"));
            done(&ended(&mut command));
        }
        cluster
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn papers(&self, node: &str) -> PathBuf {
        self.path("papers/nodes").join(node)
    }

    fn server(&self) -> Process {
        let program = ["/usr/sbin/nats-server", "/usr/bin/nats-server"];
        let program = program.iter().find(|path| Path::new(path).exists());
        let mut command = Command::new(program.expect("no nats-server: run `tests/run`"));
        command
            .arg("-c")
            .arg(self.path("papers/servers/a/server.conf"));
        Process::start(&mut command, self.path("server.log"))
    }

    fn media(&self, node: &str) -> Process {
        let (api, media) = (port(), port());
        let text = format!(
            "[api]\nhttp.listen_address = \"127.0.0.1:{api}\"\nsecurity.allow_self_registration = true\n\
             [rtc]\nice_address_udp = \"127.0.0.1\"\nice_address_tcp = \"127.0.0.1\"\n\
             ice_port_udp = {media}\nice_port_tcp = {media}\n\
             [cluster]\npapers = {:?}\nurl = \"http://127.0.0.1:{api}\"\n\
             [store]\ndata_source = {:?}\n[logger]\nenable_file = false\n",
            self.papers(node),
            self.path(node)
        );
        let file = self.path(&format!("{node}.toml"));
        std::fs::write(&file, text).unwrap();
        let mut command = program("rtcd");
        command.arg("run").arg("--config").arg(file);
        Process::start(&mut command, self.path(&format!("{node}.log")))
    }

    fn signalling(&self) -> Process {
        let text = format!(
            "[http]\nlisten = \"127.0.0.1:{}\"\n[storage]\ndata_dir = {:?}\n[cluster]\npapers = {:?}\n",
            self.front,
            // Where `parley` looks for what signalling keeps.
            self.path("data/signalling"),
            self.papers("front")
        );
        let file = self.path("signalling.toml");
        std::fs::write(&file, text).unwrap();
        let mut command = program("signalling");
        command.arg("run").arg("--config").arg(file);
        Process::start(&mut command, self.path("signalling.log"))
    }

    fn ask(&self, words: &str) -> Ended {
        let mut command = parley(words);
        command.args(["--listen", &format!("127.0.0.1:{}", self.front)]);
        ended(command.arg("--data-dir").arg(self.path("data")))
    }

    /// What `parley status --json` shows; nothing while it cannot.
    fn status(&self) -> Value {
        let said = self.ask("status --json");
        let text = if said.code == Some(0) {
            said.stdout
        } else {
            said.stderr
        };
        let begins = text.find('{').unwrap_or(text.len());
        serde_json::from_str(&text[begins..]).unwrap_or_default()
    }

    /// Waits until the status is so; returns how long that took.
    fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Duration {
        let began = Instant::now();
        loop {
            let status = self.status();
            if holds(&status) {
                return began.elapsed();
            }
            assert!(began.elapsed() < PATIENCE, "{what}: {status:#}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn done(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

fn state<'a>(status: &'a Value, node: &str) -> &'a str {
    let nodes = status["nodes"].as_array().map(Vec::as_slice);
    let mut nodes = nodes.unwrap_or_default().iter();
    let found = nodes.find(|one| one["id"] == node);
    found
        .and_then(|one| one["state"].as_str())
        .unwrap_or("unknown")
}

#[test]
fn nodes_find_each_other_and_what_becomes_of_them_is_seen() {
    let cluster = Cluster::begin(&["one", "two", "front"]);
    add(&cluster.path("data"), "anna");
    let server = cluster.server();
    let one = cluster.media("one");
    let front = cluster.signalling();
    cluster.until("one and front are up", |status| {
        status["sight"] == "clear"
            && ["one", "front"]
                .iter()
                .all(|node| state(status, node) == "up")
    });
    // Added in the middle of the day: nothing is told about it by hand.
    let two = cluster.media("two");
    cluster.until("two is up", |status| state(status, "two") == "up");
    let connected = |count: usize| {
        let began = Instant::now();
        loop {
            let health = cluster.ask("admin health");
            let text = format!("{}{}", health.stdout, health.stderr);
            let line = text
                .lines()
                .find(|line| line.contains("media hosts connected"));
            if line.is_some_and(|line| line.trim_end().ends_with(&count.to_string())) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{count} connected: {text}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    connected(2);
    let shown = cluster.ask("status");
    done(&shown);
    assert!(
        shown.stdout.contains("it is `front` of `parley`"),
        "{}",
        shown.stdout
    );
    assert!(shown.stdout.contains("signalling"), "{}", shown.stdout);

    one.signal("TERM");
    cluster.until("one has gone in order", |status| {
        state(status, "one") == "left"
    });
    two.signal("KILL");
    let seen = cluster.until("two is missed", |status| state(status, "two") == "silent");
    assert!(seen < Duration::from_secs(15), "{seen:?}");
    let again = cluster.media("two");
    cluster.until("two is there again", |status| state(status, "two") == "up");

    // Without the server between them nobody is called dead, and the operator is told.
    server.signal("KILL");
    cluster.until("front hears nobody", |status| status["sight"] == "blind");
    assert_eq!(state(&cluster.status(), "two"), "up");
    assert_eq!(cluster.ask("status").code, Some(1));
    drop(server);
    let server = cluster.server();
    cluster.until("front hears the others again", |status| {
        status["sight"] == "clear" && state(status, "two") == "up"
    });
    drop((again, front, server));
}

#[test]
fn papers_that_cannot_be_read_end_the_start_with_the_setting_that_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("signalling.toml");
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[storage]\ndata_dir = {0:?}\n[cluster]\npapers = {0:?}\n",
        folder.path()
    );
    std::fs::write(&file, text).unwrap();
    let said = ended(program("signalling").arg("run").arg("--config").arg(file));
    assert_eq!(said.code, Some(2), "{said:?}");
    let line = said.last_line();
    assert!(
        line.contains("cluster.toml") && line.contains("cluster.papers"),
        "{line}"
    );
}
