//! Checks of the configuration and what follows from it: all problems at once.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use messaging::embedded::{NoNetwork, ProxyNet};
use proto::redact::Secret;
use storage::Location;

use super::raw::{
    RawCalls, RawChat, RawConfig, RawHttp, RawIce, RawOffloader, RawRecording, RawStorage,
    RawTranscribing,
};
use super::{
    CallsConfig, ChatConfig, Config, IceConfig, OffloaderConfig, RecordingConfig, RecordingQuality,
    RtcdConfig, ServiceUrl, TranscribingConfig,
};
use super::{files, gateway_limits};

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A key or variable that cannot be read, in words.
    #[error("{0}")]
    Unreadable(String),
    #[error("`{key}` is `{value}`: it must be an address and a port, such as `127.0.0.1:8065`")]
    Listen { key: &'static str, value: String },
    #[error(
        "`{key}` is `{value}`: people cannot reach an unspecified, multicast or broadcast address; set \
         the one they open"
    )]
    Unreachable { key: &'static str, value: String },
    #[error(
        "`{key}` is `{value}`: it must be `http://` or `https://`, a host and maybe a port, and no path"
    )]
    Url { key: &'static str, value: String },
    #[error(
        "`rtcd.urls` is empty: calls need at least one media host, such as `http://127.0.0.1:8045`"
    )]
    NoRtcd,
    #[error(
        "`{key}` has {chars} characters: the service accepts 32 to 72; leave it empty to have one made"
    )]
    AuthKey { key: &'static str, chars: usize },
    #[error("`files.{key}` is `{value}`: {rule}")]
    Files {
        key: &'static str,
        value: String,
        rule: &'static str,
    },
    #[error("`files.{key}` is `{path}`: {why}", path = path.display())]
    FilesUnreadable {
        key: &'static str,
        path: PathBuf,
        why: String,
    },
    #[error("`recording.quality` is `{0}`: it must be `low`, `medium` or `high`")]
    Quality(String),
    #[error(
        "`{key}` is `{value}`: it must be one of tiny, base, small, medium, large, each maybe with `.en`"
    )]
    Model { key: &'static str, value: String },
    #[error("`{key}` is `{value}`: it must be {low} to {high}")]
    Range {
        key: &'static str,
        value: u64,
        low: u64,
        high: u64,
    },
    #[error("`http.trusted_proxies`: {0}")]
    Proxy(NoNetwork),
    #[error(
        "`transcribing.captions_language` is `{0}`: it must be a language of two letters, such as `en`"
    )]
    Language(String),
    #[error("`storage.database`: {0}")]
    Database(String),
}

/// Everything that is wrong with the configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems: Vec<String> = self.0.iter().map(|error| format!("- {error}")).collect();
        write!(
            f,
            "configuration has {} problem(s):\n{}",
            problems.len(),
            problems.join("\n")
        )
    }
}

impl RawConfig {
    /// Checks everything and fills in what follows from it.
    ///
    /// # Errors
    /// All problems at once.
    pub fn resolve(self) -> Result<Config, ConfigErrors> {
        let mut errors = Vec::new();
        let listen = parse_listen("http.listen", &self.http.listen, &mut errors);
        let metrics_listen = Some(self.http.metrics_listen.as_str())
            .filter(|text| !text.is_empty())
            .and_then(|text| parse_listen("http.metrics_listen", text, &mut errors));
        check_connections(&self.http, &mut errors);
        let site_url = self.http.site_url.trim_end_matches('/').to_owned();
        if !site_url.is_empty() {
            let parsed = parse_url("http.site_url", &site_url, &mut errors);
            check_reachable("http.site_url", parsed, &mut errors);
        }
        let trusted_proxies = parse_proxies(&self.http.trusted_proxies, &mut errors);
        let hosts = self.rtcd.urls.iter();
        let hosts: Vec<ServiceUrl> = hosts
            .filter_map(|url| parse_url("rtcd.urls", url, &mut errors))
            .collect();
        if self.rtcd.urls.is_empty() {
            errors.push(ConfigError::NoRtcd);
        }
        check_key("rtcd.auth_key", &self.rtcd.auth_key, &mut errors);
        let offloader = resolve_offloader(self.offloader, &mut errors);
        let recording = resolve_recording(&self.recording, offloader.is_some(), &mut errors);
        let transcribing = resolve_transcribing(self.transcribing, &recording, &mut errors);
        let ice = resolve_ice(self.ice, &mut errors);
        let chat = resolve_chat(self.chat, &mut errors);
        let files = files::resolve(self.files, chat.max_file_bytes, &mut errors);
        let gateway = gateway_limits::resolve(&self.gateway, &mut errors);
        let database = resolve_database(&self.storage, &mut errors);
        let Some(listen) = listen.filter(|_| errors.is_empty()) else {
            return Err(ConfigErrors(errors));
        };
        let (client_id, auth_key) = (self.rtcd.client_id, self.rtcd.auth_key);
        Ok(Config {
            listen,
            site_url,
            trusted_proxies,
            frame_ancestors: Vec::new(),
            key_file: resolve_key_file(&self.storage),
            metrics_listen,
            max_connections: self.http.max_connections,
            max_connections_per_address: self.http.max_connections_per_address,
            data_dir: self.storage.data_dir,
            database,
            chat,
            files,
            gateway,
            rtcd: RtcdConfig {
                hosts,
                client_id,
                auth_key,
            },
            offloader,
            calls: resolve_calls(self.calls),
            recording,
            transcribing,
            ice,
        })
    }
}

