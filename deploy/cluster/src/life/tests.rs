//! Verdicts over time: single stories, and random schedules of beats, losses, pauses and restarts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proto::cluster::{Beat, Facts};

use super::*;

const OWN: &str = "me";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn beat(node: &str, incarnation: u64) -> Beat {
    Beat {
        node: node.to_owned(),
        incarnation,
        edition: 1,
        voice: format!("{node}-{incarnation}"),
        load: 0,
        leaves: false,
    }
}

/// A watcher on a clock that is turned by hand, with what it has said.
struct Watcher {
    life: Life,
    start: Instant,
    now: Instant,
    said: Vec<(u64, NodeEvent)>,
}

impl Watcher {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            life: Life::new(id(OWN), OWN.to_owned(), Times::default(), now),
            start: now,
            now,
            said: Vec::new(),
        }
    }

    fn drain(&mut self) {
        let at = self.now.duration_since(self.start).as_millis();
        while let Some(event) = self.life.poll_event() {
            self.said.push((u64::try_from(at).unwrap(), event));
        }
    }

    /// Lets time pass, taking each deadline when it is due.
    fn pass(&mut self, until: Instant) {
        let mut turns = 0;
        while let Some(due) = self.life.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.life.handle_timeout(self.now);
            self.drain();
            turns += 1;
            assert!(turns < 10_000, "a deadline that does not pass");
        }
        self.drain();
        self.now = until;
    }

    fn hear(&mut self, beat: &Beat) {
        self.life.handle_beat(beat, self.now);
        while let Some(wanted) = self.life.poll_wanted() {
            let head = Facts {
                incarnation: beat.incarnation,
                edition: beat.edition,
            };
            let body = format!("{wanted} {}", beat.edition).into_bytes();
            self.life
                .handle_facts(&wanted, Some((head, body)), self.now);
        }
        self.drain();
    }

    fn own(&mut self) {
        let mut own = beat(OWN, 0);
        own.voice = OWN.to_owned();
        self.hear(&own);
    }

    /// Half a second in which these beat, after which it is over.
    fn round(&mut self, nodes: &[&str]) {
        self.own();
        for node in nodes {
            self.hear(&beat(node, 1));
        }
        self.pass(self.now + ms(500));
    }

    fn rounds(&mut self, count: usize, nodes: &[&str]) {
        for _ in 0..count {
            self.round(nodes);
        }
    }

    fn said(&mut self) -> Vec<NodeEvent> {
        let said = std::mem::take(&mut self.said);
        said.into_iter().map(|(_, event)| event).collect()
    }

    fn up(&self) -> Vec<String> {
        self.life.up().map(|(id, _)| id.to_string()).collect()
    }
}

fn up(node: &str, incarnation: u64) -> NodeEvent {
    NodeEvent::Up(Node {
        id: id(node),
        incarnation,
        facts: format!("{node} 1").into_bytes(),
    })
}

use crate::Node;

#[test]
fn who_is_there_is_told_and_then_that_this_is_all() {
    let mut watcher = Watcher::new();
    watcher.rounds(3, &["a", "b"]);
    assert_eq!(watcher.said(), [up("a", 1), up("b", 1), NodeEvent::Synced]);
}

#[test]
fn silence_is_suspected_after_one_and_a_half_seconds_and_death_after_three() {
    let mut watcher = Watcher::new();
    watcher.rounds(4, &["a", "b"]);
    watcher.said();
    let last = u64::try_from(watcher.now.duration_since(watcher.start).as_millis()).unwrap() - 500;
    watcher.rounds(8, &["b"]);
    let down = NodeEvent::Down(id("a"), Down::Silent);
    let told = std::mem::take(&mut watcher.said);
    let wanted = [
        (last + 1500, NodeEvent::Suspect(id("a"))),
        (last + 3000, down),
    ];
    assert_eq!(told, wanted);
    watcher.round(&["a", "b"]);
    assert_eq!(
        watcher.said(),
        [up("a", 1)],
        "a wrong verdict is taken back"
    );
}

#[test]
fn who_does_not_hear_itself_calls_nobody_dead() {
    let mut watcher = Watcher::new();
    watcher.rounds(4, &["a"]);
    watcher.said();
    watcher.pass(watcher.now + ms(60_000));
    assert_eq!(watcher.said(), [NodeEvent::Blind]);
    watcher.own();
    assert_eq!(watcher.said(), [NodeEvent::Sighted]);
    // All clocks start anew.
    watcher.rounds(2, &[]);
    assert_eq!(watcher.said(), []);
    watcher.rounds(5, &[]);
    let down = NodeEvent::Down(id("a"), Down::Silent);
    assert_eq!(watcher.said(), [NodeEvent::Suspect(id("a")), down]);
}

#[test]
fn a_watcher_that_slept_is_blind_before_it_judges() {
    let mut watcher = Watcher::new();
    watcher.rounds(4, &["a", "b"]);
    watcher.said();
    // The process was stopped for ten seconds: no deadline was taken, beats wait in the socket.
    watcher.now += ms(10_000);
    watcher.hear(&beat("a", 1));
    watcher.own();
    watcher.hear(&beat("b", 1));
    assert_eq!(watcher.said(), [NodeEvent::Blind, NodeEvent::Sighted]);
}

