//! Every setting by name: the file key, the environment name, the default, and the operator's manual.
//!
//! The one list from which the reader, `print-config` and the sample file are made.
//! Not here: what a value must satisfy (`super::resolve`).

/// A default, as it would stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultValue {
    Text(&'static str),
    Flag(bool),
    Number(i64),
    /// A number for each CPU of the machine.
    PerCpu(i64),
    EmptyList,
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Dotted path in the file; read without regard to case.
    pub path: &'static str,
    /// Environment name; overrides the file.
    pub env: &'static str,
    pub default: DefaultValue,
    /// Never printed.
    pub secret: bool,
    pub doc: &'static str,
}

impl Key {
    /// ICE servers may carry credentials.
    pub(super) fn has_secrets_inside(&self) -> bool {
        self.default == DefaultValue::EmptyList
    }
}

const fn key(
    path: &'static str,
    env: &'static str,
    default: DefaultValue,
    doc: &'static str,
) -> Key {
    Key {
        path,
        env,
        default,
        secret: false,
        doc,
    }
}

const fn secret(path: &'static str, env: &'static str, doc: &'static str) -> Key {
    Key {
        path,
        env,
        default: DefaultValue::Text(""),
        secret: true,
        doc,
    }
}

use DefaultValue::{EmptyList, Flag, Number, PerCpu, Text};

