//! A server with people, a channel, a media host and maybe a job service.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use messaging::People as _;
use messaging::embedded::{NewAccount, Server};
use messaging::model::RoomKind;
use pretend::MediaHost;
use proto::id::{ChannelId, UserId};
use proto::redact::Secret;
use serde_json::Value;
use service::telemetry::testing::{Discretion, Secrets};
use settings::Link;
use signalling::config::RawConfig;
use signalling::{Config, Running};
use tempfile::TempDir;

use crate::client::Client;
use crate::fake_jobs::FakeJobs;

/// A person and a login.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: UserId,
    pub token: String,
}

pub struct World {
    pub running: Running,
    pub rtcd: MediaHost,
    pub jobs: Option<FakeJobs>,
    pub data: TempDir,
    pub channel: ChannelId,
    pub admin: Person,
    pub anna: Person,
    pub ben: Person,
    pub http: reqwest::Client,
    /// What people here want kept to themselves; it ends with the world.
    pub secrets: Secrets,
    _discretion: Discretion,
}

/// Of everybody here.
const PASSWORD: &str = "correct horse battery";

impl World {
    pub async fn new() -> Self {
        Self::with(None, |_| {}).await
    }

    pub async fn with_jobs() -> Self {
        Self::with(Some(FakeJobs::start().await), |_| {}).await
    }

    pub async fn with(jobs: Option<FakeJobs>, change: impl FnOnce(&mut RawConfig)) -> Self {
        let secrets = Secrets::default();
        let of_jobs = jobs.as_ref().map(|jobs| jobs.secrets.clone());
        let discretion = Discretion::begin(&[&secrets, &of_jobs.unwrap_or_default()]);
        secrets.keep("password", PASSWORD);
        secrets.keep("description", "v=0");
        let of_host = secrets.clone();
        let rtcd = MediaHost::start(move |key| of_host.keep("auth key", key)).await;
        let data = tempfile::tempdir().unwrap();
        let config = config(&data, &rtcd, jobs.as_ref(), change);
        let running = signalling::start(config).await.unwrap();
        let chat = running.chat().clone();
        let admin = person(&chat, "admin", true, &secrets).await;
        let anna = person(&chat, "anna", false, &secrets).await;
        let ben = person(&chat, "ben", false, &secrets).await;
        let team = chat.ensure_team("north", "North").await.unwrap();
        let channel = chat
            .ensure_room(&team, "talk", "Talk", RoomKind::Private)
            .await
            .unwrap()
            .id;
        for one in [&admin, &anna, &ben] {
            chat.ensure_member(&channel, &one.id).await.unwrap();
        }
        let http = reqwest::Client::new();
        Self {
            running,
            rtcd,
            jobs,
            data,
            channel,
            admin,
            anna,
            ben,
            http,
            secrets,
            _discretion: discretion,
        }
    }

    /// Stops the server and starts it again with the same records.
    pub async fn restart(self) -> Self {
        let Self {
            running,
            rtcd,
            jobs,
            data,
            channel,
            admin,
            anna,
            ben,
            http,
            secrets,
            _discretion,
        } = self;
        running.stop().await;
        let config = config(&data, &rtcd, jobs.as_ref(), |_| {});
        let running = signalling::start(config).await.unwrap();
        Self {
            running,
            rtcd,
            jobs,
            data,
            channel,
            admin,
            anna,
            ben,
            http,
            secrets,
            _discretion,
        }
    }

    /// The configuration of a tool beside the server.
    pub fn tools_config(&self) -> Config {
        config(&self.data, &self.rtcd, self.jobs.as_ref(), |_| {})
    }

    pub fn addr(&self) -> SocketAddr {
        self.running.http_addr()
    }

    pub async fn connect(&self, person: &Person) -> Client {
        let client = Client::connect(self.addr(), &person.token).await;
        self.secrets
            .keep("address", &client.local_addr().to_string());
        client
    }

    /// Two people in a call.
    pub async fn anna_and_ben(&self) -> (Client, Client) {
        let mut anna = self.connect(&self.anna).await;
        anna.join(&self.channel).await;
        let mut ben = self.connect(&self.ben).await;
        ben.join(&self.channel).await;
        anna.wait_for("user_joined").await;
        (anna, ben)
    }

    /// A login of the bot; only one exists, the newest.
    pub async fn bot(&self) -> Person {
        let (bot, token) = self
            .running
            .chat()
            .ensure_bot("calls", "Calls")
            .await
            .unwrap();
        self.secrets.keep("bot token", &token);
        Person { id: bot.id, token }
    }

    pub async fn newcomer(&self, name: &str) -> Person {
        let newcomer = person(self.running.chat(), name, false, &self.secrets).await;
        self.running
            .chat()
            .ensure_member(&self.channel, &newcomer.id)
            .await
            .unwrap();
        newcomer
    }

    pub async fn sysadmin(&self, name: &str) -> Person {
        person(self.running.chat(), name, true, &self.secrets).await
    }

