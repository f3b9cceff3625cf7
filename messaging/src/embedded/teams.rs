//! Teams: making them, joining and leaving, and the rooms that come with them.

use proto::id::{TeamId, UserId};
use serde_json::json;

use super::Server;
use super::fault::Fault;
use super::rooms::{check_names, to_user};
use super::store::{Duplicate as _, NewTeam, PersonRow, TeamRow};
use crate::ChatError;
use crate::model::{Audience, ChatNews};

/// Rooms that every new team gets and every new member joins: name and shown name.
const DEFAULT_ROOMS: [(&str, &str); 2] =
    [("town-square", "Town Square"), ("off-topic", "Off-Topic")];

impl Server {
    /// Makes sure that a team exists, with its default rooms, and returns its id.
    ///
    /// # Errors
    /// When the name breaks a rule.
    pub async fn ensure_team(&self, name: &str, display_name: &str) -> Result<TeamId, ChatError> {
        if let Some(team) = self.store.team_by_name(name).await.map_err(Fault::from)? {
            return Ok(team.id);
        }
        Ok(self.create_team(name, display_name, "O", None).await?.id)
    }

    /// Makes sure that a person is in a team, with its default rooms.
    ///
    /// # Errors
    /// When team or person do not exist.
    pub async fn ensure_team_member(
        &self,
        team: &TeamId,
        person: &UserId,
    ) -> Result<(), ChatError> {
        let team = self.team_row(team.as_str()).await?;
        let person = self.person_row(person.as_str()).await?;
        Ok(self.join_team(&team.id, &person.id, false).await?)
    }

    pub(super) async fn make_default_team(&self) -> Result<(), Fault> {
        let name = &self.config.default_team;
        if self.store.team_by_name(name).await?.is_none() {
            self.create_team(name, &self.config.default_team_display_name, "O", None)
                .await?;
        }
        let team = self.default_team().await?;
        let now = self.now_ms();
        if self
            .store
            .complete_teams(&team, &DEFAULT_ROOMS, now)
            .await?
        {
            tracing::warn!("teams that an earlier start left half made have been completed");
        }
        Ok(())
    }

    /// The team that everybody joins.
    pub(super) async fn default_team(&self) -> Result<TeamId, Fault> {
        let name = &self.config.default_team;
        let team = self.store.team_by_name(name).await?;
        team.map(|team| team.id)
            .ok_or_else(|| Fault::not_found("team", name))
    }

    pub(super) async fn team_row(&self, id: &str) -> Result<TeamRow, Fault> {
        self.store
            .team(id)
            .await?
            .ok_or_else(|| Fault::not_found("team", id))
    }

    /// The team, if the person may know of it.
    pub(super) async fn team_for(&self, id: &str, person: &PersonRow) -> Result<TeamRow, Fault> {
        let team = self.team_row(id).await?;
        let is_member = self
            .store
            .team_member(&team.id, &person.id)
            .await?
            .is_some();
        if is_member || person.is_admin {
            Ok(team)
        } else {
            Err(Fault::not_found("team", id))
        }
    }

    /// Whether the person manages the team.
    pub(super) async fn manages_team(
        &self,
        team: &TeamId,
        person: &PersonRow,
    ) -> Result<bool, Fault> {
        let member = self.store.team_member(team, &person.id).await?;
        Ok(person.is_admin || member.is_some_and(|member| member.is_admin))
    }

    pub(super) async fn create_team(
        &self,
        name: &str,
        display_name: &str,
        kind: &str,
        creator: Option<&PersonRow>,
    ) -> Result<TeamRow, Fault> {
        let display_name = &check_names(name, display_name)?;
        let id = TeamId::random();
        let team = NewTeam {
            id: &id,
            name,
            display_name,
            kind,
            rooms: &DEFAULT_ROOMS,
            creator: creator.map(|person| &person.id),
        };
        {
            let _change = self.membership.lock().await;
            if let Err(error) = self.store.insert_team(&team, self.now_ms()).await {
                error.into_duplicate()?;
                return Err(Fault::invalid(
                    "app.team.save.existing.app_error",
                    format!("there is a team `{name}` already"),
                ));
            }
            if let Some(creator) = creator {
                self.tell_joined_team(&id, &creator.id).await?;
            }
        }
        self.team_row(id.as_str()).await
    }

    /// Puts a person into a team and its default rooms.
    pub(super) async fn join_team(
        &self,
        team: &TeamId,
        person: &UserId,
        is_admin: bool,
    ) -> Result<(), Fault> {
        let _change = self.membership.lock().await;
        let now = self.now_ms();
        if self
            .store
            .add_team_member(team, person, is_admin, now)
            .await?
        {
            self.tell_joined_team(team, person).await?;
        }
        Ok(())
    }

    /// Tells of a person who has come into a team and its default rooms. Called while membership
    /// is held, so that news leave in the order of the records.
    pub(super) async fn tell_joined_team(
        &self,
        team: &TeamId,
        person: &UserId,
    ) -> Result<(), Fault> {
        self.tell(&ChatNews::JoinedTeam {
            team: team.clone(),
            user: person.clone(),
        });
        let data = json!({ "team_id": team.as_str(), "user_id": person.as_str() });
        self.emit("added_to_team", data, to_user(person));
        for room in self.store.default_rooms(team).await? {
            self.tell_joined_room(&room, person);
        }
        Ok(())
    }

    pub(super) async fn leave_team(&self, team: &TeamId, person: &UserId) -> Result<(), Fault> {
        {
            let _change = self.membership.lock().await;
            let left = self.store.remove_team_member(team, person).await?;
            let data = json!({ "team_id": team.as_str(), "user_id": person.as_str() });
            // before the gateway forgets, so that the person hears of it too
            let audience = Audience {
                team: Some(team.clone()),
                ..Audience::default()
            };
            self.emit("leave_team", data, audience);
            self.tell(&ChatNews::LeftTeam {
                team: team.clone(),
                user: person.clone(),
            });
            for room in left {
                self.tell(&ChatNews::LeftRoom {
                    room: room.id,
                    user: person.clone(),
                });
            }
        }
        Ok(())
    }
}
