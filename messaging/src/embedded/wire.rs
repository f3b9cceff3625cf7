//! The JSON that v4 clients read: our records in their field names.

use serde_json::{Map, Value, json};

use super::posts::PostView;
use super::reading::Unread;
use super::status::Presence;
use super::store::{
    FileRow, FollowedRow, InviteRow, LoginRow, MemberRow, PersonRow, PostRow, PreferenceRow,
    ReactionRow, RoomRow, TeamMemberRow, TeamRow,
};
use super::threads::FollowedThread;
use crate::model::Upload;
use proto::id::{FileId, PostId, TeamId, UserId};

/// The version of the v4 API that we say we are; clients switch features by it.
pub(super) const API_VERSION: &str = "10.11.0";

/// As `hello` and `X-Version-Id` carry it: version, build, configuration, whether licensed.
pub(super) fn server_version() -> String {
    format!(
        "{API_VERSION}.{}.parley.true",
        env!("CARGO_PKG_VERSION").replace('.', "")
    )
}

/// Who will read a description of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Eyes {
    /// The person or an administrator.
    Own,
    Others,
}

/// Takes the fields of a value that was written as an object.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

/// What a person may do on the whole server, in the words of the wire.
pub(super) fn roles(row: &PersonRow) -> &'static str {
    if row.is_admin {
        "system_user system_admin"
    } else {
        "system_user"
    }
}

/// `locale`: of people who named none.
pub(super) fn user(row: &PersonRow, eyes: Eyes, locale: &str) -> Value {
    let mut value = json!({
        "id": row.id,
        "create_at": row.created_at,
        "update_at": row.updated_at,
        "delete_at": row.deleted_at,
        "username": row.username,
        "auth_data": "",
        "auth_service": "",
        "email": if eyes == Eyes::Own { row.email.as_str() } else { "" },
        "nickname": row.nickname,
        "first_name": row.first_name,
        "last_name": row.last_name,
        "position": row.position,
        "roles": roles(row),
        "props": {},
        "locale": if row.locale.is_empty() { locale } else { row.locale.as_str() },
        "timezone": {
            "useAutomaticTimezone": "true", "manualTimezone": "", "automaticTimezone": "",
        },
        "last_picture_update": row.pictured_at,
        "is_bot": row.is_bot,
    });
    if row.is_bot {
        set(&mut value, "bot_description", "");
    }
    if eyes == Eyes::Own {
        set(&mut value, "email_verified", true);
        set(&mut value, "mfa_active", false);
        set(&mut value, "notify_props", notify_props(&row.username));
    }
    value
}

fn notify_props(username: &str) -> Value {
    json!({
        "channel": "true", "comments": "never", "desktop": "mention", "desktop_sound": "true",
        "desktop_threads": "all", "email": "false", "email_threads": "all", "first_name": "false",
        "mention_keys": format!("@{username}"), "push": "mention", "push_status": "away",
        "push_threads": "all", "calls_desktop_sound": "true", "calls_notification_sound": "Calm",
    })
}

fn set(value: &mut Value, key: &str, field: impl Into<Value>) {
    if let Some(fields) = value.as_object_mut() {
        fields.insert(key.to_owned(), field.into());
    }
}

pub(super) fn team(row: &TeamRow) -> Value {
    json!({
        "id": row.id,
        "create_at": row.created_at,
        "update_at": row.updated_at,
        "delete_at": row.deleted_at,
        "display_name": row.display_name,
        "name": row.name,
        "description": row.description,
        "email": "",
        "type": row.kind,
        "company_name": "",
        "allowed_domains": "",
        "invite_id": "",
        "allow_open_invite": row.kind == "O",
        "scheme_id": "",
        "group_constrained": false,
        "policy_id": null,
    })
}

pub(super) fn team_member(row: &TeamMemberRow) -> Value {
    json!({
        "team_id": row.team_id,
        "user_id": row.person_id,
        "roles": if row.is_admin { "team_user team_admin" } else { "team_user" },
        "delete_at": 0,
        "scheme_guest": false,
        "scheme_user": true,
        "scheme_admin": row.is_admin,
        "explicit_roles": "",
    })
}

