//! What must be looked up in the chat world before the state machine can judge.

use std::sync::Arc;

use messaging::ChatError;
use messaging::model::{Login, RoomKind, RoomRight};
use proto::calls::action::Join;
use proto::id::{ChannelId, ConnId, PostId, UserId};
use signalling_core::{JoinFacts, JoinRequest, ThreadFact};

use super::{Engine, shown_name};

impl Engine {
    /// Whether a person may do something in a room; rooms that do not exist allow nothing.
    pub(crate) async fn may(&self, user: &UserId, room: &ChannelId, right: RoomRight) -> bool {
        self.chat
            .may(user, room, right)
            .await
            .unwrap_or_else(|error| {
                tracing::debug!(%error, "right not found");
                false
            })
    }

    /// Members and the bot may read.
    pub(crate) async fn may_read(&self, user: &UserId, room: &ChannelId) -> bool {
        *user == self.bot.id || self.may(user, room, RoomRight::Read).await
    }

    pub(super) async fn join_request(
        self: &Arc<Self>,
        connection: ConnId,
        login: Arc<Login>,
        ask: Join,
    ) -> JoinRequest {
        let (person, channel) = (&login.person, &ask.channel);
        let room = self.chat.room(channel).await.ok();
        let may_post = self.may(&person.id, channel, RoomRight::CreatePost).await;
        let facts = JoinFacts {
            may_post: may_post && room.is_some(),
            archived: room.as_ref().is_none_or(|room| room.archived),
            direct: room
                .as_ref()
                .is_some_and(|room| room.kind == RoomKind::Direct),
            thread: self.thread_fact(ask.thread.as_ref(), channel).await,
            enabled: self.switch(channel).map(|switch| switch.enabled),
            is_admin: person.is_system_admin,
            media: self.links.choose(),
        };
        JoinRequest {
            connection,
            login: login.login_id.clone(),
            user: login.person.id.clone(),
            name: shown_name(&login.person),
            ask,
            facts,
        }
    }

    async fn thread_fact(&self, thread: Option<&PostId>, channel: &ChannelId) -> ThreadFact {
        let Some(thread) = thread else {
            return ThreadFact::NotAsked;
        };
        match self.chat.post(thread).await {
            Err(
                ChatError::NotFound { .. }
                | ChatError::Refused(_)
                | ChatError::NoRoom(_)
                | ChatError::Storage { .. },
            ) => ThreadFact::Elsewhere,
            Ok(post) if post.room != *channel => ThreadFact::Elsewhere,
            Ok(post) if post.deleted => ThreadFact::Deleted,
            Ok(post) if post.root.is_some() => ThreadFact::Reply,
            Ok(_) => ThreadFact::Root,
        }
    }
}
