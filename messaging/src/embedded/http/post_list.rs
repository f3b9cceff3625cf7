//! Answers that list posts: how much one holds, and in which form.
//!
//! In: rows in the order in which they matter. Out: `order`, `posts`, and the posts that a client
//! goes on from. An answer is made of whole posts and stays below `MAX_ANSWER_BYTES`: what does not
//! fit is left out and named, as if the page had been asked for with fewer posts.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use proto::id::PostId;
use serde_json::{Value, json};

use crate::embedded::fault::Fault;
use crate::embedded::store::{Allowance, PostRow};
use crate::embedded::threads::ThreadReader;
use crate::embedded::{Server, wire};

/// Largest answer, in bytes. A page of ordinary posts takes a tenth of it.
pub(super) const MAX_ANSWER_BYTES: usize = 1_000_000;
/// What the fields around the posts take, in bytes: a thousand ids among them.
const FRAME_BYTES: usize = 40_000;

/// A list of posts in the making.
#[derive(Debug, Default)]
pub(super) struct PostList {
    order: Vec<PostId>,
    /// `"id":{...}`, in the order in which they were added.
    entries: Vec<String>,
    bytes: usize,
    /// For whom first posts are listed with their threads, if they are.
    reader: Option<ThreadReader>,
}

/// From where a client goes on; empty where there is nothing more.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    pub(super) next: String,
    pub(super) prev: String,
    /// Only pages of threads say it.
    pub(super) has_next: Option<bool>,
    /// Only what was searched for says it: which words matched is for the client to see.
    pub(super) has_matches: bool,
}

/// What may be read for an answer that already holds `used` bytes.
pub(super) fn allowance(rows: usize, used: usize) -> Allowance {
    Allowance {
        rows,
        bytes: (MAX_ANSWER_BYTES - FRAME_BYTES).saturating_sub(used),
    }
}

impl PostList {
    /// A list that tells of each first post who wrote in its thread, and whether `reader` follows it.
    pub(super) fn with_threads(reader: Option<ThreadReader>) -> Self {
        Self {
            reader,
            ..Self::default()
        }
    }

    /// Whether replies are left to their threads.
    pub(super) fn is_collapsed(&self) -> bool {
        self.reader.is_some()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the posts that a client asked for, as many as fit; returns the first that does not.
    pub(super) async fn add(
        &mut self,
        state: &Server,
        rows: Vec<PostRow>,
    ) -> Result<Option<PostId>, Fault> {
        let mut views = state.post_views(rows).await?;
        if let Some(reader) = &self.reader {
            state.add_thread_views(&mut views, reader).await?;
        }
        for view in views {
            let id = view.row.id.clone();
            if !self.add_entry(&id, &wire::post(&view, "")) {
                return Ok(Some(id));
            }
            self.order.push(id);
        }
        Ok(None)
    }

    /// Adds posts that stand beside those asked for, where they fit.
    pub(super) async fn add_beside(
        &mut self,
        state: &Server,
        rows: Vec<PostRow>,
    ) -> Result<(), Fault> {
        for view in state.post_views(rows).await? {
            self.add_entry(&view.row.id, &wire::post(&view, ""));
        }
        Ok(())
    }

    fn add_entry(&mut self, id: &PostId, post: &Value) -> bool {
        let entry = format!("\"{id}\":{post}");
        let fits = self.bytes + entry.len() <= MAX_ANSWER_BYTES - FRAME_BYTES;
        if fits || self.entries.is_empty() {
            self.bytes += entry.len() + 1;
            self.entries.push(entry);
            return true;
        }
        false
    }

    /// For pages that were read from the oldest on: clients read the newest first.
    pub(super) fn reverse(&mut self) {
        self.order.reverse();
    }

    pub(super) fn into_answer(self, neighbours: &Neighbours) -> Response {
        let order = json!(self.order);
        let has_next = neighbours.has_next.map_or(String::new(), |has_next| {
            format!(",\"has_next\":{has_next}")
        });
        let matches = if neighbours.has_matches {
            ",\"matches\":null"
        } else {
            ""
        };
        let body = format!(
            "{{\"order\":{order},\"posts\":{{{}}},\"next_post_id\":{},\"prev_post_id\":{},\
             \"first_inaccessible_post_time\":0{has_next}{matches}}}",
            self.entries.join(","),
            json!(neighbours.next),
            json!(neighbours.prev),
        );
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}
