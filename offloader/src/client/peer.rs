//! The WebRTC side of the bot: one str0m session that receives, and the UDP sockets under it.
//!
//! In: session descriptions, datagrams, time. Out: `PeerEvent`s.
//! Not here: how descriptions travel (`session`), what tracks mean (`tracks`).
//! Invariant: after every input the session is polled until it asks to wait.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket as StdSocket};
use std::sync::Arc;
use std::time::Instant;

use proto::rtcd::{ChannelMessage, MediaMapEntry, SdpKind, SessionDescription, TrackType};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::format::{Codec, PayloadParams};
use str0m::media::{KeyframeRequestKind, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, Ssrc};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::tracks::{Change, Tracks};
use super::{Coding, MediaPacket, TrackKey};

/// Datagrams that may wait; above it the kernel's buffer fills and the network drops.
const DATAGRAM_QUEUE: usize = 2048;
/// Longest datagram.
const MAX_DATAGRAM: usize = 2048;

/// A datagram that arrived.
#[derive(Debug)]
pub(super) struct Datagram {
    pub(super) arrived: Instant,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) contents: Vec<u8>,
}

/// What the WebRTC side has to tell.
#[derive(Debug)]
pub(super) enum PeerEvent {
    Connected,
    Disconnected,
    ChannelOpen,
    Message(ChannelMessage),
    Track(Change),
    Packet {
        track: TrackKey,
        packet: MediaPacket,
    },
}

