//! Joins participants, keeps them going, lets the speakers speak, and measures a window of time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use proto::id::{CallId, SessionId, UserId};
use proto::rtcd::{ControlMessage, JoinMessage, RtcKind};

use crate::control::{Account, Control};
use crate::meter::{self, Reading};
use crate::peer::Peer;

/// One packet of speech.
const FRAME: Duration = Duration::from_millis(20);
/// Participants joining at the same time: more would measure the generator's own handshakes.
const JOINING_AT_ONCE: usize = 8;
const WAKE_CONTROL: mio::Token = mio::Token(usize::MAX);

/// What is asked of a run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) url: String,
    pub(crate) account: Account,
    /// The server's process, for its CPU time and memory.
    pub(crate) server_pid: u32,
    pub(crate) speakers: usize,
    pub(crate) listeners: usize,
    pub(crate) settle: Duration,
    pub(crate) measure: Duration,
}

/// What a run found.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) join_ms: Vec<f64>,
    pub(crate) delays_us: Vec<u32>,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) took: Duration,
    pub(crate) server_cpu: Duration,
    pub(crate) resident_before: u64,
    pub(crate) resident_joined: u64,
}

struct Drive {
    poll: mio::Poll,
    control: Control,
    call: CallId,
    peers: Vec<Peer>,
    index_by_session: BTreeMap<SessionId, usize>,
    asked_at: Vec<Instant>,
    epoch: Instant,
    next_frame: Instant,
    speakers: usize,
    buffer: Vec<u8>,
}

/// Runs the plan once.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<Outcome> {
    let poll = mio::Poll::new().context("open epoll")?;
    let waker = mio::Waker::new(poll.registry(), WAKE_CONTROL).context("make a waker")?;
    let control = Control::connect(&plan.url, &plan.account, Arc::new(waker))?;
    let epoch = Instant::now();
    let mut drive = Drive {
        poll,
        control,
        call: CallId::random(),
        peers: Vec::new(),
        index_by_session: BTreeMap::new(),
        asked_at: Vec::new(),
        epoch,
        next_frame: epoch,
        speakers: plan.speakers,
        buffer: vec![0; 2048],
    };
    let before = meter::read(plan.server_pid)?;
    drive.join_all(plan.speakers, plan.listeners)?;
    let joined = meter::read(plan.server_pid)?;
    drive.run_for(plan.settle)?;
    drive.peers.iter_mut().for_each(|peer| peer.heard.restart());
    let began = Instant::now();
    let start = meter::read(plan.server_pid)?;
    drive.run_for(plan.measure)?;
    let end = meter::read(plan.server_pid)?;
    let outcome = drive.outcome(began.elapsed(), before, joined, start, end);
    drive.leave_all();
    Ok(outcome)
}

impl Drive {
    fn join_all(&mut self, speakers: usize, listeners: usize) -> anyhow::Result<()> {
        let give_up = Instant::now()
            + Duration::from_secs(30)
            + FRAME * u32::try_from(speakers + listeners).unwrap_or(0);
        while self.peers.len() < speakers + listeners || !self.peers.iter().all(Peer::ready) {
            let joining = self.peers.iter().filter(|peer| !peer.ready()).count();
            if joining < JOINING_AT_ONCE && self.peers.len() < speakers + listeners {
                self.join_one(self.peers.len() < speakers)?;
            }
            self.turn()?;
            if Instant::now() > give_up {
                bail!(
                    "{joining} of {} participants did not get into the call in time",
                    self.peers.len()
                );
            }
        }
        Ok(())
    }

    fn join_one(&mut self, speaks: bool) -> anyhow::Result<()> {
        let now = Instant::now();
        let mut peer = Peer::new(speaks, self.epoch, now)?;
        let index = self.peers.len();
        self.poll
            .registry()
            .register(&mut peer.socket, mio::Token(index), mio::Interest::READABLE)
            .context("watch a participant's socket")?;
        self.control.send(ControlMessage::Join(JoinMessage {
            call: self.call.clone(),
            user: UserId::random(),
            session: peer.session.clone(),
            channel: String::new(),
            av1_support: false,
            dc_signalling: true,
        }));
        self.index_by_session.insert(peer.session.clone(), index);
        self.asked_at.push(now);
        self.peers.push(peer);
        self.forward_messages(index);
        Ok(())
    }

    fn leave_all(&mut self) {
        for peer in &self.peers {
            self.control
                .send(ControlMessage::Leave(peer.session.clone()));
        }
        // Lets the last frames out before the runtime is dropped.
        std::thread::sleep(Duration::from_millis(300));
    }

    fn run_for(&mut self, time: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.turn()?;
        }
        Ok(())
    }

    /// One round: what arrived, what is due, what is to be said.
    fn turn(&mut self) -> anyhow::Result<()> {
        let mut events = mio::Events::with_capacity(1024);
        let wait = self
            .next_frame
            .saturating_duration_since(Instant::now())
            .min(FRAME);
        self.poll
            .poll(&mut events, Some(wait))
            .context("wait for packets")?;
        for event in &events {
            let now = Instant::now();
            if let Some(peer) = self.peers.get_mut(event.token().0) {
                peer.on_readable(&mut self.buffer, now)?;
                self.forward_messages(event.token().0);
            }
        }
        while let Some(message) = self.control.received() {
            if let ControlMessage::Rtc(message) = message
                && matches!(message.kind, RtcKind::Sdp | RtcKind::Ice)
                && let Ok(session) = SessionId::parse(message.session.clone())
                && let Some(&index) = self.index_by_session.get(&session)
                && let Some(peer) = self.peers.get_mut(index)
            {
                peer.on_signal(&message, Instant::now())?;
                self.forward_messages(index);
            }
        }
        let now = Instant::now();
        for index in 0..self.peers.len() {
            if let Some(peer) = self.peers.get_mut(index)
                && peer.deadline <= now
            {
                peer.on_timeout(now)?;
                self.forward_messages(index);
            }
        }
        if now >= self.next_frame {
            self.next_frame = (self.next_frame + FRAME).max(now.checked_sub(FRAME).unwrap_or(now));
            for peer in self
                .peers
                .iter_mut()
                .take(self.speakers)
                .filter(|peer| peer.ready())
            {
                peer.speak(Instant::now())?;
            }
        }
        Ok(())
    }

    fn forward_messages(&mut self, index: usize) {
        if let Some(peer) = self.peers.get_mut(index) {
            for message in peer.take_messages() {
                self.control.send(ControlMessage::Rtc(message));
            }
        }
    }

    fn outcome(
        &self,
        took: Duration,
        before: Reading,
        joined: Reading,
        start: Reading,
        end: Reading,
    ) -> Outcome {
        let join_ms = self
            .peers
            .iter()
            .zip(&self.asked_at)
            .filter_map(|(peer, asked)| Some((peer.connected_at? - *asked).as_secs_f64() * 1000.0))
            .collect();
        Outcome {
            join_ms,
            delays_us: self
                .peers
                .iter()
                .flat_map(|peer| peer.heard.delays_us.iter().copied())
                .collect(),
            received: self.peers.iter().map(|peer| peer.heard.packets).sum(),
            lost: self.peers.iter().map(|peer| peer.heard.lost).sum(),
            took,
            server_cpu: end.cpu.saturating_sub(start.cpu),
            resident_before: before.resident_bytes,
            resident_joined: joined.resident_bytes,
        }
    }
}
