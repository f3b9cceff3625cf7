//! One WebRTC connection: ICE, DTLS, SRTP, SDP and the data channel, all by str0m.
//!
//! In: datagrams, time, descriptions, packets to send. Out: datagrams and `SessionEvent`s, by
//! `drain`. This is the only place (with the files below it) that names str0m.
//! Not here: who may offer when (`negotiation`), what is offered (`leg`).
//! Invariant: after anything is changed here the session is drained before anybody waits.

mod channel;
mod description;
mod exchange;
mod incoming;
mod path;
mod sdp_filter;
mod senders;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtcd_srtp::{KeySlot, Profile, build_tapped, rtp};
use str0m::channel::ChannelId;
use str0m::media::KeyframeRequestKind;
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::{Extension, ExtensionMap};
use str0m::{Candidate, Event, IceConnectionState, Rtc, RtcConfig, RtcError};

use channel::ChannelQueue;
pub(crate) use channel::{ChannelWords, Topic};
use description::OurLine;
pub(crate) use description::{Section, TrackNames};
use exchange::PendingOffer;
pub(crate) use exchange::{DescriptionError, NewLine};
use incoming::Sources;
pub(crate) use incoming::{IncomingPacket, SourceId};
use path::PathWatch;
/// Names an m-line of one session.
pub(crate) use str0m::media::Mid;

use crate::config::{self, CoreConfig, HostCandidate, WallClock};
use crate::egress::{Egress, EgressStream, Feedback, MediaBatch, Path};
use crate::io::{Output, Transport};
use crate::media::Codec;

/// Something a session reports.
#[derive(Debug)]
pub(crate) enum SessionEvent {
    Connected,
    /// ICE lost the other end, perhaps for a moment.
    Unreachable,
    ChannelOpen,
    ChannelMessage(Vec<u8>),
    ChannelClosed,
    Packet(IncomingPacket),
    /// A packet was refused: too many sources.
    Refused,
    /// The participant needs a keyframe on this m-line of ours.
    KeyframeWanted(Mid),
    /// The participant misses packets on this m-line of ours.
    Missing(Mid, Vec<u16>),
    /// What the participant says about everything it receives.
    Reported(Feedback),
    /// The participant closed, or the connection broke for good.
    Closed,
}

/// What every session of a shard begins with.
#[derive(Debug, Clone)]
pub(crate) struct SessionTemplate {
    rtc: RtcConfig,
    candidates: Arc<[HostCandidate]>,
    nack_buffer: usize,
    clock: WallClock,
}

impl SessionTemplate {
    pub(crate) fn new(config: &CoreConfig, now: Instant) -> Self {
        let mut extensions = ExtensionMap::empty();
        extensions.set(1, Extension::AudioLevel);
        extensions.set(2, Extension::RtpMid);
        extensions.set(3, Extension::RtpStreamId);
        extensions.set(4, Extension::RepairedRtpStreamId);
        extensions.set(5, Extension::TransportSequenceNumber);
        let mut rtc = RtcConfig::new()
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .enable_av1(true)
            .set_extension_map(extensions)
            .set_stats_interval(None)
            .set_send_buffer_audio(1)
            .set_send_buffer_video(config.nack_buffer.max(1))
            .set_sctp_max_message_size(262_144);
        // As contracted: what is lost is sent again on the stream itself.
        without_retransmission_streams(&mut rtc);
        Self {
            rtc,
            candidates: config.candidates.as_slice().into(),
            nack_buffer: config.nack_buffer.max(1),
            clock: config.clock.unwrap_or(WallClock::new(now, Duration::ZERO)),
        }
    }
}

fn without_retransmission_streams(rtc: &mut RtcConfig) {
    let codecs = rtc.codec_config();
    let plain: Vec<_> = codecs
        .params()
        .iter()
        .map(|params| (params.pt(), params.spec()))
        .collect();
    codecs.clear();
    for (pt, spec) in plain {
        codecs.add_config(
            pt,
            None,
            spec.codec,
            spec.clock_rate,
            spec.channels,
            spec.format,
        );
    }
}

