//! Commands: carried out, offered to whoever types. What they do is the handler's.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::{HeaderMap, header};
use axum::routing::{get, post};
use axum::{Json, Router};
use proto::id::{PostId, TeamId, new_id};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Answer, Auth, Body, Params, State};
use crate::commands::{Command, CommandHandler, Offer, complete};
use crate::embedded::Server;
use crate::embedded::fault::Fault;
use crate::embedded::store::{PersonRow, RoomRow};
use crate::model::{NewPost, RoomRight};

/// Longest command, in characters: one may carry a client's measurements.
const MAX_COMMAND_CHARS: usize = 16_383;

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/commands/execute", post(execute))
        .route("/commands", get(list))
        .route("/teams/{team}/commands/autocomplete", get(of_team))
        .route(
            "/teams/{team}/commands/autocomplete_suggestions",
            get(suggestions),
        )
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CommandBody {
    channel_id: String,
    team_id: String,
    root_id: String,
    command: String,
}

async fn execute(
    state: State,
    auth: Auth,
    headers: HeaderMap,
    Body(body): Body<CommandBody>,
) -> Answer {
    auth.check_rate(&state)?;
    let length = body.command.chars().count();
    if !body.command.starts_with('/') || !(2..=MAX_COMMAND_CHARS).contains(&length) {
        let rule =
            format!("`command` begins with `/` and has at most {MAX_COMMAND_CHARS} characters");
        return Err(Fault::invalid(
            "api.context.invalid_body_param.app_error",
            rule,
        ));
    }
    let by = &auth.0.person;
    let right = RoomRight::CreatePost;
    let room = state.room_for(&body.channel_id, by, right).await?.room;
    let root = match body.root_id.as_str() {
        "" => None,
        id => Some(PostId::parse(id).map_err(|_| Fault::not_found("post", id))?),
    };
    let command = Command {
        by: by.to_person(),
        room: room.id.clone(),
        team: state.team_seen_in(&room, &body.team_id, by).await?,
        root: root.clone(),
        text: body.command,
        site_url: site_url(&state.config.site_url, &headers),
    };
    let name = command.words().next().unwrap_or_default().to_owned();
    let handler = state.commands.get();
    let answer = match handler {
        Some(handler) => handler.carry_out(command).await,
        None => None,
    };
    let unknown = || match handler {
        Some(handler) => handler.unknown(&name, &by.locale),
        None => format!("there is no command `/{name}`"),
    };
    let text = answer.ok_or_else(|| Fault::unknown_command(unknown()))?;
    if !text.is_empty() {
        let shown = NewPost {
            room: room.id,
            author: by.id.clone(),
            root,
            message: text.clone(),
            kind: String::new(),
            props: Map::new(),
            files: Vec::new(),
        };
        state.whisper(&by.id, &by.id, shown);
    }
    Ok(Json(json!({
        "response_type": if text.is_empty() { "" } else { "ephemeral" },
        "text": text,
        "username": "",
        "channel_id": "",
        "icon_url": "",
        "type": "",
        "props": null,
        "goto_location": "",
        "trigger_id": new_id(),
        "skip_slack_parsing": false,
        "attachments": null,
        "extra_responses": null,
    })))
}

async fn list(state: State, auth: Auth, params: Params) -> Json<Value> {
    let team = params.text("team_id").unwrap_or_default();
    let offers = state.offers(&auth.0.person);
    Json(offers.iter().map(|one| wire(one, team)).collect())
}

async fn of_team(state: State, auth: Auth, Path(team): Path<String>) -> Answer {
    let team = state.team_for(&team, &auth.0.person).await?.id;
    let offers = state.offers(&auth.0.person);
    let all = offers.iter().map(|one| wire(one, team.as_str()));
    Ok(Json(all.collect()))
}

async fn suggestions(state: State, auth: Auth, Path(team): Path<String>, params: Params) -> Answer {
    state.team_for(&team, &auth.0.person).await?;
    let typed = params.text("user_input").unwrap_or_default();
    let typed = typed.strip_prefix('/').unwrap_or(typed);
    let offers = state.offers(&auth.0.person);
    let found = complete(&offers, typed).into_iter().map(|(line, offer)| {
        json!({
            "Complete": line,
            "Suggestion": offer.name,
            "Hint": offer.hint,
            "Description": offer.description,
            "IconData": "",
        })
    });
    Ok(Json(found.collect()))
}

impl Server {
    /// Names whoever carries out commands. The first one stays.
    pub fn answer_commands(&self, handler: Arc<dyn CommandHandler>) {
        let _ = self.commands.set(handler);
    }

    fn offers(&self, to: &PersonRow) -> Vec<Offer> {
        let handler = self.commands.get();
        let offers = handler.map(|handler| handler.offers(&to.locale));
        offers.unwrap_or_default()
    }

    /// The name of the team that a room is seen in: its own, for a personal room the one the sender
    /// says, else the default one.
    async fn team_seen_in(
        &self,
        room: &RoomRow,
        said: &str,
        by: &PersonRow,
    ) -> Result<String, Fault> {
        let team = match (&room.team_id, said) {
            (Some(own), _) => self.team_row(own.as_str()).await?,
            (None, "") => self.team_row(self.default_team().await?.as_str()).await?,
            (None, said) => self.team_for(said, by).await?,
        };
        Ok(team.name)
    }
}

/// The address the sender uses: the site's, or what the browser asked.
fn site_url(configured: &str, headers: &HeaderMap) -> String {
    if !configured.is_empty() {
        return configured.trim_end_matches('/').to_owned();
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    host.map(|host| format!("http://{host}"))
        .unwrap_or_default()
}

fn wire(offer: &Offer, team: &str) -> Value {
    let team = TeamId::parse(team).map(|id| id.to_string());
    json!({
        "id": "",
        "token": "",
        "create_at": 0,
        "update_at": 0,
        "delete_at": 0,
        "creator_id": "",
        "team_id": team.unwrap_or_default(),
        "trigger": offer.name,
        "method": "",
        "username": "",
        "icon_url": "",
        "auto_complete": true,
        "auto_complete_desc": offer.description,
        "auto_complete_hint": offer.hint,
        "display_name": offer.name,
        "description": offer.description,
        "url": "",
    })
}
