//! Accounts and logins on the wire: signing up, in and out, passwords, sessions.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use proto::redact::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Auth, Body, MaybeAuth, Params, State, created, ok};
use crate::credentials::{
    CSRF_COOKIE, DEVICE_COOKIE, TOKEN_COOKIE, USER_COOKIE, cookie, csrf_token,
};
use crate::embedded::accounts::{MayRegister, NewAccount};
use crate::embedded::agent::Agent;
use crate::embedded::fault::Fault;
use crate::embedded::logins::{LoginName, Visit};
use crate::embedded::place::Place;
use crate::embedded::{Server, wire};

/// The only route that needs to know the device.
const LOGIN_PATH: &str = "/api/v4/users/login";
/// How long a device is remembered that somebody signed in on: a year, in seconds.
const DEVICE_SECONDS: u32 = 365 * 24 * 3600;
/// Longest name of a device at a push relay.
const MAX_DEVICE_ID_BYTES: usize = 512;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/users", post(create))
        .route("/users/login", post(login))
        .route("/users/logout", post(logout))
        .route("/users/sessions/device", put(device))
        .route("/users/{id}/password", put(password))
        .route("/users/{id}/sessions", get(sessions))
        .route("/users/{id}/sessions/revoke", post(revoke))
        .route("/users/{id}/sessions/revoke/all", post(revoke_all))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct LoginBody {
    login_id: String,
    id: String,
    password: Secret,
}

async fn login(
    state: State,
    place: Place,
    MaybeAuth(caller): MaybeAuth,
    headers: HeaderMap,
    Body(body): Body<LoginBody>,
) -> Result<impl IntoResponse, Fault> {
    let name = if body.login_id.is_empty() {
        LoginName::Id(body.id)
    } else {
        LoginName::Name(body.login_id)
    };
    let agent = headers.get(header::USER_AGENT);
    let visit = Visit {
        place,
        device: cookie(&headers, DEVICE_COOKIE).map(str::to_owned),
        caller,
        agent: Agent::from_header(agent.and_then(|value| value.to_str().ok())),
    };
    let signed_in = state.sign_in(name, body.password, &visit).await?;
    let (row, token) = (&signed_in.person, &signed_in.token);
    let rules = cookie_rules(&state, &headers);
    let age = state.config.login_lifetime.as_secs();
    let cookie = |name: &str, value: &str, rest: &str| {
        let text = format!("{name}={value}; {rules}{rest}");
        HeaderValue::from_str(&text).map_err(|e| Fault::internal("write cookie", e))
    };
    let everywhere = format!("; Path=/; Max-Age={age}");
    let device = format!("; Path={LOGIN_PATH}; Max-Age={DEVICE_SECONDS}; HttpOnly");
    let cookies = [
        cookie(TOKEN_COOKIE, token, &format!("{everywhere}; HttpOnly"))?,
        cookie(USER_COOKIE, row.id.as_str(), &everywhere)?,
        cookie(CSRF_COOKIE, &csrf_token(token), &everywhere)?,
        cookie(DEVICE_COOKIE, &signed_in.device, &device)?,
    ];
    let token = HeaderValue::from_str(token).map_err(|e| Fault::internal("write token", e))?;
    Ok((
        AppendHeaders([(HeaderName::from_static("token"), token)]),
        AppendHeaders(cookies.map(|cookie| (header::SET_COOKIE, cookie))),
        Json(state.shown(row, wire::Eyes::Own)),
    ))
}

/// With which requests a cookie is sent.
fn cookie_rules(server: &Server, headers: &HeaderMap) -> &'static str {
    let is_https = server.config.site_url.starts_with("https:")
        || headers
            .get("x-forwarded-proto")
            .is_some_and(|proto| proto == "https");
    match (is_https, server.config.framed) {
        (true, true) => "SameSite=None; Secure; Partitioned",
        (true, false) => "SameSite=Lax; Secure",
        (false, _) => "SameSite=Lax",
    }
}

