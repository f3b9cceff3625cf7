//! Two participants on real sockets who talk all the time, and what arrives of it.
//!
//! Runs on a thread of its own. Both directions are measured: each packet carries its number and
//! when it was sent.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use harness::world::{Media, Participant, RawPacket, Style};
use proto::rtcd::{ControlMessage, RtcMessage};

use crate::client::{self, Receiver, Sender};
use crate::server::Server;
use crate::wire::Wire;

const PACKET_EVERY: Duration = Duration::from_millis(20);
const NAMES: [&str; 2] = ["anna", "ben"];
/// Longest a packet is waited for before it counts as lost.
const LOST_AFTER: Duration = Duration::from_millis(500);
const TALKS_WITHIN: Duration = Duration::from_secs(60);

/// What a call noticed in some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    pub sent: usize,
    pub received: usize,
    pub p50: Duration,
    pub p99: Duration,
    pub max: Duration,
}

impl Figures {
    /// Share of the packets that did not arrive, in percent.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share, not an exact count")]
    pub fn loss(&self) -> f64 {
        let lost = self.sent.saturating_sub(self.received);
        100.0 * lost as f64 / self.sent.max(1) as f64
    }
}

/// When packets of one direction were sent and how long they took.
#[derive(Debug, Default)]
struct Direction {
    sent: Vec<Instant>,
    arrived: Vec<Option<Duration>>,
}

type Log = Arc<Mutex<[Direction; 2]>>;

/// A running call.
#[derive(Debug)]
pub struct Call {
    log: Log,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<anyhow::Result<()>>>,
}

impl Call {
    /// Begins a call and waits until both hear each other.
    ///
    /// # Errors
    /// When they do not within a minute.
    pub async fn start(server: &Server) -> anyhow::Result<Self> {
        Self::over(server, false).await
    }

    /// The same with two participants who have no UDP.
    ///
    /// # Errors
    /// When they do not within a minute.
    pub async fn start_over_tcp(server: &Server) -> anyhow::Result<Self> {
        Self::over(server, true).await
    }

    async fn over(server: &Server, tcp: bool) -> anyhow::Result<Self> {
        let log = Log::default();
        let stop = Arc::new(AtomicBool::new(false));
        let (http, media) = (server.http, server.media);
        let (its_log, its_stop) = (Arc::clone(&log), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("call".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .context("make a runtime")?;
                runtime.block_on(async {
                    let mut talk = Box::pin(Talk::begin(http, media, tcp, its_log)).await?;
                    Box::pin(talk.go_on(&its_stop)).await
                })
            })
            .context("start a thread")?;
        let call = Self {
            log,
            stop,
            thread: Some(thread),
        };
        let deadline = Instant::now() + TALKS_WITHIN;
        while !call.talks() {
            let ended = call
                .thread
                .as_ref()
                .is_none_or(|thread| thread.is_finished());
            if ended {
                call.end()?;
                anyhow::bail!("the call has ended");
            }
            anyhow::ensure!(Instant::now() < deadline, "nobody hears anybody");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(call)
    }

    fn talks(&self) -> bool {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter()
            .all(|way| way.arrived.iter().flatten().count() > 25)
    }

    /// Notes where the call is now, to measure from there.
    #[must_use]
    pub fn mark(&self) -> Instant {
        Instant::now()
    }

    /// Returns what was noticed of the packets sent since the mark.
    pub async fn since(&self, mark: Instant) -> Figures {
        let end = Instant::now();
        tokio::time::sleep(LOST_AFTER).await;
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut sent, mut delays) = (0, Vec::new());
        for way in log.iter() {
            for (at, arrived) in way.sent.iter().zip(&way.arrived) {
                if (mark..end).contains(at) {
                    sent += 1;
                    delays.extend(*arrived);
                }
            }
        }
        delays.sort_unstable();
        let share = |of: usize| {
            let place = delays.len() * of / 100;
            let last = delays.len().saturating_sub(1);
            delays.get(place.min(last)).copied().unwrap_or_default()
        };
        Figures {
            sent,
            received: delays.len(),
            p50: share(50),
            p99: share(99),
            max: share(100),
        }
    }

    /// Ends the call.
    ///
    /// # Errors
    /// What went wrong on its thread.
    pub fn end(mut self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Release);
        match self.thread.take().map(std::thread::JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => anyhow::bail!("the call's thread panicked"),
            None => Ok(()),
        }
    }
}

/// The two participants and their sockets.
struct Talk {
    people: [Participant; 2],
    wires: [Wire; 2],
    media: SocketAddr,
    sender: Sender,
    receiver: Receiver,
    log: Log,
    next_packet: Instant,
}

