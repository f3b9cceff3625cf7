//! One transport of a participant: a UDP socket, a str0m connection, and the media beside it.
//!
//! str0m does ICE, DTLS, SDP and data channels. RTP and RTCP never reach it: once connected, the
//! keys are taken out and `Media` seals, opens and counts by itself.
//! Every SSRC of ours is made here and put into the descriptions in place of str0m's, so str0m
//! never seals a packet with one of them: no nonce is used twice.
//! In: descriptions, candidates, datagrams, time. Out: descriptions, datagrams, `LegEvent`s.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::Context;
use rtcd_srtp::keys::{KeySlot, build_tapped};
use rtcd_srtp::rtp;
use str0m::change::{SdpAnswer, SdpApi, SdpOffer, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::crypto::dtls::DtlsCert;
use str0m::format::{Codec, FormatParams};
use str0m::media::{Frequency, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::Extension;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use crate::inbox::Datagram;
use crate::media::Media;
use crate::sdp;
use crate::servers::LegEvent;
use crate::stamp;

/// Room for what arrives between two visits: at 2,500 packets a second, 0.4 s.
const RECEIVE_BUFFER: usize = 1 << 20;
/// str0m's own reports say nothing about media it does not see: as good as never.
const NO_REPORTS: Duration = Duration::from_secs(3600);

/// All transports of one participant. Most have one; LiveKit and Janus use one per direction.
#[derive(Debug, Default)]
pub(crate) struct Legs(Vec<Leg>);

impl Legs {
    /// Opens one more and returns its index.
    pub(crate) fn open(&mut self, now: Instant) -> anyhow::Result<usize> {
        self.open_on(Ipv4Addr::LOCALHOST, now)
    }

    /// The same on another address of this machine.
    pub(crate) fn open_on(&mut self, address: Ipv4Addr, now: Instant) -> anyhow::Result<usize> {
        self.0.push(Leg::new(address, now)?);
        Ok(self.0.len() - 1)
    }

    pub(crate) fn get(&mut self, index: usize) -> anyhow::Result<&mut Leg> {
        let count = self.0.len();
        self.0
            .get_mut(index)
            .with_context(|| format!("no leg {index} of {count}"))
    }

    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Leg> {
        self.0.iter_mut()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Leg> {
        self.0.iter()
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }
}

/// One transport.
pub(crate) struct Leg {
    rtc: Rtc,
    keys: KeySlot,
    socket: UdpSocket,
    local: SocketAddr,
    remote: Option<SocketAddr>,
    pending: Option<SdpPendingOffer>,
    own_ssrcs: sdp::OwnSsrcs,
    deadline: Instant,
    /// From `Event::Connected` on, if SRTP was negotiated.
    media: Option<Media>,
    events: Vec<LegEvent>,
}

impl std::fmt::Debug for Leg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leg").finish_non_exhaustive()
    }
}

impl Leg {
    fn new(address: Ipv4Addr, now: Instant) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind(SocketAddr::from((address, 0)))
            .context("bind a participant's socket (raise `ulimit -n` for many participants)")?;
        socket
            .set_nonblocking(true)
            .context("set a participant's socket up")?;
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::RcvBuf, &RECEIVE_BUFFER)
            .context("enlarge a participant's receive buffer")?;
        let local = socket
            .local_addr()
            .context("read a participant's address")?;
        let (mut rtc, keys) = build_tapped(configuration(), now);
        rtc.add_local_candidate(Candidate::host(local, "udp").context("make a candidate")?);
        Ok(Self {
            rtc,
            keys,
            socket,
            local,
            remote: None,
            pending: None,
            own_ssrcs: sdp::OwnSsrcs::default(),
            deadline: now,
            media: None,
            events: Vec::new(),
        })
    }

    /// Makes an offer of what `change` adds. It holds our candidate.
    pub(crate) fn offer<R>(
        &mut self,
        change: impl FnOnce(&mut SdpApi<'_>) -> R,
    ) -> anyhow::Result<(R, String)> {
        let mut api = self.rtc.sdp_api();
        let added = change(&mut api);
        let (offer, pending) = api.apply().context("offer something new")?;
        self.pending = Some(pending);
        let sdp = sdp::with_own_ssrcs(&offer.to_sdp_string(), &mut self.own_ssrcs);
        Ok((added, sdp))
    }

    /// Takes the server's answer to the last offer; one without an offer is ignored.
    pub(crate) fn accept_answer(&mut self, sdp: &str) -> anyhow::Result<()> {
        let answer = SdpAnswer::from_sdp_string(sdp).context("parse the server's answer")?;
        match self.pending.take() {
            Some(pending) => self
                .rtc
                .sdp_api()
                .accept_answer(pending, answer)
                .context("accept the server's answer"),
            None => Ok(()),
        }
    }

    /// Takes the server's offer and returns our answer.
    pub(crate) fn accept_offer(&mut self, sdp: &str) -> anyhow::Result<String> {
        let offer = SdpOffer::from_sdp_string(sdp).context("parse the server's offer")?;
        let answer = self
            .rtc
            .sdp_api()
            .accept_offer(offer)
            .context("accept the server's offer")?;
        Ok(sdp::with_own_ssrcs(
            &answer.to_sdp_string(),
            &mut self.own_ssrcs,
        ))
    }

    /// Takes one of the server's candidates, `candidate:..`; other forms (TCP, names) are ignored.
    pub(crate) fn add_candidate(&mut self, candidate: &str) {
        if let Ok(candidate) = Candidate::from_sdp_string(candidate)
            && candidate.proto() == Protocol::Udp
        {
            self.rtc.add_remote_candidate(candidate);
        }
    }

    pub(crate) fn write_channel(&mut self, channel: ChannelId, binary: bool, data: &[u8]) {
        if let Some(mut channel) = self.rtc.channel(channel) {
            // A refused write means the session is ending, which shows in the report.
            let _written = channel.write(binary, data);
        }
    }

    /// What is needed to send on `mid`; `None` before it is negotiated.
    pub(crate) fn sending(&self, mid: Mid) -> Option<Sending> {
        let media = self.rtc.media(mid)?;
        let extensions = media.remote_extmap();
        Some(Sending {
            ssrc: self.own_ssrcs.of(&mid.to_string())?,
            payload_type: **media.remote_pts().first()?,
            level_extension: extensions.id_of(Extension::AudioLevel),
        })
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(crate) fn media(&mut self) -> Option<&mut Media> {
        self.media.as_mut()
    }

    pub(crate) const fn heard(&self) -> Option<&Media> {
        self.media.as_ref()
    }

    pub(crate) fn raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    pub(crate) const fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Takes a datagram. Media is counted; for anything else, returns when it arrived.
    pub(crate) fn on_datagram(
        &mut self,
        datagram: Datagram<'_>,
        now: Instant,
    ) -> anyhow::Result<Option<Instant>> {
        let Datagram {
            bytes,
            source,
            arrived,
        } = datagram;
        match (&mut self.media, source) {
            (Some(media), _) if rtp::is_rtp(bytes) => media.on_rtp(bytes, arrived, now),
            (Some(media), _) if rtp::is_rtcp(bytes) => media.on_rtcp(bytes, now),
            (_, Some(source)) => {
                return self
                    .on_other(bytes, source, now)
                    .map(|()| Some(on_our_clock(arrived, now)));
            }
            (_, None) => {}
        }
        Ok(None)
    }

    fn on_other(&mut self, bytes: &[u8], source: SocketAddr, now: Instant) -> anyhow::Result<()> {
        let Ok(contents) = bytes.try_into() else {
            return Ok(());
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
        self.drain(now)
    }

    pub(crate) fn on_timeout(&mut self, now: Instant) -> anyhow::Result<()> {
        self.rtc
            .handle_input(Input::Timeout(now))
            .context("pass the time")?;
        self.drain(now)
    }

    /// Sends a datagram of ours, sealed already, where str0m's go; false when the kernel refused.
    pub(crate) fn send(&self, datagram: &[u8]) -> bool {
        self.remote
            .is_some_and(|remote| self.socket.send_to(datagram, remote).is_ok())
    }

    pub(crate) fn take_events(&mut self) -> Vec<LegEvent> {
        std::mem::take(&mut self.events)
    }

    /// Lets str0m send and report.
    pub(crate) fn drain(&mut self, now: Instant) -> anyhow::Result<()> {
        loop {
            match self.rtc.poll_output().context("drain a participant")? {
                Output::Timeout(at) => {
                    self.deadline = at;
                    return Ok(());
                }
                Output::Transmit(transmit) => {
                    // A full socket buffer is loss, which retransmission repairs for these.
                    let _sent = self
                        .socket
                        .send_to(&transmit.contents, transmit.destination);
                    // Not STUN: goes to the nominated address.
                    if transmit.contents.first().is_some_and(|first| *first > 3) {
                        self.remote = Some(transmit.destination);
                    }
                }
                Output::Event(event) => self.on_event(event, now),
            }
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "str0m's events are non-exhaustive; three matter"
    )]
    fn on_event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Connected => {
                self.media = self.keys.take().map(|keys| Media::new(keys, now));
                self.events.push(LegEvent::Connected);
            }
            Event::ChannelOpen(id, label) => self.events.push(LegEvent::ChannelOpen(id, label)),
            Event::ChannelData(data) => {
                self.events.push(LegEvent::ChannelData(data.id, data.data));
            }
            _ => {}
        }
    }
}

