//! Teams, who is in them, and the rooms that come with them.
//!
//! Invariant: a team is never without its default rooms, nor a member outside of them: what belongs
//! together is one transaction, and what an older server left half made is completed.

use proto::id::{ChannelId, TeamId, UserId};
use storage::Transaction;
use storage::sql::flag;

use sqlx::AssertSqlSafe;

use super::{PersonRow, RoomRow, Store, StoreError, TeamMemberRow, TeamRow};

/// A team to be inserted, with its default rooms (name and shown name) and its first member.
#[derive(Debug)]
pub(crate) struct NewTeam<'a> {
    pub(crate) id: &'a TeamId,
    pub(crate) name: &'a str,
    pub(crate) display_name: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) rooms: &'a [(&'a str, &'a str)],
    /// The first member, who manages the team.
    pub(crate) creator: Option<&'a UserId>,
}

/// Everybody whom a default room of the own team lacks.
const MISSING_MEMBERS: &str = "FROM team_members m
     JOIN rooms r ON r.team_id = m.team_id AND r.is_default = 1 AND r.deleted_at = 0
     WHERE NOT EXISTS (SELECT 1 FROM room_members x
       WHERE x.room_id = r.id AND x.person_id = m.person_id)";

impl Store {
    pub(crate) async fn insert_team(&self, team: &NewTeam<'_>, now: i64) -> Result<(), StoreError> {
        let mut tx = self.begin("begin inserting team").await?;
        let insert = sqlx::query(
            "INSERT INTO teams (id, name, display_name, description, kind, created_at, updated_at,
                deleted_at)
             VALUES ($1, $2, $3, '', $4, $5, $5, 0)",
        )
        .bind(team.id.as_str())
        .bind(team.name)
        .bind(team.display_name)
        .bind(team.kind)
        .bind(now);
        tx.execute("insert team", insert).await?;
        let creator = team.creator.map_or("", UserId::as_str);
        insert_default_rooms(&mut tx, team.id, team.rooms, creator, now).await?;
        if let Some(creator) = team.creator {
            join_team(&mut tx, team.id, creator, true, now).await?;
        }
        tx.commit().await
    }

    pub(crate) async fn team(&self, id: &str) -> Result<Option<TeamRow>, StoreError> {
        self.db
            .fetch_optional(
                "read team",
                sqlx::query_as("SELECT * FROM teams WHERE id = $1").bind(id),
            )
            .await
    }

    pub(crate) async fn team_by_name(&self, name: &str) -> Result<Option<TeamRow>, StoreError> {
        self.db
            .fetch_optional(
                "read team by name",
                sqlx::query_as("SELECT * FROM teams WHERE name = $1").bind(name),
            )
            .await
    }

    pub(crate) async fn teams_of(&self, person: &UserId) -> Result<Vec<TeamRow>, StoreError> {
        self.db
            .fetch_all(
                "list teams of person",
                sqlx::query_as(
                    "SELECT t.* FROM teams t JOIN team_members m ON m.team_id = t.id
             WHERE m.person_id = $1 AND t.deleted_at = 0 ORDER BY t.display_name, t.id",
                )
                .bind(person.as_str()),
            )
            .await
    }

    pub(crate) async fn all_teams(&self) -> Result<Vec<TeamRow>, StoreError> {
        self.db
            .fetch_all(
                "list teams",
                sqlx::query_as(
                    "SELECT * FROM teams WHERE deleted_at = 0 ORDER BY display_name, id",
                ),
            )
            .await
    }

    /// Puts a person into a team and its default rooms; whether she was not in it before.
    pub(crate) async fn add_team_member(
        &self,
        team: &TeamId,
        person: &UserId,
        is_admin: bool,
        now: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin("begin joining team").await?;
        let is_new = join_team(&mut tx, team, person, is_admin, now).await?;
        tx.commit().await?;
        Ok(is_new)
    }

    pub(crate) async fn team_member(
        &self,
        team: &TeamId,
        person: &UserId,
    ) -> Result<Option<TeamMemberRow>, StoreError> {
        self.db
            .fetch_optional(
                "read team member",
                sqlx::query_as("SELECT * FROM team_members WHERE team_id = $1 AND person_id = $2")
                    .bind(team.as_str())
                    .bind(person.as_str()),
            )
            .await
    }

    pub(crate) async fn team_memberships_of(
        &self,
        person: &UserId,
    ) -> Result<Vec<TeamMemberRow>, StoreError> {
        self.db
            .fetch_all(
                "list team memberships",
                sqlx::query_as("SELECT * FROM team_members WHERE person_id = $1 ORDER BY team_id")
                    .bind(person.as_str()),
            )
            .await
    }

    pub(crate) async fn team_members(
        &self,
        team: &TeamId,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<TeamMemberRow>, StoreError> {
        self.db.fetch_all("list team members", sqlx::query_as(
            "SELECT * FROM team_members WHERE team_id = $1 ORDER BY person_id LIMIT $2 OFFSET $3",
        )
        .bind(team.as_str())
        .bind(limit)
        .bind(offset)).await
    }

    pub(crate) async fn count_team_members(&self, team: &TeamId) -> Result<i64, StoreError> {
        self.db
            .fetch_value(
                "count team members",
                sqlx::query_scalar("SELECT COUNT(*) FROM team_members WHERE team_id = $1")
                    .bind(team.as_str()),
            )
            .await
    }

    /// Takes a person out of a team and out of its rooms; returns the rooms that were left.
    pub(crate) async fn remove_team_member(
        &self,
        team: &TeamId,
        person: &UserId,
    ) -> Result<Vec<RoomRow>, StoreError> {
        let mut tx = self.begin("begin leaving team").await?;
        let rooms: Vec<RoomRow> = tx
            .fetch_all(
                "list rooms to leave",
                sqlx::query_as(
                    "SELECT r.* FROM rooms r JOIN room_members m ON m.room_id = r.id
             WHERE r.team_id = $1 AND m.person_id = $2",
                )
                .bind(team.as_str())
                .bind(person.as_str()),
            )
            .await?;
        let threads = sqlx::query(
            "DELETE FROM thread_followers WHERE person_id = $2 AND root_id IN
                (SELECT p.id FROM posts p JOIN rooms r ON r.id = p.room_id WHERE r.team_id = $1)",
        )
        .bind(team.as_str())
        .bind(person.as_str());
        tx.execute("leave threads of team", threads).await?;
        tx.execute(
            "leave rooms of team",
            sqlx::query(
                "DELETE FROM room_members WHERE person_id = $2
             AND room_id IN (SELECT id FROM rooms WHERE team_id = $1)",
            )
            .bind(team.as_str())
            .bind(person.as_str()),
        )
        .await?;
        tx.execute(
            "leave team",
            sqlx::query("DELETE FROM team_members WHERE team_id = $1 AND person_id = $2")
                .bind(team.as_str())
                .bind(person.as_str()),
        )
        .await?;
        tx.commit().await?;
        Ok(rooms)
    }

    /// Completes what was left half made: default rooms of teams, members of default rooms, and
    /// the only person of a server who is in no team. Writes nothing when nothing is missing.
    pub(crate) async fn complete_teams(
        &self,
        default_team: &TeamId,
        rooms: &[(&str, &str)],
        now: i64,
    ) -> Result<bool, StoreError> {
        let teams = self.all_teams().await?;
        let mut lacking = Vec::new();
        for team in &teams {
            let has = self.default_rooms(&team.id).await?;
            if has.len() < rooms.len() {
                lacking.push(&team.id);
            }
        }
        let missing =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT COUNT(*) {MISSING_MEMBERS}")));
        let missing: i64 = self
            .db
            .fetch_value("look for missing members", missing)
            .await?;
        let alone: Option<PersonRow> = self
            .db
            .fetch_optional(
                "look for a person in no team",
                sqlx::query_as(
                    "SELECT * FROM people p WHERE p.is_bot = 0 AND p.deleted_at = 0
                       AND NOT EXISTS (SELECT 1 FROM team_members m WHERE m.person_id = p.id)
                       AND (SELECT COUNT(*) FROM people a WHERE a.is_bot = 0) = 1",
                ),
            )
            .await?;
        if lacking.is_empty() && missing == 0 && alone.is_none() {
            return Ok(false);
        }
        let mut tx = self.begin("begin completing teams").await?;
        for team in lacking {
            insert_default_rooms(&mut tx, team, rooms, "", now).await?;
        }
        if let Some(person) = alone {
            join_team(&mut tx, default_team, &person.id, person.is_admin, now).await?;
        }
        let complete = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO room_members (room_id, person_id, is_admin, created_at, viewed_at,
                viewed_posts, viewed_root_posts, mentions, viewed_seq)
             SELECT r.id, m.person_id, 0, $1, $1, 0, 0, 0, 0 {MISSING_MEMBERS}"
        )));
        tx.execute("add missing members", complete.bind(now))
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}

