//! A participant: a WebRTC stack of its own, behaving as the browsers' client does.
//!
//! It offers first, with the data channel only; asks for the lock before it publishes; answers the
//! server's offers where they came from; unlocks after an answer; pings once a second.

mod decoder;
mod publishing;
mod repeats;
mod sealer;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::style::{Media, Style};
use proto::rtcd::{
    ChannelMessage, IceCandidate, MediaMapEntry, RtcKind, RtcMessage, SdpKind, SessionDescription,
};
use rtcd_srtp::build_tapped;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::media::{Direction, MediaKind, Mid, Simulcast, SimulcastLayer};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::{Extension, ExtensionMap};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use decoder::Decoder;
use publishing::Publication;
pub use publishing::RawPacket;
use repeats::Repeats;
use sealer::Sealer;

/// A packet that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub at: Instant,
    pub mid: String,
    pub seq_no: u64,
    pub payload: Vec<u8>,
}

/// A simulated participant.
#[derive(Debug)]
pub struct Participant {
    pub name: String,
    pub address: SocketAddr,
    pub shard: usize,
    /// How often its address changed on the way.
    pub rebound: u16,
    pub(super) style: Style,
    rtc: Rtc,
    sealer: Sealer,
    repeats: Repeats,
    channel: Option<ChannelId>,
    pub connected: bool,
    pub channel_open: bool,
    pending: Option<SdpPendingOffer>,
    /// What waits for the lock, with its stream id, and the m-line to use if it is not a new one.
    wishes: VecDeque<(Media, String, Option<Mid>)>,
    /// Mids to stop sending on.
    withdrawals: VecDeque<Mid>,
    locked: bool,
    asked: bool,
    publications: Vec<Publication>,
    pub audio_level: i8,
    born: Instant,
    timeout: Instant,
    next_ping: Instant,
    server_address: Option<SocketAddr>,
    pub datagrams: Vec<Vec<u8>>,
    pub messages: Vec<(RtcKind, String)>,
    /// The media map last received.
    pub media_map: BTreeMap<String, MediaMapEntry>,
    /// `(mid, stream id, track id)` of the server's m-lines that send, from its last offer.
    pub announced: Vec<(String, String, String)>,
    pub offers_received: usize,
    pub pongs: usize,
    pub lock_results: Vec<bool>,
    pub heard: Vec<Heard>,
    decoders: BTreeMap<String, Decoder>,
    pub keyframe_requests: Vec<Instant>,
    pub signals: Vec<RtcMessage>,
    pub last_offer: String,
    channel_queue: VecDeque<(bool, Vec<u8>)>,
}

impl Participant {
    pub fn new(name: &str, address: SocketAddr, shard: usize, style: Style, now: Instant) -> Self {
        let mut config = RtcConfig::new().set_rtp_mode(true);
        if !style.tells_arrivals {
            let mut known = ExtensionMap::empty();
            for (id, extension) in ExtensionMap::standard().iter() {
                if *extension != Extension::TransportSequenceNumber {
                    known.set(id, extension.clone());
                }
            }
            config = config.set_extension_map(known);
        }
        let (mut rtc, keys) = build_tapped(config, now);
        let candidate = if style.tcp {
            Candidate::builder()
                .tcp()
                .host(address)
                .tcptype(TcpType::Active)
                .build()
        } else {
            Candidate::host(address, Protocol::Udp)
        };
        rtc.add_local_candidate(candidate.expect("an address"));
        Self {
            name: name.to_owned(),
            address,
            shard,
            rebound: 0,
            style,
            rtc,
            sealer: Sealer::new(keys),
            repeats: Repeats::default(),
            channel: None,
            connected: false,
            channel_open: false,
            pending: None,
            wishes: VecDeque::new(),
            withdrawals: VecDeque::new(),
            locked: false,
            asked: false,
            publications: Vec::new(),
            audio_level: -30,
            born: now,
            timeout: now,
            next_ping: now + Duration::from_secs(3600),
            server_address: None,
            datagrams: Vec::new(),
            messages: Vec::new(),
            media_map: BTreeMap::new(),
            announced: Vec::new(),
            offers_received: 0,
            pongs: 0,
            lock_results: Vec::new(),
            heard: Vec::new(),
            decoders: BTreeMap::new(),
            keyframe_requests: Vec::new(),
            signals: Vec::new(),
            last_offer: String::new(),
            channel_queue: VecDeque::new(),
        }
    }

    /// Makes the first offer: the data channel.
    pub fn offer(&mut self, now: Instant) {
        let mut api = self.rtc.sdp_api();
        self.channel = Some(api.add_channel("calls-dc".to_owned()));
        let (offer, pending) = api.apply().expect("a first offer");
        self.pending = Some(pending);
        let sdp = offer.to_sdp_string();
        self.describe(SdpKind::Offer, sdp, true);
        self.settle(now);
    }

