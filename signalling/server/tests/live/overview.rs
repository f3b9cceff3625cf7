//! What administrators see of a running server, and that nobody else does; the page's own headers.

use serde_json::Value;

use crate::world::{World, read};

pub(crate) async fn ask(world: &World, token: &str, path: &str) -> (u16, Value) {
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
async fn an_administrator_sees_what_is_made_of_calls_and_how_it_does() {
    let world = World::new().await;
    let (status, jobs) = ask(&world, &world.admin.token, "/jobs").await;
    assert_eq!(status, 200, "{jobs}");
    assert_eq!(
        jobs["problem"],
        "no job service is configured (offloader.url)"
    );

    let world = World::with_jobs().await;
    let (_, jobs) = ask(&world, &world.admin.token, "/jobs").await;
    let problem = "the job service does not tell how its jobs do";
    assert_eq!(jobs["problem"], problem);
    let personal = world.direct(&world.anna, &world.ben).await;
    let job = |kind: &str, channel: &str| {
        serde_json::json!({
            "id": "j", "type": kind, "phase": "capturing", "start_at": 5, "call_id": channel,
            "job_id": "r", "workers": 1, "captured_ms": 2000, "pauses": 1, "bytes": 4096,
            "missing_packets": 3, "silent_ms": 400,
        })
    };
    let (known, secret) = (world.channel.as_str(), personal.as_str());
    world.jobs.as_ref().unwrap().tells(serde_json::json!({
        "free_bytes": 9000, "jobs": [job("recording", known), job("transcribing", secret)],
    }));
    let (_, jobs) = ask(&world, &world.admin.token, "/jobs").await;
    assert_eq!(
        (&jobs["problem"], jobs["free_bytes"].as_u64()),
        (&"".into(), Some(9000))
    );
    let [first, second] = jobs["jobs"].as_array().unwrap().as_slice() else {
        panic!("{jobs}");
    };
    assert_eq!(
        (&first["channel_name"], &first["channel_id"]),
        (&"Talk".into(), &known.into())
    );
    for (field, value) in [
        ("start_at", 5),
        ("bytes", 4096),
        ("missing_packets", 3),
        ("silent_ms", 400),
    ] {
        assert_eq!(first[field], value, "{field}");
    }
    // Who talks with whom is not the administrator's business.
    assert_eq!(second["type"], "transcribing");
    assert!(!jobs.to_string().contains(secret), "{second}");
}

#[tokio::test]
async fn overviews_are_for_administrators() {
    let world = World::new().await;
    let stranger = world.stranger("stranger").await;
    for path in ["/calls", "/health", "/jobs", "/nodes", "/storage"] {
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
