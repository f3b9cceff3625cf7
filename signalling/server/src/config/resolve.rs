//! What values mean together and what follows from them: all problems at once.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use messaging::embedded::ProxyNet;
use proto::calls::IceServer;
use proto::redact::Secret;
use settings::{Check, Link, Origin, Problems, Read, Settings as _};

use super::raw::{RawConfig, RawRecording, RawStorage};
use super::{
    CallsConfig, ChatConfig, Config, FilmConfig, IceConfig, OffloaderConfig, RecordingConfig,
    RecordingQuality, RtcdConfig, ServiceUrl, TranscribingConfig,
};
use super::{files, gateway_limits};
use crate::web::Embedding;

type Checks<'a> = Check<'a, RawConfig>;

impl RawConfig {
    /// Checks everything and fills in what follows from it.
    ///
    /// # Errors
    /// All problems at once.
    pub fn resolve(self) -> Result<Config, Problems> {
        Config::resolve(&Read::of(self))
    }
}

impl Config {
    /// Checks everything and fills in what follows from it.
    ///
    /// # Errors
    /// All problems at once, those of reading included.
    pub fn resolve(read: &Read<RawConfig>) -> Result<Self, Problems> {
        let (mut check, raw) = (read.check(), &read.raw);
        let storage = &raw.storage;
        // Without calls their services are checked, and not used.
        let has_calls = !raw.calls.disable;
        let offloader = offloader(raw, &mut check).filter(|_| has_calls);
        let recording = recording(raw, offloader.is_some());
        let database =
            storage::Location::server(&storage.database, &storage.database_password_file);
        let config = Self {
            from_environment: from_environment(read),
            listen: listen("http.listen", &raw.http.listen, &mut check),
            site_url: site_url(raw, &mut check),
            trusted_proxies: proxies(raw, &mut check),
            frame_ancestors: frame_ancestors(raw, &mut check),
            key_file: key_file(storage),
            metrics_listen: Some(raw.http.metrics_listen.as_str())
                .filter(|text| !text.is_empty())
                .map(|text| listen("http.metrics_listen", text, &mut check)),
            max_connections: raw.http.max_connections,
            max_connections_per_address: raw.http.max_connections_per_address,
            data_dir: storage.data_dir.clone(),
            database: check.accept("storage.database", database).flatten(),
            chat: chat(raw),
            files: files::resolve(raw, &mut check),
            gateway: gateway_limits::resolve(raw, &mut check),
            rtcd: rtcd(read, has_calls, &mut check),
            papers: papers(raw, &mut check),
            link_address: link_address(raw, &mut check),
            transcribing: transcribing(raw, &recording),
            offloader,
            calls: calls(raw),
            recording,
            push_relay: push_relay(raw, &mut check),
            ice: ice(raw),
        };
        check.done(config)
    }
}

fn from_environment(read: &Read<RawConfig>) -> BTreeSet<&'static str> {
    let paths = RawConfig::keys().iter().map(|key| key.path);
    paths
        .filter(|path| matches!(read.origin(path), Origin::Environment(_)))
        .collect()
}

fn key_file(raw: &RawStorage) -> PathBuf {
    if raw.key_file.as_os_str().is_empty() {
        raw.data_dir.join("secret.key")
    } else {
        raw.key_file.clone()
    }
}

fn calls(raw: &RawConfig) -> CallsConfig {
    let raw = &raw.calls;
    CallsConfig {
        disabled: raw.disable,
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
        sku: raw.sku.clone(),
    }
}

fn chat(raw: &RawConfig) -> ChatConfig {
    let raw = &raw.chat;
    ChatConfig {
        site_name: raw.site_name.clone(),
        default_locale: raw.default_locale.clone(),
        open_registration: raw.open_registration,
        login_lifetime: Duration::from_secs(raw.login_lifetime_hours * 3600),
        min_password_chars: raw.min_password_chars,
        max_file_bytes: raw.max_file_bytes,
        writes_per_minute: raw.writes_per_minute,
        allowed_origins: raw.allowed_origins.clone(),
    }
}

fn papers(raw: &RawConfig, check: &mut Checks<'_>) -> Option<PathBuf> {
    let papers = Some(&raw.cluster.papers).filter(|papers| !papers.as_os_str().is_empty())?;
    if let Err(why) = crate::nodes::check_papers(papers) {
        check.refuse("cluster.papers", why);
    }
    Some(papers.clone())
}

