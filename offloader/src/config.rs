//! What an operator can decide: read from a TOML file and the environment, checked as a whole.
//!
//! In: file text, environment. Out: `Config`, or **every** problem at once.
//! Names and defaults are those of the reference job service, plus `speech.*` and
//! `jobs.worker_command`. Keys that only make sense with containers are accepted with a warning.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::redact::Secret;
use service::telemetry::{self, Console, Log, LogFile, Stream};
use storage::Location;
use tracing::Level;

pub mod keys;

pub use keys::unknown_names;
use keys::{IGNORED_ENV, KEYS, Values};

/// What `jobs.longest_job_time` says by default: twice the longest recording a plugin asks for.
const LONGEST_JOB: Duration = Duration::from_secs(12 * 3600);

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: `{value}`: {rule}")]
pub struct Problem {
    /// Path in the file.
    pub key: String,
    /// What stands there; never a secret.
    pub value: String,
    /// What would be accepted.
    pub rule: String,
}

/// Everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} in the configuration:\n{}", count(.0.len()), lines(.0))]
pub struct ConfigProblems(pub Vec<Problem>);

/// The configuration, usable.
#[derive(Debug, Clone)]
pub struct Config {
    /// `host:port`; port 0 takes any free one.
    pub listen_address: String,
    /// Certificate chain and key, both PEM.
    pub tls: Option<TlsFiles>,
    pub allow_self_registration: bool,
    /// Set when the administrator may sign in with it.
    pub admin_secret_key: Option<Secret>,
    /// How long a bearer token lives.
    pub session_lifetime: Duration,
    /// Holds the database, the key that seals secrets, and a folder per job.
    pub data_dir: PathBuf,
    /// The server of the database; `None`: a SQLite file in `data_dir`.
    pub database: Option<Location>,
    /// The key that seals secrets; `None`: `secret.key` in `data_dir`.
    pub key_file: Option<PathBuf>,
    /// Jobs whose worker has not ended; more are refused.
    pub max_concurrent_jobs: usize,
    /// Of those, how many may be one client's; 0: all.
    pub max_concurrent_jobs_per_client: usize,
    /// Longest `max_duration_sec` accepted.
    pub longest_job: Duration,
    /// Sites that jobs may name as `site_url`, as `scheme://host[:port]`; empty: any.
    pub allowed_sites: Vec<String>,
    /// How long the folder of a failed job is kept; `None`: for ever.
    pub failed_jobs_retention: Option<Duration>,
    /// How long the folder and the record of a job that was handed in are kept; `None`: not at all.
    pub done_jobs_retention: Option<Duration>,
    pub image_registry: String,
    /// Off in development: any runner name is accepted.
    pub validate_runners: bool,
    /// Program and first arguments of a worker; empty: this program with `worker`.
    pub worker_command: Vec<String>,
    /// Repeats the workers' log lines in the service's log.
    pub output_logs: bool,
    pub speech: SpeechConfig,
    pub logger: LoggerConfig,
    /// Remarks for the operator.
    pub warnings: Vec<String>,
}

/// Files of the HTTPS server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

/// Where speech models are and which one is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpeechConfig {
    /// Folder of models; by default where `models pull` puts them.
    pub models_dir: PathBuf,
    /// Name of the model, such as `tiny.en`; empty: what a job asks for, else what is there.
    pub model: String,
    /// Threads for one window of sound.
    pub threads: u32,
    /// Program and first arguments of the speech process; empty: this program with `speech`.
    pub command: Vec<String>,
}

/// Where log lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggerConfig {
    pub console: bool,
    pub console_json: bool,
    pub console_level: Level,
    pub file: Option<PathBuf>,
    pub file_json: bool,
    pub file_level: Level,
    pub color: bool,
}

impl LoggerConfig {
    /// As every process starts its log.
    #[must_use]
    pub fn log(&self) -> Log {
        Log {
            console: self.console.then_some(Console {
                stream: Stream::Error,
                json: self.console_json,
                level: self.console_level,
                color: self.color,
            }),
            file: self.file.as_ref().map(|path| LogFile {
                path: path.clone(),
                json: self.file_json,
                level: self.file_level,
            }),
            asked: telemetry::asked(telemetry::VARIABLE),
        }
    }
}

impl Default for Config {
    /// What an empty file and an empty environment give.
    fn default() -> Self {
        let mut problems = Vec::new();
        let values = Values::read(None, &|_| None, &mut problems);
        resolve(&values, &|_| None, &mut problems)
    }
}

