//! Every key of the configuration and the environment variables that overrule it.
//!
//! A key `calls.video` is overruled by `SIGNALLING_CALLS_VIDEO`, and before that by the name the
//! reference plugin uses, where there is one.

use toml::{Table, Value};

/// How the text of an environment variable is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Flag,
    Number,
    /// Separated by commas.
    List,
    /// JSON text that becomes an array of tables.
    Json,
}

/// Key, kind, and the reference's variables for it.
pub(super) const KEYS: &[(&str, Kind, &[&str])] = &[
    ("http.listen", Kind::Text, &[]),
    ("http.site_url", Kind::Text, &["MM_SERVICESETTINGS_SITEURL"]),
    ("http.metrics_listen", Kind::Text, &[]),
    ("http.max_connections", Kind::Number, &[]),
    ("http.max_connections_per_address", Kind::Number, &[]),
    ("http.trusted_proxies", Kind::List, &[]),
    ("storage.data_dir", Kind::Text, &[]),
    ("storage.database", Kind::Text, &[]),
    ("storage.database_password_file", Kind::Text, &[]),
    ("storage.key_file", Kind::Text, &[]),
    ("files.place", Kind::Text, &[]),
    ("files.endpoint", Kind::Text, &[]),
    ("files.region", Kind::Text, &[]),
    ("files.bucket", Kind::Text, &[]),
    ("files.prefix", Kind::Text, &[]),
    ("files.path_style", Kind::Flag, &[]),
    ("files.ca_file", Kind::Text, &[]),
    ("files.access_key_id", Kind::Text, &[]),
    ("files.secret_key", Kind::Text, &[]),
    ("files.secret_key_file", Kind::Text, &[]),
    ("files.upload_hours", Kind::Number, &[]),
    ("files.unposted_days", Kind::Number, &[]),
    ("files.max_open_uploads", Kind::Number, &[]),
    ("files.person_quota_bytes", Kind::Number, &[]),
    ("files.total_quota_bytes", Kind::Number, &[]),
    ("files.min_free_bytes", Kind::Number, &[]),
    ("chat.site_name", Kind::Text, &[]),
    ("chat.open_registration", Kind::Flag, &[]),
    ("chat.login_lifetime_hours", Kind::Number, &[]),
    ("chat.min_password_chars", Kind::Number, &[]),
    ("chat.max_file_bytes", Kind::Number, &[]),
    ("chat.writes_per_minute", Kind::Number, &[]),
    ("chat.allowed_origins", Kind::List, &[]),
    ("gateway.frames_per_second", Kind::Number, &[]),
    ("gateway.frames_per_second_per_person", Kind::Number, &[]),
    ("gateway.connections_per_person", Kind::Number, &[]),
    ("gateway.kept_bytes_per_person", Kind::Number, &[]),
    (
        "rtcd.urls",
        Kind::List,
        &["MM_CALLS_RTCD_SERVICE_URL", "MM_CALLS_RTCD_URL"],
    ),
    ("rtcd.client_id", Kind::Text, &["MM_CALLS_RTCD_CLIENT_ID"]),
    ("rtcd.auth_key", Kind::Text, &["MM_CALLS_RTCD_AUTH_KEY"]),
    ("offloader.url", Kind::Text, &["MM_CALLS_JOB_SERVICE_URL"]),
    (
        "offloader.client_id",
        Kind::Text,
        &["MM_CALLS_JOB_SERVICE_CLIENT_ID"],
    ),
    (
        "offloader.auth_key",
        Kind::Text,
        &["MM_CALLS_JOB_SERVICE_AUTH_KEY"],
    ),
    (
        "offloader.image_registry",
        Kind::Text,
        &["MM_CALLS_JOB_SERVICE_IMAGE_REGISTRY"],
    ),
    (
        "offloader.site_url",
        Kind::Text,
        &["MM_CALLS_RECORDER_SITE_URL"],
    ),
    (
        "calls.default_enabled",
        Kind::Flag,
        &["MM_CALLS_DEFAULT_ENABLED"],
    ),
    (
        "calls.group_calls_allowed",
        Kind::Flag,
        &["MM_CALLS_GROUP_CALLS_ALLOWED"],
    ),
    ("calls.host_controls_allowed", Kind::Flag, &[]),
    (
        "calls.max_participants",
        Kind::Number,
        &[
            "MM_CALLS_MAX_CALL_PARTICIPANTS",
            "MM_CALLS_MAX_PARTICIPANTS",
        ],
    ),
    (
        "calls.allow_screen_sharing",
        Kind::Flag,
        &["MM_CALLS_ALLOW_SCREEN_SHARING"],
    ),
    (
        "calls.simulcast",
        Kind::Flag,
        &["MM_CALLS_ENABLE_SIMULCAST"],
    ),
    ("calls.av1", Kind::Flag, &["MM_CALLS_ENABLE_AV1"]),
    ("calls.ringing", Kind::Flag, &["MM_CALLS_ENABLE_RINGING"]),
    (
        "calls.dc_signaling",
        Kind::Flag,
        &["MM_CALLS_ENABLE_DC_SIGNALING"],
    ),
    ("calls.video", Kind::Flag, &["MM_CALLS_ENABLE_VIDEO"]),
    ("calls.sku", Kind::Text, &[]),
    (
        "recording.enabled",
        Kind::Flag,
        &["MM_CALLS_ENABLE_RECORDINGS"],
    ),
    (
        "recording.max_minutes",
        Kind::Number,
        &["MM_CALLS_MAX_RECORDING_DURATION"],
    ),
    (
        "recording.quality",
        Kind::Text,
        &["MM_CALLS_RECORDING_QUALITY"],
    ),
    (
        "transcribing.enabled",
        Kind::Flag,
        &["MM_CALLS_ENABLE_TRANSCRIPTIONS"],
    ),
    (
        "transcribing.model_size",
        Kind::Text,
        &["MM_CALLS_TRANSCRIBER_MODEL_SIZE"],
    ),
    (
        "transcribing.threads",
        Kind::Number,
        &["MM_CALLS_TRANSCRIBER_NUM_THREADS"],
    ),
    (
        "transcribing.captions_enabled",
        Kind::Flag,
        &["MM_CALLS_ENABLE_LIVE_CAPTIONS"],
    ),
    (
        "transcribing.captions_model_size",
        Kind::Text,
        &["MM_CALLS_LIVE_CAPTIONS_MODEL_SIZE"],
    ),
    (
        "transcribing.captions_transcribers",
        Kind::Number,
        &["MM_CALLS_LIVE_CAPTIONS_NUM_TRANSCRIBERS"],
    ),
    (
        "transcribing.captions_threads_per_transcriber",
        Kind::Number,
        &["MM_CALLS_LIVE_CAPTIONS_NUM_THREADS_PER_TRANSCRIBER"],
    ),
    (
        "transcribing.captions_language",
        Kind::Text,
        &["MM_CALLS_LIVE_CAPTIONS_LANGUAGE"],
    ),
    ("ice.servers", Kind::Json, &["MM_CALLS_ICE_SERVERS_CONFIGS"]),
    (
        "ice.turn_secret",
        Kind::Text,
        &["MM_CALLS_TURN_STATIC_AUTH_SECRET"],
    ),
    (
        "ice.turn_credentials_minutes",
        Kind::Number,
        &["MM_CALLS_TURN_CREDENTIALS_EXPIRATION_MINUTES"],
    ),
];