/// The connection could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum PeerError {
    #[error("open a UDP socket")]
    Socket(#[source] std::io::Error),
    #[error("session description of the server: {0}")]
    Sdp(String),
    #[error("the media session failed")]
    Rtc(#[source] str0m::RtcError),
}

/// One connection.
pub(super) struct Peer {
    rtc: Rtc,
    sockets: BTreeMap<SocketAddr, Arc<UdpSocket>>,
    readers: Vec<tokio::task::JoinHandle<()>>,
    pub(super) datagrams: mpsc::Receiver<Datagram>,
    channel: Option<ChannelId>,
    pending: Option<SdpPendingOffer>,
    media_map: BTreeMap<String, MediaMapEntry>,
    tracks: Tracks,
    mids: BTreeMap<u32, Mid>,
    numbers: BTreeMap<TrackKey, Numbers>,
    events: VecDeque<PeerEvent>,
    deadline: Instant,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.readers.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

impl Peer {
    /// Opens sockets on the addresses from which `server` can be reached.
    pub(super) fn new(server: Option<IpAddr>, av1: bool) -> Result<Self, PeerError> {
        let now = Instant::now();
        let mut rtc = RtcConfig::new()
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .enable_av1(av1)
            .set_rtp_mode(true)
            .build(now);
        let (sender, datagrams) = mpsc::channel(DATAGRAM_QUEUE);
        let mut sockets = BTreeMap::new();
        let mut readers = Vec::new();
        for address in local_addresses(server) {
            let Ok(socket) = StdSocket::bind((address, 0)) else {
                continue;
            };
            socket.set_nonblocking(true).map_err(PeerError::Socket)?;
            let socket = Arc::new(UdpSocket::from_std(socket).map_err(PeerError::Socket)?);
            let local = socket.local_addr().map_err(PeerError::Socket)?;
            let Ok(candidate) = Candidate::host(local, "udp") else {
                continue;
            };
            rtc.add_local_candidate(candidate);
            readers.push(tokio::spawn(read_socket(
                socket.clone(),
                local,
                sender.clone(),
            )));
            sockets.insert(local, socket);
        }
        if sockets.is_empty() {
            let error = std::io::Error::other("no local address can be used");
            return Err(PeerError::Socket(error));
        }
        Ok(Self {
            rtc,
            sockets,
            readers,
            datagrams,
            channel: None,
            pending: None,
            media_map: BTreeMap::new(),
            tracks: Tracks::default(),
            mids: BTreeMap::new(),
            numbers: BTreeMap::new(),
            events: VecDeque::new(),
            deadline: now,
        })
    }

    /// Makes the first offer: the data channel and nothing else.
    pub(super) fn offer(&mut self) -> Result<SessionDescription, PeerError> {
        let mut api = self.rtc.sdp_api();
        api.add_channel("calls-dc".to_owned());
        let (offer, pending) = api
            .apply()
            .ok_or_else(|| PeerError::Sdp("nothing to offer".to_owned()))?;
        self.pending = Some(pending);
        self.poll()?;
        Ok(SessionDescription {
            kind: SdpKind::Offer,
            sdp: offer.to_sdp_string(),
        })
    }

    /// Takes a description of the server; an offer gives the answer to send back.
    pub(super) fn take(
        &mut self,
        description: &SessionDescription,
    ) -> Result<Option<SessionDescription>, PeerError> {
        let unreadable = |error: &dyn std::fmt::Display| PeerError::Sdp(error.to_string());
        match description.kind {
            SdpKind::Answer => {
                let Some(pending) = self.pending.take() else {
                    return Ok(None);
                };
                let answer =
                    SdpAnswer::from_sdp_string(&description.sdp).map_err(|e| unreadable(&e))?;
                self.rtc
                    .sdp_api()
                    .accept_answer(pending, answer)
                    .map_err(PeerError::Rtc)?;
                self.poll()?;
                Ok(None)
            }
            SdpKind::Offer => {
                let offer =
                    SdpOffer::from_sdp_string(&description.sdp).map_err(|e| unreadable(&e))?;
                let answer = self
                    .rtc
                    .sdp_api()
                    .accept_offer(offer)
                    .map_err(PeerError::Rtc)?;
                self.mids.clear();
                let changes = self.tracks.update(&description.sdp, &self.media_map);
                self.events
                    .extend(changes.into_iter().map(PeerEvent::Track));
                self.poll()?;
                Ok(Some(SessionDescription {
                    kind: SdpKind::Answer,
                    sdp: answer.to_sdp_string(),
                }))
            }
        }
    }

    /// Takes a candidate of the server; what cannot be used (mDNS names, TCP) is left out.
    pub(super) fn add_candidate(&mut self, text: &str) -> Result<(), PeerError> {
        let text = text.strip_prefix("a=").unwrap_or(text);
        if let Ok(candidate) = Candidate::from_sdp_string(text) {
            self.rtc.add_remote_candidate(candidate);
        }
        self.poll()
    }

    /// Takes a datagram.
    pub(super) fn receive(&mut self, datagram: &Datagram) -> Result<(), PeerError> {
        let Ok(contents) = datagram.contents.as_slice().try_into() else {
            return Ok(());
        };
        let receive = Receive {
            proto: Protocol::Udp,
            source: datagram.source,
            destination: datagram.destination,
            contents,
        };
        // A datagram that is none of ours is no reason to end the call.
        if let Err(error) = self
            .rtc
            .handle_input(Input::Receive(datagram.arrived, receive))
        {
            tracing::debug!(%error, "a datagram was not understood");
        }
        self.poll()
    }

    /// Lets time pass.
    pub(super) fn tick(&mut self) -> Result<(), PeerError> {
        self.rtc
            .handle_input(Input::Timeout(Instant::now()))
            .map_err(PeerError::Rtc)?;
        self.poll()
    }

    /// When `tick` is due.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The next thing to tell.
    pub(super) fn next_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    /// Sends a message over the data channel; `false` while it is not open.
    pub(super) fn send(&mut self, message: &ChannelMessage) -> Result<bool, PeerError> {
        let Some(mut channel) = self.channel.and_then(|id| self.rtc.channel(id)) else {
            return Ok(false);
        };
        let sent = channel
            .write(!message.is_text(), &message.encode())
            .map_err(PeerError::Rtc)?;
        self.poll()?;
        Ok(sent)
    }

    /// Asks for a keyframe of a track.
    pub(super) fn request_keyframe(&mut self, track: TrackKey) -> Result<(), PeerError> {
        let mid = self.tracks.mid_of(track).map(Mid::from);
        let mut api = self.rtc.direct_api();
        if let Some(stream) = mid.and_then(|mid| api.stream_rx_by_mid(mid, None)) {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
        self.poll()
    }

    /// Closes the connection, telling the other side.
    pub(super) fn close(&mut self) {
        self.rtc.disconnect();
        let _ = self.poll();
    }

    fn poll(&mut self) -> Result<(), PeerError> {
        loop {
            match self.rtc.poll_output().map_err(PeerError::Rtc)? {
                Output::Timeout(at) => {
                    self.deadline = at;
                    return Ok(());
                }
                Output::Transmit(transmit) => {
                    if let Some(socket) = self.sockets.get(&transmit.source) {
                        // A full socket buffer loses the datagram, as a network would.
                        let _ = socket.try_send_to(&transmit.contents, transmit.destination);
                    }
                }
                Output::Event(event) => self.take_event(event),
            }
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "str0m has many events and may add more"
    )]
    fn take_event(&mut self, event: Event) {
        match event {
            Event::Connected => self.events.push_back(PeerEvent::Connected),
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                self.events.push_back(PeerEvent::Disconnected);
            }
            Event::ChannelOpen(id, _) => {
                self.channel = Some(id);
                self.events.push_back(PeerEvent::ChannelOpen);
            }
            Event::ChannelClose(id) if self.channel == Some(id) => self.channel = None,
            Event::ChannelData(data) => match ChannelMessage::decode(&data.data) {
                Ok(ChannelMessage::MediaMap(map)) => self.media_map = map,
                Ok(message) => self.events.push_back(PeerEvent::Message(message)),
                Err(error) => tracing::debug!(%error, "a data channel message was not understood"),
            },
            Event::RtpPacket(packet) => self.take_packet(packet),
            _ => {}
        }
    }

    fn take_packet(&mut self, packet: RtpPacket) {
        let ssrc = packet.header.ssrc;
        let mid = match self.mids.get(&*ssrc) {
            Some(mid) => *mid,
            None => match self.learn(ssrc) {
                Some(mid) => mid,
                None => return,
            },
        };
        let Some(track) = self.tracks.by_mid(&mid) else {
            return;
        };
        let is_av1 = |known: &PayloadParams| {
            known.pt() == packet.header.payload_type && known.spec().codec == Codec::Av1
        };
        let av1 = self.rtc.codec_config().params().iter().any(is_av1);
        let packet = MediaPacket {
            arrived: packet.timestamp,
            seq_no: self
                .numbers
                .entry(track)
                .or_default()
                .of(ssrc, *packet.seq_no),
            time: packet.time.numer(),
            marker: packet.header.marker,
            coding: if av1 { Coding::Av1 } else { Coding::Usual },
            payload: packet.payload,
        };
        self.events.push_back(PeerEvent::Packet { track, packet });
    }

    /// Finds the media section of a new stream. Pictures are asked for again when packets are
    /// missing, although the server has no separate stream for repeats.
    fn learn(&mut self, ssrc: Ssrc) -> Option<Mid> {
        let mid = {
            let mut api = self.rtc.direct_api();
            api.stream_rx(&ssrc)?.mid()
        };
        if self
            .rtc
            .media(mid)
            .is_some_and(|media| media.kind() == MediaKind::Video)
            && let Some(stream) = self.rtc.direct_api().stream_rx(&ssrc)
        {
            stream.suppress_nack(false);
        }
        self.mids.insert(*ssrc, mid);
        Some(mid)
    }
}

/// The sequence numbers of a track whose source may change: another one begins anywhere, and what is taken
/// for late would be dropped.
#[derive(Debug, Default)]
struct Numbers {
    source: Option<Ssrc>,
    shift: u64,
    last: u64,
}

impl Numbers {
    fn of(&mut self, source: Ssrc, seq_no: u64) -> u64 {
        if self
            .source
            .replace(source)
            .is_some_and(|known| known != source)
        {
            self.shift = (self.last + 1).wrapping_sub(seq_no);
        }
        let number = seq_no.wrapping_add(self.shift);
        self.last = self.last.max(number);
        number
    }
}

/// Whether a track shows pictures that are recorded.
pub(super) fn is_wanted(kind: TrackType) -> bool {
    match kind {
        TrackType::Voice | TrackType::Screen | TrackType::ScreenAudio => true,
        TrackType::Video => false,
    }
}

async fn read_socket(socket: Arc<UdpSocket>, local: SocketAddr, out: mpsc::Sender<Datagram>) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let Ok((len, source)) = socket.recv_from(&mut buffer).await else {
            // A refused earlier datagram is reported here; the socket itself is well.
            tokio::task::yield_now().await;
            continue;
        };
        let contents = buffer.get(..len).unwrap_or_default().to_vec();
        let datagram = Datagram {
            arrived: Instant::now(),
            source,
            destination: local,
            contents,
        };
        if out.send(datagram).await.is_err() {
            return;
        }
    }
}

