//! One file for three services: each table is read by the service it is for.
//!
//! In: an optional TOML file, the environment, the flags of `run`. Out: the three configurations,
//! wired to each other. Every problem of every table is reported at once.
//! Signalling is read last and twice: where rtcd and the offloader serve is known only once they do.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use service::names;
use signalling::config::RawConfig;

use crate::arguments::{OF_SCRIPTS, RunArguments, own_names};

/// What `run` starts first, and what signalling is made from afterwards.
#[derive(Debug)]
pub(crate) struct Configs {
    pub(crate) rtcd: rtcd::Config,
    pub(crate) offloader: offloader::Config,
    signalling_table: String,
    /// What was ignored, in words.
    pub(crate) warnings: Vec<String>,
}

/// Where the services of this process serve.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    pub(crate) rtcd_url: String,
    pub(crate) offloader_url: String,
}

impl Addresses {
    /// Stand-ins of the right form, for checking a configuration while nothing runs.
    fn not_started() -> Self {
        Self {
            rtcd_url: "http://127.0.0.1:8045".to_owned(),
            offloader_url: "http://127.0.0.1:4545".to_owned(),
        }
    }
}

/// Jobs at once when the file does not say: four calls, each recorded and transcribed.
const JOB_SLOTS: i64 = 8;

const TABLES: [&str; 3] = ["rtcd", "signalling", "offloader"];

/// The file's tables as text, one for each service's own reader; empty when absent.
#[derive(Debug, Default)]
struct Tables {
    rtcd: String,
    signalling: String,
    offloader: String,
    /// What is none of these, a line each.
    problems: String,
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads all three configurations.
pub(crate) fn read(arguments: &RunArguments) -> anyhow::Result<Configs> {
    let tables = read_tables(arguments.config.as_deref())?;
    let mut problems = tables.problems.clone();
    for unknown in foreign_names() {
        // Writing to a String does not fail.
        let _written = writeln!(problems, "{unknown}");
    }
    let rtcd = collect("rtcd", read_rtcd(&tables.rtcd, arguments), &mut problems);
    let signalling = collect(
        "signalling",
        read_signalling(&tables.signalling, arguments, &Addresses::not_started()),
        &mut problems,
    );
    let offloader = collect(
        "offloader",
        read_offloader(&tables.offloader, arguments),
        &mut problems,
    );
    match (rtcd, signalling, offloader) {
        (Some((rtcd, mut warnings)), Some(_), Some(offloader)) if problems.is_empty() => {
            let environment = || names::environment();
            warnings.extend(signalling::config::unknown_names(environment()));
            warnings.extend(offloader::config::unknown_names(environment()));
            let ours = own_names();
            let known: Vec<&str> = ours.iter().map(String::as_str).collect();
            warnings.extend(names::unknown_environment(environment(), &[], &known));
            Ok(Configs {
                rtcd,
                offloader,
                signalling_table: tables.signalling,
                warnings,
            })
        }
        _ => bail!("{}", problems.trim_end()),
    }
}

/// Reads what accounts are made with.
pub(crate) fn for_accounts(arguments: &RunArguments) -> anyhow::Result<signalling::Config> {
    let tables = read_tables(arguments.config.as_deref())?;
    let unknown = foreign_names().join("\n");
    let problems = tables.problems + &unknown;
    if !problems.is_empty() {
        bail!("{}", problems.trim_end());
    }
    read_signalling(&tables.signalling, arguments, &Addresses::not_started())
        .context("table `signalling`")
}

/// Shows what is in force, in the form of the file.
pub(crate) fn print(arguments: &RunArguments) -> anyhow::Result<String> {
    let tables = read_tables(arguments.config.as_deref())?;
    let raw = rtcd::config::Raw::read(&tables.rtcd, environment).context("read table `rtcd`")?;
    let signalling = raw_signalling(&tables.signalling, arguments, &Addresses::not_started())?;
    let mut out = String::new();
    for (name, text) in [
        (
            "rtcd",
            rtcd::config::effective(&raw, rtcd::config::Probe::of_this_machine()),
        ),
        ("signalling", signalling.to_toml()),
        (
            "offloader",
            offloader::Config::render(Some(&tables.offloader), &environment)?,
        ),
    ] {
        writeln!(out, "# table `{name}`, as in deploy/{name}.toml\n{text}").context("print")?;
    }
    Ok(out)
}

impl Configs {
    /// Makes signalling's configuration once rtcd and the offloader serve.
    pub(crate) fn signalling(
        &self,
        arguments: &RunArguments,
        addresses: &Addresses,
    ) -> anyhow::Result<signalling::Config> {
        read_signalling(&self.signalling_table, arguments, addresses)
    }
}

/// Nobody but us has names that begin like this: whoever typed one meant something.
fn foreign_names() -> Vec<String> {
    let ours = own_names();
    let known: Vec<&str> = ours.iter().map(String::as_str).chain(OF_SCRIPTS).collect();
    names::foreign(names::environment(), "PARLEY_", &known)
}

fn collect<T>(table: &str, read: anyhow::Result<T>, problems: &mut String) -> Option<T> {
    read.inspect_err(|error| {
        // Writing to a String does not fail.
        let _written = writeln!(problems, "table `{table}`: {error:#}");
    })
    .ok()
}

fn read_tables(file: Option<&Path>) -> anyhow::Result<Tables> {
    let Some(path) = file else {
        return Ok(Tables::default());
    };
    let shown = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("read `{shown}`"))?;
    let whole: toml::Table = text.parse().with_context(|| format!("read `{shown}`"))?;
    let mut tables = Tables::default();
    let mut tell = |line: String| {
        // Writing to a String does not fail.
        let _written = writeln!(tables.problems, "`{shown}`: {line}");
    };
    for (name, value) in &whole {
        let place = match name.as_str() {
            "rtcd" => &mut tables.rtcd,
            "signalling" => &mut tables.signalling,
            "offloader" => &mut tables.offloader,
            unknown => {
                let hint = names::hint(unknown, TABLES);
                tell(format!(
                    "there is no table `{unknown}`{hint}; known are {}",
                    TABLES.join(", ")
                ));
                continue;
            }
        };
        match value {
            toml::Value::Table(table) => {
                *place = toml::to_string(table).context("write a table")?
            }
            toml::Value::String(_)
            | toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_) => tell(format!(
                "`{name}` must be a table, as in deploy/{name}.toml"
            )),
        }
    }
    Ok(tables)
}