fn link_address(raw: &RawConfig, check: &mut Checks<'_>) -> Option<String> {
    let key = "cluster.link_address";
    let address = &raw.cluster.link_address;
    if address.is_empty() {
        return None;
    }
    let parts = address.rsplit_once(':');
    let is_whole = parts.is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if !is_whole {
        let rule =
            "it must be host:port, where other signalling processes reach this one, or empty";
        check.refuse(key, rule);
    }
    if raw.cluster.papers.as_os_str().is_empty() {
        let rule = "it needs cluster.papers: by them the processes know each other";
        check.refuse(key, rule);
    }
    if raw.storage.database.is_empty() {
        let rule =
            "it needs storage.database: what the process that leads keeps, the next one reads";
        check.refuse(key, rule);
    }
    let bots_know_one_only = raw.http.site_url.is_empty() && raw.offloader.site_url.is_empty();
    if !raw.offloader.url.is_empty() && bots_know_one_only {
        let rule = "it needs http.site_url, or offloader.site_url: recordings find whichever process leads \
                    there";
        check.refuse(key, rule);
    }
    Some(address.clone())
}

fn rtcd(read: &Read<RawConfig>, has_calls: bool, check: &mut Checks<'_>) -> RtcdConfig {
    let finds_nodes = !read.raw.cluster.papers.as_os_str().is_empty();
    let nobody_wrote = finds_nodes && read.origin("rtcd.urls") == Origin::Default;
    let raw = &read.raw.rtcd;
    if raw.urls.is_empty() && !finds_nodes {
        let rule = "calls need at least one media host, such as `http://127.0.0.1:8045`";
        check.refuse("rtcd.urls", rule);
    }
    check_key("rtcd.auth_key", &raw.auth_key, check);
    let urls = raw.urls.iter();
    RtcdConfig {
        hosts: urls
            .filter_map(|link| url("rtcd.urls", link, check))
            .filter(|_| has_calls && !nobody_wrote)
            .collect(),
        client_id: raw.client_id.clone(),
        auth_key: raw.auth_key.clone(),
    }
}

fn offloader(raw: &RawConfig, check: &mut Checks<'_>) -> Option<OffloaderConfig> {
    let raw = &raw.offloader;
    if raw.url.is_empty() {
        if !raw.further_urls.is_empty() {
            let rule = "they stand beside offloader.url, which is empty";
            check.refuse("offloader.further_urls", rule);
        }
        return None;
    }
    check_key("offloader.auth_key", &raw.auth_key, check);
    for (key, site_url) in [
        ("offloader.site_url", &raw.site_url),
        ("offloader.transcriber_site_url", &raw.transcriber_site_url),
    ] {
        if !site_url.is_empty() {
            url(key, site_url, check);
        }
    }
    let further = raw.further_urls.iter();
    let further: Vec<ServiceUrl> = further
        .filter_map(|link| url("offloader.further_urls", link, check))
        .collect();
    Some(OffloaderConfig {
        urls: [url("offloader.url", &raw.url, check)?]
            .into_iter()
            .chain(further)
            .collect(),
        client_id: raw.client_id.clone(),
        auth_key: raw.auth_key.clone(),
        image_registry: raw.image_registry.clone(),
        site_url: raw.site_url.trim_end_matches('/').to_owned(),
        transcriber_site_url: raw.transcriber_site_url.trim_end_matches('/').to_owned(),
    })
}

fn ice(raw: &RawConfig) -> IceConfig {
    let raw = &raw.ice;
    let by_address = raw.urls.iter().map(|url| IceServer {
        urls: vec![url.clone()],
        ..IceServer::default()
    });
    IceConfig {
        servers: raw.servers.0.iter().cloned().chain(by_address).collect(),
        urls: raw.urls.clone(),
        turn_secret: raw.turn_secret.clone(),
        turn_credentials_lifetime: Duration::from_secs(raw.turn_credentials_minutes * 60),
    }
}

fn recording(raw: &RawConfig, has_offloader: bool) -> RecordingConfig {
    let raw = &raw.recording;
    let quality = match raw.quality.as_str() {
        "low" => RecordingQuality::Low,
        "high" => RecordingQuality::High,
        _ => RecordingQuality::Medium,
    };
    RecordingConfig {
        enabled: raw.enabled && has_offloader,
        max_minutes: raw.max_minutes,
        quality,
        film: film(raw, quality),
    }
}

