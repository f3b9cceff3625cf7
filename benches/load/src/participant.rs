//! One participant: its seat at the server, its transports, what it says and hears.
//!
//! In: datagrams, letters, time. Out: the same to the server, counts.
//! While it joins, the time between "we sent our part" and "something came" is the server's.

use std::time::{Duration, Instant};

use anyhow::Context;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use crate::inbox::{Inbox, stamp_arrivals};
use crate::leg::Legs;
use crate::media::Totals;
use crate::mouth::Mouth;
use crate::servers::{Kind, Letter, Mailbox, Seat, Server, Wish};
use crate::world::{Habits, Join};

const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(1);
/// Voices start anywhere within a packet's time.
const STAGGER: Duration = Duration::from_millis(20);

/// What `act` needs of the world.
#[derive(Debug)]
pub(crate) struct Tools<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) first_token: usize,
    pub(crate) habits: &'a Habits,
}

/// A participant of a call.
pub(crate) struct Participant {
    serial: usize,
    call: String,
    seat: Box<dyn Seat>,
    legs: Legs,
    registered: usize,
    mouths: Vec<Mouth>,
    speaking: Vec<bool>,
    is_timed: bool,
    asked_at: Instant,
    entered_at: Option<Instant>,
    /// We did our part at this time, and wait for the server since.
    waiting_since: Instant,
    waited: Duration,
    next_keep_alive: Instant,
    scheduled: Option<Instant>,
    datagram: Vec<u8>,
    /// Packets of ours that are in the world's sum of what could have been forwarded.
    accounted: u64,
}

impl std::fmt::Debug for Participant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Participant")
            .field("serial", &self.serial)
            .finish_non_exhaustive()
    }
}

impl Participant {
    pub(crate) fn enter(
        server: &mut dyn Server,
        wish: &Wish,
        mailbox: Mailbox,
        serial: usize,
        is_timed: bool,
        now: Instant,
    ) -> anyhow::Result<Self> {
        let mut legs = Legs::default();
        let seat = server.enter(wish, mailbox, &mut legs, now)?;
        Ok(Self {
            serial,
            call: wish.call.clone(),
            seat,
            legs,
            registered: 0,
            mouths: Vec::new(),
            speaking: Vec::new(),
            is_timed,
            asked_at: now,
            entered_at: None,
            waiting_since: Instant::now(),
            waited: Duration::ZERO,
            next_keep_alive: now,
            scheduled: None,
            datagram: Vec::with_capacity(256),
            accounted: 0,
        })
    }

    pub(crate) const fn serial(&self) -> usize {
        self.serial
    }

    pub(crate) fn call(&self) -> &str {
        &self.call
    }

    pub(crate) const fn is_joining(&self) -> bool {
        self.entered_at.is_none()
    }

    pub(crate) fn publishes_voice(&self) -> bool {
        self.mouths.iter().any(|mouth| mouth.kind == Kind::Voice)
    }

