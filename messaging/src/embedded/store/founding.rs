//! What comes into being as a whole or not at all: a team with its rooms, a person with her place.
//!
//! Not here: rules for names, events. A process that dies in between leaves nothing half; what
//! earlier versions left half is completed by `complete_team`.

use proto::id::{ChannelId, TeamId, UserId};
use storage::Transaction;
use storage::sql::{Builder, flag};

use super::rooms::{insert_member, insert_room_row};
use super::{NewPerson, NewRoom, RoomRow, Store, StoreError};

/// A team to be inserted, with the rooms that everybody who joins it joins.
#[derive(Debug)]
pub(crate) struct NewTeam<'a> {
    pub(crate) id: &'a TeamId,
    pub(crate) name: &'a str,
    pub(crate) display_name: &'a str,
    pub(crate) kind: &'a str,
    /// Name and shown name of each.
    pub(crate) default_rooms: &'a [(&'static str, &'static str)],
    /// Its first member and administrator.
    pub(crate) creator: Option<&'a UserId>,
}

impl Store {
    /// Inserts a team, its default rooms and its creator's memberships; returns the rooms.
    pub(crate) async fn found_team(
        &self,
        team: &NewTeam<'_>,
        now: i64,
    ) -> Result<Vec<RoomRow>, StoreError> {
        let mut tx = self.begin("begin founding team").await?;
        let statement = sqlx::query(
            "INSERT INTO teams (id, name, display_name, description, kind, created_at, updated_at,
                deleted_at)
             VALUES ($1, $2, $3, '', $4, $5, $5, 0)",
        )
        .bind(team.id.as_str())
        .bind(team.name)
        .bind(team.display_name)
        .bind(team.kind)
        .bind(now);
        tx.execute("insert team", statement).await?;
        add_default_rooms(&mut tx, team, now).await?;
        let rooms = default_rooms(&mut tx, team.id).await?;
        if let Some(creator) = team.creator {
            add_to_team(&mut tx, team.id, creator, true, now).await?;
            for room in &rooms {
                insert_member(&mut tx, room, creator, false, now).await?;
            }
        }
        tx.commit().await?;
        Ok(rooms)
    }

    /// Gives a team those of its default rooms that it lacks, with all of the team in them.
    /// Whether there was something to do. A room that was renamed or archived is not lacking.
    pub(crate) async fn complete_team(
        &self,
        team: &NewTeam<'_>,
        now: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin("begin completing team").await?;
        let select = "SELECT COUNT(*) FROM rooms WHERE team_id = $1 AND is_default = 1";
        let select = sqlx::query_scalar(select).bind(team.id.as_str());
        let found: i64 = tx.fetch_value("count default rooms", select).await?;
        if usize::try_from(found).is_ok_and(|found| found >= team.default_rooms.len()) {
            tx.rollback().await?;
            return Ok(false);
        }
        let added = add_default_rooms(&mut tx, team, now).await?;
        let select = "SELECT person_id FROM team_members WHERE team_id = $1 ORDER BY person_id";
        let select = sqlx::query_as(select).bind(team.id.as_str());
        let members: Vec<(String,)> = tx.fetch_all("list team members", select).await?;
        for room in &added {
            for (person,) in &members {
                let statement = sqlx::query(
                    "INSERT INTO room_members (room_id, person_id, is_admin, created_at,
                        viewed_at, viewed_posts, viewed_root_posts, mentions)
                     VALUES ($1, $2, 0, $3, $3, 0, 0, 0)",
                )
                .bind(room.as_str())
                .bind(person.as_str())
                .bind(now);
                tx.execute("put team into its room", statement).await?;
            }
        }
        tx.commit().await?;
        Ok(!added.is_empty())
    }

    /// Puts a person into a team and its default rooms; returns the rooms that were joined, `None`
    /// when the person was in the team before.
    pub(crate) async fn join_team(
        &self,
        team: &TeamId,
        person: &UserId,
        is_admin: bool,
        now: i64,
    ) -> Result<Option<Vec<RoomRow>>, StoreError> {
        let mut tx = self.begin("begin joining team").await?;
        if !add_to_team(&mut tx, team, person, is_admin, now).await? {
            tx.rollback().await?;
            return Ok(None);
        }
        let joined = join_default_rooms(&mut tx, team, person, now).await?;
        tx.commit().await?;
        Ok(Some(joined))
    }

    /// Inserts a person together with a place in her first team; the first person of all becomes
    /// an administrator. Returns whether she is one, and the rooms she is in.
    pub(crate) async fn settle_person(
        &self,
        person: &NewPerson,
        team: Option<&TeamId>,
        now: i64,
    ) -> Result<(bool, Vec<RoomRow>), StoreError> {
        let mut tx = self.begin("begin inserting person").await?;
        let others = "SELECT COUNT(*) FROM people WHERE is_bot = 0 AND deleted_at = 0";
        let others: i64 = tx
            .fetch_value("count people", sqlx::query_scalar(others))
            .await?;
        let is_admin = person.is_admin || others == 0;
        super::accounts::insert_person_row(&mut tx, person, is_admin, now).await?;
        let mut rooms = Vec::new();
        if let Some(team) = team {
            add_to_team(&mut tx, team, &person.id, is_admin, now).await?;
            rooms = join_default_rooms(&mut tx, team, &person.id, now).await?;
        }
        tx.commit().await?;
        Ok((is_admin, rooms))
    }
}

