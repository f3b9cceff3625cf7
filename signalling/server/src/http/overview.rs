//! What administrators see of the server while it runs: its calls, what is made of them, and what is
//! wrong with it.
//!
//! Beside the chat's own overviews, below `/api/v4/admin`. A call is ended as its host would end it
//! (`host`).

use std::collections::HashMap;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use messaging::model::{Person, Room};
use proto::id::{ChannelId, UserId};
use proto::offload::JobReport;
use serde_json::{Value, json};
use signalling_core::CallView;

use super::person::Administrator;
use super::{App, Refused};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/v4/admin/calls", get(calls))
        .route("/api/v4/admin/health", get(health))
        .route("/api/v4/admin/jobs", get(jobs))
        .route("/api/v4/admin/nodes", get(nodes))
}

/// Calls that run, the oldest first. Who talks with whom directly is not the administrator's
/// business: of a direct or group message only that there is a call, and how many are in it.
async fn calls(_: Administrator, State(app): State<App>) -> Result<Json<Value>, Refused> {
    let engine = &app.engine;
    let mut running = Vec::new();
    for channel in engine.registry.channels() {
        let view = engine.view(&channel, &engine.bot.id).await;
        let room = engine.chat.room(&channel).await.ok();
        running.extend(view.map(|view| (channel, room, view)));
    }
    running.sort_by_key(|(_, _, view)| view.start_at_ms);
    let people: Vec<UserId> = running
        .iter()
        .flat_map(|(_, _, view)| users(view))
        .collect();
    let people = engine.chat.persons(&people).await;
    let people = people.map_err(|error| Refused::chat(&error))?;
    let people: HashMap<UserId, Person> = people
        .into_iter()
        .map(|person| (person.id.clone(), person))
        .collect();
    let rows = running
        .iter()
        .map(|(channel, room, view)| described(channel, room.as_ref(), view, &people));
    Ok(Json(rows.collect()))
}

fn users(view: &CallView) -> Vec<UserId> {
    let mut users: Vec<UserId> = view.sessions.iter().map(|s| s.user.clone()).collect();
    users.sort_unstable();
    users.dedup();
    users
}

fn described(
    channel: &ChannelId,
    room: Option<&Room>,
    view: &CallView,
    people: &HashMap<UserId, Person>,
) -> Value {
    let is_running =
        |job: &Option<signalling_core::JobView>| job.as_ref().is_some_and(|job| job.end_at_ms == 0);
    let users = users(view);
    let mut value = json!({
        "start_at": view.start_at_ms,
        "participants": users.len(),
        "sessions": view.sessions.len(),
        "recording": is_running(&view.recording),
        "transcription": is_running(&view.transcribing),
        "live_captions": is_running(&view.captioning),
        "screen_shared": view.presenter.is_some(),
    });
    let of_a_team = room.filter(|room| room.team.is_some());
    if let (Some(room), Some(fields)) = (of_a_team, value.as_object_mut()) {
        let names = users.iter().filter_map(|user| {
            let person = people.get(user)?;
            Some(json!({
                "id": person.id, "username": person.username, "name": person.display_name(),
            }))
        });
        fields.insert("people".to_owned(), names.collect());
        fields.insert("id".to_owned(), json!(view.id));
        fields.insert("channel_id".to_owned(), json!(channel));
        fields.insert("channel_name".to_owned(), room.display_name.as_str().into());
        fields.insert("host_id".to_owned(), json!(view.host));
    }
    value
}

/// Recordings and transcripts that are being made, the oldest first, as the job service tells it:
/// since when, how large, what is missing, how late. Of a direct or group message it is not said which.
/// `problem`: why nothing, or not all, is known; empty when all is.
async fn jobs(_: Administrator, State(app): State<App>) -> Json<Value> {
    let engine = &app.engine;
    let Some(service) = &engine.jobs else {
        let problem = "no job service is configured (offloader.url)";
        return Json(json!({"problem": problem, "free_bytes": 0, "jobs": []}));
    };
    let (report, problem) = service.report().await;
    let mut rows = Vec::new();
    for job in report.jobs {
        let room = match ChannelId::parse(job.call_id.as_str()) {
            Ok(channel) => engine.chat.room(&channel).await.ok(),
            Err(_) => None,
        };
        rows.push(described_job(&job, room.filter(|room| room.team.is_some())));
    }
    let problem = problem.unwrap_or_default();
    Json(json!({"problem": problem, "free_bytes": report.free_bytes, "jobs": rows}))
}

fn described_job(job: &JobReport, of_a_team: Option<Room>) -> Value {
    let mut value = json!(job);
    if let Some(fields) = value.as_object_mut() {
        fields.remove("call_id");
        if let Some(room) = of_a_team {
            fields.insert("channel_id".to_owned(), json!(room.id));
            fields.insert("channel_name".to_owned(), room.display_name.into());
        }
    }
    value
}

/// Troubles in words, none when the server is ready; what runs.
async fn health(_: Administrator, State(app): State<App>) -> Json<Value> {
    let troubles = app.watched.health.troubles().await;
    let (media_connected, media_hosts) = app.engine.media_hosts.counts();
    Json(json!({
        "ready": troubles.is_empty(),
        "troubles": troubles,
        "version": env!("CARGO_PKG_VERSION"),
        "media_hosts": media_hosts,
        "media_hosts_connected": media_connected,
        "recording": app.engine.config.recording.enabled,
        "transcribing": app.engine.config.transcribing.enabled,
    }))
}

/// The nodes as this one sees them. `sight`: `alone` where it is on its own, `joining` (`why` says what is
/// in the way), `clear` or `blind`. Job services stand behind them, except the only one of a server on its
/// own: `kind` `offloader`, `calls` with a job there, `why` what is wrong with it.
async fn nodes(_: Administrator, State(app): State<App>) -> Json<Value> {
    let mut seen = app.watched.nodes.overview();
    let is_alone = seen.get("sight").is_some_and(|sight| sight == "alone");
    let Some(services) = &app.engine.jobs else {
        return Json(seen);
    };
    if is_alone && services.each().count() < 2 {
        return Json(seen);
    }
    if let Some(nodes) = seen.get_mut("nodes").and_then(Value::as_array_mut) {
        nodes.extend(services.overview().await);
    }
    Json(seen)
}
