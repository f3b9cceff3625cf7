//! The actions of the chat itself: pings, typing, statuses. Everything else goes to calls.

use std::time::Instant;

use axum::extract::ws::Utf8Bytes;
use proto::id::ConnId;
use serde_json::{Map, Value, json};

use super::Request;
use crate::embedded::accounts::Caller;
use crate::embedded::fault::Fault;
use crate::embedded::status::Status;
use crate::embedded::{Server, wall_ms, wire};
use crate::model::{ActionData, ActionValue, Audience, RoomRight};

/// Core actions a client may send at once, and per second in the long run.
const BURST: f64 = 100.0;
const PER_SECOND: f64 = 20.0;
/// Statuses answered at once.
const MAX_STATUSES: usize = 200;

/// What a client may still ask for.
#[derive(Debug)]
pub(super) struct Budget {
    tokens: f64,
    at: Instant,
}

impl Budget {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            tokens: BURST,
            at: now,
        }
    }

    fn spend(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * PER_SECOND;
        self.at = now;
        self.tokens = (self.tokens + gained).min(BURST);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

impl Server {
    /// Carries out an action of the chat. `None`: there is nothing to answer.
    pub(super) async fn carry_out(
        &self,
        caller: &Caller,
        connection: &ConnId,
        request: Request,
        budget: &mut Budget,
    ) -> Result<Option<Value>, Fault> {
        if request.action.is_empty() {
            return Err(Fault::invalid(
                "api.web_socket_router.no_action.app_error",
                "a request needs an `action`",
            ));
        }
        if request.seq <= 0 {
            return Err(Fault::invalid(
                "api.web_socket_router.bad_seq.app_error",
                "a request needs a `seq` above 0",
            ));
        }
        if !budget.spend(Instant::now()) {
            return Err(Fault::too_many(
                "too many requests on this connection: slow down",
            ));
        }
        match request.action.as_str() {
            "ping" => Ok(Some(json!({
                "text": "pong", "version": wire::API_VERSION, "server_time": wall_ms(),
                "node_id": "",
            }))),
            // signed in already
            "authentication_challenge" => Ok(None),
            "posted_ack" | "presence" => Ok(Some(json!({}))),
            "user_typing" => {
                let room = text_field(&request.data, "channel_id").unwrap_or_default();
                let parent = text_field(&request.data, "parent_id").unwrap_or_default();
                self.tell_typing(caller, room, parent, Some(connection))
                    .await?;
                Ok(Some(json!({})))
            }
            "user_update_active_status" => {
                let active = request.data.fields.get("user_is_active");
                let active = active == Some(&ActionValue::Json(Value::Bool(true)));
                let status = if active { Status::Online } else { Status::Away };
                self.show_status(&caller.person.id, status);
                Ok(Some(json!({})))
            }
            "get_statuses" => Ok(Some(self.statuses_named([caller.person.id.as_str()]))),
            "get_statuses_by_ids" => {
                let ids = match request.data.fields.get("user_ids") {
                    Some(ActionValue::Json(Value::Array(ids))) => ids.as_slice(),
                    Some(ActionValue::Json(_) | ActionValue::Bytes(_)) | None => &[],
                };
                let ids = ids.iter().filter_map(Value::as_str).take(MAX_STATUSES);
                Ok(Some(self.statuses_named(ids)))
            }
            action => Err(Fault::invalid(
                "api.web_socket_router.bad_action.app_error",
                format!("there is no action `{}`", action.escape_default()),
            )),
        }
    }

    /// Tells the others in a room that somebody is writing.
    pub(in crate::embedded) async fn tell_typing(
        &self,
        caller: &Caller,
        room: &str,
        parent: &str,
        from: Option<&ConnId>,
    ) -> Result<(), Fault> {
        let access = self
            .room_for(room, &caller.person, RoomRight::CreatePost)
            .await?;
        let audience = Audience {
            room: Some(access.room.id),
            omit_users: vec![caller.person.id.clone()],
            omit_connection: from.cloned(),
            ..Audience::default()
        };
        let data = json!({ "parent_id": parent, "user_id": caller.person.id.as_str() });
        self.emit("typing", data, audience);
        Ok(())
    }

    fn statuses_named<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> Value {
        let mut statuses = Map::new();
        for id in ids {
            if let Ok(person) = proto::id::UserId::parse(id) {
                let status = self.statuses.of(&person).status.as_str();
                statuses.insert(id.to_owned(), status.into());
            }
        }
        Value::Object(statuses)
    }
}

/// A text in the data of an action.
pub(super) fn text_field<'a>(data: &'a ActionData, name: &str) -> Option<&'a str> {
    match data.fields.get(name)? {
        ActionValue::Json(value) => value.as_str(),
        ActionValue::Bytes(_) => None,
    }
}

/// The reply to a request that was carried out.
pub(super) fn done(seq: i64, data: Option<Value>) -> Utf8Bytes {
    let mut reply = json!({ "status": "OK", "seq_reply": seq });
    if let (Some(data), Some(fields)) = (data, reply.as_object_mut()) {
        fields.insert("data".to_owned(), data);
    }
    reply.to_string().into()
}

/// The reply to a request that was refused.
pub(super) fn failed(seq: i64, fault: &Fault) -> Utf8Bytes {
    json!({ "status": "FAIL", "seq_reply": seq, "error": fault.body() })
        .to_string()
        .into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_client_may_hurry_for_a_moment_and_not_for_long() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        assert_eq!((0..200).filter(|_| budget.spend(now)).count(), 100);
        let later = now + Duration::from_secs(1);
        assert_eq!((0..200).filter(|_| budget.spend(later)).count(), 20);
    }
}
