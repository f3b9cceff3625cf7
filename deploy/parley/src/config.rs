//! One file for four: the table `parley` for this process, and one for each service in it.
//!
//! In: an optional TOML file, the environment, the flags of `run`. Out: the configurations of the
//! services, wired to each other. Every problem of every table is reported at once.
//! Signalling is resolved twice: where rtcd and the offloader serve is known only once they do.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use settings::{Ask, Environment, Problems, Read, Settings};
use signalling::config::RawConfig;
use storage::Location;

use crate::arguments::RunArguments;
use crate::own::Own;

/// What `run` starts first, and what signalling is made from afterwards.
#[derive(Debug)]
pub(crate) struct Configs {
    pub(crate) own: Own,
    pub(crate) rtcd: rtcd::Config,
    pub(crate) offloader: offloader::Config,
    signalling: Read<RawConfig>,
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

/// Jobs at once when nobody says: four calls, each recorded and transcribed. A recorded and
/// transcribed call takes two jobs, and the reference's default is two: a second call could not be
/// recorded while the first one's files are still being made.
const JOB_SLOTS: &str = "8";

/// Of what makes rtcd a node among others.
const ELSEWHERE: &str = "the media node in this process serves it alone and takes no place among other \
                         nodes: leave `rtcd.cluster` out, and run `rtcd` by itself for each further node \
                         (with `signalling.cluster.papers` set here)";

/// Of what makes signalling one of several processes.
const ONLY_ONE: &str = "the signalling server in this process leads and hands nobody on: leave \
                        `signalling.cluster.link_address` out, and run `signalling` by itself on each \
                        machine";

const TABLES: [&str; 4] = ["parley", "rtcd", "signalling", "offloader"];

/// What was written, table by table.
#[derive(Debug)]
struct Tables {
    own: Read<Own>,
    rtcd: Read<rtcd::config::Raw>,
    signalling: Read<RawConfig>,
    offloader: Read<offloader::config::Raw>,
    /// What is none of these, a line each.
    problems: String,
}

/// Reads all configurations.
pub(crate) fn read(arguments: &RunArguments) -> anyhow::Result<Configs> {
    Tables::read(arguments)?.resolve()
}

/// Reads what concerns this process.
pub(crate) fn own(arguments: &RunArguments) -> anyhow::Result<Own> {
    let own = Tables::read(arguments)?.own;
    own.check().done(())?;
    Ok(own.raw)
}

/// Reads what accounts are made with.
pub(crate) fn for_accounts(arguments: &RunArguments) -> anyhow::Result<signalling::Config> {
    let tables = Tables::read(arguments)?;
    let mut problems = tables.problems.clone();
    collect("parley", tables.check(), &mut problems);
    let config = collect(
        "signalling",
        signalling::Config::resolve(&tables.signalling),
        &mut problems,
    );
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => bail!("{}", problems.trim_end()),
    }
}

/// Answers what can be asked about the configuration.
pub(crate) fn answer(ask: Ask, arguments: &RunArguments) -> anyhow::Result<String> {
    if ask == Ask::SampleConfig {
        return Ok(sample());
    }
    let tables = Tables::read(arguments)?;
    let printed = tables.print();
    let configs = tables.resolve()?;
    if ask == Ask::PrintConfig {
        return Ok(printed);
    }
    let warnings = configs.warnings.iter().chain(&configs.offloader.warnings);
    let warnings: String = warnings.map(|text| format!("{text}\n")).collect();
    Ok(format!("{warnings}configuration can be used\n"))
}

/// Renders the sample file.
#[must_use]
pub fn sample() -> String {
    format!(
        "{}\n# Everything else is as in deploy/rtcd.toml, deploy/signalling.toml and \
         deploy/offloader.toml, below\n# the name of the service: [rtcd.rtc], [signalling.calls], \
         [offloader.jobs]. Other defaults here:\n# signalling.calls.ringing = true, \
         offloader.jobs.max_concurrent_jobs = {JOB_SLOTS}.\n",
        settings::sample::<Own>()
    )
}

impl Configs {
    /// Makes signalling's configuration once rtcd and the offloader serve.
    pub(crate) fn signalling(&self, addresses: &Addresses) -> Result<signalling::Config, Problems> {
        let mut read = self.signalling.clone();
        addresses.tell(&mut read);
        signalling::Config::resolve(&read)
    }
}