/// Also without a session: the cookies must go in any case.
async fn logout(
    state: State,
    MaybeAuth(caller): MaybeAuth,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Fault> {
    let rules = cookie_rules(&state, &headers);
    if let Some(caller) = caller {
        state.end_login(&caller.login_id).await?;
    }
    let gone = [TOKEN_COOKIE, USER_COOKIE, CSRF_COOKIE].map(|name| {
        (
            header::SET_COOKIE,
            format!("{name}=; Path=/; Max-Age=0; {rules}"),
        )
    });
    Ok((AppendHeaders(gone), ok()))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct NewUser {
    username: String,
    password: Secret,
    email: String,
    first_name: String,
    last_name: String,
    nickname: String,
    /// What a server without accounts printed when it started.
    first_account_token: Secret,
}

async fn create(
    state: State,
    place: Place,
    MaybeAuth(caller): MaybeAuth,
    params: Params,
    Body(user): Body<NewUser>,
) -> Result<impl IntoResponse, Fault> {
    let account = NewAccount {
        username: user.username,
        password: user.password,
        email: user.email,
        first_name: user.first_name,
        last_name: user.last_name,
        nickname: user.nickname,
        is_admin: false,
    };
    let may = MayRegister {
        by: caller.as_ref(),
        first_account_token: &user.first_account_token,
        invite: params.text("iid"),
    };
    let row = state.register(account, &may, place).await?;
    Ok(created(state.shown(&row, wire::Eyes::Own)))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PasswordBody {
    current_password: Secret,
    new_password: Secret,
}

async fn password(
    state: State,
    auth: Auth,
    place: Place,
    Path(id): Path<String>,
    Body(body): Body<PasswordBody>,
) -> Answer {
    let person = auth.own(&id)?;
    let is_own = person == auth.0.person.id;
    if is_own {
        state
            .check_password(&auth.0, body.current_password, place)
            .await?;
    }
    let keep = is_own.then_some(auth.0.login_id.as_str());
    let person = state.person_row(person.as_str()).await?;
    state
        .change_password(&person, body.new_password, keep, place)
        .await?;
    Ok(ok())
}

async fn sessions(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    let person = state.person_row(auth.own(&id)?.as_str()).await?;
    let roles = wire::roles(&person);
    let logins = state.store.logins_of(&person.id).await?;
    let logins: Vec<Value> = logins
        .iter()
        .map(|login| wire::login(login, roles))
        .collect();
    Ok(Json(json!(logins)))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Device {
    device_id: String,
}

/// Names the device of this login, as a push relay knows it; an empty name takes it away.
async fn device(state: State, auth: Auth, Body(body): Body<Device>) -> Answer {
    let name = body.device_id.trim();
    if name.len() > MAX_DEVICE_ID_BYTES || name.chars().any(char::is_control) {
        return Err(Fault::invalid(
            "api.user.attach_device_id.app_error",
            format!(
                "device_id has {} bytes: it must be one line of up to {MAX_DEVICE_ID_BYTES}",
                name.len()
            ),
        ));
    }
    let caller = &auth.0;
    let kept = state
        .store
        .keep_push_id(&caller.login_id, &caller.person.id, name);
    kept.await?;
    Ok(ok())
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Revoke {
    session_id: String,
}

async fn revoke(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    Body(body): Body<Revoke>,
) -> Answer {
    let person = auth.own(&id)?;
    let logins = state.store.logins_of(&person).await?;
    let Some(login) = logins.iter().find(|login| login.id == body.session_id) else {
        return Err(Fault::not_found("session", body.session_id));
    };
    state.end_login(&login.id).await?;
    Ok(ok())
}

async fn revoke_all(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    let person = auth.own(&id)?;
    for login in state.store.logins_of(&person).await? {
        state.end_login(&login.id).await?;
    }
    Ok(ok())
}
