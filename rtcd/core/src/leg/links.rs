//! The leg's side of its links: what it tells other legs of the call, and what it believes them.
//!
//! In: `LinkMessage`s. Out: `LinkMessage`s. Every leg is linked with every other one of the call, so
//! only what is published here is passed on.
//! Invariant: nothing that came over a link leaves over a link, except wishes on their way to the
//! publisher.

use super::tracks::{Origin, Track};
use super::{Ctx, Leg};
use crate::counters::DropReason;
use crate::io::{LinkId, LinkMessage, LinkedTrack, LinkedTrackId, Output};
use crate::keyframes::Need;
use crate::media::{Layer, LayerSet};

/// Packets that are asked for at once. More: a link that was away for a moment comes back to a burst.
const MOST_REPEATED: u64 = 64;

impl Leg {
    /// Joins another leg. Which of the two is there first is not known: see `LinkMessage::Greeting`.
    pub(crate) fn link_up(&mut self, ctx: &mut Ctx<'_>, link: LinkId) {
        if self.links.contains(&link) {
            return;
        }
        self.links.push(link);
        let message = LinkMessage::Greeting { is_answer: false };
        self.tell(ctx, link, message);
    }

    /// The other leg is there: it is told everything that is published here.
    fn greeted(&mut self, ctx: &mut Ctx<'_>, link: LinkId, is_answer: bool) {
        if !is_answer {
            let message = LinkMessage::Greeting { is_answer: true };
            self.tell(ctx, link, message);
        }
        for track in self.tracks.values() {
            if matches!(track.origin, Origin::Party { .. }) {
                let message = LinkMessage::TrackPublished {
                    track: describe(track),
                };
                self.tell(ctx, link, message);
            }
        }
        if self.presenter_is_here() {
            let message = LinkMessage::Presenter {
                session: self.presenter.clone(),
            };
            self.tell(ctx, link, message);
        }
    }

    /// Loses another leg, and with it everything published there.
    pub(crate) fn link_down(&mut self, ctx: &mut Ctx<'_>, link: LinkId) {
        self.links.retain(|known| *known != link);
        for track in self.tracks.values_mut() {
            track.crossing.forget(link);
        }
        let ended: Vec<u32> = self
            .tracks
            .values()
            .filter(|track| matches!(track.origin, Origin::Link { link: of, .. } if of == link))
            .map(|track| track.number)
            .collect();
        for number in ended {
            self.end_track(ctx, number);
        }
        if !self.presenter_is_here() {
            self.presenter = None;
        }
    }

    /// Takes a message of the leg at the other end.
    pub(crate) fn linked(&mut self, ctx: &mut Ctx<'_>, link: LinkId, message: LinkMessage) {
        if !self.links.contains(&link) {
            ctx.counters.drop_one(DropReason::UnknownSource);
            return;
        }
        match message {
            LinkMessage::Greeting { is_answer } => self.greeted(ctx, link, is_answer),
            LinkMessage::TrackPublished { track } => self.linked_track(ctx, link, track),
            LinkMessage::TrackEnded { track } => {
                if let Some(number) = self.linked_tracks.get(&(link, track)).copied() {
                    self.end_track(ctx, number);
                }
            }
            LinkMessage::TrackMuted { track, muted } => {
                let number = self.linked_tracks.get(&(link, track)).copied();
                if let Some(track) = number.and_then(|number| self.tracks.get_mut(&number)) {
                    track.muted = muted;
                }
            }
            LinkMessage::Rtp {
                track,
                layer,
                packet,
            } => match self.linked_tracks.get(&(link, track)).copied() {
                Some(number) => {
                    self.ask_for_missing(ctx, link, number, (layer, packet.seq_no));
                    self.forward(ctx, number, layer, packet);
                }
                None => ctx.counters.drop_one(DropReason::UnknownSource),
            },
            LinkMessage::KeyframeWanted {
                track,
                layer,
                is_repair,
            } => {
                if self.index_by_session.contains_key(&track.publisher) {
                    let need = if is_repair {
                        Need::Repair
                    } else {
                        Need::Picture
                    };
                    self.linked_keyframe_wanted(ctx, track.number, (layer, need));
                }
            }
            LinkMessage::Layers { track, alive } => {
                if let Some(number) = self.linked_tracks.get(&(link, track)).copied() {
                    self.layers_told(ctx, number, alive);
                }
            }
            LinkMessage::LayersWanted { track, layers } => {
                let track = self.tracks.get_mut(&track.number);
                if let Some(track) = track.filter(|t| matches!(t.origin, Origin::Party { .. })) {
                    track.crossing.asked(link, layers);
                }
            }
            LinkMessage::Missing {
                track,
                layer,
                first,
                count,
            } => self.repeat_over(ctx, link, &track, (layer, first, count)),
            LinkMessage::Presenter { session } => {
                if session.is_some() || !self.presenter_is_here() {
                    self.presenter = session;
                }
            }
        }
    }

