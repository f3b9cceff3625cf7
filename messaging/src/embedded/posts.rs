//! Posts and threads: the rules for writing, editing and deleting, and the events about it.

use proto::id::{FileId, PostId, TeamId, UserId};
use serde_json::{Map, Value, json};

use super::fault::Fault;
use super::mentions::Mentioned;
use super::rooms::{to_room, to_user};
use super::store::{FileRow, PersonRow, PostRow, ReactionRow, ReplyFollowers, RoomRow};
use super::threads::{ThreadView, ToldReply};
use super::{Server, wire};
use crate::model::{NewPost, Post, RoomRight};

/// Longest message, in characters.
const MAX_MESSAGE_CHARS: usize = 16_383;
/// Largest `props`, in bytes of JSON: those of a call name everybody who took part.
const MAX_PROPS_BYTES: usize = 128 * 1024;
/// Largest `props` of a client's own post, in bytes of JSON, and how deep they may nest.
const MAX_CLIENTS_PROPS_BYTES: usize = 32 * 1024;
const MAX_PROPS_DEPTH: usize = 16;
/// Most attachments of one post.
const MAX_FILES: usize = 10;
/// Props that say who really wrote a post: not for clients to set.
const RESERVED_PROPS: [&str; 5] = [
    "from_bot",
    "from_webhook",
    "from_plugin",
    "override_username",
    "override_icon_url",
];

/// A post with what belongs to it.
#[derive(Debug, Clone)]
pub(super) struct PostView {
    pub(super) row: PostRow,
    pub(super) files: Vec<FileRow>,
    pub(super) reactions: Vec<ReactionRow>,
    /// What is said of its thread, in lists that show threads.
    pub(super) thread: Option<ThreadView>,
}

impl PostView {
    /// In the words of the model.
    pub(super) fn to_post(&self) -> Post {
        Post {
            id: self.row.id.clone(),
            room: self.row.room_id.clone(),
            author: self.row.author_id.clone(),
            root: self.row.root_id.clone(),
            message: self.row.message.clone(),
            kind: self.row.kind.clone(),
            props: serde_json::from_str(&self.row.props).unwrap_or_default(),
            files: wire::file_ids(&self.files),
            created_at_ms: self.row.created_at,
            updated_at_ms: self.row.updated_at,
            deleted: self.row.deleted_at != 0,
        }
    }
}

impl Server {
    /// Makes a post on behalf of a client: checks what the client may do.
    pub(super) async fn post_as(
        &self,
        author: &PersonRow,
        mut post: NewPost,
        pending_id: &str,
    ) -> Result<PostView, Fault> {
        self.room_for(post.room.as_str(), author, RoomRight::CreatePost)
            .await?;
        let is_custom = post.kind.starts_with("custom_") && !is_of_calls(&post.kind);
        if !post.kind.is_empty() && !is_custom {
            return Err(Fault::invalid(
                "api.context.invalid_body_param.app_error",
                format!("posts of type `{}` are made by the server only", post.kind),
            ));
        }
        if post.message.trim().is_empty() && post.files.is_empty() && post.kind.is_empty() {
            return Err(Fault::invalid(
                "model.post.is_valid.msg.app_error",
                "write a message or add a file first",
            ));
        }
        if post.message.starts_with('/') {
            return Err(Fault::is_a_command());
        }
        for key in RESERVED_PROPS {
            post.props.remove(key);
        }
        check_clients_props(&post.props)?;
        for id in &post.files {
            let file = self.store.file(id.as_str()).await?;
            let is_own = file.is_some_and(|file| {
                file.owner_id == author.id && file.room_id == post.room && file.post_id.is_none()
            });
            if !is_own {
                return Err(Fault::invalid(
                    "api.post.create_post.attach_files.error",
                    format!(
                        "the file `{id}` was not uploaded to this channel by you, or is in another message already"
                    ),
                ));
            }
        }
        self.publish_post(post, pending_id).await
    }

    /// Makes a post and tells the room. The caller has checked the author's rights.
    pub(super) async fn publish_post(
        &self,
        post: NewPost,
        pending_id: &str,
    ) -> Result<PostView, Fault> {
        let room = self.room_row(post.room.as_str()).await?;
        let author = self.person_row(post.author.as_str()).await?;
        let props = Value::Object(post.props).to_string();
        check_size(&post.message, &props)?;
        if post.files.len() > MAX_FILES {
            return Err(Fault::invalid(
                "model.post.is_valid.file_ids.app_error",
                format!("a message has at most {MAX_FILES} files"),
            ));
        }
        let root = match &post.root {
            Some(root) => Some(self.check_root(root, &room).await?),
            None => None,
        };
        let Mentioned { named, all } = self.mentioned(&room, &author, &post.message).await?;
        let mut followers = ReplyFollowers::default();
        if let Some(root) = &root {
            followers = self
                .followers_by_reply(&room, root, &author, named, &all)
                .await?;
        }
        let in_order = self.posting.lock().await;
        let before = match &root {
            Some(root) => self.before_reply(&root.id, &followers).await?,
            None => Vec::new(),
        };
        let now = self.now_ms();
        self.keep_clock_steps().await?;
        let row = PostRow {
            id: PostId::random(),
            seq: 0,
            room_id: post.room,
            author_id: post.author,
            root_id: post.root,
            message: post.message,
            kind: post.kind,
            props,
            created_at: now,
            updated_at: now,
            edited_at: 0,
            deleted_at: 0,
            reply_count: 0,
            last_reply_at: 0,
        };
        self.store
            .insert_post(&row, &post.files, &all, &followers)
            .await?;
        let view = self.post_view(row.id.as_str()).await?;
        self.emit_posted(&view, &room, &author, &all, pending_id);
        if let Some(root) = &root {
            let reply = ToldReply {
                root: &root.id,
                before,
                followers: &followers,
                mentioned: &all,
            };
            self.tell_followers(reply, in_order).await?;
        }
        Ok(view)
    }

