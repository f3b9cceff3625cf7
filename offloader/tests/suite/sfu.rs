//! The media side of a call as the bot meets it: a str0m session that sends tones and pictures.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use proto::rtcd::{ChannelMessage, MediaMapEntry, SdpKind, SessionDescription, TrackType};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use super::lossy::Lossy;
use super::sound::{picture_packets, speech_packets, tone_packets};

/// What is sent once the bot is connected. Packets are made beforehand, so that no time is lost
/// in the call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// Session and packets of each voice.
    voices: Vec<(String, Vec<Vec<u8>>)>,
    screen: Option<Shared>,
    /// Voices begin again when they are over.
    endless: bool,
    /// Numbers and times of packets begin just before they begin anew.
    nearly_over: bool,
    /// Behind each picture comes a packet that holds nothing.
    padded: bool,
    /// Voices go on under another source from this packet on, whose numbers begin lower.
    other_source_at: Option<usize>,
    network: Lossy,
    /// The first voice is taken away then, and comes again on a track of its own.
    again_at: Option<Duration>,
}

/// A shared screen.
#[derive(Debug, Clone)]
struct Shared {
    session: String,
    codec: Codec,
    /// What RTP carries, `pieces` for each picture.
    payloads: Vec<Vec<u8>>,
    pieces: usize,
    /// Time from the start to its beginning.
    begin: Duration,
}

impl Script {
    /// Adds a person whose voice is a tone for half a minute.
    pub(crate) fn voice(mut self, session: &str, hertz: f32) -> Self {
        self.voices
            .push((session.to_owned(), tone_packets(hertz, 50 * 30)));
        self
    }

    /// Adds a person who says what is in a fixture.
    pub(crate) fn speaker(mut self, session: &str, fixture: &str, seconds: usize) -> Self {
        let packets = speech_packets(fixture, seconds);
        self.voices.push((session.to_owned(), packets));
        self
    }

    /// Voices say the same again when they are over, for as long as the call lasts.
    pub(crate) fn endless(mut self) -> Self {
        self.endless = true;
        self
    }

    /// Numbers of sixteen bits and times of thirty-two run over while it lasts.
    pub(crate) fn nearly_over(mut self) -> Self {
        self.nearly_over = true;
        self
    }

    /// As of a sender that tries how much the network carries.
    pub(crate) fn padded(mut self) -> Self {
        self.padded = true;
        self
    }

    /// As of a server that restarts a stream within its track.
    pub(crate) fn other_source_at(mut self, packet: usize) -> Self {
        self.other_source_at = Some(packet);
        self
    }

    /// What is sent goes through this.
    pub(crate) fn through(mut self, network: Lossy) -> Self {
        self.network = network;
        self
    }

    /// As of somebody whose microphone is unplugged and plugged in.
    pub(crate) fn again_at(mut self, at: Duration) -> Self {
        self.again_at = Some(at);
        self
    }

    /// Adds a screen of one shade, shared from `begin` on.
    pub(crate) fn screen(self, session: &str, luma: u8, begin: Duration) -> Self {
        let pictures = picture_packets(luma, 640, 360, 30 * 15);
        self.screen_of(session, pictures, begin)
    }

    /// Adds a screen of these pictures, 30 a second, shared from `begin` on.
    pub(crate) fn screen_of(
        mut self,
        session: &str,
        pictures: Vec<Vec<u8>>,
        begin: Duration,
    ) -> Self {
        // RFC 7741: a picture begins, and its only packet ends it.
        let whole = |picture: Vec<u8>| [&[0x10], picture.as_slice()].concat();
        self.screen = Some(Shared {
            session: session.to_owned(),
            codec: Codec::Vp8,
            payloads: pictures.into_iter().map(whole).collect(),
            pieces: 1,
            begin,
        });
        self
    }

    /// Adds a screen in AV1: what RTP carries, so many pieces for each picture, 30 pictures a second. It is
    /// sent to whoever can use AV1.
    pub(crate) fn screen_in_av1(
        mut self,
        session: &str,
        payloads: Vec<Vec<u8>>,
        pieces: usize,
        begin: Duration,
    ) -> Self {
        self.screen = Some(Shared {
            session: session.to_owned(),
            codec: Codec::Av1,
            payloads,
            pieces,
            begin,
        });
        self
    }

    /// Whoever can use no AV1 is not sent any.
    pub(crate) fn for_whom(mut self, av1: bool) -> Self {
        self.screen = self
            .screen
            .filter(|screen| av1 || screen.codec == Codec::Vp8);
        self
    }
}

struct Sending {
    mid: Mid,
    codec: Codec,
    packets: Vec<Vec<u8>>,
    /// Packets for each picture; 1 of a voice.
    pieces: usize,
    sent: usize,
    begin: Duration,
}

