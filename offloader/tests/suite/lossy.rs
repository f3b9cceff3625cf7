//! A network that loses packets of media, the same ones each time.

use std::time::Duration;

/// What becomes of packets on their way to the bot.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lossy {
    /// One of so many is lost, by chance; none if 0.
    one_of: u64,
    /// Everything is lost for so long, from a time on.
    burst: Option<(Duration, Duration)>,
    drawn: u64,
}

impl Lossy {
    pub(crate) fn one_of(one_of: u64) -> Self {
        Self {
            one_of,
            ..Self::default()
        }
    }

    pub(crate) fn burst(mut self, at: Duration, lasts: Duration) -> Self {
        self.burst = Some((at, lasts));
        self
    }

    /// Whether a packet that is sent so long after the first does not arrive.
    pub(crate) fn loses(&mut self, since: Duration, packet: &[u8]) -> bool {
        // RFC 7983: RTP and RTCP begin so; connecting is not this network's to disturb.
        if !packet
            .first()
            .is_some_and(|first| (128..192).contains(first))
        {
            return false;
        }
        let burst = self.burst;
        if burst.is_some_and(|(at, lasts)| since >= at && since < at + lasts) {
            return true;
        }
        self.drawn = self
            .drawn
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.one_of > 0 && (self.drawn >> 33).is_multiple_of(self.one_of)
    }
}
