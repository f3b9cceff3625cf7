//! What administrators see of a running server, and that nobody else does; the page's own headers.

use serde_json::Value;

use crate::world::{World, read};

async fn ask(world: &World, token: &str, path: &str) -> (u16, Value) {
    let url = format!("http://{}/api/v4/admin{path}", world.addr());
    read(world.http.get(url).bearer_auth(token).send().await.unwrap()).await
}

#[tokio::test]
async fn an_administrator_sees_the_calls_that_run() {
    let world = World::new().await;
    let token = world.admin.token.clone();
    assert_eq!(ask(&world, &token, "/calls").await.1, serde_json::json!([]));
    let (_anna, _ben) = world.anna_and_ben().await;
    let (status, calls) = ask(&world, &token, "/calls").await;
    assert_eq!(status, 200, "{calls}");
    let call = &calls[0];
    assert_eq!(call["channel_id"], world.channel.as_str());
    assert_eq!(call["participants"], 2);
    assert_eq!(call["recording"], false);
    assert!(call["start_at"].as_i64() > Some(0));
    let names: Vec<&str> = call["people"]
        .as_array()
        .unwrap()
        .iter()
        .map(|person| person["username"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[tokio::test]
async fn an_administrator_sees_how_the_server_is() {
    let world = World::new().await;
    let (status, health) = ask(&world, &world.admin.token, "/health").await;
    assert_eq!(status, 200);
    assert_eq!(
        (health["media_hosts"].as_u64(), health["ready"].as_bool()),
        (Some(1), Some(true)),
        "{health}"
    );
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    // the chat's own overview is beside it
    assert_eq!(ask(&world, &world.admin.token, "/storage").await.0, 200);
}

#[tokio::test]
async fn overviews_are_for_administrators() {
    let world = World::new().await;
    let stranger = world.stranger("stranger").await;
    for path in ["/calls", "/health", "/storage"] {
        assert_eq!(ask(&world, "", path).await.0, 401, "{path}");
        assert_eq!(ask(&world, &stranger.token, path).await.0, 403, "{path}");
        assert_eq!(ask(&world, &world.anna.token, path).await.0, 403, "{path}");
        assert_eq!(ask(&world, &world.admin.token, path).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn no_other_page_shows_ours() {
    let world = World::new().await;
    let url = format!("http://{}/", world.addr());
    let page = world.http.get(url).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let header = |name: &str| page.headers()[name].to_str().unwrap().to_owned();
    assert!(header("content-security-policy").ends_with("frame-ancestors 'none'"));
    assert_eq!(header("x-frame-options"), "DENY");
    assert_eq!(header("vary"), "Accept-Encoding");
    let missing = format!("http://{}/assets/nothing.js", world.addr());
    assert_eq!(world.http.get(missing).send().await.unwrap().status(), 404);
}
