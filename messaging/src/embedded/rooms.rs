//! Rooms: making them, joining and leaving, roles in them, and the events about it.
//!
//! Not here: who may do it (`access`), what of them is read (`reading`), teams (`teams`).

use std::collections::HashSet;

use proto::id::{ChannelId, TeamId, UserId};
use serde_json::{Value, json};

use super::fault::Fault;
use super::store::{Duplicate as _, NewRoom, PersonRow, RoomRow};
use super::text::{check_lines, tidy_name};
use super::{Server, wire};
use crate::ChatError;
use crate::model::{Audience, ChatNews, ClientEvent, Membership, Room, RoomKind};

/// Most people in a group room, its maker included.
const MAX_GROUP: usize = 8;
const MIN_GROUP: usize = 3;
/// Longest name of a team or room, in characters.
const MAX_NAME_CHARS: usize = 64;
/// Longest header or purpose, in characters.
const MAX_TEXT_CHARS: usize = 1024;

impl RoomRow {
    pub(super) fn is_personal(&self) -> bool {
        matches!(self.kind.as_str(), "D" | "G")
    }

    /// In the words of the model.
    pub(super) fn to_room(&self) -> Room {
        Room {
            id: self.id.clone(),
            team: self.team_id.clone(),
            kind: match self.kind.as_str() {
                "O" => RoomKind::Public,
                "D" => RoomKind::Direct,
                "G" => RoomKind::Group,
                // what is not known to be open is private
                _ => RoomKind::Private,
            },
            name: self.name.clone(),
            display_name: self.display_name.clone(),
            archived: self.deleted_at != 0,
        }
    }
}

impl Server {
    /// Makes sure that a public or private room exists in a team, and returns it.
    ///
    /// # Errors
    /// When the name breaks a rule or `kind` is a personal room.
    pub async fn ensure_room(
        &self,
        team: &TeamId,
        name: &str,
        display_name: &str,
        kind: RoomKind,
    ) -> Result<Room, ChatError> {
        let found = self
            .store
            .room_by_name(Some(team), name)
            .await
            .map_err(Fault::from)?;
        if let Some(room) = found {
            return Ok(room.to_room());
        }
        let kind = match kind {
            RoomKind::Public => "O",
            RoomKind::Private => "P",
            RoomKind::Direct | RoomKind::Group => {
                return Err(ChatError::Refused(
                    "a personal room has no name of its own".to_owned(),
                ));
            }
        };
        let room = self
            .create_room(team, kind, name, display_name, ("", ""), None)
            .await?;
        Ok(room.to_room())
    }

    /// Makes sure that a person is in a room (and in its team).
    ///
    /// # Errors
    /// When room or person do not exist.
    pub async fn ensure_member(&self, room: &ChannelId, person: &UserId) -> Result<(), ChatError> {
        let room = self.room_row(room.as_str()).await?;
        let person = self.person_row(person.as_str()).await?;
        if let Some(team) = &room.team_id {
            self.join_team(team, &person.id, false).await?;
        }
        Ok(self.join_room(&room, &person.id, false).await?)
    }

    /// Makes sure that the direct room of two people exists, and returns it.
    ///
    /// # Errors
    /// When one of them does not exist.
    pub async fn ensure_direct_room(&self, a: &UserId, b: &UserId) -> Result<Room, ChatError> {
        Ok(self.direct_room(a, b).await?.to_room())
    }

    pub(super) async fn room_row(&self, id: &str) -> Result<RoomRow, Fault> {
        self.store
            .room(id)
            .await?
            .ok_or_else(|| Fault::not_found("room", id))
    }

    pub(super) async fn create_room(
        &self,
        team: &TeamId,
        kind: &'static str,
        name: &str,
        display_name: &str,
        (header, purpose): (&str, &str),
        creator: Option<&UserId>,
    ) -> Result<RoomRow, Fault> {
        let display_name = &check_names(name, display_name)?;
        check_texts(header, purpose)?;
        let id = ChannelId::random();
        let members: Vec<(&UserId, bool)> = creator.into_iter().map(|user| (user, true)).collect();
        let room = NewRoom {
            id: &id,
            team: Some(team),
            kind,
            name,
            display_name,
            header,
            purpose,
            creator,
            is_default: false,
            members: &members,
        };
        self.insert_room(&room).await?;
        if let Some(user) = creator {
            let data = json!({ "channel_id": id.as_str(), "team_id": team.as_str() });
            self.emit("channel_created", data, to_user(user));
        }
        self.room_row(id.as_str()).await
    }

    /// Inserts a room and tells who is in it.
    async fn insert_room(&self, room: &NewRoom<'_>) -> Result<(), Fault> {
        let _change = self.membership.lock().await;
        if let Err(error) = self.store.insert_room(room, self.now_ms()).await {
            error.into_duplicate()?;
            return Err(Fault::invalid(
                "store.sql_channel.save_channel.exists.app_error",
                format!(
                    "there is a channel `{}` already: choose another name",
                    room.name
                ),
            ));
        }
        for (person, _) in room.members {
            self.tell(&ChatNews::JoinedRoom {
                room: room.id.clone(),
                user: (*person).clone(),
            });
        }
        Ok(())
    }

