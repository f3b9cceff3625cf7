//! Finding posts by their words and by who wrote them where and when.
//!
//! Invariant: only rooms that the person is in are searched.

use proto::id::{ChannelId, PostId, TeamId, UserId};
use storage::sql::Builder;

use super::rows::OutlineRow;
use super::{PostRow, Store, StoreError};
use crate::embedded::search::Term;

/// Higher than any character: what lies between a beginning and it begins that way.
const LAST: char = '\u{10ffff}';

/// What is searched for. Terms hold words of the index.
#[derive(Debug, Default)]
pub(crate) struct PostSearch<'a> {
    pub(crate) team: Option<&'a TeamId>,
    pub(crate) terms: &'a [Term],
    pub(crate) excluded: &'a [Term],
    /// One of the terms is enough.
    pub(crate) any: bool,
    pub(crate) authors: Option<Vec<UserId>>,
    pub(crate) rooms: Option<Vec<ChannelId>>,
    /// Made at this time or later, and before this time; Unix milliseconds.
    pub(crate) from: Option<i64>,
    pub(crate) until: Option<i64>,
    pub(crate) with_archived: bool,
}

impl Store {
    /// Posts that may match, newest first, from below this place on.
    pub(crate) async fn posts_like(
        &self,
        person: &UserId,
        search: &PostSearch<'_>,
        below: i64,
        limit: i64,
    ) -> Result<Vec<PostRow>, StoreError> {
        let mut query = Builder::new(
            "SELECT p.id, p.seq, p.size_bytes FROM posts p
             JOIN room_members m ON m.room_id = p.room_id
             JOIN rooms r ON r.id = p.room_id
             WHERE p.deleted_at = 0 AND p.kind NOT LIKE 'system%' AND m.person_id = ",
        );
        query.push_bind(person.as_str());
        query.push(" AND p.seq < ").push_bind(below);
        if let Some(team) = search.team {
            query.push(" AND r.team_id IN ('', ");
            query.push_bind(team.as_str()).push(")");
        }
        if !search.with_archived {
            query.push(" AND r.deleted_at = 0");
        }
        if let Some(authors) = &search.authors {
            query.push(" AND p.author_id IN ('', ");
            query.push_list(authors.iter().map(UserId::as_str).chain([""]));
            query.push(")");
        }
        if let Some(rooms) = &search.rooms {
            query.push(" AND p.room_id IN ('', ");
            query.push_list(rooms.iter().map(ChannelId::as_str).chain([""]));
            query.push(")");
        }
        if let Some(from) = search.from {
            query.push(" AND p.created_at >= ").push_bind(from);
        }
        if let Some(until) = search.until {
            query.push(" AND p.created_at < ").push_bind(until);
        }
        push_terms(&mut query, search);
        query.push(" ORDER BY p.seq DESC LIMIT ").push_bind(limit);
        let found: Vec<OutlineRow> = self.db.fetch_all("search posts", query.select()).await?;
        let found: Vec<PostId> = found.into_iter().map(|row| row.id).collect();
        let ids: Vec<&str> = found.iter().map(PostId::as_str).collect();
        let mut rows = self.posts_by_ids(&ids).await?;
        rows.reverse();
        Ok(rows)
    }
}

fn push_terms(query: &mut Builder, search: &PostSearch<'_>) {
    for (index, term) in search.terms.iter().enumerate() {
        query.push(match (index, search.any) {
            (0, true) => " AND (",
            (_, true) => " OR ",
            (_, false) => " AND ",
        });
        push_term(query, term);
    }
    if search.any && !search.terms.is_empty() {
        query.push(")");
    }
    for term in search.excluded.iter().filter(|term| term.is_one_word()) {
        query.push(" AND NOT ");
        push_term(query, term);
    }
}

/// All words of a term; whether they stand side by side is looked at later.
fn push_term(query: &mut Builder, term: &Term) {
    query.push("(");
    for (index, (word, is_beginning)) in term.words().enumerate() {
        query.push(if index == 0 { "" } else { " AND " });
        query.push("p.seq IN (SELECT seq FROM post_words WHERE word ");
        if is_beginning {
            query.push(">= ").push_bind(word);
            query
                .push(" AND word < ")
                .push_bind(format!("{word}{LAST}"));
        } else {
            query.push("= ").push_bind(word);
        }
        query.push(")");
    }
    query.push(")");
}
