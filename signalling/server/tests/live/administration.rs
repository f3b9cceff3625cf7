//! What system administrators are told of the server's settings and of how calls are used.

use proto::calls::IceServer;
use proto::calls::action::Action;
use proto::redact::Secret;
use serde_json::{Value, json};
use settings::{Json, Link};

use crate::client::short;
use crate::recording::recorded;
use crate::world::World;

#[tokio::test]
async fn administrators_see_every_key_and_others_no_secret() {
    let world = World::with(None, |raw| {
        let own = std::mem::take(&mut raw.rtcd.urls);
        let with_key =
            |url: &Link| Link(url.0.replace("://", &format!("://us:{}@", "k".repeat(32))));
        raw.rtcd.urls = own.iter().map(with_key).collect();
        raw.ice.turn_secret = Secret::new("shared with the relay");
        let turn = IceServer {
            urls: vec!["turn:turn.example.org".to_owned()],
            ..IceServer::default()
        };
        raw.ice.servers = Json(vec![turn]);
    })
    .await;
    let (status, plain) = world.get(&world.anna, "/config").await;
    assert_eq!(
        (status, &plain["NeedsTURNCredentials"]),
        (200, &json!(true))
    );
    let (status, full) = world.get(&world.admin, "/config").await;
    assert_eq!(status, 200);
    for (key, value) in plain.as_object().unwrap() {
        assert_eq!(full[key], *value, "{key}");
    }
    let more = [
        "RTCDServiceURL",
        "UDPServerAddress",
        "TCPServerAddress",
        "UDPServerPort",
        "TCPServerPort",
        "EnableIPv6",
        "ICEHostOverride",
        "ICEHostPortOverride",
        "TURNStaticAuthSecret",
        "TURNCredentialsExpirationMinutes",
        "ServerSideTURN",
        "JobServiceURL",
        "RecordingQuality",
        "TranscribeAPI",
        "TranscriberModelSize",
        "TranscriberNumThreads",
        "TranscribeAPIAzureSpeechKey",
        "TranscribeAPIAzureSpeechRegion",
        "LiveCaptionsModelSize",
        "LiveCaptionsNumTranscribers",
        "LiveCaptionsNumThreadsPerTranscriber",
        "LiveCaptionsLanguage",
    ];
    for key in more {
        assert!(full.get(key).is_some(), "{key}");
        assert!(plain.get(key).is_none(), "{key}");
    }
    assert_eq!(full["TURNStaticAuthSecret"], "shared with the relay");
    let rtcd = format!("http://us:{}@{}", "k".repeat(32), world.rtcd.addr);
    assert_eq!(full["RTCDServiceURL"], rtcd);
    assert!(!plain.to_string().contains("shared with the relay"));
}

#[tokio::test]
async fn administrators_alone_ask_for_the_environment_and_statistics() {
    let world = World::new().await;
    for path in ["/env", "/stats"] {
        let (status, refused) = world.get(&world.anna, path).await;
        assert_eq!(
            (status, refused["message"].as_str()),
            (403, Some("Forbidden"))
        );
        let nobody = world.http.get(world.url(path)).send().await.unwrap();
        assert_eq!(nobody.status(), 401);
    }
    assert_eq!(world.get(&world.admin, "/env").await, (200, json!({})));
    let (status, told) = world
        .post(&world.anna, "/cloud-notify-admins", json!({}))
        .await;
    assert_eq!(
        (status, told["message"].as_str()),
        (400, Some("not a cloud server"))
    );
}

#[tokio::test]
async fn statistics_count_calls_people_screens_cameras_and_recordings() {
    let world = World::with(None, |raw| raw.calls.video = true).await;
    let (_, empty) = world.get(&world.admin, "/stats").await;
    for (key, value) in empty.as_object().unwrap() {
        assert!(*value == json!(0) || *value == json!({}), "{key}: {value}");
    }
    assert_eq!(empty.as_object().unwrap().len(), 14);

    let (mut anna, mut ben) = world.anna_and_ben().await;
    let stream = || "stream".to_owned();
    anna.act(&Action::ScreenOn { stream: stream() }).await;
    ben.act(&Action::VideoOn { stream: stream() }).await;
    anna.wait_for("user_video_on").await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    ben.act(&Action::VideoOff).await;
    anna.wait_for("user_video_off").await;
    let (_, during) = world.get(&world.admin, "/stats").await;
    assert_eq!(
        (
            &during["total_active_calls"],
            &during["total_active_sessions"]
        ),
        (&json!(1), &json!(2))
    );
    anna.act(&Action::Leave).await;
    ben.act(&Action::Leave).await;
    anna.wait_for("post_edited").await;

    // A direct call after it, without any of that.
    let room = world.direct(&world.anna, &world.ben).await;
    let mut alone = world.connect(&world.ben).await;
    alone.join(&room).await;
    let (_, stats) = world.get(&world.admin, "/stats").await;
    let day = stats["calls_by_day"].as_object().unwrap();
    assert_eq!(day.values().collect::<Vec<_>>(), [&json!(2)]);
    assert!(day.keys().all(|day| day.len() == 10), "{day:?}");
    let month = stats["calls_by_month"].as_object().unwrap();
    assert_eq!(month.values().collect::<Vec<_>>(), [&json!(2)]);
    let video = stats["total_video_duration"].as_i64().unwrap();
    assert!((1..20).contains(&video), "{video}");
    let lasted = stats["avg_duration"].as_i64().unwrap();
    assert!((1..60).contains(&lasted), "{lasted}");
    for (key, value) in [
        ("total_calls", json!(2)),
        ("total_active_calls", json!(1)),
        ("total_active_sessions", json!(1)),
        ("calls_by_channel_type", json!({"P": 1, "D": 1})),
        // two and one, rounded down
        ("avg_participants", json!(1)),
        ("avg_video_duration", json!(video)),
        ("total_video_calls", json!(1)),
        ("total_screen_share_calls", json!(1)),
        ("recording_jobs_by_day", json!({})),
        ("recording_jobs_by_month", json!({})),
    ] {
        assert_eq!(stats[key], value, "{key}");
    }
}

