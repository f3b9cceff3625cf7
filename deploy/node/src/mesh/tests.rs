//! Two nodes and those who are none.

use std::net::UdpSocket;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use cluster::memory::World;

use super::*;
use crate::testing::papers;
use crate::{Facts, Kind, Report};

const PATIENCE: Duration = Duration::from_secs(20);

/// What a node hears.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Met(String),
    Said(Vec<u8>),
    Sent(usize),
    Over,
}

struct Ears(Sender<Heard>);

impl Meets for Ears {
    fn met(&self, wire: &Arc<Wire>) -> Box<dyn Hears> {
        let _ = self.0.send(Heard::Met(wire.node().to_string()));
        Box::new(Self(self.0.clone()))
    }
}

impl Hears for Ears {
    fn said(&mut self, message: &[u8]) {
        let _ = self.0.send(Heard::Said(message.to_vec()));
    }

    fn sent(&mut self, datagram: &[u8]) {
        let _ = self.0.send(Heard::Sent(datagram.len()));
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        let _ = self.0.send(Heard::Over);
    }
}

struct Node {
    mesh: Mesh,
    heard: Receiver<Heard>,
    tasks: Tasks,
}

impl Node {
    /// A node of this name among the others, with these papers.
    fn start(world: &World, name: &str, papers: &Path) -> Self {
        let held = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = held.local_addr().unwrap().port();
        drop(held);
        let facts = Facts {
            kind: Kind::Media,
            version: "1".to_owned(),
            url: String::new(),
            links: format!("127.0.0.1:{port}"),
            draining: false,
            stands_by: false,
            report: Report::default(),
        };
        let tasks = Tasks::new("test");
        let id = NodeId::new(name).unwrap();
        let (world, own) = (world.clone(), id.clone());
        let open = move || std::future::ready(Ok(world.engine(&own)));
        let place = Place::with(id, "test".to_owned(), facts, Arc::new(|| 0), &tasks, open);
        let (told, heard) = channel();
        let at = ("127.0.0.1", port);
        let mesh = Mesh::start(&place, papers, at, Ears(told), &tasks).unwrap();
        Self { mesh, heard, tasks }
    }

    fn hears(&self) -> Heard {
        let heard = tokio::task::block_in_place(|| self.heard.recv_timeout(PATIENCE));
        heard.expect("something is heard")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_meet_say_things_in_order_and_meet_again() {
    let folder = tempfile::tempdir().unwrap();
    let papers = papers(folder.path(), &["a", "b"]);
    let world = World::new();
    let a = Node::start(&world, "a", &papers["a"]);
    let b = Node::start(&world, "b", &papers["b"]);
    assert_eq!(a.hears(), Heard::Met("b".to_owned()));
    assert_eq!(b.hears(), Heard::Met("a".to_owned()));
    let wire = a.mesh.wires().pop().unwrap();
    for n in 0..1000u32 {
        wire.say(n.to_be_bytes().to_vec());
    }
    for n in 0..1000u32 {
        assert_eq!(b.hears(), Heard::Said(n.to_be_bytes().to_vec()));
    }
    // Longer than any datagram, and as long as most are.
    for len in [20_000, 1000] {
        assert!(wire.send(vec![7; len].into()));
        assert_eq!(b.hears(), Heard::Sent(len));
    }
    // As after a break: the one who calls calls again.
    wire.end("test");
    assert_eq!((a.hears(), b.hears()), (Heard::Over, Heard::Over));
    assert_eq!(a.hears(), Heard::Met("b".to_owned()));
    assert_eq!(b.hears(), Heard::Met("a".to_owned()));
    let metrics = b.mesh.metrics("x");
    let row = "x_cluster_link_sent_packets_total{node=\"a\"} 0";
    assert!(metrics.contains(row), "{metrics}");
    b.tasks.stop().await;
    a.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_let_in_who_is_not_who_he_says_he_is() {
    let folder = tempfile::tempdir().unwrap();
    let own = papers(&folder.path().join("own"), &["a", "b"]);
    let foreign = papers(&folder.path().join("foreign"), &["a", "b"]);
    // Another authority, on either side.
    for (a, b) in [(&foreign["a"], &own["b"]), (&own["a"], &foreign["b"])] {
        let world = World::new();
        let a = Node::start(&world, "a", a);
        let b = Node::start(&world, "b", b);
        let silence = Duration::from_millis(1500);
        let heard = tokio::task::block_in_place(|| b.heard.recv_timeout(silence));
        assert_eq!(heard, Err(std::sync::mpsc::RecvTimeoutError::Timeout));
        assert!(a.mesh.wires().is_empty() && b.mesh.wires().is_empty());
    }
    // The right authority, another node's name: of the one who calls, and of the one who answers.
    let world = World::new();
    let liar = Identity::of_papers(&own["b"]).unwrap();
    assert_eq!(liar.node.as_str(), "b");
    let b = Node::start(&world, "b", &own["b"]);
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            let others = b.mesh.0.place.others();
            let own = others.nodes.values().find_map(|other| other.facts.clone());
            if let Some(facts) = own {
                return facts.links;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let address: SocketAddr = found.await.unwrap().parse().unwrap();
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let say = async |name: &str, identity: &Identity, to: &str| {
        let to = identity.name_of(&NodeId::new(to).unwrap());
        let connecting = endpoint.connect_with(identity.client(), address, &to);
        let connection = connecting
            .unwrap()
            .await
            .map_err(|error| error.to_string())?;
        let (mut outgoing, mut incoming) = connection.open_bi().await.unwrap();
        wire::write_message(&mut outgoing, name.as_bytes())
            .await
            .unwrap();
        let answer = wire::read_message(&mut incoming).await;
        answer.ok_or_else(|| "no answer".to_owned())
    };
    let identity = Identity::of_papers(&own["a"]).unwrap();
    assert_eq!(say("b", &identity, "b").await, Err("no answer".to_owned()));
    assert_eq!(
        say("not a name!", &identity, "b").await,
        Err("no answer".to_owned())
    );
    assert!(say("a", &identity, "c").await.is_err(), "`b` is not `c`");
    assert_eq!(say("a", &identity, "b").await, Ok(b"b".to_vec()));
}
