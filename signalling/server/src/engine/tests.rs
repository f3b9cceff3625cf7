//! Calls beside each other: what hangs, fails or panics in one is not felt in another.
//!
//! Real owners, registry and writer; a chat server, a media host and clients in memory.

mod chat;

use std::collections::BTreeMap;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use messaging::gateway::ClientHandler as _;
use messaging::model::{ActionData, ActionValue, ClientAction, Login, Person};
use proto::calls::NAME_PREFIX;
use proto::id::{ConnId, SessionId};
use proto::rtcd::ControlMessage;
use serde_json::{Value, json};
use signalling_core::{HostControl, HostControlError, MediaHost, Record};
use tempfile::TempDir;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use super::effects::Publisher;
use super::registry::Place;
use super::writer::Keeper;
use super::*;
use crate::config::RawConfig;
use crate::door::calls::Broadcast;
use chat::TestChat;

/// Longer than anything here takes; a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Writes down what clients are told.
#[derive(Debug)]
struct Ear(mpsc::UnboundedSender<Broadcast>);

impl Publisher for Ear {
    fn publish(&self, broadcast: Broadcast) {
        self.0.send(broadcast).unwrap();
    }
}

/// A database that answers when it is allowed to, and fails when it is told to.
#[derive(Debug)]
struct Gate {
    store: Store,
    commits: Semaphore,
    fails: StdMutex<bool>,
}

#[async_trait::async_trait]
impl Keeper for Gate {
    async fn keep_all(&self, records: &[Record]) -> anyhow::Result<()> {
        self.commits.acquire().await.unwrap().forget();
        let fails = *self.fails.lock().unwrap();
        anyhow::ensure!(!fails, "made by a test");
        Ok(self.store.keep_all(records).await?)
    }
}

struct World {
    engine: Arc<Engine>,
    clients: Clients,
    chat: Arc<TestChat>,
    gate: Arc<Gate>,
    heard: mpsc::UnboundedReceiver<Broadcast>,
    to_media: mpsc::Receiver<ControlMessage>,
    _data: TempDir,
}

fn channel(name: &str) -> ChannelId {
    ChannelId::parse(name).unwrap()
}

fn conn(name: &str) -> ConnId {
    ConnId::parse(name).unwrap()
}

fn person(name: &str) -> Person {
    Person {
        id: UserId::parse(name).unwrap(),
        username: name.to_owned(),
        first_name: String::new(),
        last_name: String::new(),
        nickname: String::new(),
        email: String::new(),
        locale: String::new(),
        is_bot: false,
        is_system_admin: false,
    }
}

impl World {
    /// Commits are as fast as the disk.
    async fn new() -> Self {
        let world = Self::with_slow_disk().await;
        world.gate.commits.add_permits(100_000);
        world
    }

    /// No commit ends before it is let through.
    async fn with_slow_disk() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut raw = RawConfig::default();
        raw.http.listen = "127.0.0.1:0".to_owned();
        raw.storage.data_dir = data.path().to_owned();
        let store = Store::open(&storage::Location::File(data.path().join("calls.db")))
            .await
            .unwrap();
        let metrics = Arc::new(Metrics::new());
        let host = MediaHost("http://media".to_owned());
        let (media_hosts, to_media) = MediaHosts::with_host_for_test(&host, metrics.clone());
        let (writer, batches) = mpsc::channel(writer::QUEUE);
        let (sender, heard) = mpsc::unbounded_channel();
        let chat = Arc::new(TestChat::default());
        let bot = Bot {
            id: UserId::parse("bot").unwrap(),
            token: Secret::new("token"),
        };
        let engine = Engine::new(Parts {
            features: features(&bot),
            chat: chat.clone(),
            publisher: Arc::new(Ear(sender)),
            store: store.clone(),
            writer,
            media_hosts,
            jobs: None,
            metrics: metrics.clone(),
            config: raw.resolve().unwrap(),
            bot,
            tasks: Tasks::new("signalling"),
            switches: BTreeMap::new(),
        });
        let gate = Arc::new(Gate {
            store,
            commits: Semaphore::new(0),
            fails: StdMutex::new(false),
        });
        let batches = Arc::new(AsyncMutex::new(batches));
        tokio::spawn(writer::run(gate.clone(), batches, metrics));
        Self {
            clients: Clients::new(engine.clone()),
            engine,
            chat,
            gate,
            heard,
            to_media,
            _data: data,
        }
    }

    async fn act(&self, who: &str, on: &str, action: &str, data: Value) {
        let fields = data.as_object().cloned().unwrap_or_default();
        let fields = fields.into_iter().map(|(k, v)| (k, ActionValue::Json(v)));
        let login = Login {
            person: person(who),
            login_id: who.to_owned(),
        };
        let sent = ClientAction {
            connection: conn(on),
            login: Arc::new(login),
            action: format!("{NAME_PREFIX}{action}"),
            data: ActionData {
                fields: fields.collect(),
            },
        };
        self.clients.action(sent).await;
    }

    /// The person asks to join on a new connection.
    async fn ask_to_join(&self, who: &str, on: &str, room: &str) {
        let user = UserId::parse(who).unwrap();
        self.clients.connected(&conn(on), &user).await;
        self.act(who, on, "join", json!({"channelID": room})).await;
    }

    async fn join(&mut self, who: &str, on: &str, room: &str) {
        self.ask_to_join(who, on, room).await;
        self.hear("join", |event| event.data["connID"] == on).await;
    }

    /// The next event of that name that is meant.
    async fn hear(&mut self, name: &str, is_meant: impl Fn(&Broadcast) -> bool) -> Broadcast {
        let heard = async {
            loop {
                let event = self.heard.recv().await.unwrap();
                if event.short_name == name && is_meant(&event) {
                    return event;
                }
            }
        };
        let heard = tokio::time::timeout(PATIENCE, heard).await;
        heard.unwrap_or_else(|_| panic!("`{name}` was not heard"))
    }

    async fn hear_in(&mut self, room: &str, name: &str) -> Broadcast {
        self.hear(name, |event| event.data["channelID"] == room)
            .await
    }

    /// Everything that was told up to now, by name.
    fn told(&mut self) -> Vec<&'static str> {
        std::iter::from_fn(|| self.heard.try_recv().ok())
            .map(|event| event.short_name)
            .collect()
    }

    async fn stored_channels(&self) -> Vec<ChannelId> {
        let running = self.gate.store.running_calls().await.unwrap();
        running.into_iter().map(|call| call.call.channel).collect()
    }
}

