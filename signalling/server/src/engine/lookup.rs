//! What must be looked up in the chat world before a call can judge.
//!
//! Not here: judging (`signalling_core`).
//! Invariant: what the chat server does not answer in time allows nothing.

use std::sync::Arc;
use std::time::Duration;

use messaging::ChatError;
use messaging::model::{Login, RoomKind, RoomRight};
use proto::calls::action::Join;
use proto::id::{ChannelId, ConnId, PostId, UserId};
use signalling_core::{Capabilities, JoinFacts, JoinRequest, MediaHost, ThreadFact};

use super::Engine;

/// How long the chat server may take to say what somebody may do.
const LOOKUP_LIMIT: Duration = Duration::from_secs(10);

impl Engine {
    /// Whether a person may do something in a room; rooms that do not exist allow nothing.
    pub(crate) async fn may(&self, user: &UserId, room: &ChannelId, right: RoomRight) -> bool {
        let asked = self.chat.may(user, room, right);
        match tokio::time::timeout(LOOKUP_LIMIT, asked).await {
            Ok(Ok(may)) => may,
            Ok(Err(error)) => {
                tracing::debug!(%error, "right not found");
                false
            }
            Err(_) => {
                tracing::warn!("right not found: the chat server did not answer in time");
                false
            }
        }
    }

    /// Whether a person is a member of a room; not, when that is not found out.
    pub(super) async fn is_member(&self, user: &UserId, room: &ChannelId) -> bool {
        let asked = tokio::time::timeout(LOOKUP_LIMIT, self.chat.membership(user)).await;
        let of = asked.ok().and_then(Result::ok);
        of.is_some_and(|of| of.rooms.contains(room))
    }

    /// Members and the bot may read.
    pub(crate) async fn may_read(&self, user: &UserId, room: &ChannelId) -> bool {
        *user == self.bot.id || self.may(user, room, RoomRight::Read).await
    }

    /// Everything about a join but its place among the others.
    pub(super) async fn join_request(
        self: &Arc<Self>,
        connection: ConnId,
        login: &Login,
        ask: Join,
    ) -> JoinRequest {
        let (person, channel) = (&login.person, &ask.channel);
        let room = tokio::time::timeout(LOOKUP_LIMIT, self.chat.room(channel));
        let count = tokio::time::timeout(LOOKUP_LIMIT, self.chat.member_count(channel));
        let (room, may_post, thread, count) = tokio::join!(
            room,
            self.may(&person.id, channel, RoomRight::CreatePost),
            self.thread_fact(ask.thread.as_ref(), channel),
            count,
        );
        let room = room.ok().and_then(Result::ok);
        let archived = room.as_ref().is_none_or(|room| room.archived);
        // Nobody posts in an archived room: who belongs to it hears that it is one.
        let belongs = archived && self.may(&person.id, channel, RoomRight::Read).await;
        let direct = |kind| matches!(kind, RoomKind::Direct);
        let facts = JoinFacts {
            may_post: (may_post || belongs) && room.is_some(),
            archived,
            direct: room.as_ref().is_some_and(|room| direct(room.kind)),
            // Who is not counted waits for nobody.
            room_members: count.ok().and_then(Result::ok).unwrap_or(0),
            thread,
            enabled: self.switch(channel).map(|switch| switch.enabled),
            is_admin: person.is_system_admin,
            // Known when it is let through.
            is_connected: false,
            media: Err(String::new()),
        };
        JoinRequest {
            connection,
            login: login.login_id.clone(),
            user: person.id.clone(),
            name: person.public_name(),
            title: ask.title,
            thread: ask.thread,
            job: ask.job,
            capabilities: Capabilities {
                av1: ask.av1_support,
                data_channel_signalling: ask.dc_signalling,
            },
            facts,
        }
    }

    /// The media host of the call's other sessions while it is connected and keeps it, else the least loaded; of
    /// hosts that are all away the call's own, which may come back.
    pub(super) fn choose_media(&self, of_call: Option<&MediaHost>) -> Result<MediaHost, String> {
        match of_call {
            Some(host) if self.media_hosts.keeps_calls(host) => Ok(host.clone()),
            Some(host) => Ok(self.media_hosts.choose().unwrap_or_else(|_| host.clone())),
            None => self.media_hosts.choose(),
        }
    }

    async fn thread_fact(&self, thread: Option<&PostId>, channel: &ChannelId) -> ThreadFact {
        let Some(thread) = thread else {
            return ThreadFact::NotAsked;
        };
        match tokio::time::timeout(LOOKUP_LIMIT, self.chat.post(thread)).await {
            Err(_)
            | Ok(Err(
                ChatError::NotFound { .. }
                | ChatError::Refused(_)
                | ChatError::NoRoom(_)
                | ChatError::Storage { .. },
            )) => ThreadFact::Elsewhere,
            Ok(Ok(post)) if post.room != *channel => ThreadFact::Elsewhere,
            Ok(Ok(post)) if post.deleted => ThreadFact::Deleted,
            Ok(Ok(post)) if post.root.is_some() => ThreadFact::Reply,
            Ok(Ok(_)) => ThreadFact::Root,
        }
    }
}
