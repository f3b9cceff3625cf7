//! The index of words: which are in which post.
//!
//! Our own table rather than each engine's full-text search: the same words are found on both, and
//! one text of SQL serves both. It is written in the transaction that writes the post.

use std::collections::BTreeSet;

use storage::Transaction;
use storage::sql::Builder;

use super::{Store, StoreError};
use crate::embedded::search::words_of;

/// Words of one post that are indexed; a message of the greatest length has a few thousand.
const MAX_WORDS: usize = 2000;
/// Words of one statement.
const BATCH: usize = 400;
/// Posts of an older server that are indexed in one transaction.
const PAGE: i64 = 100;

/// Writes the words of a message as those of the post.
pub(super) async fn index_words(
    tx: &mut Transaction,
    post: &str,
    message: &str,
) -> Result<(), StoreError> {
    let seq = sqlx::query_scalar("SELECT seq FROM posts WHERE id = $1").bind(post);
    let seq: i64 = tx.fetch_value("read place of post", seq).await?;
    write_words(tx, seq, message).await
}

async fn write_words(tx: &mut Transaction, seq: i64, message: &str) -> Result<(), StoreError> {
    let forget = sqlx::query("DELETE FROM post_words WHERE seq = $1").bind(seq);
    tx.execute("forget words", forget).await?;
    let words: BTreeSet<String> = words_of(message).take(MAX_WORDS).collect();
    let words: Vec<String> = words.into_iter().collect();
    for batch in words.chunks(BATCH) {
        let mut insert = Builder::new("INSERT INTO post_words (word, seq) VALUES ");
        for (index, word) in batch.iter().enumerate() {
            insert.push(if index == 0 { "(" } else { ", (" });
            insert.push_bind(word.as_str()).push(", ").push_bind(seq);
            insert.push(")");
        }
        tx.execute("index words", insert.build()).await?;
    }
    Ok(())
}

impl Store {
    /// Indexes some posts that an older server left, the newest first; whether there may be more.
    pub(crate) async fn index_some_posts(&self) -> Result<bool, StoreError> {
        let mark = sqlx::query_scalar("SELECT up_to FROM unindexed WHERE id = 1");
        let up_to: i64 = self.db.fetch_value("look for posts to index", mark).await?;
        if up_to == 0 {
            return Ok(false);
        }
        let mut tx = self.begin("begin indexing posts").await?;
        let posts = sqlx::query_as::<_, (i64, String)>(
            "SELECT seq, message FROM posts WHERE seq <= $1 ORDER BY seq DESC LIMIT $2",
        )
        .bind(up_to)
        .bind(PAGE);
        let posts = tx.fetch_all("list posts to index", posts).await?;
        for (seq, message) in &posts {
            write_words(&mut tx, *seq, message).await?;
        }
        let next = posts.last().map_or(0, |(seq, _)| seq - 1);
        let note = sqlx::query("UPDATE unindexed SET up_to = $1 WHERE id = 1").bind(next.max(0));
        tx.execute("note what is indexed", note).await?;
        tx.commit().await?;
        Ok(next > 0)
    }
}
