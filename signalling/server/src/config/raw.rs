//! The configuration as it stands in the file.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use proto::calls::IceServer;
use proto::redact::Secret;
use serde::{Deserialize, Serialize};

use super::files::RawFiles;
use super::gateway_limits::RawGateway;
use super::{ConfigError, ConfigErrors, keys};

/// The file. Every key has a default; `deploy/signalling.toml` says what each means.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawConfig {
    pub http: RawHttp,
    pub storage: RawStorage,
    pub files: RawFiles,
    pub chat: RawChat,
    pub gateway: RawGateway,
    pub rtcd: RawRtcd,
    pub offloader: RawOffloader,
    pub calls: RawCalls,
    pub recording: RawRecording,
    pub transcribing: RawTranscribing,
    pub ice: RawIce,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawHttp {
    pub listen: String,
    pub site_url: String,
    pub metrics_listen: String,
    pub max_connections: usize,
    pub max_connections_per_address: usize,
    pub trusted_proxies: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawStorage {
    pub data_dir: PathBuf,
    pub database: String,
    pub database_password_file: PathBuf,
    pub key_file: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawChat {
    pub site_name: String,
    pub open_registration: bool,
    pub login_lifetime_hours: u64,
    pub min_password_chars: usize,
    pub max_file_bytes: u64,
    pub writes_per_minute: u32,
    pub allowed_origins: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawRtcd {
    pub urls: Vec<String>,
    pub client_id: String,
    pub auth_key: Secret,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawOffloader {
    pub url: String,
    pub client_id: String,
    pub auth_key: Secret,
    pub image_registry: String,
    pub site_url: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawCalls {
    pub default_enabled: bool,
    pub group_calls_allowed: bool,
    pub host_controls_allowed: bool,
    pub max_participants: u32,
    pub allow_screen_sharing: bool,
    pub simulcast: bool,
    pub av1: bool,
    pub ringing: bool,
    pub dc_signaling: bool,
    pub video: bool,
    pub sku: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawRecording {
    pub enabled: bool,
    pub max_minutes: u32,
    pub quality: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawTranscribing {
    pub enabled: bool,
    pub model_size: String,
    pub threads: u32,
    pub captions_enabled: bool,
    pub captions_model_size: String,
    pub captions_transcribers: u32,
    pub captions_threads_per_transcriber: u32,
    pub captions_language: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawIce {
    pub servers: Vec<IceServer>,
    pub turn_secret: Secret,
    pub turn_credentials_minutes: u64,
}

impl Default for RawHttp {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8065".to_owned(),
            site_url: String::new(),
            metrics_listen: String::new(),
            max_connections: 8192,
            max_connections_per_address: 2048,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Default for RawStorage {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data/signalling"),
            database: String::new(),
            database_password_file: PathBuf::new(),
            key_file: PathBuf::new(),
        }
    }
}

impl Default for RawChat {
    fn default() -> Self {
        Self {
            site_name: "Parley".to_owned(),
            open_registration: false,
            login_lifetime_hours: 30 * 24,
            min_password_chars: 12,
            max_file_bytes: 2 * 1024 * 1024 * 1024,
            writes_per_minute: 600,
            allowed_origins: Vec::new(),
        }
    }
}

impl Default for RawRtcd {
    fn default() -> Self {
        Self {
            urls: vec!["http://127.0.0.1:8045".to_owned()],
            client_id: String::new(),
            auth_key: Secret::default(),
        }
    }
}

impl Default for RawOffloader {
    fn default() -> Self {
        Self {
            url: String::new(),
            client_id: String::new(),
            auth_key: Secret::default(),
            image_registry: "mattermost".to_owned(),
            site_url: String::new(),
        }
    }
}

impl Default for RawCalls {
    fn default() -> Self {
        Self {
            default_enabled: true,
            group_calls_allowed: true,
            host_controls_allowed: true,
            max_participants: 0,
            allow_screen_sharing: true,
            simulcast: false,
            av1: false,
            ringing: false,
            dc_signaling: true,
            video: false,
            sku: "enterprise".to_owned(),
        }
    }
}

impl Default for RawRecording {
    fn default() -> Self {
        Self {
            enabled: true,
            max_minutes: 60,
            quality: "medium".to_owned(),
        }
    }
}

impl Default for RawTranscribing {
    fn default() -> Self {
        Self {
            enabled: true,
            model_size: "base".to_owned(),
            threads: 2,
            captions_enabled: true,
            captions_model_size: "tiny".to_owned(),
            captions_transcribers: 1,
            captions_threads_per_transcriber: 2,
            captions_language: "en".to_owned(),
        }
    }
}

impl Default for RawIce {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            turn_secret: Secret::default(),
            turn_credentials_minutes: 240,
        }
    }
}

impl RawConfig {
    /// Reads a file (none: the defaults) and lets `environment` overrule it.
    ///
    /// # Errors
    /// When the file or a variable cannot be read.
    pub fn load(
        file: Option<&Path>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Self> {
        Self::read(&text_of(file)?, environment)
    }

    /// Reads the text of a file and lets `environment` overrule it.
    ///
    /// # Errors
    /// When the text is no TOML, or with every key and variable that cannot be read.
    pub fn read(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let (raw, problems) = Self::sift(text, environment)?;
        anyhow::ensure!(problems.is_empty(), ConfigErrors(problems));
        Ok(raw)
    }

    /// Reads what can be read, and says what cannot.
    pub(super) fn sift(
        text: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> anyhow::Result<(Self, Vec<ConfigError>)> {
        let mut table: toml::Table = text.parse().context("read configuration")?;
        let variables = keys::overlay(&mut table, environment);
        let known: Vec<&str> = keys::KEYS.iter().map(|(key, _, _)| *key).collect();
        let written = service::settings::sift::<Self>(&mut table, &known);
        let texts = written.into_iter().chain(variables);
        let problems = texts.map(ConfigError::Unreadable).collect();
        let raw = table.try_into().context("read configuration")?;
        Ok((raw, problems))
    }

    /// Writes what is in force as a file, secrets hidden.
    #[must_use]
    pub fn to_toml(mut self) -> String {
        let secrets = [
            &mut self.files.secret_key,
            &mut self.rtcd.auth_key,
            &mut self.offloader.auth_key,
            &mut self.ice.turn_secret,
        ];
        for secret in secrets {
            if !secret.is_empty() {
                *secret = Secret::new("(set)");
            }
        }
        let others = [&mut self.offloader.url, &mut self.storage.database];
        for url in self.rtcd.urls.iter_mut().chain(others) {
            if let Some((scheme, host)) = url
                .split_once("://")
                .and_then(|(s, rest)| Some((s, rest.rsplit_once('@')?.1)))
            {
                *url = format!("{scheme}://(set)@{host}");
            }
        }
        toml::to_string_pretty(&self).unwrap_or_default()
    }
}

/// The text of a file; none: an empty one.
pub(super) fn text_of(file: Option<&Path>) -> anyhow::Result<String> {
    let Some(path) = file else {
        return Ok(String::new());
    };
    std::fs::read_to_string(path)
        .with_context(|| format!("read configuration `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn all_problems_are_told_at_once() {
        let raw: RawConfig = toml::from_str(
            "[http]\nlisten = \"nowhere\"\nsite_url = \"http://0.0.0.0:8065\"\nmax_connections = 0\n\
             metrics_listen = \"everywhere\"\ntrusted_proxies = [\"10.0.0.0/33\"]\n[rtcd]\nurls = []\nauth_key = \"short\"\n\
             [recording]\nquality = \"best\"\nmax_minutes = 5\n[transcribing]\nmodel_size = \"giant\"",
        )
        .unwrap();
        let errors = raw.resolve().unwrap_err();
        assert_eq!(errors.0.len(), 10, "{errors}");
    }

    #[test]
    fn kinds_names_and_values_that_are_wrong_are_told_together() {
        let text = "[http]\nlisten = \"nowhere\"\n[calls]\nvidoe = true\nav1 = \"yes\"\n\
            max_participants = -1\n[rtcd]\nauth_key = 7\n[recordings]\nenabled = true\n";
        let environment = |name: &str| {
            (name == "SIGNALLING_CHAT_OPEN_REGISTRATION").then(|| "perhaps".to_owned())
        };
        let error = Config::read(text, &environment).unwrap_err().to_string();
        for part in [
            "has 7 problem(s)",
            "`http.listen` is `nowhere`",
            "`calls.vidoe`: there is no such key; did you mean `calls.video`?",
            "`calls.av1` is `\"yes\"`: ",
            "`calls.max_participants` is `-1`: ",
            "`rtcd.auth_key` (not shown) is a integer",
            "`recordings.enabled`: there is no such key; did you mean `recording.enabled`?",
            "SIGNALLING_CHAT_OPEN_REGISTRATION`: `perhaps`",
        ] {
            assert!(error.contains(part), "{part} is missing: {error}");
        }
    }

    #[test]
    fn misspelt_variables_are_told() {
        let names = [
            "SIGNALLING_CALLS_VIDOE",
            "SIGNALLING_LOG",
            "MM_CALLS_ENABLE_VIDO",
            "HOME",
        ];
        assert_eq!(
            keys::unknown_names(names.map(str::to_owned)),
            [
                "unknown environment name `MM_CALLS_ENABLE_VIDO` ignored; did you mean \
                 `MM_CALLS_ENABLE_VIDEO`?",
                "unknown environment name `SIGNALLING_CALLS_VIDOE` ignored; did you mean \
                 `SIGNALLING_CALLS_VIDEO`?",
            ]
        );
    }

    #[test]
    fn the_environment_overrules_the_file_and_the_own_name_the_reference_one() {
        let environment = |name: &str| match name {
            "MM_CALLS_ENABLE_VIDEO" | "SIGNALLING_CALLS_AV1" => Some("true".to_owned()),
            "MM_CALLS_ENABLE_AV1" => Some("false".to_owned()),
            "MM_CALLS_RTCD_SERVICE_URL" => Some("http://me:secret@10.0.0.1:8045".to_owned()),
            _ => None,
        };
        let config = Config::load(None, &environment).unwrap();
        assert!(config.calls.video && config.calls.av1);
        let host = config.rtcd.hosts.first().unwrap();
        assert_eq!(host.base, "http://10.0.0.1:8045");
        assert_eq!(host.client_id.as_deref(), Some("me"));
    }

    #[test]
    fn the_sample_names_every_key_with_its_default() {
        let sample = include_str!("../../../../deploy/signalling.toml");
        let parsed: RawConfig = toml::from_str(sample).unwrap();
        assert_eq!(parsed, RawConfig::default());
        let table: toml::Table = sample.parse().unwrap();
        for (key, _, _) in keys::KEYS {
            let (section, name) = key.split_once('.').unwrap();
            assert!(
                table[section].as_table().unwrap().contains_key(name),
                "`{key}` is missing"
            );
        }
    }

    #[test]
    fn printed_configuration_hides_secrets() {
        let mut raw = RawConfig::default();
        raw.rtcd.auth_key = Secret::new("k".repeat(32));
        raw.rtcd.urls = vec!["http://me:hidden@media:8045".to_owned()];
        raw.storage.database = "postgres://me:hidden@db/parley".to_owned();
        let printed = raw.to_toml();
        assert!(
            !printed.contains("kkk") && !printed.contains("hidden"),
            "{printed}"
        );
        assert!(printed.contains("(set)@media:8045"), "{printed}");
        assert!(printed.contains("(set)@db/parley"), "{printed}");
    }

    #[test]
    fn an_unreadable_variable_is_named() {
        let environment =
            |name: &str| (name == "MM_CALLS_ENABLE_VIDEO").then(|| "perhaps".to_owned());
        let error = Config::load(None, &environment).unwrap_err().to_string();
        assert!(
            error.contains("MM_CALLS_ENABLE_VIDEO") && error.contains("perhaps"),
            "{error}"
        );
    }
}