fn resolve_database(raw: &RawStorage, errors: &mut Vec<ConfigError>) -> Option<Location> {
    match Location::server(&raw.database, &raw.database_password_file) {
        Ok(location) => location,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            errors.push(ConfigError::Database(format!(
                "{error}{}",
                cause.unwrap_or_default()
            )));
            None
        }
    }
}

fn resolve_key_file(raw: &RawStorage) -> PathBuf {
    if raw.key_file.as_os_str().is_empty() {
        raw.data_dir.join("secret.key")
    } else {
        raw.key_file.clone()
    }
}

fn resolve_calls(raw: RawCalls) -> CallsConfig {
    CallsConfig {
        default_enabled: raw.default_enabled,
        group_calls_allowed: raw.group_calls_allowed,
        host_controls_allowed: raw.host_controls_allowed,
        max_participants: raw.max_participants,
        allow_screen_sharing: raw.allow_screen_sharing,
        // Clients ignore AV1 with simulcast; saying so here keeps them and us of one mind.
        av1: raw.av1 && !raw.simulcast,
        simulcast: raw.simulcast,
        ringing: raw.ringing,
        dc_signaling: raw.dc_signaling,
        video: raw.video,
        sku: raw.sku,
    }
}

fn resolve_chat(raw: RawChat, errors: &mut Vec<ConfigError>) -> ChatConfig {
    let hours = raw.login_lifetime_hours;
    check_range("chat.login_lifetime_hours", hours, 1, 10 * 365 * 24, errors);
    let chars = u64::try_from(raw.min_password_chars).unwrap_or(u64::MAX);
    check_range("chat.min_password_chars", chars, 5, 72, errors);
    check_range(
        "chat.max_file_bytes",
        raw.max_file_bytes,
        1 << 20,
        1 << 40,
        errors,
    );
    ChatConfig {
        site_name: raw.site_name,
        open_registration: raw.open_registration,
        login_lifetime: Duration::from_secs(hours.saturating_mul(3600)),
        min_password_chars: raw.min_password_chars,
        max_file_bytes: raw.max_file_bytes,
        writes_per_minute: raw.writes_per_minute,
        allowed_origins: raw.allowed_origins,
    }
}

fn resolve_offloader(raw: RawOffloader, errors: &mut Vec<ConfigError>) -> Option<OffloaderConfig> {
    if raw.url.is_empty() {
        return None;
    }
    check_key("offloader.auth_key", &raw.auth_key, errors);
    if !raw.site_url.is_empty() {
        parse_url("offloader.site_url", &raw.site_url, errors);
    }
    let url = parse_url("offloader.url", &raw.url, errors)?;
    Some(OffloaderConfig {
        url,
        client_id: raw.client_id,
        auth_key: raw.auth_key,
        image_registry: raw.image_registry,
        site_url: raw.site_url.trim_end_matches('/').to_owned(),
    })
}

fn resolve_recording(
    raw: &RawRecording,
    has_offloader: bool,
    errors: &mut Vec<ConfigError>,
) -> RecordingConfig {
    check_range(
        "recording.max_minutes",
        u64::from(raw.max_minutes),
        15,
        180,
        errors,
    );
    let quality = match raw.quality.as_str() {
        "low" => RecordingQuality::Low,
        "high" => RecordingQuality::High,
        "medium" => RecordingQuality::Medium,
        other => {
            errors.push(ConfigError::Quality(other.to_owned()));
            RecordingQuality::Medium
        }
    };
    RecordingConfig {
        enabled: raw.enabled && has_offloader,
        max_minutes: raw.max_minutes,
        quality,
    }
}

fn resolve_transcribing(
    raw: RawTranscribing,
    recording: &RecordingConfig,
    errors: &mut Vec<ConfigError>,
) -> TranscribingConfig {
    check_model("transcribing.model_size", &raw.model_size, errors);
    check_model(
        "transcribing.captions_model_size",
        &raw.captions_model_size,
        errors,
    );
    for (key, value) in [
        ("transcribing.threads", raw.threads),
        (
            "transcribing.captions_transcribers",
            raw.captions_transcribers,
        ),
        (
            "transcribing.captions_threads_per_transcriber",
            raw.captions_threads_per_transcriber,
        ),
    ] {
        check_range(key, u64::from(value), 1, 256, errors);
    }
    let language = &raw.captions_language;
    if language.len() != 2 || !language.bytes().all(|byte| byte.is_ascii_lowercase()) {
        errors.push(ConfigError::Language(language.clone()));
    }
    let enabled = raw.enabled && recording.enabled;
    TranscribingConfig {
        enabled,
        model_size: raw.model_size,
        threads: raw.threads,
        captions_enabled: raw.captions_enabled && enabled,
        captions_model_size: raw.captions_model_size,
        captions_transcribers: raw.captions_transcribers,
        captions_threads_per_transcriber: raw.captions_threads_per_transcriber,
        captions_language: raw.captions_language,
    }
}

