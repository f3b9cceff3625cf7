//! Any server of the rtcd v1 protocol: ours, and the reference.
//!
//! One control connection carries the signalling of all participants, as a calls server's does.
//! A participant offers its data channel first, takes the signalling lock on that channel before it
//! adds what it publishes, and answers the server's offers.
//! In: control frames of one session, data channel messages. Out: the same.

mod control;

use std::time::{Duration, Instant};

use anyhow::Context;
use proto::id::{CallId, SessionId, UserId};
use proto::rtcd::{
    ChannelMessage, ControlMessage, IceCandidate, JoinMessage, MAX_CONTROL_LEN, RtcKind,
    RtcMessage, ScreenOnData, SdpKind, SessionDescription,
};
use str0m::channel::ChannelId;
use str0m::media::{Direction, MediaKind};

pub(crate) use self::control::Account;
use self::control::{Control, Sender};
use super::{Kind, LegEvent, Mailbox, Publication, Seat, Server, Wish};
use crate::leg::Legs;

/// How long a refused lock request waits: the pace of the Go client.
const LOCK_RETRY: Duration = Duration::from_millis(100);

/// An rtcd server and our control connection to it.
#[derive(Debug)]
pub(crate) struct Rtcd {
    control: Control,
}

impl Rtcd {
    /// Connects to `url` (`http://host:port`), registering the account when needed.
    pub(crate) fn connect(
        url: &str,
        account: &Account,
        runtime: &tokio::runtime::Handle,
    ) -> anyhow::Result<Self> {
        let control = Control::connect(url, account, runtime)?;
        Ok(Self { control })
    }
}

impl Server for Rtcd {
    fn name(&self) -> &'static str {
        "rtcd"
    }

    fn enter(
        &mut self,
        wish: &Wish,
        mailbox: Mailbox,
        legs: &mut Legs,
        now: Instant,
    ) -> anyhow::Result<Box<dyn Seat>> {
        let session = SessionId::random();
        self.control.expect(&session, mailbox);
        let sender = self.control.sender();
        sender.send(&ControlMessage::Join(JoinMessage {
            call: CallId::parse(wish.call.clone()).context("name the call")?,
            user: UserId::random(),
            session: session.clone(),
            channel: String::new(),
            av1_support: false,
            dc_signalling: true,
        }));
        let leg = legs.open(now)?;
        let (_channel, offer) = legs
            .get(leg)?
            .offer(|api| api.add_channel("calls-dc".to_owned()))?;
        let seat = RtcdSeat {
            session,
            leg,
            sender,
            channel: None,
            connected: false,
            lock: Lock::Free,
            wanted: wish.publishes.clone(),
            publications: Vec::new(),
            screen_stream: SessionId::random().as_str().to_owned(),
        };
        // Before anything is offered: the reference drops a screen that it hears of too late.
        if seat.wanted.contains(&Kind::Screen) {
            seat.announce_screen();
        }
        seat.signal_offer(offer);
        Ok(Box::new(seat))
    }
}

/// Where the participant is with the signalling lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    Free,
    Asked,
    RetryAt(Instant),
    Held,
}

#[derive(Debug)]
struct RtcdSeat {
    session: SessionId,
    leg: usize,
    sender: Sender,
    channel: Option<ChannelId>,
    connected: bool,
    lock: Lock,
    /// Not offered yet.
    wanted: Vec<Kind>,
    publications: Vec<Publication>,
    screen_stream: String,
}

impl Seat for RtcdSeat {
    fn on_message(&mut self, bytes: &[u8], legs: &mut Legs, now: Instant) -> anyhow::Result<()> {
        let message = ControlMessage::decode(bytes, MAX_CONTROL_LEN)
            .context("read a control message of the server")?;
        let ControlMessage::Rtc(message) = message else {
            return Ok(());
        };
        if message.kind == RtcKind::Sdp {
            let description =
                SessionDescription::from_json(&message.data).context("read the server's SDP")?;
            self.on_description(&description, legs, now)?;
        } else if message.kind == RtcKind::Ice {
            let candidate =
                IceCandidate::from_json(&message.data).context("read the server's candidate")?;
            legs.get(self.leg)?.add_candidate(&candidate.candidate);
        }
        Ok(())
    }

