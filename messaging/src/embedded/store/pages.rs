//! Posts as they are read: pages of a room, pages of a thread, what changed.
//!
//! Order is that of `seq`; times only select. A page is read in two steps: which posts, with their
//! sizes, then those that fit.
//! Invariant: what is read for one answer is bounded in rows and in bytes.

use proto::id::{ChannelId, PostId};
use storage::sql::Builder;

use super::rows::OutlineRow;
use super::{PostRow, Store, StoreError};

/// A post with the size of its thread, which its first post counts.
const SELECT_POST: &str = "SELECT p.id, p.room_id, p.author_id, p.root_id, p.message, p.kind,
    p.props, p.created_at, p.updated_at, p.edited_at, p.deleted_at, p.seq, p.last_reply_at,
    CASE WHEN p.root_id = '' THEN p.reply_count ELSE COALESCE(t.reply_count, 0) END AS reply_count
  FROM posts p LEFT JOIN posts t ON t.id = p.root_id ";
const SELECT_OUTLINE: &str = "SELECT p.id, p.seq, p.size_bytes FROM posts p ";

/// Which posts of a room to list.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PostPage {
    /// The newest ones.
    Newest { offset: i64 },
    /// Older than this one, nearest first.
    Before { seq: i64, offset: i64 },
    /// Newer than this one, nearest first.
    After { seq: i64, offset: i64 },
    /// Made, edited or deleted after this time, newest first; deleted ones included.
    ChangedSince { updated_at: i64 },
}

/// Which replies of a thread to list.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ThreadPage {
    /// After this one, oldest first.
    Down { seq: i64 },
    /// Made after this time, oldest first.
    DownFrom { created_at: i64 },
    /// Before this one, newest first.
    Up { seq: i64 },
    /// Made before this time, newest first.
    UpFrom { created_at: i64 },
}

/// How much an answer still has room for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
}

impl Allowance {
    /// Whether there is room for one more of this size. The first one always fits.
    fn takes(&mut self, size_bytes: i64, is_first: bool) -> bool {
        let size = usize::try_from(size_bytes).unwrap_or(usize::MAX);
        let fits = self.rows > 0 && (is_first || size <= self.bytes);
        if fits {
            self.rows -= 1;
            self.bytes = self.bytes.saturating_sub(size);
        }
        fits
    }

    /// One row more than there is room for: shows whether there are more.
    fn limit(&self) -> i64 {
        i64::try_from(self.rows)
            .unwrap_or(i64::MAX)
            .saturating_add(1)
    }
}

/// Posts that were listed.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) rows: Vec<PostRow>,
    /// The first one that there was no room for.
    pub(crate) left_out: Option<PostId>,
}

impl Store {
    pub(crate) async fn post(&self, id: &str) -> Result<Option<PostRow>, StoreError> {
        let mut query = Builder::new(SELECT_POST);
        query.push("WHERE p.id = ").push_bind(id);
        self.db.fetch_optional("read post", query.select()).await
    }

    /// The living ones of these posts, oldest first.
    pub(crate) async fn posts_by_ids(&self, ids: &[&str]) -> Result<Vec<PostRow>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = Builder::new(SELECT_POST);
        query.push("WHERE p.deleted_at = 0 AND p.id IN (");
        query
            .push_list(ids.iter().copied())
            .push(") ORDER BY p.seq");
        self.db.fetch_all("read posts", query.select()).await
    }

    /// Posts of a room in the order the page names, as many as fit; `is_collapsed`: first posts only.
    pub(crate) async fn posts_of(
        &self,
        room: &ChannelId,
        page: PostPage,
        is_collapsed: bool,
        allowance: &mut Allowance,
    ) -> Result<Page, StoreError> {
        let mut query = Builder::new(SELECT_OUTLINE);
        query.push("WHERE p.room_id = ").push_bind(room.as_str());
        if is_collapsed {
            query.push(" AND p.root_id = ''");
        }
        let offset = match page {
            PostPage::Newest { offset } => {
                query.push(" AND p.deleted_at = 0 ORDER BY p.seq DESC");
                offset
            }
            PostPage::Before { seq, offset } => {
                query
                    .push(" AND p.deleted_at = 0 AND p.seq < ")
                    .push_bind(seq);
                query.push(" ORDER BY p.seq DESC");
                offset
            }
            PostPage::After { seq, offset } => {
                query
                    .push(" AND p.deleted_at = 0 AND p.seq > ")
                    .push_bind(seq);
                query.push(" ORDER BY p.seq");
                offset
            }
            PostPage::ChangedSince { updated_at } => {
                query.push(" AND p.updated_at > ").push_bind(updated_at);
                query.push(" ORDER BY p.seq DESC");
                0
            }
        };
        query.push(" LIMIT ").push_bind(allowance.limit());
        query.push(" OFFSET ").push_bind(offset);
        self.read_outlined(query, allowance).await
    }

    /// The living replies of a thread, as many as fit.
    pub(crate) async fn replies(
        &self,
        root: &str,
        page: ThreadPage,
        allowance: &mut Allowance,
    ) -> Result<Page, StoreError> {
        let mut query = Builder::new(SELECT_OUTLINE);
        query.push("WHERE p.root_id = ").push_bind(root);
        query.push(" AND p.deleted_at = 0");
        let (condition, bound, order) = match page {
            ThreadPage::Down { seq } => (" AND p.seq > ", seq, " ORDER BY p.seq"),
            ThreadPage::DownFrom { created_at } => {
                (" AND p.created_at > ", created_at, " ORDER BY p.seq")
            }
            ThreadPage::Up { seq } => (" AND p.seq < ", seq, " ORDER BY p.seq DESC"),
            ThreadPage::UpFrom { created_at } => {
                (" AND p.created_at < ", created_at, " ORDER BY p.seq DESC")
            }
        };
        query.push(condition).push_bind(bound).push(order);
        query.push(" LIMIT ").push_bind(allowance.limit());
        self.read_outlined(query, allowance).await
    }

    /// Reads the posts of an outline, from its first one on, until one does not fit.
    async fn read_outlined(
        &self,
        outline: Builder,
        allowance: &mut Allowance,
    ) -> Result<Page, StoreError> {
        let outline: Vec<OutlineRow> = self.db.fetch_all("list posts", outline.select()).await?;
        let mut fitting = Vec::new();
        let mut left_out = None;
        for row in outline {
            if allowance.takes(row.size_bytes, fitting.is_empty()) {
                fitting.push(row.seq);
            } else {
                left_out = Some(row.id);
                break;
            }
        }
        if fitting.is_empty() {
            return Ok(Page {
                rows: Vec::new(),
                left_out,
            });
        }
        let mut query = Builder::new(SELECT_POST);
        query.push("WHERE p.seq IN (");
        query
            .push_list(fitting.iter().copied())
            .push(") ORDER BY p.seq");
        let mut rows: Vec<PostRow> = self.db.fetch_all("read posts", query.select()).await?;
        let goes_up = fitting.first() < fitting.last();
        if !goes_up {
            rows.reverse();
        }
        Ok(Page { rows, left_out })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_ends_by_rows_or_by_bytes_and_always_has_room_for_one() {
        let mut allowance = Allowance {
            rows: 3,
            bytes: 100,
        };
        assert_eq!(allowance.limit(), 4);
        assert!(allowance.takes(5000, true));
        assert!(!allowance.takes(1, false));
        let mut allowance = Allowance {
            rows: 2,
            bytes: 100,
        };
        assert!(allowance.takes(60, true) && allowance.takes(40, false));
        assert!(!allowance.takes(0, false));
    }
}
