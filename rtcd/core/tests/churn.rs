//! A day of meetings: people come, talk, show, vanish and come back, and nothing of them stays.
//!
//! Two shards with calls that lie on both. After every meeting the shards are empty, each session
//! was closed once, and in the evening as many bytes are held as at noon.

#![expect(
    clippy::indexing_slicing,
    reason = "helpers of tests, too: a panic is how a test says no"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use harness::memory::{self, Counting};
use harness::random::Random;
use harness::world::{Media, Style, World, call};
use proto::rtcd::RtcKind;
use rtcd_core::CloseReason;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// What shards may hold more in the evening than at noon: a table that grew once more, but less
/// than one small value per session of the afternoon.
const MOST_GROWTH: isize = 48 << 10;

/// A day in the life of a node.
struct Day {
    world: World,
    random: Random,
    /// Sessions that joined, and how often each was closed.
    joined: BTreeMap<String, usize>,
    reasons: BTreeMap<CloseReason, usize>,
    shards_of_calls: BTreeMap<String, [usize; 2]>,
    sessions: usize,
}

impl Day {
    fn begin(seed: u64) -> Self {
        Self {
            world: World::new(2),
            random: Random::new(seed),
            joined: BTreeMap::new(),
            reasons: BTreeMap::new(),
            shards_of_calls: BTreeMap::new(),
            sessions: 0,
        }
    }

    /// Some people in one or two calls, for a minute or two.
    fn meeting(&mut self) {
        let people = 4 + self.random.below(20);
        let calls = 1 + self.random.below(2);
        let end = self.world.now + SECOND * 60 + Duration::from_secs(self.random.below(90));
        for _ in 0..people {
            let call = format!("call{}", self.random.below(calls));
            self.arrival(&call);
            let pause = Duration::from_millis(self.random.below(4000));
            self.pass(pause);
        }
        while self.world.now < end {
            for _ in 0..3 {
                self.event();
            }
            self.pass(SECOND / 3);
            self.quiet();
            self.pass(2 * SECOND);
        }
        for name in self.names() {
            if self.random.chance(70) {
                self.world.leave(&name);
            } else {
                self.disappear(&name);
            }
            self.pass(SECOND / 10);
        }
        // Whoever vanished is given up after half a minute of silence.
        self.pass(90 * SECOND);
    }

    fn names(&self) -> Vec<String> {
        self.world.participants.keys().cloned().collect()
    }

    fn arrival(&mut self, call_name: &str) {
        self.sessions += 1;
        let name = format!("s{}", self.sessions);
        let shard = self.random.place(2);
        let style = Style {
            dc_signalling: self.random.chance(80),
            av1: self.random.chance(50),
            answers: self.random.chance(97),
            tcp: self.random.chance(10),
            ping_every: 10 * SECOND,
            ..Style::default()
        };
        self.link(call_name, shard);
        self.joined.insert(name.clone(), 0);
        if self.random.chance(4) {
            self.world.join_silently(shard, call_name, &name, style);
            return;
        }
        self.world.join(shard, call_name, &name, style);
        if self.random.chance(4) {
            self.world.vanish(&name);
        }
    }

    /// Joins the legs of a call as soon as it has two, as the control side of a node does.
    fn link(&mut self, call_name: &str, shard: usize) {
        let legs = self
            .shards_of_calls
            .entry(call_name.to_owned())
            .or_default();
        let before = *legs;
        legs[shard] += 1;
        if before[shard] == 0 && before[1 - shard] > 0 {
            self.world.link(&call(call_name), 0, 1);
        }
    }

    /// One of the things that happen in a meeting.
    fn event(&mut self) {
        let names = self.names();
        let Some(name) = names.get(self.random.place(names.len())) else {
            return;
        };
        match self.random.below(10) {
            0 => self.world.leave(name),
            1 => self.disappear(name),
            2 => self.world.control(name, RtcKind::Mute, ""),
            3 => self.world.control(name, RtcKind::Unmute, ""),
            4 => self.screen(name),
            5 => self.world.control(name, RtcKind::ScreenOff, ""),
            6 => self
                .world
                .control(name, RtcKind::Sdp, "{\"type\":\"offer\",\"sdp\":\"v=0\"}"),
            7 => self.withdraw(name),
            _ => self.speak(name),
        }
    }

