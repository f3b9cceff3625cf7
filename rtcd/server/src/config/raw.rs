//! Every setting: key, default, environment name, rule, and the operator's manual.
//!
//! Key names, environment names and defaults are those of the reference daemon; additions say so.
//! Not here: what values mean together (`super::resolve`).

use proto::redact::Secret;
use settings::{Link, Manner, Other, Parsed, PerCpu, Spelling};
use std::path::PathBuf;

use super::ice::IceServers;
use super::overrides::{HostOverride, LocalAddresses, PortOverride};

/// As the reference: `RTCD_` and the path, keys of tomorrow passed over.
const MANNER: Manner = Manner {
    program: "rtcd",
    prefix: "RTCD_",
    ours: "RTCD_",
    spelling: Spelling::Joined,
    passes_unknown_keys: true,
    others: &[
        Other {
            name: "PERF_PROFILES",
            doc: "Sampled locks and blocking for Go's profiler. Without effect: there is no such \
                  profiler here, `perf` sees everything.",
            is_idle: true,
        },
        Other {
            name: "RTCD_RTC_DTLS_INSECURE_SKIP_HELLOVERIFY",
            doc: "Left out DTLS' HelloVerify, an aid for tests. Without effect: the check of the \
                  sender's address stays on.",
            is_idle: true,
        },
    ],
    ..Manner::PLAIN
};

