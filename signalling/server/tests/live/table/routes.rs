//! Who is answered what: a row for every route of the Calls API.

use serde_json::{Value, json};

use super::{Cast, PEOPLE, Place, world};
use crate::world::{Person, World, read};

/// Requests that one account may make at once, with room for what prepares a row.
const ROWS_PER_CAST: usize = 5;

type Body = fn(&Place) -> Value;

/// `route` is as it is registered; `{channel}` and the like are filled in.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) route: &'static str,
    body: Body,
    /// Whether the call is recorded, and the bot has work to show.
    is_recorded: bool,
    cells: [u16; 9],
}

impl Route {
    const fn recorded(self) -> Self {
        Self {
            is_recorded: true,
            ..self
        }
    }
}

const fn get(route: &'static str, cells: [u16; 9]) -> Route {
    let method = "GET";
    let body: Body = |_| Value::Null;
    Route {
        method,
        route,
        body,
        is_recorded: false,
        cells,
    }
}

const fn post(route: &'static str, body: Body, cells: [u16; 9]) -> Route {
    let method = "POST";
    Route {
        method,
        route,
        body,
        is_recorded: false,
        cells,
    }
}

const SIGNED_IN: [u16; 9] = [401, 200, 200, 200, 200, 200, 200, 200, 200];
const ADMINS: [u16; 9] = [401, 403, 403, 403, 403, 200, 403, 403, 200];
const READERS: [u16; 9] = [401, 403, 403, 200, 200, 200, 200, 200, 200];
const HOST: [u16; 9] = [401, 403, 403, 403, 200, 403, 403, 403, 403];
const HOSTS: [u16; 9] = [401, 400, 400, 400, 200, 200, 400, 400, 200];
/// What the bot is answered depends on what it says.
const fn bot(says: u16) -> [u16; 9] {
    [401, 403, 403, 403, 403, 403, says, 403, 403]
}

#[rustfmt::skip]
pub(super) const ROUTES: &[Route] = &[
    get("/version", [200; 9]),
    get("/standalone/{*file}", [403; 9]),
    get("/config", SIGNED_IN),
    get("/env", ADMINS),
    get("/stats", ADMINS),
    get("/metrics", [200; 9]),
    // What there is instead is said to those who may ask.
    get("/debug/pprof/{*profile}", [401, 403, 403, 403, 403, 501, 403, 403, 501]),
    get("/channels", SIGNED_IN),
    get("/turn-credentials", SIGNED_IN),
    get("/{channel}", READERS),
    post("/{channel}", |_| json!({"enabled": true}), [401, 403, 403, 403, 403, 200, 403, 200, 200]),
    get("/calls/{channel}/active", READERS),
    post("/calls/{channel}/dismiss-notification", nothing, [401, 400, 400, 200, 200, 200, 200, 200, 200]),
    post("/calls/{channel}/recording/start", nothing, HOST),
    post("/calls/{channel}/recording/stop", nothing, HOST).recorded(),
    // Of a recording that does not run, which only the host is told.
    post("/calls/{channel}/recording/pause", nothing, [401, 403, 403, 403, 400, 403, 403, 403, 403]),
    post("/calls/{channel}/recording/resume", nothing, [401, 403, 403, 403, 400, 403, 403, 403, 403]),
    // None that there is.
    post("/calls/{channel}/recording/rest", nothing, [401, 403, 403, 400, 400, 400, 400, 400, 400]),
    post("/calls/{channel}/host/make", |at| json!({"new_host_id": at.host}), HOSTS),
    post("/calls/{channel}/host/mute", session, HOSTS),
    post("/calls/{channel}/host/mute-others", nothing, HOSTS),
    post("/calls/{channel}/host/screen-off", session, HOSTS),
    post("/calls/{channel}/host/lower-hand", session, HOSTS),
    post("/calls/{channel}/host/remove", session, HOSTS),
    post("/calls/{channel}/host/end", nothing, HOSTS),
    post("/calls/{channel}/end", nothing, HOSTS),
    post("/calls/{channel}/sessions/{session}/leave", nothing, [401, 400, 400, 200, 400, 400, 400, 400, 400]),
    // Nobody translates here; who is in the call may ask.
    post("/calls/{channel}/captions/translate", caption, [401, 400, 400, 501, 501, 501, 403, 501, 403]),
    post("/logs/upload", |at| json!({"logs": "x", "channel_id": at.channel}), [401, 400, 400, 200, 200, 200, 200, 200, 200]),
    post("/cloud-notify-admins", nothing, [401, 400, 400, 400, 400, 400, 400, 400, 400]),
    get("/bot/channels/{channel}", bot(200)),
    get("/bot/users/{user}/image", bot(200)),
    get("/bot/calls/{channel}/sessions/{session}/profile", bot(200)),
    get("/bot/calls/{channel}/filename", bot(200)),
    post("/bot/uploads", |at| json!({"channel_id": at.channel, "filename": "a", "file_size": 1}), bot(200)),
    get("/bot/uploads/{upload}", bot(200)).recorded(),
    // Two bytes, and it is complete.
    post("/bot/uploads/{upload}", nothing, bot(200)).recorded(),
    post("/bot/calls/{channel}/recordings", |at| json!({
        "JobID": at.work.recording, "PostID": at.work.post, "FileIDs": [at.work.files[0]],
    }), bot(200)).recorded(),
    post("/bot/calls/{channel}/transcriptions", |at| json!({
        "JobID": at.work.transcribing, "PostID": at.work.post,
        "Transcriptions": [{"Language": "en", "FileIDs": at.work.files}],
    }), bot(200)).recorded(),
    post("/bot/calls/{channel}/jobs/{job}/status", |_| json!({"JobType": "recording", "Status": "started"}),
        bot(200)).recorded(),
];

fn nothing(_: &Place) -> Value {
    json!({})
}

fn caption(_: &Place) -> Value {
    json!({"from": "en", "to": "es", "text": "hello"})
}

fn session(at: &Place) -> Value {
    json!({"session_id": at.session})
}

/// What somebody is told who asks for something there.
pub(super) async fn answer(
    world: &World,
    route: &Route,
    place: &Place,
    person: Option<&Person>,
) -> (u16, Value) {
    let method = reqwest::Method::from_bytes(route.method.as_bytes()).unwrap();
    let url = world.url(&place.path(route.route));
    let mut request = world.http.request(method, url);
    if route.method == "POST" {
        request = request.json(&(route.body)(place));
    }
    if let Some(person) = person {
        request = request.bearer_auth(&person.token);
    }
    read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn every_route_answers_everybody_as_the_table_says() {
    let world = world().await;
    let mut wrong = Vec::new();
    for (number, rows) in ROUTES.chunks(ROWS_PER_CAST).enumerate() {
        let cast = Cast::new(&world, number).await;
        for (row, route) in rows.iter().enumerate() {
            let mut place = cast.place(&world, &format!("row{number}-{row}")).await;
            if route.is_recorded {
                place.record(&world, &cast).await;
            }
            for (at, person) in cast.people.iter().enumerate() {
                let (status, said) = answer(&world, route, &place, person.as_ref()).await;
                let told = format!("{} {}: {}", route.method, route.route, PEOPLE[at]);
                let cell = route.cells[at];
                let is_wrong = status != cell;
                wrong.extend(is_wrong.then(|| format!("{told} hears {status} {said}, not {cell}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