    fn on_event(
        &mut self,
        _leg: usize,
        event: LegEvent,
        legs: &mut Legs,
        now: Instant,
    ) -> anyhow::Result<()> {
        match event {
            LegEvent::Connected => self.connected = true,
            LegEvent::ChannelOpen(id, _label) => {
                self.channel = Some(id);
                if !self.wanted.is_empty() {
                    self.ask_for_lock(legs)?;
                }
            }
            LegEvent::ChannelData(_id, data) => {
                if let Ok(message) = ChannelMessage::decode(&data) {
                    self.on_channel(message, legs, now)?;
                }
            }
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        match self.lock {
            Lock::RetryAt(at) => Some(at),
            Lock::Free | Lock::Asked | Lock::Held => None,
        }
    }

    fn on_timeout(&mut self, legs: &mut Legs, now: Instant) -> anyhow::Result<()> {
        match self.lock {
            Lock::RetryAt(at) if at <= now => self.ask_for_lock(legs),
            Lock::RetryAt(_) | Lock::Free | Lock::Asked | Lock::Held => Ok(()),
        }
    }

    fn entered(&self) -> bool {
        self.connected
            && self.channel.is_some()
            && self.wanted.is_empty()
            && self.lock == Lock::Free
    }

    fn publications(&self) -> &[Publication] {
        &self.publications
    }

    fn keep_alive(&mut self, legs: &mut Legs, _now: Instant) -> anyhow::Result<()> {
        self.send(&ChannelMessage::Ping, legs)
    }

    fn leave(&mut self, _legs: &mut Legs) {
        self.sender
            .send(&ControlMessage::Leave(self.session.clone()));
    }
}

impl RtcdSeat {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only negotiation concerns a load participant"
    )]
    fn on_channel(
        &mut self,
        message: ChannelMessage,
        legs: &mut Legs,
        now: Instant,
    ) -> anyhow::Result<()> {
        match message {
            ChannelMessage::Sdp(description) => self.on_description(&description, legs, now),
            ChannelMessage::LockResult(true) if self.lock == Lock::Asked => self.publish(legs),
            ChannelMessage::LockResult(false) if self.lock == Lock::Asked => {
                self.lock = Lock::RetryAt(now + LOCK_RETRY);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn on_description(
        &mut self,
        description: &SessionDescription,
        legs: &mut Legs,
        _now: Instant,
    ) -> anyhow::Result<()> {
        match description.kind {
            SdpKind::Offer => {
                let sdp = legs.get(self.leg)?.accept_offer(&description.sdp)?;
                let kind = SdpKind::Answer;
                self.send(&ChannelMessage::Sdp(SessionDescription { kind, sdp }), legs)
            }
            SdpKind::Answer => {
                legs.get(self.leg)?.accept_answer(&description.sdp)?;
                if self.lock != Lock::Held {
                    return Ok(());
                }
                self.lock = Lock::Free;
                if self.publications.iter().any(|p| p.kind == Kind::Voice) {
                    self.tell(RtcKind::Unmute, Vec::new());
                }
                self.send(&ChannelMessage::Unlock, legs)
            }
        }
    }

    fn ask_for_lock(&mut self, legs: &mut Legs) -> anyhow::Result<()> {
        self.lock = Lock::Asked;
        self.send(&ChannelMessage::Lock, legs)
    }

    /// Offers everything the participant publishes at once, under the lock.
    fn publish(&mut self, legs: &mut Legs) -> anyhow::Result<()> {
        self.lock = Lock::Held;
        let wanted = std::mem::take(&mut self.wanted);
        let leg = self.leg;
        let screen_stream = self.screen_stream.clone();
        let (publications, sdp) = legs.get(leg)?.offer(|api| {
            wanted
                .iter()
                .map(|kind| {
                    let (media, stream) = match kind {
                        Kind::Voice => (MediaKind::Audio, None),
                        Kind::Screen => (MediaKind::Video, Some(screen_stream.clone())),
                    };
                    let mid = api.add_media(media, Direction::SendOnly, stream, None, None);
                    Publication {
                        leg,
                        mid,
                        kind: *kind,
                    }
                })
                .collect::<Vec<_>>()
        })?;
        self.publications = publications;
        let kind = SdpKind::Offer;
        self.send(&ChannelMessage::Sdp(SessionDescription { kind, sdp }), legs)
    }

    fn send(&self, message: &ChannelMessage, legs: &mut Legs) -> anyhow::Result<()> {
        if let Some(channel) = self.channel {
            legs.get(self.leg)?
                .write_channel(channel, !message.is_text(), &message.encode());
        }
        Ok(())
    }

    fn announce_screen(&self) {
        let data = ScreenOnData {
            stream_id: self.screen_stream.clone(),
        };
        self.tell(RtcKind::ScreenOn, data.to_json().into_bytes());
    }

    fn signal_offer(&self, sdp: String) {
        let kind = SdpKind::Offer;
        let json = SessionDescription { kind, sdp }.to_json().into_bytes();
        self.tell(RtcKind::Sdp, json);
    }

    fn tell(&self, kind: RtcKind, data: Vec<u8>) {
        let message = RtcMessage::for_session(&self.session, kind, data);
        self.sender.send(&ControlMessage::Rtc(message));
    }
}