fn built(candidate: &HostCandidate) -> Option<Candidate> {
    let built = match candidate.transport {
        Transport::Udp => Candidate::host(candidate.advertised, Protocol::Udp),
        Transport::Tcp => Candidate::builder()
            .tcp()
            .host(candidate.advertised)
            .tcptype(TcpType::Passive)
            .build(),
    };
    built.ok()
}

/// One WebRTC connection.
pub(crate) struct Session {
    rtc: Box<Rtc>,
    /// Where the participant can reach us, and the local addresses behind it.
    reachable: Arc<[HostCandidate]>,
    candidates: Vec<String>,
    pending: Option<PendingOffer>,
    channel: Option<ChannelId>,
    channel_queue: ChannelQueue,
    nack_buffer: usize,
    sources: Sources,
    /// How many m-lines we made, whatever they carry now.
    made: usize,
    /// What each m-line we send on carries.
    lines: BTreeMap<Mid, OurLine>,
    /// The keys, until the connection is there.
    keys: Option<KeySlot>,
    egress: Option<Egress>,
    clock: WallClock,
    watch: PathWatch,
    /// At which of our addresses datagrams of each of the participant's addresses arrive.
    homes: Vec<(SocketAddr, SocketAddr)>,
    feedback: Vec<Feedback>,
    /// Packets refused since the last drain.
    refused: u32,
    is_broken: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("lines", &self.lines.len())
            .finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(
        template: &SessionTemplate,
        reachable: Option<Arc<[HostCandidate]>>,
        now: Instant,
    ) -> Self {
        let (rtc, keys) = build_tapped(template.rtc.clone(), now);
        let mut rtc = Box::new(rtc);
        let mut candidates = Vec::new();
        let reachable = reachable.unwrap_or_else(|| Arc::clone(&template.candidates));
        for candidate in reachable.iter().filter_map(built) {
            if let Some(added) = rtc.add_local_candidate(candidate) {
                candidates.push(added.to_sdp_string());
            }
        }
        Self {
            rtc,
            reachable,
            candidates,
            pending: None,
            channel: None,
            channel_queue: ChannelQueue::default(),
            nack_buffer: template.nack_buffer,
            sources: Sources::default(),
            made: 0,
            lines: BTreeMap::new(),
            keys: Some(keys),
            egress: None,
            clock: template.clock,
            watch: PathWatch::new(now),
            homes: Vec::new(),
            feedback: Vec::new(),
            refused: 0,
            is_broken: false,
        }
    }

    /// How media to the participant is protected; `None` before it is connected.
    pub(crate) fn profile(&self) -> Option<Profile> {
        self.egress.as_ref().map(Egress::profile)
    }

    /// Returns the ICE name STUN requests for this session carry.
    pub(crate) fn ufrag(&mut self) -> String {
        self.rtc.direct_api().local_ice_credentials().ufrag
    }

    /// Returns our candidates as `candidate:..` lines.
    pub(crate) fn candidates(&self) -> &[String] {
        &self.candidates
    }

