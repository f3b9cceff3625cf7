//! The layers of a track: a list with life.
//!
//! In: packets of layers, or what another leg says of them. Out: which layers are there. A layer is
//! there from its first packet on. It is gone when it stays silent while another one goes on: who
//! stops a layer for lack of bandwidth tells nobody. When all are silent nothing has happened: a
//! picture that does not change is sent once a second or not at all.
//! No timer: it is the packets of one layer that show how long another has been silent.

use std::time::{Duration, Instant};

use crate::bandwidth::RateMeter;
use crate::keyframes::KeyframeGate;
use crate::media::{Layer, LayerSet};
use crate::packet_cache::PacketCache;
use crate::rewrite::Compactor;

/// Silence beside another layer after which a layer is gone. Lower: an encoder that skips a few
/// pictures costs its viewers two keyframes. Higher: they look at a still for longer.
const GONE_AFTER: Duration = Duration::from_millis(500);
/// For so long of it the other has to be heard: one picture does not say that the next is missing.
const WITNESSED_FOR: Duration = Duration::from_millis(250);
/// What is heard of the other within this time belongs to the same picture.
const SAME_PICTURE: Duration = Duration::from_millis(100);

/// One incoming RTP stream of a track.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) compactor: Compactor,
    pub(super) gate: KeyframeGate,
    /// Of video: nobody asks what a voice brings.
    pub(super) rate: RateMeter,
    /// Of video: audio is not repeated.
    pub(super) cache: PacketCache,
    heard_at: Option<Instant>,
    /// Since when only other layers are heard.
    missed_since: Option<Instant>,
}

impl Stream {
    /// Another layer is heard now: whether this one is silent for too long.
    fn is_gone(&mut self, now: Instant) -> bool {
        let silent = self
            .heard_at
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        if silent < SAME_PICTURE {
            return false;
        }
        let since = *self.missed_since.get_or_insert(now);
        silent >= GONE_AFTER && now.saturating_duration_since(since) >= WITNESSED_FOR
    }
}

/// The streams of a track, by layer.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// From below.
    list: Vec<(Layer, Stream)>,
    alive: LayerSet,
}

impl Streams {
    /// Returns the stream of a layer, made if there is none.
    pub(super) fn of(&mut self, layer: Layer) -> &mut Stream {
        let at = match self.list.binary_search_by_key(&layer, |(known, _)| *known) {
            Ok(at) => at,
            Err(at) => {
                self.list.insert(at, (layer, Stream::default()));
                at
            }
        };
        let (_, stream) = self.list.get_mut(at).expect("found, or just inserted");
        stream
    }

    /// Returns the stream of a layer, if it was ever heard.
    pub(super) fn get(&self, layer: Layer) -> Option<&Stream> {
        let mut list = self.list.iter();
        list.find_map(|(known, stream)| (*known == layer).then_some(stream))
    }

    /// All that were ever heard, from below.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Layer, &mut Stream)> {
        self.list.iter_mut().map(|(layer, stream)| (*layer, stream))
    }

    /// The layers that are there.
    pub(super) const fn alive(&self) -> LayerSet {
        self.alive
    }

    /// Another leg says which layers are there; true when that is news.
    pub(super) fn told(&mut self, alive: LayerSet) -> bool {
        std::mem::replace(&mut self.alive, alive) != alive
    }

    /// Takes note of a packet; true when it shows that a layer has come or gone.
    pub(super) fn heard(&mut self, now: Instant, layer: Layer) -> bool {
        let mut is_news = self.alive.insert(layer);
        for (other, stream) in &mut self.list {
            if *other == layer {
                stream.heard_at = Some(now);
                stream.missed_since = None;
            } else if stream.is_gone(now) {
                is_news |= self.alive.remove(*other);
            }
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_epoch;

    fn at(ms: u64) -> Instant {
        test_epoch() + Duration::from_millis(ms)
    }

    fn layers(streams: &Streams) -> Vec<Layer> {
        streams.alive().iter().collect()
    }

    fn both() -> Streams {
        let mut streams = Streams::default();
        for layer in [Layer::HIGH, Layer::LOW] {
            streams.of(layer);
            assert!(streams.heard(at(0), layer));
        }
        streams
    }

    #[test]
    fn a_layer_that_is_silent_beside_another_is_gone_and_comes_back() {
        let mut streams = both();
        for ms in (20..500).step_by(20) {
            assert!(!streams.heard(at(ms), Layer::LOW), "after {ms} ms");
        }
        assert!(streams.heard(at(500), Layer::LOW));
        assert_eq!(layers(&streams), [Layer::LOW]);
        assert!(streams.heard(at(900), Layer::HIGH));
        assert_eq!(layers(&streams), [Layer::LOW, Layer::HIGH]);
    }

    #[test]
    fn a_picture_that_does_not_change_is_not_gone() {
        let mut streams = both();
        for second in 1..10 {
            assert!(!streams.heard(at(second * 1000), Layer::LOW));
            assert!(!streams.heard(at(second * 1000 + 1), Layer::HIGH));
        }
    }

    #[test]
    fn the_lowest_layer_can_go_too() {
        let mut streams = both();
        let news: Vec<u64> = (1..2000)
            .filter(|ms| streams.heard(at(*ms), Layer::HIGH))
            .collect();
        assert_eq!(news, [500]);
        assert_eq!(layers(&streams), [Layer::HIGH]);
    }
}
