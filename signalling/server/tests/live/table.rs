//! Who may do and hear what: a row for every route, action and event of the Calls door, a cell for
//! every kind of person. Whatever the door has and these tables have not is found by `missing`.
//!
//! Columns: nobody (for routes) or a member without a session (for actions and events); a stranger
//! to the team; a member of the team who is no member of the channel; a participant; the host; a
//! system administrator in the call; the bot.

use std::collections::BTreeSet;

use proto::calls::action::{Action, Caption, Emoji, Metric, MetricName};
use proto::id::{ChannelId, SessionId};
use serde_json::{Value, json};

use crate::client::{Client, short};
use crate::fake_jobs::FakeJobs;
use crate::world::{Person, World, read, until};

mod events;
mod missing;

const PEOPLE: [&str; 7] = [
    "nobody", "stranger", "teammate", "member", "host", "admin", "bot",
];
/// Requests that one account may make at once, with room for what prepares a row.
const ROWS_PER_CAST: usize = 7;

type Body = fn(&Place) -> Value;

/// `route` is as it is registered; `{channel}` and the like are filled in.
struct Route {
    method: &'static str,
    route: &'static str,
    body: Body,
    cells: [u16; 7],
}

const fn get(route: &'static str, cells: [u16; 7]) -> Route {
    let method = "GET";
    let body: Body = |_| Value::Null;
    Route {
        method,
        route,
        body,
        cells,
    }
}

const fn post(route: &'static str, body: Body, cells: [u16; 7]) -> Route {
    let method = "POST";
    Route {
        method,
        route,
        body,
        cells,
    }
}

const SIGNED_IN: [u16; 7] = [401, 200, 200, 200, 200, 200, 200];
const ADMINS: [u16; 7] = [401, 403, 403, 403, 403, 200, 403];
const READERS: [u16; 7] = [401, 403, 403, 200, 200, 200, 200];
const HOSTS: [u16; 7] = [401, 400, 400, 400, 200, 200, 400];
/// What the bot is answered depends on what it says.
const fn bot(says: u16) -> [u16; 7] {
    [401, 403, 403, 403, 403, 403, says]
}

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    get("/version", [200; 7]),
    get("/standalone/{*file}", [403; 7]),
    get("/config", SIGNED_IN),
    get("/env", ADMINS),
    get("/stats", ADMINS),
    get("/metrics", ADMINS),
    // What there is instead is said to those who may ask.
    get("/debug/pprof/{*profile}", [401, 403, 403, 403, 403, 501, 403]),
    get("/channels", SIGNED_IN),
    get("/turn-credentials", SIGNED_IN),
    get("/{channel}", READERS),
    post("/{channel}", |_| json!({"enabled": true}), ADMINS),
    get("/calls/{channel}/active", READERS),
    post("/calls/{channel}/dismiss-notification", nothing, [401, 400, 400, 200, 200, 200, 200]),
    post("/calls/{channel}/recording/start", nothing, [401, 403, 403, 403, 200, 403, 403]),
    // Of a recording that does not run, which only the host is told.
    post("/calls/{channel}/recording/stop", nothing, [401, 403, 403, 403, 403, 403, 403]),
    post("/calls/{channel}/recording/pause", nothing, [401, 403, 403, 403, 400, 403, 403]),
    post("/calls/{channel}/recording/resume", nothing, [401, 403, 403, 403, 400, 403, 403]),
    // None that there is.
    post("/calls/{channel}/recording/rest", nothing, [401, 403, 403, 400, 400, 400, 400]),
    post("/calls/{channel}/host/make", |at| json!({"new_host_id": at.host}), HOSTS),
    post("/calls/{channel}/host/mute", session, HOSTS),
    post("/calls/{channel}/host/mute-others", nothing, HOSTS),
    post("/calls/{channel}/host/screen-off", session, HOSTS),
    post("/calls/{channel}/host/lower-hand", session, HOSTS),
    post("/calls/{channel}/host/remove", session, HOSTS),
    post("/calls/{channel}/host/end", nothing, HOSTS),
    post("/calls/{channel}/end", nothing, HOSTS),
    post("/calls/{channel}/sessions/{session}/leave", nothing, [401, 400, 400, 200, 400, 400, 400]),
    // Nobody translates here; who is in the call may ask.
    post("/calls/{channel}/captions/translate", caption, [401, 400, 400, 501, 501, 501, 403]),
    post("/logs/upload", |at| json!({"logs": "x", "channel_id": at.channel}), [401, 400, 400, 200, 200, 200, 200]),
    post("/cloud-notify-admins", nothing, [401, 400, 400, 400, 400, 400, 400]),
    get("/bot/channels/{channel}", bot(200)),
    get("/bot/users/{user}/image", bot(200)),
    get("/bot/calls/{channel}/sessions/{session}/profile", bot(200)),
    get("/bot/calls/{channel}/filename", bot(200)),
    post("/bot/uploads", |at| json!({"channel_id": at.channel, "filename": "a", "file_size": 1}), bot(200)),
    get("/bot/uploads/{upload}", bot(404)),
    post("/bot/uploads/{upload}", nothing, bot(404)),
    post("/bot/calls/{channel}/recordings", nothing, bot(400)),
    post("/bot/calls/{channel}/transcriptions", nothing, bot(400)),
    post("/bot/calls/{channel}/jobs/{job}/status", nothing, bot(400)),
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

