//! A server whose calls were switched off as a whole: chat goes on.

use proto::calls::NAME_PREFIX;
use proto::calls::action::Action;
use proto::calls::frame::EventFrame;
use serde_json::json;

use crate::fake_jobs::FakeJobs;
use crate::world::World;

#[tokio::test]
async fn without_calls_their_routes_are_not_there_and_what_clients_do_is_dropped() {
    let world = World::with(Some(FakeJobs::start().await), |raw| {
        raw.calls.disable = true;
    })
    .await;
    for path in ["/version", "/config", "/channels", "/env", "/stats"] {
        let (status, told) = world.get(&world.admin, path).await;
        assert_eq!(
            (status, &told["status_code"]),
            (404, &json!(404)),
            "{path}: {told}"
        );
    }
    let start = world.call_path("recording/start");
    assert_eq!(world.post(&world.anna, &start, json!({})).await.0, 404);
    let mut anna = world.connect(&world.anna).await;
    anna.ask_to_join(&world.channel, None).await;
    anna.act(&Action::CallState {
        channel: world.channel.clone(),
    })
    .await;
    // The answer to a ping comes behind whatever was answered before it.
    anna.settled().await;
    let is_of_calls = |event: &EventFrame| event.event.starts_with(NAME_PREFIX);
    assert!(!anna.events.iter().any(is_of_calls), "{:?}", anna.events);
    let dropped = "actions_refused_total{reason=\"calls_disabled\",type=\"any\"} 2";
    assert!(world.metrics().await.contains(dropped));
    assert!(world.rtcd.heard().is_empty(), "media hosts are left alone");
    assert!(world.jobs.as_ref().unwrap().jobs().is_empty());

    // Nothing of this is a trouble, and people write.
    assert_eq!(world.running.media_is_connected(), Ok(()));
    let ready = format!("http://{}/readyz", world.addr());
    assert_eq!(world.http.get(ready).send().await.unwrap().status(), 200);
    let post = json!({"channel_id": world.channel, "message": "hello"});
    assert_eq!(world.chat_post(&world.anna, "/posts", post).await.0, 201);
    anna.wait_for("posted").await;
    let command = json!({"channel_id": world.channel, "command": "/call start"});
    let (status, told) = world
        .chat_post(&world.anna, "/commands/execute", command)
        .await;
    assert!(status >= 400, "{told}");
}