impl Talk {
    async fn begin(
        http: SocketAddr,
        media: SocketAddr,
        tcp: bool,
        log: Log,
    ) -> anyhow::Result<Self> {
        let (mut sender, receiver) = client::connect(http, "talk").await?;
        let (first, second) = if tcp {
            (Wire::tcp(media).await?, Wire::tcp(media).await?)
        } else {
            (Wire::udp(media).await?, Wire::udp(media).await?)
        };
        let now = Instant::now();
        let style = Style {
            tcp,
            ..Style::default()
        };
        let [anna, ben] = NAMES;
        let mut people = [
            Participant::new(anna, first.local_addr()?, 0, style, now),
            Participant::new(ben, second.local_addr()?, 0, style, now),
        ];
        for person in &mut people {
            sender.join("call", &person.name).await?;
            person.offer(now);
            person.publish(Media::Sound, "mic");
        }
        Ok(Self {
            people,
            wires: [first, second],
            media,
            sender,
            receiver,
            log,
            next_packet: now,
        })
    }

    async fn go_on(&mut self, stop: &AtomicBool) -> anyhow::Result<()> {
        while !stop.load(Ordering::Acquire) {
            self.flush().await?;
            let people = self.people.iter().map(Participant::deadline);
            let deadline = people.fold(self.next_packet, Instant::min);
            let [one, two] = &mut self.wires;
            tokio::select! {
                biased;
                came = one.receive() => self.datagram(0, &came?),
                came = two.receive() => self.datagram(1, &came?),
                message = self.receiver.next() => {
                    let message = message.context("the control connection is gone")?;
                    self.message(&message)?;
                }
                () = tokio::time::sleep_until(deadline.into()) => self.time(),
            }
        }
        Ok(())
    }

    fn datagram(&mut self, index: usize, datagram: &[u8]) {
        let now = Instant::now();
        let Some(person) = self.people.get_mut(index) else {
            return;
        };
        person.datagram(now, self.media, datagram);
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(way) = log.get_mut(1 - index) else {
            return;
        };
        for heard in person.heard.drain(..) {
            let number = heard.payload.first_chunk::<8>().copied();
            let number = number.map(u64::from_be_bytes).unwrap_or(u64::MAX);
            let place = usize::try_from(number).unwrap_or(usize::MAX);
            if let (Some(sent), Some(arrived)) = (way.sent.get(place), way.arrived.get_mut(place)) {
                arrived.get_or_insert(now.saturating_duration_since(*sent));
            }
        }
    }

    fn message(&mut self, message: &ControlMessage) -> anyhow::Result<()> {
        match message {
            ControlMessage::Rtc(message) => self.signal(message),
            ControlMessage::Close(session) => anyhow::bail!("`{session}` was closed"),
            ControlMessage::Hello(_)
            | ControlMessage::Join(_)
            | ControlMessage::Leave(_)
            | ControlMessage::Reconnect(_)
            | ControlMessage::Vad(_)
            | ControlMessage::Unknown(_) => {}
        }
        Ok(())
    }

    fn signal(&mut self, message: &RtcMessage) {
        let now = Instant::now();
        let person = self
            .people
            .iter_mut()
            .find(|person| person.name == message.session);
        if let Some(person) = person {
            person.signal(now, message);
        }
    }

    fn time(&mut self) {
        let now = Instant::now();
        if now >= self.next_packet {
            self.next_packet = now.max(self.next_packet + PACKET_EVERY);
            self.speak(now);
        }
        for person in &mut self.people {
            person.tick(now);
        }
    }

    /// Sends one packet each; the call makes them itself, so that they carry their number.
    fn speak(&mut self, now: Instant) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        for (person, way) in self.people.iter_mut().zip(log.iter_mut()) {
            if person.published() == 0 {
                continue;
            }
            person.feed(0, false, now);
            let number = u64::try_from(way.sent.len()).unwrap_or(u64::MAX);
            way.sent.push(now);
            way.arrived.push(None);
            let time = number.wrapping_mul(960) & u64::from(u32::MAX);
            let packet = RawPacket {
                at: now,
                seq_no: 1000 + number,
                timestamp: u32::try_from(time).unwrap_or_default(),
                marker: false,
                nackable: false,
                payload: [&number.to_be_bytes()[..], &[0; 72]].concat(),
            };
            person.write(0, &packet);
        }
    }

    /// Sends what the participants want to send.
    async fn flush(&mut self) -> anyhow::Result<()> {
        for (person, wire) in self.people.iter_mut().zip(&mut self.wires) {
            for datagram in person.datagrams.drain(..) {
                wire.send(&datagram);
            }
            for (kind, data) in person.messages.drain(..) {
                self.sender
                    .rtc(&person.name, kind, data.into_bytes())
                    .await?;
            }
        }
        Ok(())
    }
}
