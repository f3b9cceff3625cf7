//! What a participant is like, and what it publishes.

use std::time::Duration;

use str0m::format::Codec;
use str0m::media::Rid;

/// How a participant's program behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Descriptions go over the data channel once it is open.
    pub dc_signalling: bool,
    pub av1: bool,
    /// Answers the server's offers.
    pub answers: bool,
    /// Has no UDP.
    pub tcp: bool,
    /// Takes what does not fit together, for tests that make up messages in its name.
    pub forgiving: bool,
    /// Publishes one-way, as the reference's client does its screen; browsers offer both ways.
    pub one_way: bool,
    /// Reports when each packet arrived (transport-wide feedback), as browsers do.
    pub tells_arrivals: bool,
    pub ping_every: Duration,
}

/// What a participant publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    Sound,
    /// VP8.
    Picture,
    /// VP8 in the two layers of a screen.
    Layers,
    /// AV1.
    Av1Picture,
}

impl Media {
    pub(super) fn codec(self) -> Codec {
        match self {
            Self::Sound => Codec::Opus,
            Self::Picture | Self::Layers => Codec::Vp8,
            Self::Av1Picture => Codec::Av1,
        }
    }

    /// Bytes that make the packets of layers as different in size as they are.
    pub(super) fn filling(self, layer: u8) -> usize {
        match (self, layer) {
            (Self::Layers, 0) => 300,
            (Self::Layers, _) => 1150,
            (Self::Sound | Self::Picture | Self::Av1Picture, _) => 0,
        }
    }

    pub(super) fn layers(self) -> Vec<Option<Rid>> {
        match self {
            Self::Sound | Self::Picture | Self::Av1Picture => vec![None],
            Self::Layers => vec![Some("l".into()), Some("h".into())],
        }
    }
}

impl Default for Style {
    fn default() -> Self {
        Self {
            dc_signalling: true,
            av1: false,
            answers: true,
            tcp: false,
            forgiving: false,
            one_way: false,
            tells_arrivals: true,
            ping_every: Duration::from_secs(1),
        }
    }
}