fn resolve_ice(raw: RawIce, errors: &mut Vec<ConfigError>) -> IceConfig {
    let minutes = raw.turn_credentials_minutes;
    check_range(
        "ice.turn_credentials_minutes",
        minutes,
        1,
        7 * 24 * 60,
        errors,
    );
    IceConfig {
        servers: raw.servers,
        turn_secret: raw.turn_secret,
        turn_credentials_lifetime: Duration::from_secs(minutes.saturating_mul(60)),
    }
}

fn parse_listen(
    key: &'static str,
    text: &str,
    errors: &mut Vec<ConfigError>,
) -> Option<SocketAddr> {
    // `:8065` means every address, as in the reference's files.
    let full = if text.starts_with(':') {
        format!("0.0.0.0{text}")
    } else {
        text.to_owned()
    };
    let parsed = full.parse().ok();
    if parsed.is_none() {
        let value = text.to_owned();
        errors.push(ConfigError::Listen { key, value });
    }
    parsed
}

fn parse_proxies(texts: &[String], errors: &mut Vec<ConfigError>) -> Vec<ProxyNet> {
    let parse = |text: &String| text.trim().parse::<ProxyNet>().map_err(ConfigError::Proxy);
    let parsed: Vec<Result<ProxyNet, ConfigError>> = texts.iter().map(parse).collect();
    parsed
        .into_iter()
        .filter_map(|net| net.map_err(|error| errors.push(error)).ok())
        .collect()
}

fn check_connections(http: &RawHttp, errors: &mut Vec<ConfigError>) {
    for (key, value) in [
        ("http.max_connections", http.max_connections),
        (
            "http.max_connections_per_address",
            http.max_connections_per_address,
        ),
    ] {
        let value = u64::try_from(value).unwrap_or(u64::MAX);
        check_range(key, value, 1, 1_000_000, errors);
    }
}

/// An address that is told to people must be one that somebody can have.
fn check_reachable(key: &'static str, url: Option<ServiceUrl>, errors: &mut Vec<ConfigError>) {
    let Some(url) = url else { return };
    let host = url.base.split_once("://").map_or("", |(_, host)| host);
    let host = host.parse::<SocketAddr>().map(|host| host.ip());
    let host = host.or_else(|_| {
        let bare = url.base.rsplit("://").next().unwrap_or_default();
        bare.trim_matches(['[', ']']).parse::<IpAddr>()
    });
    if host.is_ok_and(|host| !service::addresses::can_be_reached(host)) {
        let value = url.base;
        errors.push(ConfigError::Unreachable { key, value });
    }
}

fn parse_url(key: &'static str, text: &str, errors: &mut Vec<ConfigError>) -> Option<ServiceUrl> {
    let parsed = split_url(text);
    if parsed.is_none() {
        let value = text
            .rsplit_once('@')
            .map_or(text, |(_, host)| host)
            .to_owned();
        errors.push(ConfigError::Url { key, value });
    }
    parsed
}

/// Splits `http://id:key@host:port`.
pub(super) fn split_url(text: &str) -> Option<ServiceUrl> {
    let (scheme, rest) = text.split_once("://")?;
    if scheme != "http" && scheme != "https" {
        return None;
    }
    let rest = rest.trim_end_matches('/');
    let (user, host) = match rest.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, rest),
    };
    if host.is_empty() || host.contains(['/', '?', '#', ' ']) {
        return None;
    }
    let (client_id, auth_key) = match user.map(|user| user.split_once(':').unwrap_or((user, ""))) {
        Some((id, key)) => (Some(id.to_owned()), Some(Secret::new(key))),
        None => (None, None),
    };
    Some(ServiceUrl {
        base: format!("{scheme}://{host}"),
        client_id,
        auth_key,
    })
}

fn check_key(key: &'static str, secret: &Secret, errors: &mut Vec<ConfigError>) {
    let chars = secret.expose().len();
    if chars != 0 && !(32..=72).contains(&chars) {
        errors.push(ConfigError::AuthKey { key, chars });
    }
}

fn check_model(key: &'static str, name: &str, errors: &mut Vec<ConfigError>) {
    let size = name.strip_suffix(".en").unwrap_or(name);
    if !["tiny", "base", "small", "medium", "large"].contains(&size) {
        errors.push(ConfigError::Model {
            key,
            value: name.to_owned(),
        });
    }
}

pub(super) fn check_range(
    key: &'static str,
    value: u64,
    low: u64,
    high: u64,
    errors: &mut Vec<ConfigError>,
) {
    if !(low..=high).contains(&value) {
        errors.push(ConfigError::Range {
            key,
            value,
            low,
            high,
        });
    }
}
