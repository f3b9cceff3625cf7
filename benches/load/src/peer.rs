//! One participant under load: a str0m session, its socket, and what it heard.
//!
//! Speaks the same protocol as any client: offers first, opens `calls-dc`, takes the signalling
//! lock before adding its microphone, answers the server's offers. Every packet a speaker sends
//! carries its send time, so that listeners can measure the delay.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use proto::id::SessionId;
use proto::rtcd::{ChannelMessage, IceCandidate, RtcKind, RtcMessage, SdpKind, SessionDescription};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite, SeqNo};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

/// Bytes of Opus in one packet of 20 ms at 32 kbit/s.
const PAYLOAD_LEN: usize = 80;
/// How long a refused lock request waits: the pace of the Go client.
const LOCK_RETRY: Duration = Duration::from_millis(100);

/// What one participant received.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) packets: u64,
    pub(crate) lost: u64,
    /// Microseconds between a speaker's send and this arrival, one in `delay_sample`.
    pub(crate) delays_us: Vec<u32>,
    next_by_ssrc: BTreeMap<u32, u64>,
}

impl Heard {
    pub(crate) fn restart(&mut self) {
        *self = Self {
            next_by_ssrc: std::mem::take(&mut self.next_by_ssrc),
            ..Self::default()
        };
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    NotNeeded,
    Asked,
    RetryAt(Instant),
    Held,
}

/// A participant of the call under test.
pub(crate) struct Peer {
    pub(crate) session: SessionId,
    pub(crate) connected_at: Option<Instant>,
    pub(crate) heard: Heard,
    pub(crate) socket: mio::net::UdpSocket,
    pub(crate) deadline: Instant,
    local: SocketAddr,
    rtc: Rtc,
    speaks: bool,
    channel: Option<ChannelId>,
    lock: Lock,
    pending: Option<SdpPendingOffer>,
    microphone: Option<Mid>,
    next_seq_no: u64,
    epoch: Instant,
    to_server: Vec<RtcMessage>,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl Peer {
    /// Makes a participant and its first offer; `take_messages` then holds it.
    pub(crate) fn new(speaks: bool, epoch: Instant, now: Instant) -> anyhow::Result<Self> {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let socket = mio::net::UdpSocket::bind(any_port).context("bind a participant's socket")?;
        let local = socket
            .local_addr()
            .context("read a participant's address")?;
        let mut rtc = RtcConfig::new().set_rtp_mode(true).build(now);
        rtc.add_local_candidate(Candidate::host(local, "udp").context("make a candidate")?);
        let mut change = rtc.sdp_api();
        change.add_channel("calls-dc".to_owned());
        let (offer, pending) = change
            .apply()
            .context("the first offer has a data channel")?;
        let mut peer = Self {
            session: SessionId::random(),
            connected_at: None,
            heard: Heard::default(),
            socket,
            deadline: now,
            local,
            rtc,
            speaks,
            channel: None,
            lock: Lock::NotNeeded,
            pending: Some(pending),
            microphone: None,
            next_seq_no: 1000,
            epoch,
            to_server: Vec::new(),
        };
        peer.signal(&SessionDescription {
            kind: SdpKind::Offer,
            sdp: offer.to_sdp_string(),
        });
        Ok(peer)
    }

    pub(crate) fn take_messages(&mut self) -> Vec<RtcMessage> {
        std::mem::take(&mut self.to_server)
    }

    /// Whether a speaker's microphone is negotiated.
    pub(crate) fn ready(&self) -> bool {
        self.channel.is_some()
            && (!self.speaks || (self.microphone.is_some() && self.lock == Lock::NotNeeded))
    }

    pub(crate) fn on_signal(&mut self, message: &RtcMessage, now: Instant) -> anyhow::Result<()> {
        if message.kind == RtcKind::Sdp {
            let description =
                SessionDescription::from_json(&message.data).context("read the server's SDP")?;
            self.on_description(&description)?;
        } else if message.kind == RtcKind::Ice {
            let candidate =
                IceCandidate::from_json(&message.data).context("read the server's candidate")?;
            if let Ok(candidate) = Candidate::from_sdp_string(&candidate.candidate) {
                self.rtc.add_remote_candidate(candidate);
            }
        }
        self.drain(now)
    }

    pub(crate) fn on_timeout(&mut self, now: Instant) -> anyhow::Result<()> {
        if let Lock::RetryAt(at) = self.lock
            && now >= at
        {
            self.ask_for_lock();
        }
        self.rtc
            .handle_input(Input::Timeout(now))
            .context("pass the time")?;
        self.drain(now)
    }

    /// Reads everything the socket holds.
    pub(crate) fn on_readable(&mut self, buffer: &mut [u8], now: Instant) -> anyhow::Result<()> {
        while let Ok((length, source)) = self.socket.recv_from(buffer) {
            let contents = buffer.get(..length).unwrap_or_default();
            let Ok(contents) = contents.try_into() else {
                continue;
            };
            let receive = Receive {
                proto: Protocol::Udp,
                source,
                destination: self.local,
                contents,
            };
            self.rtc
                .handle_input(Input::Receive(now, receive))
                .context("take a datagram")?;
            self.drain(now)?;
        }
        Ok(())
    }

    /// Sends one packet of 20 ms of speech that carries `now`.
    pub(crate) fn speak(&mut self, now: Instant) -> anyhow::Result<()> {
        let Some(mid) = self.microphone else {
            return Ok(());
        };
        let Some(pt) = self
            .rtc
            .media(mid)
            .and_then(|media| media.remote_pts().first().copied())
        else {
            return Ok(());
        };
        let sent_us = u64::try_from(now.duration_since(self.epoch).as_micros()).unwrap_or(u64::MAX);
        let mut payload = [0x55u8; PAYLOAD_LEN];
        // The first byte is the Opus TOC: 20 ms, mono, SILK-hybrid; time follows.
        if let Some((toc, rest)) = payload.split_first_mut() {
            *toc = 0x78;
            if let Some(stamp) = rest.first_chunk_mut::<8>() {
                *stamp = sent_us.to_be_bytes();
            }
        }
        let seq_no = SeqNo::from(self.next_seq_no);
        let time = u32::try_from(self.next_seq_no * 960 % (1 << 32)).unwrap_or(0);
        self.next_seq_no += 1;
        let levels = ExtensionValues {
            audio_level: Some(-30),
            voice_activity: Some(true),
            ..Default::default()
        };
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None) {
            stream.write_rtp(
                RtpWrite::new(pt, seq_no, time, now, payload.as_slice()).ext_vals(levels),
            );
        }
        self.rtc
            .handle_input(Input::Timeout(now))
            .context("send speech")?;
        self.drain(now)
    }

