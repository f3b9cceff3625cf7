//! `Raw` -> `Config`: what values mean together, all problems returned at once.

use std::path::PathBuf;
use std::time::Duration;

use settings::{Check, Problems, Read};
use storage::Location;

use super::raw::{Raw, RawRtc};
use super::{
    ClusterConfig, Config, HttpConfig, LogTarget, LoggerConfig, Probe, RtcConfig, SecurityConfig,
    TlsConfig, TurnConfig,
};

const DEFAULT_NACK_BUFFER: usize = 256;
/// A TURN server takes no credential that is good for a week or longer.
const TURN_MINUTES: std::ops::RangeInclusive<u32> = 1..=10_079;

impl Config {
    /// Turns what was written into what is used.
    ///
    /// # Errors
    /// Every value that breaks its rule, at once.
    pub fn resolve(read: &Read<Raw>, probe: Probe) -> Result<Self, Problems> {
        let mut check = read.check();
        let raw = &read.raw;
        let config = Self {
            http: http(raw, probe, &mut check),
            security: security(raw, &mut check),
            rtc: rtc(raw, probe, &mut check),
            data_source: raw.store.data_source.clone(),
            database: database(raw, &mut check),
            logger: logger(raw, &mut check),
            cluster: cluster(raw, probe, &mut check),
            drain_limit: Some(minutes(raw.rtc.drain_limit_minutes))
                .filter(|limit| !limit.is_zero()),
        };
        check.need(
            "store.data_source",
            &raw.store.data_source,
            "name a directory",
        );
        check.done(config)
    }
}

fn http(raw: &Raw, probe: Probe, check: &mut Check<'_, Raw>) -> HttpConfig {
    let tls = raw.tls.enable.then(|| TlsConfig {
        cert_file: raw.tls.cert_file.clone(),
        cert_key: raw.tls.cert_key.clone(),
    });
    if let Some(files) = &tls {
        let rule = "name a readable PEM file, or switch api.http.tls.enable off";
        check.need("api.http.tls.cert_file", &files.cert_file, rule);
        check.need("api.http.tls.cert_key", &files.cert_key, rule);
        let are_named =
            !files.cert_file.as_os_str().is_empty() && !files.cert_key.as_os_str().is_empty();
        if are_named && let Err(fault) = (probe.tls)(files) {
            check.refuse(fault.key, fault.rule);
        }
    }
    HttpConfig {
        listen_address: raw.http.listen_address.clone(),
        tls,
    }
}

fn database(raw: &Raw, check: &mut Check<'_, Raw>) -> Option<Location> {
    let store = &raw.store;
    let server = Location::server(&store.database, &store.database_password_file);
    check.accept("store.database", server).flatten()
}

fn security(raw: &Raw, check: &mut Check<'_, Raw>) -> SecurityConfig {
    let security = &raw.security;
    if security.enable_admin {
        let rule = "set a long random key, or switch api.security.enable_admin off";
        check.need(
            "api.security.admin_secret_key",
            security.admin_secret_key.expose(),
            rule,
        );
    }
    SecurityConfig {
        allow_self_registration: security.allow_self_registration,
        admin_secret_key: security
            .enable_admin
            .then(|| security.admin_secret_key.clone()),
        session_expiration: minutes(raw.session_cache.expiration_minutes),
    }
}

fn rtc(raw: &Raw, probe: Probe, check: &mut Check<'_, Raw>) -> RtcConfig {
    let rtc: &RawRtc = &raw.rtc;
    RtcConfig {
        udp_addresses: rtc.ice_address_udp.value.0.clone(),
        tcp_addresses: rtc.ice_address_tcp.value.0.clone(),
        udp_port: rtc.ice_port_udp,
        tcp_port: rtc.ice_port_tcp,
        host_override: rtc.ice_host_override.value.clone(),
        port_override: rtc.ice_host_port_override.value.clone(),
        ice_servers: rtc.ice_servers.0.clone(),
        turn: turn(raw, check),
        enable_ipv6: rtc.enable_ipv6,
        nack_buffer_size: match rtc.nack_buffer_size {
            0 => DEFAULT_NACK_BUFFER,
            size => size,
        },
        max_speakers: rtc.max_speakers,
        drop_silence: rtc.drop_silence,
        shards: usize::try_from(rtc.shards.on(probe.cpus)).unwrap_or(1),
        leg_sessions: rtc.leg_sessions,
    }
}

