//! Phones that sleep are woken for calls of a few, and the relay learns nothing.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::{Value, json};
use settings::Link;

use crate::world::{Person, World, read, until};

/// A relay that notes what it is sent, as it came.
#[derive(Clone, Default)]
struct Relay(Arc<Mutex<Vec<String>>>);

impl Relay {
    async fn start(&self) -> String {
        let heard = |State(relay): State<Self>, body: String| async move {
            relay.0.lock().unwrap().push(body);
            StatusCode::OK
        };
        let app = Router::new()
            .route("/wake", post(heard))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/wake", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        url
    }

    fn heard(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

async fn put(world: &World, person: &Person, path: &str, body: Value) -> u16 {
    let url = format!("http://{}/api/v4{path}", world.addr());
    let request = world.http.put(url).bearer_auth(&person.token).json(&body);
    read(request.send().await.unwrap()).await.0
}

async fn name_device(world: &World, person: &Person, name: &str) {
    let body = json!({"device_id": name});
    assert_eq!(
        put(world, person, "/users/sessions/device", body).await,
        200
    );
}

async fn ring(world: &World, from: &Person, to: &Person) {
    let room = world.direct(from, to).await;
    let mut client = world.connect(from).await;
    client.join(&room).await;
}

#[tokio::test]
async fn a_direct_call_wakes_the_others_devices_with_their_names_and_nothing_else() {
    let relay = Relay::default();
    let url = relay.start().await;
    let world = World::with(None, |raw| raw.push.relay = Link(url)).await;
    name_device(&world, &world.anna, "of-anna").await;
    name_device(&world, &world.ben, "old-of-ben").await;
    name_device(&world, &world.ben, "of-ben").await;
    // A call in a channel wakes nobody, and neither does one's own.
    let mut anna = world.connect(&world.anna).await;
    anna.join(&world.channel).await;
    ring(&world, &world.anna, &world.ben).await;
    until("Ben's phone is woken", || !relay.heard().is_empty()).await;
    assert_eq!(relay.heard(), [r#"{"id":"of-ben"}"#]);

    // Who does not want to be disturbed is not, nor one who signed out or took the device away.
    let quiet = json!({"user_id": world.anna.id, "status": "dnd"});
    let path = format!("/users/{}/status", world.anna.id);
    assert_eq!(put(&world, &world.anna, &path, quiet).await, 200);
    ring(&world, &world.admin, &world.anna).await;
    name_device(&world, &world.ben, "").await;
    ring(&world, &world.admin, &world.ben).await;
    let gone = world.newcomer("gone").await;
    name_device(&world, &gone, "of-gone").await;
    let out = world.chat_post(&gone, "/users/logout", json!({})).await;
    assert_eq!(out.0, 200);
    ring(&world, &world.admin, &gone).await;
    // What was to be sent before is sent before this.
    let last = world.newcomer("last").await;
    name_device(&world, &last, "of-last").await;
    ring(&world, &world.ben, &last).await;
    until("the last phone is woken", || relay.heard().len() > 1).await;
    assert_eq!(relay.heard()[1..], [r#"{"id":"of-last"}"#]);
}

#[tokio::test]
async fn names_of_devices_are_one_line_and_short() {
    let world = World::new().await;
    for name in ["a\nb".to_owned(), "x".repeat(513)] {
        let body = json!({"device_id": name});
        let path = "/users/sessions/device";
        assert_eq!(put(&world, &world.anna, path, body).await, 400);
    }
}