/// The kernel's stamp as an instant.
fn on_our_clock(arrived: Option<u64>, now: Instant) -> Instant {
    arrived
        .map(|arrived| Duration::from_nanos(stamp::now().saturating_sub(arrived)))
        .and_then(|ago| now.checked_sub(ago))
        .unwrap_or(now)
}

/// How packets on one m-line are labelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sending {
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
    pub(crate) level_extension: Option<u8>,
}

/// Opus and VP8 without retransmission streams; audio level and MID. No transport-cc: audio-only
/// participants of the measured servers do not use it, and video ones then get one fixed layer.
fn configuration() -> RtcConfig {
    static CERTIFICATE: OnceLock<Option<DtlsCert>> = OnceLock::new();
    let mut config = RtcConfig::new()
        .set_rtp_mode(true)
        .set_rtcp_report_interval_audio(NO_REPORTS)
        .set_rtcp_report_interval_video(NO_REPORTS)
        .clear_codecs()
        .enable_opus(true, false)
        .clear_extension_map()
        .set_extension(1, Extension::AudioLevel)
        .set_extension(2, Extension::RtpMid);
    config.codec_config().add_config(
        96.into(),
        None,
        Codec::Vp8,
        Frequency::NINETY_KHZ,
        None,
        FormatParams::default(),
    );
    // One for all: making thousands would measure the generator.
    let certificate = CERTIFICATE.get_or_init(|| {
        str0m::crypto::from_feature_flags()
            .dtls_provider
            .generate_certificate()
    });
    match certificate {
        Some(certificate) => config.set_dtls_cert(certificate.clone()),
        None => config,
    }
}
