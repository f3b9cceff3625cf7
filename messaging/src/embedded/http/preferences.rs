//! What a person's clients remember for her.

use std::sync::Arc;

use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Auth, Body, State, ok};
use crate::embedded::fault::Fault;
use crate::embedded::rooms::to_user;
use crate::embedded::store::PreferenceRow;
use crate::embedded::{Server, wire};

/// Most preferences in one request.
const MAX_PREFERENCES: usize = 100;
/// Longest category or name, and longest value, in characters.
const MAX_KEY_CHARS: usize = 64;
const MAX_VALUE_CHARS: usize = 20_000;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/users/{id}/preferences", get(list).put(save))
        .route("/users/{id}/preferences/delete", post(delete))
        .route("/users/{id}/preferences/{category}", get(in_category))
        .route("/users/{id}/preferences/{category}/name/{name}", get(one))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Preference {
    category: String,
    name: String,
    value: String,
}

fn checked(
    person: &proto::id::UserId,
    preferences: Vec<Preference>,
) -> Result<Vec<PreferenceRow>, Fault> {
    let fits = |preference: &Preference| {
        let key = |text: &str| (1..=MAX_KEY_CHARS).contains(&text.chars().count());
        key(&preference.category)
            && key(&preference.name)
            && preference.value.chars().count() <= MAX_VALUE_CHARS
    };
    if preferences.len() > MAX_PREFERENCES || !preferences.iter().all(fits) {
        return Err(Fault::invalid(
            "model.preference.is_valid.app_error",
            format!(
                "at most {MAX_PREFERENCES} preferences, each with `category` and `name` of 1 to \
                 {MAX_KEY_CHARS} characters and a `value` of at most {MAX_VALUE_CHARS}"
            ),
        ));
    }
    let row = |preference: Preference| PreferenceRow {
        person_id: person.clone(),
        category: preference.category,
        name: preference.name,
        value: preference.value,
    };
    Ok(preferences.into_iter().map(row).collect())
}

async fn list(state: State, auth: Auth, Path(id): Path<String>) -> Answer {
    let person = auth.own(&id)?;
    let rows = state.store.preferences_of(&person).await?;
    Ok(Json(rows.iter().map(wire::preference).collect()))
}

async fn in_category(
    state: State,
    auth: Auth,
    Path((id, category)): Path<(String, String)>,
) -> Answer {
    let person = auth.own(&id)?;
    let rows = state.store.preferences_of(&person).await?;
    let rows = rows.iter().filter(|row| row.category == category);
    Ok(Json(rows.map(wire::preference).collect()))
}

async fn one(
    state: State,
    auth: Auth,
    Path((id, category, name)): Path<(String, String, String)>,
) -> Answer {
    let person = auth.own(&id)?;
    let rows = state.store.preferences_of(&person).await?;
    let row = rows
        .iter()
        .find(|row| row.category == category && row.name == name);
    row.map(|row| Json(wire::preference(row)))
        .ok_or_else(|| Fault::not_found("preference", name))
}

async fn save(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    Body(body): Body<Vec<Preference>>,
) -> Answer {
    auth.check_rate(&state)?;
    let person = auth.own(&id)?;
    let rows = checked(&person, body)?;
    state.store.save_preferences(&rows).await?;
    announce(&state, "preferences_changed", &person, &rows);
    Ok(ok())
}

async fn delete(
    state: State,
    auth: Auth,
    Path(id): Path<String>,
    Body(body): Body<Vec<Preference>>,
) -> Answer {
    auth.check_rate(&state)?;
    let person = auth.own(&id)?;
    let rows = checked(&person, body)?;
    state.store.delete_preferences(&rows).await?;
    announce(&state, "preferences_deleted", &person, &rows);
    Ok(ok())
}

fn announce(state: &Server, event: &str, person: &proto::id::UserId, rows: &[PreferenceRow]) {
    let list: Value = rows.iter().map(wire::preference).collect();
    state.emit(
        event,
        json!({ "preferences": list.to_string() }),
        to_user(person),
    );
}