    fn drain(&mut self, now: Instant) -> anyhow::Result<()> {
        loop {
            match self.rtc.poll_output().context("drain a participant")? {
                Output::Timeout(at) => {
                    self.deadline = match self.lock {
                        Lock::RetryAt(retry) => at.min(retry),
                        Lock::NotNeeded | Lock::Asked | Lock::Held => at,
                    };
                    return Ok(());
                }
                Output::Transmit(transmit) => {
                    // A full socket buffer is loss, and counted as such by the listeners.
                    let _sent = self
                        .socket
                        .send_to(&transmit.contents, transmit.destination);
                }
                Output::Event(event) => self.on_event(event, now)?,
            }
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "str0m's events are non-exhaustive; four matter"
    )]
    fn on_event(&mut self, event: Event, now: Instant) -> anyhow::Result<()> {
        match event {
            Event::Connected => self.connected_at = Some(now),
            Event::ChannelOpen(id, _label) => {
                self.channel = Some(id);
                if self.speaks {
                    self.ask_for_lock();
                }
            }
            Event::ChannelData(data) => {
                if let Ok(message) = ChannelMessage::decode(&data.data) {
                    self.on_channel(message, now)?;
                }
            }
            Event::RtpPacket(packet) => {
                self.hear(*packet.seq_no, *packet.header.ssrc, &packet.payload, now)
            }
            _ => {}
        }
        Ok(())
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only negotiation concerns a load participant"
    )]
    fn on_channel(&mut self, message: ChannelMessage, now: Instant) -> anyhow::Result<()> {
        match message {
            ChannelMessage::Sdp(description) => self.on_description(&description)?,
            ChannelMessage::LockResult(true) => self.add_microphone()?,
            ChannelMessage::LockResult(false) => self.lock = Lock::RetryAt(now + LOCK_RETRY),
            _ => {}
        }
        Ok(())
    }

