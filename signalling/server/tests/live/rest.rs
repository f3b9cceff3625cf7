//! The routes for people and clients.

use serde_json::json;

use crate::world::{World, read};

#[tokio::test]
async fn configuration_and_version_have_the_keys_clients_read() {
    let world = World::new().await;
    let (status, config) = world.get(&world.anna, "/config").await;
    assert_eq!(status, 200);
    for (key, value) in [
        ("DefaultEnabled", json!(true)),
        ("ICEServersConfigs", json!([])),
        ("EnableDCSignaling", json!(true)),
        ("GroupCallsAllowed", json!(true)),
        ("HostControlsAllowed", json!(true)),
        ("EnableVideo", json!(false)),
        ("EnableRecordings", json!(false)),
        ("sku_short_name", json!("enterprise")),
        ("NeedsTURNCredentials", json!(false)),
    ] {
        assert_eq!(config[key], value, "{key}");
    }
    let (status, version) = read(world.http.get(world.url("/version")).send().await.unwrap()).await;
    assert_eq!(status, 200);
    assert_eq!(version["version"], "1.12.2");
    assert_eq!(
        version["build"],
        concat!("parley-", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(version["rtcd_version"], "v1.3.0");
}

#[tokio::test]
async fn channels_show_switches_and_calls_of_readable_channels_only() {
    let world = World::new().await;
    let (status, _) = world
        .post(
            &world.admin,
            &format!("/{}", world.channel),
            json!({"enabled": true}),
        )
        .await;
    assert_eq!(status, 200);
    let (_, channels) = world.get(&world.anna, "/channels").await;
    assert_eq!(
        channels,
        json!([{"channel_id": world.channel, "enabled": true}])
    );
    let (_anna, _ben) = world.anna_and_ben().await;
    let (_, channel) = world.get(&world.anna, &format!("/{}", world.channel)).await;
    assert_eq!(channel["call"]["sessions"].as_array().unwrap().len(), 2);

    let stranger = world.stranger("stranger").await;
    assert_eq!(world.get(&stranger, "/channels").await.1, json!([]));
    for path in [format!("/{}", world.channel), world.call_path("active")] {
        assert_eq!(world.get(&stranger, &path).await.0, 403);
    }
    let (status, _) = world
        .post(
            &world.anna,
            &format!("/{}", world.channel),
            json!({"enabled": false}),
        )
        .await;
    assert_eq!(status, 403, "a member may not switch calls off");
}

#[tokio::test]
async fn calls_switched_off_cannot_start() {
    let world = World::new().await;
    let mut anna = world.connect(&world.anna).await;
    let path = format!("/{}", world.channel);
    world
        .post(&world.admin, &path, json!({"enabled": false}))
        .await;
    let switched = anna.wait_for("channel_disable_voice").await;
    assert_eq!(switched.data["channelID"], world.channel.as_str());
    anna.ask_to_join(&world.channel, None).await;
    assert_eq!(
        anna.wait_for("error").await.data["data"],
        "calls are disabled in the channel"
    );
}

#[tokio::test]
async fn a_dismissed_call_is_dismissed_for_that_person_only() {
    let world = World::new().await;
    let path = world.call_path("dismiss-notification");
    let (status, none) = world.post(&world.ben, &path, json!({})).await;
    assert_eq!(
        (status, none["message"].as_str()),
        (400, Some("no call ongoing"))
    );
    let mut anna = world.connect(&world.anna).await;
    anna.join(&world.channel).await;
    assert_eq!(world.post(&world.ben, &path, json!({})).await.0, 200);
    let channel = format!("/{}", world.channel);
    let (_, seen) = world.get(&world.ben, &channel).await;
    assert_eq!(
        seen["call"]["dismissed_notification"],
        json!({world.ben.id.as_str(): true})
    );
    let (_, seen) = world.get(&world.anna, &channel).await;
    assert!(seen["call"].get("dismissed_notification").is_none());
}

/// Whether a private channel has a call is nobody's business who may not read it.
#[tokio::test]
async fn a_stranger_hears_of_a_private_call_what_is_heard_of_no_call() {
    let world = World::new().await;
    let (mut anna, ben) = world.anna_and_ben().await;
    let session = json!({"session_id": ben.connection});
    let host = json!({"new_host_id": world.ben.id});
    let routes = [
        ("dismiss-notification", json!({})),
        ("host/make", host),
        ("host/mute", session.clone()),
        ("host/mute-others", json!({})),
        ("host/screen-off", session.clone()),
        ("host/lower-hand", session.clone()),
        ("host/remove", session),
        ("host/end", json!({})),
        ("end", json!({})),
    ];
    // Requests are limited: a few for each stranger.
    for (at, (route, body)) in routes.into_iter().enumerate() {
        let stranger = world.stranger(&format!("stranger{at}")).await;
        let path = world.call_path(route);
        let private = world.post(&stranger, &path, body.clone()).await;
        let unknown = format!("/calls/nosuchchannelnosuchchannel/{route}");
        let unknown = world.post(&stranger, &unknown, body).await;
        assert_eq!(private, unknown, "{route}");
        assert_eq!(private.1["message"], "no call ongoing", "{route}");
    }
    anna.nothing_of("call_end", &world.channel).await;
}

#[tokio::test]
async fn the_eleventh_quick_request_is_refused_and_the_bot_is_exempt() {
    let world = World::with_jobs().await;
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(world.get(&world.anna, "/config").await.0);
    }
    assert!(
        statuses[..10].iter().all(|status| *status == 200),
        "{statuses:?}"
    );
    assert!(statuses[10..].contains(&429), "{statuses:?}");
    let bot = world.bot().await;
    for _ in 0..15 {
        assert_eq!(world.get(&bot, "/config").await.0, 200);
    }
}

#[tokio::test]
async fn a_cookie_alone_changes_nothing_and_nobody_is_unauthorized() {
    let world = World::new().await;
    let cookie = format!("MMAUTHTOKEN={}", world.anna.token);
    let post = || {
        world
            .http
            .post(world.url(&world.call_path("end")))
            .header("cookie", &cookie)
    };
    assert_eq!(post().send().await.unwrap().status(), 401);
    let meant = post()
        .header("X-Requested-With", "XMLHttpRequest")
        .send()
        .await
        .unwrap();
    assert_eq!(read(meant).await.1["message"], "no call ongoing");
    let csrf = messaging::credentials::csrf_token(&world.anna.token);
    let meant = post().header("X-CSRF-Token", csrf).send().await.unwrap();
    assert_eq!(meant.status(), 400);
    for path in ["/config", "/channels"] {
        let (status, told) = read(world.http.get(world.url(path)).send().await.unwrap()).await;
        assert_eq!(
            (status, told["message"].as_str()),
            (401, Some("Unauthorized"))
        );
    }
}

#[tokio::test]
async fn the_web_client_health_and_metrics_are_served() {
    let world = World::new().await;
    let base = format!("http://{}", world.addr());
    let get = |path: &str| world.http.get(format!("{base}{path}")).send();
    for page in ["/", "/north/channels/talk"] {
        let answer = get(page).await.unwrap();
        assert_eq!(answer.status(), 200, "{page}");
        assert_eq!(answer.headers()["cache-control"], "no-cache");
        assert!(answer.headers().contains_key("content-security-policy"));
        assert!(answer.text().await.unwrap().contains("<html"));
    }
    assert_eq!(get("/assets/missing.js").await.unwrap().status(), 404);
    assert_eq!(get("/readyz").await.unwrap().status(), 200);
    for typo in [
        "/health",
        "/readyzz",
        "/metric",
        "/api/v4/nothing",
        "/north",
    ] {
        assert_eq!(get(typo).await.unwrap().status(), 404, "{typo}");
    }
    let metrics = world.metrics().await;
    for figure in [
        "mattermost_plugin_calls_media_hosts_connected 1\n",
        "mattermost_plugin_calls_tasks_alive{task=\"login checks\"} 1\n",
        "mattermost_plugin_calls_connections{port=\"people\"} ",
    ] {
        assert!(metrics.contains(figure), "{figure}: {metrics}");
    }
    let (status, told) = read(
        get("/plugins/com.mattermost.calls/no/such/route/here")
            .await
            .unwrap(),
    )
    .await;
    assert_eq!((status, told["status_code"].as_i64()), (404, Some(404)));
}
