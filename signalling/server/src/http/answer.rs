//! Answers of the Calls API: the result envelope and refusals.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use messaging::ChatError;
use proto::calls::rest::Verdict;

/// A refusal, with the text the client shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    status: StatusCode,
    message: String,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden")
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// What went wrong inside is logged, not told.
    pub(crate) fn inside(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "request of the Calls API failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "something went wrong on the server",
        )
    }

    pub(crate) fn chat(error: &ChatError) -> Self {
        match error {
            ChatError::NotFound { .. } => Self::not_found(error.to_string()),
            ChatError::Refused(_) => Self::bad_request(error.to_string()),
            ChatError::NoRoom(_) => Self::new(StatusCode::INSUFFICIENT_STORAGE, error.to_string()),
            ChatError::Storage { .. } => Self::inside(error),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let verdict = Verdict {
            message: self.message,
            status_code: self.status.as_u16(),
        };
        (self.status, Json(verdict)).into_response()
    }
}

/// `{"message":"success","status_code":200}`.
pub(crate) fn success() -> Json<Verdict> {
    Json(Verdict {
        message: "success".to_owned(),
        status_code: 200,
    })
}

/// Reads a JSON body.
pub(crate) fn body<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(bytes)
        .map_err(|error| Refused::bad_request(format!("body is not the JSON expected: {error}")))
}
