//! All participants of a run on one thread: they join, speak, listen, report and leave.
//!
//! In: wishes. Out: what was heard, and how joins went. Those who are joining are served as soon as
//! something arrives; those who are in are visited in turn, every `Habits::visit_every`, which
//! saves a wake-up per packet on both ends (the kernel stamps arrivals, so delays stay exact).
//! Here: who is there, and when what is due. One participant's own doings: `participant`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::inbox::Inbox;
use crate::media::Totals;
use crate::mouth::VoiceSize;
use crate::participant::{Participant, Tools};
use crate::process;
use crate::servers::{Letter, Mailbox, Server, Wish};

/// Legs of one participant, at most: a token names both.
const LEGS: usize = 4;
const WAKE: mio::Token = mio::Token(usize::MAX);
/// Nobody's join goes on for this long without being given up.
const JOIN_LIMIT: Duration = Duration::from_secs(30);
/// Longest sleep.
const NAP: Duration = Duration::from_millis(2);
/// Visits are made in groups, one group per so long.
const VISIT_GRAIN: Duration = Duration::from_millis(1);

/// What all participants of a run do alike.
#[derive(Debug, Clone)]
pub(crate) struct Habits {
    pub(crate) visit_every: Duration,
    /// Sends the sign of life of real clients once a second.
    pub(crate) keep_alive: bool,
    pub(crate) voice_size: VoiceSize,
    /// One in so many measures delays.
    pub(crate) timed_every: usize,
    /// Of 1,000 received video packets, how many are thrown away and asked for again.
    pub(crate) lose_per_mille: u32,
    /// Voices wait for `World::let_speak`.
    pub(crate) starts_silent: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            visit_every: Duration::from_millis(40),
            keep_alive: true,
            voice_size: VoiceSize::Constant,
            timed_every: 16,
            lose_per_mille: 0,
            starts_silent: false,
        }
    }
}

/// Sums at one instant; the difference of two is a window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) at: Instant,
    pub(crate) totals: Totals,
    pub(crate) sent: u64,
    /// What listeners would have received, had everything sent been forwarded to everybody else.
    pub(crate) ideal: u64,
    pub(crate) send_refused: u64,
    /// This thread's CPU time.
    pub(crate) own_cpu: Duration,
}

/// How one join went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Join {
    /// From the wish to connected and negotiated.
    pub(crate) took: Duration,
    /// The part of it in which we waited for the server.
    pub(crate) server: Duration,
}

/// Everybody.
pub(crate) struct World {
    server: Box<dyn Server>,
    poll: mio::Poll,
    waker: Arc<mio::Waker>,
    post: mpsc::Sender<Letter>,
    letters: mpsc::Receiver<Letter>,
    people: Vec<Option<Participant>>,
    free: Vec<usize>,
    slot_of: HashMap<usize, usize>,
    next_serial: usize,
    timers: BinaryHeap<Reverse<(Instant, usize, usize)>>,
    speeches: BinaryHeap<Reverse<(Instant, usize, usize, usize)>>,
    habits: Habits,
    inbox: Inbox,
    events: mio::Events,
    cursor: usize,
    next_visit: Instant,
    joining: usize,
    joins: Vec<Join>,
    send_refused: u64,
    /// What those who left had counted.
    gone: Totals,
    gone_sent: u64,
    ideal: u64,
    failures: Vec<String>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

impl World {
    pub(crate) fn new(server: Box<dyn Server>, habits: Habits) -> anyhow::Result<Self> {
        let poll = mio::Poll::new().context("open epoll")?;
        let waker = mio::Waker::new(poll.registry(), WAKE).context("make a waker")?;
        let (post, letters) = mpsc::channel();
        Ok(Self {
            server,
            poll,
            waker: Arc::new(waker),
            post,
            letters,
            people: Vec::new(),
            free: Vec::new(),
            slot_of: HashMap::new(),
            next_serial: 0,
            timers: BinaryHeap::new(),
            speeches: BinaryHeap::new(),
            habits,
            inbox: Inbox::new(),
            events: mio::Events::with_capacity(1024),
            cursor: 0,
            next_visit: Instant::now(),
            joining: 0,
            joins: Vec::new(),
            send_refused: 0,
            gone: Totals::default(),
            gone_sent: 0,
            ideal: 0,
            failures: Vec::new(),
        })
    }

