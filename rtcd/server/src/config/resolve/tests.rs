//! What resolving accepts and refuses, as tables.

use settings::{Environment, Origin, Settings as _};

use super::super::{HostOverride, PortOverride};
use super::*;

const PROBE: Probe = Probe {
    cpus: 4,
    tls: |files| {
        if files.cert_key.ends_with("lost.key") {
            return Err(super::super::TlsFault {
                key: "api.http.tls.cert_key",
                rule: "must be readable".to_owned(),
            });
        }
        Ok(())
    },
    papers: |folder| {
        let lost = folder.ends_with("lost");
        (!lost).then_some(()).ok_or_else(|| "read it".to_owned())
    },
};

fn read(text: &str, environment: &[(&str, &str)]) -> Read<Raw> {
    Read::text(text, &environment.iter().copied().collect()).unwrap()
}

fn resolve(text: &str) -> Result<Config, Problems> {
    Config::resolve(&read(text, &[]), PROBE)
}

fn environment(pairs: &[(&str, &str)]) -> Config {
    Config::resolve(&read("", pairs), PROBE).unwrap()
}

#[test]
fn papers_that_cannot_be_read_are_told_with_everything_else() {
    let url = "url = \"http://10.0.0.1:8045\"";
    for good in [url.to_owned(), format!("papers = \"/etc/n1\"\n{url}")] {
        assert!(resolve(&format!("[cluster]\n{good}\n")).is_ok(), "{good}");
    }
    let lost = "[cluster]\npapers = \"/etc/lost\"\n";
    assert_eq!(problem_keys(&format!("{lost}{url}\n")), ["cluster.papers"]);
    let all = problem_keys(&format!("{lost}[rtc]\nice_host_override = \"0.0.0.0\"\n"));
    for key in ["cluster.papers", "cluster.url", "rtc.ice_host_override"] {
        assert!(all.contains(&key.to_owned()), "{key} in {all:?}");
    }
}

#[test]
fn addresses_that_few_can_reach_are_told_and_used() {
    let told = |text: &str| {
        let text = format!("[rtc]\nice_host_override = \"{text}\"\n");
        resolve(&text).unwrap().advice()
    };
    assert_eq!(
        told("127.0.0.1"),
        [
            "rtc.ice_host_override tells participants `127.0.0.1`, which only programs on this \
             machine can reach"
        ]
    );
    assert_eq!(told("8.8.8.8/10.1.1.1,fe80::1/10.1.1.2").len(), 1);
    assert!(told("203.0.113.1").is_empty() && told("media.example.org").is_empty());
}

#[test]
fn addresses_that_nobody_can_have_are_refused_wherever_they_are_told() {
    for key in ["ice_host_override", "ice_address_udp", "ice_address_tcp"] {
        for address in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1"] {
            let text = format!("[rtc]\n{key} = \"{address}\"\n");
            let problems = problem_keys(&text);
            assert_eq!(problems, [format!("rtc.{key}")], "{address}");
        }
    }
}

fn problem_keys(text: &str) -> Vec<String> {
    let told = resolve(text).unwrap_err();
    told.keys().into_iter().map(str::to_owned).collect()
}

#[test]
fn an_empty_file_gives_the_defaults_of_the_reference() {
    let config = resolve("").unwrap();
    assert_eq!(config.http.listen_address, ":8045");
    assert!(config.http.tls.is_none());
    assert!(!config.security.allow_self_registration);
    assert_eq!(
        config.security.session_expiration,
        Duration::from_secs(1440 * 60)
    );
    assert_eq!((config.rtc.udp_port, config.rtc.tcp_port), (8443, 8443));
    assert_eq!(config.rtc.nack_buffer_size, 256);
    assert_eq!(config.rtc.shards, 4);
    assert_eq!(config.data_source, PathBuf::from("/tmp/rtcd_db"));
    assert_eq!(
        config.logger.console,
        Some(LogTarget {
            json: false,
            level: tracing::Level::INFO
        })
    );
    let (file, target) = config.logger.file.unwrap();
    assert_eq!(file, PathBuf::from("rtcd.log"));
    assert_eq!(
        target,
        LogTarget {
            json: true,
            level: tracing::Level::DEBUG
        }
    );
    assert!(config.drain_limit.is_none());
}

