//! `Raw` -> `Config`: every value checked, all problems returned together.
//!
//! `check`: a single value. Here: which settings there are rules for, and what they become.

mod check;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::redact::Secret;
use storage::Location;

use super::raw::Raw;
use super::{
    Config, HostOverride, HttpConfig, IceServer, LogTarget, LoggerConfig, PortOverride, Probe,
    RtcConfig, SecurityConfig, TlsConfig, TurnConfig, ice,
};

use check::Check;
pub use check::Problem;
pub(super) use check::shown;

/// Ports a file may name: below are the well-known ones, above those the system hands out.
const PORT_RANGE: std::ops::RangeInclusive<i64> = 80..=49151;
const DEFAULT_NACK_BUFFER: usize = 256;

/// All problems of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<Problem>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} setting(s) cannot be used", self.0.len())?;
        self.0
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for ConfigErrors {}

impl Config {
    /// Turns what was written into what is used.
    ///
    /// # Errors
    /// Every value that breaks its rule, at once.
    pub fn resolve(raw: &Raw, probe: Probe) -> Result<Self, ConfigErrors> {
        let mut check = Check {
            raw,
            probe,
            problems: Vec::new(),
        };
        let config = Self {
            http: check.http(),
            security: check.security(),
            rtc: check.rtc(),
            data_source: PathBuf::from(check.needed_text(
                "store.data_source",
                "must not be empty",
                "name a directory",
            )),
            database: check.database(),
            logger: check.logger(),
            drain_limit: check.drain_limit(),
        };
        if check.problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigErrors(check.problems))
        }
    }
}