/// Inserts those default rooms whose names are free in the team; returns their ids.
async fn add_default_rooms(
    tx: &mut Transaction,
    team: &NewTeam<'_>,
    now: i64,
) -> Result<Vec<ChannelId>, StoreError> {
    let mut added = Vec::new();
    for (name, display_name) in team.default_rooms {
        let select = "SELECT COUNT(*) FROM rooms WHERE team_id = $1 AND name = $2";
        let select = sqlx::query_scalar(select).bind(team.id.as_str()).bind(*name);
        let taken: i64 = tx.fetch_value("look for a default room", select).await?;
        if taken > 0 {
            continue;
        }
        let id = ChannelId::random();
        let room = NewRoom {
            id: &id,
            team: Some(team.id),
            kind: "O",
            name,
            display_name,
            header: "",
            purpose: "",
            creator: team.creator,
            is_default: true,
            members: &[],
        };
        insert_room_row(tx, &room, now).await?;
        added.push(id);
    }
    Ok(added)
}

async fn add_to_team(
    tx: &mut Transaction,
    team: &TeamId,
    person: &UserId,
    is_admin: bool,
    now: i64,
) -> Result<bool, StoreError> {
    let statement = sqlx::query(
        "INSERT INTO team_members (team_id, person_id, is_admin, created_at)
         VALUES ($1, $2, $3, $4) ON CONFLICT (team_id, person_id) DO NOTHING",
    )
    .bind(team.as_str())
    .bind(person.as_str())
    .bind(flag(is_admin))
    .bind(now);
    Ok(tx.execute("add team member", statement).await? > 0)
}

async fn join_default_rooms(
    tx: &mut Transaction,
    team: &TeamId,
    person: &UserId,
    now: i64,
) -> Result<Vec<RoomRow>, StoreError> {
    let mut joined = Vec::new();
    for room in default_rooms(tx, team).await? {
        if insert_member(tx, &room, person, false, now).await? {
            joined.push(room);
        }
    }
    Ok(joined)
}

async fn default_rooms(tx: &mut Transaction, team: &TeamId) -> Result<Vec<RoomRow>, StoreError> {
    let mut select = Builder::new(
        "SELECT * FROM rooms WHERE is_default = 1 AND deleted_at = 0 AND team_id = ",
    );
    select.push_bind(team.as_str()).push(" ORDER BY created_at, name");
    tx.fetch_all("list default rooms", select.select()).await
}
