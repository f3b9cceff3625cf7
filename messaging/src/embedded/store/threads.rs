//! Who follows which thread, and up to where each has read it.
//!
//! A thread is named by its first post. Times are shown, order is that of `seq`. Rows of people who
//! left the room are never read: they are deleted when somebody leaves.

use proto::id::{ChannelId, PostId, TeamId, UserId};
use storage::Transaction;
use storage::sql::Builder;

use super::{FollowedRow, PostRow, Store, StoreError};

/// People written in one statement.
const AT_ONCE: usize = 500;

/// What is told of a followed thread: read where the room can be.
const SELECT_FOLLOWED: &str = "SELECT f.root_id, f.person_id, p.room_id, r.team_id, f.viewed_at,
    f.unread, f.mentions, p.reply_count, p.last_reply_at, p.deleted_at ";
const FROM_FOLLOWED: &str = "FROM thread_followers f JOIN posts p ON p.id = f.root_id
    JOIN rooms r ON r.id = p.room_id
    JOIN room_members m ON m.room_id = p.room_id AND m.person_id = f.person_id
  WHERE f.is_following = 1";

/// Who follows a thread from a reply on, and whom the reply is about.
#[derive(Debug, Default, Clone)]
pub(crate) struct ReplyFollowers {
    /// The writer, unless it is a bot: follows, and has read the thread.
    pub(crate) author: Option<UserId>,
    /// They follow unless they stopped.
    pub(crate) joining: Vec<UserId>,
    /// Named in the reply: they follow, whatever they did before.
    pub(crate) named: Vec<UserId>,
}

/// Which followed threads to list.
#[derive(Debug, Clone, Default)]
pub(crate) struct FollowedWanted {
    /// Threads of this team, and those of no team.
    pub(crate) team: Option<TeamId>,
    pub(crate) without_direct: bool,
    pub(crate) only_unread: bool,
    pub(crate) with_deleted: bool,
    /// Those with a reply at this time or later.
    pub(crate) since: i64,
    /// The time of the last reply and the id of a thread: those less recent, or more recent.
    pub(crate) before: Option<(i64, PostId)>,
    pub(crate) after: Option<(i64, PostId)>,
    pub(crate) limit: i64,
}

/// Sums over the followed threads of a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FollowedTotals {
    pub(crate) threads: i64,
    pub(crate) unread_threads: i64,
    pub(crate) mentions: i64,
}

impl FollowedWanted {
    fn restrict(&self, query: &mut Builder) {
        if let Some(team) = &self.team {
            query.push(" AND (r.team_id = ").push_bind(team.as_str());
            query.push(if self.without_direct {
                ")"
            } else {
                " OR r.team_id = '')"
            });
        }
        if !self.with_deleted {
            query.push(" AND p.deleted_at = 0 AND p.reply_count > 0");
        }
    }
}

impl Store {
    /// The thread as a person follows it; `None` when she does not.
    pub(crate) async fn followed(
        &self,
        root: &PostId,
        person: &UserId,
    ) -> Result<Option<FollowedRow>, StoreError> {
        let mut query = Builder::new(SELECT_FOLLOWED);
        query.push(FROM_FOLLOWED).push(" AND f.root_id = ");
        query.push_bind(root.as_str()).push(" AND f.person_id = ");
        query.push_bind(person.as_str());
        self.db
            .fetch_optional("read followed thread", query.select())
            .await
    }

    /// Everybody who follows a thread, at most `limit`.
    pub(crate) async fn followers(
        &self,
        root: &PostId,
        limit: i64,
    ) -> Result<Vec<FollowedRow>, StoreError> {
        let mut query = Builder::new(SELECT_FOLLOWED);
        query.push(FROM_FOLLOWED).push(" AND f.root_id = ");
        query.push_bind(root.as_str());
        query.push(" ORDER BY f.person_id LIMIT ").push_bind(limit);
        self.db.fetch_all("list followers", query.select()).await
    }

    /// Those of these people who follow a thread.
    pub(crate) async fn followers_among(
        &self,
        root: &PostId,
        people: &[&str],
    ) -> Result<Vec<FollowedRow>, StoreError> {
        let mut found = Vec::new();
        for people in people.chunks(AT_ONCE) {
            let mut query = Builder::new(SELECT_FOLLOWED);
            query.push(FROM_FOLLOWED).push(" AND f.root_id = ");
            query.push_bind(root.as_str()).push(" AND f.person_id IN (");
            query.push_list(people.iter().copied()).push(")");
            let rows = self.db.fetch_all("list followers among", query.select());
            found.extend(rows.await?);
        }
        Ok(found)
    }

