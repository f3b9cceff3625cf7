//! What clients ask of the server itself before they ask for anything else.

use std::collections::HashMap;
use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{MaybeAuth, Params, State};
use crate::embedded::fault::Fault;
use crate::embedded::{Server, wire};

pub(super) fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/system/ping", get(ping))
        .route("/config/client", get(config))
        .route("/license/client", get(license))
        .route("/plugins/webapp", get(plugins))
}

/// With `get_server_status`, administrators hear how the records and the files are.
async fn ping(state: State, MaybeAuth(caller): MaybeAuth, params: Params) -> Json<Value> {
    let mut answer = json!({
        "status": "OK", "AndroidLatestVersion": "", "IosLatestVersion": "",
    });
    let is_admin = caller.is_some_and(|caller| caller.person.is_admin);
    if is_admin
        && params.flag("get_server_status")
        && let Some(fields) = answer.as_object_mut()
    {
        let word = |is_good| if is_good { "OK" } else { "UNHEALTHY" };
        let (records, files) = (state.check().await, state.check_files().await);
        fields.insert("database_status".to_owned(), word(records.is_ok()).into());
        fields.insert("filestore_status".to_owned(), word(files.is_ok()).into());
        if records.is_err() || files.is_err() {
            fields.insert("status".to_owned(), word(false).into());
        }
    }
    Json(answer)
}

/// The settings that clients act upon; all values are text.
async fn config(state: State) -> Result<Json<HashMap<&'static str, String>>, Fault> {
    let config = &state.config;
    let yes_or_no = |yes: bool| if yes { "true" } else { "false" }.to_owned();
    let no_accounts = state.store.count_people().await? == 0;
    Ok(Json(HashMap::from([
        // A client then offers to make the first account.
        ("NoAccounts", yes_or_no(no_accounts)),
        // Which is asked for the token that the server printed.
        ("FirstAccountNeedsToken", yes_or_no(no_accounts)),
        ("Version", wire::API_VERSION.to_owned()),
        ("BuildNumber", env!("CARGO_PKG_VERSION").to_owned()),
        ("BuildEnterpriseReady", yes_or_no(false)),
        ("SiteName", config.site_name.clone()),
        ("SiteURL", config.site_url.clone()),
        ("WebsocketURL", String::new()),
        ("DiagnosticId", String::new()),
        ("TelemetryId", String::new()),
        ("DiagnosticsEnabled", yes_or_no(false)),
        ("DefaultClientLocale", config.default_locale.clone()),
        ("AvailableLocales", String::new()),
        ("TeammateNameDisplay", "full_name".to_owned()),
        ("EnableSignUpWithEmail", yes_or_no(config.open_registration)),
        ("EnableSignInWithUsername", yes_or_no(true)),
        ("EnableSignInWithEmail", yes_or_no(true)),
        ("EnableOpenServer", yes_or_no(config.open_registration)),
        ("EnableUserCreation", yes_or_no(config.open_registration)),
        (
            "PasswordMinimumLength",
            config.min_password_chars.to_string(),
        ),
        ("MaxFileSize", config.max_file_bytes.to_string()),
        ("EnableFileAttachments", yes_or_no(true)),
        ("PluginsEnabled", yes_or_no(true)),
        // People may have threads shown apart from their channels.
        ("CollapsedThreads", "default_off".to_owned()),
        ("ThreadAutoFollow", yes_or_no(true)),
        ("EnableReliableWebSockets", yes_or_no(true)),
        ("PostEditTimeLimit", "-1".to_owned()),
        ("EnableUserStatuses", yes_or_no(true)),
        ("EnableCustomEmoji", yes_or_no(false)),
        ("EnablePublicLink", yes_or_no(false)),
    ])))
}

async fn license() -> Json<Value> {
    Json(json!({ "IsLicensed": "false", "SkuShortName": "", "Cloud": "false" }))
}

/// We serve no bundles for foreign web apps: our own client comes with signalling.
async fn plugins() -> Json<Value> {
    Json(json!([]))
}