    /// The direct room of two people (or of one with herself), made when missing.
    pub(super) async fn direct_room(&self, a: &UserId, b: &UserId) -> Result<RoomRow, Fault> {
        self.person_row(a.as_str()).await?;
        self.person_row(b.as_str()).await?;
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        let name = format!("{low}__{high}");
        if let Some(room) = self.store.room_by_name(None, &name).await? {
            return Ok(room);
        }
        let both = [(low, false), (high, false)];
        let members = if a == b {
            both.get(..1).unwrap_or_default()
        } else {
            &both
        };
        let (room, is_new) = self.personal_room("D", &name, "", a, members).await?;
        if is_new {
            let data = json!({ "creator_id": a.as_str(), "teammate_id": b.as_str() });
            self.emit("direct_added", data, to_room(&room.id));
        }
        Ok(room)
    }

    /// The room of a few people, made when missing.
    pub(super) async fn group_room(
        &self,
        creator: &PersonRow,
        others: &[UserId],
    ) -> Result<RoomRow, Fault> {
        let mut ids: Vec<&UserId> = others.iter().chain([&creator.id]).collect();
        ids.sort_unstable();
        ids.dedup();
        if !(MIN_GROUP..=MAX_GROUP).contains(&ids.len()) {
            return Err(Fault::invalid(
                "api.channel.create_group.bad_size.app_error",
                format!("a group has {MIN_GROUP} to {MAX_GROUP} people"),
            ));
        }
        let mut usernames = Vec::new();
        for id in &ids {
            usernames.push(self.person_row(id.as_str()).await?.username);
        }
        usernames.sort_unstable();
        let joined: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
        let name = super::passwords::token_hash(&joined.join(" "));
        let name = name.get(..40).unwrap_or(&name);
        if let Some(room) = self.store.room_by_name(None, name).await? {
            return Ok(room);
        }
        let members: Vec<(&UserId, bool)> = ids.iter().map(|id| (*id, false)).collect();
        let (room, is_new) = self
            .personal_room("G", name, &usernames.join(", "), &creator.id, &members)
            .await?;
        if is_new {
            let data = json!({ "teammate_ids": Value::from(joined).to_string() });
            self.emit("group_added", data, to_room(&room.id));
        }
        Ok(room)
    }

    /// The room with this name and whether it was made just now.
    async fn personal_room(
        &self,
        kind: &'static str,
        name: &str,
        display_name: &str,
        creator: &UserId,
        members: &[(&UserId, bool)],
    ) -> Result<(RoomRow, bool), Fault> {
        let room = NewRoom {
            id: &ChannelId::random(),
            team: None,
            kind,
            name,
            display_name,
            header: "",
            purpose: "",
            creator: Some(creator),
            is_default: false,
            members,
        };
        let made = self.insert_room(&room).await;
        if made.is_err()
            && let Some(found) = self.store.room_by_name(None, name).await?
        {
            // the other one was quicker
            return Ok((found, false));
        }
        made?;
        Ok((self.room_row(room.id.as_str()).await?, true))
    }

    /// Puts a person into a room and tells its members.
    pub(super) async fn join_room(
        &self,
        room: &RoomRow,
        person: &UserId,
        is_admin: bool,
    ) -> Result<(), Fault> {
        {
            let _change = self.membership.lock().await;
            if !self
                .store
                .add_member(room, person, is_admin, self.now_ms())
                .await?
            {
                return Ok(());
            }
            self.tell_joined_room(room, person);
        }
        Ok(())
    }

    /// Tells a room who has come in.
    pub(super) fn tell_joined_room(&self, room: &RoomRow, person: &UserId) {
        self.tell(&ChatNews::JoinedRoom {
            room: room.id.clone(),
            user: person.clone(),
        });
        let team = room.team_id.as_ref().map_or("", TeamId::as_str);
        let data = json!({ "user_id": person.as_str(), "team_id": team });
        self.emit("user_added", data, to_room(&room.id));
    }

    /// Takes a person out of a room and tells both sides.
    pub(super) async fn leave_room(
        &self,
        room: &RoomRow,
        person: &UserId,
        remover: &UserId,
    ) -> Result<(), Fault> {
        {
            let _change = self.membership.lock().await;
            if !self.store.remove_member(&room.id, person).await? {
                return Err(Fault::not_found("member", person.as_str()));
            }
            self.tell(&ChatNews::LeftRoom {
                room: room.id.clone(),
                user: person.clone(),
            });
        }
        let data = json!({ "user_id": person.as_str(), "remover_id": remover.as_str() });
        self.emit("user_removed", data, to_room(&room.id));
        let data = json!({ "channel_id": room.id.as_str(), "remover_id": remover.as_str() });
        self.emit("user_removed", data, to_user(person));
        Ok(())
    }