/// Addresses of this machine from which media may flow: loopback, the one towards the server, and
/// the one towards the world.
fn local_addresses(server: Option<IpAddr>) -> Vec<IpAddr> {
    let mut found = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let outside = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    for target in server.into_iter().chain([outside]) {
        // Connecting a UDP socket sends nothing; it only chooses the route.
        let any: IpAddr = match target {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        let local = StdSocket::bind((any, 0)).and_then(|socket| {
            socket
                .connect((target, 9))
                .and_then(|()| socket.local_addr())
        });
        if let Ok(local) = local
            && !found.contains(&local.ip())
        {
            found.push(local.ip());
        }
    }
    found
}

/// The address of a site, to find out which of our own leads there.
pub(super) async fn resolve(site_url: &str) -> Option<IpAddr> {
    let rest = site_url.split("//").nth(1)?;
    let host = rest.split('/').next()?;
    let named = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let address = tokio::net::lookup_host(named).await.ok()?.next()?;
    Some(address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_source_of_a_track_goes_on_behind_the_one_before() {
        let mut numbers = Numbers::default();
        let (one, other) = (Ssrc::from(1), Ssrc::from(2));
        let given = [(one, 500), (one, 502), (one, 501), (other, 9), (other, 10)]
            .map(|(source, seq_no)| numbers.of(source, seq_no));
        assert_eq!(given, [500, 502, 501, 503, 504]);
    }
}
