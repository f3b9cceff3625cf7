//! Who may do and hear what: a row for every route, action and event of the Calls door, a cell for
//! every kind of person. Whatever the door has and these tables have not is found by `missing`.
//!
//! Columns, in a private channel of a team: nobody (for routes) or a member without a session (for
//! actions and events); a stranger to the team; a member of the team who is no member of the channel;
//! a participant; the host; a system administrator in the call; the bot; an administrator of the
//! channel in the call; a system administrator who is neither in the channel nor in the call. There
//! are no guests. What differs in public channels, direct and group messages: `elsewhere`.

use proto::id::ChannelId;
use serde_json::json;

use crate::client::Client;
use crate::fake_jobs::FakeJobs;
use crate::world::{Person, World, until};

mod actions;
mod elsewhere;
mod events;
mod missing;
mod routes;

const PEOPLE: [&str; 9] = [
    "nobody", "stranger", "teammate", "member", "host", "admin", "bot", "manager", "overseer",
];

/// A channel with a call.
struct Place {
    channel: ChannelId,
    host: String,
    /// The member's.
    session: String,
    member: String,
    work: Work,
    inside: Vec<Client>,
}

/// What the bot has to do in a call that is recorded.
struct Work {
    recording: String,
    transcribing: String,
    post: String,
    /// An upload of which nothing has come.
    upload: String,
    files: [String; 2],
}

impl Work {
    fn none() -> Self {
        let none = || "nosuchwork".to_owned();
        Self {
            recording: none(),
            transcribing: none(),
            post: none(),
            upload: none(),
            files: [none(), none()],
        }
    }
}

impl Place {
    fn path(&self, route: &str) -> String {
        route
            .replace("{*file}", "widget.html")
            .replace("{*profile}", "heap")
            .replace("{channel}", self.channel.as_str())
            .replace("{session}", &self.session)
            .replace("{user}", &self.member)
            .replace("{upload}", &self.work.upload)
            .replace("{job}", &self.work.recording)
    }

    /// The host records, and the bot has something to show.
    async fn record(&mut self, world: &World, cast: &Cast) {
        let start = format!("/calls/{}/recording/start", self.channel);
        let host = cast.person("host");
        assert_eq!(world.post(host, &start, json!({})).await.0, 200);
        let asked = || {
            let mut jobs = world.jobs.as_ref().unwrap().jobs();
            jobs.retain(|job| job["input_data"]["call_id"] == self.channel.as_str());
            jobs
        };
        until("both jobs are asked for", || asked().len() == 2).await;
        let jobs = asked();
        let id = |at: usize, key: &str| jobs[at]["input_data"][key].as_str().unwrap().to_owned();
        let bot = cast.person("bot");
        self.work = Work {
            recording: id(0, "recording_id"),
            transcribing: id(1, "transcription_id"),
            post: id(0, "post_id"),
            upload: upload(world, bot, &self.channel).await,
            files: [
                file(world, bot, &self.channel).await,
                file(world, bot, &self.channel).await,
            ],
        };
    }
}

/// An upload of the bot's, of two bytes.
async fn upload(world: &World, bot: &Person, channel: &ChannelId) -> String {
    let body = json!({"channel_id": channel, "filename": "a", "file_size": 2});
    let (status, session) = world.post(bot, "/bot/uploads", body).await;
    assert_eq!(status, 200, "{session}");
    session["id"].as_str().unwrap().to_owned()
}

async fn file(world: &World, bot: &Person, channel: &ChannelId) -> String {
    let path = format!("/bot/uploads/{}", upload(world, bot, channel).await);
    let (status, file) = world.post_bytes(bot, &path, b"ab".to_vec()).await;
    assert_eq!(status, 200, "{file}");
    file["id"].as_str().unwrap().to_owned()
}

struct Cast {
    people: [Option<Person>; 9],
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
        let manager = world.stranger(&name("manager")).await;
        let overseer = world.sysadmin(&name("overseer")).await;
        let known = [
            stranger, teammate, member, host, admin, bot, manager, overseer,
        ];
        let [a, b, c, d, e, f, g, h] = known.map(Some);
        Self {
            people: [None, a, b, c, d, e, f, g, h],
        }
    }

    fn person(&self, name: &str) -> &Person {
        let at = PEOPLE.iter().position(|one| *one == name).unwrap();
        self.people[at].as_ref().unwrap()
    }

    /// A private channel with a call of the host, the member and both administrators in it.
    async fn place(&self, world: &World, name: &str) -> Place {
        let channel = world.room(name).await;
        let inside = ["host", "member", "admin", "manager"];
        for name in inside {
            world.enter(&channel, self.person(name)).await;
        }
        let (admin, manager) = (self.person("admin"), self.person("manager"));
        world.let_manage(admin, &channel, manager).await;
        self.call(world, channel, &inside).await
    }

    /// A call of these people, the host's first.
    async fn call(&self, world: &World, channel: ChannelId, people: &[&str]) -> Place {
        let mut inside = Vec::new();
        for name in people {
            let mut client = world.connect(self.person(name)).await;
            client.join(&channel).await;
            inside.push(client);
        }
        let session = inside.get(1).unwrap_or(&inside[0]).connection.clone();
        Place {
            channel,
            host: self.person("host").id.to_string(),
            session,
            member: self.person("member").id.to_string(),
            work: Work::none(),
            inside,
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