    fn screen(&mut self, name: &str) {
        let media = if self.random.chance(50) {
            Media::Picture
        } else {
            Media::Layers
        };
        let data = r#"{"screenStreamID":"screen"}"#;
        self.world.control(name, RtcKind::ScreenOn, data);
        self.world.of(name).publish(media, "screen");
    }

    fn speak(&mut self, name: &str) {
        let now = self.world.now;
        let participant = self.world.of(name);
        match participant.published() {
            0 => {
                participant.publish(Media::Sound, "mic");
            }
            count => participant.feed(self.random.place(count), true, now),
        }
    }

    fn withdraw(&mut self, name: &str) {
        let participant = self.world.of(name);
        if let Some(last) = participant.published().checked_sub(1) {
            participant.withdraw(last);
        }
    }

    /// Nobody sends anything for a while.
    fn quiet(&mut self) {
        let now = self.world.now;
        for participant in self.world.participants.values_mut() {
            for position in 0..participant.published() {
                participant.feed(position, false, now);
            }
        }
    }

    /// Somebody is gone without a word, or with a word to the media side only.
    fn disappear(&mut self, name: &str) {
        if self.random.chance(50) {
            let now = self.world.now;
            self.world.of(name).hang_up(now);
            self.pass(SECOND / 10);
        }
        self.world.vanish(name);
    }

    fn pass(&mut self, time: Duration) {
        self.world.run(time);
        for (name, reason) in std::mem::take(&mut self.world.closed) {
            self.world.vanish(&name);
            *self.joined.get_mut(&name).expect("somebody who joined") += 1;
            *self.reasons.entry(reason).or_default() += 1;
        }
    }

    /// Everybody is gone: nothing may be left of them.
    fn account(&mut self) -> isize {
        let calls = std::mem::take(&mut self.shards_of_calls);
        for (call_name, legs) in &calls {
            if legs.iter().all(|sessions| *sessions > 0) {
                self.world.unlink(&call(call_name), 0, 1);
            }
        }
        self.pass(SECOND);
        for (name, closed) in &self.joined {
            assert_eq!(*closed, 1, "{name} was closed so many times");
        }
        self.joined.clear();
        for (index, shard) in self.world.shards.iter().enumerate() {
            assert_eq!((shard.sessions(), shard.legs()), (0, 0), "shard {index}");
            let counters = shard.counters();
            assert_eq!(counters.panics, 0);
            let sessions: u64 = counters.groups.values().map(|group| group.sessions).sum();
            assert_eq!(sessions, 0, "gauge of shard {index}");
        }
        assert!(self.world.participants.is_empty());
        self.world.forget_the_past();
        memory::live()
    }
}

#[test]
fn a_day_of_meetings_leaves_nothing_behind() {
    let mut day = Day::begin(24);
    let start = day.world.now;
    let mut held = Vec::new();
    while day.world.now - start < DAY {
        day.meeting();
        held.push(day.account());
        let pause = SECOND * 60 + Duration::from_secs(day.random.below(600));
        day.pass(pause);
    }
    assert!(day.sessions > 2000, "{} sessions", day.sessions);
    for reason in [
        CloseReason::Left,
        CloseReason::IceFailed,
        CloseReason::NoFirstOffer,
        CloseReason::PeerClosed,
    ] {
        assert!(
            day.reasons.contains_key(&reason),
            "nobody ended by {reason:?}"
        );
    }
    let (morning, afternoon) = held.split_at(held.len() / 2);
    let noon = morning.last().expect("meetings in the morning");
    let most = afternoon.iter().max().expect("meetings in the afternoon");
    assert!(
        most - noon < MOST_GROWTH,
        "shards hold {} bytes more than at noon; after each meeting: {held:?}",
        most - noon
    );
}