    fn on_description(&mut self, description: &SessionDescription) -> anyhow::Result<()> {
        match description.kind {
            SdpKind::Offer => {
                let offer =
                    SdpOffer::from_sdp_string(&description.sdp).context("parse the offer")?;
                let answer = self
                    .rtc
                    .sdp_api()
                    .accept_offer(offer)
                    .context("accept the offer")?;
                self.send(&ChannelMessage::Sdp(SessionDescription {
                    kind: SdpKind::Answer,
                    sdp: answer.to_sdp_string(),
                }));
            }
            SdpKind::Answer => {
                let answer =
                    SdpAnswer::from_sdp_string(&description.sdp).context("parse the answer")?;
                if let Some(pending) = self.pending.take() {
                    self.rtc
                        .sdp_api()
                        .accept_answer(pending, answer)
                        .context("accept the answer")?;
                }
                if self.lock == Lock::Held {
                    self.lock = Lock::NotNeeded;
                    self.send(&ChannelMessage::Unlock);
                    let unmute =
                        RtcMessage::for_session(&self.session, RtcKind::Unmute, Vec::new());
                    self.to_server.push(unmute);
                }
            }
        }
        Ok(())
    }

    fn ask_for_lock(&mut self) {
        self.lock = Lock::Asked;
        self.send(&ChannelMessage::Lock);
    }

    fn add_microphone(&mut self) -> anyhow::Result<()> {
        self.lock = Lock::Held;
        let mut change = self.rtc.sdp_api();
        let mid = change.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        let (offer, pending) = change.apply().context("offer the microphone")?;
        self.microphone = Some(mid);
        self.pending = Some(pending);
        self.send(&ChannelMessage::Sdp(SessionDescription {
            kind: SdpKind::Offer,
            sdp: offer.to_sdp_string(),
        }));
        Ok(())
    }

    fn send(&mut self, message: &ChannelMessage) {
        if let Some(mut channel) = self.channel.and_then(|id| self.rtc.channel(id)) {
            // A refused write means the session is ending, which shows in the report.
            let _written = channel.write(!message.is_text(), &message.encode());
        }
    }

    fn signal(&mut self, description: &SessionDescription) {
        let json = description.to_json().into_bytes();
        self.to_server
            .push(RtcMessage::for_session(&self.session, RtcKind::Sdp, json));
    }

    fn hear(&mut self, seq_no: u64, ssrc: u32, payload: &[u8], now: Instant) {
        self.heard.packets += 1;
        let next = self.heard.next_by_ssrc.entry(ssrc).or_insert(seq_no);
        self.heard.lost += seq_no.saturating_sub(*next);
        *next = (*next).max(seq_no + 1);
        if !self.heard.packets.is_multiple_of(16) {
            return;
        }
        let Some(stamp) = payload.get(1..).and_then(|rest| rest.first_chunk::<8>()) else {
            return;
        };
        let sent = self.epoch + Duration::from_micros(u64::from_be_bytes(*stamp));
        let delay = now.saturating_duration_since(sent).as_micros();
        self.heard
            .delays_us
            .push(u32::try_from(delay).unwrap_or(u32::MAX));
    }
}