#[test]
fn all_problems_come_at_once() {
    let text = r#"
        [api.http]
        listen_address = "nowhere"
        [api.http.tls]
        enable = true
        [api.security]
        enable_admin = true
        [api.security.session_cache]
        expiration_minutes = 0
        [rtc]
        ice_port_udp = 70000
        ice_port_tcp = 79
        ice_address_udp = "127.0.0.1, here"
        nack_buffer_size = 100
        udp_sockets_count = 0
        ice_host_override = "1.2.3.4/here"
        ice_host_port_override = "10.0.0.1/8443,10.0.0.1/8444"
        ice_servers = [""]
        enable_ipv6 = "perhaps"
        [store]
        data_source = ""
        [logger]
        enable_console = false
        enable_file = false
    "#;
    let mut keys = problem_keys(text);
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "api.http.listen_address",
            "api.http.tls.cert_file",
            "api.http.tls.cert_key",
            "api.security.admin_secret_key",
            "api.security.session_cache.expiration_minutes",
            "logger.enable_console",
            "rtc.enable_ipv6",
            "rtc.ice_address_udp",
            "rtc.ice_host_override",
            "rtc.ice_host_port_override",
            "rtc.ice_port_tcp",
            "rtc.ice_port_udp",
            "rtc.ice_servers",
            "rtc.nack_buffer_size",
            "rtc.udp_sockets_count",
            "store.data_source",
        ]
    );
}

#[test]
fn a_certificate_that_cannot_be_loaded_is_one_problem_among_others() {
    let text = r#"
        [api.http.tls]
        enable = true
        cert_file = "good.pem"
        cert_key = "lost.key"
        [rtc]
        ice_port_udp = 1
    "#;
    assert_eq!(
        problem_keys(text),
        ["rtc.ice_port_udp", "api.http.tls.cert_key"]
    );
}

#[test]
fn a_problem_names_key_value_and_rule() {
    let told = resolve("[rtc]\nice_port_udp = 70000").unwrap_err();
    assert_eq!(
        told.0.first().unwrap().to_string(),
        "`rtc.ice_port_udp` is `70000`: it must be a number from 80 to 49151"
    );
}

#[test]
fn turn_credentials_are_checked_only_with_a_secret() {
    let expiry = "[rtc.turn]\ncredentials_expiration_minutes = 10080\n";
    assert!(resolve(expiry).is_ok());
    let with_secret = format!("{expiry}static_auth_secret = \"hidden\"");
    let errors = resolve(&with_secret).unwrap_err();
    assert_eq!(errors.0.len(), 1);
    assert!(!errors.to_string().contains("hidden"));
}

#[test]
fn a_file_that_asks_for_another_way_to_send_media_is_refused() {
    assert!(resolve("[rtc]\negress = \"own\"").is_ok());
    assert_eq!(problem_keys("[rtc]\negress = \"str0m\""), ["rtc.egress"]);
}

#[test]
fn every_voice_is_forwarded_unless_told_otherwise() {
    let rtc = resolve("").unwrap().rtc;
    assert_eq!((rtc.max_speakers, rtc.drop_silence), (0, true));
    let rtc = resolve("[rtc]\nmax_speakers = 6\ndrop_silence = false")
        .unwrap()
        .rtc;
    assert_eq!((rtc.max_speakers, rtc.drop_silence), (6, false));
    assert_eq!(
        problem_keys("[rtc]\nmax_speakers = -1"),
        ["rtc.max_speakers"]
    );
}

#[test]
fn what_is_off_may_hold_anything() {
    let off = "enable_file = false\nfile_level = \"loud\"\nfile_location = \"\"";
    assert!(resolve(&format!("[logger]\n{off}")).is_ok());
    assert_eq!(
        problem_keys("[logger]\nfile_level = \"loud\""),
        ["logger.file_level"]
    );
}

#[test]
fn nack_buffer_sizes() {
    for (written, used) in [(0, 256), (32, 32), (512, 512), (8192, 8192)] {
        let config = resolve(&format!("[rtc]\nnack_buffer_size = {written}")).unwrap();
        assert_eq!(config.rtc.nack_buffer_size, used);
    }
    for wrong in [1, 16, 33, 16384] {
        assert_eq!(
            problem_keys(&format!("[rtc]\nnack_buffer_size = {wrong}")),
            ["rtc.nack_buffer_size"]
        );
    }
}