async fn insert_default_rooms(
    tx: &mut Transaction,
    team: &TeamId,
    rooms: &[(&str, &str)],
    creator: &str,
    now: i64,
) -> Result<(), StoreError> {
    for (name, display_name) in rooms {
        // a public room of that name that somebody made meanwhile becomes the default one
        let insert = sqlx::query(
            "INSERT INTO rooms (id, team_id, kind, name, display_name, header, purpose, creator_id,
                is_default, created_at, updated_at, deleted_at, last_post_at, last_root_post_at,
                post_count, root_post_count)
             VALUES ($1, $2, 'O', $3, $4, '', '', $5, 1, $6, $6, 0, 0, 0, 0, 0)
             ON CONFLICT (team_id, name) DO UPDATE SET is_default = 1, deleted_at = 0
               WHERE rooms.kind = 'O'",
        );
        let id = ChannelId::random();
        let insert = insert
            .bind(id.as_str())
            .bind(team.as_str())
            .bind(*name)
            .bind(*display_name)
            .bind(creator)
            .bind(now);
        tx.execute("insert default room", insert).await?;
    }
    Ok(())
}

/// Puts a person into a team and its default rooms; whether she was not in it before.
pub(super) async fn join_team(
    tx: &mut Transaction,
    team: &TeamId,
    person: &UserId,
    is_admin: bool,
    now: i64,
) -> Result<bool, StoreError> {
    let join = sqlx::query(
        "INSERT INTO team_members (team_id, person_id, is_admin, created_at)
         VALUES ($1, $2, $3, $4) ON CONFLICT (team_id, person_id) DO NOTHING",
    )
    .bind(team.as_str())
    .bind(person.as_str())
    .bind(flag(is_admin))
    .bind(now);
    if tx.execute("add team member", join).await? == 0 {
        return Ok(false);
    }
    // what was written before is read already
    let rooms = sqlx::query(
        "INSERT INTO room_members (room_id, person_id, is_admin, created_at, viewed_at,
            viewed_posts, viewed_root_posts, mentions, viewed_seq)
         SELECT r.id, $2, 0, $3, $3, r.post_count, r.root_post_count, 0,
            (SELECT COALESCE(MAX(p.seq), 0) FROM posts p WHERE p.room_id = r.id)
         FROM rooms r WHERE r.team_id = $1 AND r.is_default = 1 AND r.deleted_at = 0
         ON CONFLICT (room_id, person_id) DO NOTHING",
    )
    .bind(team.as_str())
    .bind(person.as_str())
    .bind(now);
    tx.execute("join default rooms", rooms).await?;
    Ok(true)
}
