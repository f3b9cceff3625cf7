//! The configuration as the plugin's clients and its console read it.
//!
//! In: our settings, what was heard of speech. Out: `ClientConfig` for everybody, and the plugin's own keys for administrators.
//! What the plugin knows of a media server inside itself has no meaning here: it is rtcd's, and these
//! keys have the plugin's defaults.

use proto::calls::{ClientConfig, IceServer};
use serde_json::{Map, Value, json};

use crate::config::{Config, RecordingQuality, ServiceUrl, is_turn};
use crate::jobs::Speech;

/// One key of the plugin.
struct Key {
    name: &'static str,
    /// The setting of ours that decides it, if one does.
    setting: Option<&'static str>,
    value: fn(&Config) -> Value,
}

const fn ours(name: &'static str, setting: &'static str, value: fn(&Config) -> Value) -> Key {
    Key {
        name,
        setting: Some(setting),
        value,
    }
}

const fn fixed(name: &'static str, value: fn(&Config) -> Value) -> Key {
    Key {
        name,
        setting: None,
        value,
    }
}

/// The keys beside those of `ClientConfig`, and which settings of ours are behind both.
const KEYS: &[Key] = &[
    ours("DefaultEnabled", "calls.default_enabled", |c| {
        json!(c.calls.default_enabled)
    }),
    ours("MaxCallParticipants", "calls.max_participants", |c| {
        json!(c.calls.max_participants)
    }),
    ours("AllowScreenSharing", "calls.allow_screen_sharing", |c| {
        json!(c.calls.allow_screen_sharing)
    }),
    ours("EnableSimulcast", "calls.simulcast", |c| {
        json!(c.calls.simulcast)
    }),
    ours("EnableRinging", "calls.ringing", |c| json!(c.calls.ringing)),
    ours("EnableAV1", "calls.av1", |c| json!(c.calls.av1)),
    ours("EnableDCSignaling", "calls.dc_signaling", |c| {
        json!(c.calls.dc_signaling)
    }),
    ours("EnableVideo", "calls.video", |c| json!(c.calls.video)),
    ours("RTCDServiceURL", "rtcd.urls", |c| {
        let hosts = c.rtcd.hosts.iter().map(|host| with_credentials(host, c));
        json!(hosts.collect::<Vec<_>>().join(","))
    }),
    fixed("UDPServerAddress", |_| json!("")),
    fixed("TCPServerAddress", |_| json!("")),
    fixed("UDPServerPort", |_| json!(8443)),
    fixed("TCPServerPort", |_| json!(8443)),
    fixed("EnableIPv6", |_| json!(false)),
    fixed("ICEHostOverride", |_| json!("")),
    fixed("ICEHostPortOverride", |_| Value::Null),
    ours("ICEServers", "ice.urls", |c| json!(c.ice.urls.join(","))),
    ours("ICEServersConfigs", "ice.servers", |c| {
        json!(usable_servers(c))
    }),
    ours("TURNStaticAuthSecret", "ice.turn_secret", |c| {
        json!(c.ice.turn_secret.expose())
    }),
    ours(
        "TURNCredentialsExpirationMinutes",
        "ice.turn_credentials_minutes",
        |c| json!(c.ice.turn_credentials_lifetime.as_secs() / 60),
    ),
    fixed("ServerSideTURN", |_| json!(false)),
    ours("EnableRecordings", "recording.enabled", |c| {
        json!(c.recording.enabled)
    }),
    ours("JobServiceURL", "offloader.url", |c| {
        let first = c.offloader.as_ref().and_then(|of| of.urls.first());
        json!(first.map(full).unwrap_or_default())
    }),
    ours("MaxRecordingDuration", "recording.max_minutes", |c| {
        json!(c.recording.max_minutes)
    }),
    ours("RecordingQuality", "recording.quality", |c| {
        json!(match c.recording.quality {
            RecordingQuality::Low => "low",
            RecordingQuality::Medium => "medium",
            RecordingQuality::High => "high",
        })
    }),
    ours("EnableTranscriptions", "transcribing.enabled", |c| {
        json!(c.transcribing.enabled)
    }),
    fixed("TranscribeAPI", |_| json!("whisper.cpp")),
    ours("TranscriberModelSize", "transcribing.model_size", |c| {
        json!(c.transcribing.model_size)
    }),
    ours("TranscriberNumThreads", "transcribing.threads", |c| {
        json!(c.transcribing.threads)
    }),
    fixed("TranscribeAPIAzureSpeechKey", |_| json!("")),
    fixed("TranscribeAPIAzureSpeechRegion", |_| json!("")),
    ours("EnableLiveCaptions", "transcribing.captions_enabled", |c| {
        json!(c.transcribing.captions_enabled)
    }),
    ours(
        "LiveCaptionsModelSize",
        "transcribing.captions_model_size",
        |c| json!(c.transcribing.captions_model_size),
    ),
    ours(
        "LiveCaptionsNumTranscribers",
        "transcribing.captions_transcribers",
        |c| json!(c.transcribing.captions_transcribers),
    ),
    ours(
        "LiveCaptionsNumThreadsPerTranscriber",
        "transcribing.captions_threads_per_transcriber",
        |c| json!(c.transcribing.captions_threads_per_transcriber),
    ),
    ours(
        "LiveCaptionsLanguage",
        "transcribing.captions_language",
        |c| json!(c.transcribing.captions_language),
    ),
];

