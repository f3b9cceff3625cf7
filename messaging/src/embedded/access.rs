//! Who may do what in a room.
//!
//! Invariant: for who may not read it, a room does not exist.

use super::Server;
use super::fault::Fault;
use super::store::{MemberRow, PersonRow, RoomRow};
use crate::model::RoomRight;

/// What a room is to a person.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) room: RoomRow,
    pub(super) member: Option<MemberRow>,
    in_team: bool,
    is_admin: bool,
}

impl Access {
    pub(super) fn allows(&self, right: RoomRight) -> bool {
        let is_alive = self.room.deleted_at == 0;
        match right {
            RoomRight::Read => {
                self.member.is_some() || (self.in_team && self.room.kind == "O") || self.is_admin
            }
            RoomRight::CreatePost => self.member.is_some() && is_alive,
            RoomRight::Manage => {
                self.is_admin || self.member.as_ref().is_some_and(|member| member.is_admin)
            }
        }
    }
}

impl Server {
    /// What a room is to a person.
    pub(super) async fn access(&self, room: RoomRow, person: &PersonRow) -> Result<Access, Fault> {
        let member = self.store.member(&room.id, &person.id).await?;
        let team_member = match &room.team_id {
            Some(team) => self.store.team_member(team, &person.id).await?,
            None => None,
        };
        let is_admin = !room.is_personal()
            && (person.is_admin || team_member.as_ref().is_some_and(|member| member.is_admin));
        Ok(Access {
            room,
            member,
            in_team: team_member.is_some(),
            is_admin,
        })
    }

    /// The room, if the person has this right there. A room that cannot be read does not exist.
    pub(super) async fn room_for(
        &self,
        id: &str,
        person: &PersonRow,
        right: RoomRight,
    ) -> Result<Access, Fault> {
        let access = self.access(self.room_row(id).await?, person).await?;
        if !access.allows(RoomRight::Read) {
            return Err(Fault::not_found("room", id));
        }
        if !access.allows(right) {
            return Err(Fault::forbidden(match right {
                RoomRight::Read => "you may not read this channel",
                RoomRight::CreatePost => {
                    "you cannot write in this channel: join it first, unless it is archived"
                }
                RoomRight::Manage => "only an administrator of this channel may do that",
            }));
        }
        Ok(access)
    }
}
