//! A leg and the negotiators of its sessions: wishes one way, news the other.
//!
//! In: tracks to show, what participants say, time. Out: what the news of a negotiator ask for, in
//! their order.
//! Invariant: nothing reaches the participant over the calls server before what was written to its
//! data channel earlier.

use std::time::Instant;

use super::{Ctx, Leg};
use crate::counters::TrackDirection;
use crate::io::{Output, Signal};
use crate::negotiator::{Negotiator, News, Shown, Turn};
use crate::session::Mid;

/// Something to ask a negotiator for.
type Ask<'a> = dyn Fn(&mut dyn Negotiator, &mut Turn<'_>) + 'a;

impl Leg {
    /// Asks a session's negotiator for something, and does what its news say.
    pub(super) fn with_negotiator(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        ask: impl Fn(&mut dyn Negotiator, &mut Turn<'_>),
    ) {
        self.take_turn(ctx, index, &ask);
    }

    fn take_turn(&mut self, ctx: &mut Ctx<'_>, index: u32, ask: &Ask<'_>) {
        let Some(party) = usize::try_from(index)
            .ok()
            .and_then(|index| self.parties.get_mut(index)?.as_deref_mut())
        else {
            return;
        };
        let mut turn = Turn {
            now: ctx.now,
            config: ctx.config,
            group: &self.key.group,
            name: &party.request.key.session,
            session: &mut party.session,
            screen: party.screen_stream.as_deref(),
            counters: ctx.counters,
            news: Vec::new(),
            is_touched: false,
        };
        ask(party.negotiator.as_mut(), &mut turn);
        let (news, is_touched) = (turn.news, turn.is_touched);
        if is_touched {
            party.mark_dirty(ctx.notes, index);
        }
        party.schedule(ctx);
        let mut has_agreed = false;
        for news in news {
            has_agreed |= matches!(news, News::Agreed { .. });
            self.news(ctx, index, news);
        }
        if has_agreed {
            self.take_turn(ctx, index, &|negotiator, turn| negotiator.revise(turn));
        }
    }

    fn news(&mut self, ctx: &mut Ctx<'_>, index: u32, news: News) {
        match news {
            News::Signal(signal) => self.signal(ctx, index, signal),
            News::Answered => {
                if let Some(party) = self.party(index) {
                    party.answered_at = Some(ctx.now);
                    party.last_heard = ctx.now;
                    party.schedule(ctx);
                }
            }
            News::Sources(sources) => {
                let Some(party) = self.party(index) else {
                    return;
                };
                let ended = party.update_sources(sources);
                ctx.notes.ufrags.push((index, party.session.ufrag()));
                for track in ended {
                    self.end_track(ctx, track);
                }
            }
            News::Agreed { line, track } => {
                let settled = self.subscribe(ctx, index, line, track);
                if let Some(party) = self.party(index) {
                    party.negotiator.settle(line, settled);
                }
            }
            News::Measured(measurement) => ctx.out.push_back(Output::Measured(measurement)),
            News::Loss(ratio) => self.loss_reported(ctx, index, ratio),
            News::Failed(reason) => self.close(ctx, index, reason),
        }
    }

    /// Whatever was written to the data channel goes first.
    fn signal(&mut self, ctx: &mut Ctx<'_>, index: u32, signal: Signal) {
        self.flush(ctx, index);
        if let Some(party) = self.party(index) {
            let key = party.request.key.clone();
            ctx.out.push_back(Output::Signal { key, signal });
        }
    }

    /// Decides for every session which of these tracks it should receive, and negotiates.
    pub(super) fn revise_wishes(&mut self, ctx: &mut Ctx<'_>, numbers: &[u32]) {
        for index in self.live() {
            for number in numbers {
                let shown = usize::try_from(index).ok().and_then(|index| {
                    let party = self.parties.get(index)?.as_deref()?;
                    let track = self.tracks.get(number)?;
                    self.wants(party, track).then(|| track.shown())
                });
                let Some(shown) = shown else {
                    self.hide(ctx, index, *number);
                    continue;
                };
                if let Some(party) = self.party(index) {
                    party.negotiator.show(shown);
                }
            }
            self.with_negotiator(ctx, index, |negotiator, turn| negotiator.revise(turn));
        }
    }

    /// A session no longer receives a track.
    pub(super) fn hide(&mut self, ctx: &mut Ctx<'_>, index: u32, number: u32) {
        let was_shown = self
            .party(index)
            .is_some_and(|party| party.negotiator.hide(number));
        if !was_shown {
            return;
        }
        let Some(track) = self.tracks.get_mut(&number) else {
            return;
        };
        let Some(at) = track.subscription_of(index) else {
            return;
        };
        track.subscriptions.remove(at);
        let (group, codec) = (&self.key.group, track.codec);
        ctx.counters
            .group(group)
            .track_ended(TrackDirection::Out, codec);
        if let Some(party) = self.party(index) {
            party.pacer.retain(|paced| paced.track != number);
        }
        self.ask_for_layers(ctx, number);
    }

    /// Fires what is due in a session's negotiation.
    pub(super) fn negotiation_timeout(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        let now: Instant = ctx.now;
        let is_due = self
            .party(index)
            .and_then(|party| party.negotiator.deadline(ctx.config))
            .is_some_and(|at| now >= at);
        if is_due {
            self.with_negotiator(ctx, index, |negotiator, turn| negotiator.timeout(turn));
        }
    }

    /// The track a session is shown on one of its m-lines.
    pub(super) fn track_at(&mut self, index: u32, line: Mid) -> Option<u32> {
        self.party(index)?.negotiator.track_at(line)
    }
}

impl super::tracks::Track {
    /// What a participant has to know of it.
    pub(super) fn shown(&self) -> Shown {
        Shown {
            number: self.number,
            kind: self.kind,
            publisher: self.publisher.clone(),
            suffix: self.suffix.clone(),
        }
    }
}