/// Answers the bot's offer, then runs until the other end of `stop` is dropped.
pub(crate) fn answer(offer: &str, script: Script, stop: Receiver<()>) -> String {
    let _ = std::panic::catch_unwind(|| {
        str0m::crypto::from_feature_flags().install_process_default();
    });
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut rtc = RtcConfig::new()
        .clear_codecs()
        .enable_opus(true, false)
        .enable_vp8(true)
        .enable_av1(true)
        .set_rtp_mode(true)
        .build(Instant::now());
    rtc.add_local_candidate(Candidate::host(socket.local_addr().unwrap(), "udp").unwrap());
    let offer = SdpOffer::from_sdp_string(offer).unwrap();
    let answer = rtc.sdp_api().accept_offer(offer).unwrap().to_sdp_string();
    std::thread::spawn(move || Sfu::new(rtc, socket, script).run(&stop));
    answer
}

struct Sfu {
    rtc: Rtc,
    socket: UdpSocket,
    script: Script,
    channel: Option<ChannelId>,
    pending: Option<SdpPendingOffer>,
    tracks: Vec<Sending>,
    start: Option<Instant>,
    /// The bot asked for a keyframe of the screen.
    keyframe: bool,
    map: BTreeMap<String, MediaMapEntry>,
}

impl Sfu {
    fn new(rtc: Rtc, socket: UdpSocket, script: Script) -> Self {
        Self {
            rtc,
            socket,
            script,
            channel: None,
            pending: None,
            tracks: Vec::new(),
            start: None,
            keyframe: false,
            map: BTreeMap::new(),
        }
    }

    fn run(mut self, stop: &Receiver<()>) {
        let local = self.socket.local_addr().unwrap();
        let mut buffer = vec![0; 2000];
        while stop.try_recv() != Err(TryRecvError::Disconnected) && self.rtc.is_alive() {
            let wait = self.poll().min(Instant::now() + Duration::from_millis(5));
            let wait = wait.saturating_duration_since(Instant::now());
            self.socket
                .set_read_timeout(Some(wait.max(Duration::from_millis(1))))
                .unwrap();
            let now = Instant::now();
            let input = match self.socket.recv_from(&mut buffer) {
                Ok((len, source)) => Input::Receive(
                    now,
                    Receive {
                        proto: Protocol::Udp,
                        source,
                        destination: local,
                        contents: buffer[..len].try_into().unwrap(),
                    },
                ),
                Err(_) => Input::Timeout(Instant::now()),
            };
            if self.rtc.handle_input(input).is_err() {
                return;
            }
            self.poll();
            self.send_due();
        }
    }