/// All settings, in the order of the sample file: tables together, parents before children.
pub const KEYS: &[Key] = &[
    key(
        "api.http.listen_address",
        "RTCD_API_HTTP_LISTENADDRESS",
        Text(":8045"),
        "Where HTTP and WebSocket listen, `host:port`. No host: every address.",
    ),
    key(
        "api.http.tls.enable",
        "RTCD_API_HTTP_TLS_ENABLE",
        Flag(false),
        "Serve HTTPS and WSS instead of HTTP and WS. TLS 1.2 or newer.",
    ),
    key(
        "api.http.tls.cert_file",
        "RTCD_API_HTTP_TLS_CERTFILE",
        Text(""),
        "PEM file with the certificate chain, leaf first. Needed when TLS is on.",
    ),
    key(
        "api.http.tls.cert_key",
        "RTCD_API_HTTP_TLS_CERTKEY",
        Text(""),
        "PEM file with the private key of the certificate. Needed when TLS is on.",
    ),
    key(
        "api.security.allow_self_registration",
        "RTCD_API_SECURITY_ALLOWSELFREGISTRATION",
        Flag(false),
        "Let any host that reaches the API register itself as a client. Only for a closed network.",
    ),
    key(
        "api.security.enable_admin",
        "RTCD_API_SECURITY_ENABLEADMIN",
        Flag(false),
        "Accept the admin key below; the admin registers and removes clients.",
    ),
    secret(
        "api.security.admin_secret_key",
        "RTCD_API_SECURITY_ADMINSECRETKEY",
        "The admin's password (any user name). Needed when the admin is enabled.",
    ),
    key(
        "api.security.session_cache.expiration_minutes",
        "RTCD_API_SECURITY_SESSIONCACHE_EXPIRATIONMINUTES",
        Number(1440),
        "How long a bearer token of /login is good for. Tokens live in memory only.",
    ),
    key(
        "rtc.ice_address_udp",
        "RTCD_RTC_ICEADDRESSUDP",
        Text(""),
        "Local IP addresses for UDP media, separated by commas. Empty: every local address.",
    ),
    key(
        "rtc.ice_address_tcp",
        "RTCD_RTC_ICEADDRESSTCP",
        Text(""),
        "Local IP addresses for TCP media, separated by commas. Empty: every local address.",
    ),
    key(
        "rtc.ice_port_udp",
        "RTCD_RTC_ICEPORTUDP",
        Number(8443),
        "The one UDP port for everybody's media, 80 to 49151.",
    ),
    key(
        "rtc.ice_port_tcp",
        "RTCD_RTC_ICEPORTTCP",
        Number(8443),
        "The one TCP port for clients whose network blocks UDP, 80 to 49151.",
    ),
    key(
        "rtc.ice_host_override",
        "RTCD_RTC_ICEHOSTOVERRIDE",
        Text(""),
        "The address clients are told to reach this node at: an IP address, a host name (looked \
         up for each session), or a comma list `external/internal` when several are mapped. \
         Needed behind NAT.",
    ),
    key(
        "rtc.ice_host_port_override",
        "RTCD_RTC_ICEHOSTPORTOVERRIDE",
        Text(""),
        "The port clients are told, where it differs from the one listened at: a number, or a \
         comma list `ip/port` of which the entry of a local address counts.",
    ),
    key(
        "rtc.ice_servers",
        "RTCD_RTC_ICESERVERS",
        EmptyList,
        "STUN and TURN servers: strings, or tables of urls, username and credential. A STUN \
         server tells this node its public address at the start when ice_host_override is \
         empty. A TURN server relays for participants that cannot reach this node; it needs \
         turn.static_auth_secret.",
    ),
    key(
        "rtc.enable_ipv6",
        "RTCD_RTC_ENABLEIPV6",
        Flag(false),
        "Offer IPv6 addresses too, but no link-local ones; loopback (::1) where it is listed above.",
    ),
    key(
        "rtc.udp_sockets_count",
        "RTCD_RTC_UDPSOCKETSCOUNT",
        PerCpu(100),
        "Kept so that existing files stay good. One socket for each shard and address is opened, \
         whatever stands here.",
    ),
    key(
        "rtc.nack_buffer_size",
        "RTCD_RTC_NACKBUFFERSIZE",
        Number(256),
        "Packets kept for each outgoing video stream to answer repeat requests: 0 (the default) \
         or a power of two from 32 to 8192. Higher: more memory, longer gaps repaired.",
    ),
    key(
        "rtc.nack_disable_copy",
        "RTCD_RTC_NACKDISABLECOPY",
        Flag(true),
        "Kept so that existing files stay good; has no effect.",
    ),
    key(
        "rtc.egress",
        "RTCD_RTC_EGRESS",
        Text("own"),
        "Kept so that existing files stay good: `own` is all it may be. (Addition.)",
    ),
    key(
        "rtc.max_speakers",
        "RTCD_RTC_MAXSPEAKERS",
        Number(0),
        "Voices forwarded at once in a call, the loudest; 0: every one that is not muted, as the \
         reference does. Lower: big calls with open microphones cost less. (Addition.)",
    ),
    key(
        "rtc.drop_silence",
        "RTCD_RTC_DROPSILENCE",
        Flag(true),
        "Stop lasting silence before it is copied to everybody. Nobody hears a difference; false \
         forwards every packet, as the reference does. (Addition.)",
    ),
    key(
        "rtc.shards",
        "RTCD_RTC_SHARDS",
        PerCpu(1),
        "Media threads, 1 to 64. Each has its own socket and its own part of the sessions. (Addition.)",
    ),
    key(
        "rtc.leg_sessions",
        "RTCD_RTC_LEGSESSIONS",
        Number(500),
        "Sessions of one call on one shard before the call spreads to another. Lower: big calls \
         use more cores; higher: fewer packets cross between threads. (Addition.)",
    ),
    key(
        "rtc.drain_limit_minutes",
        "RTCD_RTC_DRAINLIMITMINUTES",
        Number(0),
        "Longest time to wait for running calls after SIGTERM; 0: as long as they last. A second \
         signal stops at once. (Addition.)",
    ),
    secret(
        "rtc.turn.static_auth_secret",
        "RTCD_RTC_TURNCONFIG_STATICAUTHSECRET",
        "Secret shared with the TURN servers of ice_servers (`static-auth-secret` of coturn). From \
         it this node makes short-lived credentials for its own relayed addresses; without it TURN \
         servers are skipped, even those with a credential. Participants get their relays from \
         the signalling side.",
    ),
    key(
        "rtc.turn.credentials_expiration_minutes",
        "RTCD_RTC_TURNCONFIG_CREDENTIALSEXPIRATIONMINUTES",
        Number(1440),
        "How long such a credential is good for: 1 to 10079 while a secret is set. Longer than \
         the longest call: a relay is not renewed with a credential that has expired.",
    ),
    key(
        "store.data_source",
        "RTCD_STORE_DATASOURCE",
        Text("/tmp/rtcd_db"),
        "Directory of the client credentials. Choose one that survives a restart of the machine.",
    ),
    secret(
        "store.database",
        "RTCD_STORE_DATABASE",
        "Instead of a file in data_source: a PostgreSQL database, as \
         `postgres://user@host:5432/database`; the schema `rtcd` is made in it. To another machine \
         TLS is demanded with a certificate that fits the host's name, unless `?sslmode=` says \
         otherwise; `?sslrootcert=FILE` names a private authority. (Addition.)",
    ),
    key(
        "store.database_password_file",
        "RTCD_STORE_DATABASEPASSWORDFILE",
        Text(""),
        "A file whose first line is the password of that user; else it stands in the address. \
         (Addition.)",
    ),
    key(
        "logger.enable_console",
        "RTCD_LOGGER_ENABLECONSOLE",
        Flag(true),
        "Log to standard output.",
    ),
    key(
        "logger.console_json",
        "RTCD_LOGGER_CONSOLEJSON",
        Flag(false),
        "One JSON object a line on the console instead of plain text.",
    ),
    key(
        "logger.console_level",
        "RTCD_LOGGER_CONSOLELEVEL",
        Text("INFO"),
        "Least severe level shown: panic, fatal, critical, error, warn, info, debug or trace. Libraries \
         are heard from warn on; PARLEY_LOG=str0m=debug in the environment names one that says more.",
    ),
    key(
        "logger.enable_file",
        "RTCD_LOGGER_ENABLEFILE",
        Flag(true),
        "Log to a file.",
    ),
    key(
        "logger.file_json",
        "RTCD_LOGGER_FILEJSON",
        Flag(true),
        "One JSON object a line in the file instead of plain text.",
    ),
    key(
        "logger.file_level",
        "RTCD_LOGGER_FILELEVEL",
        Text("DEBUG"),
        "Least severe level written to the file.",
    ),
    key(
        "logger.file_location",
        "RTCD_LOGGER_FILELOCATION",
        Text("rtcd.log"),
        "The log file. At 100 MB it is renamed, compressed and kept.",
    ),
    key(
        "logger.enable_color",
        "RTCD_LOGGER_ENABLECOLOR",
        Flag(false),
        "Colour the levels on the console.",
    ),
];

/// A switch of the reference that exists in the environment only.
#[derive(Debug, Clone, Copy)]
pub struct EnvironmentSwitch {
    pub env: &'static str,
    pub doc: &'static str,
}

/// Switches without a key in the file. They are read so that an existing set-up starts unchanged;
/// one that is on is answered by a line in the log.
pub const ENVIRONMENT_SWITCHES: &[EnvironmentSwitch] = &[
    EnvironmentSwitch {
        env: "PERF_PROFILES",
        doc: "Sampled locks and blocking for Go's profiler. Without effect: there is no such \
              profiler here, `perf` sees everything.",
    },
    EnvironmentSwitch {
        env: "RTCD_RTC_DTLS_INSECURE_SKIP_HELLOVERIFY",
        doc: "Left out DTLS' HelloVerify, an aid for tests. Without effect: the check of the \
              sender's address stays on.",
    },
];

/// Finds a setting by its path.
#[must_use]
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}
