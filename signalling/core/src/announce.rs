//! Outputs on their way out: who hears an event, and the bot's copies.
//!
//! Invariant: whatever goes to a channel or to the participants of a call also goes to the bot,
//! which is no member of the channel, and carries `channelID` in its data for everybody.

use std::collections::{BTreeSet, VecDeque};

use proto::calls::Event;
use proto::id::{ChannelId, ConnId, UserId};

use crate::io::{Envelope, MediaHost, Observation, Output, Record, Refusal, To};

/// Outputs not yet polled.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) queue: VecDeque<Output>,
    bot: UserId,
}

impl Outbox {
    pub(crate) fn new(bot: UserId) -> Self {
        Self {
            queue: VecDeque::new(),
            bot,
        }
    }

    pub(crate) fn push(&mut self, output: Output) {
        self.queue.push_back(output);
    }

    pub(crate) fn store(&mut self, record: Record) {
        self.push(Output::Store(record));
    }

    pub(crate) fn tell_media(&mut self, host: &MediaHost, message: proto::rtcd::ControlMessage) {
        self.push(Output::ToMedia {
            host: host.clone(),
            message,
        });
    }

    pub(crate) fn refused(&mut self, refusal: Refusal, action: &'static str) {
        self.push(Output::Observed(Observation::Refused { refusal, action }));
    }

    pub(crate) fn tell_connection(&mut self, connection: &ConnId, event: Event) {
        let to = To::Connection(connection.clone());
        self.push(Output::Publish(Envelope {
            event,
            to,
            channel_in_data: None,
        }));
    }

    /// To one person; `channel` is added to the data where the event itself does not name it.
    pub(crate) fn tell_user(&mut self, user: &UserId, channel: Option<&ChannelId>, event: Event) {
        let to = To::User(user.clone());
        self.push(Output::Publish(Envelope {
            event,
            to,
            channel_in_data: channel.cloned(),
        }));
    }

    pub(crate) fn tell_bot(&mut self, channel: &ChannelId, event: Event) {
        let bot = self.bot.clone();
        self.tell_user(&bot, Some(channel), event);
    }

    /// To every member of the channel, and to the bot.
    pub(crate) fn tell_channel(&mut self, channel: &ChannelId, event: Event) {
        let to = To::Channel(channel.clone());
        let copy = event.clone();
        self.push(Output::Publish(Envelope {
            event,
            to,
            channel_in_data: Some(channel.clone()),
        }));
        self.tell_bot(channel, copy);
    }

    /// To every person with a session in the call, once each, and to the bot.
    pub(crate) fn tell_participants(
        &mut self,
        channel: &ChannelId,
        users: &BTreeSet<UserId>,
        event: &Event,
    ) {
        let bot = self.bot.clone();
        for user in users.iter().filter(|user| **user != bot) {
            let to = To::UserIn(user.clone(), channel.clone());
            let channel_in_data = Some(channel.clone());
            self.push(Output::Publish(Envelope {
                event: event.clone(),
                to,
                channel_in_data,
            }));
        }
        self.tell_bot(channel, event.clone());
    }
}
