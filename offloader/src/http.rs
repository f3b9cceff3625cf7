//! The job API over HTTP: routes, authentication, and the one place where errors become answers.
//!
//! In: requests. Out: JSON answers whose texts other servers rely on.
//! Not here: who is who (`auth`), what a job does (`jobs`).
//! Invariant: every answer that is not a success is JSON with `error` and `code`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use proto::offload::{
    Credentials, DecodeError, ErrorReply, InitRequest, JobRequest, JobsReport, LoginReply,
    MAX_BODY_BYTES, RegisterReply, UnregisterRequest, VersionReply, decode,
};
use serde::de::DeserializeOwned;
use service::listen::Admission;
use service::{Health, Tasks};

use crate::auth::{Auth, AuthError, Caller};
use crate::jobs::{CreateError, DeleteError, Jobs};
use crate::metrics::Metrics;
use crate::runner::check_runner;
use crate::text::TextOrder;

mod words;

/// What every route can reach.
#[derive(Debug, Clone)]
pub struct Api {
    pub auth: Arc<Auth>,
    pub jobs: Jobs,
    pub metrics: Metrics,
    pub tasks: Tasks,
    pub health: Health,
    pub admission: Arc<Admission>,
    /// `None`: runner names are not checked.
    pub registry: Option<String>,
    /// Who may be asked to translate.
    pub text: TextOrder,
}

/// Builds the router.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/version", any(version))
        .route("/readyz", any(ready))
        .route("/metrics", any(metrics))
        .route("/register", any(register))
        .route("/unregister", any(unregister))
        .route("/login", any(login))
        .route("/translate", post(words::translate))
        .route("/jobs", post(create_job))
        .route("/jobs/init", post(init_jobs))
        .route("/jobs/status", get(report))
        .route("/jobs/{id}", get(read_job).delete(delete_job))
        .route("/jobs/{id}/logs", get(read_logs))
        .fallback(async || refuse(StatusCode::NOT_FOUND, "page not found"))
        .method_not_allowed_fallback(async || {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
        })
        .layer(from_fn_with_state(api.clone(), count_answers))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES + 1))
        .with_state(api)
}

/// A refusal on its way out.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        refuse(self.0, &self.1)
    }
}

impl From<AuthError> for Refusal {
    fn from(error: AuthError) -> Self {
        let status = match &error {
            AuthError::Header
            | AuthError::Unauthorized
            | AuthError::UnknownClient
            | AuthError::WrongKey
            | AuthError::Token
            | AuthError::Expired => StatusCode::UNAUTHORIZED,
            AuthError::ShortKey
            | AuthError::LongKey
            | AuthError::EmptyClient
            | AuthError::Registered => StatusCode::BAD_REQUEST,
            AuthError::Internal(cause) => {
                tracing::error!("check credentials: {cause:#}");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Self(status, error.to_string())
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        bad(error.to_string())
    }
}

fn bad(text: impl Into<String>) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, text.into())
}

fn not_found() -> Refusal {
    Refusal(StatusCode::NOT_FOUND, "page not found".to_owned())
}

fn refuse(status: StatusCode, text: &str) -> Response {
    let reply = ErrorReply {
        error: text.to_owned(),
        code: status.as_u16().to_string(),
    };
    (status, Json(reply)).into_response()
}

async fn count_answers(State(api): State<Api>, request: Request, next: Next) -> Response {
    let answer = in_json(next.run(request).await);
    let class = match answer.status().as_u16() {
        0..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        500.. => "5xx",
    };
    api.metrics.http_answers.with_label_values(&[class]).inc();
    answer
}

/// Refusals of the framework (a body that is too long) get the shape of all others.
fn in_json(answer: Response) -> Response {
    let json = answer
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if answer.status().as_u16() < 400 || json {
        return answer;
    }
    match answer.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let error = DecodeError::TooLong {
                len: MAX_BODY_BYTES + 1,
            };
            refuse(StatusCode::BAD_REQUEST, &error.to_string())
        }
        status => refuse(status, status.canonical_reason().unwrap_or("refused")),
    }
}

/// Routes other than `/jobs` answer 404 to a method they do not know.
fn only(method: &Method, wanted: &Method) -> Result<(), Refusal> {
    if method == wanted {
        Ok(())
    } else {
        Err(not_found())
    }
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()
}

fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Refusal> {
    Ok(decode(bytes)?)
}

async fn caller(api: &Api, headers: &HeaderMap) -> Result<Caller, Refusal> {
    Ok(api.auth.caller(authorization(headers), true).await?)
}

async fn version(State(api): State<Api>, method: Method) -> Result<Json<VersionReply>, Refusal> {
    only(&method, &Method::GET)?;
    let jobs = api.jobs.clone();
    let ability = tokio::task::spawn_blocking(move || jobs.speech_ability());
    let speech = ability.await.map_err(|error| internal(error.into()))?;
    Ok(Json(VersionReply {
        build_date: String::new(),
        // A plain semver: the plugin compares it.
        build_version: format!("v{}", proto::offload::COMPATIBLE_VERSION),
        // Read by people only: what this is.
        build_hash: concat!("parley-", env!("CARGO_PKG_VERSION")).to_owned(),
        go_version: String::new(),
        speech: Some(speech),
    }))
}

async fn ready(State(api): State<Api>, method: Method) -> Result<&'static str, Refusal> {
    only(&method, &Method::GET)?;
    let troubles = api.health.troubles().await;
    if troubles.is_empty() {
        return Ok("ready\n");
    }
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    Err(Refusal(unavailable, troubles.join("; ")))
}

async fn metrics(State(api): State<Api>, method: Method) -> Result<String, Refusal> {
    only(&method, &Method::GET)?;
    let of_tasks = api.tasks.metrics("offloader");
    Ok(api.metrics.render() + &of_tasks + &api.admission.metrics("offloader"))
}

