//! What a participant on webrtc-rs is made of: its media engine, its way to the node, and what it
//! counts of each track.

use std::net::IpAddr;

use webrtc::api::interceptor_registry::register_default_interceptors;
use webrtc::api::media_engine::{MIME_TYPE_OPUS, MIME_TYPE_VP8, MediaEngine};
use webrtc::api::setting_engine::SettingEngine;
use webrtc::api::{API, APIBuilder};
use webrtc::ice::mdns::MulticastDnsMode;
use webrtc::ice::network_type::NetworkType;
use webrtc::ice_transport::ice_candidate::RTCIceCandidateInit;
use webrtc::interceptor::registry::Registry;
use webrtc::rtp_transceiver::rtp_codec::{
    RTCRtpCodecCapability, RTCRtpCodecParameters, RTCRtpHeaderExtensionCapability, RTPCodecType,
};

/// A track as it arrives.
#[derive(Debug, Clone)]
pub(crate) struct Track {
    pub(crate) stream_id: String,
    /// The media map named its m-line before it came.
    pub(crate) announced: bool,
    /// Packets that carried the publisher's mark.
    pub(crate) packets: usize,
    last_seq: Option<u16>,
    pub(crate) gaps: usize,
}

impl Track {
    pub(crate) fn new(stream_id: String, announced: bool) -> Self {
        Self {
            stream_id,
            announced,
            packets: 0,
            last_seq: None,
            gaps: 0,
        }
    }

    /// Counts a packet, and whether one is missing before it.
    pub(crate) fn note(&mut self, seq: u16) {
        if self
            .last_seq
            .is_some_and(|last| seq != last.wrapping_add(1))
        {
            self.gaps += 1;
        }
        self.last_seq = Some(seq);
        self.packets += 1;
    }
}

/// Which of the server's candidates a participant makes use of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    All,
    Ipv6,
    /// As behind a network that lets nothing through but the way to a relay.
    RelayOnly,
}

impl Reach {
    pub(crate) fn allows(self, candidate: &str) -> bool {
        match self {
            Self::All | Self::Ipv6 => true,
            Self::RelayOnly => candidate.contains(" typ relay"),
        }
    }

    pub(crate) fn network(self) -> NetworkType {
        match self {
            Self::All | Self::RelayOnly => NetworkType::Udp4,
            Self::Ipv6 => NetworkType::Udp6,
        }
    }

    /// Leaves out the candidates of a description.
    pub(crate) fn narrow(self, sdp: &str) -> String {
        sdp.split_inclusive('\n')
            .filter(|line| !line.starts_with("a=candidate:") || self.allows(line))
            .collect()
    }
}

/// Reads a candidate of the server: wrapped, never bare.
pub(crate) fn wrapped_candidate(json: &[u8]) -> RTCIceCandidateInit {
    let value: serde_json::Value = serde_json::from_slice(json).unwrap();
    assert_eq!(value["type"], "candidate");
    let candidate = value["candidate"]["candidate"].as_str().unwrap().to_owned();
    RTCIceCandidateInit {
        candidate,
        ..Default::default()
    }
}

/// Makes the engine of a participant: Opus with audio levels, VP8, loopback only.
pub(crate) fn api(reach: Reach) -> API {
    // webrtc-rs asks for the process's choice; an earlier test of this process may have made it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut media = MediaEngine::default();
    let opus = RTCRtpCodecCapability {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        rtcp_feedback: Vec::new(),
    };
    let vp8 = RTCRtpCodecCapability {
        mime_type: MIME_TYPE_VP8.to_owned(),
        clock_rate: 90_000,
        ..Default::default()
    };
    for (capability, payload_type, kind) in [
        (opus, 111, RTPCodecType::Audio),
        (vp8, 96, RTPCodecType::Video),
    ] {
        let codec = RTCRtpCodecParameters {
            capability,
            payload_type,
            ..Default::default()
        };
        media.register_codec(codec, kind).unwrap();
    }
    let uri = "urn:ietf:params:rtp-hdrext:ssrc-audio-level".to_owned();
    let level = RTCRtpHeaderExtensionCapability { uri };
    media
        .register_header_extension(level, RTPCodecType::Audio, None)
        .unwrap();
    let registry = register_default_interceptors(Registry::new(), &mut media).unwrap();
    let mut settings = SettingEngine::default();
    settings.set_include_loopback_candidate(true);
    settings.set_ip_filter(Box::new(|address: IpAddr| address.is_loopback()));
    settings.set_network_types(vec![reach.network()]);
    settings.set_ice_multicast_dns_mode(MulticastDnsMode::Disabled);
    APIBuilder::new()
        .with_media_engine(media)
        .with_interceptor_registry(registry)
        .with_setting_engine(settings)
        .build()
}
