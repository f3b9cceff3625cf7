//! Posts and threads.

use proto::id::{ChannelId, FileId, PostId, UserId};

use storage::Transaction;
use storage::sql::{Builder, flag};

use super::{FileRow, PostRow, Store, StoreError};

/// A post with the size of its thread: how many replies, and when the last one came.
const SELECT_POST: &str = "SELECT p.*,
    (SELECT COUNT(*) FROM posts r WHERE r.deleted_at = 0 AND r.root_id =
        CASE WHEN p.root_id = '' THEN p.id ELSE p.root_id END) AS reply_count,
    (SELECT COALESCE(MAX(r.created_at), 0) FROM posts r WHERE r.deleted_at = 0
        AND r.root_id = p.id) AS last_reply_at
  FROM posts p ";

/// Which posts of a room to list.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PostPage {
    /// The newest ones.
    Newest { offset: i64, limit: i64 },
    /// Older than this time, nearest first.
    Before {
        created_at: i64,
        offset: i64,
        limit: i64,
    },
    /// Newer than this time, nearest first.
    After {
        created_at: i64,
        offset: i64,
        limit: i64,
    },
    /// Made, edited or deleted after this time; deleted ones included.
    ChangedSince { updated_at: i64, limit: i64 },
}

impl Store {
    /// Inserts a post with its attachments, counts it in the room, and counts the mentions.
    pub(crate) async fn insert_post(
        &self,
        post: &PostRow,
        files: &[FileId],
        mentioned: &[UserId],
    ) -> Result<(), StoreError> {
        let mut tx = self.begin("begin inserting post").await?;
        tx.execute("insert post", sqlx::query(
            "INSERT INTO posts (id, room_id, author_id, root_id, message, kind, props, created_at,
                updated_at, edited_at, deleted_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0)",
        )
        .bind(post.id.as_str())
        .bind(post.room_id.as_str())
        .bind(post.author_id.as_str())
        .bind(post.root_id.as_ref().map_or("", PostId::as_str))
        .bind(&post.message)
        .bind(&post.kind)
        .bind(&post.props)
        .bind(post.created_at)
        .bind(post.updated_at)).await?;
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
                viewed_root_posts = viewed_root_posts + $4 WHERE room_id = $1 AND person_id = $2",
            )
            .bind(post.room_id.as_str())
            .bind(post.author_id.as_str())
            .bind(post.created_at)
            .bind(roots),
        )
        .await?;
        for person in mentioned {
            tx.execute(
                "count mention",
                sqlx::query(
                    "UPDATE room_members SET mentions = mentions + 1
                 WHERE room_id = $1 AND person_id = $2",
                )
                .bind(post.room_id.as_str())
                .bind(person.as_str()),
            )
            .await?;
        }
        tx.commit().await
    }

    pub(crate) async fn post(&self, id: &str) -> Result<Option<PostRow>, StoreError> {
        let mut query = Builder::new(SELECT_POST);
        query.push("WHERE p.id = ").push_bind(id);
        self.db.fetch_optional("read post", query.select()).await
    }

    /// The living posts of these threads, roots included, oldest first.
    pub(crate) async fn threads(&self, roots: &[&str]) -> Result<Vec<PostRow>, StoreError> {
        let mut posts = self.posts_where("p.id", roots).await?;
        posts.extend(self.posts_where("p.root_id", roots).await?);
        posts.retain(|post| post.deleted_at == 0);
        posts.sort_by_key(|post| post.created_at);
        Ok(posts)
    }

    async fn posts_where(
        &self,
        column: &'static str,
        values: &[&str],
    ) -> Result<Vec<PostRow>, StoreError> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = Builder::new(SELECT_POST);
        query.push("WHERE ").push(column).push(" IN (");
        query.push_list(values.iter().copied());
        query.push(") ORDER BY p.created_at");
        self.db.fetch_all("read posts", query.select()).await
    }

    /// Posts of a room in the order the page names.
    pub(crate) async fn posts_of(
        &self,
        room: &ChannelId,
        page: PostPage,
    ) -> Result<Vec<PostRow>, StoreError> {
        let mut query = Builder::new(SELECT_POST);
        query.push("WHERE p.room_id = ").push_bind(room.as_str());
        let (limit, offset) = match page {
            PostPage::Newest { offset, limit } => {
                query.push(" AND p.deleted_at = 0 ORDER BY p.created_at DESC");
                (limit, offset)
            }
            PostPage::Before {
                created_at,
                offset,
                limit,
            } => {
                query
                    .push(" AND p.deleted_at = 0 AND p.created_at < ")
                    .push_bind(created_at);
                query.push(" ORDER BY p.created_at DESC");
                (limit, offset)
            }
            PostPage::After {
                created_at,
                offset,
                limit,
            } => {
                query
                    .push(" AND p.deleted_at = 0 AND p.created_at > ")
                    .push_bind(created_at);
                query.push(" ORDER BY p.created_at ASC");
                (limit, offset)
            }
            PostPage::ChangedSince { updated_at, limit } => {
                query.push(" AND p.updated_at > ").push_bind(updated_at);
                query.push(" ORDER BY p.created_at DESC");
                (limit, 0)
            }
        };
        query
            .push(" LIMIT ")
            .push_bind(limit)
            .push(" OFFSET ")
            .push_bind(offset);
        self.db.fetch_all("list posts", query.select()).await
    }

    /// Writes message, props and times of a post.
    pub(crate) async fn update_post(&self, post: &PostRow) -> Result<(), StoreError> {
        self.db
            .execute(
                "update post",
                sqlx::query(
                    "UPDATE posts SET message = $2, props = $3, updated_at = $4, edited_at = $5
             WHERE id = $1 AND deleted_at = 0",
                )
                .bind(post.id.as_str())
                .bind(&post.message)
                .bind(&post.props)
                .bind(post.updated_at)
                .bind(post.edited_at),
            )
            .await?;
        Ok(())
    }

    /// Marks a post and, for a root post, its whole thread as deleted.
    pub(crate) async fn delete_post(&self, post: &PostId, now: i64) -> Result<(), StoreError> {
        self.db
            .execute(
                "delete post",
                sqlx::query(
                    "UPDATE posts SET deleted_at = $2, updated_at = $2
             WHERE (id = $1 OR root_id = $1) AND deleted_at = 0",
                )
                .bind(post.as_str())
                .bind(now),
            )
            .await?;
        Ok(())
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

    /// The last `created_at` in the database; new posts must come after it.
    pub(crate) async fn newest_post_time(&self) -> Result<i64, StoreError> {
        self.db
            .fetch_value(
                "read time of newest post",
                sqlx::query_scalar("SELECT COALESCE(MAX(updated_at), 0) FROM posts"),
            )
            .await
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
