//! A messaging server as the bot meets it: the WebSocket, the bot's routes, and misfortunes on
//! demand.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use proto::calls::action::Caption;
use proto::calls::frame::ClientFrame;
use proto::calls::{Action, NAME_PREFIX};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::sfu::{self, Script};

pub(crate) const TOKEN: &str = "tokentokentokentokentokent";
/// Of everybody in a call.
pub(crate) const LAST_NAME: &str = "Nightingale";
/// The profile picture of everybody, in its first bytes an image.
pub(crate) const FACE: &[u8] = b"\x89PNG and so on";
/// Whose id ends so has a drawing instead, as of a server that makes one.
const FACELESS: &str = "ben";
pub(crate) const CHANNEL: &str = "channelchannelchannelchann";
pub(crate) const POST: &str = "postpostpostpostpostpostpo";
pub(crate) const JOB: &str = "jobjobjobjobjobjobjobjobjo";

#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) name: String,
    pub(crate) size: usize,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) url: String,
    pub(crate) script: Mutex<Script>,
    pub(crate) statuses: Mutex<Vec<Value>>,
    pub(crate) recordings: Mutex<Vec<Value>>,
    pub(crate) transcriptions: Mutex<Vec<Value>>,
    pub(crate) uploads: Mutex<HashMap<String, Upload>>,
    pub(crate) captions: Mutex<Vec<Value>>,
    /// Upload sessions that were begun.
    pub(crate) begun: AtomicUsize,
    pub(crate) joins: AtomicUsize,
    /// Of those who joined, in their order.
    pub(crate) sessions: Mutex<Vec<String>>,
    pub(crate) leaves: AtomicUsize,
    /// So many bytes of each piece are taken, the rest is ignored.
    pub(crate) piece_limit: AtomicUsize,
    /// So many of the next requests to the bot's routes are answered 503.
    pub(crate) failures: AtomicUsize,
    /// Larger files are refused, in the words of our own server.
    pub(crate) largest_file: AtomicUsize,
    /// The next upload is cut off when it has so many bytes, unless 0.
    pub(crate) cut_at: AtomicUsize,
    /// WebSockets are opened and nothing is said on them, as by a server that forgot the token.
    pub(crate) silent: AtomicBool,
    /// WebSockets are refused.
    pub(crate) closed: AtomicBool,
    /// Nobody's profile is told.
    pub(crate) no_profiles: AtomicBool,
    /// Joins are refused with these words, unless empty.
    pub(crate) no_join: Mutex<String>,
    /// So many of the next results are taken, and a proxy on the way loses the answer.
    pub(crate) lost_answers: AtomicUsize,
    /// Nobody may read posts.
    pub(crate) no_posts: AtomicBool,
    /// This is answered to every request instead, unless 0.
    pub(crate) always: AtomicU64,
    events: broadcast::Sender<Value>,
}

impl Site {
    pub(crate) async fn start(script: Script) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr: SocketAddr = listener.local_addr().unwrap();
        let site = Arc::new(Self {
            url: format!("http://{addr}"),
            script: Mutex::new(script),
            statuses: Mutex::default(),
            recordings: Mutex::default(),
            transcriptions: Mutex::default(),
            uploads: Mutex::default(),
            captions: Mutex::default(),
            begun: AtomicUsize::new(0),
            joins: AtomicUsize::new(0),
            sessions: Mutex::default(),
            leaves: AtomicUsize::new(0),
            piece_limit: AtomicUsize::new(usize::MAX),
            failures: AtomicUsize::new(0),
            largest_file: AtomicUsize::new(usize::MAX),
            cut_at: AtomicUsize::new(0),
            silent: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            no_profiles: AtomicBool::new(false),
            no_join: Mutex::default(),
            lost_answers: AtomicUsize::new(0),
            no_posts: AtomicBool::new(false),
            always: AtomicU64::new(0),
            events: broadcast::channel(64).0,
        });
        let bot = Router::new()
            .route("/channels/{channel}", get(channel))
            .route("/users/{user}/image", get(portrait))
            .route("/calls/{channel}/filename", get(filename))
            .route("/calls/{channel}/sessions/{session}/profile", get(profile))
            .route("/calls/{channel}/jobs/{job}/status", post(status))
            .route("/calls/{channel}/recordings", post(recordings))
            .route("/calls/{channel}/transcriptions", post(transcriptions))
            .route("/uploads", post(new_upload))
            .route("/uploads/{id}", get(see_upload).post(add_piece))
            .layer(axum::middleware::from_fn_with_state(
                site.clone(),
                misfortune,
            ));
        let app = Router::new()
            .route("/api/v4/websocket", get(websocket))
            .route("/api/v4/posts/{post}", get(call_post))
            .nest("/plugins/com.mattermost.calls/bot", bot)
            .layer(DefaultBodyLimit::max(64 << 20))
            .with_state(site.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        site
    }

