//! Calls over several nodes: nodes in this process, a real server between them, and papers as `parley
//! cluster` writes them.

use std::fs::{self, File};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use cluster_nats::setup::{self, Plan, Server, Setup};
use proto::id::SessionId;
use proto::rtcd::{ControlMessage, RtcKind, RtcMessage};
use rtcd::config::ClusterConfig;

use super::control::{Client, Node, PATIENCE, eventually};
use super::participant::Participant;

/// Debian's.
const SERVERS: [&str; 2] = ["/usr/sbin/nats-server", "/usr/bin/nats-server"];

/// A cluster without nodes yet.
struct World {
    folder: tempfile::TempDir,
    setup: Setup,
    server: Child,
}

impl World {
    fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = port.local_addr().unwrap().port();
        let plan = Plan {
            site: "test".to_owned(),
            servers: vec![Server::read(&format!("a=127.0.0.1:{port}")).unwrap()],
            nodes: Vec::new(),
            installed_in: folder.path().join("servers/a"),
            data_in: folder.path().join("kept"),
        };
        let (setup, files) = Setup::begin(plan, SystemTime::now()).unwrap();
        write(folder.path(), &files);
        let mut world = Self {
            server: Command::new("true").spawn().unwrap(),
            folder,
            setup,
        };
        // Everybody's rights are in the server's configuration.
        for name in ["one", "two", "three"] {
            let files = world.setup.add_node(name).unwrap();
            write(world.folder.path(), &files);
        }
        world.server = world.start_server();
        world
    }

    fn start_server(&self) -> Child {
        let program = SERVERS.iter().find(|path| Path::new(path).exists());
        let log = File::create(self.path("server.log")).unwrap();
        Command::new(program.expect("no nats-server: run `tests/run`"))
            .arg("-c")
            .arg(self.path("servers/a/server.conf"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Starts a node of two shards with one session of a call on each before the next; it keeps so many
    /// of a call.
    async fn node(&self, name: &str, call_sessions: usize) -> Node {
        let papers = self.path("nodes").join(name);
        let port = UdpSocket::bind("127.0.0.1:0").unwrap();
        let link_address = port.local_addr().unwrap().to_string();
        drop(port);
        Node::start_as(|config| {
            config.rtc.shards = 2;
            config.rtc.leg_sessions = 1;
            config.cluster = Some(ClusterConfig {
                papers,
                url: url_of(name),
                link_address: Some(link_address),
                call_sessions,
                spread_by_load: false,
            });
        })
        .await
    }

    fn kill_server(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Where others are told to reach the API of a node. Nobody goes there.
fn url_of(node: &str) -> String {
    format!("http://{node}.test:8045")
}

fn write(folder: &Path, files: &[setup::File]) {
    for file in files {
        let path = folder.join(&file.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file.text.expose()).unwrap();
    }
}

/// Waits until a node has connections to so many others.
async fn connected(node: &Node, others: usize) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let metrics = node.metrics().await;
        let rows = metrics
            .lines()
            .filter(|line| line.starts_with("rtcd_cluster_link_round_trip_microseconds{"));
        if rows.count() == others {
            return;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{others}: {metrics}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn join(client: &Client, session: &str) -> Participant {
    Participant::join(client, "call1", session).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_call_over_two_nodes() {
    let mut world = World::begin();
    let one = world.node("one", 0).await;
    let two = world.node("two", 0).await;
    connected(&one, 1).await;
    connected(&two, 1).await;
    let at_one = one.client("clientA").await;
    let at_two = two.client("clientA").await;
    let anna = join(&at_one, "anna").await;
    let ben = join(&at_two, "ben").await;
    anna.speak().await;
    ben.speak().await;
    ben.hears("anna").await;
    anna.hears("ben").await;

    // On the other shard of each: four legs.
    let carla = join(&at_one, "carla").await;
    let dora = join(&at_two, "dora").await;
    for listener in [&carla, &dora] {
        listener.hears("anna").await;
        listener.hears("ben").await;
    }
    anna.control(RtcKind::Mute, Vec::new()).await;
    ben.hears_nothing_of("anna").await;
    dora.hears("ben").await;
    anna.control(RtcKind::Unmute, Vec::new()).await;
    dora.hears("anna").await;

    ben.share_screen().await;
    anna.sees_screen_of("ben").await;
    carla.sees_screen_of("ben").await;
    dora.sees_screen_of("ben").await;
    ben.control(RtcKind::ScreenOff, Vec::new()).await;
    carla.sees_no_screen_of("ben").await;

    // The call needs no server between the nodes.
    world.kill_server();
    carla.hears("ben").await;
    let emil = join(&at_two, "emil").await;
    emil.hears("anna").await;

    ben.leave().await;
    at_two.closed_once("ben").await;
    carla.hears_nothing_of("ben").await;
    emil.hears("anna").await;
    one.stop().await;
    emil.hears_nothing_of("anna").await;
    eventually("nobody of the other node was thrown out", || {
        at_two.closes("emil") == 0 && at_two.closes("dora") == 0
    })
    .await;
    two.stop().await;
}

/// How many sessions have their media at a node.
async fn sessions(node: &Node) -> usize {
    let metrics = node.metrics().await;
    let row = metrics
        .lines()
        .find(|line| line.starts_with("rtcd_rtc_sessions_total{groupID=\"clientA\"}"));
    row.and_then(|row| row.rsplit(' ').next()?.parse().ok())
        .unwrap_or(0)
}

/// Waits until a node can give sessions to another.
async fn known(node: &Node) {
    connected(node, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_asked_gives_sessions_to_another_node_and_nobody_notices() {
    let world = World::begin();
    let one = world.node("one", 1).await;
    let two = world.node("two", 0).await;
    known(&one).await;
    let client = one.client("clientA").await;
    let anna = join(&client, "anna").await;
    let ben = join(&client, "ben").await;
    assert_eq!((sessions(&one).await, sessions(&two).await), (1, 1));
    anna.speak().await;
    ben.speak().await;
    ben.hears("anna").await;
    anna.hears("ben").await;
    client.voice("ben", RtcKind::VoiceOn).await;
    ben.control(RtcKind::Mute, Vec::new()).await;
    anna.hears_nothing_of("ben").await;
    ben.control(RtcKind::Unmute, Vec::new()).await;
    anna.hears("ben").await;

    // A new control connection, which the other node hears nothing of.
    client.disconnect().await;
    client.connect().await;
    let session = SessionId::parse("ben").unwrap();
    client.send(&ControlMessage::Reconnect(session)).await;
    ben.share_screen().await;
    anna.sees_screen_of("ben").await;
    ben.leave().await;
    client.closed_once("ben").await;
    assert_eq!(sessions(&two).await, 0);

    // Who is on a node that dies is told so.
    let carla = join(&client, "carla").await;
    carla.hears("anna").await;
    two.stop().await;
    client.closed_once("carla").await;
    let dora = join(&client, "dora").await;
    dora.hears("anna").await;
    assert_eq!(sessions(&one).await, 2, "there is nobody else");
    assert_eq!(client.closes("anna"), 0);
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_speaks_to_the_node_that_has_a_session_needs_the_one_that_was_asked_no_more() {
    let world = World::begin();
    let one = world.node("one", 1).await;
    let two = world.node("two", 0).await;
    known(&one).await;
    let (at_one, at_two) = (one.client("clientA").await, two.client("clientA").await);
    let anna = join(&at_two, "anna").await;
    let carla = join(&at_one, "carla").await;
    let ben = join(&at_one, "ben").await;
    assert_eq!((sessions(&one).await, sessions(&two).await), (1, 2));
    assert_eq!(at_one.node_of("ben"), Some(url_of("two")));
    assert_eq!(at_one.node_of("carla"), None);
    ben.speak().await;
    anna.hears("ben").await;
    carla.hears("ben").await;

    at_one.voice("ben", RtcKind::VoiceOn).await;

    let session = SessionId::parse("ben").unwrap();
    let say = async |kind| {
        let message = RtcMessage::for_session(&session, kind, Vec::new());
        at_two.send(&ControlMessage::Rtc(message)).await;
    };
    at_two
        .send(&ControlMessage::Reconnect(session.clone()))
        .await;
    say(RtcKind::Mute).await;
    at_two.voice("ben", RtcKind::VoiceOff).await;
    anna.hears_nothing_of("ben").await;
    // What the one that was asked hears late counts no more.
    ben.control(RtcKind::Unmute, Vec::new()).await;
    anna.hears_nothing_of("ben").await;
    say(RtcKind::Unmute).await;
    carla.hears("ben").await;

    // What is not here is over.
    let gone = SessionId::parse("nobody").unwrap();
    at_two.send(&ControlMessage::Reconnect(gone)).await;
    at_two.closed_once("nobody").await;

    one.stop().await;
    anna.hears("ben").await;
    assert_eq!((at_one.closes("ben"), at_two.closes("ben")), (0, 0));
    at_two.send(&ControlMessage::Leave(session.clone())).await;
    at_two.closed_once("ben").await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_drains_gives_whoever_comes_to_another() {
    let world = World::begin();
    let one = world.node("one", 0).await;
    let two = world.node("two", 0).await;
    known(&one).await;
    let client = one.client("clientA").await;
    let anna = join(&client, "anna").await;
    anna.speak().await;
    one.begin_drain().await;
    let ben = join(&client, "ben").await;
    ben.hears("anna").await;
    let carla = Participant::join(&client, "call2", "carla").await;
    carla.speak().await;
    assert_eq!((sessions(&one).await, sessions(&two).await), (1, 2));
    one.stop().await;
    two.stop().await;
}
