//! What tracks are: what they show, how they are coded, and the layers they come in.
//!
//! Words of our own: which protocol names them how is for a door, or a negotiator, to know.

/// What a track shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrackKind {
    /// A participant's microphone.
    Voice,
    /// A shared screen.
    Screen,
    /// The sound of a shared screen.
    ScreenAudio,
    /// A participant's camera.
    Video,
}

impl TrackKind {
    /// Whether the track carries sound.
    #[must_use]
    pub const fn is_audio(self) -> bool {
        match self {
            Self::Voice | Self::ScreenAudio => true,
            Self::Screen | Self::Video => false,
        }
    }
}

/// The codecs that are forwarded; everything else is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    Opus,
    Vp8,
    Av1,
}

impl Codec {
    /// All codecs.
    pub const ALL: [Self; 3] = [Self::Opus, Self::Vp8, Self::Av1];

    /// Returns the MIME type, as used in metric labels.
    #[must_use]
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Opus => "audio/opus",
            Self::Vp8 => "video/VP8",
            Self::Av1 => "video/AV1",
        }
    }

    /// Returns the RTP clock rate in Hz.
    #[must_use]
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Vp8 | Self::Av1 => 90_000,
        }
    }
}

/// A simulcast layer by its rank, from the smallest picture up; a stream without layers is `LOW`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Layer(u8);

impl Layer {
    pub const LOW: Self = Self(0);
    pub const MIDDLE: Self = Self(1);
    pub const HIGH: Self = Self(2);
    /// All layers, from below.
    pub const ALL: [Self; 3] = [Self::LOW, Self::MIDDLE, Self::HIGH];

    /// Returns the rank, from 0.
    #[must_use]
    pub const fn rank(self) -> u8 {
        self.0
    }

    /// Finds a layer by its rank.
    #[must_use]
    pub fn of_rank(rank: u8) -> Option<Self> {
        Self::ALL.get(usize::from(rank)).copied()
    }
}

/// Some of the layers of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LayerSet(u8);

impl LayerSet {
    /// No layer.
    pub const NONE: Self = Self(0);

    /// This layer alone.
    #[must_use]
    pub const fn of(layer: Layer) -> Self {
        Self(1 << layer.0)
    }

    /// Returns the set as bits, bit 0 the lowest layer.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Makes a set of bits; those that stand for no layer are passed over.
    #[must_use]
    pub fn from_bits(bits: u8) -> Self {
        let mut set = Self::NONE;
        for layer in Layer::ALL {
            if bits & Self::of(layer).0 != 0 {
                set.insert(layer);
            }
        }
        set
    }

    #[must_use]
    pub const fn contains(self, layer: Layer) -> bool {
        self.0 & Self::of(layer).0 != 0
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds a layer; false when it was there.
    pub const fn insert(&mut self, layer: Layer) -> bool {
        let is_new = !self.contains(layer);
        self.0 |= Self::of(layer).0;
        is_new
    }

    /// Takes a layer away; false when it was not there.
    pub const fn remove(&mut self, layer: Layer) -> bool {
        let was_there = self.contains(layer);
        self.0 &= !Self::of(layer).0;
        was_there
    }

    /// Returns the layers, from below.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Layer> {
        Layer::ALL
            .into_iter()
            .filter(move |layer| self.contains(*layer))
    }

    /// Returns the layer to be shown to somebody who should get `wish`: that one, or the next one
    /// below, or if there is none the next one above.
    #[must_use]
    pub fn nearest(self, wish: Layer) -> Option<Layer> {
        let below = self.iter().rev().find(|layer| *layer <= wish);
        below.or_else(|| self.iter().next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_get_a_layer_gets_the_next_one_below_and_only_then_above() {
        let mut there = LayerSet::NONE;
        assert_eq!(there.nearest(Layer::HIGH), None);
        assert!(there.insert(Layer::MIDDLE) && !there.insert(Layer::MIDDLE));
        assert_eq!(there.nearest(Layer::LOW), Some(Layer::MIDDLE));
        assert_eq!(there.nearest(Layer::HIGH), Some(Layer::MIDDLE));
        there.insert(Layer::LOW);
        there.insert(Layer::HIGH);
        assert_eq!(there.nearest(Layer::HIGH), Some(Layer::HIGH));
        assert!(there.remove(Layer::HIGH) && !there.remove(Layer::HIGH));
        assert_eq!(there.nearest(Layer::HIGH), Some(Layer::MIDDLE));
        assert_eq!(
            there.iter().collect::<Vec<_>>(),
            [Layer::LOW, Layer::MIDDLE]
        );
    }
}