fn turn(raw: &Raw, check: &mut Check<'_, Raw>) -> Option<TurnConfig> {
    let turn = &raw.turn;
    if turn.static_auth_secret.is_empty() {
        return None;
    }
    if !TURN_MINUTES.contains(&turn.credentials_expiration_minutes) {
        let rule = "it must be a number from 1 to 10079 while rtc.turn.static_auth_secret is set";
        check.refuse("rtc.turn.credentials_expiration_minutes", rule);
    }
    Some(TurnConfig {
        static_auth_secret: turn.static_auth_secret.clone(),
        credentials_expiration: minutes(turn.credentials_expiration_minutes),
    })
}

fn cluster(raw: &Raw, probe: Probe, check: &mut Check<'_, Raw>) -> Option<ClusterConfig> {
    let (papers, url) = (&raw.cluster.papers, &raw.cluster.url);
    if papers.as_os_str().is_empty() {
        return None;
    }
    if let Err(why) = (probe.papers)(papers) {
        check.refuse("cluster.papers", why);
    }
    let has_scheme = ["http://", "https://"]
        .iter()
        .any(|scheme| url.starts_with(scheme) && url.len() > scheme.len());
    if !has_scheme {
        let rule = "it must be http://host:port, where other nodes reach this one, while cluster.papers is set";
        check.refuse("cluster.url", rule);
    }
    Some(ClusterConfig {
        papers: papers.clone(),
        url: url.trim_end_matches('/').to_owned(),
        link_address: link_address(raw, check),
        call_sessions: raw.cluster.call_sessions,
        spread_by_load: raw.cluster.spread_by_load,
    })
}

fn link_address(raw: &Raw, check: &mut Check<'_, Raw>) -> Option<String> {
    let address = &raw.cluster.link_address;
    if address.is_empty() {
        return None;
    }
    let parts = address.rsplit_once(':');
    let is_whole = parts.is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if !is_whole {
        let rule = "it must be host:port, where other nodes reach this one by UDP, or empty";
        check.refuse("cluster.link_address", rule);
    }
    Some(address.clone())
}

fn logger(raw: &Raw, check: &mut Check<'_, Raw>) -> LoggerConfig {
    let logger = &raw.logger;
    // What is off may hold anything.
    let console = logger.enable_console.then(|| LogTarget {
        json: logger.console_json,
        level: level("logger.console_level", &logger.console_level, check),
    });
    let file = logger.enable_file.then(|| {
        let rule = "name a file, or switch logger.enable_file off";
        check.need("logger.file_location", &logger.file_location, rule);
        let target = LogTarget {
            json: logger.file_json,
            level: level("logger.file_level", &logger.file_level, check),
        };
        (PathBuf::from(&logger.file_location), target)
    });
    if console.is_none() && file.is_none() {
        let rule = "console and file must not both be off";
        check.refuse("logger.enable_console", rule);
    }
    LoggerConfig {
        console,
        file,
        color: logger.enable_color,
    }
}

fn level(path: &str, written: &str, check: &mut Check<'_, Raw>) -> tracing::Level {
    match written.to_lowercase().as_str() {
        "panic" | "fatal" | "critical" | "error" => tracing::Level::ERROR,
        "warn" | "warning" => tracing::Level::WARN,
        "info" => tracing::Level::INFO,
        "debug" => tracing::Level::DEBUG,
        "trace" => tracing::Level::TRACE,
        _ => {
            let rule = "it must be panic, fatal, critical, error, warn, info, debug or trace";
            check.refuse(path, rule);
            tracing::Level::INFO
        }
    }
}

fn minutes(minutes: u32) -> Duration {
    Duration::from_secs(u64::from(minutes) * 60)
}

#[cfg(test)]
mod tests;
