//! What a server under test looks like to the generator, whatever protocol it speaks.
//!
//! `Server` lets participants in; a `Seat` is one participant's side of that server's signalling.
//! A seat turns "this participant wants to publish a voice" into connected transports (`Legs`) and
//! `Publication`s; from then on the generator seals, sends, receives and counts by itself.
//! In: messages of the server's signalling, events of the transports, time. Out: descriptions and
//! candidates put into the legs, messages sent to the server.
//! Everything here runs on the generator's one media thread. Whatever has to wait for a network
//! (WebSocket, HTTP) runs as a task of the runtime given to the server's constructor and hands what
//! it received to the seat through its `Mailbox`.
//! To add a server: implement both traits in a file below, name it in `Program`.

pub(crate) mod janus;
pub(crate) mod livekit;
pub(crate) mod rtcd;
mod socket;

use std::sync::{Arc, mpsc};
use std::time::Instant;

use str0m::channel::ChannelId;
use str0m::media::Mid;

use crate::leg::Legs;

/// What a participant may publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Opus, a packet every 20 ms.
    Voice,
    /// VP8 of a shared screen.
    Screen,
}

/// What a participant wants to be.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// Name of the call, random: 26 letters and digits. Participants of one call share it.
    pub(crate) call: String,
    /// Published from the start to the end; empty for a listener.
    pub(crate) publishes: Vec<Kind>,
}

/// Where a seat's network task leaves what the server said.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    pub(crate) participant: usize,
    pub(crate) letters: mpsc::Sender<Letter>,
    pub(crate) waker: Arc<mio::Waker>,
}

/// One message of a server's signalling, as it came.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) participant: usize,
    pub(crate) came_at: Instant,
    pub(crate) bytes: Vec<u8>,
}

impl Mailbox {
    /// Hands a message to `Seat::on_message`; false when the generator is gone.
    pub(crate) fn post(&self, bytes: Vec<u8>) -> bool {
        let letter = Letter {
            participant: self.participant,
            came_at: Instant::now(),
            bytes,
        };
        self.letters.send(letter).is_ok() && self.waker.wake().is_ok()
    }
}

/// A server program under test.
pub(crate) trait Server: std::fmt::Debug {
    /// Name in reports.
    fn name(&self) -> &'static str;

    /// Starts one participant's way in: opens its first leg, sends its first message. Must not
    /// block; slow things belong into a task that puts its result into `mailbox`.
    fn enter(
        &mut self,
        wish: &Wish,
        mailbox: Mailbox,
        legs: &mut Legs,
        now: Instant,
    ) -> anyhow::Result<Box<dyn Seat>>;
}

/// One participant's side of the signalling. After every call the generator lets all its legs send.
pub(crate) trait Seat {
    /// A message that came into this seat's mailbox.
    fn on_message(&mut self, bytes: &[u8], legs: &mut Legs, now: Instant) -> anyhow::Result<()>;

    /// A leg connected, or its data channel opened or spoke.
    fn on_event(
        &mut self,
        leg: usize,
        event: LegEvent,
        legs: &mut Legs,
        now: Instant,
    ) -> anyhow::Result<()>;

    /// When `on_timeout` is wanted.
    fn deadline(&self) -> Option<Instant>;

    fn on_timeout(&mut self, legs: &mut Legs, now: Instant) -> anyhow::Result<()>;

    /// Whether the participant is in: all its legs connected, all it publishes negotiated.
    fn entered(&self) -> bool;

    /// What is to be sent, complete once `entered`.
    fn publications(&self) -> &[Publication];

    /// Called once a second when in: what real clients send to the server as a sign of life.
    fn keep_alive(&mut self, legs: &mut Legs, now: Instant) -> anyhow::Result<()>;

    /// Says goodbye.
    fn leave(&mut self, legs: &mut Legs);
}

/// An m-line the participant sends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Publication {
    pub(crate) leg: usize,
    pub(crate) mid: Mid,
    pub(crate) kind: Kind,
}

/// What happened on a leg that a seat may care about.
#[derive(Debug)]
pub(crate) enum LegEvent {
    /// ICE and DTLS are done.
    Connected,
    ChannelOpen(ChannelId, String),
    ChannelData(ChannelId, Vec<u8>),
}
