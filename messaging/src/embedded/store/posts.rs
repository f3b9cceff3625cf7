//! Posts as they are written; each with what pages need to know of it.
//!
//! Not here: reading them (`pages`).

use proto::id::{FileId, PostId, UserId};

use storage::Transaction;
use storage::sql::{Builder, flag};

use super::reactions::REACTION_BYTES;
use super::threads::note_reply;
use super::words::index_words;
use super::{FileRow, PostRow, ReplyFollowers, Store, StoreError};

/// People whose mentions are counted in one statement.
const MENTIONS_AT_ONCE: usize = 500;
/// What a post takes on the wire beside its texts, in bytes.
const ENVELOPE_BYTES: usize = 600;

/// How much a post takes on the wire, in bytes: a little more rather than less.
pub(super) fn size_on_the_wire(message: &str, props: &str) -> i64 {
    let escaped = |byte: u8| -> usize {
        match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
            0..=0x1f => 6,
            _ => 1,
        }
    };
    let message: usize = message.bytes().map(escaped).sum();
    i64::try_from(ENVELOPE_BYTES + message + props.len()).unwrap_or(i64::MAX)
}

impl Store {
    /// Inserts a post with its attachments, counts it in the room and in its thread, and counts the
    /// mentions. `followers` are those of the thread, where it is a reply.
    pub(crate) async fn insert_post(
        &self,
        post: &PostRow,
        files: &[FileId],
        mentioned: &[UserId],
        followers: &ReplyFollowers,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin("begin inserting post").await?;
        let insert = sqlx::query(
            "INSERT INTO posts (id, room_id, author_id, root_id, message, kind, props, created_at,
                updated_at, edited_at, deleted_at, seq, size_bytes, reply_count, last_reply_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0,
                (SELECT COALESCE(MAX(seq), 0) + 1 FROM posts), $10, 0, 0)",
        )
        .bind(post.id.as_str())
        .bind(post.room_id.as_str())
        .bind(post.author_id.as_str())
        .bind(post.root_id.as_ref().map_or("", PostId::as_str))
        .bind(&post.message)
        .bind(&post.kind)
        .bind(&post.props)
        .bind(post.created_at)
        .bind(post.updated_at)
        .bind(size_on_the_wire(&post.message, &post.props));
        tx.execute("insert post", insert).await?;
        if let Some(root) = &post.root_id {
            let count = sqlx::query(
                "UPDATE posts SET reply_count = reply_count + 1, last_reply_at = $2 WHERE id = $1",
            );
            let count = count.bind(root.as_str()).bind(post.created_at);
            tx.execute("count reply", count).await?;
            note_reply(&mut tx, post, root, followers, mentioned).await?;
        }
        for (position, file) in (0i64..).zip(files) {
            insert_post_file(&mut tx, &post.id, file, position, true).await?;
        }
        let roots = i64::from(post.root_id.is_none());
        tx.execute(
            "count post",
            sqlx::query(
                "UPDATE rooms SET last_post_at = $2, post_count = post_count + 1,
                root_post_count = root_post_count + $3,
                last_root_post_at = CASE WHEN $3 = 1 THEN $2 ELSE last_root_post_at END
             WHERE id = $1",
            )
            .bind(post.room_id.as_str())
            .bind(post.created_at)
            .bind(roots),
        )
        .await?;
        // what the author wrote, the author has seen
        tx.execute(
            "note what the author has seen",
            sqlx::query(
                "UPDATE room_members SET viewed_at = $3, viewed_posts = viewed_posts + 1,
                viewed_root_posts = viewed_root_posts + $4,
                viewed_seq = (SELECT seq FROM posts WHERE id = $5)
             WHERE room_id = $1 AND person_id = $2",
            )
            .bind(post.room_id.as_str())
            .bind(post.author_id.as_str())
            .bind(post.created_at)
            .bind(roots)
            .bind(post.id.as_str()),
        )
        .await?;
        for people in mentioned.chunks(MENTIONS_AT_ONCE) {
            let mut count = Builder::new(
                "UPDATE room_members SET mentions = mentions + 1, root_mentions = root_mentions + ",
            );
            count.push_bind(roots).push(" WHERE room_id = ");
            count.push_bind(post.room_id.as_str());
            count.push(" AND person_id IN (");
            count.push_list(people.iter().map(UserId::as_str)).push(")");
            tx.execute("count mentions", count.build()).await?;
        }
        index_words(&mut tx, post.id.as_str(), &post.message).await?;
        tx.commit().await
    }

    /// Writes message, props and times of a post.
    pub(crate) async fn update_post(&self, post: &PostRow) -> Result<(), StoreError> {
        let mut tx = self.begin("begin updating post").await?;
        let update = sqlx::query(
            "UPDATE posts SET message = $2, props = $3, updated_at = $4, edited_at = $5,
                size_bytes = $6 + $7 * (SELECT COUNT(*) FROM reactions WHERE post_id = $1)
             WHERE id = $1 AND deleted_at = 0",
        )
        .bind(post.id.as_str())
        .bind(&post.message)
        .bind(&post.props)
        .bind(post.updated_at)
        .bind(post.edited_at)
        .bind(size_on_the_wire(&post.message, &post.props))
        .bind(REACTION_BYTES);
        if tx.execute("update post", update).await? > 0 {
            index_words(&mut tx, post.id.as_str(), &post.message).await?;
        }
        tx.commit().await
    }

    /// The attachments of these posts, in the order of each post.
    pub(crate) async fn files_of_posts(&self, posts: &[&str]) -> Result<Vec<FileRow>, StoreError> {
        if posts.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = Builder::new(
            "SELECT f.*, l.post_id AS post_id FROM files f
             JOIN post_files l ON l.file_id = f.id WHERE l.listed = 1 AND l.post_id IN (",
        );
        query.push_list(posts.iter().copied());
        query.push(") ORDER BY l.post_id, l.position");
        self.db.fetch_all("list attachments", query.select()).await
    }

    /// Ties a file to a post without listing it.
    pub(crate) async fn attach_unlisted(
        &self,
        post: &PostId,
        file: &FileId,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin("begin attaching file").await?;
        insert_post_file(&mut tx, post, file, 0, false).await?;
        tx.commit().await
    }
}

async fn insert_post_file(
    tx: &mut Transaction,
    post: &PostId,
    file: &FileId,
    position: i64,
    listed: bool,
) -> Result<(), StoreError> {
    tx.execute(
        "attach file",
        sqlx::query(
            "INSERT INTO post_files (post_id, file_id, position, listed) VALUES ($1, $2, $3, $4)
         ON CONFLICT (post_id, file_id) DO NOTHING",
        )
        .bind(post.as_str())
        .bind(file.as_str())
        .bind(position)
        .bind(flag(listed)),
    )
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_post_is_never_less_than_what_its_texts_take() {
        for message in ["", "hello", "\"\\\n\u{1}\u{7f}", "grüße 🎉"] {
            let json = serde_json::Value::from(message).to_string();
            let size = size_on_the_wire(message, "{}");
            let texts = i64::try_from(json.len()).unwrap();
            assert!(size >= texts + 500, "{message:?}: {size} and {texts}");
        }
    }
}
