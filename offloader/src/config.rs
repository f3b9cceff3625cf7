//! What an operator can decide: read from a TOML file and the environment, checked as a whole.
//!
//! In: the keys (`raw`), read by `settings`. Out: `Config`, or **every** problem at once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::redact::Secret;
use service::telemetry::{self, Console, Log, LogFile, Stream};
use settings::{Check, Origin, Problems, Read};
use storage::Location;
use tracing::Level;

use crate::jobs::cost::Cores;
use crate::order::Look;
use crate::text::TextOrder;

mod raw;
mod text;

pub use raw::Raw;

/// What `jobs.longest_job_time` says by default: twice the longest recording a plugin asks for.
const LONGEST_JOB: Duration = Duration::from_secs(12 * 3600);

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
    /// Where archives of recordings are kept; `None`: none are made.
    pub archive_dir: Option<PathBuf>,
    /// The server of the database; `None`: a SQLite file in `data_dir`.
    pub database: Option<Location>,
    /// The key that seals secrets; `None`: `secret.key` in `data_dir`.
    pub key_file: Option<PathBuf>,
    /// Jobs whose worker has not ended; more are refused.
    pub max_concurrent_jobs: usize,
    /// Of those, how many may be one client's; 0: all.
    pub max_concurrent_jobs_per_client: usize,
    /// None: as many as the machine has.
    pub max_cores: Cores,
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
    /// What may be done with words besides writing them down.
    pub text: TextOrder,
    pub look: Look,
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
        let read = Read::of(Raw::default());
        make(&read, &mut read.check())
    }
}

impl Config {
    /// Makes a configuration of what was written.
    ///
    /// # Errors
    /// Every key that cannot be used.
    pub fn resolve(read: &Read<Raw>) -> Result<Self, Problems> {
        let mut check = read.check();
        let config = make(read, &mut check);
        check.done(config)
    }
}

fn make(read: &Read<Raw>, check: &mut Check<'_, Raw>) -> Config {
    let raw = &read.raw;
    let Raw {
        jobs,
        picture,
        speech,
        store,
        ..
    } = raw;
    let development = ["DEV_MODE", "TEST_MODE"]
        .iter()
        .any(|name| read.other(name).is_some_and(is_true));
    check.need("store.data_source", &store.data_source, "name a folder");
    let database = Location::server(&store.database, &store.database_password_file);
    Config {
        listen_address: match raw.http.listen_address.as_str() {
            port if port.starts_with(':') => format!("0.0.0.0{port}"),
            address => address.to_owned(),
        },
        tls: tls(raw, check),
        allow_self_registration: raw.security.allow_self_registration,
        admin_secret_key: admin(raw, check),
        session_lifetime: Duration::from_secs(u64::from(raw.session_cache.expiration_minutes) * 60),
        max_concurrent_jobs: jobs.max_concurrent_jobs,
        max_concurrent_jobs_per_client: jobs.max_concurrent_jobs_per_client,
        max_cores: jobs.max_cores.value,
        longest_job: jobs.longest_job_time.value.0.unwrap_or(LONGEST_JOB),
        // As their origins: `https://Chat.example/` and `https://chat.example:443` are one.
        allowed_sites: jobs
            .allowed_sites
            .0
            .iter()
            .filter_map(|site| crate::sites::origin(site))
            .collect(),
        failed_jobs_retention: jobs.failed_jobs_retention_time.value.0,
        done_jobs_retention: jobs.done_jobs_retention_time.value.0,
        image_registry: jobs.image_registry.clone(),
        validate_runners: !development,
        worker_command: jobs.worker_command.0.clone(),
        output_logs: raw.docker.output_logs,
        speech: SpeechConfig {
            models_dir: set(&speech.models_dir).unwrap_or_else(crate::models::default_dir),
            model: speech.model.clone(),
            threads: speech.threads,
            command: speech.command.0.clone(),
        },
        text: text::resolve(raw, check),
        look: Look {
            fonts: set(&picture.fonts_dir),
            utc_offset_minutes: picture.utc_offset.value.0,
            engine: picture.encoder.value.0,
        },
        logger: logger(raw, check),
        warnings: warnings(read, development),
        data_dir: store.data_source.clone(),
        archive_dir: set(&store.archive_dir),
        database: check.accept("store.database", database).flatten(),
        key_file: set(&store.key_file),
    }
}