    fn poll(&mut self) -> Instant {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => return at,
                Ok(Output::Transmit(transmit)) => {
                    let since = self.start.map_or(Duration::ZERO, |start| start.elapsed());
                    if !self.script.network.loses(since, &transmit.contents) {
                        let _ = self
                            .socket
                            .send_to(&transmit.contents, transmit.destination);
                    }
                }
                Ok(Output::Event(event)) => self.take(event),
                Err(_) => return Instant::now(),
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::ChannelOpen(id, label) => {
                assert_eq!(label, "calls-dc");
                self.channel = Some(id);
                self.offer();
            }
            Event::ChannelData(data) => match ChannelMessage::decode(&data.data).unwrap() {
                ChannelMessage::Ping => self.tell(&ChannelMessage::Pong),
                ChannelMessage::Sdp(answer) => {
                    assert_eq!(answer.kind, SdpKind::Answer);
                    let answer = SdpAnswer::from_sdp_string(&answer.sdp).unwrap();
                    let pending = self.pending.take().unwrap();
                    self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
                    self.start.get_or_insert_with(Instant::now);
                }
                _ => {}
            },
            Event::KeyframeRequest(_) => self.keyframe = true,
            _ => {}
        }
    }

    fn tell(&mut self, message: &ChannelMessage) {
        if let Some(mut channel) = self.channel.and_then(|id| self.rtc.channel(id)) {
            channel.write(true, &message.encode()).unwrap();
        }
    }

    fn offer(&mut self) {
        let script = self.script.clone();
        let map = &mut self.map;
        let mut api = self.rtc.sdp_api();
        let mut add = |kind: TrackType, session: &str| {
            let media = if kind.is_audio() {
                MediaKind::Audio
            } else {
                MediaKind::Video
            };
            let track = format!("{}_{session}_abcdefgh", kind.as_str());
            let stream = Some(session.to_owned());
            let mid = api.add_media(media, Direction::SendOnly, stream, Some(track), None);
            map.insert(
                mid.to_string(),
                MediaMapEntry {
                    kind,
                    sender: session.to_owned(),
                },
            );
            mid
        };
        for (session, packets) in script.voices {
            let mid = add(TrackType::Voice, &session);
            let begin = Duration::ZERO;
            self.tracks.push(Sending {
                mid,
                codec: Codec::Opus,
                packets,
                pieces: 1,
                sent: 0,
                begin,
            });
        }
        if let Some(screen) = script.screen {
            let mid = add(TrackType::Screen, &screen.session);
            self.tracks.push(Sending {
                mid,
                codec: screen.codec,
                packets: screen.payloads,
                pieces: screen.pieces,
                sent: 0,
                begin: screen.begin,
            });
        }
        if self.tracks.is_empty() {
            return;
        }
        let change = api.apply().unwrap();
        self.send_offer(change);
    }

    /// The first voice again, on another track.
    fn offer_again(&mut self) {
        let (session, _) = self.script.voices[0].clone();
        let mut api = self.rtc.sdp_api();
        api.set_direction(self.tracks[0].mid, Direction::Inactive);
        let kind = TrackType::Voice;
        let track = format!("{}_{session}_hgfedcba", kind.as_str());
        let (direction, stream) = (Direction::SendOnly, Some(session.clone()));
        let mid = api.add_media(MediaKind::Audio, direction, stream, Some(track), None);
        let change = api.apply().unwrap();
        self.map.remove(&self.tracks[0].mid.to_string());
        let sender = session;
        self.map
            .insert(mid.to_string(), MediaMapEntry { kind, sender });
        self.tracks[0].mid = mid;
        self.send_offer(change);
    }

    fn send_offer(&mut self, (offer, pending): (SdpOffer, SdpPendingOffer)) {
        self.pending = Some(pending);
        self.tell(&ChannelMessage::MediaMap(self.map.clone()));
        let sdp = offer.to_sdp_string();
        self.tell(&ChannelMessage::Sdp(SessionDescription {
            kind: SdpKind::Offer,
            sdp,
        }));
    }

    fn send_due(&mut self) {
        let Some(start) = self.start else { return };
        let again_at = self.script.again_at;
        if again_at.is_some_and(|at| start.elapsed() >= at) {
            self.script.again_at = None;
            self.offer_again();
        }
        for index in 0..self.tracks.len() {
            loop {
                let track = &self.tracks[index];
                let video = track.codec != Codec::Opus;
                let every = Duration::from_millis(if video { 33 } else { 20 });
                let waits = video && !self.keyframe || index == 0 && self.pending.is_some();
                let due = start + track.begin + every * (track.sent / track.pieces) as u32;
                let over = track.sent >= track.packets.len()
                    && (video || !self.script.endless || track.packets.is_empty());
                if waits || due > Instant::now() || over {
                    break;
                }
                self.send(index);
                self.poll();
            }
        }
    }

    fn send(&mut self, index: usize) {
        let track = &mut self.tracks[index];
        let (mid, codec, n) = (track.mid, track.codec, track.sent);
        track.sent += 1;
        let payload = track.packets[n % track.packets.len()].clone();
        let video = codec != Codec::Opus;
        let time = n / track.pieces * if video { 2970 } else { 960 };
        let ends = n % track.pieces + 1 == track.pieces;
        assert!(payload.len() < 1200, "the test's payloads fit into packets");
        let known = self.rtc.codec_config().params().iter();
        let pt = known.filter(|known| known.spec().codec == codec);
        let pt = pt.map(|known| known.pt()).next().unwrap();
        let (first, start) = if self.script.nearly_over {
            (65_500, u32::MAX - 48_000)
        } else {
            (1000, 0)
        };
        let each = if video && self.script.padded { 2 } else { 1 };
        let mut seq_no = first + n as u64 * each;
        let mut api = self.rtc.direct_api();
        if let Some(at) = self.script.other_source_at.filter(|_| !video) {
            if n == at {
                let old = api.stream_tx_by_mid(mid, None).unwrap().ssrc();
                api.remove_stream_tx(old);
                api.declare_stream_tx((*old ^ 0x5555).into(), None, mid, None);
            }
            if n >= at {
                seq_no -= 500;
            }
        }
        let stream = api.stream_tx_by_mid(mid, None).unwrap();
        let time = start.wrapping_add(time as u32);
        let now = Instant::now();
        let write = RtpWrite::new(pt, seq_no.into(), time, now, payload);
        stream.write_rtp(write.marker(video && ends).nackable(video));
        if each == 2 {
            let nothing = RtpWrite::new(pt, (seq_no + 1).into(), time, now, Vec::new());
            stream.write_rtp(nothing);
        }
    }
}