pub(super) fn channel(row: &RoomRow) -> Value {
    json!({
        "id": row.id,
        "create_at": row.created_at,
        "update_at": row.updated_at,
        "delete_at": row.deleted_at,
        "team_id": row.team_id.as_ref().map_or("", TeamId::as_str),
        "type": row.kind,
        "display_name": row.display_name,
        "name": row.name,
        "header": row.header,
        "purpose": row.purpose,
        "last_post_at": row.last_post_at,
        "last_root_post_at": row.last_root_post_at,
        "total_msg_count": row.post_count,
        "total_msg_count_root": row.root_post_count,
        "extra_update_at": 0,
        "creator_id": row.creator_id,
        "scheme_id": "",
        "props": null,
        "group_constrained": false,
        "shared": false,
        "policy_id": null,
    })
}

pub(super) fn channel_member(row: &MemberRow) -> Value {
    json!({
        "channel_id": row.room_id,
        "user_id": row.person_id,
        "roles": if row.is_admin { "channel_user channel_admin" } else { "channel_user" },
        "last_viewed_at": row.viewed_at,
        "msg_count": row.viewed_posts,
        "msg_count_root": row.viewed_root_posts,
        "mention_count": row.mentions,
        "mention_count_root": row.root_mentions,
        "urgent_mention_count": 0,
        "notify_props": {
            "desktop": "default", "email": "default", "ignore_channel_mentions": "default",
            "mark_unread": "all", "push": "default",
        },
        "last_update_at": row.created_at,
        "scheme_guest": false,
        "scheme_user": true,
        "scheme_admin": row.is_admin,
        "explicit_roles": "",
    })
}

/// What is unread in a room, as a number.
pub(super) fn unread(unread: &Unread) -> Value {
    let (posts, roots) = unread.counts();
    let member = channel_member(&unread.member);
    json!({
        "team_id": unread.room.team_id.as_ref().map_or("", TeamId::as_str),
        "channel_id": unread.room.id,
        "msg_count": posts,
        "msg_count_root": roots,
        "mention_count": unread.member.mentions,
        "mention_count_root": unread.member.root_mentions,
        "urgent_mention_count": 0,
        "notify_props": member.get("notify_props"),
    })
}

/// Up to where a room has been seen, after that was set back.
pub(super) fn unread_at(unread: &Unread) -> Value {
    let member = &unread.member;
    json!({
        "team_id": unread.room.team_id.as_ref().map_or("", TeamId::as_str),
        "user_id": member.person_id,
        "channel_id": unread.room.id,
        "msg_count": member.viewed_posts,
        "msg_count_root": member.viewed_root_posts,
        "mention_count": member.mentions,
        "mention_count_root": member.root_mentions,
        "urgent_mention_count": 0,
        "last_viewed_at": member.viewed_at,
    })
}

/// A post; `pending_id` is the sender's own mark, which only the answer and the event carry.
pub(super) fn post(view: &PostView, pending_id: &str) -> Value {
    let row = &view.row;
    let props: Value = serde_json::from_str(&row.props).unwrap_or_else(|_| json!({}));
    let file_ids: Vec<&str> = view.files.iter().map(|file| file.id.as_str()).collect();
    let files: Vec<Value> = view.files.iter().map(file_info).collect();
    let mut metadata = json!({});
    if !files.is_empty() {
        set(&mut metadata, "files", files);
    }
    let of_this = |row| reaction(row, &view.row);
    let reactions: Vec<Value> = view.reactions.iter().map(of_this).collect();
    let has_reactions = !reactions.is_empty();
    if has_reactions {
        set(&mut metadata, "reactions", reactions);
    }
    let mut value = json!({
        "id": row.id,
        "create_at": row.created_at,
        "update_at": row.updated_at,
        "edit_at": row.edited_at,
        "delete_at": row.deleted_at,
        "is_pinned": false,
        "user_id": row.author_id,
        "channel_id": row.room_id,
        "root_id": row.root_id.as_ref().map_or("", PostId::as_str),
        "original_id": "",
        "message": row.message,
        "type": row.kind,
        "props": props,
        "hashtags": "",
        "pending_post_id": pending_id,
        "reply_count": row.reply_count,
        "last_reply_at": row.last_reply_at,
        "participants": null,
        "metadata": metadata,
    });
    if !file_ids.is_empty() {
        set(&mut value, "file_ids", file_ids);
    }
    if has_reactions {
        set(&mut value, "has_reactions", true);
    }
    if let Some(thread) = &view.thread {
        set(&mut value, "participants", thread.participants.clone());
        set(&mut value, "is_following", thread.is_following);
    }
    value
}