    fn emit_posted(
        &self,
        view: &PostView,
        room: &RoomRow,
        author: &PersonRow,
        mentioned: &[UserId],
        pending_id: &str,
    ) {
        let mut data = json!({
            "channel_display_name": room.display_name,
            "channel_name": room.name,
            "channel_type": room.kind,
            "post": wire::post(view, pending_id).to_string(),
            "sender_name": format!("@{}", author.username),
            "set_online": true,
            "team_id": room.team_id.as_ref().map_or("", TeamId::as_str),
        });
        if let Some(fields) = data.as_object_mut() {
            if !mentioned.is_empty() {
                let ids: Vec<&str> = mentioned.iter().map(UserId::as_str).collect();
                fields.insert("mentions".to_owned(), Value::from(ids).to_string().into());
            }
            if !view.files.is_empty() {
                fields.insert("otherFile".to_owned(), "true".into());
            }
            if view
                .files
                .iter()
                .any(|file| file.mime.starts_with("image/"))
            {
                fields.insert("image".to_owned(), "true".into());
            }
        }
        self.emit("posted", data, to_room(&room.id));
    }

    async fn check_root(&self, root: &PostId, room: &RoomRow) -> Result<PostRow, Fault> {
        let row = self.store.post(root.as_str()).await?;
        let is_good =
            |row: &PostRow| row.room_id == room.id && row.deleted_at == 0 && row.root_id.is_none();
        row.filter(is_good).ok_or_else(|| {
            Fault::invalid(
                "api.post.create_post.root_id.app_error",
                format!(
                    "`root_id` is `{root}`: it must be the first post of a thread in this room"
                ),
            )
        })
    }

    pub(super) async fn post_view(&self, id: &str) -> Result<PostView, Fault> {
        let row = self
            .store
            .post(id)
            .await?
            .ok_or_else(|| Fault::not_found("post", id))?;
        let mut views = self.post_views(vec![row]).await?;
        views.pop().ok_or_else(|| Fault::not_found("post", id))
    }

    /// The post, if the person may read its room. Deleted posts do not exist.
    pub(super) async fn post_for(&self, id: &str, person: &PersonRow) -> Result<PostView, Fault> {
        let view = self.post_view(id).await?;
        let room = self.room_row(view.row.room_id.as_str()).await?;
        let access = self.access(room, person).await?;
        if view.row.deleted_at != 0 || !access.allows(RoomRight::Read) {
            return Err(Fault::not_found("post", id));
        }
        Ok(view)
    }

    /// Adds attachments and reactions to posts; takes the contents out of deleted ones.
    pub(super) async fn post_views(&self, rows: Vec<PostRow>) -> Result<Vec<PostView>, Fault> {
        let ids: Vec<&str> = rows
            .iter()
            .filter(|row| row.deleted_at == 0)
            .map(|row| row.id.as_str())
            .collect();
        let files = self.store.files_of_posts(&ids).await?;
        let reactions = self.store.reactions_to(&ids).await?;
        let views = rows.into_iter().map(|mut row| {
            if row.deleted_at != 0 {
                row.message.clear();
                "{}".clone_into(&mut row.props);
            }
            let files = files
                .iter()
                .filter(|file| file.post_id.as_ref() == Some(&row.id));
            let reactions = reactions
                .iter()
                .filter(|reaction| reaction.post_id == row.id);
            PostView {
                files: files.cloned().collect(),
                reactions: reactions.cloned().collect(),
                thread: None,
                row,
            }
        });
        Ok(views.collect())
    }

    /// Changes message or props on behalf of a client.
    pub(super) async fn edit_post_as(
        &self,
        editor: &PersonRow,
        id: &str,
        message: Option<String>,
        props: Option<Map<String, Value>>,
    ) -> Result<PostView, Fault> {
        let view = self.post_for(id, editor).await?;
        if is_of_calls(&view.row.kind) {
            return Err(Fault::forbidden("the message of a call cannot be changed"));
        }
        if view.row.author_id != editor.id {
            return Err(Fault::forbidden("you can change only your own messages"));
        }
        self.room_for(view.row.room_id.as_str(), editor, RoomRight::CreatePost)
            .await?;
        let mut row = view.row;
        let edited = message
            .as_ref()
            .is_some_and(|message| *message != row.message);
        if let Some(message) = message {
            if message.trim().is_empty() && view.files.is_empty() {
                return Err(Fault::invalid(
                    "model.post.is_valid.msg.app_error",
                    "a message cannot be empty: delete it instead",
                ));
            }
            if message.starts_with('/') {
                return Err(Fault::is_a_command());
            }
            row.message = message;
        }
        if let Some(mut props) = props {
            for key in RESERVED_PROPS {
                props.remove(key);
            }
            check_clients_props(&props)?;
            row.props = Value::Object(props).to_string();
        }
        self.rewrite_post(row, edited).await
    }

