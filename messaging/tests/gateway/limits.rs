//! What one member can do to the server: little.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use messaging::gateway::ClientHandler;
use messaging::model::ClientAction;
use prometheus::Registry;
use proto::id::{ConnId, UserId};
use serde_json::json;

use crate::hall::Hall;
use crate::socket::Incoming;

/// A counter's value for a label; an empty one stands for all.
fn counted(registry: &Registry, name: &str, label: &str) -> f64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == name);
    family.map_or(0.0, |family| {
        let metrics = family.get_metric().iter();
        metrics
            .filter(|one| {
                label.is_empty() || one.get_label().iter().any(|pair| pair.value() == label)
            })
            .map(|one| one.get_counter().get_value())
            .sum()
    })
}

#[derive(Debug, Default)]
struct Counter(AtomicUsize);

#[async_trait]
impl ClientHandler for Counter {
    async fn connected(&self, _: &ConnId, _: &UserId) {}

    async fn action(&self, _: ClientAction) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    async fn disconnected(&self, _: &ConnId, _: &UserId) {}
}

#[tokio::test]
async fn a_flood_of_actions_is_refused_and_then_ends_its_socket() {
    let counter = Arc::new(Counter::default());
    let hall = Hall::open(counter.clone()).await;
    let registry = Registry::new();
    hall.gateway.register(&registry).unwrap();
    let mut socket = hall.socket(&hall.anna).await;
    socket.hello().await;
    let begin = std::time::Instant::now();
    let mut refused = 0;
    let mut sent = 0;
    let code = loop {
        // a flood that reads: each refusal is an answer
        if sent < 5000 {
            socket
                .try_act("custom_join", json!({ "channelID": "c" }))
                .await;
            sent += 1;
        }
        match socket.try_next().await {
            Some(Incoming::Frame(frame)) => {
                assert_eq!(frame["status"], "FAIL");
                assert_eq!(frame["error"]["status_code"], 429);
                refused += 1;
            }
            Some(Incoming::End(code)) => break code,
            None => {}
        }
    };
    let seconds = begin.elapsed().as_secs_f64();
    // the close frame is lost when what the client still sends meets a closed socket
    assert!(matches!(code, Some(1008) | None), "{code:?}");
    assert!(refused > 0, "a refusal is an answer");
    let refused = counted(&registry, "parley_gateway_frames_refused_total", "");
    assert!(refused >= 400.0, "{refused} were refused");
    let carried_out = counter.0.load(Ordering::Relaxed);
    let allowed = 200.0 + 50.0 * seconds + 1.0;
    assert!(
        carried_out >= 200 && (carried_out as f64) <= allowed,
        "{carried_out}"
    );
    assert!(counted(&registry, "parley_gateway_cut_off_total", "flood") > 0.0);
}

#[tokio::test]
async fn what_is_larger_than_a_piece_arrives_whole() {
    let hall = Hall::open(Arc::new(())).await;
    let mut socket = hall.socket(&hall.anna).await;
    socket.hello().await;
    for size in [10, 16_000, 16_384, 40_000, 300_000] {
        let text = "ä".repeat(size);
        hall.announce("large", &text);
        let event = socket.event("large").await;
        assert_eq!(event["data"]["text"], json!(text));
    }
}
