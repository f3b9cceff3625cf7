//! The actions of the chat itself: pings, typing, statuses. Everything else goes to calls.

use std::time::{SystemTime, UNIX_EPOCH};

use proto::id::{ChannelId, ConnId, UserId};
use serde_json::{Value, json};

use super::Gateway;
use super::frame::Request;
use super::refusal::Refusal;
use crate::model::{ActionData, ActionValue, Audience, ClientEvent, Login, RoomRight, Status};

/// Statuses answered at once.
const MAX_STATUSES: usize = 200;

impl Gateway {
    /// Carries out an action of the chat. `None`: there is nothing to answer.
    pub(super) async fn carry_out(
        &self,
        login: &Login,
        connection: &ConnId,
        request: Request,
    ) -> Result<Option<Value>, Refusal> {
        if request.action.is_empty() {
            return Err(Refusal::invalid(
                "api.web_socket_router.no_action.app_error",
                "a request needs an `action`",
            ));
        }
        if request.seq <= 0 {
            return Err(Refusal::invalid(
                "api.web_socket_router.bad_seq.app_error",
                "a request needs a `seq` above 0",
            ));
        }
        let user = &login.person.id;
        match request.action.as_str() {
            "ping" => Ok(Some(json!({
                "text": "pong", "version": self.config.api_version, "server_time": wall_ms(),
                "node_id": "",
            }))),
            // signed in already
            "authentication_challenge" => Ok(None),
            "posted_ack" | "presence" => Ok(Some(json!({}))),
            "user_typing" => {
                let room = text_field(&request.data, "channel_id").unwrap_or_default();
                let parent = text_field(&request.data, "parent_id").unwrap_or_default();
                self.tell_typing(user, room, parent, connection).await?;
                Ok(Some(json!({})))
            }
            "user_update_active_status" => {
                let active = request.data.fields.get("user_is_active");
                let active = active == Some(&ActionValue::Json(Value::Bool(true)));
                let status = if active { Status::Online } else { Status::Away };
                self.backend.observe_status(user, status).await?;
                Ok(Some(json!({})))
            }
            "get_statuses" => Ok(Some(self.statuses_named([user.as_str()]).await?)),
            "get_statuses_by_ids" => {
                let ids = match request.data.fields.get("user_ids") {
                    Some(ActionValue::Json(Value::Array(ids))) => ids.as_slice(),
                    Some(ActionValue::Json(_) | ActionValue::Bytes(_)) | None => &[],
                };
                let ids = ids.iter().filter_map(Value::as_str).take(MAX_STATUSES);
                Ok(Some(self.statuses_named(ids).await?))
            }
            action => Err(Refusal::invalid(
                "api.web_socket_router.bad_action.app_error",
                format!("there is no action `{}`", action.escape_default()),
            )),
        }
    }

    /// Tells the others in a room that somebody is writing.
    async fn tell_typing(
        &self,
        user: &UserId,
        room: &str,
        parent: &str,
        from: &ConnId,
    ) -> Result<(), Refusal> {
        let missing = || Refusal::not_found("room", room);
        let id = ChannelId::parse(room).map_err(|_| missing())?;
        if !self.backend.may(user, &id, RoomRight::CreatePost).await? {
            return Err(if self.backend.may(user, &id, RoomRight::Read).await? {
                Refusal::forbidden(
                    "you may not write in this room: join it first, unless it is archived",
                )
            } else {
                missing()
            });
        }
        let audience = Audience {
            room: Some(id),
            omit_users: vec![user.clone()],
            omit_connection: Some(from.clone()),
            ..Audience::default()
        };
        let data = [("parent_id", parent), ("user_id", user.as_str())];
        self.publish(&ClientEvent {
            name: "typing".to_owned(),
            data: data
                .map(|(key, value)| (key.to_owned(), value.into()))
                .into_iter()
                .collect(),
            audience,
        });
        Ok(())
    }

    async fn statuses_named<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<Value, Refusal> {
        let ids: Vec<UserId> = ids
            .into_iter()
            .filter_map(|id| UserId::parse(id).ok())
            .collect();
        let statuses = self.backend.statuses(&ids).await?;
        let named = ids.iter().zip(statuses);
        Ok(Value::Object(
            named
                .map(|(id, status)| (id.as_str().to_owned(), status.as_str().into()))
                .collect(),
        ))
    }
}

fn wall_ms() -> i64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

/// A text in the data of an action.
pub(super) fn text_field<'a>(data: &'a ActionData, name: &str) -> Option<&'a str> {
    match data.fields.get(name)? {
        ActionValue::Json(value) => value.as_str(),
        ActionValue::Bytes(_) => None,
    }
}

/// The reply to a request that was carried out.
pub(super) fn done(seq: i64, data: Option<Value>) -> String {
    let mut reply = json!({ "status": "OK", "seq_reply": seq });
    if let (Some(data), Some(fields)) = (data, reply.as_object_mut()) {
        fields.insert("data".to_owned(), data);
    }
    reply.to_string()
}

/// The reply to a request that was refused.
pub(super) fn failed(seq: i64, refusal: &Refusal) -> String {
    json!({ "status": "FAIL", "seq_reply": seq, "error": refusal.body() }).to_string()
}