impl Config {
    /// Reads file text (if there is a file) and environment.
    ///
    /// # Errors
    /// Every key that cannot be used.
    pub fn read(
        file: Option<&str>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigProblems> {
        let mut problems = Vec::new();
        let values = Values::read(file, env, &mut problems);
        let config = resolve(&values, env, &mut problems);
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigProblems(problems))
        }
    }

    /// Renders the effective configuration as TOML, secrets hidden.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn render(
        file: Option<&str>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<String, ConfigProblems> {
        Self::read(file, env)?;
        let values = Values::read(file, env, &mut Vec::new());
        let mut out = String::new();
        let mut section = "";
        for key in KEYS {
            let (path, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
            if path != section {
                out.push_str(&format!(
                    "{}[{path}]\n",
                    if section.is_empty() { "" } else { "\n" }
                ));
                section = path;
            }
            let value = match key.kind {
                keys::Kind::Flag | keys::Kind::Number => values.text(key.path).to_owned(),
                keys::Kind::Text if key.secret && !values.text(key.path).is_empty() => {
                    format!("\"{}\"", Secret::new(values.text(key.path)))
                }
                keys::Kind::Text => toml::Value::from(values.text(key.path)).to_string(),
                keys::Kind::Words => toml::Value::from(values.words(key.path)).to_string(),
            };
            out.push_str(&format!("{name} = {value}\n"));
        }
        Ok(out)
    }
}

fn resolve(
    values: &Values,
    env: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) -> Config {
    let data_dir = PathBuf::from(values.text("store.data_source"));
    if data_dir.as_os_str().is_empty() {
        problem(problems, "store.data_source", "", "a folder");
    }
    let minutes = positive(
        values,
        "api.security.session_cache.expiration_minutes",
        problems,
    );
    let development = ["DEV_MODE", "TEST_MODE"]
        .iter()
        .any(|name| env(name).is_some_and(|text| is_true(&text)));
    let models_dir = match values.text("speech.models_dir") {
        "" => crate::models::default_dir(),
        text => PathBuf::from(text),
    };
    Config {
        listen_address: listen_address(values, problems),
        tls: tls(values, problems),
        allow_self_registration: values.flag("api.security.allow_self_registration"),
        admin_secret_key: admin(values, problems),
        session_lifetime: Duration::from_secs(minutes.saturating_mul(60)),
        max_concurrent_jobs: usize::try_from(positive(
            values,
            "jobs.max_concurrent_jobs",
            problems,
        ))
        .unwrap_or(usize::MAX),
        max_concurrent_jobs_per_client: usize::try_from(
            values.number("jobs.max_concurrent_jobs_per_client"),
        )
        .unwrap_or(usize::MAX),
        longest_job: span(values, "jobs.longest_job_time", problems).unwrap_or(LONGEST_JOB),
        allowed_sites: allowed_sites(values, problems),
        failed_jobs_retention: span(values, "jobs.failed_jobs_retention_time", problems),
        done_jobs_retention: span(values, "jobs.done_jobs_retention_time", problems),
        image_registry: values.text("jobs.image_registry").to_owned(),
        validate_runners: !development,
        worker_command: values.words("jobs.worker_command"),
        output_logs: values.flag("jobs.docker.output_logs"),
        speech: SpeechConfig {
            models_dir,
            model: values.text("speech.model").to_owned(),
            threads: u32::try_from(positive(values, "speech.threads", problems))
                .unwrap_or(u32::MAX),
            command: values.words("speech.command"),
        },
        logger: logger(values, problems),
        warnings: warnings(values, env, development),
        data_dir,
        database: database(values, problems),
        key_file: Some(PathBuf::from(values.text("store.key_file")))
            .filter(|path| !path.as_os_str().is_empty()),
    }
}

fn database(values: &Values, problems: &mut Vec<Problem>) -> Option<Location> {
    let file = Path::new(values.text("store.database_password_file"));
    match Location::server(values.text("store.database"), file) {
        Ok(location) => location,
        Err(error) => {
            problem(
                problems,
                "store.database",
                "(not shown)",
                &error.to_string(),
            );
            None
        }
    }
}

fn listen_address(values: &Values, problems: &mut Vec<Problem>) -> String {
    let path = "api.http.listen_address";
    let text = values.text(path);
    let Some((host, port)) = text.rsplit_once(':') else {
        problem(problems, path, text, "`host:port` or `:port`");
        return String::new();
    };
    if port.parse::<u16>().is_err() {
        problem(
            problems,
            path,
            text,
            "a port from 0 to 65535 after the colon",
        );
    }
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    format!("{host}:{port}")
}

