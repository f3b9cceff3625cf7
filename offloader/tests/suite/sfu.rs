//! The media side of a call as the bot meets it: a str0m session that sends tones and pictures.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use proto::rtcd::{ChannelMessage, MediaMapEntry, SdpKind, SessionDescription, TrackType};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use super::sound::{picture_packets, speech_packets, tone_packets};

/// What is sent once the bot is connected. Packets are made beforehand, so that no time is lost
/// in the call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// Session and packets of each voice.
    voices: Vec<(String, Vec<Vec<u8>>)>,
    /// A shared screen: session, pictures, time from the start to its beginning.
    screen: Option<(String, Vec<Vec<u8>>, Duration)>,
    /// Voices begin again when they are over.
    endless: bool,
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
        self.screen = Some((session.to_owned(), pictures, begin));
        self
    }
}

struct Sending {
    mid: Mid,
    video: bool,
    packets: Vec<Vec<u8>>,
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
                    let _ = self
                        .socket
                        .send_to(&transmit.contents, transmit.destination);
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
                    self.start = Some(Instant::now());
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
        let mut map = BTreeMap::new();
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
                video: false,
                packets,
                sent: 0,
                begin,
            });
        }
        if let Some((session, packets, begin)) = script.screen {
            let mid = add(TrackType::Screen, &session);
            self.tracks.push(Sending {
                mid,
                video: true,
                packets,
                sent: 0,
                begin,
            });
        }
        if self.tracks.is_empty() {
            return;
        }
        let (offer, pending) = api.apply().unwrap();
        self.pending = Some(pending);
        self.tell(&ChannelMessage::MediaMap(map));
        let sdp = offer.to_sdp_string();
        self.tell(&ChannelMessage::Sdp(SessionDescription {
            kind: SdpKind::Offer,
            sdp,
        }));
    }

    fn send_due(&mut self) {
        let Some(start) = self.start else { return };
        for index in 0..self.tracks.len() {
            loop {
                let track = &self.tracks[index];
                let every = Duration::from_millis(if track.video { 33 } else { 20 });
                let waits = track.video && !self.keyframe;
                let due = start + track.begin + every * track.sent as u32;
                let over = track.sent >= track.packets.len()
                    && (track.video || !self.script.endless || track.packets.is_empty());
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
        let (mid, n) = (track.mid, track.sent);
        track.sent += 1;
        let mut payload = track.packets[n % track.packets.len()].clone();
        let time = if track.video { n * 2970 } else { n * 960 };
        let video = track.video;
        if video {
            payload.insert(0, 0x10);
            assert!(
                payload.len() < 1200,
                "the test's pictures fit into one packet"
            );
        }
        let pt = {
            let media = self.rtc.media(mid).unwrap();
            *media.remote_pts().first().unwrap()
        };
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(mid, None).unwrap();
        let seq_no = (1000 + n as u64).into();
        let write = RtpWrite::new(pt, seq_no, time as u32, Instant::now(), payload);
        stream.write_rtp(write.marker(video).nackable(video));
    }
}
