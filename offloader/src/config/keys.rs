//! The configuration keys: their paths in the TOML file, their environment names, their kinds and
//! defaults; and how a file and an environment become one map of values.
//!
//! In: TOML text, environment variables. Out: a value for every key, and every problem met.
//! Not here: what the values mean together (`config`).
//! Invariant: a key that is absent from the file has its default, whether or not a file exists.

use std::collections::BTreeMap;

use super::Problem;

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Flag,
    Number,
    /// A list of words; in the environment separated by spaces.
    Words,
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Dotted path in the TOML file.
    pub path: &'static str,
    pub kind: Kind,
    /// The default, written as in the environment.
    pub default: &'static str,
    /// Accepted and without effect here.
    pub ignored: bool,
    /// Never shown.
    pub secret: bool,
}

impl Key {
    /// The environment name: the path in capitals, without the underscores inside words.
    pub fn env(&self) -> String {
        self.path
            .split('.')
            .map(|word| word.replace('_', "").to_ascii_uppercase())
            .collect::<Vec<_>>()
            .join("_")
    }
}

const fn key(path: &'static str, kind: Kind, default: &'static str) -> Key {
    Key {
        path,
        kind,
        default,
        ignored: false,
        secret: false,
    }
}

const fn ignored(path: &'static str, kind: Kind, default: &'static str) -> Key {
    Key {
        path,
        kind,
        default,
        ignored: true,
        secret: false,
    }
}

/// Every key that may stand in a file.
pub const KEYS: &[Key] = &[
    key("api.http.listen_address", Kind::Text, ":4545"),
    key("api.http.tls.enable", Kind::Flag, "false"),
    key("api.http.tls.cert_file", Kind::Text, ""),
    key("api.http.tls.cert_key", Kind::Text, ""),
    key("api.security.allow_self_registration", Kind::Flag, "false"),
    key("api.security.enable_admin", Kind::Flag, "false"),
    Key {
        path: "api.security.admin_secret_key",
        kind: Kind::Text,
        default: "",
        ignored: false,
        secret: true,
    },
    key(
        "api.security.session_cache.expiration_minutes",
        Kind::Number,
        "1440",
    ),
    key("store.data_source", Kind::Text, "/tmp/calls-offloader-db"),
    Key {
        path: "store.database",
        kind: Kind::Text,
        default: "",
        ignored: false,
        secret: true,
    },
    key("store.database_password_file", Kind::Text, ""),
    key("store.key_file", Kind::Text, ""),
    ignored("jobs.api_type", Kind::Text, "docker"),
    key("jobs.max_concurrent_jobs", Kind::Number, "2"),
    key("jobs.max_concurrent_jobs_per_client", Kind::Number, "0"),
    key("jobs.longest_job_time", Kind::Text, "12h"),
    key("jobs.allowed_sites", Kind::Words, ""),
    key("jobs.failed_jobs_retention_time", Kind::Text, ""),
    key("jobs.done_jobs_retention_time", Kind::Text, ""),
    key("jobs.image_registry", Kind::Text, "mattermost"),
    key("jobs.worker_command", Kind::Words, ""),
    key("jobs.docker.output_logs", Kind::Flag, "false"),
    ignored("jobs.kubernetes.jobs_resource_requirements", Kind::Text, ""),
    ignored(
        "jobs.kubernetes.persistent_volume_claim_name",
        Kind::Text,
        "",
    ),
    ignored("jobs.kubernetes.node_sysctls", Kind::Text, ""),
    key("speech.models_dir", Kind::Text, ""),
    key("speech.model", Kind::Text, ""),
    key("speech.threads", Kind::Number, "1"),
    key("speech.command", Kind::Words, ""),
    key("logger.enable_console", Kind::Flag, "true"),
    key("logger.console_json", Kind::Flag, "false"),
    key("logger.console_level", Kind::Text, "INFO"),
    key("logger.enable_file", Kind::Flag, "false"),
    key("logger.file_json", Kind::Flag, "true"),
    key("logger.file_level", Kind::Text, "DEBUG"),
    key("logger.file_location", Kind::Text, "calls-offloader.log"),
    key("logger.enable_color", Kind::Flag, "false"),
];

/// Environment names of the reference that have no meaning here.
pub const IGNORED_ENV: [&str; 6] = [
    "K8S_NAMESPACE",
    "K8S_JOB_POD_TOLERATIONS",
    "K8S_JOB_POD_TOLERATIONS_FILE",
    "SECURITY_CONTEXT_PRIVILEGED",
    "DOCKER_NETWORK",
    "HOST_IP",
];

/// A value for every key of [`KEYS`], as text; and the paths that were set by somebody.
#[derive(Debug, Clone, Default)]
pub struct Values {
    by_path: BTreeMap<&'static str, String>,
    pub set: Vec<&'static str>,
}

impl Values {
    /// Reads file and environment; the environment weighs more.
    pub fn read(
        file: Option<&str>,
        env: &dyn Fn(&str) -> Option<String>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut values = Self::default();
        for key in KEYS {
            values.by_path.insert(key.path, key.default.to_owned());
        }
        if let Some(text) = file {
            match text.parse::<toml::Table>() {
                Ok(table) => values.take_table("", &table, problems),
                Err(error) => problems.push(Problem {
                    key: "(file)".into(),
                    value: error.message().to_owned(),
                    rule: "a TOML file".into(),
                }),
            }
        }
        for key in KEYS {
            if let Some(text) = env(&key.env()) {
                values.take(key, text, problems);
            }
        }
        values
    }

    pub fn text(&self, path: &str) -> &str {
        self.by_path.get(path).map_or("", String::as_str)
    }

    pub fn flag(&self, path: &str) -> bool {
        self.text(path) == "true"
    }

    pub fn number(&self, path: &str) -> u64 {
        self.text(path).parse().unwrap_or(0)
    }

    pub fn words(&self, path: &str) -> Vec<String> {
        self.text(path)
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    }

    fn take_table(&mut self, prefix: &str, table: &toml::Table, problems: &mut Vec<Problem>) {
        for (name, value) in table {
            let path = if prefix.is_empty() {
                name.clone()
            } else {
                format!("{prefix}.{name}")
            };
            if let toml::Value::Table(inner) = value {
                self.take_table(&path, inner, problems);
                continue;
            }
            match KEYS.iter().find(|key| key.path == path) {
                Some(key) => self.take(key, plain(value), problems),
                None => problems.push(Problem {
                    key: path,
                    value: plain(value),
                    rule: "no such key; see deploy/offloader.toml".into(),
                }),
            }
        }
    }

    fn take(&mut self, key: &Key, text: String, problems: &mut Vec<Problem>) {
        let rule = match key.kind {
            Kind::Text | Kind::Words => None,
            Kind::Flag if matches!(text.as_str(), "true" | "false") => None,
            Kind::Flag => Some("true or false"),
            Kind::Number if text.parse::<u64>().is_ok() => None,
            Kind::Number => Some("a whole number, 0 or more"),
        };
        if let Some(rule) = rule {
            let value = if key.secret {
                "(not shown)".to_owned()
            } else {
                text
            };
            problems.push(Problem {
                key: key.path.into(),
                value,
                rule: rule.into(),
            });
            return;
        }
        self.by_path.insert(key.path, text);
        if !self.set.contains(&key.path) {
            self.set.push(key.path);
        }
    }
}

fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(flag) => flag.to_string(),
        toml::Value::Datetime(time) => time.to_string(),
        toml::Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        toml::Value::Table(_) => String::new(),
    }
}