#[tokio::test]
async fn a_recording_counts_on_the_day_it_began() {
    let (world, _anna, _ben, bot, recording, _) = recorded().await;
    let (_, before) = world.get(&world.admin, "/stats").await;
    assert_eq!(before["recording_jobs_by_day"], json!({}));
    let path = format!(
        "/bot{}",
        world.call_path(&format!("jobs/{recording}/status"))
    );
    let started = json!({"JobType": "recording", "Status": "started"});
    assert_eq!(world.post(&bot, &path, started).await.0, 200);
    let (_, after) = world.get(&world.admin, "/stats").await;
    for list in ["recording_jobs_by_day", "recording_jobs_by_month"] {
        let counts: Vec<&Value> = after[list].as_object().unwrap().values().collect();
        assert_eq!(counts, [&json!(1)], "{list}");
    }
}

#[tokio::test]
async fn logs_of_a_client_are_kept_for_its_person_who_is_led_there() {
    let world = World::new().await;
    let mut anna = world.connect(&world.anna).await;
    let mut ben = world.connect(&world.ben).await;
    let body = json!({"logs": "line 1\nline 2", "channel_id": world.channel, "team_id": ""});
    let (status, answer) = world.post(&world.anna, "/logs/upload", body).await;
    assert_eq!((status, answer), (200, json!({})));
    let posted = anna.wait_for("posted").await;
    let post: Value = serde_json::from_str(posted.data["post"].as_str().unwrap()).unwrap();
    assert_eq!(post["user_id"], world.bot().await.id.as_str());
    let info = &post["metadata"]["files"][0];
    let name = info["name"].as_str().unwrap();
    assert!(
        name.starts_with("call_logs_20") && name.ends_with(".txt"),
        "{name}"
    );
    let file = format!("/files/{}", post["file_ids"][0].as_str().unwrap());
    let (_, kept) = world.chat_get(&world.anna, &file).await;
    assert_eq!(kept, "line 1\nline 2");
    assert_eq!(world.chat_get(&world.ben, &file).await.0, 404);

    let told = anna.wait_for("ephemeral_message").await;
    let told: Value = serde_json::from_str(told.data["post"].as_str().unwrap()).unwrap();
    assert_eq!(told["channel_id"], world.channel.as_str());
    let link = told["message"]
        .as_str()
        .unwrap()
        .strip_prefix("Call logs: ")
        .unwrap();
    assert!(link.ends_with(post["id"].as_str().unwrap()), "{link}");
    let browser = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let follow = |token: &str| browser.get(link).bearer_auth(token).send();
    let led = follow(&world.anna.token).await.unwrap();
    assert_eq!(led.status(), 303);
    let to = format!("/#/channels/{}", post["channel_id"].as_str().unwrap());
    assert_eq!(led.headers()["location"], to.as_str());
    assert_eq!(follow(&world.ben.token).await.unwrap().status(), 404);
    ben.settled().await;
    let seen: Vec<String> = ben.events.iter().map(short).collect();
    assert!(!seen.iter().any(|name| name == "posted"), "{seen:?}");
}

#[tokio::test]
async fn logs_over_two_mebibytes_or_for_somebody_elses_channel_are_refused() {
    let world = World::new().await;
    let body =
        |size: usize, channel: &str| json!({"logs": "x".repeat(size), "channel_id": channel});
    let own = world.channel.as_str();
    let send = |body: Value| world.post(&world.anna, "/logs/upload", body);
    assert_eq!(send(body((2 << 20) - 200, own)).await.0, 200);
    let (status, refused) = send(body(2 << 20, own)).await;
    assert_eq!((status, refused["status_code"].as_i64()), (400, Some(400)));
    assert_eq!(send(body(0, own)).await.0, 400);
    assert_eq!(send(json!({"channel_id": own})).await.0, 400);
    let elsewhere = world.direct(&world.admin, &world.ben).await;
    let (status, refused) = send(body(10, elsewhere.as_str())).await;
    let text = "channel_id is no channel of yours";
    assert_eq!((status, refused["message"].as_str()), (400, Some(text)));
}