impl Addresses {
    fn tell(&self, read: &mut Read<RawConfig>) {
        read.overrule("rtcd.urls", &self.rtcd_url);
        read.overrule("offloader.url", &self.offloader_url);
    }
}

impl Tables {
    fn read(arguments: &RunArguments) -> anyhow::Result<Self> {
        let (whole, problems) = read_file(arguments.config.as_deref())?;
        let environment = Environment::of_process();
        let own = whole.get_key_value("parley");
        let own = own.map(|(name, table)| (name.clone(), table.clone()));
        let mut own = Read::table(&own.into_iter().collect(), &environment);
        arguments.flags.overrule(&mut own);
        let mut tables = Self {
            own,
            rtcd: part(&whole, "rtcd", &environment),
            signalling: part(&whole, "signalling", &environment),
            offloader: part(&whole, "offloader", &environment),
            problems,
        };
        tables.wire();
        Ok(tables)
    }

    /// Decides what is this process's own business. Of rtcd that is more than can be written: see
    /// `rtcd`.
    fn wire(&mut self) {
        let own = &self.own.raw.own;
        let below = |name: &str| own.data_dir.join(name).to_string_lossy().into_owned();
        let Self {
            signalling,
            offloader,
            rtcd,
            ..
        } = self;
        signalling.overrule("http.listen", &own.listen.value.to_string());
        signalling.overrule("storage.data_dir", &below("signalling"));
        Addresses::not_started().tell(signalling);
        // A direct call that nobody hears reaches nobody. The plugin leaves it to an administrator.
        signalling.suggest("calls.ringing", "true");
        offloader.overrule("api.http.listen_address", "127.0.0.1:0");
        offloader.overrule("api.security.allow_self_registration", "true");
        offloader.overrule("store.data_source", &below("offloader"));
        offloader.overrule(
            "speech.models_dir",
            &self.own.raw.models_dir().to_string_lossy(),
        );
        offloader.suggest("jobs.max_concurrent_jobs", JOB_SLOTS);
        if !own.database.is_empty() {
            let file = own.database_password_file.to_string_lossy();
            for (key, text) in [
                ("database", &*own.database),
                ("database_password_file", &file),
            ] {
                signalling.overrule(&format!("storage.{key}"), text);
                offloader.overrule(&format!("store.{key}"), text);
                rtcd.overrule(&format!("store.{key}"), text);
            }
        }
    }

    fn check(&self) -> Result<(), Problems> {
        let mut check = self.own.check();
        let own = &self.own.raw.own;
        let server = Location::server(&own.database, &own.database_password_file);
        check.accept("parley.database", server);
        check.done(())
    }

    fn resolve(self) -> anyhow::Result<Configs> {
        let mut problems = self.problems.clone();
        let own = collect("parley", self.check(), &mut problems);
        let rtcd = collect("rtcd", self.rtcd(), &mut problems);
        let signalling = collect("signalling", self.only_one(), &mut problems);
        let offloader = offloader::Config::resolve(&self.offloader);
        let offloader = collect("offloader", offloader, &mut problems);
        let (Some(()), Some(rtcd), Some(_), Some(mut offloader), true) =
            (own, rtcd, signalling, offloader, problems.is_empty())
        else {
            bail!("{}", problems.trim_end());
        };
        offloader.logger.file = None;
        let warnings = [
            self.own.warnings.clone(),
            self.rtcd.warnings.clone(),
            self.signalling.warnings.clone(),
            self.offloader.warnings.clone(),
            rtcd.advice(),
        ];
        Ok(Configs {
            own: self.own.raw,
            rtcd,
            offloader,
            signalling: self.signalling,
            warnings: warnings.concat(),
        })
    }

