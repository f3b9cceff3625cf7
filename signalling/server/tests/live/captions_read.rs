//! Captions read in another language than they are spoken in.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn who_is_in_the_call_reads_its_captions_in_another_language() {
    let world = World::with_jobs().await;
    let path = world.call_path("captions/translate");
    let line = json!({"from": "en", "to": "es", "text": "olleh"});
    let (status, told) = world.post(&world.anna, &path, line.clone()).await;
    assert_eq!((status, &told["message"]), (400, &json!("no call ongoing")));

    let (_anna, _ben) = world.anna_and_ben().await;
    let (status, told) = world.post(&world.anna, &path, line.clone()).await;
    assert_eq!(status, 501, "{told}");
    world.jobs.as_ref().unwrap().begin_to_translate();
    let (status, told) = world.post(&world.anna, &path, line.clone()).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(told, json!({"language": "es", "text": "hello"}));

    let other = world.newcomer("otto").await;
    world.enter(&world.channel, &other).await;
    let (status, told) = world.post(&other, &path, line).await;
    assert_eq!(status, 403, "who is not in the call: {told}");
    let long = json!({"from": "en", "to": "es", "text": "x".repeat(100_000)});
    let (status, told) = world.post(&world.anna, &path, long).await;
    assert_eq!(status, 400, "{told}");
}