    /// Sends an event to every bot.
    pub(crate) fn tell(&self, name: &str, data: &Value) {
        let event = json!({
            "event": format!("{NAME_PREFIX}{name}"), "data": data, "broadcast": {}, "seq": 1,
        });
        let _ = self.events.send(event);
    }

    pub(crate) fn stop_job(&self) {
        self.tell("job_stop", &json!({ "job_id": JOB }));
    }

    pub(crate) fn recording_input(&self) -> Value {
        json!({
            "site_url": self.url, "call_id": CHANNEL, "post_id": POST, "recording_id": JOB,
            "auth_token": TOKEN, "width": 1280, "height": 720, "video_rate": 1000,
            "audio_rate": 64, "frame_rate": 15, "video_preset": "ultrafast",
            "output_format": "mp4",
        })
    }

    fn answer_to_result(&self) -> Response {
        let lost = self
            .lost_answers
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        match lost {
            Ok(_) => StatusCode::GATEWAY_TIMEOUT.into_response(),
            Err(_) => good().into_response(),
        }
    }

    /// Closes every WebSocket.
    pub(crate) fn hang_up(&self) {
        let _ = self.events.send(Value::Null);
    }

    /// The one uploaded file whose name ends so.
    pub(crate) fn file(&self, ending: &str) -> Vec<u8> {
        let uploads = self.uploads.lock().unwrap();
        let mut found = uploads
            .values()
            .filter(|upload| upload.name.ends_with(ending));
        let upload = found.next().unwrap_or_else(|| panic!("no file {ending}"));
        assert_eq!(upload.bytes.len(), upload.size);
        upload.bytes.clone()
    }
}

/// Waits until something is true.
pub(crate) async fn eventually(what: &str, limit: Duration, mut is: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + limit;
    while !is().await {
        assert!(Instant::now() < until, "waited {limit:?} for: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn misfortune(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    assert_eq!(headers["authorization"], format!("Bearer {TOKEN}"));
    let always = site.always.load(Ordering::Relaxed);
    if always != 0 {
        let status = StatusCode::from_u16(always as u16).unwrap();
        return (
            status,
            Json(json!({ "message": "no", "status_code": always })),
        )
            .into_response();
    }
    let unlucky = site
        .failures
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        })
        .is_ok();
    if unlucky {
        return (StatusCode::SERVICE_UNAVAILABLE, "busy").into_response();
    }
    next.run(request).await
}

async fn channel(Path(channel): Path<String>) -> Json<Value> {
    Json(json!({ "id": channel, "type": "O", "name": "town", "display_name": "Town Hall" }))
}

async fn portrait(Path(user): Path<String>) -> Vec<u8> {
    if user.ends_with(FACELESS) {
        b"<svg/>".to_vec()
    } else {
        FACE.to_vec()
    }
}

async fn filename() -> Json<Value> {
    Json(json!({ "filename": "Call_Town_2026-11-22_00-00-00" }))
}

