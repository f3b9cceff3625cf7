//! Posts, pages of posts, threads.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use proto::id::{ChannelId, FileId, PostId};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Answer, Auth, Body, Params, State, check_lookups, created, ok};
use crate::embedded::fault::Fault;
use crate::embedded::store::{PostPage, PostRow};
use crate::embedded::{Server, wire};
use crate::model::{NewPost, RoomRight};

/// Most posts that changed since a time; a client that missed more loads pages.
const MAX_CHANGED: i64 = 1000;

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

async fn by_ids(state: State, auth: Auth, Body(ids): Body<Vec<String>>) -> Answer {
    check_lookups(&ids)?;
    let mut posts = Vec::new();
    for id in &ids {
        // what the sender may not read is left out like what does not exist
        if let Ok(view) = state.post_for(id, &auth.0.person).await {
            posts.push(wire::post(&view, ""));
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
    let view = state
        .edit_post_as(&auth.0.person, &id, patch.message, patch.props)
        .await?;
    Ok(Json(wire::post(&view, "")))
}

async fn delete(state: State, auth: Auth, Path(id): Path<String>, params: Params) -> Answer {
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

/// A list of posts as clients read it: `order` names the ones asked for, newest first.
struct PostList {
    order: Vec<PostId>,
    rows: Vec<PostRow>,
    next: String,
    prev: String,
    has_next: Option<bool>,
}

impl PostList {
    async fn into_answer(self, state: &Server) -> Answer {
        let mut posts = Map::new();
        for view in state.post_views(self.rows).await? {
            posts.insert(view.row.id.as_str().to_owned(), wire::post(&view, ""));
        }
        let mut answer = json!({
            "order": self.order, "posts": posts, "next_post_id": self.next,
            "prev_post_id": self.prev, "first_inaccessible_post_time": 0,
        });
        if let (Some(has_next), Some(fields)) = (self.has_next, answer.as_object_mut()) {
            fields.insert("has_next".to_owned(), has_next.into());
        }
        Ok(Json(answer))
    }
}

impl Server {
    /// Adds the threads of the posts in a page, unless the client does not want them.
    async fn with_threads(
        &self,
        mut rows: Vec<PostRow>,
        params: &Params,
    ) -> Result<Vec<PostRow>, Fault> {
        if params.flag("skipFetchThreads") {
            return Ok(rows);
        }
        let roots: HashSet<&str> = rows
            .iter()
            .filter(|row| row.reply_count > 0 || row.root_id.is_some())
            .map(|row| row.root_id.as_ref().unwrap_or(&row.id).as_str())
            .collect();
        let roots: Vec<&str> = roots.into_iter().collect();
        let mut threads = self.store.threads(&roots).await?;
        let present: HashSet<PostId> = rows.iter().map(|row| row.id.clone()).collect();
        threads.retain(|row| !present.contains(&row.id));
        rows.extend(threads);
        Ok(rows)
    }

    /// When the post that a page starts from was made.
    async fn time_of(&self, id: &str, room: &ChannelId) -> Result<i64, Fault> {
        let row = self
            .store
            .post(id)
            .await?
            .filter(|row| row.room_id == *room);
        row.map(|row| row.created_at)
            .ok_or_else(|| Fault::not_found("post", id))
    }
}

fn ids(rows: &[PostRow]) -> Vec<PostId> {
    rows.iter().map(|row| row.id.clone()).collect()
}

/// Splits off the row that only shows that there are more.
fn split_extra(rows: &mut Vec<PostRow>, limit: i64) -> String {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if rows.len() <= limit {
        return String::new();
    }
    rows.pop()
        .map(|row| row.id.as_str().to_owned())
        .unwrap_or_default()
}

async fn page(state: State, auth: Auth, Path(id): Path<String>, params: Params) -> Answer {
    let room = state
        .room_for(&id, &auth.0.person, RoomRight::Read)
        .await?
        .room;
    let (offset, limit) = params.page()?;
    // one more than asked for shows whether the next page has anything
    let more = limit + 1;
    let mut list = PostList {
        order: Vec::new(),
        rows: Vec::new(),
        next: String::new(),
        prev: String::new(),
        has_next: None,
    };
    if let Some(updated_at) = params.number("since")? {
        let page = PostPage::ChangedSince {
            updated_at,
            limit: MAX_CHANGED,
        };
        list.rows = state.store.posts_of(&room.id, page).await?;
    } else if let Some(before) = params.text("before") {
        let created_at = state.time_of(before, &room.id).await?;
        let page = PostPage::Before {
            created_at,
            offset,
            limit: more,
        };
        list.rows = state.store.posts_of(&room.id, page).await?;
        list.prev = split_extra(&mut list.rows, limit);
        list.next = before.to_owned();
    } else if let Some(after) = params.text("after") {
        let created_at = state.time_of(after, &room.id).await?;
        let page = PostPage::After {
            created_at,
            offset,
            limit: more,
        };
        list.rows = state.store.posts_of(&room.id, page).await?;
        list.next = split_extra(&mut list.rows, limit);
        list.prev = after.to_owned();
        list.rows.reverse();
    } else {
        let page = PostPage::Newest {
            offset,
            limit: more,
        };
        list.rows = state.store.posts_of(&room.id, page).await?;
        list.prev = split_extra(&mut list.rows, limit);
    }
    list.order = ids(&list.rows);
    list.rows = state.with_threads(list.rows, &params).await?;
    list.into_answer(&state).await
}

/// The posts around the place up to which the person has read.
async fn unread(
    state: State,
    auth: Auth,
    Path((user, id)): Path<(String, String)>,
    params: Params,
) -> Answer {
    let person = auth.own(&user)?;
    let room = state
        .room_for(&id, &auth.0.person, RoomRight::Read)
        .await?
        .room;
    let member = state.store.member(&room.id, &person).await?;
    let seen = member.map_or(0, |member| member.viewed_at);
    let (after, before) = (params.limit("limit_after")?, params.limit("limit_before")?);
    let page = PostPage::After {
        created_at: seen,
        offset: 0,
        limit: after + 1,
    };
    let mut rows = state.store.posts_of(&room.id, page).await?;
    let next = split_extra(&mut rows, after);
    rows.reverse();
    let page = PostPage::Before {
        created_at: seen + 1,
        offset: 0,
        limit: before + 1,
    };
    let mut older = state.store.posts_of(&room.id, page).await?;
    let prev = split_extra(&mut older, before);
    rows.append(&mut older);
    let order = ids(&rows);
    let rows = state.with_threads(rows, &params).await?;
    PostList {
        order,
        rows,
        next,
        prev,
        has_next: None,
    }
    .into_answer(&state)
    .await
}

/// A thread from its first post on; pages go from the oldest reply to the newest.
async fn thread(state: State, auth: Auth, Path(id): Path<String>, params: Params) -> Answer {
    let view = state.post_for(&id, &auth.0.person).await?;
    let root = view.row.root_id.as_ref().unwrap_or(&view.row.id);
    let mut rows = state.store.threads(&[root.as_str()]).await?;
    let mut has_next = false;
    if let Some(from) = params.number("fromCreateAt")? {
        rows.retain(|row| row.root_id.is_none() || row.created_at > from);
    }
    if let Some(limit) = params.number("perPage")? {
        // the first post comes with every page and is not counted
        let limit = usize::try_from(limit.max(1))
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        has_next = rows.len() > limit;
        rows.truncate(limit);
    }
    let order = ids(&rows);
    let list = PostList {
        order,
        rows,
        next: String::new(),
        prev: String::new(),
        has_next: Some(has_next),
    };
    list.into_answer(&state).await
}
