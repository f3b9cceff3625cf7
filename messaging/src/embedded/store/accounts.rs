//! People and their preferences.
//!
//! Not here: their logins, and who is let in (`logins`).

use proto::id::{ChannelId, TeamId, UserId};

use storage::sql::{Builder, flag};

use super::invites::spend_invite;
use super::names::search_names;
use super::teams::join_team;
use super::{PersonRow, PreferenceRow, Store, StoreError, begins_with};

/// Words of what is typed that are looked for.
const MAX_SEARCH_WORDS: usize = 5;

/// A person to be inserted.
#[derive(Debug)]
pub(crate) struct NewPerson {
    pub(crate) id: UserId,
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) nickname: String,
    /// Empty for bots: nobody signs in as one.
    pub(crate) password_hash: String,
    pub(crate) is_bot: bool,
    pub(crate) is_admin: bool,
}

/// Whether people may sign in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    #[default]
    Active,
    ShutOut,
    Either,
}

/// Which people to list; `None` does not restrict.
#[derive(Debug, Default)]
pub(crate) struct PersonFilter<'a> {
    pub(crate) standing: Standing,
    /// Only administrators of the server.
    pub(crate) only_admins: bool,
    pub(crate) in_team: Option<&'a TeamId>,
    pub(crate) in_room: Option<&'a ChannelId>,
    pub(crate) not_in_room: Option<&'a ChannelId>,
    pub(crate) not_in_team: Option<&'a TeamId>,
    /// Beginnings of words of username, first name, last name or nickname, in any order.
    pub(crate) term: Option<&'a str>,
    pub(crate) offset: i64,
    pub(crate) limit: i64,
}

impl Store {
    /// Inserts a person together with the membership in the team that everybody joins.
    ///
    /// With an invite (its id), `false` and nothing done when that is no longer good.
    pub(crate) async fn insert_person(
        &self,
        person: &NewPerson,
        teams: &[&TeamId],
        invite: Option<&str>,
        now: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin("begin inserting person").await?;
        if let Some(invite) = invite
            && !spend_invite(&mut tx, invite, now).await?
        {
            tx.rollback().await?;
            return Ok(false);
        }
        let names = [&person.first_name, &person.last_name, &person.nickname];
        let insert = sqlx::query(
            "INSERT INTO people (id, username, email, first_name, last_name, nickname, position,
                password_hash, is_bot, is_admin, created_at, updated_at, deleted_at, search_names)
             VALUES ($1, $2, $3, $4, $5, $6, '', $7, $8, $9, $10, $10, 0, $11)",
        )
        .bind(person.id.as_str())
        .bind(&person.username)
        .bind(&person.email)
        .bind(&person.first_name)
        .bind(&person.last_name)
        .bind(&person.nickname)
        .bind(&person.password_hash)
        .bind(flag(person.is_bot))
        .bind(flag(person.is_admin))
        .bind(now)
        .bind(search_names(&person.username, &names));
        tx.execute("insert person", insert).await?;
        for team in teams {
            join_team(&mut tx, team, &person.id, person.is_admin, now).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Whether the server has ever had a person, whether she is let in or not.
    pub(crate) async fn has_people(&self) -> Result<bool, StoreError> {
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM people WHERE is_bot = 0");
        let count: i64 = self.db.fetch_value("look for people", count).await?;
        Ok(count > 0)
    }

    /// How many people there are, bots not counted.
    pub(crate) async fn count_people(&self) -> Result<i64, StoreError> {
        self.db
            .fetch_value(
                "count people",
                sqlx::query_scalar(
                    "SELECT COUNT(*) FROM people WHERE is_bot = 0 AND deleted_at = 0",
                ),
            )
            .await
    }

    pub(crate) async fn person(&self, id: &str) -> Result<Option<PersonRow>, StoreError> {
        self.db
            .fetch_optional(
                "read person",
                sqlx::query_as("SELECT * FROM people WHERE id = $1").bind(id),
            )
            .await
    }

    /// Finds a person by username or e-mail address, both in lower case.
    pub(crate) async fn person_by_name(&self, name: &str) -> Result<Option<PersonRow>, StoreError> {
        self.db
            .fetch_optional(
                "read person by name",
                sqlx::query_as("SELECT * FROM people WHERE username = $1 OR email = $1").bind(name),
            )
            .await
    }

    /// The people with these ids; unknown ids are left out.
    pub(crate) async fn persons(&self, ids: &[&str]) -> Result<Vec<PersonRow>, StoreError> {
        self.persons_where("id", ids).await
    }

    pub(crate) async fn persons_by_username(
        &self,
        names: &[&str],
    ) -> Result<Vec<PersonRow>, StoreError> {
        self.persons_where("username", names).await
    }

    async fn persons_where(
        &self,
        column: &'static str,
        values: &[&str],
    ) -> Result<Vec<PersonRow>, StoreError> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = Builder::new("SELECT * FROM people WHERE ");
        query.push(column).push(" IN (");
        query.push_list(values.iter().copied());
        query.push(") ORDER BY username");
        self.db.fetch_all("read people", query.select()).await
    }

