//! Offers and answers of one session.
//!
//! In: the participant's descriptions, and what is to be offered or withdrawn. Out: ours.
//! Directions of m-lines take effect in str0m at once, everything else with the answer: an offer
//! that is dropped has to put the directions back.

use std::collections::BTreeSet;

use str0m::RtcError;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};

use super::description::{OurLine, Section};
use super::sdp_filter::{TooMuch, relevant};
use super::{Session, TrackNames, description};

/// A description could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DescriptionError {
    #[error("session description cannot be parsed")]
    Parse(#[source] str0m::error::SdpError),
    #[error("session description cannot be applied")]
    Apply(#[source] Box<RtcError>),
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    #[error("answer has other m-lines than the offer")]
    OtherLines,
    #[error("answer without an offer of ours")]
    NoOffer,
}

/// What a participant's description says it sends.
pub(crate) type Sources = Vec<(Mid, Section)>;

/// An m-line to be offered.
#[derive(Debug)]
pub(crate) struct NewLine {
    pub(crate) is_audio: bool,
    pub(crate) names: TrackNames,
    /// An idle m-line to use again, instead of a new one.
    pub(crate) reuse: Option<Mid>,
}

pub(super) struct PendingOffer {
    change: SdpPendingOffer,
    sdp: String,
    /// M-lines whose direction was changed ahead of the answer, with the direction before.
    directions: Vec<(Mid, Direction)>,
    /// M-lines that are new in it.
    made: usize,
}

impl Session {
    /// Applies the participant's offer. Returns our answer and what the participant sends; an offer
    /// of ours that was pending is gone afterwards.
    pub(crate) fn accept_offer(
        &mut self,
        sdp: &str,
    ) -> Result<(String, Sources), DescriptionError> {
        self.forget_offer();
        let sdp = relevant(sdp, self.made)?;
        let ours: BTreeSet<String> = self.lines.keys().map(Mid::to_string).collect();
        let prepared = description::incoming_offer(&sdp, &ours);
        let offer = SdpOffer::from_sdp_string(&prepared).map_err(DescriptionError::Parse)?;
        let answer = self
            .rtc
            .sdp_api()
            .accept_offer(offer)
            .map_err(|error| DescriptionError::Apply(Box::new(error)))?;
        self.check_ssrcs(&sdp);
        Ok((self.finish(&answer.to_sdp_string()), sources(&sdp)))
    }

    /// Offers `add` and withdraws `remove`. Returns the description and, in the order of `add`,
    /// the m-lines; `None` when there was nothing to change.
    pub(crate) fn create_offer(
        &mut self,
        add: &[NewLine],
        remove: &[Mid],
    ) -> Option<(String, Vec<Mid>)> {
        self.forget_offer();
        let mut directions = Vec::new();
        for mid in remove {
            let Some(before) = self.rtc.media(*mid).map(str0m::media::Media::direction) else {
                continue;
            };
            self.lines.remove(mid);
            directions.push((*mid, without_send(before), before));
        }
        for line in add {
            let Some((mid, media)) = line.reuse.and_then(|mid| Some((mid, self.rtc.media(mid)?)))
            else {
                continue;
            };
            let before = media.direction();
            directions.push((mid, with_send(before), before));
        }
        let mut api = self.rtc.sdp_api();
        for (mid, direction, _) in &directions {
            api.set_direction(*mid, *direction);
        }
        let mut mids = Vec::new();
        for line in add {
            let kind = if line.is_audio {
                MediaKind::Audio
            } else {
                MediaKind::Video
            };
            let mid = line.reuse.unwrap_or_else(|| {
                let TrackNames { stream, track } = line.names.clone();
                api.add_media(kind, Direction::SendOnly, Some(stream), Some(track), None)
            });
            mids.push(mid);
        }
        let (offer, change) = api.apply()?;
        for (mid, line) in mids.iter().zip(add) {
            let ssrc = self.new_ssrc();
            let names = line.names.clone();
            self.lines.insert(*mid, OurLine { names, ssrc });
        }
        let sdp = self.finish(&offer.to_sdp_string());
        let directions = directions
            .into_iter()
            .map(|(mid, _, before)| (mid, before))
            .collect();
        self.pending = Some(PendingOffer {
            change,
            sdp: sdp.clone(),
            directions,
            made: add.iter().filter(|line| line.reuse.is_none()).count(),
        });
        Some((sdp, mids))
    }

    /// Returns the pending offer, to be sent again as it was.
    pub(crate) fn pending_offer(&self) -> Option<&str> {
        self.pending.as_ref().map(|pending| pending.sdp.as_str())
    }

    /// Applies the answer to our offer. Returns what the participant sends.
    pub(crate) fn accept_answer(&mut self, sdp: &str) -> Result<Sources, DescriptionError> {
        let pending = self.pending.as_ref().ok_or(DescriptionError::NoOffer)?;
        let sdp = relevant(sdp, self.made + pending.made)?;
        if description::mids(&sdp) != description::mids(&pending.sdp) {
            return Err(DescriptionError::OtherLines);
        }
        let answer = SdpAnswer::from_sdp_string(&sdp).map_err(DescriptionError::Parse)?;
        let pending = self.pending.take().ok_or(DescriptionError::NoOffer)?;
        self.rtc
            .sdp_api()
            .accept_answer(pending.change, answer)
            .map_err(|error| DescriptionError::Apply(Box::new(error)))?;
        self.made += pending.made;
        self.check_ssrcs(&sdp);
        Ok(sources(&sdp))
    }

    /// Drops our pending offer, as if it had never been made.
    pub(crate) fn forget_offer(&mut self) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        // Directions take effect at once in str0m; the change itself dies with `pending`.
        let mut api = self.rtc.sdp_api();
        for (mid, direction) in pending.directions {
            api.set_direction(mid, direction);
        }
        drop(api);
        let rtc = &self.rtc;
        self.lines
            .retain(|mid, _| rtc.media(*mid).is_some_and(|m| m.direction().is_sending()));
    }

    /// Gives a new stream of ours its SSRC; `None` without keys.
    fn new_ssrc(&mut self) -> Option<u32> {
        let mids: Vec<Mid> = self.lines.keys().copied().collect();
        let mut taken = self.str0m_ssrcs(&mids);
        taken.extend(self.sources.ssrcs());
        let egress = self.egress.as_mut()?;
        Some(egress.ssrcs.next(|ssrc| taken.contains(&ssrc)))
    }

    /// Looks at the streams str0m has after a negotiation: none may have an SSRC of ours, or both
    /// would seal under the same numbers (see `egress`).
    fn check_ssrcs(&mut self, sdp: &str) {
        let mids: Vec<Mid> = description::mids(sdp)
            .iter()
            .map(|mid| Mid::from(mid.as_str()))
            .collect();
        let theirs = self.str0m_ssrcs(&mids);
        if let Some(egress) = &mut self.egress
            && theirs.iter().any(|ssrc| egress.ssrcs.owns(*ssrc))
        {
            tracing::error!("str0m took an SSRC of ours: the session ends");
            egress.pause(true);
            self.is_broken = true;
        }
    }

    fn str0m_ssrcs(&mut self, mids: &[Mid]) -> BTreeSet<u32> {
        let mut direct = self.rtc.direct_api();
        let mut ssrcs = BTreeSet::new();
        for mid in mids {
            if let Some(stream) = direct.stream_tx_by_mid(*mid, None) {
                ssrcs.insert(*stream.ssrc());
                ssrcs.extend(stream.rtx().map(|ssrc| *ssrc));
            }
        }
        ssrcs
    }

    fn finish(&self, sdp: &str) -> String {
        let lines = self
            .lines
            .iter()
            .map(|(mid, line)| (mid.to_string(), line.clone()));
        description::outgoing(sdp, &lines.collect())
    }
}

/// Reads which m-lines a participant sends on.
fn sources(sdp: &str) -> Sources {
    let sections = description::sections(sdp).into_iter();
    sections
        .map(|section| (Mid::from(section.mid.as_str()), section))
        .collect()
}

fn without_send(direction: Direction) -> Direction {
    match direction {
        Direction::SendRecv | Direction::RecvOnly => Direction::RecvOnly,
        Direction::SendOnly | Direction::Inactive => Direction::Inactive,
    }
}

fn with_send(direction: Direction) -> Direction {
    match direction {
        Direction::SendRecv | Direction::RecvOnly => Direction::SendRecv,
        Direction::SendOnly | Direction::Inactive => Direction::SendOnly,
    }
}
