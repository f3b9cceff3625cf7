//! Why a client's request was refused, as the reply and the HTTP answer say it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::ChatError;

/// A refusal: `id` is stable and for programs, `message` is for people.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    id: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, id: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            id,
            message: message.into(),
        }
    }

    /// The request breaks a rule that `message` names.
    pub(super) fn invalid(id: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, id, message)
    }

    pub(super) fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "api.context.session_expired.app_error",
            "sign in first: the session is missing, has expired or was revoked",
        )
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "api.context.permissions.app_error",
            message,
        )
    }

    pub(super) fn not_found(what: &'static str, id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "store.not_found.app_error",
            format!("{what} `{id}` does not exist or is not yours to see"),
        )
    }

    pub(super) fn too_many(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "api.context.rate_limit.app_error",
            message,
        )
    }

    pub(super) fn body(&self) -> Value {
        json!({
            "id": self.id,
            "message": self.message,
            "detailed_error": "",
            "request_id": proto::id::new_id(),
            "status_code": self.status.as_u16(),
        })
    }
}

impl From<ChatError> for Refusal {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::NotFound { what, id } => Self::not_found(what, &id),
            ChatError::Refused(message) => Self::forbidden(message),
            ChatError::NoRoom(message) => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "api.file.no_room.app_error",
                message,
            ),
            error @ ChatError::Storage { .. } => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "request of a client failed"
                );
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "api.internal.app_error",
                    "the server could not do this; its log says why",
                )
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.body())).into_response()
    }
}