/// Variables that are no keys of the file.
const OTHER_NAMES: [&str; 2] = ["SIGNALLING_LOG", "SIGNALLING_PASSWORD"];

/// The variable of ours that overrules a key.
fn own_name(key: &str) -> String {
    format!("SIGNALLING_{}", key.replace('.', "_").to_ascii_uppercase())
}

/// Finds, among names of an environment, those that look like ours and are none.
pub fn unknown_names(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let own: Vec<String> = KEYS.iter().map(|(key, _, _)| own_name(key)).collect();
    let reference = KEYS.iter().flat_map(|(_, _, names)| names.iter().copied());
    let known: Vec<&str> = own
        .iter()
        .map(String::as_str)
        .chain(reference)
        .chain(OTHER_NAMES)
        .collect();
    service::names::unknown_environment(names, &["SIGNALLING_"], &known)
}

/// Puts what the environment says over what the file says. Returns a text for every variable whose
/// text is not what its key wants.
pub(super) fn overlay(
    file: &mut Table,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut unreadable = Vec::new();
    for (key, kind, reference_names) in KEYS {
        let own = own_name(key);
        let names = reference_names
            .iter()
            .map(|name| (*name).to_owned())
            .chain([own]);
        for name in names {
            let Some(text) = environment(&name) else {
                continue;
            };
            match read(*kind, &text) {
                Ok(value) => put(file, key, value),
                Err(wanted) => unreadable.push(format!(
                    "environment variable `{name}`: `{text}` is not {wanted}"
                )),
            }
        }
    }
    unreadable
}

fn read(kind: Kind, text: &str) -> Result<Value, &'static str> {
    match kind {
        Kind::Text => Ok(Value::String(text.to_owned())),
        Kind::Flag => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(Value::Boolean(true)),
            "false" | "0" => Ok(Value::Boolean(false)),
            _ => Err("`true` or `false`"),
        },
        Kind::Number => text
            .trim()
            .parse()
            .map(Value::Integer)
            .map_err(|_| "a whole number"),
        Kind::List => Ok(Value::Array(
            text.split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| Value::String(item.to_owned()))
                .collect(),
        )),
        Kind::Json => serde_json::from_str::<Value>(text).map_err(|_| "a JSON array"),
    }
}

fn put(table: &mut Table, key: &str, value: Value) {
    let (section, name) = key.split_once('.').unwrap_or(("", key));
    let section = table
        .entry(section.to_owned())
        .or_insert_with(|| Value::Table(Table::new()));
    if let Some(section) = section.as_table_mut() {
        section.insert(name.to_owned(), value);
    }
}