/// A channel with a call of the host, the member and the administrator.
struct Place {
    channel: ChannelId,
    host: String,
    /// The member's.
    session: String,
    member: String,
    _inside: [Client; 3],
}

impl Place {
    fn path(&self, route: &str) -> String {
        route
            .replace("{*file}", "widget.html")
            .replace("{*profile}", "heap")
            .replace("{channel}", self.channel.as_str())
            .replace("{session}", &self.session)
            .replace("{user}", &self.member)
            .replace("{upload}", "nosuchupload")
            .replace("{job}", "nosuchjob")
    }
}

struct Cast {
    people: [Option<Person>; 7],
}

impl Cast {
    async fn new(world: &World, number: usize) -> Self {
        let name = |kind: &str| format!("{kind}{number}");
        let stranger = world.stranger(&name("stranger")).await;
        let teammate = world.stranger(&name("teammate")).await;
        let elsewhere = world.room("elsewhere").await;
        world.enter(&elsewhere, &teammate).await;
        let member = world.stranger(&name("member")).await;
        let host = world.stranger(&name("host")).await;
        let admin = world.sysadmin(&name("admin")).await;
        let bot = world.bot().await;
        let known = [stranger, teammate, member, host, admin, bot].map(Some);
        let [a, b, c, d, e, f] = known;
        Self {
            people: [None, a, b, c, d, e, f],
        }
    }

    fn person(&self, name: &str) -> &Person {
        let at = PEOPLE.iter().position(|one| *one == name).unwrap();
        self.people[at].as_ref().unwrap()
    }

    async fn place(&self, world: &World, name: &str) -> Place {
        let channel = world.room(name).await;
        let mut inside = Vec::new();
        for name in ["host", "member", "admin"] {
            let person = self.person(name);
            world.enter(&channel, person).await;
            let mut client = world.connect(person).await;
            client.join(&channel).await;
            inside.push(client);
        }
        Place {
            channel,
            host: self.person("host").id.to_string(),
            session: inside[1].connection.clone(),
            member: self.person("member").id.to_string(),
            _inside: inside.try_into().ok().unwrap(),
        }
    }
}

async fn world() -> World {
    World::with(Some(FakeJobs::start().await), |raw| {
        raw.calls.video = true;
        raw.ice.turn_secret = proto::redact::Secret::new("shared");
        let turn = proto::calls::IceServer {
            urls: vec!["turn:turn.example.org".to_owned()],
            ..proto::calls::IceServer::default()
        };
        raw.ice.servers = settings::Json(vec![turn]);
    })
    .await
}

