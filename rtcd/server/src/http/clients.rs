//! `/register`, `/unregister`, `/login`.
//!
//! Every answer is JSON with `code`, the HTTP status as text, and `error` where there is one.

use std::sync::Arc;

use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use proto::redact::Secret;
use proto::rtcd::{ApiAnswer, Credentials};
use serde::Deserialize as _;
use tracing::{error, info};

use super::{App, authorization, json, refused};
use crate::auth::{Identity, RegisterError, Source, UnregisterError};

type Body = Result<Bytes, BytesRejection>;

pub(super) async fn register(
    State(app): State<Arc<App>>,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if !app.allow_self_registration {
        match app.auth.authenticate(authorization(&headers), source).await {
            Ok(Identity::Admin) => {}
            Ok(Identity::Client(_)) => {
                let text = "registration failed: only the admin registers clients here";
                return failure(StatusCode::FORBIDDEN, text);
            }
            Err(error) => {
                refused(&error);
                return failure(StatusCode::UNAUTHORIZED, error.to_string());
            }
        }
    }
    let credentials = match read(body) {
        Ok(credentials) => credentials,
        Err(text) => return failure(StatusCode::BAD_REQUEST, text),
    };
    match app
        .auth
        .register(
            &credentials.client_id,
            credentials.auth_key.expose(),
            source,
        )
        .await
    {
        Ok(()) => {
            info!(clientID = credentials.client_id, "client registered");
            let client_id = Some(credentials.client_id);
            success(
                StatusCode::CREATED,
                ApiAnswer {
                    client_id,
                    ..ApiAnswer::default()
                },
            )
        }
        Err(error) => {
            if let RegisterError::Internal(cause) = &error {
                error!(error = format!("{cause:#}"), "client not registered");
            }
            failure(StatusCode::BAD_REQUEST, error.to_string())
        }
    }
}

pub(super) async fn unregister(
    State(app): State<Arc<App>>,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if !app.enable_admin && !app.allow_self_registration {
        return failure(StatusCode::FORBIDDEN, "unregister not enabled");
    }
    let identity = match app.auth.authenticate(authorization(&headers), source).await {
        Ok(identity) => identity,
        Err(error) => {
            refused(&error);
            return failure(StatusCode::UNAUTHORIZED, error.to_string());
        }
    };
    let client_id = match read(body) {
        Ok(credentials) => credentials.client_id,
        Err(text) => return failure(StatusCode::BAD_REQUEST, text),
    };
    if client_id.is_empty() {
        return failure(StatusCode::BAD_REQUEST, "client id should not be empty");
    }
    if identity
        .group()
        .is_some_and(|own| own.as_str() != client_id)
    {
        return failure(StatusCode::FORBIDDEN, "client id not valid");
    }
    match app.auth.unregister(&client_id).await {
        Ok(()) => {
            info!(clientID = client_id, "client removed");
            success(StatusCode::OK, ApiAnswer::default())
        }
        Err(error) => {
            if let UnregisterError::Internal(cause) = &error {
                error!(error = %cause, "client not removed");
            }
            failure(StatusCode::BAD_REQUEST, error.to_string())
        }
    }
}

pub(super) async fn login(
    State(app): State<Arc<App>>,
    Extension(source): Extension<Source>,
    body: Body,
) -> Response {
    let credentials = match read(body) {
        Ok(credentials) => credentials,
        Err(text) => return failure(StatusCode::BAD_REQUEST, text),
    };
    match app
        .auth
        .login(
            &credentials.client_id,
            credentials.auth_key.expose(),
            source,
        )
        .await
    {
        Ok(token) => {
            let bearer_token = Some(Secret::new(token));
            success(
                StatusCode::OK,
                ApiAnswer {
                    bearer_token,
                    ..ApiAnswer::default()
                },
            )
        }
        Err(error) => {
            refused(&error);
            failure(StatusCode::BAD_REQUEST, format!("login failed: {error}"))
        }
    }
}

/// Reads the first JSON value of a body; what follows it is not looked at.
fn read(body: Body) -> Result<Credentials, String> {
    let body = body.map_err(|_| "body cannot be read, or is over 64 KiB".to_owned())?;
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err("EOF".to_owned());
    }
    let mut reader = serde_json::Deserializer::from_slice(&body);
    Option::<Credentials>::deserialize(&mut reader)
        .map(Option::unwrap_or_default)
        .map_err(|error| {
            if error.is_eof() {
                "unexpected EOF".to_owned()
            } else {
                error.to_string()
            }
        })
}

pub(super) fn success(status: StatusCode, answer: ApiAnswer) -> Response {
    json(
        status,
        &ApiAnswer {
            code: status.as_u16().to_string(),
            ..answer
        },
    )
}

pub(super) fn failure(status: StatusCode, error: impl Into<String>) -> Response {
    let answer = ApiAnswer {
        code: status.as_u16().to_string(),
        error: Some(error.into()),
        ..ApiAnswer::default()
    };
    json(status, &answer)
}