/// A thread as somebody follows it.
pub(super) fn thread(thread: &FollowedThread) -> Value {
    let FollowedThread { row, post } = thread;
    let mut alone = post.clone();
    let participants = alone.thread.take().map(|thread| thread.participants);
    json!({
        "id": row.root_id,
        "reply_count": row.reply_count,
        "last_reply_at": row.last_reply_at,
        "last_viewed_at": row.viewed_at,
        "participants": participants.unwrap_or_default(),
        "post": self::post(&alone, ""),
        "unread_replies": row.unread,
        "unread_mentions": row.mentions,
        "is_urgent": false,
        "is_following": true,
        "delete_at": row.deleted_at,
    })
}

/// Makes of a thread as somebody follows it the same as another does.
pub(super) fn set_follower(thread: &mut Value, row: &FollowedRow) {
    set(thread, "last_viewed_at", row.viewed_at);
    set(thread, "unread_replies", row.unread);
    set(thread, "unread_mentions", row.mentions);
}

/// A reaction to a post.
pub(super) fn reaction(row: &ReactionRow, post: &PostRow) -> Value {
    json!({
        "user_id": row.person_id,
        "post_id": row.post_id,
        "emoji_name": row.emoji,
        "create_at": row.created_at,
        "update_at": row.created_at,
        "delete_at": 0,
        "remote_id": "",
        "channel_id": post.room_id,
    })
}

/// A way into a team, as those see it who manage the team. Its secret is told once, when it is made.
pub(super) fn invite(row: &InviteRow, now: i64) -> Value {
    let is_used_up = row.max_uses != 0 && row.uses >= row.max_uses;
    json!({
        "id": row.id,
        "team_id": row.team_id,
        "creator_id": row.creator_id,
        "create_at": row.created_at,
        "expires_at": row.expires_at,
        "max_uses": row.max_uses,
        "uses": row.uses,
        "delete_at": row.ended_at,
        "is_good": row.ended_at == 0 && row.expires_at > now && !is_used_up,
    })
}

pub(super) fn file_info(row: &FileRow) -> Value {
    json!({
        "id": row.id,
        "user_id": row.owner_id,
        "post_id": row.post_id.as_ref().map_or("", PostId::as_str),
        "channel_id": row.room_id,
        "create_at": row.created_at,
        "update_at": row.created_at,
        "delete_at": 0,
        "name": row.name,
        "extension": row.extension,
        "size": row.size_bytes,
        "mime_type": row.mime,
        "width": 0,
        "height": 0,
        "has_preview_image": false,
        "mini_preview": null,
        "archived": false,
    })
}

pub(super) fn upload(upload: &Upload) -> Value {
    json!({
        "id": upload.id,
        "type": "attachment",
        "create_at": upload.created_at_ms,
        "user_id": upload.owner,
        "channel_id": upload.room,
        "filename": upload.filename,
        "file_size": upload.size_bytes,
        "file_offset": upload.offset_bytes,
    })
}

pub(super) fn login(row: &LoginRow, roles: &str) -> Value {
    json!({
        "id": row.id,
        "token": "",
        "create_at": row.created_at,
        "expires_at": row.expires_at,
        "last_activity_at": row.created_at,
        "user_id": row.person_id,
        "device_id": "",
        "roles": roles,
        "is_oauth": false,
        "props": { "browser": row.browser, "os": row.os, "platform": row.os },
        "team_members": [],
        "local": false,
    })
}

pub(super) fn preference(row: &PreferenceRow) -> Value {
    json!({
        "user_id": row.person_id, "category": row.category, "name": row.name, "value": row.value,
    })
}

pub(super) fn status(person: &UserId, presence: Presence) -> Value {
    json!({
        "user_id": person,
        "status": presence.status.as_str(),
        "manual": presence.manual,
        "last_activity_at": presence.last_activity_at,
        "dnd_end_time": 0,
    })
}

/// Guesses the MIME type of a file from the end of its name.
pub(super) fn mime_of(extension: &str) -> &'static str {
    let guess = mime_guess::from_ext(extension).first_raw();
    match guess.unwrap_or("application/octet-stream") {
        // what we make ourselves, and what people write nowadays
        "text/plain" | "text/markdown" | "text/x-log" => "text/plain; charset=utf-8",
        "text/vtt" => "text/vtt; charset=utf-8",
        "text/csv" => "text/csv; charset=utf-8",
        "audio/m4a" => "audio/mp4",
        "video/x-m4v" => "video/mp4",
        other => other,
    }
}

/// The ids of files, in the order given.
pub(super) fn file_ids(files: &[FileRow]) -> Vec<FileId> {
    files.iter().map(|file| file.id.clone()).collect()
}