    /// Writes message and props of a post and tells the room.
    pub(super) async fn rewrite_post(
        &self,
        mut row: PostRow,
        edited: bool,
    ) -> Result<PostView, Fault> {
        check_size(&row.message, &row.props)?;
        let _in_order = self.posting.lock().await;
        row.updated_at = self.now_ms();
        self.keep_clock_steps().await?;
        if edited {
            row.edited_at = row.updated_at;
        }
        self.store.update_post(&row).await?;
        let view = self.post_view(row.id.as_str()).await?;
        let data = json!({ "post": wire::post(&view, "").to_string() });
        self.emit("post_edited", data, to_room(&view.row.room_id));
        Ok(view)
    }

    /// Deletes a post, with its thread when it is the first of one.
    pub(super) async fn delete_post_as(&self, who: &PersonRow, id: &str) -> Result<(), Fault> {
        let view = self.post_for(id, who).await?;
        if view.row.author_id != who.id {
            self.room_for(view.row.room_id.as_str(), who, RoomRight::Manage)
                .await?;
        }
        self.empty_post(who, &view.row.id).await
    }

    /// Shows a post to one person only; nothing is kept of it.
    pub(super) fn whisper(&self, to: &UserId, from: &UserId, post: NewPost) -> Value {
        let now = self.now_ms();
        let view = PostView {
            row: PostRow {
                id: PostId::random(),
                seq: 0,
                room_id: post.room,
                author_id: from.clone(),
                root_id: post.root,
                message: post.message,
                kind: "system_ephemeral".to_owned(),
                props: Value::Object(post.props).to_string(),
                created_at: now,
                updated_at: now,
                edited_at: 0,
                deleted_at: 0,
                reply_count: 0,
                last_reply_at: 0,
            },
            files: Vec::new(),
            reactions: Vec::new(),
            thread: None,
        };
        let value = wire::post(&view, "");
        self.emit(
            "ephemeral_message",
            json!({ "post": value.to_string() }),
            to_user(to),
        );
        value
    }

    /// Replaces message and props of a post for calls.
    pub(super) async fn replace_post(&self, post: Post) -> Result<PostView, Fault> {
        let mut row = self.post_view(post.id.as_str()).await?.row;
        if row.deleted_at != 0 {
            return Err(Fault::not_found("post", post.id.as_str()));
        }
        row.message = post.message;
        row.props = Value::Object(post.props).to_string();
        self.rewrite_post(row, false).await
    }

    /// Gives whoever may read the post the right to read the file.
    pub(super) async fn tie_file(&self, file: &FileId, post: &PostId) -> Result<(), Fault> {
        self.post_view(post.as_str()).await?;
        self.file_row(file.as_str()).await?;
        Ok(self.store.attach_unlisted(post, file).await?)
    }
}

/// Whether posts of this type are kept by the server for calls.
fn is_of_calls(kind: &str) -> bool {
    kind.starts_with("custom_calls")
}

fn check_size(message: &str, props: &str) -> Result<(), Fault> {
    if message.chars().count() > MAX_MESSAGE_CHARS {
        return Err(Fault::invalid(
            "model.post.is_valid.message_length.app_error",
            format!("a message has at most {MAX_MESSAGE_CHARS} characters"),
        ));
    }
    if props.len() > MAX_PROPS_BYTES {
        return Err(Fault::invalid(
            "model.post.is_valid.props.app_error",
            format!("`props` has at most {MAX_PROPS_BYTES} bytes"),
        ));
    }
    Ok(())
}

fn check_clients_props(props: &Map<String, Value>) -> Result<(), Fault> {
    let refuse = |why| Err(Fault::invalid("model.post.is_valid.props.app_error", why));
    if props
        .values()
        .any(|value| !is_shallow(value, MAX_PROPS_DEPTH))
    {
        return refuse(format!("`props` nest at most {MAX_PROPS_DEPTH} deep"));
    }
    let bytes = serde_json::to_vec(props).map_or(usize::MAX, |json| json.len());
    if bytes > MAX_CLIENTS_PROPS_BYTES {
        return refuse(format!(
            "`props` has {bytes} bytes: at most {MAX_CLIENTS_PROPS_BYTES}"
        ));
    }
    Ok(())
}

fn is_shallow(value: &Value, depth: usize) -> bool {
    let inner = |value| depth > 1 && is_shallow(value, depth - 1);
    match value {
        Value::Array(values) => values.iter().all(inner),
        Value::Object(fields) => fields.values().all(inner),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}