async fn register(
    State(api): State<Api>,
    method: Method,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<(StatusCode, Json<RegisterReply>), Refusal> {
    only(&method, &Method::POST)?;
    if !api.auth.self_registration() {
        // Any client could register others in the reference; here only the administrator can.
        match api.auth.caller(authorization(&headers), false).await? {
            Caller::Admin => {}
            Caller::Client(_) => {
                return Err(Refusal(
                    StatusCode::FORBIDDEN,
                    "registration not allowed".to_owned(),
                ));
            }
        }
    }
    let credentials: Credentials = body(&bytes)?;
    api.auth
        .register(&credentials.client_id, &credentials.auth_key)
        .await?;
    let reply = RegisterReply {
        client_id: credentials.client_id,
        code: "201".to_owned(),
    };
    Ok((StatusCode::CREATED, Json(reply)))
}

async fn unregister(
    State(api): State<Api>,
    method: Method,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<StatusCode, Refusal> {
    only(&method, &Method::POST)?;
    if !api.auth.has_admin() && !api.auth.self_registration() {
        return Err(Refusal(
            StatusCode::FORBIDDEN,
            "unregister not enabled".to_owned(),
        ));
    }
    let caller = api.auth.caller(authorization(&headers), false).await?;
    let request: UnregisterRequest = body(&bytes)?;
    if request.client_id.is_empty() {
        return Err(bad("client id should not be empty"));
    }
    match caller {
        Caller::Client(id) if id != request.client_id => {
            return Err(Refusal(
                StatusCode::FORBIDDEN,
                "client id not valid".to_owned(),
            ));
        }
        Caller::Client(_) | Caller::Admin => {}
    }
    match api.auth.unregister(&request.client_id).await {
        Ok(()) => Ok(StatusCode::OK),
        Err(AuthError::UnknownClient) => Err(bad("unregister failed: error: not found")),
        Err(error) => Err(error.into()),
    }
}

async fn login(
    State(api): State<Api>,
    method: Method,
    bytes: Bytes,
) -> Result<Json<LoginReply>, Refusal> {
    only(&method, &Method::POST)?;
    let credentials: Credentials = body(&bytes)?;
    match api
        .auth
        .login(&credentials.client_id, &credentials.auth_key)
        .await
    {
        Ok(bearer_token) => Ok(Json(LoginReply {
            bearer_token,
            code: "200".to_owned(),
        })),
        Err(error @ AuthError::Internal(_)) => Err(error.into()),
        Err(error) => Err(bad(format!("login failed: {error}"))),
    }
}

async fn init_jobs(
    State(api): State<Api>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<StatusCode, Refusal> {
    caller(&api, &headers).await?;
    let request: InitRequest = body(&bytes)?;
    if request.runners.is_empty() {
        return Err(bad("invalid Runners value: should not be empty"));
    }
    if let Some(registry) = &api.registry {
        for runner in &request.runners {
            check_runner(runner, registry)
                .map_err(|error| bad(format!("invalid Runner value: {error}")))?;
        }
    }
    Ok(StatusCode::OK)
}

async fn create_job(
    State(api): State<Api>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Refusal> {
    let caller = caller(&api, &headers).await?;
    let request: JobRequest = body(&bytes)?;
    match api.jobs.create(request, &caller).await {
        Ok(job) => Ok(Json(job).into_response()),
        Err(
            error @ (CreateError::Capacity { .. }
            | CreateError::NoRoom { .. }
            | CreateError::Internal { .. }),
        ) => Err(Refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            error.to_string(),
        )),
        Err(error @ CreateError::Invalid { .. }) => Err(bad(error.to_string())),
    }
}

/// Ours only: how the caller's jobs do.
async fn report(State(api): State<Api>, headers: HeaderMap) -> Result<Json<JobsReport>, Refusal> {
    let caller = caller(&api, &headers).await?;
    let report = api.jobs.report(&caller).await;
    report.map(Json).map_err(internal)
}

async fn read_job(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let caller = caller(&api, &headers).await?;
    let job = api
        .jobs
        .read(checked(&id)?, &caller)
        .await
        .map_err(internal)?;
    let job = job.ok_or_else(|| unknown_job(&id))?;
    Ok(Json(job).into_response())
}

async fn delete_job(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let caller = caller(&api, &headers).await?;
    match api.jobs.delete(checked(&id)?, &caller).await {
        Ok(()) => Ok(StatusCode::OK),
        Err(error @ DeleteError::Running) => Err(bad(error.to_string())),
        Err(DeleteError::Unknown) => Err(unknown_job(&id)),
        Err(DeleteError::Internal(cause)) => Err(internal(cause)),
    }
}

async fn read_logs(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<String, Refusal> {
    let caller = caller(&api, &headers).await?;
    let id = checked(&id)?;
    let text = api.jobs.logs(id, &caller).await.map_err(internal)?;
    text.ok_or_else(|| {
        Refusal(
            StatusCode::FORBIDDEN,
            format!("failed to get job logs: job `{id}` has none"),
        )
    })
}

/// `[a-z0-9]{12,26}`, else no route matches.
fn checked(id: &str) -> Result<&str, Refusal> {
    let good = (12..=26).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if good { Ok(id) } else { Err(not_found()) }
}

fn unknown_job(id: &str) -> Refusal {
    Refusal(StatusCode::NOT_FOUND, format!("job `{id}` not found"))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that `map_err` wants"
)]
fn internal(cause: anyhow::Error) -> Refusal {
    tracing::error!("answer a request: {cause:#}");
    Refusal(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the service cannot answer now".to_owned(),
    )
}