    pub(crate) fn join(&self) -> Join {
        let entered = self.entered_at.unwrap_or(self.asked_at);
        Join {
            took: entered - self.asked_at,
            server: self.waited,
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        self.legs
            .iter()
            .filter_map(|leg| leg.heard())
            .fold(Totals::default(), |sum, media| sum.plus(media.totals()))
    }

    /// Packets made.
    pub(crate) fn sent(&self) -> u64 {
        self.mouths.iter().map(Mouth::packets).sum()
    }

    /// Packets made since the last call of this.
    pub(crate) fn take_unaccounted(&mut self) -> u64 {
        let sent = self.sent();
        sent - std::mem::replace(&mut self.accounted, sent)
    }

    pub(crate) fn profiles(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.legs
            .iter()
            .filter_map(|leg| leg.heard())
            .map(|media| media.profile().as_str())
    }

    pub(crate) fn take_delays(&mut self) -> Vec<u32> {
        let media = self.legs.iter_mut().filter_map(|leg| leg.media());
        media.flat_map(|media| media.take_delays()).collect()
    }

    /// Starts or stops the voices; returns those that began, with their first packet's time.
    /// Screens begin with the first call of this and never stop.
    pub(crate) fn set_speaking(&mut self, speaks: bool, now: Instant) -> Vec<(usize, Instant)> {
        let mut began = Vec::new();
        let mouths = self.mouths.iter_mut().zip(&mut self.speaking);
        for (number, (mouth, speaking)) in mouths.enumerate() {
            let goes_on = speaks || mouth.kind == Kind::Screen;
            if *speaking == goes_on {
                continue;
            }
            *speaking = goes_on;
            if goes_on {
                mouth.resume(now + STAGGER.mul_f64(rand::random_range(0.0..1.0)));
                began.push((number, mouth.next));
            }
        }
        began
    }

    /// Sends what is due of one stream; how many packets were refused, and when to come again.
    /// `None` when it is silent.
    pub(crate) fn speak(&mut self, number: usize, now: Instant) -> Option<(u64, Instant)> {
        if !*self.speaking.get(number)? {
            return None;
        }
        let mouth = self.mouths.get_mut(number)?;
        let leg = self.legs.get(mouth.leg).ok()?;
        let half = leg.heard()?.send_half();
        let refused = mouth.speak(half, now, &mut |packet| leg.send(packet));
        Some((refused, mouth.next))
    }

    /// Reads all sockets, sends reports that are due; returns whether str0m or the seat got
    /// something and `act` is needed.
    pub(crate) fn read(
        &mut self,
        inbox: &mut Inbox,
        refused: &mut u64,
        now: Instant,
    ) -> anyhow::Result<bool> {
        let mut keyframe_wanted = false;
        let mut last_arrival = None;
        for leg in self.legs.iter_mut() {
            loop {
                let more = inbox.fill(leg.socket(), self.is_timed)?;
                for datagram in inbox.datagrams() {
                    last_arrival = last_arrival.max(leg.on_datagram(datagram, now)?);
                }
                if !more {
                    break;
                }
            }
            if let Some(media) = leg.media() {
                keyframe_wanted |= media.take_keyframe_wish();
                media.due(now, &mut self.datagram);
            }
            if !self.datagram.is_empty() {
                *refused += u64::from(!leg.send(&self.datagram));
                self.datagram.clear();
            }
        }
        if keyframe_wanted {
            self.mouths.iter_mut().for_each(Mouth::refresh);
        }
        if let Some(arrival) = last_arrival {
            self.came(arrival);
        }
        Ok(last_arrival.is_some())
    }

    pub(crate) fn on_letter(&mut self, letter: &Letter, now: Instant) -> anyhow::Result<()> {
        self.came(letter.came_at);
        self.seat.on_message(&letter.bytes, &mut self.legs, now)
    }

    /// Whether `at` is what it waits for: earlier wishes stay in the world's heap.
    pub(crate) fn is_due(&mut self, at: Instant) -> bool {
        let is_due = self.scheduled == Some(at);
        if is_due {
            self.scheduled = None;
        }
        is_due
    }

    pub(crate) fn on_timeout(&mut self, keep_alive: bool, now: Instant) -> anyhow::Result<()> {
        for leg in self.legs.iter_mut().filter(|leg| leg.deadline() <= now) {
            leg.on_timeout(now)?;
        }
        if self.seat.deadline().is_some_and(|at| at <= now) {
            self.seat.on_timeout(&mut self.legs, now)?;
        }
        if self.entered_at.is_some() && self.next_keep_alive <= now {
            self.next_keep_alive = (self.next_keep_alive + KEEP_ALIVE_EVERY).max(now);
            if keep_alive {
                self.seat.keep_alive(&mut self.legs, now)?;
            }
        }
        Ok(())
    }

    /// Lets the transports send and the seat hear of them, until nothing more happens.
    pub(crate) fn act(&mut self, tools: &Tools<'_>, now: Instant) -> anyhow::Result<()> {
        loop {
            let mut events = Vec::new();
            for (number, leg) in self.legs.iter_mut().enumerate() {
                leg.drain(now)?;
                events.extend(leg.take_events().into_iter().map(|event| (number, event)));
            }
            self.watch(tools)?;
            if events.is_empty() {
                break;
            }
            for (number, event) in events {
                self.seat.on_event(number, event, &mut self.legs, now)?;
            }
        }
        if self.entered_at.is_none() {
            self.waiting_since = Instant::now();
            if self.seat.entered() {
                self.settle_in(tools, now)?;
            }
        }
        if self.entered_at.is_some() {
            self.tune(tools.habits);
        }
        Ok(())
    }

    /// Sets up the media of every leg; one that connected late, too.
    fn tune(&mut self, habits: &Habits) {
        for media in self.legs.iter_mut().filter_map(|leg| leg.media()) {
            if self.is_timed {
                media.measure_delay();
            }
            media.lose_video(habits.lose_per_mille);
        }
    }

    /// When it next wants `on_timeout`, if that is news.
    pub(crate) fn schedule(&mut self) -> Option<Instant> {
        let legs = self.legs.iter().map(|leg| leg.deadline()).min();
        let keep_alive = self.entered_at.map(|_| self.next_keep_alive);
        let at = [legs, self.seat.deadline(), keep_alive]
            .into_iter()
            .flatten()
            .min()?;
        if self.scheduled.is_some_and(|scheduled| scheduled <= at) {
            return None;
        }
        self.scheduled = Some(at);
        self.scheduled
    }

    pub(crate) fn leave(&mut self, registry: &Registry) {
        self.seat.leave(&mut self.legs);
        if self.entered_at.is_none() {
            self.unwatch(registry);
        }
    }

    /// A socket is watched from its opening until its owner is in; some servers make a participant
    /// open one more after that.
    fn watch(&mut self, tools: &Tools<'_>) -> anyhow::Result<()> {
        for (number, leg) in self.legs.iter().enumerate().skip(self.registered) {
            if self.is_timed {
                stamp_arrivals(leg.socket())?;
            }
            if self.entered_at.is_some() {
                continue;
            }
            tools
                .registry
                .register(
                    &mut SourceFd(&leg.raw_fd()),
                    Token(tools.first_token + number),
                    Interest::READABLE,
                )
                .context("watch a participant's socket")?;
        }
        self.registered = self.legs.len();
        Ok(())
    }

    fn unwatch(&mut self, registry: &Registry) {
        for leg in self.legs.iter() {
            // One that is not watched needs nothing.
            let _unknown = registry.deregister(&mut SourceFd(&leg.raw_fd()));
        }
    }

    fn settle_in(&mut self, tools: &Tools<'_>, now: Instant) -> anyhow::Result<()> {
        self.unwatch(tools.registry);
        self.entered_at = Some(now);
        self.next_keep_alive = now + KEEP_ALIVE_EVERY.mul_f64(rand::random_range(0.0..1.0));
        for publication in self.seat.publications() {
            let sending = self
                .legs
                .get(publication.leg)?
                .sending(publication.mid)
                .with_context(|| {
                    format!(
                        "the server took no {:?} on m-line {}",
                        publication.kind, publication.mid
                    )
                })?;
            self.mouths.push(Mouth::new(
                publication.kind,
                publication.leg,
                sending,
                tools.habits.voice_size,
                now,
            ));
            self.speaking.push(false);
        }
        Ok(())
    }

    /// Something of the server's came.
    fn came(&mut self, at: Instant) {
        if self.entered_at.is_none() {
            self.waited += at.saturating_duration_since(self.waiting_since);
        }
    }
}