    /// Asks for what a link lost before this packet. Of sound nothing is: it would come too late.
    fn ask_for_missing(
        &self,
        ctx: &mut Ctx<'_>,
        link: LinkId,
        number: u32,
        (layer, seq_no): (Layer, u64),
    ) {
        let track = self.tracks.get(&number);
        let Some(track) = track.filter(|track| !track.kind.is_audio()) else {
            return;
        };
        let stream = track.streams.get(layer);
        let Some((first, count)) = stream.and_then(|stream| stream.compactor.gap_before(seq_no))
        else {
            return;
        };
        // A layer that was not wanted for a while begins anew with a keyframe.
        if count <= MOST_REPEATED {
            let message = LinkMessage::Missing {
                track: track.linked_id(),
                layer,
                first,
                count,
            };
            self.tell(ctx, link, message);
        }
    }

    /// Sends packets again over the link that lost them.
    fn repeat_over(
        &self,
        ctx: &mut Ctx<'_>,
        link: LinkId,
        id: &LinkedTrackId,
        (layer, first, count): (Layer, u64, u64),
    ) {
        let track = self.tracks.get(&id.number);
        let track = track.filter(|track| track.linked_id() == *id);
        let Some(stream) = track.and_then(|track| track.streams.get(layer)) else {
            return;
        };
        for seq_no in (first..).take(usize::try_from(count.min(MOST_REPEATED)).unwrap_or(0)) {
            let Some(packet) = stream.cache.get(seq_no).cloned() else {
                continue;
            };
            ctx.counters.linked += 1;
            let message = LinkMessage::Rtp {
                track: id.clone(),
                layer,
                packet,
            };
            self.tell(ctx, link, message);
        }
    }

    fn linked_track(&mut self, ctx: &mut Ctx<'_>, link: LinkId, track: LinkedTrack) {
        let LinkedTrack {
            id,
            kind,
            codec,
            muted,
            layers,
        } = track;
        // Told again, by another greeting.
        if let Some(number) = self.linked_tracks.get(&(link, id.clone())).copied() {
            if let Some(track) = self.tracks.get_mut(&number) {
                track.muted = muted;
            }
            self.layers_told(ctx, number, layers);
            return;
        }
        // A session of this leg is believed itself, not a link that speaks for it.
        if self.index_by_session.contains_key(&id.publisher) {
            return;
        }
        let publisher = id.publisher.clone();
        let origin = Origin::Link {
            link,
            id: id.clone(),
        };
        let number = self.publish(ctx, publisher, origin, (kind, codec, muted));
        self.linked_tracks.insert((link, id), number);
        self.layers_told(ctx, number, layers);
    }

    fn layers_told(&mut self, ctx: &mut Ctx<'_>, number: u32, alive: LayerSet) {
        let track = self.tracks.get_mut(&number);
        if track.is_some_and(|track| track.streams.told(alive)) {
            self.aim(ctx, number);
        }
    }

    /// Tells all links of a new track, if it is one of ours.
    pub(super) fn announce_track(&self, ctx: &mut Ctx<'_>, track: &Track) {
        if matches!(track.origin, Origin::Party { .. }) {
            self.tell_all(
                ctx,
                &LinkMessage::TrackPublished {
                    track: describe(track),
                },
            );
        }
    }

    pub(super) fn announce_end(&self, ctx: &mut Ctx<'_>, number: u32) {
        if let Some(track) = self.own_track(number) {
            self.tell_all(ctx, &LinkMessage::TrackEnded { track });
        }
    }

    pub(super) fn announce_mute(&self, ctx: &mut Ctx<'_>, number: u32, muted: bool) {
        if let Some(track) = self.own_track(number) {
            self.tell_all(ctx, &LinkMessage::TrackMuted { track, muted });
        }
    }

    pub(super) fn announce_layers(&self, ctx: &mut Ctx<'_>, number: u32) {
        let alive = self.tracks.get(&number).map(|track| track.streams.alive());
        if let (Some(track), Some(alive)) = (self.own_track(number), alive) {
            self.tell_all(ctx, &LinkMessage::Layers { track, alive });
        }
    }

    pub(super) fn announce_presenter(&self, ctx: &mut Ctx<'_>) {
        self.tell_all(
            ctx,
            &LinkMessage::Presenter {
                session: self.presenter.clone(),
            },
        );
    }

    fn own_track(&self, number: u32) -> Option<LinkedTrackId> {
        let track = self.tracks.get(&number)?;
        matches!(track.origin, Origin::Party { .. }).then(|| track.linked_id())
    }

    fn presenter_is_here(&self) -> bool {
        self.presenter
            .as_ref()
            .is_some_and(|id| self.index_by_session.contains_key(id))
    }

    fn tell_all(&self, ctx: &mut Ctx<'_>, message: &LinkMessage) {
        for link in &self.links {
            self.tell(ctx, *link, message.clone());
        }
    }

    fn tell(&self, ctx: &mut Ctx<'_>, link: LinkId, message: LinkMessage) {
        ctx.out.push_back(Output::Linked {
            call: self.key.clone(),
            link,
            message,
        });
    }
}

fn describe(track: &Track) -> LinkedTrack {
    LinkedTrack {
        id: track.linked_id(),
        kind: track.kind,
        codec: track.codec,
        muted: track.muted,
        layers: track.streams.alive(),
    }
}
