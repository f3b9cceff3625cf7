//! Who is there and who is writing: what the others hear of it.
//!
//! Not here: the statuses themselves (`status`), and what clients say on the WebSocket (`gateway`).

use proto::id::UserId;
use serde_json::json;

use super::accounts::Caller;
use super::fault::Fault;
use super::rooms::to_user;
use super::{Server, wire};
use crate::model::{Audience, RoomRight, Status};

impl Server {
    /// Shows what a person's clients say, unless the person chose a status.
    pub(super) fn show_status(&self, person: &UserId, status: Status) {
        if self.statuses.observe(person, status, self.now_ms()) {
            self.announce_status(person);
        }
    }

    pub(super) fn announce_status(&self, person: &UserId) {
        let data = wire::status(person, self.statuses.of(person));
        self.emit("status_change", data, to_user(person));
    }

    /// Tells the others in a room that somebody is writing.
    pub(super) async fn tell_typing(
        &self,
        caller: &Caller,
        room: &str,
        parent: &str,
    ) -> Result<(), Fault> {
        let access = self
            .room_for(room, &caller.person, RoomRight::CreatePost)
            .await?;
        let audience = Audience {
            room: Some(access.room.id),
            omit_users: vec![caller.person.id.clone()],
            ..Audience::default()
        };
        let data = json!({ "parent_id": parent, "user_id": caller.person.id.as_str() });
        self.emit("typing", data, audience);
        Ok(())
    }
}