    /// Archives a room or brings it back.
    pub(super) async fn archive_room(&self, mut room: RoomRow, archive: bool) -> Result<(), Fault> {
        let now = self.now_ms();
        room.updated_at = now;
        room.deleted_at = if archive { now } else { 0 };
        self.store.update_room(&room).await?;
        let data = json!({ "channel_id": room.id.as_str(), "delete_at": room.deleted_at });
        let audience = match (&room.team_id, room.kind.as_str()) {
            (Some(team), "O") => Audience {
                team: Some(team.clone()),
                ..Audience::default()
            },
            _ => to_room(&room.id),
        };
        self.emit(
            if archive {
                "channel_deleted"
            } else {
                "channel_restored"
            },
            data,
            audience,
        );
        if archive {
            self.tell(&ChatNews::RoomArchived { room: room.id });
        }
        Ok(())
    }

    /// Writes the texts of a room and tells its members.
    pub(super) async fn update_room(&self, mut room: RoomRow) -> Result<RoomRow, Fault> {
        room.display_name = check_names(&room.name, &room.display_name)?;
        check_texts(&room.header, &room.purpose)?;
        room.updated_at = self.now_ms();
        if let Err(error) = self.store.update_room(&room).await {
            error.into_duplicate()?;
            return Err(Fault::invalid(
                "store.sql_channel.save_channel.exists.app_error",
                format!(
                    "there is a channel `{}` already: choose another name",
                    room.name
                ),
            ));
        }
        let data = json!({ "channel": wire::channel(&room).to_string() });
        self.emit("channel_updated", data, to_room(&room.id));
        Ok(room)
    }

    /// Makes a member one who manages the room, or an ordinary one.
    pub(super) async fn set_room_role(
        &self,
        room: &RoomRow,
        person: &UserId,
        is_admin: bool,
    ) -> Result<(), Fault> {
        if !self
            .store
            .set_room_admin(&room.id, person, is_admin)
            .await?
        {
            return Err(Fault::not_found("member", person.as_str()));
        }
        let member = self.unread(&room.id, person).await?.member;
        let data = json!({ "channelMember": wire::channel_member(&member).to_string() });
        self.emit("channel_member_updated", data, to_user(person));
        Ok(())
    }

    /// Where a person belongs.
    pub(super) async fn load_membership(&self, person: &UserId) -> Result<Membership, Fault> {
        let rooms = self.store.memberships_of(person).await?;
        let teams = self.store.team_memberships_of(person).await?;
        Ok(Membership {
            rooms: rooms
                .into_iter()
                .map(|member| member.room_id)
                .collect::<HashSet<_>>(),
            teams: teams
                .into_iter()
                .map(|member| member.team_id)
                .collect::<HashSet<_>>(),
        })
    }

    /// Sends an event; `data` is an object.
    pub(super) fn emit(&self, name: &str, data: Value, audience: Audience) {
        let data = wire::object(data);
        self.tell(&ChatNews::Event(ClientEvent {
            name: name.to_owned(),
            data,
            audience,
        }));
    }
}

pub(super) fn to_room(room: &ChannelId) -> Audience {
    Audience {
        room: Some(room.clone()),
        ..Audience::default()
    }
}

pub(super) fn to_user(user: &UserId) -> Audience {
    Audience {
        user: Some(user.clone()),
        ..Audience::default()
    }
}

/// Checks both names of a team or room; returns the shown one as it is kept.
pub(super) fn check_names(name: &str, display_name: &str) -> Result<String, Fault> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    let fits = |text: &str| (1..=MAX_NAME_CHARS).contains(&text.chars().count());
    if !fits(name) || !name.chars().all(is_plain) || name.contains("__") {
        return Err(Fault::invalid(
            "model.channel.is_valid.1_or_more.app_error",
            format!(
                "the name in the address has 1 to {MAX_NAME_CHARS} small letters, digits, dashes \
                 or single underscores"
            ),
        ));
    }
    let refuse = |why| Fault::invalid("model.channel.is_valid.display_name.app_error", why);
    let display_name = tidy_name(display_name)
        .map_err(|unseen| refuse(format!("this name cannot be used: {unseen}")))?;
    if !fits(&display_name) {
        let why = format!("the name must have 1 to {MAX_NAME_CHARS} characters");
        return Err(refuse(why));
    }
    Ok(display_name)
}

fn check_texts(header: &str, purpose: &str) -> Result<(), Fault> {
    if header.chars().count() > MAX_TEXT_CHARS || purpose.chars().count() > MAX_TEXT_CHARS {
        return Err(Fault::invalid(
            "model.channel.is_valid.header.app_error",
            format!("the topic and the purpose have at most {MAX_TEXT_CHARS} characters each"),
        ));
    }
    for text in [header, purpose] {
        check_lines(text).map_err(|unseen| {
            Fault::invalid(
                "model.channel.is_valid.header.app_error",
                format!("the topic or the purpose cannot be used: {unseen}"),
            )
        })?;
    }
    Ok(())
}