/// The presets of the reference, and what was set instead of them.
fn film(raw: &RawRecording, quality: RecordingQuality) -> FilmConfig {
    let (width, height, video_rate, frame_rate, preset) = match quality {
        RecordingQuality::Low => (1280, 720, 1000, 15, "ultrafast"),
        RecordingQuality::Medium => (1280, 720, 1500, 20, "veryfast"),
        RecordingQuality::High => (1920, 1080, 2500, 20, "veryfast"),
    };
    FilmConfig {
        width: raw.width.or(width),
        height: raw.height.or(height),
        video_rate: raw.video_rate.or(video_rate),
        audio_rate: raw.audio_rate,
        frame_rate: raw.frame_rate.or(frame_rate),
        preset: match raw.video_preset.as_str() {
            "auto" => preset.to_owned(),
            word => word.to_owned(),
        },
        format: raw.output_format.clone(),
    }
}

fn transcribing(raw: &RawConfig, recording: &RecordingConfig) -> TranscribingConfig {
    let raw = &raw.transcribing;
    let enabled = raw.enabled && recording.enabled;
    TranscribingConfig {
        enabled,
        model_size: raw.model_size.clone(),
        threads: raw.threads,
        captions_enabled: raw.captions_enabled && enabled,
        captions_model_size: raw.captions_model_size.clone(),
        captions_transcribers: raw.captions_transcribers,
        captions_threads_per_transcriber: raw.captions_threads_per_transcriber,
        captions_language: raw.captions_language.clone(),
        omit_speaker: raw.omit_speaker,
        paragraph_silence_ms: raw.paragraph_silence_ms,
        paragraph_max_ms: raw.paragraph_max_ms,
    }
}

fn listen(key: &str, text: &str, check: &mut Checks<'_>) -> SocketAddr {
    // `:8065` means every address, as in the reference's files.
    let full = if text.starts_with(':') {
        format!("0.0.0.0{text}")
    } else {
        text.to_owned()
    };
    full.parse().unwrap_or_else(|_| {
        check.refuse(
            key,
            "it must be an address and a port, such as `127.0.0.1:8065`",
        );
        SocketAddr::from(([127, 0, 0, 1], 0))
    })
}

fn proxies(raw: &RawConfig, check: &mut Checks<'_>) -> Vec<ProxyNet> {
    let texts = raw.http.trusted_proxies.iter();
    let parsed = texts.filter_map(|text| {
        let net = text.trim().parse::<ProxyNet>();
        check.accept("http.trusted_proxies", net)
    });
    parsed.collect()
}

fn frame_ancestors(raw: &RawConfig, check: &mut Checks<'_>) -> Vec<String> {
    let origins = &raw.http.frame_ancestors;
    check.accept("http.frame_ancestors", Embedding::by(origins));
    origins.clone()
}

/// An address that is told to people must be one that somebody can have.
fn site_url(raw: &RawConfig, check: &mut Checks<'_>) -> String {
    let key = "http.site_url";
    let text = raw.http.site_url.trim_end_matches('/').to_owned();
    if text.is_empty() {
        return text;
    }
    let base = url(key, &text, check)
        .map(|url| url.base)
        .unwrap_or_default();
    let host = base.split_once("://").map_or("", |(_, host)| host);
    let address = host.parse::<SocketAddr>().map(|host| host.ip());
    let address = address.or_else(|_| host.trim_matches(['[', ']']).parse::<IpAddr>());
    if address.is_ok_and(|address| !service::addresses::can_be_reached(address)) {
        check.refuse(
            key,
            "people cannot reach an unspecified, multicast or broadcast address; set the one they \
             open",
        );
    }
    text
}

fn push_relay(raw: &RawConfig, check: &mut Checks<'_>) -> Option<Link> {
    let relay = &raw.push.relay;
    if relay.is_empty() {
        return None;
    }
    let parsed = reqwest::Url::parse(relay).ok();
    if !parsed.is_some_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host()) {
        check.refuse(
            "push.relay",
            "it must be an address that begins with `https://` or `http://`",
        );
    }
    Some(relay.clone())
}

fn url(key: &str, text: &str, check: &mut Checks<'_>) -> Option<ServiceUrl> {
    let parsed = split_url(text);
    if parsed.is_none() {
        check.refuse(
            key,
            "it must be `http://` or `https://`, a host and maybe a port, and no path",
        );
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

fn check_key(key: &str, secret: &Secret, check: &mut Checks<'_>) {
    let chars = secret.expose().len();
    if chars != 0 && !(32..=72).contains(&chars) {
        check.refuse(
            key,
            format!("it has {chars} characters, and the service accepts 32 to 72; leave it empty to have one made"),
        );
    }
}

#[cfg(test)]
mod tests;
