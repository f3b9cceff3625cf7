//! What an action does, and whose: a row for every action and measurement of clients.

use std::collections::BTreeSet;

use proto::calls::action::{Action, Caption, Emoji, Metric, MetricName};
use proto::id::{ChannelId, SessionId};
use serde_json::json;

use super::{Cast, PEOPLE, world};
use crate::client::{Client, short};
use crate::world::{Person, World, until};

/// A connection may send ten frames a second for long (`engine::clients`).
const A_FRAME: std::time::Duration = std::time::Duration::from_millis(100);

/// What shows that an action did something.
pub(super) enum Shown {
    /// To another participant.
    ToOthers(&'static str),
    /// To whoever acts.
    ToOneself(&'static str),
    ToMediaHost(&'static str),
    Counted(&'static str),
    Never,
}

pub(super) struct Act {
    action: fn(&Scene, usize) -> Action,
    shown: Shown,
    /// Before it, and after it, for those who may.
    before: Option<Action>,
    after: Option<Action>,
    cells: [bool; 9],
}

const fn act(action: fn(&Scene, usize) -> Action, shown: Shown, cells: [bool; 9]) -> Act {
    let (before, after) = (None, None);
    Act {
        action,
        shown,
        before,
        after,
        cells,
    }
}

const INSIDE: [bool; 9] = [false, false, false, true, true, true, true, true, false];
const PARTICIPANTS: [bool; 9] = [false, false, false, true, true, true, false, true, false];
const BOT: [bool; 9] = [false, false, false, false, false, false, true, false, false];

/// One call; everybody of the columns has a connection, those who can have a session.
pub(super) struct Scene {
    pub(super) channel: ChannelId,
    pub(super) clients: Vec<Client>,
    pub(super) people: Vec<Person>,
    pub(super) witness: Client,
    pub(super) recorder: Client,
    /// The job that the recorder came for.
    pub(super) recording: String,
}

impl Scene {
    pub(super) async fn begin(world: &World) -> Self {
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
        for at in [4, 3, 5, 7] {
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
    pub(super) fn session(&self, at: usize) -> SessionId {
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
        // The call has taken it by now; what it told of it is sent before what it tells next. What a
        // connection sends beyond its rate is passed over without a word.
        tokio::time::sleep(A_FRAME).await;
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

pub(super) fn stream() -> String {
    "stream".to_owned()
}

pub(super) fn screen_on() -> Action {
    Action::ScreenOn { stream: stream() }
}

fn measured(name: MetricName) -> Action {
    let (session, data) = (None, String::new());
    Action::Metric(Metric {
        name,
        session,
        data,
    })
}

#[rustfmt::skip]
pub(super) fn actions() -> Vec<(&'static str, Act)> {
    use Shown::{Counted, Never, ToMediaHost, ToOneself, ToOthers};
    vec![
        ("call_state", act(|s, _| Action::CallState { channel: s.channel.clone() }, ToOneself("call_state"),
            [true, false, false, true, true, true, true, true, true])),
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
        ("client_ice_candidate_pair", act(|_, _| Action::Metric(Metric {
            name: MetricName::ClientIceCandidatePair, session: None,
            data: json!({"state": "succeeded", "local": {"type": "host", "protocol": "udp"},
                "remote": {"type": "host", "protocol": "udp"}}).to_string(),
        }), Counted("client_ice_candidate_pairs_total"), PARTICIPANTS)),
        ("live_captions_window_dropped", act(|_, _| measured(MetricName::LiveCaptionsWindowDropped),
            Counted("jobs_live_captions_window_dropped"), BOT)),
        ("live_captions_transcriber_buf_full", act(|_, _| measured(MetricName::LiveCaptionsTranscriberBufferFull),
            Counted("jobs_live_captions_transcriber_buf_full"), BOT)),
        ("live_captions_pktPayloadCh_buf_full", act(|_, _| measured(MetricName::LiveCaptionsPacketBufferFull),
            Counted("jobs_live_captions_pktPayloadCh_buf_full"), BOT)),
        ("voice_on", act(|_, _| Action::VoiceOn, Never, [false; 9])),
        ("voice_off", act(|_, _| Action::VoiceOff, Never, [false; 9])),
        ("ping", act(|_, _| Action::Ping, Never, [false; 9])),
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
        }), ToOneself("join"), [true, false, false, true, true, true, false, true, false])),
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