    /// Publishes a source as soon as the lock allows. Returns its position among publications.
    pub fn publish(&mut self, media: Media, stream: &str) -> usize {
        self.wishes.push_back((media, stream.to_owned(), None));
        self.ask_for_lock();
        self.publications.len() + self.wishes.len() - 1
    }

    /// Publishes sound on an m-line the server made, as browsers do when they have one.
    pub fn publish_back(&mut self, mid: &str) {
        self.wishes
            .push_back((Media::Sound, String::new(), Some(mid.into())));
        self.ask_for_lock();
    }

    /// Stops a publication for good.
    pub fn withdraw(&mut self, position: usize) {
        let publication = self.publications.get_mut(position).expect("a publication");
        publication.on = false;
        self.withdrawals.push_back(publication.mid);
        self.ask_for_lock();
    }

    /// Feeds a publication, or stops to.
    pub fn feed(&mut self, position: usize, on: bool, now: Instant) {
        let publication = self.publications.get_mut(position).expect("a publication");
        publication.on = on;
        publication.next = now;
    }

    /// Sends a data channel message.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "stories read better without a reference"
    )]
    pub fn send(&mut self, message: ChannelMessage) {
        self.channel_queue
            .push_back((!message.is_text(), message.encode()));
    }

    /// Sends any bytes over the data channel.
    pub fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.channel_queue.push_back((true, bytes));
    }

    /// Where it is seen to come from.
    #[must_use]
    pub fn seen_at(&self) -> SocketAddr {
        let port = self.address.port().wrapping_add(self.rebound);
        SocketAddr::new(self.address.ip(), port)
    }

    /// Seals any RTCP with this participant's keys; nothing before the handshake.
    pub fn seal_rtcp(&mut self, compound: &[u8]) -> Option<Vec<u8>> {
        self.sealer.rtcp(compound)
    }

    /// Seals any RTP packet; the header ends where the payload begins.
    pub fn seal_rtp(&mut self, index: u64, header: &[u8], payload: &[u8]) -> Option<Vec<u8>> {
        self.sealer.rtp(index, header, payload)
    }

    /// Ends the connection and says so to the server.
    pub fn hang_up(&mut self, now: Instant) {
        // A connection that is broken already has nobody to tell.
        let _ = self.rtc.close();
        self.channel_open = false;
        self.next_ping = now + Duration::from_secs(3600);
        self.timeout = now;
    }

    /// Returns how many sources it has published.
    #[must_use]
    pub fn published(&self) -> usize {
        self.publications.len()
    }

    /// Asks for the lock by hand.
    pub fn ask_for_lock(&mut self) {
        if self.channel_open && !self.asked && !self.locked {
            self.asked = true;
            self.send(ChannelMessage::Lock);
        }
    }

    /// Returns what arrived on the m-line that carries this sender's track of this kind.
    #[must_use]
    pub fn heard_of(&self, sender: &str, kind: proto::rtcd::TrackType) -> Vec<&Heard> {
        let mids: Vec<&String> = self
            .media_map
            .iter()
            .filter(|(_, entry)| entry.sender == sender && entry.kind == kind)
            .map(|(mid, _)| mid)
            .collect();
        self.heard
            .iter()
            .filter(|heard| mids.contains(&&heard.mid))
            .collect()
    }

    pub fn deadline(&self) -> Instant {
        let feeds = self.publications.iter().filter(|p| p.on).map(|p| p.next);
        let queued = (!self.channel_queue.is_empty() && self.channel_open).then_some(self.born);
        let asks = self.decoders.values().filter_map(Decoder::deadline);
        let soonest = feeds
            .chain(queued)
            .chain(asks)
            .fold(self.timeout, Instant::min);
        soonest.min(self.next_ping)
    }

    pub fn tick(&mut self, now: Instant) {
        if now >= self.next_ping {
            self.next_ping = now + self.style.ping_every;
            self.send(ChannelMessage::Ping);
            // The reference client asks again when it was refused.
            if !self.wishes.is_empty() || !self.withdrawals.is_empty() {
                self.ask_for_lock();
            }
        }
        for position in 0..self.publications.len() {
            self.produce(position, now);
        }
        self.ask_for_keyframes(now);
        if self.rtc.handle_input(Input::Timeout(now)).is_err() {
            self.timeout = now + Duration::from_secs(3600);
            return;
        }
        self.settle(now);
    }

    /// Whether something is taken that does not fit together, from now on.
    pub fn forgive(&mut self) {
        self.style.forgiving = true;
    }

    pub fn datagram(&mut self, now: Instant, source: SocketAddr, contents: &[u8]) {
        self.server_address = Some(source);
        let protocol = if self.style.tcp {
            Protocol::Tcp
        } else {
            Protocol::Udp
        };
        let Ok(receive) = Receive::new(protocol, source, self.address, contents) else {
            panic!("the server sent something that is not WebRTC");
        };
        if self.connected && rtcd_srtp::rtp::is_rtcp(contents) {
            let plain = self.sealer.open_rtcp(contents).unwrap_or_default();
            self.datagrams.extend(self.repeats.asked(&plain));
        }
        let taken = self.rtc.handle_input(Input::Receive(now, receive)).is_ok();
        assert!(taken || self.style.forgiving, "good datagrams");
        self.settle(now);
    }

    pub fn signal(&mut self, now: Instant, message: &RtcMessage) {
        self.signals.push(message.clone());
        match message.kind {
            RtcKind::Ice => {
                let candidate = IceCandidate::from_json(&message.data).expect("a candidate");
                assert!(
                    message.data.starts_with(b"{\"candidate\":{"),
                    "ours are wrapped"
                );
                let text = candidate.candidate;
                self.rtc
                    .add_remote_candidate(Candidate::from_sdp_string(&text).expect("one"));
            }
            RtcKind::Sdp => {
                let description =
                    SessionDescription::from_json(&message.data).expect("a description");
                self.described(&description, true);
            }
            RtcKind::Mute
            | RtcKind::Unmute
            | RtcKind::ScreenOn
            | RtcKind::ScreenOff
            | RtcKind::VoiceOn
            | RtcKind::VoiceOff
            | RtcKind::VideoOn
            | RtcKind::VideoOff => panic!("{:?} does not go to participants", message.kind),
        }
        self.settle(now);
    }

    fn describe(&mut self, kind: SdpKind, sdp: String, by_control: bool) {
        let description = SessionDescription { kind, sdp };
        if by_control {
            self.messages.push((RtcKind::Sdp, description.to_json()));
        } else {
            self.send(ChannelMessage::Sdp(description));
        }
    }

    fn described(&mut self, description: &SessionDescription, by_control: bool) {
        if self.style.forgiving {
            // Answers to what somebody else made up in its name would only confuse it.
            return;
        }
        match description.kind {
            SdpKind::Answer => {
                let pending = self.pending.take().expect("an answer follows an offer");
                let answer = SdpAnswer::from_sdp_string(&description.sdp).expect("an answer");
                self.rtc
                    .sdp_api()
                    .accept_answer(pending, answer)
                    .expect("a good answer");
                if std::mem::take(&mut self.locked) {
                    self.send(ChannelMessage::Unlock);
                }
            }
            SdpKind::Offer => {
                self.offers_received += 1;
                self.read_offer(&description.sdp);
                self.last_offer.clone_from(&description.sdp);
                if !self.style.answers {
                    return;
                }
                let offer = SdpOffer::from_sdp_string(&description.sdp).expect("an offer");
                let answer = self
                    .rtc
                    .sdp_api()
                    .accept_offer(offer)
                    .expect("a good offer");
                self.describe(SdpKind::Answer, answer.to_sdp_string(), by_control);
            }
        }
    }

    /// Notes what the server announces, and that the media map knows it already.
    fn read_offer(&mut self, sdp: &str) {
        self.announced.clear();
        for section in sdp.split("m=").skip(1) {
            let attribute = |name: &str| {
                section
                    .lines()
                    .find_map(|line| line.strip_prefix(name))
                    .map(str::to_owned)
            };
            let sends = section.contains("a=sendonly") || section.contains("a=sendrecv");
            let is_media = section.starts_with("audio") || section.starts_with("video");
            if !(is_media && sends) {
                continue;
            }
            let mid = attribute("a=mid:").expect("a mid");
            let msid = attribute("a=msid:").expect("an msid where something is sent");
            // An offer that is made again may name what has ended meanwhile.
            assert!(
                self.media_map.contains_key(&mid) || self.last_offer == sdp,
                "the media map comes before the offer"
            );
            assert!(section.contains("a=ssrc:"), "streams are announced by ssrc");
            let (stream, track) = msid.split_once(' ').expect("two ids");
            self.announced
                .push((mid, stream.to_owned(), track.to_owned()));
        }
    }

    fn settle(&mut self, now: Instant) {
        loop {
            self.flush_channel();
            // A connection that never came about ends in an error: then this one is silent.
            let Ok(output) = self.rtc.poll_output() else {
                self.timeout = now + Duration::from_secs(3600);
                return;
            };
            match output {
                Output::Timeout(at) => {
                    self.timeout = at.max(now + Duration::from_micros(100));
                    if !self.channel_open || self.channel_queue.is_empty() {
                        return;
                    }
                }
                Output::Transmit(transmit) => {
                    if (transmit.proto == Protocol::Tcp) == self.style.tcp {
                        self.repeats.note(&transmit.contents);
                        self.datagrams.push(transmit.contents.into());
                    }
                }
                Output::Event(event) => self.event(now, event),
            }
        }
    }

    fn flush_channel(&mut self) {
        if !self.channel_open {
            return;
        }
        while let Some((binary, message)) = self.channel_queue.pop_front() {
            let mut channel = self
                .channel
                .and_then(|id| self.rtc.channel(id))
                .expect("an open channel");
            let written = channel.write(binary, &message).expect("an open channel");
            assert!(written || self.style.forgiving, "the channel has room");
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a participant has no use for the others"
    )]
    fn event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Connected => self.connected = true,
            Event::ChannelOpen(id, _) => {
                self.channel = Some(id);
                self.channel_open = true;
                self.next_ping = now;
                if !self.wishes.is_empty() {
                    self.ask_for_lock();
                }
            }
            Event::ChannelClose(_) | Event::Closed => {
                self.channel_open = false;
                self.next_ping = now + Duration::from_secs(3600);
                for publication in &mut self.publications {
                    publication.on = false;
                }
            }
            Event::ChannelData(data) => {
                let message = ChannelMessage::decode(&data.data).expect("a message");
                assert_eq!(data.binary, !message.is_text(), "browsers read binary only");
                self.channel_message(now, message);
            }
            Event::RtpPacket(packet) => {
                let mut direct = self.rtc.direct_api();
                let stream = direct.stream_rx(&packet.header.ssrc).expect("its stream");
                // Like a browser: what is lost is asked for on the stream itself.
                stream.suppress_nack(packet.header.ext_vals.audio_level.is_some());
                let mid = stream.mid();
                let mid = mid.to_string();
                let number = (*packet.header.ssrc, *packet.seq_no);
                self.watch(now, &mid, number, &packet.payload);
                self.heard.push(Heard {
                    at: now,
                    mid,
                    seq_no: *packet.seq_no,
                    payload: packet.payload.to_vec(),
                });
            }
            Event::KeyframeRequest(request) => {
                self.keyframe_requests.push(now);
                let asked = self.publications.iter_mut().find(|p| p.mid == request.mid);
                if let Some(publication) = asked {
                    publication.keyframes_due.push(request.rid);
                }
            }
            _ => {}
        }
    }

    fn channel_message(&mut self, now: Instant, message: ChannelMessage) {
        match message {
            ChannelMessage::Pong | ChannelMessage::LegacyPong => self.pongs += 1,
            ChannelMessage::Sdp(description) => self.described(&description, false),
            ChannelMessage::MediaMap(map) => self.media_map = map,
            ChannelMessage::LockResult(granted) => {
                self.lock_results.push(granted);
                self.asked = false;
                self.locked = granted;
                if granted {
                    self.renegotiate(now);
                }
            }
            ChannelMessage::Ping
            | ChannelMessage::LegacyPing
            | ChannelMessage::LossRate(_)
            | ChannelMessage::RoundTripTime(_)
            | ChannelMessage::Jitter(_)
            | ChannelMessage::Lock
            | ChannelMessage::Unlock
            | ChannelMessage::Unknown(_) => panic!("{message:?} does not go to participants"),
        }
    }

    /// With the lock: offers what was wished for. Nothing: keeps the lock, as a test may want.
    fn renegotiate(&mut self, now: Instant) {
        let mut api = self.rtc.sdp_api();
        for mid in self.withdrawals.drain(..) {
            api.set_direction(mid, Direction::Inactive);
        }
        for (media, stream, line) in self.wishes.drain(..) {
            let kind = match media {
                Media::Sound => MediaKind::Audio,
                Media::Picture | Media::Layers | Media::Av1Picture => MediaKind::Video,
            };
            let layers = (media == Media::Layers).then(|| Simulcast {
                send: media
                    .layers()
                    .into_iter()
                    .flatten()
                    .map(|rid| SimulcastLayer {
                        rid,
                        attributes: None,
                    })
                    .collect(),
                recv: Vec::new(),
            });
            let direction = if self.style.one_way {
                Direction::SendOnly
            } else {
                Direction::SendRecv
            };
            let mid =
                line.unwrap_or_else(|| api.add_media(kind, direction, Some(stream), None, layers));
            if line.is_some() {
                api.set_direction(mid, Direction::SendRecv);
            }
            self.publications.push(Publication {
                mid,
                media,
                on: true,
                seq_no: 500,
                timestamp: 10_000,
                next: now + Duration::from_millis(100),
                keyframes_due: media.layers(),
                sent: Vec::new(),
                resting: Vec::new(),
            });
        }
        if let Some((offer, pending)) = api.apply() {
            self.pending = Some(pending);
            let sdp = offer.to_sdp_string();
            self.describe(SdpKind::Offer, sdp, !self.style.dc_signalling);
        }
    }
}