/// What every signed-in person may know.
pub(crate) fn client_config(config: &Config, speech: Speech) -> ClientConfig {
    let usable = usable_servers(config);
    let has_secret = !config.ice.turn_secret.is_empty();
    ClientConfig {
        ice_servers: usable
            .iter()
            .flat_map(|server| server.urls.clone())
            .collect(),
        ice_servers_configs: usable,
        allow_enable_calls: true,
        default_enabled: config.calls.default_enabled,
        max_call_participants: config.calls.max_participants,
        needs_turn_credentials: has_secret
            && config.ice.turn_without_credentials().next().is_some(),
        allow_screen_sharing: config.calls.allow_screen_sharing,
        enable_recordings: config.recording.enabled,
        enable_transcriptions: config.transcribing.enabled,
        enable_live_captions: config.transcribing.captions_enabled,
        max_recording_duration: config.recording.max_minutes,
        enable_simulcast: config.calls.simulcast,
        enable_ringing: config.calls.ringing,
        sku_short_name: config.calls.sku.clone(),
        host_controls_allowed: config.calls.host_controls_allowed,
        enable_av1: config.calls.av1,
        group_calls_allowed: config.calls.group_calls_allowed,
        enable_dc_signaling: config.calls.dc_signaling,
        enable_video: config.calls.video,
        speech_problem: speech.problem,
        speech_languages: speech.languages,
    }
}

/// Everything, secrets included: for system administrators only.
pub(crate) fn full_config(config: &Config, speech: Speech) -> Map<String, Value> {
    let mut all: Map<String, Value> = KEYS
        .iter()
        .map(|key| (key.name.to_owned(), (key.value)(config)))
        .collect();
    if let Ok(Value::Object(shared)) = serde_json::to_value(client_config(config, speech)) {
        all.extend(shared);
    }
    all
}

/// The plugin's keys whose values come from the environment, with their values as text there.
pub(crate) fn environment(config: &Config) -> Map<String, Value> {
    let is_set = |key: &&Key| {
        key.setting
            .is_some_and(|setting| config.from_environment.contains(setting))
    };
    let set = KEYS.iter().filter(is_set);
    set.map(|key| {
        let value = (key.value)(config);
        let text = value.as_str().map(str::to_owned);
        let text = text.unwrap_or_else(|| value.to_string());
        (key.name.to_owned(), Value::String(text))
    })
    .collect()
}

/// TURN servers without credentials are of no use as they are: see `/turn-credentials`.
fn usable_servers(config: &Config) -> Vec<IceServer> {
    let servers = config.ice.servers.iter();
    servers
        .filter(|server| !is_turn(server) || server.credential.is_some())
        .cloned()
        .collect()
}

fn with_credentials(host: &ServiceUrl, config: &Config) -> String {
    let mut host = host.clone();
    let rtcd = &config.rtcd;
    let configured = Some(rtcd.client_id.clone()).filter(|id| !id.is_empty());
    host.client_id = host.client_id.or(configured);
    let key = Some(rtcd.auth_key.clone()).filter(|key| !key.is_empty());
    host.auth_key = host.auth_key.or(key);
    full(&host)
}

/// As it would be written in a file.
fn full(url: &ServiceUrl) -> String {
    let (Some(id), Some((scheme, host))) = (&url.client_id, url.base.split_once("://")) else {
        return url.base.clone();
    };
    let key = url.auth_key.as_ref().map_or("", |key| key.expose());
    format!("{scheme}://{id}:{key}@{host}")
}

#[cfg(test)]
mod tests {
    use proto::redact::Secret;
    use settings::{Environment, Read};

    use super::*;
    use crate::config::RawConfig;

    #[test]
    fn what_the_environment_decides_is_told_by_the_plugins_keys() {
        let set = [
            ("MM_CALLS_ENABLE_RINGING", "true"),
            ("SIGNALLING_ICE_TURN_SECRET", "shared"),
            ("SIGNALLING_CHAT_SITE_NAME", "Ours"),
        ];
        let environment: Environment = set.into_iter().collect();
        let read: Read<RawConfig> = Read::text("", &environment).unwrap();
        let config = Config::resolve(&read).unwrap();
        let told = Value::Object(super::environment(&config));
        let expected = json!({"EnableRinging": "true", "TURNStaticAuthSecret": "shared"});
        assert_eq!(told, expected);
    }

    #[test]
    fn every_key_names_a_setting_that_exists() {
        use settings::Settings as _;
        for key in KEYS {
            let known = key
                .setting
                .is_none_or(|path| RawConfig::key(path).is_some());
            assert!(known, "{}", key.name);
        }
    }

    #[test]
    fn addresses_carry_what_was_configured_for_them() {
        let mut config = Config::new("data");
        let base = "http://media:8045".to_owned();
        config.rtcd.hosts = vec![ServiceUrl {
            base,
            client_id: None,
            auth_key: None,
        }];
        let url =
            |config: &Config| full_config(config, Speech::default())["RTCDServiceURL"].clone();
        assert_eq!(url(&config), "http://media:8045");
        config.rtcd.client_id = "us".to_owned();
        config.rtcd.auth_key = Secret::new("k");
        assert_eq!(url(&config), "http://us:k@media:8045");
    }
}