    /// Everybody, those who are shut out included.
    pub(crate) async fn everybody(&self) -> Result<Vec<PersonRow>, StoreError> {
        let all = sqlx::query_as("SELECT * FROM people ORDER BY username");
        self.db.fetch_all("list everybody", all).await
    }

    pub(crate) async fn list_persons(
        &self,
        filter: &PersonFilter<'_>,
    ) -> Result<Vec<PersonRow>, StoreError> {
        let mut query = Builder::new("SELECT * FROM people WHERE ");
        query.push(match filter.standing {
            Standing::Active => "deleted_at = 0",
            Standing::ShutOut => "deleted_at <> 0",
            Standing::Either => "1 = 1",
        });
        if filter.only_admins {
            query.push(" AND is_admin = 1");
        }
        if let Some(team) = filter.in_team {
            query.push(" AND id IN (SELECT person_id FROM team_members WHERE team_id = ");
            query.push_bind(team.as_str()).push(")");
        }
        if let Some(room) = filter.in_room {
            query.push(" AND id IN (SELECT person_id FROM room_members WHERE room_id = ");
            query.push_bind(room.as_str()).push(")");
        }
        if let Some(room) = filter.not_in_room {
            query.push(" AND id NOT IN (SELECT person_id FROM room_members WHERE room_id = ");
            query.push_bind(room.as_str()).push(")");
        }
        if let Some(team) = filter.not_in_team {
            query.push(" AND id NOT IN (SELECT person_id FROM team_members WHERE team_id = ");
            query.push_bind(team.as_str()).push(")");
        }
        let words = filter.term.unwrap_or_default().split_whitespace();
        for word in words.take(MAX_SEARCH_WORDS) {
            let pattern = begins_with("% ", word.trim_start_matches('@'));
            query.push(" AND search_names LIKE ").push_bind(pattern);
            query.push(" ESCAPE '!'");
        }
        query
            .push(" ORDER BY username LIMIT ")
            .push_bind(filter.limit);
        query.push(" OFFSET ").push_bind(filter.offset);
        self.db.fetch_all("list people", query.select()).await
    }

    /// Writes the names and the language of a person.
    pub(crate) async fn update_person(
        &self,
        person: &PersonRow,
        now: i64,
    ) -> Result<(), StoreError> {
        let names = [&person.first_name, &person.last_name, &person.nickname];
        self.db
            .execute(
                "update person",
                sqlx::query(
                    "UPDATE people SET username = $2, email = $3, first_name = $4, last_name = $5,
                nickname = $6, position = $7, updated_at = $8, locale = $9, search_names = $10
             WHERE id = $1",
                )
                .bind(person.id.as_str())
                .bind(&person.username)
                .bind(&person.email)
                .bind(&person.first_name)
                .bind(&person.last_name)
                .bind(&person.nickname)
                .bind(&person.position)
                .bind(now)
                .bind(&person.locale)
                .bind(search_names(&person.username, &names)),
            )
            .await?;
        Ok(())
    }

    pub(crate) async fn set_password_hash(
        &self,
        person: &UserId,
        hash: &str,
        now: i64,
    ) -> Result<(), StoreError> {
        self.db
            .execute(
                "set password",
                sqlx::query("UPDATE people SET password_hash = $2, updated_at = $3 WHERE id = $1")
                    .bind(person.as_str())
                    .bind(hash)
                    .bind(now),
            )
            .await?;
        Ok(())
    }

    pub(crate) async fn preferences_of(
        &self,
        person: &UserId,
    ) -> Result<Vec<PreferenceRow>, StoreError> {
        self.db
            .fetch_all(
                "list preferences",
                sqlx::query_as(
                    "SELECT * FROM preferences WHERE person_id = $1 ORDER BY category, name",
                )
                .bind(person.as_str()),
            )
            .await
    }

    pub(crate) async fn save_preferences(
        &self,
        preferences: &[PreferenceRow],
    ) -> Result<(), StoreError> {
        let mut tx = self.begin("begin saving preferences").await?;
        for preference in preferences {
            tx.execute(
                "save preference",
                sqlx::query(
                    "INSERT INTO preferences (person_id, category, name, value)
                 VALUES ($1, $2, $3, $4)
                 ON CONFLICT (person_id, category, name) DO UPDATE SET value = excluded.value",
                )
                .bind(preference.person_id.as_str())
                .bind(&preference.category)
                .bind(&preference.name)
                .bind(&preference.value),
            )
            .await?;
        }
        tx.commit().await
    }

    pub(crate) async fn delete_preferences(
        &self,
        preferences: &[PreferenceRow],
    ) -> Result<(), StoreError> {
        let mut tx = self.begin("begin deleting preferences").await?;
        for preference in preferences {
            tx.execute(
                "delete preference",
                sqlx::query(
                    "DELETE FROM preferences WHERE person_id = $1 AND category = $2 AND name = $3",
                )
                .bind(preference.person_id.as_str())
                .bind(&preference.category)
                .bind(&preference.name),
            )
            .await?;
        }
        tx.commit().await
    }
}