    pub(crate) fn server_name(&self) -> &'static str {
        self.server.name()
    }

    /// Lets one participant begin to join; returns its number.
    pub(crate) fn enter(&mut self, wish: &Wish, is_timed: bool) -> anyhow::Result<usize> {
        let serial = self.next_serial;
        self.next_serial += 1;
        let mailbox = Mailbox {
            participant: serial,
            letters: self.post.clone(),
            waker: Arc::clone(&self.waker),
        };
        let is_timed = is_timed || serial.is_multiple_of(self.habits.timed_every.max(1));
        let now = Instant::now();
        let participant =
            Participant::enter(self.server.as_mut(), wish, mailbox, serial, is_timed, now)?;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.people.push(None);
                self.people.len() - 1
            }
        };
        self.account();
        self.slot_of.insert(serial, slot);
        self.joining += 1;
        if let Some(place) = self.people.get_mut(slot) {
            *place = Some(participant);
        }
        self.attend(slot, now);
        Ok(serial)
    }

    /// Joins all, at most `at_once` at the same time, and waits until everybody is in.
    pub(crate) fn join_all(
        &mut self,
        wishes: &[Wish],
        at_once: usize,
    ) -> anyhow::Result<Vec<usize>> {
        let mut serials = Vec::with_capacity(wishes.len());
        let mut wishes = wishes.iter();
        let mut waiting = wishes.next();
        let mut last_progress = (Instant::now(), self.joining);
        while waiting.is_some() || self.joining > 0 {
            while self.joining < at_once
                && let Some(wish) = waiting.take()
            {
                serials.push(self.enter(wish, false)?);
                waiting = wishes.next();
            }
            self.turn()?;
            if self.joining != last_progress.1 {
                last_progress = (Instant::now(), self.joining);
            }
            if last_progress.0.elapsed() > JOIN_LIMIT {
                bail!(
                    "{} participants did not get into their calls within {JOIN_LIMIT:?}: {}",
                    self.joining,
                    self.failures.last().map_or("no answer", String::as_str)
                );
            }
        }
        Ok(serials)
    }

    /// Goes on for `time`.
    pub(crate) fn run_for(&mut self, time: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.turn()?;
        }
        Ok(())
    }

    /// One participant leaves.
    pub(crate) fn leave(&mut self, serial: usize) {
        self.account();
        let Some(slot) = self.slot_of.remove(&serial) else {
            return;
        };
        let Some(mut participant) = self.people.get_mut(slot).and_then(Option::take) else {
            return;
        };
        if participant.is_joining() {
            self.joining -= 1;
        }
        participant.leave(self.poll.registry());
        self.gone = self.gone.plus(participant.totals());
        self.gone_sent += participant.sent();
        self.free.push(slot);
    }

    pub(crate) fn leave_all(&mut self) -> anyhow::Result<()> {
        let serials: Vec<usize> = self.slot_of.keys().copied().collect();
        for serial in serials {
            self.leave(serial);
        }
        // Lets the farewells out before the connection to the server is dropped.
        self.run_for(Duration::from_millis(300))
    }

    /// Lets `count` voices speak, spread evenly over the calls, and the others be silent.
    pub(crate) fn let_speak(&mut self, count: usize) {
        let mut calls: Vec<(String, usize)> = Vec::new();
        let mut voices = Vec::new();
        for (slot, participant) in self.people.iter().enumerate() {
            let Some(participant) = participant.as_ref().filter(|p| p.publishes_voice()) else {
                continue;
            };
            let known = calls
                .iter()
                .position(|(call, _)| call == participant.call());
            let call = known.unwrap_or_else(|| {
                calls.push((participant.call().to_owned(), 0));
                calls.len() - 1
            });
            if let Some((_, voices_of_call)) = calls.get_mut(call) {
                voices.push((*voices_of_call, call, slot));
                *voices_of_call += 1;
            }
        }
        voices.sort_unstable();
        let now = Instant::now();
        for (rank, (.., slot)) in voices.into_iter().enumerate() {
            let Some(participant) = self.person(slot) else {
                continue;
            };
            let serial = participant.serial();
            for (number, at) in participant.set_speaking(rank < count, now) {
                self.speeches.push(Reverse((at, slot, number, serial)));
            }
        }
    }

    /// Sums of everything so far; whatever waits in the sockets is read first.
    pub(crate) fn tally(&mut self) -> Tally {
        for slot in 0..self.people.len() {
            self.look_after(slot);
        }
        self.account();
        let mut tally = Tally {
            at: Instant::now(),
            totals: self.gone,
            sent: self.gone_sent,
            ideal: self.ideal,
            send_refused: self.send_refused,
            own_cpu: process::own_thread_cpu(),
        };
        for participant in self.people.iter().flatten() {
            tally.totals = tally.totals.plus(participant.totals());
            tally.sent += participant.sent();
        }
        tally
    }

    /// What was sent while these people were there could have been forwarded to these people.
    fn account(&mut self) {
        let mut sizes: HashMap<String, u64> = HashMap::new();
        for participant in self.people.iter().flatten() {
            match sizes.get_mut(participant.call()) {
                Some(size) => *size += 1,
                None => {
                    sizes.insert(participant.call().to_owned(), 1);
                }
            }
        }
        for participant in self.people.iter_mut().flatten() {
            let others = sizes.get(participant.call()).map_or(0, |size| size - 1);
            self.ideal += participant.take_unaccounted() * others;
        }
    }

    pub(crate) fn take_delays(&mut self) -> Vec<u32> {
        let people = self.people.iter_mut().flatten();
        people.flat_map(Participant::take_delays).collect()
    }

    pub(crate) fn take_joins(&mut self) -> Vec<Join> {
        std::mem::take(&mut self.joins)
    }

    pub(crate) const fn joining(&self) -> usize {
        self.joining
    }

    pub(crate) fn take_failures(&mut self) -> Vec<String> {
        std::mem::take(&mut self.failures)
    }

    /// SRTP profiles in use and by how many.
    pub(crate) fn profiles(&self) -> Vec<(&'static str, usize)> {
        let mut found: Vec<(&'static str, usize)> = Vec::new();
        let people = self.people.iter().flatten();
        for profile in people.flat_map(Participant::profiles) {
            match found.iter_mut().find(|(name, _)| *name == profile) {
                Some((_, count)) => *count += 1,
                None => found.push((profile, 1)),
            }
        }
        found
    }

    /// One round: what is to be said, what arrived, what is due.
    pub(crate) fn turn(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        self.speak(now);
        self.visit(now);
        while let Ok(letter) = self.letters.try_recv() {
            self.deliver(&letter);
        }
        self.pass_time(Instant::now());
        let now = Instant::now();
        let next = [
            self.speeches.peek().map(|Reverse((at, ..))| *at),
            self.timers.peek().map(|Reverse((at, ..))| *at),
            Some(self.next_visit),
        ];
        let next = next.into_iter().flatten().min().unwrap_or(now);
        let wait = next.saturating_duration_since(now).min(NAP);
        self.poll
            .poll(&mut self.events, Some(wait))
            .context("wait for packets")?;
        let ready: Vec<usize> = self
            .events
            .iter()
            .map(mio::event::Event::token)
            .filter(|token| *token != WAKE)
            .map(|token| token.0 / LEGS)
            .collect();
        for slot in ready {
            self.look_after(slot);
        }
        Ok(())
    }

    fn speak(&mut self, now: Instant) {
        while let Some(Reverse((at, slot, number, serial))) = self.speeches.peek().copied()
            && at <= now
        {
            self.speeches.pop();
            let Some(participant) = self.person(slot).filter(|p| p.serial() == serial) else {
                continue;
            };
            let spoken = participant.speak(number, now);
            if let Some((refused, next)) = spoken {
                self.send_refused += refused;
                self.speeches.push(Reverse((next, slot, number, serial)));
            }
        }
    }

    /// The next group of those who are in.
    fn visit(&mut self, now: Instant) {
        if now < self.next_visit || self.people.is_empty() {
            return;
        }
        let groups = (self.habits.visit_every.as_micros() / VISIT_GRAIN.as_micros()).max(1);
        let group = self
            .people
            .len()
            .div_ceil(usize::try_from(groups).unwrap_or(1));
        for _ in 0..group {
            let slot = self.cursor % self.people.len();
            self.cursor = slot + 1;
            if self.person(slot).is_some_and(|p| !p.is_joining()) {
                self.look_after(slot);
            }
        }
        // A generator that falls behind visits less often rather than not at all.
        self.next_visit = (self.next_visit + VISIT_GRAIN).max(now);
    }

    fn look_after(&mut self, slot: usize) {
        let now = Instant::now();
        let Some(participant) = self.people.get_mut(slot).and_then(Option::as_mut) else {
            return;
        };
        let outcome = participant.read(&mut self.inbox, &mut self.send_refused, now);
        match outcome {
            Ok(true) => self.attend(slot, now),
            Ok(false) => {}
            Err(error) => self.failures.push(format!("{error:#}")),
        }
    }

    fn deliver(&mut self, letter: &Letter) {
        let Some(&slot) = self.slot_of.get(&letter.participant) else {
            return;
        };
        let now = Instant::now();
        let Some(participant) = self.person(slot) else {
            return;
        };
        if let Err(error) = participant.on_letter(letter, now) {
            self.failures.push(format!("{error:#}"));
        }
        self.attend(slot, now);
    }

    fn pass_time(&mut self, now: Instant) {
        while let Some(Reverse((at, slot, serial))) = self.timers.peek().copied()
            && at <= now
        {
            self.timers.pop();
            let keep_alive = self.habits.keep_alive;
            let Some(participant) = self.person(slot).filter(|p| p.serial() == serial) else {
                continue;
            };
            if !participant.is_due(at) {
                continue;
            }
            if let Err(error) = participant.on_timeout(keep_alive, now) {
                self.failures.push(format!("{error:#}"));
            }
            self.attend(slot, now);
        }
    }

    fn person(&mut self, slot: usize) -> Option<&mut Participant> {
        self.people.get_mut(slot).and_then(Option::as_mut)
    }

    /// After anything happened to a participant: lets it act, and notes what it waits for.
    fn attend(&mut self, slot: usize, now: Instant) {
        let tools = Tools {
            registry: self.poll.registry(),
            first_token: slot * LEGS,
            habits: &self.habits,
        };
        let Some(participant) = self.people.get_mut(slot).and_then(Option::as_mut) else {
            return;
        };
        let was_joining = participant.is_joining();
        if let Err(error) = participant.act(&tools, now) {
            self.failures.push(format!("{error:#}"));
        }
        let serial = participant.serial();
        if let Some(at) = participant.schedule() {
            self.timers.push(Reverse((at, slot, serial)));
        }
        if was_joining && !participant.is_joining() {
            self.joining -= 1;
            self.joins.push(participant.join());
            for (number, at) in participant.set_speaking(!self.habits.starts_silent, Instant::now())
            {
                self.speeches.push(Reverse((at, slot, number, serial)));
            }
        }
    }
}