    /// The threads a person follows, the one with the newest reply first.
    pub(crate) async fn followed_threads(
        &self,
        person: &UserId,
        wanted: &FollowedWanted,
    ) -> Result<Vec<FollowedRow>, StoreError> {
        let mut query = Builder::new(SELECT_FOLLOWED);
        query.push(FROM_FOLLOWED).push(" AND f.person_id = ");
        query.push_bind(person.as_str());
        wanted.restrict(&mut query);
        if wanted.only_unread {
            query.push(" AND f.unread > 0");
        }
        query
            .push(" AND p.last_reply_at >= ")
            .push_bind(wanted.since);
        if let Some((at, id)) = &wanted.before {
            query.push(" AND (p.last_reply_at < ").push_bind(*at);
            query.push(" OR (p.last_reply_at = ").push_bind(*at);
            query.push(" AND p.id < ").push_bind(id.as_str());
            query.push("))");
        }
        let goes_up = wanted.after.is_some();
        if let Some((at, id)) = &wanted.after {
            query.push(" AND (p.last_reply_at > ").push_bind(*at);
            query.push(" OR (p.last_reply_at = ").push_bind(*at);
            query.push(" AND p.id > ").push_bind(id.as_str());
            query.push("))");
        }
        query.push(if goes_up {
            " ORDER BY p.last_reply_at, p.id LIMIT "
        } else {
            " ORDER BY p.last_reply_at DESC, p.id DESC LIMIT "
        });
        query.push_bind(wanted.limit);
        let found = self
            .db
            .fetch_all("list followed threads", query.select())
            .await;
        let mut rows: Vec<FollowedRow> = found?;
        if goes_up {
            rows.reverse();
        }
        Ok(rows)
    }

    /// Sums over the threads a person follows, whichever page is shown of them.
    pub(crate) async fn followed_totals(
        &self,
        person: &UserId,
        wanted: &FollowedWanted,
    ) -> Result<FollowedTotals, StoreError> {
        let mut query = Builder::new(
            "SELECT COUNT(*), COUNT(CASE WHEN f.unread > 0 THEN 1 END),
                CAST(COALESCE(SUM(f.mentions), 0) AS BIGINT) ",
        );
        query.push(FROM_FOLLOWED).push(" AND f.person_id = ");
        query.push_bind(person.as_str());
        wanted.restrict(&mut query);
        let sums = self.db.fetch_all("sum up threads", query.select()).await?;
        let sums: Option<(i64, i64, i64)> = sums.into_iter().next();
        let (threads, unread_threads, mentions) = sums.unwrap_or_default();
        Ok(FollowedTotals {
            threads,
            unread_threads,
            mentions,
        })
    }

    /// Unread mentions in the threads a person follows, by the ids of their rooms.
    pub(crate) async fn thread_mentions(
        &self,
        person: &UserId,
        wanted: &FollowedWanted,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let mut query = Builder::new("SELECT p.room_id, CAST(SUM(f.mentions) AS BIGINT) ");
        query.push(FROM_FOLLOWED).push(" AND f.person_id = ");
        query.push_bind(person.as_str()).push(" AND f.mentions > 0");
        wanted.restrict(&mut query);
        query.push(" GROUP BY p.room_id");
        let counted = self.db.fetch_all("count thread mentions", query.select());
        counted.await
    }

    /// Which of these threads a person follows.
    pub(crate) async fn followed_of(
        &self,
        person: &UserId,
        roots: &[&str],
    ) -> Result<Vec<String>, StoreError> {
        if roots.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = Builder::new(
            "SELECT root_id FROM thread_followers WHERE is_following = 1 AND person_id = ",
        );
        query.push_bind(person.as_str()).push(" AND root_id IN (");
        query.push_list(roots.iter().copied()).push(")");
        let rows: Vec<(String,)> = self
            .db
            .fetch_all("list followed ones", query.select())
            .await?;
        Ok(rows.into_iter().map(|(root,)| root).collect())
    }