    /// A private room of the team, without members.
    pub async fn room(&self, name: &str) -> ChannelId {
        self.room_of(RoomKind::Private, name).await
    }

    /// A room of the team, without members.
    pub async fn room_of(&self, kind: RoomKind, name: &str) -> ChannelId {
        let chat = self.running.chat();
        let team = chat.ensure_team("north", "North").await.unwrap();
        let room = chat.ensure_room(&team, name, name, kind).await;
        room.unwrap().id
    }

    pub async fn enter(&self, room: &ChannelId, person: &Person) {
        let entered = self.running.chat().ensure_member(room, &person.id);
        entered.await.unwrap();
    }

    pub async fn stranger(&self, name: &str) -> Person {
        person(self.running.chat(), name, false, &self.secrets).await
    }

    pub async fn get(&self, person: &Person, path: &str) -> (u16, Value) {
        let request = self.http.get(self.url(path)).bearer_auth(&person.token);
        read(request.send().await.unwrap()).await
    }

    pub async fn post(&self, person: &Person, path: &str, body: Value) -> (u16, Value) {
        let request = self
            .http
            .post(self.url(path))
            .bearer_auth(&person.token)
            .json(&body);
        read(request.send().await.unwrap()).await
    }

    pub async fn post_bytes(&self, person: &Person, path: &str, body: Vec<u8>) -> (u16, Value) {
        let request = self
            .http
            .post(self.url(path))
            .bearer_auth(&person.token)
            .body(body);
        read(request.send().await.unwrap()).await
    }

    /// Asks the chat's API.
    pub async fn chat_get(&self, person: &Person, path: &str) -> (u16, Value) {
        let request = self.http.get(self.chat_url(path));
        let request = request.bearer_auth(&person.token);
        read(request.send().await.unwrap()).await
    }

    pub async fn chat_post(&self, person: &Person, path: &str, body: Value) -> (u16, Value) {
        let request = self.http.post(self.chat_url(path)).json(&body);
        let request = request.bearer_auth(&person.token);
        read(request.send().await.unwrap()).await
    }

    /// Somebody takes a person, or themselves, out of a channel.
    pub async fn remove(&self, by: &Person, channel: &ChannelId, who: &Person) {
        let url = self.chat_url(&format!("/channels/{channel}/members/{}", who.id));
        let request = self.http.delete(url).bearer_auth(&by.token);
        assert_eq!(request.send().await.unwrap().status(), 200);
    }

    /// Makes somebody an administrator of a channel.
    pub async fn let_manage(&self, by: &Person, channel: &ChannelId, who: &Person) {
        let url = self.chat_url(&format!(
            "/channels/{channel}/members/{}/schemeRoles",
            who.id
        ));
        let request = self.http.put(url).bearer_auth(&by.token);
        let roles = serde_json::json!({"scheme_user": true, "scheme_admin": true});
        assert_eq!(request.json(&roles).send().await.unwrap().status(), 200);
    }

    fn chat_url(&self, path: &str) -> String {
        format!("http://{}/api/v4{path}", self.addr())
    }

    /// The room of two people.
    pub async fn direct(&self, a: &Person, b: &Person) -> ChannelId {
        let room = self.running.chat().ensure_direct_room(&a.id, &b.id);
        room.await.unwrap().id
    }

    pub async fn metrics(&self) -> String {
        let port = self.running.metrics_addr().unwrap();
        let request = self.http.get(format!("http://{port}/metrics"));
        request.send().await.unwrap().text().await.unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/plugins/com.mattermost.calls{path}", self.addr())
    }

    /// The path of the call, with something behind it.
    pub fn call_path(&self, rest: &str) -> String {
        format!("/calls/{}/{rest}", self.channel)
    }
}

/// Waits for something to become true.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{what} did not happen"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub async fn read(answer: reqwest::Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}

fn config(
    data: &TempDir,
    rtcd: &MediaHost,
    jobs: Option<&FakeJobs>,
    change: impl FnOnce(&mut RawConfig),
) -> Config {
    let mut raw = RawConfig::default();
    raw.http.listen = "127.0.0.1:0".to_owned();
    raw.http.metrics_listen = "127.0.0.1:0".to_owned();
    raw.storage.data_dir = data.path().to_owned();
    raw.rtcd.urls = vec![Link(rtcd.url())];
    if let Some(jobs) = jobs {
        raw.offloader.url = Link(jobs.url());
    }
    change(&mut raw);
    raw.resolve().unwrap()
}

async fn person(chat: &Arc<Server>, name: &str, is_admin: bool, secrets: &Secrets) -> Person {
    let account = NewAccount {
        username: name.to_owned(),
        password: Secret::new(PASSWORD),
        first_name: format!("First{name}"),
        is_admin,
        ..NewAccount::default()
    };
    let id = chat.ensure_account(account).await.unwrap().id;
    let token = chat
        .issue_token(&id, Some(Duration::from_secs(3600)))
        .await
        .unwrap();
    secrets.keep("user name", name);
    secrets.keep("first name", &format!("First{name}"));
    secrets.keep("token", &token);
    Person { id, token }
}
