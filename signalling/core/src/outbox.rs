//! Outputs on their way out.

use std::collections::{BTreeSet, VecDeque};

use proto::id::{ConnId, PostId, UserId};

use crate::io::{Moment, Observation, Output, PostEdit, Refusal, Roster};
use crate::join::JoinError;
use crate::media::{MediaCommand, MediaHost};
use crate::news::{Envelope, News, To};
use crate::record::Record;

/// Outputs not yet polled.
#[derive(Debug, Default)]
pub(crate) struct Outbox(VecDeque<Output>);

impl Outbox {
    pub(crate) fn push(&mut self, output: Output) {
        self.0.push_back(output);
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.0.pop_front()
    }

    pub(crate) fn store(&mut self, record: Record) {
        self.push(Output::Store(record));
    }

    pub(crate) fn store_soon(&mut self, record: Record) {
        self.push(Output::StoreSoon(record));
    }

    pub(crate) fn tell(&mut self, to: To, news: News) {
        self.push(Output::Publish(Envelope { news, to }));
    }

    pub(crate) fn tell_connection(&mut self, connection: &ConnId, news: News) {
        self.tell(To::Connection(connection.clone()), news);
    }

    pub(crate) fn tell_user(&mut self, user: &UserId, news: News) {
        self.tell(To::User(user.clone()), news);
    }

    pub(crate) fn tell_media(&mut self, host: &MediaHost, command: MediaCommand) {
        self.push(Output::ToMedia {
            host: host.clone(),
            command,
        });
    }

    pub(crate) fn seat(&mut self, change: Roster) {
        self.push(Output::Roster(change));
    }

    pub(crate) fn refused(&mut self, refusal: Refusal, request: &'static str) {
        self.push(Output::Observed(Observation::Refused { refusal, request }));
    }

    /// Marks a post as that of an ended call: it came when nobody waited for it any more.
    pub(crate) fn close_post(&mut self, post: PostId, at: Moment) {
        let edit = PostEdit::Ended {
            end_at_ms: at.unix_ms,
            participants: BTreeSet::new(),
        };
        self.push(Output::EditPost { post, edit });
    }

    /// `had_place`: the connection was kept for this join, and is free again.
    pub(crate) fn refuse_join(&mut self, connection: &ConnId, had_place: bool, error: JoinError) {
        if had_place {
            self.seat(Roster::TurnedAway {
                connection: connection.clone(),
            });
        }
        let refused = News::JoinRefused {
            connection: connection.clone(),
            error: error.clone(),
        };
        self.tell_connection(connection, refused);
        self.push(Output::Observed(Observation::JoinRefused(error)));
    }
}