    /// HTTP, credentials and records are this process's own business; media is the file's.
    fn rtcd(&self) -> Result<rtcd::Config, Problems> {
        let own = &self.own.raw.own;
        let local = rtcd::Config::local(&own.data_dir.join("rtcd"));
        let probe = rtcd::config::Probe::of_this_machine();
        let written = self.alone(|read| rtcd::Config::resolve(read, probe))?;
        let mut config = rtcd::Config {
            rtc: written.rtc,
            drain_limit: written.drain_limit,
            database: written.database,
            ..local.clone()
        };
        config.rtc.udp_port = own.rtc_port;
        config.rtc.tcp_port = own.rtc_port;
        let nobody_chose =
            config.rtc.udp_addresses.is_empty() && config.rtc.tcp_addresses.is_empty();
        if nobody_chose && own.listen.value.ip().is_loopback() {
            config.rtc.udp_addresses = local.rtc.udp_addresses;
            config.rtc.tcp_addresses = local.rtc.tcp_addresses;
        }
        Ok(config)
    }

    /// Rtcd in this process is no node among others, whatever is written: that is refused, together
    /// with what is wrong with the rest.
    fn alone<T>(
        &self,
        resolve: impl FnOnce(&Read<rtcd::config::Raw>) -> Result<T, Problems>,
    ) -> Result<T, Problems> {
        let mut without = self.rtcd.clone();
        let mut check = self.rtcd.check();
        let cluster = &self.rtcd.raw.cluster;
        for (path, is_set) in [
            ("cluster.papers", !cluster.papers.as_os_str().is_empty()),
            ("cluster.url", !cluster.url.is_empty()),
        ] {
            if is_set {
                check.refuse(path, ELSEWHERE);
                without.overrule(path, "");
            }
        }
        let Err(mut refused) = check.done(()) else {
            return resolve(&without);
        };
        if let Err(others) = resolve(&without) {
            let known = refused.0.clone();
            let others = others.0.into_iter();
            refused.0.extend(others.filter(|one| !known.contains(one)));
        }
        Err(refused)
    }

    /// Signalling in this process is the only one, whatever is written: that is refused, together with
    /// what is wrong with the rest.
    fn only_one(&self) -> Result<signalling::Config, Problems> {
        let resolved = signalling::Config::resolve(&self.signalling);
        let path = "cluster.link_address";
        if self.signalling.raw.cluster.link_address.is_empty() {
            return resolved;
        }
        let mut check = self.signalling.check();
        check.refuse(path, ONLY_ONE);
        let Err(mut refused) = check.done(()) else {
            return resolved;
        };
        if let Err(others) = resolved {
            let known = refused.0.clone();
            let others = others.0.into_iter();
            refused.0.extend(others.filter(|one| !known.contains(one)));
        }
        Err(refused)
    }

    fn print(&self) -> String {
        format!(
            "{}\n# below `rtcd`, as in deploy/rtcd.toml; HTTP, ports, log and cluster are this process's\n\n{}\n\
             # below `signalling`, as in deploy/signalling.toml\n\n{}\n\
             # below `offloader`, as in deploy/offloader.toml\n\n{}",
            self.own.print(),
            self.rtcd.print(),
            self.signalling.print(),
            self.offloader.print(),
        )
    }
}

fn collect<T>(table: &str, made: Result<T, Problems>, problems: &mut String) -> Option<T> {
    made.inspect_err(|told| {
        // Writing to a String does not fail.
        let _written = writeln!(problems, "table `{table}`: {told}");
    })
    .ok()
}

/// The table of a service as that service reads it.
fn part<S: Settings>(whole: &toml::Table, name: &str, environment: &Environment) -> Read<S> {
    let none = toml::Table::new();
    let table = whole.get(name).and_then(toml::Value::as_table);
    Read::table(table.unwrap_or(&none), environment)
}

/// Reads the file, and says what in it is for nobody.
fn read_file(file: Option<&Path>) -> anyhow::Result<(toml::Table, String)> {
    let mut problems = String::new();
    let Some(path) = file else {
        return Ok((toml::Table::new(), problems));
    };
    let shown = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("read `{shown}`"))?;
    let whole: toml::Table = text.parse().with_context(|| format!("read `{shown}`"))?;
    for (name, value) in &whole {
        let wrong = if !TABLES.contains(&name.as_str()) {
            let hint = settings::hint(name, TABLES);
            format!(
                "there is no table `{name}`{hint}; known are {}",
                TABLES.join(", ")
            )
        } else if !value.is_table() {
            format!("`{name}` must be a table, as in deploy/{name}.toml")
        } else {
            continue;
        };
        // Writing to a String does not fail.
        let _written = writeln!(problems, "`{shown}`: {wrong}");
    }
    Ok((whole, problems))
}
