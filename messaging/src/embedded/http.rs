//! The routes below `/api/v4`, and what all of them share: who asks, what they send, how errors
//! look.
//!
//! Not here: rules (`accounts`, `rooms`, `posts`, `uploads`) and field names (`wire`).

mod admission;
mod channels;
mod commands;
mod files;
mod invites;
mod overview;
mod post_list;
mod posts;
mod preferences;
mod reactions;
mod reading;
mod search;
mod sign_in;
mod system;
mod teams;
mod threads;
mod users;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::Response;
use axum::{Json, Router};
use proto::id::UserId;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::accounts::Caller;
use super::fault::Fault;
use super::place::Place;
use super::{Server, wire};
use crate::credentials::Credential;
use crate::guard::{Origins, check_json, guarded};

/// Largest JSON body, in bytes.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Entries of a page unless the client says otherwise, and at most.
const PER_PAGE: i64 = 60;
const MAX_PER_PAGE: i64 = 200;
/// Most ids or names in one look-up.
const MAX_LOOKUPS: usize = 1000;

/// What most routes answer.
type Answer = Result<Json<Value>, Fault>;
type State = axum::extract::State<Arc<Server>>;

pub(super) fn router(server: Arc<Server>) -> Router {
    let api = Router::new()
        .merge(sign_in::routes())
        .merge(admission::routes())
        .merge(users::routes())
        .merge(preferences::routes())
        .merge(teams::routes())
        .merge(channels::routes())
        .merge(posts::routes())
        .merge(reading::routes())
        .merge(threads::routes())
        .merge(commands::routes())
        .merge(files::routes())
        .merge(reactions::routes())
        .merge(search::routes())
        .merge(invites::routes())
        .merge(overview::routes())
        .merge(system::routes())
        .fallback(no_route)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(axum::middleware::map_response(with_version));
    let origins = Origins::new(&server.config.site_url, &server.config.allowed_origins);
    guarded(
        Router::new().nest("/api/v4", api).with_state(server),
        origins,
    )
}

async fn no_route(uri: Uri) -> Fault {
    Fault::no_route(uri.path())
}

async fn with_version(mut response: Response) -> Response {
    if let Ok(version) = HeaderValue::from_str(&wire::server_version()) {
        response.headers_mut().insert("x-version-id", version);
    }
    response
}

/// `{"status":"OK"}`
fn ok() -> Json<Value> {
    Json(json!({ "status": "OK" }))
}

fn created(value: Value) -> (StatusCode, Json<Value>) {
    (StatusCode::CREATED, Json(value))
}

/// A request whose sender is signed in and meant it.
struct Auth(Caller);

impl FromRequestParts<Arc<Server>> for Auth {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, Fault> {
        let Some(credential) = Credential::from_headers(&parts.headers) else {
            return Err(Fault::unauthenticated());
        };
        let caller = server.authenticate(credential.token()).await?;
        let caller = caller.ok_or_else(Fault::unauthenticated)?;
        if !credential.is_meant(&parts.method, &parts.headers) {
            return Err(Fault::forbidden(
                "a request with a cookie needs `X-CSRF-Token` or `X-Requested-With`",
            ));
        }
        Ok(Self(caller))
    }
}

impl Auth {
    /// The person a path names: `me` or an id.
    fn named(&self, id: &str) -> Result<UserId, Fault> {
        if id == "me" {
            return Ok(self.0.person.id.clone());
        }
        UserId::parse(id).map_err(|_| Fault::not_found("person", id))
    }

    /// The person a path names, who must be the sender unless an administrator asks.
    fn own(&self, id: &str) -> Result<UserId, Fault> {
        let named = self.named(id)?;
        if named == self.0.person.id || self.0.person.is_admin {
            return Ok(named);
        }
        Err(Fault::forbidden("this is somebody else's"))
    }

    /// Refuses who writes faster than the server takes. Bots are the server's own.
    fn check_rate(&self, server: &Server) -> Result<(), Fault> {
        let person = &self.0.person;
        if person.is_bot {
            return Ok(());
        }
        server.rates.take(&person.id, Instant::now())
    }

    fn eyes_for(&self, person: &UserId) -> wire::Eyes {
        if self.0.person.is_admin || self.0.person.id == *person {
            wire::Eyes::Own
        } else {
            wire::Eyes::Others
        }
    }
}

/// Somebody who may or may not be signed in.
struct MaybeAuth(Option<Caller>);

impl FromRequestParts<Arc<Server>> for MaybeAuth {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, Fault> {
        let credential = Credential::from_headers(&parts.headers);
        let meant = credential.filter(|c| c.is_meant(&parts.method, &parts.headers));
        match meant {
            Some(credential) => Ok(Self(server.authenticate(credential.token()).await?)),
            None => Ok(Self(None)),
        }
    }
}

impl FromRequestParts<Arc<Server>> for Place {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, Fault> {
        Ok(Self::of(parts, &server.config.trusted_proxies))
    }
}

/// A JSON body that says that it is one.
struct Body<T>(T);

impl<T: DeserializeOwned> FromRequest<Arc<Server>> for Body<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, server: &Arc<Server>) -> Result<Self, Fault> {
        check_json(request.headers()).map_err(Fault::not_json)?;
        let bytes = Bytes::from_request(request, server)
            .await
            .map_err(|rejection| {
                if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                    Fault::too_large(format!("a body has at most {MAX_BODY_BYTES} bytes"))
                } else {
                    Fault::invalid(
                        "api.context.invalid_body_param.app_error",
                        rejection.body_text(),
                    )
                }
            })?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            Fault::invalid(
                "api.context.invalid_body_param.app_error",
                format!("body: {error}"),
            )
        })
    }
}

/// The query of a request.
struct Params(HashMap<String, String>);

impl FromRequestParts<Arc<Server>> for Params {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Server>) -> Result<Self, Fault> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => Err(Fault::invalid(
                "api.context.invalid_url_param.app_error",
                format!("query: {}", error.body_text()),
            )),
        }
    }
}

impl Params {
    /// A parameter that is there and not empty.
    fn text(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    fn flag(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    fn number(&self, name: &'static str) -> Result<Option<i64>, Fault> {
        self.text(name)
            .map(|text| {
                text.parse().map_err(|_| {
                    Fault::invalid(
                        "api.context.invalid_url_param.app_error",
                        format!("`{name}` is `{text}`: it must be a number"),
                    )
                })
            })
            .transpose()
    }

    /// Offset and limit of the page asked for.
    fn page(&self) -> Result<(i64, i64), Fault> {
        let limit = self.limit("per_page")?;
        let page = self.number("page")?.unwrap_or(0).max(0);
        Ok((page.saturating_mul(limit), limit))
    }

    /// A number of entries within what one answer may hold.
    fn limit(&self, name: &'static str) -> Result<i64, Fault> {
        Ok(self
            .number(name)?
            .unwrap_or(PER_PAGE)
            .clamp(1, MAX_PER_PAGE))
    }
}

/// Refuses look-ups of too many things at once.
fn check_lookups(list: &[String]) -> Result<(), Fault> {
    if list.len() <= MAX_LOOKUPS {
        return Ok(());
    }
    Err(Fault::invalid(
        "api.context.invalid_body_param.app_error",
        format!("at most {MAX_LOOKUPS} entries at once"),
    ))
}
