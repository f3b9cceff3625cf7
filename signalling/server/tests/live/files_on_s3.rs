//! A recorded call whose files are in a bucket: sent in pieces, posted, watched from the middle,
//! deleted, removed.

use serde_json::{Value, json};
use settings::Link;
use storage::blob::BlobStore as _;
use storage::blob::servers::{Kind, Server};

use crate::fake_jobs::FakeJobs;
use crate::world::{Person, World, read};

/// Longer than a part of a multipart.
const FILM_BYTES: usize = 8_000_000;
const PIECE_BYTES: usize = 3_000_000;

async fn world_on(server: &Server) -> World {
    let s3 = server.config();
    World::with(Some(FakeJobs::start().await), |raw| {
        raw.files.place = "s3".to_owned();
        raw.files.endpoint = Link(s3.endpoint);
        raw.files.bucket = s3.bucket;
        raw.files.prefix = "parley/".to_owned();
        raw.files.access_key_id = s3.access_key_id;
        raw.files.secret_key = s3.secret_key;
    })
    .await
}

/// Sends a film as the recorder does: piece by piece, each from where the server is.
async fn send_film(world: &World, bot: &Person, film: &[u8]) -> String {
    let body =
        json!({"channel_id": world.channel, "filename": "call.mp4", "file_size": film.len()});
    let (status, session) = world.post(bot, "/bot/uploads", body).await;
    assert_eq!(status, 200, "{session}");
    let path = format!("/bot/uploads/{}", session["id"].as_str().unwrap());
    loop {
        let (_, session) = world.get(bot, &path).await;
        let from = usize::try_from(session["file_offset"].as_u64().unwrap()).unwrap();
        let piece = &film[from..film.len().min(from + PIECE_BYTES)];
        match world.post_bytes(bot, &path, piece.to_vec()).await {
            (204, _) => {}
            (200, file) => return file["id"].as_str().unwrap().to_owned(),
            (status, said) => panic!("{status}: {said}"),
        }
    }
}

async fn api(world: &World, person: &Person, method: reqwest::Method, path: &str) -> (u16, Value) {
    let url = format!("http://{}/api/v4{path}", world.addr());
    let request = world.http.request(method, url).bearer_auth(&person.token);
    read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_recorded_calls_film_lies_in_a_bucket_and_is_watched_from_the_middle() {
    let server = Server::start(Kind::Moto).await;
    let bucket = server.store("parley/");
    let world = world_on(&server).await;
    let bot = world.bot().await;
    let (_anna, _ben) = world.anna_and_ben().await;
    let start = world.call_path("recording/start");
    assert_eq!(world.post(&world.anna, &start, json!({})).await.0, 200);
    let jobs = world.jobs.as_ref().unwrap();
    crate::world::until("both jobs are asked for", || jobs.jobs().len() == 2).await;
    let recording = jobs.jobs()[0]["input_data"].clone();

    let film: Vec<u8> = (0..=250).cycle().take(FILM_BYTES).collect();
    let id = send_film(&world, &bot, &film).await;
    let report = json!({
        "JobID": recording["recording_id"], "PostID": recording["post_id"], "FileIDs": [id],
    });
    let path = format!("/bot{}", world.call_path("recordings"));
    let (status, told) = world.post(&bot, &path, report).await;
    assert_eq!(status, 200, "{told}");

    let url = format!("http://{}/api/v4/files/{id}", world.addr());
    for (range, from, to) in [
        ("bytes=6291400-6291499", 6_291_400, 6_291_500),
        ("bytes=7999990-", 7_999_990, FILM_BYTES),
        ("bytes=0-", 0, FILM_BYTES),
    ] {
        let request = world.http.get(&url).bearer_auth(&world.ben.token);
        let answer = request.header("range", range).send().await.unwrap();
        assert_eq!(answer.status(), 206, "{range}");
        let shown = answer.headers()["content-range"]
            .to_str()
            .unwrap()
            .to_owned();
        assert_eq!(shown, format!("bytes {from}-{}/{FILM_BYTES}", to - 1));
        assert!(answer.bytes().await.unwrap() == film[from..to], "{range}");
    }

    // In the bucket and nowhere else, and of what it was made of nothing is left.
    let films = bucket.list(&id[..2], None, 10).await.unwrap();
    let keys: Vec<&str> = films.iter().map(|film| film.key.as_str()).collect();
    assert_eq!(keys, [format!("{}/{id}", &id[..2])]);
    assert!(!world.data.path().join("files").exists());
    let begun = bucket.sweep_drafts(std::time::Duration::ZERO).await;
    assert_eq!(begun.unwrap(), 0);

    // Removed for good with the call's thread.
    let post = recording["post_id"].as_str().unwrap();
    let path = format!("/posts/{post}?permanent=true");
    let removed = api(&world, &world.admin, reqwest::Method::DELETE, &path).await;
    assert_eq!(removed.0, 200, "{}", removed.1);
    assert_eq!(bucket.list(&id[..2], None, 10).await.unwrap(), []);
    let gone = api(
        &world,
        &world.ben,
        reqwest::Method::GET,
        &format!("/files/{id}"),
    )
    .await;
    assert_eq!(gone.0, 404);
}

#[tokio::test]
async fn a_bucket_that_is_gone_is_told_and_probes_are_cheap() {
    let server = Server::start(Kind::Moto).await;
    let world = world_on(&server).await;
    let endpoint = server.config().endpoint;
    let ready = async || {
        let url = format!("http://{}/readyz", world.addr());
        let answer = world.http.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(ready().await, (200, "ready\n".to_owned()));
    drop(server);
    let told = crate::watched::told_of_files(&world).await;
    assert!(told.contains("bucket `files`"), "{told}");
    assert!(told.contains(&endpoint), "{told}");
    let begun = std::time::Instant::now();
    for _ in 0..20 {
        assert_eq!(ready().await.0, 503);
    }
    // Each question at the dead server takes longer than all of these together.
    assert!(begun.elapsed() < std::time::Duration::from_secs(4));
}
