//! Two nodes of a cluster, and one of another.

use std::net::Ipv4Addr;
use std::time::Instant;

use tokio::io::AsyncReadExt as _;

use super::*;
use crate::testing::papers;

struct Nodes {
    _folder: tempfile::TempDir,
    own: Relay,
    other: NodeId,
    address: String,
    relayed: mpsc::Receiver<Handed>,
}

/// `a` that hands on and `b` that takes.
async fn nodes() -> Nodes {
    let folder = tempfile::tempdir().unwrap();
    let places = papers(folder.path(), &["a", "b"]);
    let (_, own) = Relay::of_papers(&places["a"]).unwrap();
    let (other, takes) = Relay::of_papers(&places["b"]).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (taken, relayed) = mpsc::channel(8);
    tokio::spawn(takes.entrance(listener, taken).run());
    Nodes {
        _folder: folder,
        own,
        other,
        address,
        relayed,
    }
}

fn somebody() -> SocketAddr {
    "198.51.100.4:4711".parse().unwrap()
}

#[tokio::test]
async fn a_connection_that_is_handed_on_arrives_with_its_address() {
    let mut nodes = nodes().await;
    let connect = nodes.own.connect(&nodes.other, &nodes.address, somebody());
    let (mut here, relayed) = tokio::join!(connect, nodes.relayed.recv());
    let (here, (mut there, from)) = (here.as_mut().unwrap(), relayed.unwrap());
    assert_eq!(from, somebody());
    here.write_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    there.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
}

#[tokio::test]
async fn a_node_that_is_another_than_was_asked_for_gets_nobody() {
    let nodes = nodes().await;
    let wrong = NodeId::new("c").unwrap();
    let refused = nodes.own.connect(&wrong, &nodes.address, somebody()).await;
    assert!(
        matches!(refused, Err(RelayError::Certificate(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn whoever_has_papers_of_another_cluster_is_not_let_in() {
    let mut nodes = nodes().await;
    let folder = tempfile::tempdir().unwrap();
    let places = papers(folder.path(), &["a"]);
    let (_, stranger) = Relay::of_papers(&places["a"]).unwrap();
    let refused = stranger
        .connect(&nodes.other, &nodes.address, somebody())
        .await;
    assert!(refused.is_err());
    // Nor is somebody who speaks in the clear; the next node is, all the same.
    let mut clear = TcpStream::connect(&nodes.address).await.unwrap();
    clear
        .write_all(header::write(somebody()).as_bytes())
        .await
        .unwrap();
    let connect = nodes.own.connect(&nodes.other, &nodes.address, somebody());
    let (here, relayed) = tokio::join!(connect, nodes.relayed.recv());
    assert!(here.is_ok() && relayed.is_some());
    assert!(nodes.relayed.try_recv().is_err());
}

#[tokio::test]
async fn many_who_say_nothing_keep_nobody_out() {
    let mut nodes = nodes().await;
    let mut silent = Vec::new();
    for _ in 0..2 * MOST_STRANGERS {
        silent.push(TcpStream::connect(&nodes.address).await.unwrap());
    }
    let begun = Instant::now();
    let connect = nodes.own.connect(&nodes.other, &nodes.address, somebody());
    let (here, relayed) = tokio::join!(connect, nodes.relayed.recv());
    assert!(here.is_ok() && relayed.is_some());
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    // The oldest was let go for those who came behind it.
    let mut oldest = silent.swap_remove(0);
    let ended = timeout(PATIENCE / 2, oldest.read(&mut [0; 1])).await;
    assert!(!matches!(ended, Err(_) | Ok(Ok(1..))), "{ended:?}");
}

#[tokio::test]
async fn once_nobody_takes_what_comes_nobody_is_let_in() {
    let Nodes {
        _folder,
        own,
        other,
        address,
        relayed,
    } = nodes().await;
    drop(relayed);
    // The word that nobody takes it comes by itself.
    let refused = async {
        while own.connect(&other, &address, somebody()).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refused).await.unwrap();
}