    /// Takes one datagram; false when it is not for this session, or not understood.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        transport: Transport,
        source: SocketAddr,
        destination: SocketAddr,
        contents: &[u8],
    ) -> Result<bool, Box<RtcError>> {
        let protocol = match transport {
            Transport::Udp => Protocol::Udp,
            Transport::Tcp => Protocol::Tcp,
        };
        let local = destination;
        let destination = config::advertised(&self.reachable, transport, local);
        let Ok(receive) = Receive::new(protocol, source, destination, contents) else {
            return Ok(false);
        };
        // Anything but STUN comes from an address that proved itself with a STUN request, or it
        // would not have been routed here. str0m would still refuse a ClientHello that overtakes
        // the answer to our own check, and the participant would repeat it a second later.
        let is_stun = contents.first().is_some_and(|byte| *byte < 4);
        let input = str0m::Input::Receive(now, receive);
        if is_stun && !self.rtc.accepts(&input) {
            return Ok(false);
        }
        if rtp::is_rtcp(contents)
            && let Some(egress) = &mut self.egress
        {
            if !egress.read_feedback(now, contents, &mut self.feedback) {
                return Ok(false);
            }
            // Who publishes nothing has nothing to say to str0m.
            if self.sources.is_empty() {
                self.heard_from(now, source, false);
                return Ok(true);
            }
        }
        // Before str0m: it remembers every source for as long as the session lives.
        if self.sources.refuses(contents) {
            self.refused += 1;
            return Ok(true);
        }
        self.rtc.handle_input(input).map_err(Box::new)?;
        if is_stun {
            self.arrived(source, local);
        }
        self.heard_from(now, source, is_stun);
        Ok(true)
    }

    /// Lets time pass, which also moves written packets towards the wire.
    pub(crate) fn tick(&mut self, now: Instant) -> Result<(), Box<RtcError>> {
        self.rtc
            .handle_input(str0m::Input::Timeout(now))
            .map_err(Box::new)
    }

    /// Takes everything out: datagrams into `out`, events into `events`. Returns when to `tick`.
    pub(crate) fn drain(
        &mut self,
        out: &mut VecDeque<Output>,
        events: &mut Vec<SessionEvent>,
    ) -> Result<Instant, Box<RtcError>> {
        self.flush_channel();
        if self.is_broken {
            events.push(SessionEvent::Closed);
        }
        let refused = std::mem::take(&mut self.refused);
        events.extend((0..refused).map(|_| SessionEvent::Refused));
        let feedback = std::mem::take(&mut self.feedback);
        events.extend(feedback.into_iter().filter_map(|said| self.sort(said)));
        loop {
            match self.rtc.poll_output().map_err(Box::new)? {
                str0m::Output::Timeout(at) => return Ok(at),
                str0m::Output::Transmit(transmit) => {
                    let transport = match transmit.proto {
                        Protocol::Udp => Transport::Udp,
                        Protocol::Tcp | Protocol::SslTcp | Protocol::Tls => Transport::Tcp,
                    };
                    let destination = transmit.destination;
                    let source = self.home(transport, transmit.source, destination);
                    let contents: Vec<u8> = transmit.contents.into();
                    if contents.first().is_some_and(|byte| *byte > 3) {
                        self.follow(Path {
                            transport,
                            source,
                            destination,
                        });
                    }
                    out.push_back(Output::Transmit {
                        transport,
                        source,
                        destination,
                        contents,
                    });
                }
                str0m::Output::Event(event) => {
                    if let Some(event) = self.event(event) {
                        events.push(event);
                    }
                }
            }
        }
    }

    /// Connected, and the certificate checked: from here on media is ours to send.
    fn take_keys(&mut self) {
        // A participant that negotiated no SRTP has no keys, and gets no media.
        let Some(halves) = self.keys.take().and_then(|slot| slot.take()) else {
            return;
        };
        let mut egress = Egress::new(halves, self.clock);
        if let Some(path) = self.watch.path() {
            egress.follow(path);
        }
        self.egress = Some(egress);
    }

    /// Names the m-line that feedback is about.
    fn sort(&self, said: Feedback) -> Option<SessionEvent> {
        let mid = |ssrc| {
            let mut lines = self.lines.iter();
            lines.find_map(|(mid, line)| (line.ssrc == Some(ssrc)).then_some(*mid))
        };
        Some(match said {
            Feedback::Nack { ssrc, sequences } => SessionEvent::Missing(mid(ssrc)?, sequences),
            Feedback::KeyframeWanted { ssrc } => SessionEvent::KeyframeWanted(mid(ssrc)?),
            Feedback::Reception(_) | Feedback::BitrateLimit(_) | Feedback::Arrivals(_) => {
                SessionEvent::Reported(said)
            }
        })
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the enum is not exhaustive, and the SDP, frame and statistics events say nothing \
                  that is not known otherwise"
    )]
    fn event(&mut self, event: Event) -> Option<SessionEvent> {
        Some(match event {
            Event::RtpPacket(packet) => return self.incoming(packet).map(SessionEvent::Packet),
            Event::KeyframeRequest(request) => SessionEvent::KeyframeWanted(request.mid),
            Event::Connected => {
                self.take_keys();
                SessionEvent::Connected
            }
            Event::IceConnectionStateChange(state) => {
                let is_lost = state == IceConnectionState::Disconnected;
                if let Some(egress) = &mut self.egress {
                    egress.pause(is_lost);
                }
                if !is_lost {
                    return None;
                }
                SessionEvent::Unreachable
            }
            // The first channel is the one, whatever its label.
            Event::ChannelOpen(id, _) if self.channel.is_none() => {
                self.channel = Some(id);
                SessionEvent::ChannelOpen
            }
            Event::ChannelData(message) if self.channel == Some(message.id) => {
                SessionEvent::ChannelMessage(message.data)
            }
            Event::ChannelClose(id) if self.channel == Some(id) => {
                self.channel = None;
                SessionEvent::ChannelClosed
            }
            Event::Closed => SessionEvent::Closed,
            _ => return None,
        })
    }

    /// Queues a data channel message, which leaves with the next `drain`; false when it is shed.
    pub(crate) fn send_channel(&mut self, words: ChannelWords) -> bool {
        self.channel.is_none() || self.channel_queue.push(words)
    }

    fn flush_channel(&mut self) {
        while let Some(words) = self.channel_queue.front() {
            let Some(mut channel) = self.channel.and_then(|id| self.rtc.channel(id)) else {
                self.channel_queue.clear();
                return;
            };
            match channel.write(words.is_binary, &words.bytes) {
                Ok(false) => return,
                Ok(true) | Err(_) => self.channel_queue.pop(),
            }
        }
    }

    /// Asks the participant for a keyframe (PLI).
    pub(crate) fn request_keyframe(&mut self, source: SourceId) {
        // By name first: to str0m no name is any stream of the m-line.
        let names = [Some(incoming::name(source.layer)), None];
        let mut direct = self.rtc.direct_api();
        for name in names {
            if let Some(stream) = direct.stream_rx_by_mid(source.mid, name) {
                stream.request_keyframe(KeyframeRequestKind::Pli);
                return;
            }
        }
    }

    /// Whether an m-line was negotiated with this codec.
    pub(crate) fn carries(&self, mid: Mid, codec: Codec) -> bool {
        let media = self.rtc.media(mid);
        media.is_some_and(|media| senders::payload_type(&self.rtc, media, codec).is_some())
    }

    /// Prepares sending on an m-line that was answered; `None` when the participant does not want
    /// it, or not in this codec.
    pub(crate) fn sender(&self, mid: Mid, codec: Codec) -> Option<EgressStream> {
        let line = self.lines.get(&mid)?;
        let stream = (line.ssrc?, line.names.stream.as_str().into());
        senders::stream(&self.rtc, mid, codec, stream, self.nack_buffer)
    }

    /// Where own streams send through, with their keys.
    pub(crate) const fn egress(&mut self) -> Option<&mut Egress> {
        self.egress.as_mut()
    }

    /// Says goodbye to the participant, for these streams of ours first; drain once more to send it.
    pub(crate) fn close(&mut self, streams: &mut [&mut EgressStream], batch: &mut MediaBatch) {
        if let Some(egress) = &self.egress {
            egress.goodbye(streams, batch);
        }
        if let Err(error) = self.rtc.close() {
            tracing::debug!(%error, "close of a connection that is already broken");
        }
    }
}

/// Whether a payload begins a keyframe.
pub(crate) fn begins_keyframe(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::Opus => false,
        Codec::Vp8 => str0m::format::detect_vp8_keyframe(payload),
        Codec::Av1 => str0m::format::detect_av1_keyframe(payload),
    }
}

/// The one starting instant of unit tests.
#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "tests need one instant to count from"
)]
pub(crate) fn test_epoch() -> Instant {
    static EPOCH: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}
