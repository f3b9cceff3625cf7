//! What the handler of clients' actions may rely on.

use std::sync::Arc;

use async_trait::async_trait;
use messaging::gateway::ClientHandler;
use messaging::model::ClientAction;
use proto::id::{ConnId, UserId};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::hall::Hall;
use crate::socket::PATIENCE;

/// Tells what it hears; `custom_wait` waits for a permit, `custom_panic` panics.
#[derive(Debug)]
struct Actor {
    heard: UnboundedSender<String>,
    permits: Arc<Semaphore>,
}

#[async_trait]
impl ClientHandler for Actor {
    async fn connected(&self, _: &ConnId, _: &UserId) {
        self.tell("connected");
    }

    async fn action(&self, action: ClientAction) {
        self.tell(&format!("begin {}", action.action));
        tokio::task::yield_now().await;
        match action.action.as_str() {
            "custom_wait" => self.permits.acquire().await.unwrap().forget(),
            "custom_panic" => panic!("as the test wants it"),
            _ => {}
        }
        self.tell(&format!("end {}", action.action));
    }

    async fn disconnected(&self, _: &ConnId, _: &UserId) {
        self.tell("disconnected");
    }
}

impl Actor {
    fn tell(&self, what: &str) {
        drop(self.heard.send(what.to_owned()));
    }
}

struct Stage {
    hall: Hall,
    heard: UnboundedReceiver<String>,
    permits: Arc<Semaphore>,
}

impl Stage {
    async fn open() -> Self {
        let (sender, heard) = unbounded_channel();
        let permits = Arc::new(Semaphore::new(0));
        let actor = Actor {
            heard: sender,
            permits: permits.clone(),
        };
        Self {
            hall: Hall::open(Arc::new(actor)).await,
            heard,
            permits,
        }
    }

    async fn next(&mut self) -> String {
        let heard = tokio::time::timeout(PATIENCE, self.heard.recv());
        heard.await.expect("something is heard in time").unwrap()
    }

    async fn expect(&mut self, all: &[&str]) {
        for one in all {
            assert_eq!(self.next().await, *one);
        }
    }
}

#[tokio::test]
async fn actions_come_in_order_and_the_end_comes_last() {
    let mut stage = Stage::open().await;
    let mut socket = stage.hall.socket(&stage.hall.anna).await;
    socket.hello().await;
    for number in 0..50 {
        socket.act(&format!("custom_{number}"), json!({})).await;
    }
    socket.cut();
    stage.expect(&["connected"]).await;
    let mut number = 0;
    loop {
        let heard = stage.next().await;
        if heard == "disconnected" {
            break;
        }
        assert_eq!(heard, format!("begin custom_{number}"));
        assert_eq!(stage.next().await, format!("end custom_{number}"));
        number += 1;
    }
    assert_eq!(number, 50, "what was sent before the cut was carried out");
}

#[tokio::test]
async fn a_socket_that_is_cut_off_lets_its_action_finish_first() {
    let mut stage = Stage::open().await;
    let mut socket = stage.hall.socket(&stage.hall.anna).await;
    socket.hello().await;
    socket.act("custom_wait", json!({})).await;
    stage.expect(&["connected", "begin custom_wait"]).await;
    stage.hall.backend.sign_out(&stage.hall.anna.token);
    // the client hears of it at once, the handler when its action is done
    assert_eq!(socket.end().await, Some(1013));
    assert!(stage.heard.try_recv().is_err());
    stage.permits.add_permits(1);
    stage.expect(&["end custom_wait", "disconnected"]).await;
}

#[tokio::test]
async fn a_socket_that_takes_over_waits_for_the_action_of_the_one_before() {
    let mut stage = Stage::open().await;
    let mut old = stage.hall.socket(&stage.hall.anna).await;
    let connection = old.hello().await;
    old.act("custom_wait", json!({})).await;
    stage.expect(&["connected", "begin custom_wait"]).await;
    let query = format!("?connection_id={connection}&sequence_number=1");
    let mut new = stage.hall.resume(&stage.hall.anna, &query).await;
    assert_eq!(old.end().await, Some(1013));
    new.act("custom_next", json!({})).await;
    // events do not wait
    stage.hall.announce("news", "x");
    assert_eq!(new.event("news").await["seq"], 1);
    assert!(stage.heard.try_recv().is_err());
    stage.permits.add_permits(1);
    stage
        .expect(&[
            "end custom_wait",
            "disconnected",
            "connected",
            "begin custom_next",
            "end custom_next",
        ])
        .await;
}

#[tokio::test]
async fn a_panic_ends_one_connection_and_is_followed_by_its_end() {
    let mut stage = Stage::open().await;
    let mut witness = stage.hall.socket(&stage.hall.ben).await;
    witness.hello().await;
    stage.expect(&["connected"]).await;
    let mut socket = stage.hall.socket(&stage.hall.anna).await;
    socket.hello().await;
    socket.act("custom_panic", json!({})).await;
    stage
        .expect(&["connected", "begin custom_panic", "disconnected"])
        .await;
    assert_eq!(socket.end().await, Some(1011));
    let seq = witness.act("ping", json!({})).await;
    assert_eq!(witness.reply(seq).await["status"], "OK");
}