fn features(bot: &Bot) -> Features {
    Features {
        bot: bot.id.clone(),
        default_enabled: true,
        group_calls: true,
        max_participants: 0,
        screen_sharing: true,
        video: true,
        recordings: true,
        transcriptions: true,
        captions: true,
        job_services: 1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_500_calls_one_whose_chat_hangs_is_not_felt_by_the_others() {
    const CALLS: usize = 500;
    let mut world = World::new().await;
    for at in 0..CALLS {
        world
            .join("anna", &format!("c{at}"), &format!("room{at}"))
            .await;
    }
    assert_eq!(world.engine.registry.counts(), (CALLS, CALLS));

    let silent = "silent-room";
    world.chat.fall_silent(&channel(silent));
    world.ask_to_join("ben", "ben1", silent).await;
    world.ask_to_join("cora", "cora1", silent).await;

    // A machine that is busy with something else may spoil a round; what hangs spoils all of them.
    let mut p99 = Duration::MAX;
    for _ in 0..3 {
        let mut waits = Vec::new();
        for at in 0..CALLS {
            let began = Instant::now();
            let (on, room) = (format!("c{at}"), format!("room{at}"));
            world.act("anna", &on, "mute", json!({})).await;
            world.hear_in(&room, "user_muted").await;
            waits.push(began.elapsed());
        }
        waits.sort_unstable();
        p99 = p99.min(waits[CALLS * 99 / 100]);
    }
    assert!(p99 < Duration::from_millis(50), "mute to event: {p99:?}");
    let ben = world.engine.registry.place(&conn("ben1"));
    assert_eq!(ben, Some(Place::Waits(channel(silent))), "who joined waits");
}

#[tokio::test]
async fn a_post_that_cannot_be_edited_holds_up_neither_its_call_nor_the_next() {
    let mut world = World::new().await;
    world.join("anna", "a", "talk").await;
    world.join("ben", "b", "talk").await;
    world.act("anna", "a", "leave", json!({})).await;
    let left = world.hear_in("talk", "user_left").await;
    assert_eq!(left.data["session_id"], "a");
    world.chat.fall_silent(&channel("talk"));
    world.act("ben", "b", "leave", json!({})).await;
    world.hear_in("talk", "user_left").await;

    // The end of the first call's post is still to be written.
    world.chat.silent.lock().unwrap().clear();
    world.join("cora", "c", "talk").await;
    world.act("cora", "c", "unmute", json!({})).await;
    world.hear_in("talk", "user_unmuted").await;
}

#[tokio::test]
async fn a_rush_into_a_large_channel_waits_for_its_second_and_into_a_small_one_does_not() {
    for (members, at_once) in [(99, 12), (100, 11)] {
        let mut world = World::new().await;
        world.chat.members.store(members, Ordering::Relaxed);
        world.join("p0", "c0", "talk").await;
        for at in 1..12 {
            world
                .ask_to_join(&format!("p{at}"), &format!("c{at}"), "talk")
                .await;
        }
        let talk = channel("talk");
        let seated = world.engine.look(&talk, |call| call.seats().count()).await;
        assert_eq!(seated, Some(at_once), "of a channel of {members}");
        world
            .hear("join", |event| event.data["connID"] == "c11")
            .await;
    }
}

#[tokio::test]
async fn a_panic_in_a_call_ends_that_call_and_nothing_else() {
    let mut world = World::new().await;
    world.join("anna", "a", "talk").await;
    world.join("ben", "b", "talk").await;
    world.join("cora", "c", "beside").await;
    let broken = json!({"data": json!({"name": "panics-here", "unified": "x"}).to_string()});

    world.act("anna", "a", "react", broken).await;

    world.hear_in("talk", "call_end").await;
    for session in ["a", "b"] {
        let left = world.hear_in("talk", "user_left").await;
        assert_eq!(left.data["session_id"], session);
        assert_eq!(world.engine.registry.place(&conn(session)), None);
    }
    let mut at_media = Vec::new();
    while at_media.len() < 2 {
        let told = tokio::time::timeout(PATIENCE, world.to_media.recv()).await;
        if let Some(ControlMessage::Leave(session)) = told.unwrap() {
            at_media.push(session.to_string());
        }
    }
    assert_eq!(at_media, ["a", "b"]);
    assert_eq!(world.engine.metrics.call_panics.get(), 1);
    assert_eq!(world.stored_channels().await, [channel("beside")]);

    world.act("cora", "c", "unmute", json!({})).await;
    world.hear_in("beside", "user_unmuted").await;
    world.join("anna", "a2", "talk").await;
    let state = world.hear_in("talk", "call_state").await;
    assert!(!state.data["call"].as_str().unwrap().contains("\"b\""));
}

#[tokio::test]
async fn a_join_is_told_when_it_is_on_the_disk_and_what_follows_in_order() {
    let mut world = World::with_slow_disk().await;
    world.ask_to_join("anna", "a", "talk").await;
    world.hear_in("talk", "call_host_changed").await;
    // The call goes on while the disk takes its time.
    world.act("anna", "a", "unmute", json!({})).await;
    let sits = Place::Sits(channel("talk"), SessionId::parse("a").unwrap());
    let in_time = tokio::time::timeout(PATIENCE, async {
        while world.engine.registry.place(&conn("a")) != Some(sits.clone()) {
            tokio::task::yield_now().await;
        }
    });
    in_time.await.expect("anna has her session");
    world.act("anna", "a", "raise_hand", json!({})).await;
    assert_eq!(world.told(), Vec::<&str>::new());

    world.gate.commits.add_permits(100);

    let mut told = Vec::new();
    while told.last() != Some(&"user_raise_hand") {
        let next = tokio::time::timeout(PATIENCE, world.heard.recv()).await;
        told.push(next.unwrap().unwrap().short_name);
    }
    let entered = ["call_start", "join", "user_joined", "call_state"];
    assert_eq!(told[..4], entered);
    assert!(told.len() <= 6, "{told:?}");
    assert_eq!(world.stored_channels().await, [channel("talk")]);
}

#[tokio::test]
async fn records_that_cannot_be_kept_end_no_call_and_are_counted() {
    let mut world = World::new().await;
    *world.gate.fails.lock().unwrap() = true;
    world.join("anna", "a", "talk").await;
    world.join("ben", "b", "talk").await;
    world.act("ben", "b", "unmute", json!({})).await;
    world.hear_in("talk", "user_unmuted").await;
    let failures = &world.engine.metrics.store_failures;
    assert!(failures.with_label_values(&["session"]).get() >= 2);
    assert!(world.stored_channels().await.is_empty());
}

#[tokio::test]
async fn whatever_a_client_sends_costs_its_budget_and_nobody_elses() {
    let mut world = World::new().await;
    world.join("anna", "a", "talk").await;
    let ben = UserId::parse("ben").unwrap();
    world.clients.connected(&conn("b"), &ben).await;
    for _ in 0..60 {
        world.act("ben", "b", "no_such_action", json!({})).await;
        world.act("ben", "b", "join", json!({})).await;
        let state = json!({"channelID": "talk"});
        world.act("ben", "b", "call_state", state).await;
    }
    let refused = &world.engine.metrics.actions_refused;
    let refused = |reason| refused.with_label_values(&[reason, "any"]).get();
    let (unread, too_many) = (refused("undecodable"), refused("rate_limit"));
    assert!((66..=70).contains(&unread), "{unread} could not be read");
    assert!((70..=80).contains(&too_many), "{too_many} were too many");
    world.act("anna", "a", "unmute", json!({})).await;
    world.hear_in("talk", "user_unmuted").await;
}

#[tokio::test]
async fn an_owner_without_a_call_is_gone_and_nothing_of_it_is_left() {
    let mut world = World::new().await;
    world.join("anna", "a", "talk").await;
    world.act("anna", "a", "leave", json!({})).await;
    world.hear_in("talk", "user_left").await;
    let in_time = tokio::time::timeout(PATIENCE, async {
        while world.engine.registry.has_owner(&channel("talk")) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    in_time.await.expect("the owner is gone");
    assert_eq!(world.engine.registry.counts(), (0, 0));
    let view = world
        .engine
        .view(&channel("talk"), &person("anna").id)
        .await;
    assert_eq!(view, None);
    let end = HostControl::End;
    let talk = channel("talk");
    let refused = world.engine.turn(&talk, |call, at| {
        call.host_control(&person("anna").id, true, end, at)
    });
    let no_call = Err(HostControlError::NoCall);
    assert_eq!(refused.await, Ok(no_call));
}