#[test]
fn a_cut_connection_blinds_at_once() {
    let mut watcher = Watcher::new();
    watcher.rounds(4, &["a"]);
    watcher.said();
    watcher.life.handle_cut(watcher.now);
    watcher.pass(watcher.now + ms(9000));
    assert_eq!(watcher.said(), [NodeEvent::Blind]);
    watcher.own();
    assert_eq!(watcher.said(), [], "an echo from before the cut");
    watcher.life.handle_linked(watcher.now);
    watcher.own();
    assert_eq!(watcher.said(), [NodeEvent::Sighted]);
}

#[test]
fn silence_of_everybody_at_once_is_doubted_and_then_believed() {
    let mut watcher = Watcher::new();
    watcher.rounds(4, &["a", "b", "c"]);
    watcher.said();
    watcher.rounds(16, &[]);
    assert_eq!(watcher.said(), [NodeEvent::Blind], "cut off, as it seems");
    watcher.round(&["b"]);
    assert_eq!(watcher.said(), [NodeEvent::Sighted]);
    watcher.rounds(20, &["a", "b", "c"]);
    assert_eq!(watcher.said(), []);
    watcher.rounds(30, &[]);
    let said = watcher.said();
    assert_eq!(said[..2], [NodeEvent::Blind, NodeEvent::Sighted]);
    let dead = said
        .iter()
        .filter(|event| matches!(event, NodeEvent::Down(_, Down::Silent)));
    assert_eq!(dead.count(), 3, "a site that died whole is buried");
}

#[test]
fn the_only_other_node_dies_as_any_other() {
    let mut watcher = Watcher::new();
    watcher.rounds(4, &["a"]);
    watcher.said();
    watcher.rounds(8, &[]);
    let down = NodeEvent::Down(id("a"), Down::Silent);
    assert_eq!(watcher.said(), [NodeEvent::Suspect(id("a")), down]);
}

#[test]
fn who_leaves_is_gone_at_once_and_a_late_beat_does_not_bring_it_back() {
    let mut watcher = Watcher::new();
    watcher.rounds(4, &["a", "b"]);
    watcher.said();
    let mut last = beat("a", 1);
    last.leaves = true;
    watcher.hear(&last);
    watcher.hear(&beat("a", 1));
    assert_eq!(watcher.said(), [NodeEvent::Down(id("a"), Down::Left)]);
    watcher.hear(&beat("a", 2));
    assert_eq!(watcher.said(), [up("a", 2)]);
    watcher.hear(&beat("a", 1));
    watcher.rounds(1, &["b"]);
    assert_eq!(watcher.said(), [], "an earlier start does not count");
}

#[test]
fn a_later_start_replaces_an_earlier_one() {
    let mut watcher = Watcher::new();
    watcher.rounds(4, &["a"]);
    watcher.said();
    watcher.hear(&beat("a", 5));
    let replaced = NodeEvent::Down(id("a"), Down::Replaced);
    assert_eq!(watcher.said(), [replaced, up("a", 5)]);
}

#[test]
fn facts_that_changed_are_read_and_told() {
    let mut watcher = Watcher::new();
    watcher.rounds(4, &["a"]);
    watcher.said();
    let mut other = beat("a", 1);
    (other.edition, other.load) = (2, 300);
    watcher.hear(&other);
    let node = Node {
        id: id("a"),
        incarnation: 1,
        facts: b"a 2".to_vec(),
    };
    let load = NodeEvent::Load(id("a"), 300);
    assert_eq!(watcher.said(), [load, NodeEvent::Changed(node)]);
}

#[test]
fn without_facts_nobody_is_up_and_they_are_asked_for_again() {
    let mut watcher = Watcher::new();
    watcher.own();
    for _ in 0..2 {
        watcher.life.handle_beat(&beat("a", 1), watcher.now);
        assert_eq!(watcher.life.poll_wanted(), Some(id("a")));
        watcher.life.handle_facts(&id("a"), None, watcher.now);
    }
    watcher.drain();
    assert_eq!(watcher.said(), []);
}

/// What may happen to a small fleet in half a second.
#[derive(Debug, Clone)]
enum Happens {
    Nothing,
    /// A node stops (killed, or its cable is pulled) or goes on.
    Silence(usize, bool),
    Restart(usize),
    Leave(usize),
    /// The watcher's process is stopped for so many half seconds.
    Pause(u8),
    /// The engine loses the watcher's own voice, or the others' towards it.
    Deaf(bool),
    /// One beat is lost.
    Lose(usize),
}

const FLEET: [&str; 4] = ["a", "b", "c", "d"];