async fn answer(
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
            let place = cast.place(&world, &format!("row{number}-{row}")).await;
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

/// What shows that an action did something.
enum Shown {
    /// To another participant.
    ToOthers(&'static str),
    /// To whoever acts.
    ToOneself(&'static str),
    ToMediaHost(&'static str),
    Counted(&'static str),
    Never,
}

struct Act {
    action: fn(&Scene, usize) -> Action,
    shown: Shown,
    /// Before it, and after it, for those who may.
    before: Option<Action>,
    after: Option<Action>,
    cells: [bool; 7],
}

const fn act(action: fn(&Scene, usize) -> Action, shown: Shown, cells: [bool; 7]) -> Act {
    let (before, after) = (None, None);
    Act {
        action,
        shown,
        before,
        after,
        cells,
    }
}

const INSIDE: [bool; 7] = [false, false, false, true, true, true, true];
const PARTICIPANTS: [bool; 7] = [false, false, false, true, true, true, false];
const BOT: [bool; 7] = [false, false, false, false, false, false, true];

/// One call; everybody of the columns has a connection, those who can have a session.
struct Scene {
    channel: ChannelId,
    clients: Vec<Client>,
    people: Vec<Person>,
    witness: Client,
    recorder: Client,
    /// The job that the recorder came for.
    recording: String,
}

impl Scene {
    async fn begin(world: &World) -> Self {
        let cast = Cast::new(world, 0).await;
        let channel = world.room("scene").await;
        let outside = world.newcomer("outside").await;
        world.enter(&channel, &outside).await;
        let mut people = vec![outside];
        people.extend(cast.people.iter().flatten().cloned());
        let mut clients = Vec::new();
        for person in &people {
            clients.push(world.connect(person).await);
        }
        for at in [4, 3, 5] {
            world.enter(&channel, &people[at]).await;
            clients[at].join(&channel).await;
        }
        let witness = world.newcomer("witness").await;
        world.enter(&channel, &witness).await;
        let mut witness = world.connect(&witness).await;
        witness.join(&channel).await;
        let start = format!("/calls/{channel}/recording/start");
        assert_eq!(world.post(&people[4], &start, json!({})).await.0, 200);
        let jobs = world.jobs.as_ref().unwrap();
        until("both jobs are asked for", || jobs.jobs().len() == 2).await;
        let asked = jobs.jobs();
        let id = |at: usize, key: &str| asked[at]["input_data"][key].as_str().unwrap().to_owned();
        let mut recorder = world.connect(&people[6]).await;
        let recording = id(0, "recording_id");
        recorder.ask_to_join(&channel, Some(&recording)).await;
        recorder.wait_for("join").await;
        let transcribing = id(1, "transcription_id");
        clients[6].ask_to_join(&channel, Some(&transcribing)).await;
        clients[6].wait_for("call_state").await;
        Self {
            channel,
            clients,
            people,
            witness,
            recorder,
            recording,
        }
    }

    /// The session of a column, or for those without one the member's: it must not help them.
    fn session(&self, at: usize) -> SessionId {
        let own = if INSIDE[at] { at } else { 3 };
        SessionId::parse(self.clients[own].connection.clone()).unwrap()
    }

    async fn is_shown(&mut self, world: &World, at: usize, row: &Act) -> bool {
        let action = (row.action)(self, at);
        let before = (world.metrics().await, world.rtcd.heard().len());
        for client in &mut self.clients {
            client.settled().await;
            client.events.clear();
        }
        self.witness.settled().await;
        self.witness.events.clear();
        if let Action::Reconnect(_) = action {
            let fresh = world.connect(&self.people[at]).await;
            let mut fresh = std::mem::replace(&mut self.clients[at], fresh);
            // The old connection stays open until the new one was judged.
            std::mem::swap(&mut fresh.connection, &mut self.clients[at].connection);
            self.clients[at].act(&action).await;
        } else {
            self.clients[at].act(&action).await;
        }
        self.clients[at].settled().await;
        // The call has taken it by now; what it told of it is sent before what it tells next.
        let channel = self.channel.clone();
        self.witness.act(&Action::CallState { channel }).await;
        self.witness.events = self.witness.events_until("call_state").await;
        self.witness.events.pop();
        self.clients[at].settled().await;
        let has = |client: &Client, name: &str| client.events.iter().any(|one| short(one) == name);
        match row.shown {
            Shown::ToOthers(name) => has(&self.witness, name),
            Shown::ToOneself(name) => has(&self.clients[at], name),
            Shown::ToMediaHost(kind) => {
                let session = self.session(at).to_string();
                // What was sent to the host comes behind what was shown to people.
                for _ in 0..20 {
                    let kinds = world.rtcd.kinds_after(&session, before.1);
                    if kinds.iter().any(|heard| heard == kind) {
                        return true;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
                false
            }
            Shown::Counted(name) => {
                let lines = |text: &str| -> BTreeSet<String> {
                    text.lines()
                        .filter(|line| line.contains(name))
                        .map(str::to_owned)
                        .collect()
                };
                lines(&before.0) != lines(&world.metrics().await)
            }
            Shown::Never => !self.witness.events.is_empty() || !self.clients[at].events.is_empty(),
        }
    }
}

fn stream() -> String {
    "stream".to_owned()
}

fn screen_on() -> Action {
    Action::ScreenOn { stream: stream() }
}

#[rustfmt::skip]
fn actions() -> Vec<(&'static str, Act)> {
    use Shown::{Counted, Never, ToMediaHost, ToOneself, ToOthers};
    vec![
        ("call_state", act(|s, _| Action::CallState { channel: s.channel.clone() }, ToOneself("call_state"),
            [true, false, false, true, true, true, true])),
        ("sdp", act(|_, _| Action::Sdp(proto::rtcd::SessionDescription {
            kind: proto::rtcd::SdpKind::Offer, sdp: "v=0".to_owned(),
        }), ToMediaHost("Sdp"), INSIDE)),
        ("ice", act(|_, _| Action::Ice {
            candidate: r#"{"candidate":"candidate:1 1 udp 1 127.0.0.1 9 typ host"}"#.to_owned(),
        }, ToMediaHost("Ice"), INSIDE)),
        ("unmute", act(|_, _| Action::Unmute, ToOthers("user_unmuted"), PARTICIPANTS)),
        ("mute", act(|_, _| Action::Mute, ToOthers("user_muted"), PARTICIPANTS)),
        ("screen_on", Act { after: Some(Action::ScreenOff),
            ..act(|_, _| screen_on(), ToOthers("user_screen_on"), PARTICIPANTS) }),
        ("screen_off", Act { before: Some(screen_on()),
            ..act(|_, _| Action::ScreenOff, ToOthers("user_screen_off"), PARTICIPANTS) }),
        ("video_on", act(|_, _| Action::VideoOn { stream: stream() }, ToOthers("user_video_on"), PARTICIPANTS)),
        ("video_off", act(|_, _| Action::VideoOff, ToOthers("user_video_off"), PARTICIPANTS)),
        ("raise_hand", act(|_, _| Action::RaiseHand, ToOthers("user_raise_hand"), PARTICIPANTS)),
        ("unraise_hand", act(|_, _| Action::UnraiseHand, ToOthers("user_unraise_hand"), PARTICIPANTS)),
        ("react", act(|_, _| Action::React(Emoji { name: "wave".to_owned(), ..Emoji::default() }),
            ToOthers("user_reacted"), PARTICIPANTS)),
        ("caption", act(|s, _| Action::Caption(Caption {
            session: s.session(3), text: "hi".to_owned(), new_audio_len_ms: 1.0, line: None,
        }), ToOthers("caption"), BOT)),
        ("metric", act(|_, _| Action::Metric(Metric {
            name: MetricName::ClientIceCandidatePair, session: None,
            data: json!({"state": "succeeded", "local": {"type": "host", "protocol": "udp"},
                "remote": {"type": "host", "protocol": "udp"}}).to_string(),
        }), Counted("client_ice_candidate_pairs_total"), INSIDE)),
        ("voice_on", act(|_, _| Action::VoiceOn, Never, [false; 7])),
        ("voice_off", act(|_, _| Action::VoiceOff, Never, [false; 7])),
        ("ping", act(|_, _| Action::Ping, Never, [false; 7])),
        ("reconnect", act(|s, at| Action::Reconnect(proto::calls::action::Reconnect {
            channel: s.channel.clone(),
            original: proto::id::ConnId::parse(s.session(at).to_string()).unwrap(),
            previous: proto::id::ConnId::parse(s.session(at).to_string()).unwrap(),
        }), ToMediaHost("reconnect"), INSIDE)),
        ("leave", act(|_, _| Action::Leave, ToMediaHost("leave"), INSIDE)),
        // Nobody of the columns has a session any more; the witness keeps the call.
        ("join", act(|s, _| Action::Join(proto::calls::action::Join {
            channel: s.channel.clone(), title: String::new(), thread: None, job: None,
            av1_support: false, dc_signalling: true,
        }), ToOneself("join"), [true, false, false, true, true, true, false])),
    ]
}

#[tokio::test]
async fn every_action_does_something_for_those_of_the_table_only() {
    let world = world().await;
    let mut scene = Scene::begin(&world).await;
    let mut wrong = Vec::new();
    for (name, row) in &actions() {
        for (at, who) in PEOPLE.iter().enumerate() {
            if let (Some(before), true) = (&row.before, row.cells[at]) {
                scene.clients[at].act(before).await;
            }
            let shown = scene.is_shown(&world, at, row).await;
            if shown != row.cells[at] {
                wrong.push(format!("`{name}` of {who} is {shown}"));
            }
            if let (Some(after), true) = (&row.after, row.cells[at]) {
                scene.clients[at].act(after).await;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