settings::settings! {
    /// What was written.
    pub struct Raw: MANNER {
        "api.http" http: RawHttp {
            /// Where HTTP and WebSocket listen, `host:port`. No host: every address.
            listen_address: String = ":8045", if has_port;
        }
        "api.http.tls" tls: RawTls {
            /// Serve HTTPS and WSS instead of HTTP and WS. TLS 1.2 or newer.
            enable: bool = false;
            /// PEM file with the certificate chain, leaf first. Needed when TLS is on.
            cert_file: PathBuf = "";
            /// PEM file with the private key of the certificate. Needed when TLS is on.
            cert_key: PathBuf = "";
        }
        "api.security" security: RawSecurity {
            /// Let any host that reaches the API register itself as a client. Only for a closed
            /// network.
            allow_self_registration: bool = false;
            /// Accept the admin key below; the admin registers and removes clients, and drains the node.
            enable_admin: bool = false;
            /// The admin's password (any user name). Needed when the admin is enabled.
            admin_secret_key: Secret = "";
        }
        "api.security.session_cache" session_cache: RawSessionCache {
            /// How long a bearer token of /login is good for. Tokens live in memory only.
            expiration_minutes: u32 = 1440, in 1..=u32::MAX;
        }
        "rtc" rtc: RawRtc {
            /// Local IP addresses for UDP media, separated by commas. Empty: every local address.
            ice_address_udp: Parsed<LocalAddresses> = "";
            /// Local IP addresses for TCP media, separated by commas. Empty: every local address.
            ice_address_tcp: Parsed<LocalAddresses> = "";
            /// The one UDP port for everybody's media, 80 to 49151.
            ice_port_udp: u16 = 8443, in 80..=49151;
            /// The one TCP port for clients whose network blocks UDP, 80 to 49151.
            ice_port_tcp: u16 = 8443, in 80..=49151;
            /// The address clients are told to reach this node at: an IP address, a host name
            /// (looked up for each session), or a comma list `external/internal` when several are
            /// mapped. Needed behind NAT.
            ice_host_override: Parsed<HostOverride> = "";
            /// The port clients are told, where it differs from the one listened at: a number, or a
            /// comma list `ip/port` of which the entry of a local address counts.
            ice_host_port_override: Parsed<PortOverride> = "";
            /// STUN and TURN servers: strings, or tables of urls, username and credential. A STUN
            /// server tells this node its public address at the start when ice_host_override is
            /// empty. A TURN server relays for participants that cannot reach this node; it needs
            /// turn.static_auth_secret. In the environment JSON, in which plain strings are the
            /// urls of one server.
            ice_servers: IceServers = ();
            /// Offer IPv6 addresses too, but no link-local ones; loopback (::1) where it is listed
            /// above.
            enable_ipv6: bool = false;
            /// Kept so that existing files stay good. One socket for each shard and address is
            /// opened, whatever stands here. `auto`: 100 for each CPU.
            udp_sockets_count: PerCpu<100, { u32::MAX }> = ();
            /// Packets kept for each outgoing video stream to answer repeat requests: 0 (the
            /// default) or a power of two from 32 to 8192. Higher: more memory, longer gaps
            /// repaired.
            nack_buffer_size: usize = 256, if is_nack_buffer;
            /// Kept so that existing files stay good; has no effect.
            nack_disable_copy: bool = true;
            /// Kept so that existing files stay good: `own` is all it may be. (Addition.)
            egress: String = "own", if is_own;
            /// Voices forwarded at once in a call, the loudest; 0: every one that is not muted, as
            /// the reference does. Lower: big calls with open microphones cost less. (Addition.)
            max_speakers: usize = 0, in 0..=100_000;
            /// Stop lasting silence before it is copied to everybody. Nobody hears a difference;
            /// false forwards every packet, as the reference does. (Addition.)
            drop_silence: bool = true;
            /// Media threads, 1 to 64. Each has its own socket and its own part of the sessions.
            /// `auto`: one for each CPU. (Addition.)
            shards: PerCpu<1, 64> = ();
            /// Sessions of one call on one shard before the call spreads to another. Lower: big
            /// calls use more cores; higher: fewer packets cross between threads. (Addition.)
            leg_sessions: usize = 500, in 1..=100_000;
            /// Longest time to wait for running calls after SIGTERM or `drain`; 0: as long as they
            /// last. A second signal stops at once. (Addition.)
            drain_limit_minutes: u32 = 0, in 0..=525_600;
        }
        "rtc.turn" turn: RawTurn {
            /// Secret shared with the TURN servers of ice_servers (`static-auth-secret` of coturn).
            /// From it this node makes short-lived credentials for its own relayed addresses;
            /// without it TURN servers are skipped, even those with a credential. Participants get
            /// their relays from the signalling side.
            static_auth_secret: Secret = "", named ["RTCD_RTC_TURNCONFIG_STATICAUTHSECRET"];
            /// How long such a credential is good for: 1 to 10079 while a secret is set. Longer
            /// than the longest call: a relay is not renewed with a credential that has expired.
            credentials_expiration_minutes: u32 = 1440, named ["RTCD_RTC_TURNCONFIG_CREDENTIALSEXPIRATIONMINUTES"];
        }
        "cluster" cluster: RawCluster {
            /// One node of several: the folder with this node's papers, as `parley cluster add-node`
            /// writes it. Each process needs papers of its own. Empty: on its own. (Addition.)
            papers: PathBuf = "";
            /// Where the other nodes reach this one's API, `http://host:port`; needed with papers.
            /// Signalling nodes of the cluster connect by themselves: no `rtcd.urls` there.
            /// (Addition.)
            url: String = "";
            /// Where the other nodes reach this one with the media of calls that are on both,
            /// `host:port`, UDP; it listens at this port of every address. Empty: calls are not
            /// shared with other nodes. (Addition.)
            link_address: String = "";
            /// Sessions of one call on this node before the next ones are given to another node; 0:
            /// as many as the load allows. Lower: big calls use more machines; higher: fewer packets
            /// cross between them. (Addition.)
            call_sessions: usize = 0, in 0..=1_000_000;
            /// Give sessions to other nodes when this machine's processors are busy. false: for
            /// nodes that share a machine, where that says nothing about a node. (Addition.)
            spread_by_load: bool = true;
        }
        "store" store: RawStore {
            /// Directory of the client credentials. Choose one that survives a restart of the
            /// machine.
            data_source: PathBuf = "/tmp/rtcd_db";
            /// Instead of a file in data_source: a PostgreSQL database, as
            /// `postgres://user@host:5432/database`; the schema `rtcd` is made in it. To another
            /// machine TLS is demanded with a certificate that fits the host's name, unless
            /// `?sslmode=` says otherwise; `?sslrootcert=FILE` names a private authority.
            /// (Addition.)
            database: Link = "";
            /// A file whose first line is the password of that user; else it stands in the address.
            /// (Addition.)
            database_password_file: PathBuf = "";
        }
        "logger" logger: RawLogger {
            /// Log to standard output.
            enable_console: bool = true;
            /// One JSON object a line on the console instead of plain text.
            console_json: bool = false;
            /// Least severe level shown: panic, fatal, critical, error, warn, info, debug or trace.
            /// Libraries are heard from warn on; PARLEY_LOG=str0m=debug in the environment names
            /// one that says more.
            console_level: String = "INFO";
            /// Log to a file.
            enable_file: bool = true;
            /// One JSON object a line in the file instead of plain text.
            file_json: bool = true;
            /// Least severe level written to the file.
            file_level: String = "DEBUG";
            /// The log file. At 100 MB it is renamed, compressed and kept.
            file_location: PathBuf = "rtcd.log";
            /// Colour the levels on the console.
            enable_color: bool = false;
        }
    }
}

fn has_port(address: &str) -> Result<(), String> {
    let port = address
        .rsplit_once(':')
        .map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(_)) => Ok(()),
        Some(Err(_)) | None => {
            Err("it must end in a colon and a port: `:8045` or `address:port`".to_owned())
        }
    }
}

fn is_own(egress: &String) -> Result<(), String> {
    if egress == "own" {
        return Ok(());
    }
    Err("it must be `own`: there is no other way to send media any more".to_owned())
}

fn is_nack_buffer(size: &usize) -> Result<(), String> {
    match size {
        0 => Ok(()),
        32..=8192 if size.is_power_of_two() => Ok(()),
        _ => Err("it must be 0 or a power of two from 32 to 8192".to_owned()),
    }
}
