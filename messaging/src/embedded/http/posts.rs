//! Posts, pages of posts, threads.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use proto::id::{ChannelId, FileId, PostId};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::post_list::{MAX_ANSWER_BYTES, Neighbours, PostList, allowance};
use super::{Answer, Auth, Body, Params, State, check_lookups, created, ok};
use crate::embedded::fault::Fault;
use crate::embedded::store::{PostPage, PostRow, ThreadPage};
use crate::embedded::threads::ThreadReader;
use crate::embedded::{Server, wire};
use crate::model::{NewPost, RoomRight};

/// Most posts that changed since a time; a client that missed more loads pages.
const MAX_CHANGED: i64 = 1000;
/// Most replies of a thread in one answer.
const MAX_REPLIES: i64 = 1000;
/// Most replies that come along with a page of a room, and the room below which none do, in bytes.
const MAX_BESIDE: usize = 1000;
const MIN_BESIDE_BYTES: usize = 20_000;

type Listing = Result<Response, Fault>;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/posts", post(create))
        .route("/posts/ephemeral", post(ephemeral))
        .route("/posts/ids", post(by_ids))
        .route("/posts/{id}", get(one).put(update).delete(delete))
        .route("/posts/{id}/patch", put(update))
        .route("/posts/{id}/thread", get(thread))
        .route("/posts/{id}/files/info", get(files))
        .route("/channels/{id}/posts", get(page))
        .route("/users/{user}/channels/{id}/posts/unread", get(unread))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PostBody {
    channel_id: String,
    message: String,
    root_id: String,
    #[serde(rename = "type")]
    kind: String,
    props: Option<Map<String, Value>>,
    file_ids: Option<Vec<String>>,
    pending_post_id: String,
}

impl PostBody {
    fn into_new_post(self, author: proto::id::UserId) -> Result<NewPost, Fault> {
        let room = self.channel_id;
        let room = ChannelId::parse(room.as_str()).map_err(|_| Fault::not_found("room", room))?;
        let root = match self.root_id.as_str() {
            "" => None,
            id => Some(PostId::parse(id).map_err(|_| Fault::not_found("post", id))?),
        };
        let files = self.file_ids.unwrap_or_default();
        let file =
            |id: &String| FileId::parse(id.as_str()).map_err(|_| Fault::not_found("file", id));
        Ok(NewPost {
            room,
            author,
            root,
            message: self.message,
            kind: self.kind,
            props: self.props.unwrap_or_default(),
            files: files.iter().map(file).collect::<Result<_, _>>()?,
        })
    }
}

