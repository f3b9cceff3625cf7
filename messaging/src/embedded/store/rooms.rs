//! Rooms, and who is in them.

use proto::id::{ChannelId, TeamId, UserId};

use storage::sql::{Builder, flag};

use super::threads::leave_threads;
use super::{MemberRow, RoomRow, Store, StoreError, prefix_pattern};

/// A room to be inserted.
#[derive(Debug)]
pub(crate) struct NewRoom<'a> {
    pub(crate) id: &'a ChannelId,
    pub(crate) team: Option<&'a TeamId>,
    /// `O`, `P`, `D` or `G`.
    pub(crate) kind: &'static str,
    pub(crate) name: &'a str,
    pub(crate) display_name: &'a str,
    pub(crate) header: &'a str,
    pub(crate) purpose: &'a str,
    pub(crate) creator: Option<&'a UserId>,
    /// Whether everybody who joins the team joins it.
    pub(crate) is_default: bool,
    /// Members from the first moment on, with whether each may manage the room.
    pub(crate) members: &'a [(&'a UserId, bool)],
}

impl Store {
    /// Inserts a room together with its first members.
    pub(crate) async fn insert_room(&self, room: &NewRoom<'_>, now: i64) -> Result<(), StoreError> {
        let mut tx = self.begin("begin inserting room").await?;
        tx.execute("insert room", sqlx::query(
            "INSERT INTO rooms (id, team_id, kind, name, display_name, header, purpose, creator_id,
                is_default, created_at, updated_at, deleted_at, last_post_at, last_root_post_at,
                post_count, root_post_count)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, 0, 0, 0, 0, 0)",
        )
        .bind(room.id.as_str())
        .bind(room.team.map_or("", TeamId::as_str))
        .bind(room.kind)
        .bind(room.name)
        .bind(room.display_name)
        .bind(room.header)
        .bind(room.purpose)
        .bind(room.creator.map_or("", UserId::as_str))
        .bind(flag(room.is_default))
        .bind(now)).await?;
        for (person, is_admin) in room.members {
            tx.execute(
                "insert first members of room",
                sqlx::query(
                    "INSERT INTO room_members (room_id, person_id, is_admin, created_at, viewed_at,
                    viewed_posts, viewed_root_posts, mentions)
                 VALUES ($1, $2, $3, $4, $4, 0, 0, 0)",
                )
                .bind(room.id.as_str())
                .bind(person.as_str())
                .bind(flag(*is_admin))
                .bind(now),
            )
            .await?;
        }
        tx.commit().await
    }

    pub(crate) async fn room(&self, id: &str) -> Result<Option<RoomRow>, StoreError> {
        self.db
            .fetch_optional(
                "read room",
                sqlx::query_as("SELECT * FROM rooms WHERE id = $1").bind(id),
            )
            .await
    }

    /// Finds a room by name within a team, or outside teams (direct and group rooms).
    pub(crate) async fn room_by_name(
        &self,
        team: Option<&TeamId>,
        name: &str,
    ) -> Result<Option<RoomRow>, StoreError> {
        self.db
            .fetch_optional(
                "read room by name",
                sqlx::query_as("SELECT * FROM rooms WHERE team_id = $1 AND name = $2")
                    .bind(team.map_or("", TeamId::as_str))
                    .bind(name),
            )
            .await
    }

    /// Rooms the person is in, archived ones too.
    pub(crate) async fn rooms_with(&self, person: &UserId) -> Result<Vec<RoomRow>, StoreError> {
        self.db
            .fetch_all(
                "list rooms of person",
                sqlx::query_as(
                    "SELECT r.* FROM rooms r JOIN room_members m ON m.room_id = r.id
             WHERE m.person_id = $1 ORDER BY r.display_name, r.id",
                )
                .bind(person.as_str()),
            )
            .await
    }

    /// Public rooms of the person's teams that the person has not joined.
    pub(crate) async fn rooms_open_to(&self, person: &UserId) -> Result<Vec<RoomRow>, StoreError> {
        self.db
            .fetch_all(
                "list rooms open to person",
                sqlx::query_as(
                    "SELECT r.* FROM rooms r JOIN team_members t ON t.team_id = r.team_id
             WHERE t.person_id = $1 AND r.kind = 'O' AND r.deleted_at = 0
               AND r.id NOT IN (SELECT room_id FROM room_members WHERE person_id = $1)
             ORDER BY r.display_name, r.id",
                )
                .bind(person.as_str()),
            )
            .await
    }

    /// Public rooms of a team, or those whose name begins with `term`.
    pub(crate) async fn public_rooms(
        &self,
        team: &TeamId,
        term: &str,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<RoomRow>, StoreError> {
        self.db
            .fetch_all(
                "list public rooms",
                sqlx::query_as(
                    "SELECT * FROM rooms WHERE team_id = $1 AND kind = 'O' AND deleted_at = 0
               AND (name LIKE $2 ESCAPE '!' OR LOWER(display_name) LIKE $2 ESCAPE '!')
             ORDER BY display_name, id LIMIT $3 OFFSET $4",
                )
                .bind(team.as_str())
                .bind(prefix_pattern(term))
                .bind(limit)
                .bind(offset),
            )
            .await
    }

    pub(crate) async fn default_rooms(&self, team: &TeamId) -> Result<Vec<RoomRow>, StoreError> {
        self.db
            .fetch_all(
                "list default rooms",
                sqlx::query_as(
                    "SELECT * FROM rooms WHERE team_id = $1 AND is_default = 1 AND deleted_at = 0
             ORDER BY created_at, id",
                )
                .bind(team.as_str()),
            )
            .await
    }

    /// Writes the texts of a room and whether it is archived.
    pub(crate) async fn update_room(&self, room: &RoomRow) -> Result<(), StoreError> {
        self.db
            .execute(
                "update room",
                sqlx::query(
                    "UPDATE rooms SET name = $2, display_name = $3, header = $4, purpose = $5,
                updated_at = $6, deleted_at = $7 WHERE id = $1",
                )
                .bind(room.id.as_str())
                .bind(&room.name)
                .bind(&room.display_name)
                .bind(&room.header)
                .bind(&room.purpose)
                .bind(room.updated_at)
                .bind(room.deleted_at),
            )
            .await?;
        Ok(())
    }

    /// Whether the person was not in the room before.
    pub(crate) async fn add_member(
        &self,
        room: &RoomRow,
        person: &UserId,
        is_admin: bool,
        now: i64,
    ) -> Result<bool, StoreError> {
        let done = self
            .db
            .execute(
                "add room member",
                sqlx::query(
                    "INSERT INTO room_members (room_id, person_id, is_admin, created_at, viewed_at,
                viewed_posts, viewed_root_posts, mentions, viewed_seq)
             VALUES ($1, $2, $3, $4, $4, $5, $6, 0,
                (SELECT COALESCE(MAX(seq), 0) FROM posts WHERE room_id = $1))
             ON CONFLICT (room_id, person_id) DO NOTHING",
                )
                .bind(room.id.as_str())
                .bind(person.as_str())
                .bind(flag(is_admin))
                .bind(now)
                .bind(room.post_count)
                .bind(room.root_post_count),
            )
            .await?;
        Ok(done > 0)
    }

    /// Whether the person was in the room.
    pub(crate) async fn remove_member(
        &self,
        room: &ChannelId,
        person: &UserId,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin("begin leaving room").await?;
        let remove = sqlx::query("DELETE FROM room_members WHERE room_id = $1 AND person_id = $2")
            .bind(room.as_str())
            .bind(person.as_str());
        let done = tx.execute("remove room member", remove).await?;
        leave_threads(&mut tx, room, person).await?;
        tx.commit().await?;
        Ok(done > 0)
    }

    pub(crate) async fn member(
        &self,
        room: &ChannelId,
        person: &UserId,
    ) -> Result<Option<MemberRow>, StoreError> {
        self.db
            .fetch_optional(
                "read room member",
                sqlx::query_as("SELECT * FROM room_members WHERE room_id = $1 AND person_id = $2")
                    .bind(room.as_str())
                    .bind(person.as_str()),
            )
            .await
    }

    pub(crate) async fn members(
        &self,
        room: &ChannelId,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<MemberRow>, StoreError> {
        self.db
            .fetch_all(
                "list room members",
                sqlx::query_as(
                    "SELECT * FROM room_members WHERE room_id = $1
             ORDER BY created_at, person_id LIMIT $2 OFFSET $3",
                )
                .bind(room.as_str())
                .bind(limit)
                .bind(offset),
            )
            .await
    }

    pub(crate) async fn members_by_ids(
        &self,
        room: &ChannelId,
        persons: &[&str],
    ) -> Result<Vec<MemberRow>, StoreError> {
        if persons.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = Builder::new("SELECT * FROM room_members WHERE room_id = ");
        query.push_bind(room.as_str()).push(" AND person_id IN (");
        query.push_list(persons.iter().copied());
        query.push(")");
        self.db.fetch_all("read room members", query.select()).await
    }

    pub(crate) async fn memberships_of(
        &self,
        person: &UserId,
    ) -> Result<Vec<MemberRow>, StoreError> {
        self.db
            .fetch_all(
                "list memberships",
                sqlx::query_as("SELECT * FROM room_members WHERE person_id = $1 ORDER BY room_id")
                    .bind(person.as_str()),
            )
            .await
    }

    pub(crate) async fn count_members(&self, room: &ChannelId) -> Result<i64, StoreError> {
        self.db
            .fetch_value(
                "count room members",
                sqlx::query_scalar("SELECT COUNT(*) FROM room_members WHERE room_id = $1")
                    .bind(room.as_str()),
            )
            .await
    }

    /// Notes that a person has seen everything in a room up to now.
    pub(crate) async fn mark_viewed(
        &self,
        room: &ChannelId,
        person: &UserId,
        now: i64,
    ) -> Result<(), StoreError> {
        self.db
            .execute(
                "mark room as viewed",
                sqlx::query(
                    "UPDATE room_members SET viewed_at = $3, mentions = 0, root_mentions = 0,
                viewed_posts = (SELECT post_count FROM rooms WHERE id = $1),
                viewed_root_posts = (SELECT root_post_count FROM rooms WHERE id = $1),
                viewed_seq = (SELECT COALESCE(MAX(seq), 0) FROM posts WHERE room_id = $1)
             WHERE room_id = $1 AND person_id = $2",
                )
                .bind(room.as_str())
                .bind(person.as_str())
                .bind(now),
            )
            .await?;
        Ok(())
    }

    /// Sets back what a person has seen of a room to the posts before one; `mentions` is how many
    /// of the later ones are about her, and how many of those are first posts.
    pub(crate) async fn mark_unread(
        &self,
        room: &ChannelId,
        person: &UserId,
        seq: i64,
        (mentions, root_mentions): (i64, i64),
    ) -> Result<(), StoreError> {
        let update = sqlx::query(
            "UPDATE room_members SET mentions = $4, root_mentions = $5, viewed_seq = $3 - 1,
                viewed_at = (SELECT created_at - 1 FROM posts WHERE seq = $3),
                viewed_posts = (SELECT post_count FROM rooms WHERE id = $1)
                    - (SELECT COUNT(*) FROM posts WHERE room_id = $1 AND seq >= $3),
                viewed_root_posts = (SELECT root_post_count FROM rooms WHERE id = $1)
                    - (SELECT COUNT(*) FROM posts
                       WHERE room_id = $1 AND seq >= $3 AND root_id = '')
             WHERE room_id = $1 AND person_id = $2",
        )
        .bind(room.as_str())
        .bind(person.as_str())
        .bind(seq)
        .bind(mentions)
        .bind(root_mentions);
        self.db.execute("mark room as unread", update).await?;
        Ok(())
    }

    /// Makes a member one who manages the room, or an ordinary one; whether she is in it.
    pub(crate) async fn set_room_admin(
        &self,
        room: &ChannelId,
        person: &UserId,
        is_admin: bool,
    ) -> Result<bool, StoreError> {
        let update = sqlx::query(
            "UPDATE room_members SET is_admin = $3 WHERE room_id = $1 AND person_id = $2",
        )
        .bind(room.as_str())
        .bind(person.as_str())
        .bind(flag(is_admin));
        Ok(self.db.execute("set role in room", update).await? > 0)
    }

    /// Messages that others wrote in a room from this place on, the newest first, each with whether
    /// it begins a thread.
    pub(crate) async fn messages_from(
        &self,
        room: &ChannelId,
        seq: i64,
        not_by: &UserId,
        limit: i64,
    ) -> Result<Vec<(String, bool)>, StoreError> {
        let select = sqlx::query_as::<_, (String, String)>(
            "SELECT message, root_id FROM posts WHERE room_id = $1 AND seq >= $2 AND author_id <> $3
               AND deleted_at = 0 ORDER BY seq DESC LIMIT $4",
        )
        .bind(room.as_str())
        .bind(seq)
        .bind(not_by.as_str())
        .bind(limit);
        let rows = self.db.fetch_all("list unread messages", select).await?;
        let rows = rows.into_iter();
        Ok(rows
            .map(|(message, root)| (message, root.is_empty()))
            .collect())
    }
}