    /// Who wrote the living replies of these threads: thread and person, whoever wrote last comes
    /// last.
    pub(crate) async fn repliers(
        &self,
        roots: &[&str],
    ) -> Result<Vec<(String, String)>, StoreError> {
        if roots.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = Builder::new(
            "SELECT root_id, author_id, MAX(seq) AS latest FROM posts WHERE deleted_at = 0
               AND root_id IN (",
        );
        query.push_list(roots.iter().copied());
        query.push(") GROUP BY root_id, author_id ORDER BY root_id, latest");
        let rows: Vec<(String, String, i64)> =
            self.db.fetch_all("list repliers", query.select()).await?;
        let rows = rows.into_iter();
        Ok(rows.map(|(root, author, _)| (root, author)).collect())
    }

    /// Makes a person follow a thread that she has read, or no longer follow it.
    pub(crate) async fn set_following(
        &self,
        root: &PostId,
        person: &UserId,
        is_following: bool,
        now: i64,
    ) -> Result<(), StoreError> {
        let write = sqlx::query(
            "INSERT INTO thread_followers
                (root_id, person_id, is_following, viewed_at, viewed_seq, unread, mentions)
             VALUES ($1, $2, $3, $4,
                (SELECT COALESCE(MAX(seq), 0) FROM posts WHERE root_id = $1), 0, 0)
             ON CONFLICT (root_id, person_id) DO UPDATE SET is_following = excluded.is_following,
                viewed_at = excluded.viewed_at, viewed_seq = excluded.viewed_seq, unread = 0,
                mentions = 0",
        )
        .bind(root.as_str())
        .bind(person.as_str())
        .bind(storage::sql::flag(is_following))
        .bind(now);
        self.db.execute("follow thread", write).await?;
        Ok(())
    }

    /// Sets up to which place a follower has read a thread, and how many later replies are about
    /// her.
    pub(crate) async fn set_thread_viewed(
        &self,
        root: &PostId,
        person: &UserId,
        (viewed_at, viewed_seq): (i64, i64),
        mentions: i64,
    ) -> Result<(), StoreError> {
        let update = sqlx::query(
            "UPDATE thread_followers SET viewed_at = $3, viewed_seq = $4, mentions = $5,
                unread = (SELECT COUNT(*) FROM posts
                    WHERE root_id = $1 AND seq > $4 AND deleted_at = 0)
             WHERE root_id = $1 AND person_id = $2",
        )
        .bind(root.as_str())
        .bind(person.as_str())
        .bind(viewed_at)
        .bind(viewed_seq)
        .bind(mentions);
        self.db.execute("mark thread as viewed", update).await?;
        Ok(())
    }

    /// The place of the last reply made up to this time; 0 for none.
    pub(crate) async fn last_reply_until(&self, root: &PostId, at: i64) -> Result<i64, StoreError> {
        let select = sqlx::query_scalar(
            "SELECT COALESCE(MAX(seq), 0) FROM posts WHERE root_id = $1 AND created_at <= $2",
        )
        .bind(root.as_str())
        .bind(at);
        self.db.fetch_value("find last reply", select).await
    }

    /// Living replies that others wrote in a thread behind this place, the newest first.
    pub(crate) async fn replies_behind(
        &self,
        root: &PostId,
        seq: i64,
        not_by: &UserId,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        let select = sqlx::query_as::<_, (String,)>(
            "SELECT message FROM posts WHERE root_id = $1 AND seq > $2 AND author_id <> $3
               AND deleted_at = 0 ORDER BY seq DESC LIMIT $4",
        )
        .bind(root.as_str())
        .bind(seq)
        .bind(not_by.as_str())
        .bind(limit);
        let rows = self.db.fetch_all("list unread replies", select).await?;
        Ok(rows.into_iter().map(|(message,)| message).collect())
    }

    /// Notes that a person has read all threads she follows in a team and in no team.
    pub(crate) async fn read_threads_of_team(
        &self,
        team: &TeamId,
        person: &UserId,
        now: i64,
    ) -> Result<(), StoreError> {
        let update = sqlx::query(
            "UPDATE thread_followers SET viewed_at = $3, unread = 0, mentions = 0,
                viewed_seq = (SELECT COALESCE(MAX(seq), 0) FROM posts)
             WHERE person_id = $2 AND root_id IN (SELECT p.id FROM posts p
                JOIN rooms r ON r.id = p.room_id
                WHERE p.root_id = '' AND (r.team_id = $1 OR r.team_id = ''))",
        )
        .bind(team.as_str())
        .bind(person.as_str())
        .bind(now);
        self.db.execute("read threads of team", update).await?;
        Ok(())
    }

    /// Notes that a person has read all threads of a room; whether there was something to read.
    pub(crate) async fn read_threads_of_room(
        &self,
        room: &ChannelId,
        person: &UserId,
        now: i64,
    ) -> Result<bool, StoreError> {
        let update = sqlx::query(
            "UPDATE thread_followers SET viewed_at = $3, unread = 0, mentions = 0,
                viewed_seq = (SELECT COALESCE(MAX(seq), 0) FROM posts WHERE room_id = $1)
             WHERE person_id = $2 AND unread > 0
               AND root_id IN (SELECT id FROM posts WHERE room_id = $1 AND root_id = '')",
        )
        .bind(room.as_str())
        .bind(person.as_str())
        .bind(now);
        Ok(self.db.execute("read threads of room", update).await? > 0)
    }
}

/// Takes a person who leaves a room out of its threads.
pub(super) async fn leave_threads(
    tx: &mut Transaction,
    room: &ChannelId,
    person: &UserId,
) -> Result<(), StoreError> {
    let delete = sqlx::query(
        "DELETE FROM thread_followers WHERE person_id = $2
           AND root_id IN (SELECT id FROM posts WHERE room_id = $1 AND root_id = '')",
    )
    .bind(room.as_str())
    .bind(person.as_str());
    tx.execute("leave threads of room", delete).await?;
    Ok(())
}

/// A post is about to be removed that is living still: as a reply it is unread for nobody any more, as
/// a first post it takes its thread along.
pub(super) async fn note_removal(tx: &mut Transaction, post: &PostId) -> Result<(), StoreError> {
    for (operation, statement) in [
        (
            "take back unread reply",
            "UPDATE thread_followers SET unread = unread - 1
             WHERE root_id = (SELECT root_id FROM posts WHERE id = $1 AND deleted_at = 0)
               AND viewed_seq < (SELECT seq FROM posts WHERE id = $1)",
        ),
        (
            "read a thread that goes",
            "UPDATE thread_followers SET unread = 0, mentions = 0 WHERE root_id = $1",
        ),
    ] {
        let statement = sqlx::query(statement).bind(post.as_str());
        tx.execute(operation, statement).await?;
    }
    Ok(())
}

/// Follows what a new reply changes: who follows its thread, and whom it is about (`mentioned`).
pub(super) async fn note_reply(
    tx: &mut Transaction,
    reply: &PostRow,
    root: &PostId,
    followers: &ReplyFollowers,
    mentioned: &[UserId],
) -> Result<(), StoreError> {
    // Those who stopped are counted for, too: they may come back.
    let count = sqlx::query("UPDATE thread_followers SET unread = unread + 1 WHERE root_id = $1");
    tx.execute("count unread reply", count.bind(root.as_str()))
        .await?;
    for (people, is_firm) in [(&followers.joining, false), (&followers.named, true)] {
        for people in people.chunks(AT_ONCE) {
            let mut insert = Builder::new(
                "INSERT INTO thread_followers
                    (root_id, person_id, is_following, viewed_at, viewed_seq, unread, mentions)
                 SELECT ",
            );
            insert.push_bind(root.as_str());
            insert.push(
                ", id, 1, 0, 0, (SELECT COUNT(*) FROM posts WHERE deleted_at = 0 AND root_id = ",
            );
            insert.push_bind(root.as_str());
            insert.push("), 0 FROM people WHERE is_bot = 0 AND id IN (");
            insert.push_list(people.iter().map(UserId::as_str));
            insert.push(") ON CONFLICT (root_id, person_id) DO ");
            insert.push(if is_firm {
                "UPDATE SET is_following = 1"
            } else {
                "NOTHING"
            });
            tx.execute("add followers", insert.build()).await?;
        }
    }
    for people in mentioned.chunks(AT_ONCE) {
        let mut count = Builder::new(
            "UPDATE thread_followers SET mentions = mentions + 1 WHERE is_following = 1
               AND root_id = ",
        );
        count.push_bind(root.as_str()).push(" AND person_id IN (");
        count.push_list(people.iter().map(UserId::as_str)).push(")");
        tx.execute("count mentions in thread", count.build())
            .await?;
    }
    if let Some(author) = &followers.author {
        let write = sqlx::query(
            "INSERT INTO thread_followers
                (root_id, person_id, is_following, viewed_at, viewed_seq, unread, mentions)
             VALUES ($1, $2, 1, $3, (SELECT seq FROM posts WHERE id = $4), 0, 0)
             ON CONFLICT (root_id, person_id) DO UPDATE SET is_following = 1,
                viewed_at = excluded.viewed_at, viewed_seq = excluded.viewed_seq, unread = 0,
                mentions = 0",
        )
        .bind(root.as_str())
        .bind(author.as_str())
        .bind(reply.created_at)
        .bind(reply.id.as_str());
        tx.execute("make the author follow", write).await?;
    }
    Ok(())
}