fn happenings() -> impl Strategy<Value = Vec<Happens>> {
    let one = prop_oneof![
        6 => Just(Happens::Nothing),
        2 => (0..FLEET.len(), any::<bool>()).prop_map(|(n, on)| Happens::Silence(n, on)),
        1 => (0..FLEET.len()).prop_map(Happens::Restart),
        1 => (0..FLEET.len()).prop_map(Happens::Leave),
        1 => (1..12_u8).prop_map(Happens::Pause),
        1 => any::<bool>().prop_map(Happens::Deaf),
        2 => (0..FLEET.len()).prop_map(Happens::Lose),
    ];
    prop::collection::vec(one, 1..80)
}

/// What is true of whatever a watcher says, in the order it says it.
#[derive(Default)]
struct Judge {
    there: BTreeMap<NodeId, (u64, bool)>,
    latest: BTreeMap<NodeId, u64>,
    left: BTreeMap<NodeId, u64>,
    is_blind: bool,
}

impl Judge {
    fn check(&mut self, event: &NodeEvent) -> Result<(), TestCaseError> {
        match event {
            NodeEvent::Up(node) => {
                let latest = self.latest.entry(node.id.clone()).or_default();
                prop_assert!(node.incarnation >= *latest, "an earlier start is back");
                prop_assert!(
                    self.left
                        .get(&node.id)
                        .is_none_or(|left| *left < node.incarnation)
                );
                let known = self.there.get(&node.id);
                prop_assert!(known.is_none_or(|(_, suspect)| *suspect), "up twice");
                *latest = node.incarnation;
                self.there
                    .insert(node.id.clone(), (node.incarnation, false));
            }
            NodeEvent::Suspect(id) => {
                prop_assert!(!self.is_blind, "judged blindly");
                let known = self.there.get_mut(id);
                prop_assert!(known.as_ref().is_some_and(|(_, suspect)| !suspect));
                if let Some(known) = known {
                    known.1 = true;
                }
            }
            NodeEvent::Down(id, how) => {
                let known = self.there.remove(id);
                prop_assert!(known.is_some(), "down without having been up");
                let (incarnation, suspect) = known.unwrap_or_default();
                if *how == Down::Silent {
                    prop_assert!(!self.is_blind && suspect, "dead without suspicion");
                }
                if *how == Down::Left {
                    self.left.insert(id.clone(), incarnation);
                }
            }
            NodeEvent::Blind => {
                prop_assert!(!self.is_blind);
                self.is_blind = true;
            }
            NodeEvent::Sighted => {
                prop_assert!(self.is_blind);
                self.is_blind = false;
            }
            NodeEvent::Changed(_) | NodeEvent::Load(..) | NodeEvent::Synced => {}
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_schedule_makes_it_judge_blindly_or_believe_the_past(schedule in happenings()) {
        let mut watcher = Watcher::new();
        let mut alive = [true; FLEET.len()];
        let mut starts = [1_u64; FLEET.len()];
        let mut left = [0_u64; FLEET.len()];
        let mut deaf = false;
        let mut judge = Judge::default();
        // When each was last heard, to know a verdict that comes too soon.
        let mut heard = [watcher.start; FLEET.len()];
        for happens in schedule {
            let mut lost = None;
            match happens {
                Happens::Nothing => {}
                Happens::Silence(n, on) => alive[n] = on,
                Happens::Restart(n) => (starts[n], alive[n]) = (starts[n] + 1, true),
                Happens::Leave(n) => {
                    if alive[n] && !deaf {
                        let mut last = beat(FLEET[n], starts[n]);
                        last.leaves = true;
                        watcher.hear(&last);
                        left[n] = starts[n];
                    }
                    alive[n] = false;
                }
                Happens::Pause(halves) => watcher.now += ms(500) * u32::from(halves),
                Happens::Deaf(on) => deaf = on,
                Happens::Lose(n) => lost = Some(n),
            }
            if !deaf {
                watcher.own();
                for n in 0..FLEET.len() {
                    if alive[n] && lost != Some(n) {
                        watcher.hear(&beat(FLEET[n], starts[n]));
                        heard[n] = watcher.now;
                    }
                }
            }
            watcher.pass(watcher.now + ms(500));
            for (at, event) in std::mem::take(&mut watcher.said) {
                judge.check(&event)?;
                let at = watcher.start + ms(at);
                if let NodeEvent::Down(id, Down::Silent) = &event {
                    let n = FLEET.iter().position(|name| *name == id.as_str()).unwrap();
                    prop_assert!(at >= heard[n] + ms(3000), "too soon");
                }
            }
        }
        // Quiet: within the time in which a whole site is doubted, the view is the truth. Who left and
        // did not start again stays away.
        for _ in 0..40 {
            watcher.own();
            for n in 0..FLEET.len() {
                if alive[n] {
                    watcher.hear(&beat(FLEET[n], starts[n]));
                }
            }
            watcher.pass(watcher.now + ms(500));
        }
        for (_, event) in std::mem::take(&mut watcher.said) {
            judge.check(&event)?;
        }
        let wanted: Vec<&str> = (0..FLEET.len())
            .filter(|n| alive[*n] && left[*n] < starts[*n])
            .map(|n| FLEET[n])
            .collect();
        prop_assert!(!judge.is_blind);
        prop_assert_eq!(watcher.up(), wanted);
    }
}