/// A path, unless it is empty.
fn set(path: &Path) -> Option<PathBuf> {
    Some(path.to_owned()).filter(|path| !path.as_os_str().is_empty())
}

fn tls(raw: &Raw, check: &mut Check<'_, Raw>) -> Option<TlsFiles> {
    if !raw.tls.enable {
        return None;
    }
    let rule = "name a PEM file, because api.http.tls.enable is true";
    check.need("api.http.tls.cert_file", &raw.tls.cert_file, rule);
    check.need("api.http.tls.cert_key", &raw.tls.cert_key, rule);
    Some(TlsFiles {
        cert_file: raw.tls.cert_file.clone(),
        key_file: raw.tls.cert_key.clone(),
    })
}

fn admin(raw: &Raw, check: &mut Check<'_, Raw>) -> Option<Secret> {
    if !raw.security.enable_admin {
        return None;
    }
    let secret = &raw.security.admin_secret_key;
    let rule = "set a secret, because api.security.enable_admin is true";
    check.need("api.security.admin_secret_key", secret.expose(), rule);
    Some(secret.clone())
}

/// One that could not be read has its problem already.
fn level(text: &str) -> Level {
    text.parse().unwrap_or(Level::INFO)
}

fn logger(raw: &Raw, check: &mut Check<'_, Raw>) -> LoggerConfig {
    let logger = &raw.logger;
    if !logger.enable_console && !logger.enable_file {
        let rule = "console or file must be on (logger.enable_file)";
        check.refuse("logger.enable_console", rule);
    }
    LoggerConfig {
        console: logger.enable_console,
        console_json: logger.console_json,
        console_level: level(&logger.console_level),
        file: logger.enable_file.then(|| logger.file_location.clone()),
        file_json: logger.file_json,
        file_level: level(&logger.file_level),
        color: logger.enable_color,
    }
}

fn warnings(read: &Read<Raw>, development: bool) -> Vec<String> {
    let idle = raw::IDLE
        .iter()
        .filter(|path| read.origin(path) != Origin::Default);
    let mut warnings: Vec<String> = idle
        .map(|path| format!("{path} has no effect: jobs run as processes of this service"))
        .collect();
    if development {
        warnings.push("DEV_MODE or TEST_MODE is on: runner names are not checked".to_owned());
    }
    warnings
}

fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text == "1"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, environment: &[(&str, &str)]) -> Read<Raw> {
        Read::text(text, &environment.iter().copied().collect()).unwrap()
    }

    fn resolve(text: &str) -> Result<Config, Problems> {
        Config::resolve(&read(text, &[]))
    }

    #[test]
    fn defaults_hold_per_key_even_when_a_file_exists() {
        let config = resolve("[jobs]\nimage_registry = \"x\"\n").unwrap();
        assert_eq!(config.listen_address, "0.0.0.0:4545");
        assert_eq!(
            (config.max_concurrent_jobs, config.image_registry.as_str()),
            (2, "x")
        );
        assert_eq!(config.session_lifetime, Duration::from_secs(86_400));
    }

    #[test]
    fn environment_names_are_those_of_the_reference() {
        for (name, path, value) in [
            ("API_HTTP_LISTENADDRESS", "api.http.listen_address", ":1"),
            ("API_HTTP_TLS_CERTKEY", "api.http.tls.cert_key", "k"),
            (
                "API_SECURITY_ALLOWSELFREGISTRATION",
                "api.security.allow_self_registration",
                "true",
            ),
            (
                "API_SECURITY_SESSIONCACHE_EXPIRATIONMINUTES",
                "api.security.session_cache.expiration_minutes",
                "1",
            ),
            ("STORE_DATASOURCE", "store.data_source", "d"),
            ("JOBS_APITYPE", "jobs.api_type", "kubernetes"),
            ("JOBS_MAXCONCURRENTJOBS", "jobs.max_concurrent_jobs", "7"),
            (
                "JOBS_FAILEDJOBSRETENTIONTIME",
                "jobs.failed_jobs_retention_time",
                "30d",
            ),
            ("JOBS_IMAGEREGISTRY", "jobs.image_registry", "r"),
            ("JOBS_DOCKER_OUTPUTLOGS", "jobs.docker.output_logs", "true"),
            (
                "JOBS_KUBERNETES_NODESYSCTLS",
                "jobs.kubernetes.node_sysctls",
                "a=1",
            ),
            ("LOGGER_ENABLECONSOLE", "logger.enable_console", "false"),
        ] {
            let set = read("[jobs]\nmax_concurrent_jobs = 3\n", &[(name, value)]);
            assert_eq!(set.origin(path), Origin::Environment(name.to_owned()));
            let unset = read("[jobs]\nmax_concurrent_jobs = 3\n", &[(name, "")]);
            assert_eq!(
                unset.origin(path) == Origin::File,
                path == "jobs.max_concurrent_jobs"
            );
        }
    }

    #[test]
    fn what_is_for_containers_is_told_and_without_effect() {
        let told = read(
            "[jobs]\napi_type = \"kubernetes\"\n",
            &[("K8S_NAMESPACE", "x"), ("DEV_MODE", "true")],
        );
        assert!(
            told.warnings
                .iter()
                .any(|text| text.starts_with("K8S_NAMESPACE is set")),
            "{:?}",
            told.warnings
        );
        let config = Config::resolve(&told).unwrap();
        assert!(!config.validate_runners);
        assert_eq!(config.warnings.len(), 2, "{:?}", config.warnings);
    }

    #[test]
    fn all_problems_are_told_at_once_and_no_secret() {
        let file = concat!(
            "[api.http]\nlisten_address = \"nowhere\"\n",
            "[api.http.tls]\nenable = true\n",
            "[api.security]\nenable_admin = true\n",
            "[jobs]\nmax_concurrent_jobs = 0\nfailed_jobs_retention_time = \"3d5h\"\n",
            "colour = \"red\"\nallowed_sites = [\"https://a/path\"]\n[logger]\nconsole_level = \"LOUD\"\n"
        );
        let problems = resolve(file).unwrap_err();
        let mut keys = problems.keys();
        keys.sort_unstable();
        let expected = [
            "api.http.listen_address",
            "api.http.tls.cert_file",
            "api.http.tls.cert_key",
            "api.security.admin_secret_key",
            "jobs.allowed_sites",
            "jobs.colour",
            "jobs.failed_jobs_retention_time",
            "jobs.max_concurrent_jobs",
            "logger.console_level",
        ];
        assert_eq!(keys, expected);
    }

    #[test]
    fn an_offset_of_the_clock_is_one_that_some_zone_has() {
        for (text, minutes) in [
            ("+00:00", 0),
            ("+02:00", 120),
            ("-03:30", -210),
            ("+05:45", 345),
            ("+14:00", 840),
        ] {
            let config = resolve(&format!("[picture]\nutc_offset = \"{text}\"\n")).unwrap();
            assert_eq!(config.look.utc_offset_minutes, minutes);
        }
        for text in [
            "2", "02:00", "+2:00", "+15:00", "-12:01", "+01:60", "+1é:00", "CET",
        ] {
            let file = format!("[picture]\nutc_offset = \"{text}\"\n");
            assert_eq!(
                resolve(&file).unwrap_err().keys(),
                ["picture.utc_offset"],
                "{text}"
            );
        }
    }

    #[test]
    fn retention_takes_one_number_and_one_unit() {
        for (text, seconds) in [("1m", 60), ("2h", 7200), ("30d", 2_592_000)] {
            let file = format!("[jobs]\nfailed_jobs_retention_time = \"{text}\"\n");
            let config = resolve(&file).unwrap();
            assert_eq!(
                config.failed_jobs_retention,
                Some(Duration::from_secs(seconds))
            );
        }
        for text in ["0m", "5s", "d", "1h30m", "-1d", "1 d"] {
            let file = format!("[jobs]\nfailed_jobs_retention_time = \"{text}\"\n");
            assert!(resolve(&file).is_err(), "{text}");
        }
    }
}