/// HTTP, credentials and records are this process's own business; media is the file's.
fn read_rtcd(table: &str, arguments: &RunArguments) -> anyhow::Result<(rtcd::Config, Vec<String>)> {
    let local = rtcd::Config::local(&arguments.data_dir.join("rtcd"));
    let mut raw = rtcd::config::Raw::read(table, environment)?;
    raw.warn_of_unknown(names::environment());
    let written = rtcd::Config::resolve(&raw, rtcd::config::Probe::of_this_machine())?;
    let mut config = rtcd::Config {
        rtc: written.rtc,
        drain_limit: written.drain_limit,
        database: arguments.database.location()?.or(written.database),
        ..local.clone()
    };
    config.rtc.udp_port = arguments.rtc_port;
    config.rtc.tcp_port = arguments.rtc_port;
    let nobody_chose = config.rtc.udp_addresses.is_empty() && config.rtc.tcp_addresses.is_empty();
    if nobody_chose && arguments.listen.ip().is_loopback() {
        config.rtc.udp_addresses = local.rtc.udp_addresses;
        config.rtc.tcp_addresses = local.rtc.tcp_addresses;
    }
    raw.warnings.extend(config.advice());
    Ok((config, raw.warnings))
}

fn read_signalling(
    table: &str,
    arguments: &RunArguments,
    addresses: &Addresses,
) -> anyhow::Result<signalling::Config> {
    let read = |raw: &mut RawConfig| wire(raw, arguments, addresses);
    let mut config = signalling::Config::read_with(table, &environment, read)?;
    if let Some(server) = arguments.database.location()? {
        config.database = Some(server);
    }
    Ok(config)
}

fn raw_signalling(
    table: &str,
    arguments: &RunArguments,
    addresses: &Addresses,
) -> anyhow::Result<RawConfig> {
    let mut raw = RawConfig::read(table, &environment)?;
    wire(&mut raw, arguments, addresses);
    Ok(raw)
}

/// What is this process's own business.
fn wire(raw: &mut RawConfig, arguments: &RunArguments, addresses: &Addresses) {
    raw.http.listen = arguments.listen.to_string();
    raw.storage.data_dir = arguments.data_dir.join("signalling");
    raw.rtcd.urls = vec![addresses.rtcd_url.clone()];
    raw.offloader.url.clone_from(&addresses.offloader_url);
}

fn read_offloader(table: &str, arguments: &RunArguments) -> anyhow::Result<offloader::Config> {
    let table = with_job_slots(table)?;
    let mut config = offloader::Config::read(Some(&table), &environment)?;
    "127.0.0.1:0".clone_into(&mut config.listen_address);
    config.allow_self_registration = true;
    config.data_dir = arguments.data_dir.join("offloader");
    if let Some(server) = arguments.database.location()? {
        config.database = Some(server);
    }
    config.speech.models_dir = arguments.models_dir();
    config.logger.file = None;
    Ok(config)
}

/// A recorded and transcribed call takes two jobs, and the reference's default is two: a second
/// call could not be recorded while the first one's files are still being made.
fn with_job_slots(table: &str) -> anyhow::Result<String> {
    let mut table: toml::Table = table.parse().context("read table `offloader`")?;
    let jobs = table
        .entry("jobs")
        .or_insert_with(|| toml::Table::new().into());
    if let Some(jobs) = jobs.as_table_mut() {
        jobs.entry("max_concurrent_jobs")
            .or_insert(JOB_SLOTS.into());
    }
    toml::to_string(&table).context("write table `offloader`")
}
