//! Why a request was not carried out: one type for HTTP answers, WebSocket replies and callers.
//!
//! The client reads `id` (stable) and `message`; the cause goes to the log only, joined to the
//! answer by a request id.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::store::StoreError;
use crate::ChatError;
use crate::guard::NotJson;

/// A refused or failed request.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) status: StatusCode,
    pub(crate) id: &'static str,
    pub(crate) message: String,
    /// What could not be found; only for `NotFound`.
    missing: Option<(&'static str, String)>,
    /// When trying again may help; said in `Retry-After`.
    retry_after: Option<Duration>,
    source: Option<anyhow::Error>,
}

impl Fault {
    fn new(status: StatusCode, id: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            id,
            message: message.into(),
            missing: None,
            retry_after: None,
            source: None,
        }
    }

    /// The request breaks a rule that `message` names.
    pub(crate) fn invalid(id: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, id, message)
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "api.context.session_expired.app_error",
            "sign in first: the session is missing, has expired or was revoked",
        )
    }

    pub(crate) fn wrong_password() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "api.user.login.invalid_credentials_email_username",
            "the username or the password is wrong",
        )
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "api.context.permissions.app_error",
            message,
        )
    }

    pub(crate) fn not_found(what: &'static str, id: impl Into<String>) -> Self {
        let id = id.into();
        let mut fault = Self::new(
            StatusCode::NOT_FOUND,
            "store.not_found.app_error",
            format!("{what} `{id}` does not exist or is not yours to see"),
        );
        fault.missing = Some((what, id));
        fault
    }

    /// As `not_found`, in words of its own.
    pub(crate) fn missing(id: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, id, message)
    }

    /// `message` is for whoever wrote it.
    pub(crate) fn unknown_command(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "api.command.execute_command.not_found.app_error",
            message,
        )
    }

    /// Commands are carried out, not published.
    pub(crate) fn is_a_command() -> Self {
        Self::invalid(
            "api.post.create_post.command.app_error",
            "what begins with `/` is a command: send it to `/commands/execute`, or put a space \
             before it",
        )
    }

    pub(crate) fn no_route(path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "api.context.404.app_error",
            format!("there is nothing at `{path}`"),
        )
    }

    pub(crate) fn conflict(id: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, id, message)
    }

    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "api.file.too_large.app_error",
            message,
        )
    }

    /// A quota or a disk is full.
    pub(crate) fn no_room(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "api.file.no_room.app_error",
            message,
        )
    }

    pub(crate) fn too_many(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "api.context.rate_limit.app_error",
            message,
        )
    }

    /// Says when trying again may help.
    pub(crate) fn after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    /// A body that does not say that it is JSON.
    pub(crate) fn not_json(error: NotJson) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "api.context.invalid_body_param.app_error",
            error.to_string(),
        )
    }

    /// Something of ours broke; `operation` is the verb and object for the log.
    pub(crate) fn internal(operation: &'static str, source: impl Into<anyhow::Error>) -> Self {
        let mut fault = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "api.internal.app_error",
            operation,
        );
        fault.source = Some(source.into());
        fault
    }

    /// Returns the body clients read, and logs the cause when there is one.
    pub(crate) fn body(&self) -> Value {
        let request_id = proto::id::new_id();
        let message = match &self.source {
            Some(source) => {
                tracing::error!(%request_id, operation = %self.message, error = %format!("{source:#}"), "request failed");
                "the server could not do this; its log says why"
            }
            None => &self.message,
        };
        json!({
            "id": self.id,
            "message": sentence(message),
            "detailed_error": "",
            "request_id": request_id,
            "status_code": self.status.as_u16(),
        })
    }
}

/// A client shows a refusal to a person as it is: as a sentence.
fn sentence(message: &str) -> String {
    let mut rest = message.chars();
    let first = rest.next().map(char::to_uppercase);
    let mut text: String = first.into_iter().flatten().chain(rest).collect();
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let operation = error.operation();
        Self::internal(operation, error)
    }
}

impl From<Fault> for ChatError {
    fn from(fault: Fault) -> Self {
        if let Some(source) = fault.source {
            return Self::Storage {
                operation: "use the chat records",
                source,
            };
        }
        match fault.missing {
            Some((what, id)) => Self::NotFound { what, id },
            None if fault.status == StatusCode::INSUFFICIENT_STORAGE => Self::NoRoom(fault.message),
            None => Self::Refused(fault.message),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut answer = (self.status, Json(self.body())).into_response();
        if let Some(pause) = self.retry_after {
            // whole seconds, never too early
            let seconds = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}