fn tls(values: &Values, problems: &mut Vec<Problem>) -> Option<TlsFiles> {
    if !values.flag("api.http.tls.enable") {
        return None;
    }
    for path in ["api.http.tls.cert_file", "api.http.tls.cert_key"] {
        if values.text(path).is_empty() {
            problem(
                problems,
                path,
                "",
                "a PEM file, because api.http.tls.enable is true",
            );
        }
    }
    Some(TlsFiles {
        cert_file: PathBuf::from(values.text("api.http.tls.cert_file")),
        key_file: PathBuf::from(values.text("api.http.tls.cert_key")),
    })
}

fn admin(values: &Values, problems: &mut Vec<Problem>) -> Option<Secret> {
    if !values.flag("api.security.enable_admin") {
        return None;
    }
    let path = "api.security.admin_secret_key";
    if values.text(path).is_empty() {
        problem(
            problems,
            path,
            "",
            "a secret, because api.security.enable_admin is true",
        );
    }
    Some(Secret::new(values.text(path)))
}

/// `30d`, `12h`, `90m`; `None` when empty or wrong.
fn span(values: &Values, path: &str, problems: &mut Vec<Problem>) -> Option<Duration> {
    let text = values.text(path);
    if text.is_empty() {
        return None;
    }
    let seconds_each = match text.chars().last() {
        Some('m') => Some(60),
        Some('h') => Some(3600),
        Some('d') => Some(86_400),
        Some(_) | None => None,
    };
    let digits = text.trim_end_matches(['m', 'h', 'd']);
    let whole = text.len() == digits.len() + 1 && digits.bytes().all(|b| b.is_ascii_digit());
    let seconds = seconds_each
        .filter(|_| whole)
        .and_then(|each: u64| digits.parse::<u64>().ok()?.checked_mul(each))
        .filter(|seconds| *seconds > 0);
    if seconds.is_none() {
        problem(
            problems,
            path,
            text,
            "a whole number of minutes, hours or days: 30m, 12h, 30d",
        );
    }
    seconds.map(Duration::from_secs)
}

/// Sites as their origins, so that `https://Chat.example/` and `https://chat.example:443` are one.
fn allowed_sites(values: &Values, problems: &mut Vec<Problem>) -> Vec<String> {
    let path = "jobs.allowed_sites";
    let mut sites = Vec::new();
    for site in values.words(path) {
        match crate::sites::origin(&site) {
            Some(origin) => sites.push(origin),
            None => problem(
                problems,
                path,
                &site,
                "http(s)://host[:port] without a path",
            ),
        }
    }
    sites
}

fn logger(values: &Values, problems: &mut Vec<Problem>) -> LoggerConfig {
    let mut level = |path| {
        let text = values.text(path);
        text.parse().unwrap_or_else(|_| {
            let rule = "one of ERROR, WARN, INFO, DEBUG, TRACE";
            problem(problems, path, text, rule);
            Level::INFO
        })
    };
    let (console_level, file_level) = (level("logger.console_level"), level("logger.file_level"));
    let console = values.flag("logger.enable_console");
    let file = values.flag("logger.enable_file");
    if !console && !file {
        let rule = "console or file must be on (logger.enable_file)";
        problem(problems, "logger.enable_console", "false", rule);
    }
    LoggerConfig {
        console,
        console_json: values.flag("logger.console_json"),
        console_level,
        file: file.then(|| PathBuf::from(values.text("logger.file_location"))),
        file_json: values.flag("logger.file_json"),
        file_level,
        color: values.flag("logger.enable_color"),
    }
}

fn warnings(
    values: &Values,
    env: &dyn Fn(&str) -> Option<String>,
    development: bool,
) -> Vec<String> {
    let mut warnings: Vec<String> = KEYS
        .iter()
        .filter(|key| key.ignored && values.set.contains(&key.path))
        .map(|key| {
            format!(
                "{} has no effect: jobs run as processes of this service",
                key.path
            )
        })
        .collect();
    let ignored = IGNORED_ENV.iter().filter(|name| env(name).is_some());
    warnings.extend(ignored.map(|name| format!("{name} has no effect: no containers are used")));
    if development {
        warnings.push("DEV_MODE or TEST_MODE is on: runner names are not checked".to_owned());
    }
    warnings
}

fn positive(values: &Values, path: &'static str, problems: &mut Vec<Problem>) -> u64 {
    let number = values.number(path);
    if number == 0 && !problems.iter().any(|problem| problem.key == path) {
        problem(problems, path, values.text(path), "1 or more");
    }
    number.max(1)
}