async fn profile(
    State(site): State<Arc<Site>>,
    Path((_, session)): Path<(String, String)>,
) -> Result<Json<Value>, StatusCode> {
    if site.no_profiles.load(Ordering::Relaxed) {
        return Err(StatusCode::INTERNAL_SERVER_ERROR);
    }
    Ok(Json(json!({
        "id": format!("user{session}"), "username": session, "first_name": "Name",
        "last_name": LAST_NAME,
    })))
}

fn good() -> Json<Value> {
    Json(json!({ "message": "success", "status_code": 200 }))
}

async fn status(
    State(site): State<Arc<Site>>,
    Path((_, job)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Json<Value> {
    assert_eq!(job, JOB);
    site.statuses.lock().unwrap().push(body);
    good()
}

async fn recordings(State(site): State<Arc<Site>>, Json(body): Json<Value>) -> Response {
    site.recordings.lock().unwrap().push(body);
    site.answer_to_result()
}

async fn transcriptions(State(site): State<Arc<Site>>, Json(body): Json<Value>) -> Response {
    site.transcriptions.lock().unwrap().push(body);
    site.answer_to_result()
}

/// The call's post, which names its results.
async fn call_post(State(site): State<Arc<Site>>, Path(post): Path<String>) -> Response {
    if site.no_posts.load(Ordering::Relaxed) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let results = |reports: &Mutex<Vec<Value>>| -> Value {
        let reports = reports.lock().unwrap();
        let job = |report: &Value| report["JobID"].as_str().unwrap().to_owned();
        let entries = reports
            .iter()
            .map(|report| (job(report), json!({ "post_id": "result" })));
        Value::Object(entries.collect())
    };
    let props = json!({
        "recordings": results(&site.recordings), "transcriptions": results(&site.transcriptions),
    });
    Json(json!({ "id": post, "props": props })).into_response()
}

fn session(id: &str, upload: &Upload) -> Json<Value> {
    Json(json!({
        "id": id, "type": "attachment", "create_at": 1, "user_id": "bot", "channel_id": CHANNEL,
        "filename": upload.name, "file_size": upload.size, "file_offset": upload.bytes.len(),
    }))
}

async fn new_upload(State(site): State<Arc<Site>>, Json(body): Json<Value>) -> Response {
    let largest = site.largest_file.load(Ordering::Relaxed);
    if body["file_size"].as_u64().unwrap() as usize > largest {
        let message = format!("a file is larger than {largest} bytes (`chat.max_file_bytes`)");
        let refused = Json(json!({ "message": message, "status_code": 400 }));
        return (StatusCode::BAD_REQUEST, refused).into_response();
    }
    let id = format!("upload{}", site.begun.fetch_add(1, Ordering::Relaxed));
    let upload = Upload {
        name: body["filename"].as_str().unwrap().to_owned(),
        size: body["file_size"].as_u64().unwrap() as usize,
        bytes: Vec::new(),
    };
    assert_eq!(body["channel_id"], CHANNEL);
    let answer = session(&id, &upload);
    site.uploads.lock().unwrap().insert(id, upload);
    answer.into_response()
}

async fn see_upload(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    match site.uploads.lock().unwrap().get(&id) {
        Some(upload) => session(&id, upload).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn add_piece(State(site): State<Arc<Site>>, Path(id): Path<String>, body: Bytes) -> Response {
    let mut uploads = site.uploads.lock().unwrap();
    let Some(upload) = uploads.get_mut(&id) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let taken = body.len().min(site.piece_limit.load(Ordering::Relaxed));
    let cut = site.cut_at.load(Ordering::Relaxed);
    if cut > 0 && upload.bytes.len() + taken > cut {
        site.cut_at.store(0, Ordering::Relaxed);
        let rest = cut.saturating_sub(upload.bytes.len());
        upload.bytes.extend_from_slice(&body[..rest]);
        return StatusCode::BAD_GATEWAY.into_response();
    }
    upload.bytes.extend_from_slice(&body[..taken]);
    assert!(
        upload.bytes.len() <= upload.size,
        "more bytes than announced"
    );
    if upload.bytes.len() < upload.size {
        return StatusCode::NO_CONTENT.into_response();
    }
    Json(json!({
        "id": format!("file-{id}"), "user_id": "bot", "create_at": 1, "update_at": 1,
        "delete_at": 0, "name": upload.name, "extension": "mp4", "size": upload.size,
        "mime_type": "video/mp4",
    }))
    .into_response()
}

async fn websocket(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let closed = site.closed.load(Ordering::Relaxed);
    if closed || headers["authorization"] != format!("Bearer {TOKEN}") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    upgrade.on_upgrade(move |socket| serve(site, socket))
}

fn shown(caption: Caption) -> Value {
    let line = caption.line.map(|line| line.utterance);
    json!({ "session": caption.session, "text": caption.text, "line": line })
}

async fn serve(site: Arc<Site>, mut socket: WebSocket) {
    let id = proto::id::new_id();
    let mut events = site.events.subscribe();
    let text = |value: Value| Message::Text(value.to_string().into());
    let hello = json!({
        "event": "hello", "data": { "connection_id": id, "server_version": "10" }, "seq": 0,
    });
    if site.silent.load(Ordering::Relaxed) {
        // Until the other side has had enough.
        while socket.recv().await.is_some() {}
        return;
    }
    socket.send(text(hello)).await.unwrap();
    let mut media = None;
    let mut av1 = false;
    loop {
        let message = tokio::select! {
            event = events.recv() => {
                let event = event.unwrap();
                if event.is_null() || socket.send(text(event)).await.is_err() { return; }
                continue;
            }
            message = socket.recv() => match message {
                Some(Ok(message)) => message,
                _ => return,
            },
        };
        let frame = match message {
            Message::Text(text) => ClientFrame::decode_text(&text).unwrap(),
            Message::Binary(bytes) => ClientFrame::decode_binary(&bytes).unwrap(),
            _ => continue,
        };
        match Action::decode(&frame.action, &frame.data).unwrap() {
            Action::Join(join) => {
                assert_eq!(join.channel.as_str(), CHANNEL);
                assert_eq!(join.job.unwrap().as_str(), JOB);
                site.joins.fetch_add(1, Ordering::Relaxed);
                site.sessions.lock().unwrap().push(id.clone());
                av1 = join.av1_support;
                let refusal = site.no_join.lock().unwrap().clone();
                if !refusal.is_empty() {
                    let refused = json!({
                        "event": format!("{NAME_PREFIX}error"), "seq": 1,
                        "data": { "data": refusal, "connID": id },
                        "broadcast": { "connection_id": id },
                    });
                    socket.send(text(refused)).await.unwrap();
                    continue;
                }
                let joined = json!({
                    "event": format!("{NAME_PREFIX}join"), "data": { "connID": id }, "seq": 1,
                    "broadcast": { "connection_id": id },
                });
                socket.send(text(joined)).await.unwrap();
            }
            Action::Sdp(offer) => {
                let (stop, stopped) = std::sync::mpsc::channel();
                let script = site.script.lock().unwrap().clone().for_whom(av1);
                let answer =
                    tokio::task::spawn_blocking(move || sfu::answer(&offer.sdp, script, stopped));
                let answer = json!({ "type": "answer", "sdp": answer.await.unwrap() });
                media = Some(stop);
                let signal = json!({
                    "event": format!("{NAME_PREFIX}signal"), "seq": 2, "broadcast": {},
                    "data": { "data": answer.to_string(), "connID": id },
                });
                socket.send(text(signal)).await.unwrap();
            }
            Action::Caption(caption) => {
                site.captions.lock().unwrap().push(shown(caption));
            }
            Action::Leave => {
                site.leaves.fetch_add(1, Ordering::Relaxed);
                drop(media.take());
            }
            _ => {}
        }
    }
}