impl Check<'_> {
    fn http(&mut self) -> HttpConfig {
        let listen_address = self.needed_text(
            "api.http.listen_address",
            "must not be empty",
            "write `:8045` or `address:port`",
        );
        if !listen_address.is_empty() && listen_port(&listen_address).is_none() {
            self.problem(
                "api.http.listen_address",
                "must end in a colon and a port",
                "write `:8045` or `address:port`",
            );
        }
        let tls = self.flag("api.http.tls.enable").then(|| {
            let mut file = |path| {
                let hint = "name a readable PEM file, or switch api.http.tls.enable off";
                let text = self.needed_text(path, "must be set while TLS is on", hint);
                PathBuf::from(text)
            };
            TlsConfig {
                cert_file: file("api.http.tls.cert_file"),
                cert_key: file("api.http.tls.cert_key"),
            }
        });
        if let Some(files) = &tls
            && !files.cert_file.as_os_str().is_empty()
            && !files.cert_key.as_os_str().is_empty()
            && let Err(fault) = (self.probe.tls)(files)
        {
            self.problem(fault.key, &fault.rule, "name readable PEM files that fit");
        }
        HttpConfig {
            listen_address,
            tls,
        }
    }

    fn database(&mut self) -> Option<Location> {
        let path = "store.database";
        let (address, file) = (self.text(path), self.text("store.database_password_file"));
        match Location::server(&address, Path::new(&file)) {
            Ok(location) => location,
            Err(error) => {
                let hint = "leave it empty for a file in store.data_source";
                self.problem(path, &format!("cannot be used: {error}"), hint);
                None
            }
        }
    }

    fn security(&mut self) -> SecurityConfig {
        let enable_admin = self.flag("api.security.enable_admin");
        let admin_secret_key = enable_admin.then(|| {
            Secret::new(self.needed_text(
                "api.security.admin_secret_key",
                "must be set while the admin is enabled",
                "set a long random key, or switch api.security.enable_admin off",
            ))
        });
        let minutes = self.number(
            "api.security.session_cache.expiration_minutes",
            1..=i64::from(u32::MAX),
            "must be a number above 0",
            "1440 is a day",
        );
        SecurityConfig {
            allow_self_registration: self.flag("api.security.allow_self_registration"),
            admin_secret_key,
            session_expiration: minutes_of(minutes),
        }
    }

    fn rtc(&mut self) -> RtcConfig {
        let port_hint = "8443 is the usual one";
        let port_rule = "must be a port from 80 to 49151";
        let udp_port = self.number("rtc.ice_port_udp", PORT_RANGE, port_rule, port_hint);
        let tcp_port = self.number("rtc.ice_port_tcp", PORT_RANGE, port_rule, port_hint);
        self.number(
            "rtc.udp_sockets_count",
            1..=i64::MAX,
            "must be a number above 0",
            "leave it out: it has no effect",
        );
        self.flag("rtc.nack_disable_copy");
        let shards = self.number(
            "rtc.shards",
            1..=64,
            "must be a number from 1 to 64",
            "leave it out for one per CPU",
        );
        let leg_sessions = self.number(
            "rtc.leg_sessions",
            1..=100_000,
            "must be a number from 1 to 100000",
            "500 suits most machines",
        );
        let max_speakers = self.number(
            "rtc.max_speakers",
            0..=100_000,
            "must be a number from 0 to 100000",
            "0 forwards every voice",
        );
        self.check_egress();
        RtcConfig {
            udp_addresses: self.addresses("rtc.ice_address_udp"),
            tcp_addresses: self.addresses("rtc.ice_address_tcp"),
            udp_port: u16::try_from(udp_port).unwrap_or_default(),
            tcp_port: u16::try_from(tcp_port).unwrap_or_default(),
            host_override: self.host_override(),
            port_override: self.port_override(),
            ice_servers: self.ice_servers(),
            turn: self.turn(),
            enable_ipv6: self.flag("rtc.enable_ipv6"),
            nack_buffer_size: self.nack_buffer_size(),
            max_speakers: usize::try_from(max_speakers).unwrap_or_default(),
            drop_silence: self.flag("rtc.drop_silence"),
            shards: usize::try_from(shards).unwrap_or(1),
            leg_sessions: usize::try_from(leg_sessions).unwrap_or(1),
        }
    }

    fn turn(&mut self) -> Option<TurnConfig> {
        let path = "rtc.turn.credentials_expiration_minutes";
        let rule = "must be a number from 1 to 10079 while rtc.turn.static_auth_secret is set";
        let secret = self.text("rtc.turn.static_auth_secret");
        let range = if secret.is_empty() {
            i64::MIN..=i64::MAX
        } else {
            1..=10_079
        };
        let minutes = self.number(path, range, rule, "1440 is a day");
        (!secret.is_empty()).then(|| TurnConfig {
            static_auth_secret: Secret::new(secret),
            credentials_expiration: minutes_of(minutes),
        })
    }

    fn nack_buffer_size(&mut self) -> usize {
        let path = "rtc.nack_buffer_size";
        let rule = "must be 0 or a power of two from 32 to 8192";
        let hint = "256 is the default";
        let written = self.number(path, 0..=8192, rule, hint);
        let size = usize::try_from(written).unwrap_or_default();
        if size == 0 {
            return DEFAULT_NACK_BUFFER;
        }
        if size < 32 || !size.is_power_of_two() {
            self.problem(path, rule, hint);
        }
        size
    }

    fn check_egress(&mut self) {
        let path = "rtc.egress";
        if self.text(path) != "own" {
            let rule = "must be `own`: there is no other way to send media any more";
            self.problem(path, rule, "leave it out");
        }
    }

    fn addresses(&mut self, path: &'static str) -> Vec<IpAddr> {
        let written = self.text(path);
        let mut addresses = Vec::new();
        for part in written
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            match part.parse() {
                Ok(address) if !service::addresses::can_be_reached(address) => self.problem(
                    path,
                    &format!("`{part}` must be an address of this machine"),
                    "leave it empty for all of them",
                ),
                Ok(address) => addresses.push(address),
                Err(_) => {
                    self.problem(
                        path,
                        &format!("`{part}` must be an IP address"),
                        "separate addresses by commas",
                    );
                }
            }
        }
        addresses
    }

    fn host_override(&mut self) -> HostOverride {
        let path = "rtc.ice_host_override";
        let written = self.text(path);
        HostOverride::parse(&written).unwrap_or_else(|rule| {
            self.problem(
                path,
                &rule,
                "write an address, a name, or `external/internal` pairs separated by commas",
            );
            HostOverride::None
        })
    }

    fn port_override(&mut self) -> PortOverride {
        let path = "rtc.ice_host_port_override";
        let written = match self.value(path).value {
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::String(text) => text,
            other @ (toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)
            | toml::Value::Table(_)) => other.to_string(),
        };
        PortOverride::parse(&written).unwrap_or_else(|rule| {
            self.problem(
                path,
                &rule,
                "write a port, or `ip/port` pairs separated by commas",
            );
            PortOverride::None
        })
    }

    fn ice_servers(&mut self) -> Vec<IceServer> {
        let path = "rtc.ice_servers";
        ice::servers(&self.value(path).value).unwrap_or_else(|rule| {
            self.problem(path, &rule, "write strings such as `stun:host:3478`");
            Vec::new()
        })
    }

    fn logger(&mut self) -> LoggerConfig {
        // What is off may hold anything.
        let console = self.flag("logger.enable_console").then(|| LogTarget {
            json: self.flag("logger.console_json"),
            level: self.level("logger.console_level"),
        });
        let file = self.flag("logger.enable_file").then(|| {
            let target = LogTarget {
                json: self.flag("logger.file_json"),
                level: self.level("logger.file_level"),
            };
            let location = self.needed_text(
                "logger.file_location",
                "must be set while the log file is on",
                "name a file, or switch logger.enable_file off",
            );
            (PathBuf::from(location), target)
        });
        if console.is_none() && file.is_none() {
            self.problem(
                "logger.enable_console",
                "console and file must not both be off",
                "switch one of them on",
            );
        }
        LoggerConfig {
            console,
            file,
            color: self.flag("logger.enable_color"),
        }
    }

    fn level(&mut self, path: &'static str) -> tracing::Level {
        let written = self.text(path).to_lowercase();
        match written.as_str() {
            "panic" | "fatal" | "critical" | "error" => tracing::Level::ERROR,
            "warn" | "warning" => tracing::Level::WARN,
            "info" => tracing::Level::INFO,
            "debug" => tracing::Level::DEBUG,
            "trace" => tracing::Level::TRACE,
            _ => {
                let rule = "must be panic, fatal, critical, error, warn, info, debug or trace";
                self.problem(path, rule, "info is usual");
                tracing::Level::INFO
            }
        }
    }

    fn drain_limit(&mut self) -> Option<Duration> {
        let minutes = self.number(
            "rtc.drain_limit_minutes",
            0..=525_600,
            "must be a number from 0 to 525600",
            "0 waits as long as calls last",
        );
        (minutes > 0).then(|| minutes_of(minutes))
    }
}

fn listen_port(address: &str) -> Option<u16> {
    address.rsplit_once(':')?.1.parse().ok()
}

fn minutes_of(minutes: i64) -> Duration {
    Duration::from_secs(
        u64::try_from(minutes)
            .unwrap_or_default()
            .saturating_mul(60),
    )
}

#[cfg(test)]
mod tests;