#[test]
fn settings_of_every_kind_can_come_from_the_environment() {
    let config = environment(&[
        ("RTCD_API_SECURITY_ALLOWSELFREGISTRATION", "true"),
        ("RTCD_RTC_ICEPORTUDP", "9000"),
        ("RTCD_RTC_ICESERVERS", r#"["stun:a:3478","stun:b:3478"]"#),
        ("RTCD_LOGGER_CONSOLELEVEL", "Warn"),
        ("RTCD_RTC_DRAINLIMITMINUTES", "2"),
    ]);
    assert!(config.security.allow_self_registration);
    assert_eq!(config.rtc.udp_port, 9000);
    assert_eq!(config.rtc.ice_servers.len(), 1);
    assert_eq!(config.logger.console.unwrap().level, tracing::Level::WARN);
    assert_eq!(config.drain_limit, Some(Duration::from_secs(120)));
}

#[test]
fn keys_that_resemble_none_are_passed_over_and_misspelt_ones_are_not() {
    let tomorrow = read("[rtc]\nspeed = 1\n[video]\nx = 2", &[]);
    assert_eq!(
        tomorrow.warnings,
        [
            "unknown key `rtc.speed` ignored",
            "unknown key `video` ignored"
        ]
    );
    assert!(Config::resolve(&tomorrow, PROBE).is_ok());
    assert_eq!(
        problem_keys("[rtc]\nice_port_upd = 1"),
        ["rtc.ice_port_upd"]
    );
    let misspelt = read("", &[("RTCD_RTC_ICEPORTUPD", "1")]);
    assert!(Config::resolve(&misspelt, PROBE).is_err());
}

#[test]
fn credentials_are_never_printed() {
    let text = r#"
        [api.security]
        admin_secret_key = "hush-admin"
        [rtc]
        ice_servers = [{urls = ["turn:t:3478"], username = "u", credential = "hush-turn"}]
        [rtc.turn]
        static_auth_secret = "hush-shared"
        [store]
        database = "postgres://me:hush@db/parley"
    "#;
    let printed = read(text, &[]).print();
    assert!(!printed.contains("hush"), "{printed}");
    assert!(printed.contains("turn:t:3478"), "{printed}");
}

/// A file as operators of the reference have it: every key it knows, tables in their usual order.
const REFERENCE_FILE: &str = r#"
[api]
http.listen_address = ":8045"
http.tls.enable = false
http.tls.cert_file = ""
http.tls.cert_key = ""
security.allow_self_registration = true
security.enable_admin = true
security.admin_secret_key = "an admin's key"
security.session_cache.expiration_minutes = 60

[RTC]
ice_address_udp = "127.0.0.1, 10.0.0.7"
ice_port_udp = 8443
ice_address_tcp = ""
ice_port_tcp = 8444
ice_host_override = "media.example.org"
ice_host_port_override = 30443
ice_servers = [
  { urls = ["stun:stun.example.org:3478"] },
  { urls = ["turn:turn.example.org:3478?transport=udp", "turns:turn.example.org:5349"] },
  "stun:other.example.org",
]
turn.static_auth_secret = "a shared secret"
turn.credentials_expiration_minutes = 120
enable_ipv6 = true
udp_sockets_count = 400
nack_buffer_size = 512
nack_disable_copy = true

[Store]
Data_Source = "/var/lib/rtcd"

[logger]
enable_console = true
console_json = true
console_level = "Critical"
enable_file = true
file_json = false
file_level = "TRACE"
file_location = "/var/log/rtcd.log"
enable_color = true

[a_table_of_tomorrow]
key = 1
"#;

#[test]
fn a_file_of_the_reference_works_unchanged() {
    let read = read(REFERENCE_FILE, &[]);
    assert_eq!(read.warnings, ["unknown key `a_table_of_tomorrow` ignored"]);
    let config = Config::resolve(&read, PROBE).unwrap();
    assert!(config.security.allow_self_registration);
    assert!(config.security.admin_secret_key.is_some());
    assert_eq!(
        config.security.session_expiration,
        Duration::from_secs(3600)
    );
    assert_eq!(config.rtc.udp_addresses.len(), 2);
    assert!(config.rtc.tcp_addresses.is_empty());
    assert_eq!((config.rtc.udp_port, config.rtc.tcp_port), (8443, 8444));
    let name = HostOverride::Name("media.example.org".to_owned());
    assert_eq!(config.rtc.host_override, name);
    assert_eq!(config.rtc.port_override, PortOverride::One(30443));
    let urls: Vec<usize> = config
        .rtc
        .ice_servers
        .iter()
        .map(|server| server.urls.len())
        .collect();
    assert_eq!(urls, [1, 2, 1]);
    let turn = config.rtc.turn.unwrap();
    assert_eq!(turn.static_auth_secret.expose(), "a shared secret");
    assert_eq!(turn.credentials_expiration, Duration::from_secs(7200));
    assert!(config.rtc.enable_ipv6);
    assert_eq!(config.rtc.nack_buffer_size, 512);
    assert_eq!(config.data_source, PathBuf::from("/var/lib/rtcd"));
    let console = config.logger.console.unwrap();
    assert_eq!((console.json, console.level), (true, tracing::Level::ERROR));
    let (file, target) = config.logger.file.unwrap();
    assert_eq!(file, PathBuf::from("/var/log/rtcd.log"));
    assert_eq!((target.json, target.level), (false, tracing::Level::TRACE));
    assert!(config.logger.color);
}

/// Environment names of the reference, one value each that is not the default.
const REFERENCE_ENVIRONMENT: &[(&str, &str, &str)] = &[
    (
        "RTCD_API_HTTP_LISTENADDRESS",
        "api.http.listen_address",
        "127.0.0.1:9",
    ),
    ("RTCD_API_HTTP_TLS_ENABLE", "api.http.tls.enable", "true"),
    (
        "RTCD_API_HTTP_TLS_CERTFILE",
        "api.http.tls.cert_file",
        "c.pem",
    ),
    (
        "RTCD_API_HTTP_TLS_CERTKEY",
        "api.http.tls.cert_key",
        "k.pem",
    ),
    (
        "RTCD_API_SECURITY_ALLOWSELFREGISTRATION",
        "api.security.allow_self_registration",
        "1",
    ),
    (
        "RTCD_API_SECURITY_ENABLEADMIN",
        "api.security.enable_admin",
        "t",
    ),
    (
        "RTCD_API_SECURITY_ADMINSECRETKEY",
        "api.security.admin_secret_key",
        "x",
    ),
    (
        "RTCD_API_SECURITY_SESSIONCACHE_EXPIRATIONMINUTES",
        "api.security.session_cache.expiration_minutes",
        "2",
    ),
    ("RTCD_RTC_ICEADDRESSUDP", "rtc.ice_address_udp", "127.0.0.1"),
    ("RTCD_RTC_ICEADDRESSTCP", "rtc.ice_address_tcp", "127.0.0.1"),
    ("RTCD_RTC_ICEPORTUDP", "rtc.ice_port_udp", "9001"),
    ("RTCD_RTC_ICEPORTTCP", "rtc.ice_port_tcp", "9002"),
    (
        "RTCD_RTC_ICEHOSTOVERRIDE",
        "rtc.ice_host_override",
        "203.0.113.9",
    ),
    (
        "RTCD_RTC_ICEHOSTPORTOVERRIDE",
        "rtc.ice_host_port_override",
        "127.0.0.1/9003",
    ),
    (
        "RTCD_RTC_ICESERVERS",
        "rtc.ice_servers",
        r#"[{"urls":["stun:a"]}]"#,
    ),
    (
        "RTCD_RTC_TURNCONFIG_STATICAUTHSECRET",
        "rtc.turn.static_auth_secret",
        "s",
    ),
    (
        "RTCD_RTC_TURNCONFIG_CREDENTIALSEXPIRATIONMINUTES",
        "rtc.turn.credentials_expiration_minutes",
        "3",
    ),
    ("RTCD_RTC_ENABLEIPV6", "rtc.enable_ipv6", "true"),
    ("RTCD_RTC_UDPSOCKETSCOUNT", "rtc.udp_sockets_count", "4"),
    ("RTCD_RTC_NACKBUFFERSIZE", "rtc.nack_buffer_size", "64"),
    ("RTCD_RTC_NACKDISABLECOPY", "rtc.nack_disable_copy", "false"),
    ("RTCD_STORE_DATASOURCE", "store.data_source", "d"),
    (
        "RTCD_LOGGER_ENABLECONSOLE",
        "logger.enable_console",
        "false",
    ),
    ("RTCD_LOGGER_CONSOLEJSON", "logger.console_json", "true"),
    ("RTCD_LOGGER_CONSOLELEVEL", "logger.console_level", "panic"),
    ("RTCD_LOGGER_ENABLEFILE", "logger.enable_file", "TRUE"),
    ("RTCD_LOGGER_FILEJSON", "logger.file_json", "false"),
    ("RTCD_LOGGER_FILELEVEL", "logger.file_level", "fatal"),
    ("RTCD_LOGGER_FILELOCATION", "logger.file_location", "l"),
    ("RTCD_LOGGER_ENABLECOLOR", "logger.enable_color", "true"),
];

#[test]
fn every_environment_name_of_the_reference_reaches_its_key() {
    let environment: Environment = REFERENCE_ENVIRONMENT
        .iter()
        .map(|(name, _, value)| (*name, *value))
        .collect();
    let read = Read::<Raw>::text("", &environment).unwrap();
    for (name, path, _) in REFERENCE_ENVIRONMENT {
        assert_eq!(read.origin(path), Origin::Environment((*name).to_owned()));
    }
    let config = Config::resolve(&read, PROBE).unwrap();
    assert_eq!(config.rtc.udp_port, 9001);
    assert!(config.http.tls.is_some() && config.rtc.turn.is_some());
    // What the reference does not have is marked so in the manual.
    for key in Raw::keys() {
        let is_known = REFERENCE_ENVIRONMENT
            .iter()
            .any(|(_, path, _)| *path == key.path);
        assert_eq!(!is_known, key.doc.contains("(Addition.)"), "{}", key.path);
    }
}
