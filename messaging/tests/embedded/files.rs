//! Files: forms, uploads in pieces over a bad line, downloads of any part, and who may read them.

use reqwest::multipart::{Form, Part};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::desk::{Client, Desk, eventually, text};

fn noise(count: usize) -> Vec<u8> {
    (0..count)
        .map(|i| u8::try_from((i * 31 + i / 251) % 256).unwrap())
        .collect()
}

async fn upload(client: &Client, room: &str, name: &str, body: &[u8]) -> Value {
    let part = Part::bytes(body.to_vec()).file_name(name.to_owned());
    let form = Form::new()
        .text("channel_id", room.to_owned())
        .text("client_ids", "c1");
    let form = form.part("files", part);
    let response = client
        .request(Method::POST, "/files")
        .multipart(form)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 201);
    response.json().await.unwrap()
}

async fn fetch(client: &Client, id: &str, range: Option<&str>) -> Response {
    let mut request = client.request(Method::GET, &format!("/files/{id}"));
    if let Some(range) = range {
        request = request.header("range", range);
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_form_stores_files_and_a_post_shows_them() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let body = noise(300_000);
    let answer = upload(&anna, &room, "../talk \"1\".mp4", &body).await;
    assert_eq!(answer["client_ids"], json!(["c1"]));
    let info = &answer["file_infos"][0];
    assert_eq!(info["name"], "talk \"1\".mp4");
    assert_eq!(
        (info["mime_type"].as_str(), info["size"].as_u64()),
        (Some("video/mp4"), Some(300_000))
    );
    let id = text(&info["id"]);
    // before it is posted, the file is its owner's
    assert_eq!(ben.get(&format!("/files/{id}/info")).await.0, 404);
    assert_eq!(fetch(&anna, &id, None).await.status(), 200);
    let stolen = json!({ "channel_id": room, "message": "mine", "file_ids": [id] });
    assert_eq!(ben.post("/posts", stolen.clone()).await.0, 400);
    let post = anna.make("/posts", stolen).await;
    assert_eq!(post["file_ids"], json!([id]));
    assert_eq!(post["metadata"]["files"][0]["post_id"], post["id"]);
    let infos = ben
        .read(&format!("/posts/{}/files/info", text(&post["id"])))
        .await;
    assert_eq!(infos[0]["id"], id);
    let again = json!({ "channel_id": room, "message": "twice", "file_ids": [id] });
    assert_eq!(anna.post("/posts", again).await.0, 400);

    let response = fetch(&ben, &id, None).await;
    assert_eq!(response.headers()["content-type"], "video/mp4");
    assert_eq!(response.headers()["accept-ranges"], "bytes");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    let disposition = response.headers()["content-disposition"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        disposition.starts_with("inline; filename=\"talk%20%221%22.mp4\""),
        "{disposition}"
    );
    assert_eq!(response.bytes().await.unwrap(), body);
    anna.delete(&format!("/posts/{}", text(&post["id"]))).await;
    assert_eq!(fetch(&ben, &id, None).await.status(), 404);
}

#[tokio::test]
async fn any_part_of_a_file_can_be_fetched() {
    let desk = Desk::open().await;
    let anna = desk.person("anna").await;
    let room = anna.town_square().await;
    let body = noise(200_000);
    let id = text(&upload(&anna, &room, "a.webm", &body).await["file_infos"][0]["id"]);
    let cases = [
        ("bytes=0-0", 0, 1),
        ("bytes=1000-1999", 1000, 2000),
        ("bytes=199000-", 199_000, 200_000),
        ("bytes=-500", 199_500, 200_000),
        ("bytes=150000-999999", 150_000, 200_000),
    ];
    for (range, from, to) in cases {
        let response = fetch(&anna, &id, Some(range)).await;
        assert_eq!(response.status(), 206, "{range}");
        let shown = response.headers()["content-range"]
            .to_str()
            .unwrap()
            .to_owned();
        assert_eq!(shown, format!("bytes {from}-{}/200000", to - 1));
        assert_eq!(response.bytes().await.unwrap(), body[from..to]);
    }
    let beyond = fetch(&anna, &id, Some("bytes=200000-")).await;
    assert_eq!(beyond.status(), 416);
    assert_eq!(beyond.headers()["content-range"], "bytes */200000");
    let head = anna
        .request(Method::HEAD, &format!("/files/{id}"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (head.status().as_u16(), &head.headers()["content-length"]),
        (200, &"200000".parse().unwrap())
    );
    assert_eq!(head.headers()["accept-ranges"], "bytes");
}

#[tokio::test]
async fn a_part_is_only_given_of_the_file_that_was_meant() {
    let desk = Desk::open().await;
    let anna = desk.person("anna").await;
    let room = anna.town_square().await;
    let id = text(&upload(&anna, &room, "a.webm", &noise(1000)).await["file_infos"][0]["id"]);
    let first = fetch(&anna, &id, None).await;
    let etag = first.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(first.headers()["cache-control"], "private, no-store");
    assert_eq!(first.headers()["content-length"], "1000");
    let with = async |name: &'static str, value: &str| {
        let request = anna.request(Method::GET, &format!("/files/{id}"));
        let request = request.header("range", "bytes=10-19").header(name, value);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(with("if-range", &etag).await, 206);
    assert_eq!(with("if-range", "\"other\"").await, 200);
    assert_eq!(with("if-range", "Sat, 28 Nov 2026 10:00:00 GMT").await, 200);
    assert_eq!(with("if-none-match", &etag).await, 304);
    assert_eq!(with("if-none-match", "\"other\"").await, 206);
}

#[tokio::test]
async fn what_browsers_would_run_is_only_ever_downloaded() {
    let desk = Desk::open().await;
    let anna = desk.person("anna").await;
    let room = anna.town_square().await;
    for name in ["a.html", "a.svg", "a.js", "a"] {
        let answer = upload(&anna, &room, name, b"<script>alert(1)</script>").await;
        let id = text(&answer["file_infos"][0]["id"]);
        let response = fetch(&anna, &id, None).await;
        let disposition = response.headers()["content-disposition"].to_str().unwrap();
        assert!(
            disposition.starts_with("attachment"),
            "{name}: {disposition}"
        );
        let policy = response.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        assert!(policy.contains("default-src 'none'"));
    }
}

async fn begin(client: &Client, room: &str, name: &str, size: usize) -> String {
    let body = json!({ "channel_id": room, "filename": name, "file_size": size });
    let upload = client.make("/uploads", body).await;
    assert_eq!(
        (upload["type"].as_str(), upload["file_offset"].as_u64()),
        (Some("attachment"), Some(0))
    );
    text(&upload["id"])
}

async fn send(client: &Client, id: &str, piece: &[u8]) -> (u16, Value) {
    let request = client
        .request(Method::POST, &format!("/uploads/{id}"))
        .body(piece.to_vec());
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or(Value::Null))
}

/// Sends the beginning of a body and hangs up in the middle of it.
async fn break_off(client: &Client, id: &str, announced: usize, sent: &[u8]) {
    let mut stream = tokio::net::TcpStream::connect(client.address)
        .await
        .unwrap();
    let head = format!(
        "POST /api/v4/uploads/{id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Length: {announced}\r\n\r\n",
        client.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(sent).await.unwrap();
    stream.flush().await.unwrap();
    stream.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_upload_goes_on_after_an_interruption() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let body = noise(500_000);
    let id = begin(&anna, &room, "talk.mp4", body.len()).await;
    break_off(&anna, &id, body.len(), &body[..200_000]).await;
    let path = format!("/uploads/{id}");
    let offset = eventually(async || {
        let offset = anna.read(&path).await["file_offset"].as_u64().unwrap();
        (offset == 200_000).then_some(offset)
    })
    .await;
    assert_eq!(ben.get(&path).await.0, 404);
    assert_eq!(send(&ben, &id, b"x").await.0, 404);
    let from = usize::try_from(offset).unwrap();
    let (status, _) = eventually(async || {
        // while the broken request still holds the upload, the answer is 409
        let answer = send(&anna, &id, &body[from..from + 100_000]).await;
        (answer.0 != 409).then_some(answer)
    })
    .await;
    assert_eq!(status, 204);
    assert_eq!(anna.read(&path).await["file_offset"], 300_000);
    let (status, error) = send(&anna, &id, &body[..200_001]).await;
    assert_eq!((status, error["status_code"].as_u64()), (400, Some(400)));
    let offset = anna.read(&path).await["file_offset"].as_u64().unwrap();
    let from = usize::try_from(offset).unwrap();
    let (status, info) = send(&anna, &id, &body[from..]).await;
    assert_eq!((status, info["name"].as_str()), (200, Some("talk.mp4")));
    assert_eq!(anna.get(&path).await.0, 404);
    let contents = fetch(&anna, &text(&info["id"]), None)
        .await
        .bytes()
        .await
        .unwrap();
    assert_eq!(contents.len(), body.len());
    assert_eq!(contents[..300_000], body[..300_000]);
}

#[tokio::test]
async fn sizes_are_limited_before_anything_is_kept() {
    let desk = Desk::open_with(|config| config.max_file_bytes = 1000).await;
    let anna = desk.person("anna").await;
    let room = anna.town_square().await;
    for (size, status) in [(1001, 413), (0, 400)] {
        let body = json!({ "channel_id": room, "filename": "a", "file_size": size });
        assert_eq!(anna.post("/uploads", body).await.0, status);
    }
    let part = Part::bytes(noise(1001)).file_name("a");
    let form = Form::new().text("channel_id", room).part("files", part);
    let response = anna
        .request(Method::POST, "/files")
        .multipart(form)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    let left = std::fs::read_dir(desk.dir.join("uploads")).unwrap().count();
    assert_eq!(left, 0);
    let form = Form::new().part("files", Part::bytes(noise(10)).file_name("a"));
    let response = anna
        .request(Method::POST, "/files")
        .multipart(form)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 400, "a file needs a room");
}
