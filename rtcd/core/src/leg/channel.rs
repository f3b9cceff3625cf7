//! What participants say over the data channel.
//!
//! In: its opening, closing and messages. Out: replies on it, measurements, and what the messages
//! ask for.

use std::time::Duration;

use proto::rtcd::ChannelMessage;

use super::{Ctx, Leg};
use crate::counters::DropReason;
use crate::io::{Measurement, Output};
use crate::negotiation::SignallingPath;

impl Leg {
    /// The data channel is there: from now on tracks are offered.
    pub(super) fn channel_open(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        let now = ctx.now;
        let group = self.key.group.clone();
        let Some(member) = self.member(index) else {
            return;
        };
        member.channel_open = true;
        if let Some(answered_at) = member.answered_at {
            let took = now.saturating_duration_since(answered_at);
            ctx.out
                .push_back(Output::Measured(Measurement::DataChannelOpenTime {
                    group,
                    took,
                }));
        }
        self.negotiate(ctx, index);
    }

    pub(super) fn channel_closed(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        let now = ctx.now;
        if let Some(member) = self.member(index) {
            member.channel_open = false;
            // Nobody is left to send the unlock.
            member.negotiation.lock.release_by_participant(now);
            member.schedule(ctx);
        }
    }

    /// Takes a data channel message.
    pub(super) fn channel_message(&mut self, ctx: &mut Ctx<'_>, index: u32, bytes: &[u8]) {
        let now = ctx.now;
        let group = self.key.group.clone();
        let Ok(message) = ChannelMessage::decode(bytes) else {
            ctx.counters.drop_one(DropReason::BadMessage);
            return;
        };
        match message {
            ChannelMessage::Ping => self.reply(ctx, index, &ChannelMessage::Pong),
            ChannelMessage::LegacyPing => self.reply(ctx, index, &ChannelMessage::LegacyPong),
            ChannelMessage::Sdp(description) => {
                self.described(ctx, index, SignallingPath::DataChannel, &description);
            }
            ChannelMessage::Lock => {
                let granted = self
                    .member(index)
                    .is_some_and(|member| member.negotiation.lock.take_for_participant(now));
                self.reply(ctx, index, &ChannelMessage::LockResult(granted));
            }
            ChannelMessage::Unlock => {
                let held = self
                    .member(index)
                    .and_then(|m| m.negotiation.lock.release_by_participant(now));
                if let Some(took) = held {
                    ctx.out
                        .push_back(Output::Measured(Measurement::LockHeldTime { group, took }));
                    self.negotiate(ctx, index);
                }
            }
            ChannelMessage::LossRate(ratio) => {
                ctx.out
                    .push_back(Output::Measured(Measurement::ClientLossRate {
                        group,
                        ratio,
                    }));
                self.loss_reported(ctx, index, ratio);
            }
            ChannelMessage::RoundTripTime(seconds) => {
                if let Ok(took) = Duration::try_from_secs_f64(seconds) {
                    let measured = Measurement::ClientRoundTrip { group, took };
                    ctx.out.push_back(Output::Measured(measured));
                }
            }
            ChannelMessage::Jitter(seconds) => {
                if let Ok(took) = Duration::try_from_secs_f64(seconds) {
                    ctx.out
                        .push_back(Output::Measured(Measurement::ClientJitter { group, took }));
                }
            }
            ChannelMessage::Pong
            | ChannelMessage::LegacyPong
            | ChannelMessage::LockResult(_)
            | ChannelMessage::MediaMap(_)
            | ChannelMessage::Unknown(_) => ctx.counters.drop_one(DropReason::BadMessage),
        }
    }

    fn reply(&mut self, ctx: &mut Ctx<'_>, index: u32, message: &ChannelMessage) {
        if let Some(member) = self.member(index) {
            member.session.send_channel(message);
            member.mark_dirty(ctx.notes, index);
        }
    }
}
