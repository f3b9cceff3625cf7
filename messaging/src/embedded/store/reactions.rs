//! Reactions to posts.
//!
//! A reaction changes when its post was updated, so that a client that was away hears of it, and
//! the size that the post takes on the wire.

use proto::id::{PostId, UserId};
use storage::sql::Builder;

use super::{ReactionRow, Store, StoreError};

/// What one reaction takes on the wire, in bytes: a little more rather than less.
pub(super) const REACTION_BYTES: i64 = 300;

/// What came of a reaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reacted {
    Done,
    /// It is there already, or was not there.
    AsBefore,
    /// The post has as many as it may have.
    Full,
}

impl Store {
    /// Adds a reaction to a living post, unless it then had too many, or too many kinds.
    pub(crate) async fn add_reaction(
        &self,
        reaction: &ReactionRow,
        max_kinds: usize,
        max_total: i64,
    ) -> Result<Reacted, StoreError> {
        let mut tx = self.begin("begin reacting").await?;
        let insert = sqlx::query(
            "INSERT INTO reactions (post_id, person_id, emoji, created_at)
             VALUES ($1, $2, $3, $4) ON CONFLICT (post_id, person_id, emoji) DO NOTHING",
        )
        .bind(reaction.post_id.as_str())
        .bind(reaction.person_id.as_str())
        .bind(&reaction.emoji)
        .bind(reaction.created_at);
        if tx.execute("add reaction", insert).await? == 0 {
            tx.rollback().await?;
            return Ok(Reacted::AsBefore);
        }
        let kinds = sqlx::query_as::<_, (String, i64)>(
            "SELECT emoji, COUNT(*) FROM reactions WHERE post_id = $1 GROUP BY emoji",
        )
        .bind(reaction.post_id.as_str());
        let kinds = tx.fetch_all("count reactions", kinds).await?;
        let total: i64 = kinds.iter().map(|(_, count)| count).sum();
        if kinds.len() > max_kinds || total > max_total {
            tx.rollback().await?;
            return Ok(Reacted::Full);
        }
        note(&mut tx, &reaction.post_id, 1, reaction.created_at).await?;
        tx.commit().await?;
        Ok(Reacted::Done)
    }

    pub(crate) async fn remove_reaction(
        &self,
        post: &PostId,
        person: &UserId,
        emoji: &str,
        now: i64,
    ) -> Result<Reacted, StoreError> {
        let mut tx = self.begin("begin taking reaction back").await?;
        let delete = sqlx::query(
            "DELETE FROM reactions WHERE post_id = $1 AND person_id = $2 AND emoji = $3",
        )
        .bind(post.as_str())
        .bind(person.as_str())
        .bind(emoji);
        if tx.execute("remove reaction", delete).await? == 0 {
            tx.rollback().await?;
            return Ok(Reacted::AsBefore);
        }
        note(&mut tx, post, -1, now).await?;
        tx.commit().await?;
        Ok(Reacted::Done)
    }

    /// The reactions to these posts, each post's in the order in which they came.
    pub(crate) async fn reactions_to(
        &self,
        posts: &[&str],
    ) -> Result<Vec<ReactionRow>, StoreError> {
        if posts.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = Builder::new("SELECT * FROM reactions WHERE post_id IN (");
        query.push_list(posts.iter().copied());
        query.push(") ORDER BY post_id, created_at, person_id, emoji");
        self.db.fetch_all("list reactions", query.select()).await
    }
}

async fn note(
    tx: &mut storage::Transaction,
    post: &PostId,
    change: i64,
    now: i64,
) -> Result<(), StoreError> {
    let update =
        sqlx::query("UPDATE posts SET updated_at = $2, size_bytes = size_bytes + $3 WHERE id = $1")
            .bind(post.as_str())
            .bind(now)
            .bind(change * REACTION_BYTES);
    tx.execute("note reaction", update).await?;
    Ok(())
}