async fn create(
    state: State,
    auth: Auth,
    Body(mut body): Body<PostBody>,
) -> Result<impl IntoResponse, Fault> {
    auth.check_rate(&state)?;
    let pending_id: String = std::mem::take(&mut body.pending_post_id)
        .chars()
        .take(128)
        .collect();
    let post = body.into_new_post(auth.0.person.id.clone())?;
    let view = state.post_as(&auth.0.person, post, &pending_id).await?;
    Ok(created(wire::post(&view, &pending_id)))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Ephemeral {
    user_id: String,
    post: PostBody,
}

async fn ephemeral(
    state: State,
    auth: Auth,
    Body(body): Body<Ephemeral>,
) -> Result<impl IntoResponse, Fault> {
    let sender = &auth.0.person;
    if !sender.is_admin && !sender.is_bot {
        return Err(Fault::forbidden(
            "only administrators and bots show posts to one person",
        ));
    }
    let to = state.person_row(&body.user_id).await?;
    let post = body.post.into_new_post(sender.id.clone())?;
    state
        .room_for(post.room.as_str(), &to, RoomRight::Read)
        .await?;
    Ok(created(state.whisper(&to.id, &sender.id, post)))
}

/// As many as one answer holds: whoever misses some asks for those again.
async fn by_ids(state: State, auth: Auth, Body(ids): Body<Vec<String>>) -> Answer {
    check_lookups(&ids)?;
    let mut posts = Vec::new();
    let mut bytes = 0;
    for id in &ids {
        // what the sender may not read is left out like what does not exist
        if let Ok(view) = state.post_for(id, &auth.0.person).await {
            let post = wire::post(&view, "");
            bytes += post.to_string().len();
            if bytes > MAX_ANSWER_BYTES && !posts.is_empty() {
                break;
            }
            posts.push(post);
        }
    }
    Ok(Json(Value::Array(posts)))
}

async fn one(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    Ok(Json(wire::post(
        &state.post_for(&id, &auth.0.person).await?,
        "",
    )))
}

#[derive(Deserialize)]
struct PostPatch {
    message: Option<String>,
    props: Option<Map<String, Value>>,
}

async fn update(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    Body(patch): Body<PostPatch>,
) -> Answer {
    auth.check_rate(&state)?;
    let view = state
        .edit_post_as(&auth.0.person, &id, patch.message, patch.props)
        .await?;
    Ok(Json(wire::post(&view, "")))
}

async fn delete(state: State, auth: Auth, Path(id): Path<String>, params: Params) -> Answer {
    auth.check_rate(&state)?;
    if params.flag("permanent") {
        state.purge_post_as(&auth.0.person, &id).await?;
    } else {
        state.delete_post_as(&auth.0.person, &id).await?;
    }
    Ok(ok())
}

async fn files(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    let view = state.post_for(&id, &auth.0.person).await?;
    Ok(Json(view.files.iter().map(wire::file_info).collect()))
}

impl Server {
    /// Adds the threads of the posts in a page, unless the client does not want them: first posts
    /// and, as far as there is room, the newest replies. Clients that open a thread ask for it.
    async fn add_threads(
        &self,
        list: &mut PostList,
        page: &[(PostId, Option<PostId>, i64)],
        params: &Params,
    ) -> Result<(), Fault> {
        if params.flag("skipFetchThreads") || list.is_collapsed() {
            return Ok(());
        }
        let present: HashSet<&PostId> = page.iter().map(|(id, _, _)| id).collect();
        let threads = page
            .iter()
            .filter(|(_, root, replies)| *replies > 0 || root.is_some())
            .map(|(id, root, _)| root.as_ref().unwrap_or(id));
        let threads: BTreeSet<&PostId> = threads.collect();
        let roots: Vec<&str> = threads
            .iter()
            .filter(|root| !present.contains(*root))
            .map(|root| root.as_str())
            .collect();
        let roots = self.store.posts_by_ids(&roots).await?;
        list.add_beside(self, roots).await?;
        let share = MAX_BESIDE / threads.len().max(1);
        for root in threads {
            let mut allowance = allowance(share, list.bytes());
            if allowance.bytes < MIN_BESIDE_BYTES {
                break;
            }
            let newest = ThreadPage::Up { seq: i64::MAX };
            let page = self.store.replies(root.as_str(), newest, &mut allowance);
            let mut replies = page.await?.rows;
            replies.retain(|reply| !present.contains(&reply.id));
            list.add_beside(self, replies).await?;
        }
        Ok(())
    }

    /// The place of the post that a page starts from.
    async fn place_of(&self, id: &str, room: &ChannelId) -> Result<i64, Fault> {
        let row = self.store.post(id).await?;
        let row = row.filter(|row| row.room_id == *room);
        row.map(|row| row.seq)
            .ok_or_else(|| Fault::not_found("post", id))
    }
}

/// For clients that show threads apart from the room.
fn collapsed(auth: &Auth, params: &Params) -> PostList {
    let is_asked = params.flag("collapsedThreads");
    PostList::with_threads(is_asked.then(|| ThreadReader {
        person: auth.0.person.id.clone(),
        is_extended: params.flag("collapsedThreadsExtended"),
    }))
}

/// What `add_threads` needs to know of a page.
fn threads_in(rows: &[PostRow]) -> Vec<(PostId, Option<PostId>, i64)> {
    rows.iter()
        .map(|row| (row.id.clone(), row.root_id.clone(), row.reply_count))
        .collect()
}

fn text_of(id: Option<PostId>) -> String {
    id.map(|id| id.as_str().to_owned()).unwrap_or_default()
}

/// A page of a room. It may be shorter than asked for where posts are large: `prev_post_id` (or
/// `next_post_id` after a post) then names the one to go on with.
async fn page(state: State, auth: Auth, Path(id): Path<String>, params: Params) -> Listing {
    let room = state
        .room_for(&id, &auth.0.person, RoomRight::Read)
        .await?
        .room;
    let (offset, limit) = params.page()?;
    let mut list = collapsed(&auth, &params);
    let mut neighbours = Neighbours::default();
    let (page, is_upwards, limit) = if let Some(since) = params.number("since")? {
        let updated_at = state.clock.not_after(since);
        (PostPage::ChangedSince { updated_at }, false, MAX_CHANGED)
    } else if let Some(before) = params.text("before") {
        before.clone_into(&mut neighbours.next);
        let seq = state.place_of(before, &room.id).await?;
        (PostPage::Before { seq, offset }, false, limit)
    } else if let Some(after) = params.text("after") {
        after.clone_into(&mut neighbours.prev);
        let seq = state.place_of(after, &room.id).await?;
        (PostPage::After { seq, offset }, true, limit)
    } else {
        (PostPage::Newest { offset }, false, limit)
    };
    let mut room_for = allowance(to_rows(limit), 0);
    let is_collapsed = list.is_collapsed();
    let page = state
        .store
        .posts_of(&room.id, page, is_collapsed, &mut room_for)
        .await?;
    let threads = threads_in(&page.rows);
    let left_out = list.add(&state, page.rows).await?.or(page.left_out);
    if is_upwards {
        list.reverse();
        neighbours.next = text_of(left_out);
    } else {
        neighbours.prev = text_of(left_out);
    }
    state.add_threads(&mut list, &threads, &params).await?;
    Ok(list.into_answer(&neighbours))
}

/// The posts around the place up to which the person has read.
async fn unread(
    state: State,
    auth: Auth,
    Path((user, id)): Path<(String, String)>,
    params: Params,
) -> Listing {
    let person = auth.own(&user)?;
    let room = state
        .room_for(&id, &auth.0.person, RoomRight::Read)
        .await?
        .room;
    let member = state.store.member(&room.id, &person).await?;
    let seen = member.map_or(0, |member| member.viewed_seq);
    let (after, before) = (params.limit("limit_after")?, params.limit("limit_before")?);
    let mut list = collapsed(&auth, &params);
    // half of the room is for what was read before
    let mut room_for = allowance(to_rows(after), MAX_ANSWER_BYTES / 2);
    let page = PostPage::After {
        seq: seen,
        offset: 0,
    };
    let is_collapsed = list.is_collapsed();
    let newer = state
        .store
        .posts_of(&room.id, page, is_collapsed, &mut room_for)
        .await?;
    let mut threads = threads_in(&newer.rows);
    let next = list.add(&state, newer.rows).await?.or(newer.left_out);
    list.reverse();
    let mut room_for = allowance(to_rows(before), list.bytes());
    let page = PostPage::Before {
        seq: seen.saturating_add(1),
        offset: 0,
    };
    let older = state
        .store
        .posts_of(&room.id, page, is_collapsed, &mut room_for)
        .await?;
    threads.extend(threads_in(&older.rows));
    let prev = list.add(&state, older.rows).await?.or(older.left_out);
    state.add_threads(&mut list, &threads, &params).await?;
    Ok(list.into_answer(&Neighbours {
        next: text_of(next),
        prev: text_of(prev),
        ..Neighbours::default()
    }))
}

/// A thread: its first post, which is not counted, and a page of its replies, from the oldest on
/// or (`direction=up`) from the newest. `fromPost`, or `fromCreateAt` where the post is unknown,
/// names the reply to go on from; `has_next` says whether there are more.
async fn thread(state: State, auth: Auth, Path(id): Path<String>, params: Params) -> Listing {
    let view = state.post_for(&id, &auth.0.person).await?;
    let root = match &view.row.root_id {
        Some(root) => state.post_view(root.as_str()).await?.row,
        None => view.row,
    };
    let limit = params.number("perPage")?.unwrap_or(MAX_REPLIES);
    let limit = limit.clamp(1, MAX_REPLIES);
    let is_upwards = params.text("direction") == Some("up");
    let from = match params.text("fromPost") {
        Some(from) => {
            let row = state.store.post(from).await?;
            let row = row.filter(|row| row.id == root.id || row.root_id.as_ref() == Some(&root.id));
            row.map(|row| row.seq)
        }
        None => None,
    };
    let page = match (from, params.number("fromCreateAt")?, is_upwards) {
        (Some(seq), _, false) => ThreadPage::Down { seq },
        (Some(seq), _, true) => ThreadPage::Up { seq },
        (None, Some(created_at), false) => ThreadPage::DownFrom { created_at },
        (None, Some(created_at), true) => ThreadPage::UpFrom { created_at },
        (None, None, false) => ThreadPage::Down { seq: 0 },
        (None, None, true) => ThreadPage::Up { seq: i64::MAX },
    };
    let mut list = collapsed(&auth, &params);
    let root_id = root.id.clone();
    list.add(&state, vec![root]).await?;
    let mut room_for = allowance(to_rows(limit), list.bytes());
    let page = state
        .store
        .replies(root_id.as_str(), page, &mut room_for)
        .await?;
    let left_out = list.add(&state, page.rows).await?.or(page.left_out);
    Ok(list.into_answer(&Neighbours {
        has_next: Some(left_out.is_some()),
        ..Neighbours::default()
    }))
}

fn to_rows(limit: i64) -> usize {
    usize::try_from(limit).unwrap_or(0)
}