fn problem(problems: &mut Vec<Problem>, key: &str, value: &str, rule: &str) {
    problems.push(Problem {
        key: key.into(),
        value: value.into(),
        rule: rule.into(),
    });
}

fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text == "1"
}

fn count(problems: usize) -> String {
    if problems == 1 {
        "1 problem".to_owned()
    } else {
        format!("{problems} problems")
    }
}

fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| format!("  {problem}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_env(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn defaults_hold_per_key_even_when_a_file_exists() {
        let config = Config::read(Some("[jobs]\nimage_registry = \"x\"\n"), &no_env).unwrap();
        assert_eq!(config.listen_address, "0.0.0.0:4545");
        assert_eq!(
            (config.max_concurrent_jobs, config.image_registry.as_str()),
            (2, "x")
        );
        assert_eq!(config.session_lifetime, Duration::from_secs(86_400));
    }

    #[test]
    fn environment_names_are_those_of_the_reference() {
        let names: Vec<_> = KEYS.iter().map(keys::Key::env).collect();
        for name in [
            "API_HTTP_LISTENADDRESS",
            "API_HTTP_TLS_CERTKEY",
            "API_SECURITY_ALLOWSELFREGISTRATION",
            "API_SECURITY_SESSIONCACHE_EXPIRATIONMINUTES",
            "STORE_DATASOURCE",
            "JOBS_MAXCONCURRENTJOBS",
            "JOBS_FAILEDJOBSRETENTIONTIME",
            "LOGGER_ENABLECONSOLE",
        ] {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
        let env = |name: &str| (name == "JOBS_MAXCONCURRENTJOBS").then(|| "7".to_owned());
        let config = Config::read(Some("[jobs]\nmax_concurrent_jobs = 3\n"), &env).unwrap();
        assert_eq!(config.max_concurrent_jobs, 7);
    }

    #[test]
    fn all_problems_are_told_at_once_and_no_secret() {
        let file = concat!(
            "[api.http]\nlisten_address = \"nowhere\"\n",
            "[api.http.tls]\nenable = true\n",
            "[api.security]\nenable_admin = true\n",
            "[jobs]\nmax_concurrent_jobs = 0\nfailed_jobs_retention_time = \"3d5h\"\n",
            "colour = \"red\"\n[logger]\nconsole_level = \"LOUD\"\n"
        );
        let problems = Config::read(Some(file), &no_env).unwrap_err().0;
        let mut keys: Vec<_> = problems
            .iter()
            .map(|problem| problem.key.as_str())
            .collect();
        keys.sort_unstable();
        let expected = [
            "api.http.listen_address",
            "api.http.tls.cert_file",
            "api.http.tls.cert_key",
            "api.security.admin_secret_key",
            "jobs.colour",
            "jobs.failed_jobs_retention_time",
            "jobs.max_concurrent_jobs",
            "logger.console_level",
        ];
        assert_eq!(keys, expected);
    }

    #[test]
    fn retention_takes_one_number_and_one_unit() {
        for (text, seconds) in [("1m", 60), ("2h", 7200), ("30d", 2_592_000)] {
            let file = format!("[jobs]\nfailed_jobs_retention_time = \"{text}\"\n");
            let config = Config::read(Some(&file), &no_env).unwrap();
            assert_eq!(
                config.failed_jobs_retention,
                Some(Duration::from_secs(seconds))
            );
        }
        for text in ["0m", "5s", "d", "1h30m", "-1d", "1 d"] {
            let file = format!("[jobs]\nfailed_jobs_retention_time = \"{text}\"\n");
            assert!(Config::read(Some(&file), &no_env).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_printed_can_be_read_again_and_hides_the_secret() {
        let file = "[api.security]\nenable_admin = true\nadmin_secret_key = \"hush hush\"\n";
        let text = Config::render(Some(file), &no_env).unwrap();
        assert!(!text.contains("hush"));
        Config::read(Some(&text), &no_env).unwrap();
    }

    #[test]
    fn the_sample_file_is_readable_and_says_the_defaults() {
        let sample = include_str!("../../deploy/offloader.toml");
        let shown = Config::render(Some(sample), &no_env).unwrap();
        assert_eq!(shown, Config::render(None, &no_env).unwrap());
        for key in KEYS {
            let name = key.path.rsplit('.').next().unwrap();
            assert!(sample.contains(name), "{} is not explained", key.path);
        }
    }
}
