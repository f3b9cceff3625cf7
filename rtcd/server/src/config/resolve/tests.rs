//! What resolving accepts and refuses, as tables.

use super::*;

const PROBE: Probe = Probe { cpus: 4 };

fn raw(text: &str) -> Raw {
    Raw::read(text, |_| None).unwrap()
}

fn resolve(text: &str) -> Result<Config, ConfigErrors> {
    Config::resolve(&raw(text), PROBE)
}

fn problem_keys(text: &str) -> Vec<&'static str> {
    resolve(text)
        .unwrap_err()
        .0
        .iter()
        .map(|problem| problem.key)
        .collect()
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
        ice_host_port_override = "10.0.0.1/8443,10.0.0.1/8444"
        ice_servers = [""]
        enable_ipv6 = "perhaps"
        [store]
        data_source = ""
        [logger]
        enable_console = false
        enable_file = false
        console_level = "loud"
    "#;
    assert_eq!(
        problem_keys(text),
        [
            "api.http.listen_address",
            "api.http.tls.cert_file",
            "api.http.tls.cert_key",
            "api.security.admin_secret_key",
            "api.security.session_cache.expiration_minutes",
            "rtc.ice_port_udp",
            "rtc.ice_port_tcp",
            "rtc.udp_sockets_count",
            "rtc.ice_address_udp",
            "rtc.ice_host_port_override",
            "rtc.ice_servers",
            "rtc.enable_ipv6",
            "rtc.nack_buffer_size",
            "store.data_source",
            "logger.console_level",
            "logger.enable_console",
        ]
    );
}

#[test]
fn a_problem_names_key_value_rule_and_hint() {
    let errors = resolve("[rtc]\nice_port_udp = 70000").unwrap_err();
    assert_eq!(
        errors.0.first().unwrap().to_string(),
        "`rtc.ice_port_udp` is `70000`: must be a port from 80 to 49151; 8443 is the usual one \
         (or set RTCD_RTC_ICEPORTUDP)"
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
fn every_setting_can_come_from_the_environment() {
    let raw = Raw::read("", |name| {
        let value = match name {
            "RTCD_API_SECURITY_ALLOWSELFREGISTRATION" => "true",
            "RTCD_RTC_ICEPORTUDP" => "9000",
            "RTCD_RTC_ICESERVERS" => r#"["stun:a:3478","stun:b:3478"]"#,
            "RTCD_LOGGER_CONSOLELEVEL" => "Warn",
            "RTCD_RTC_DRAINLIMITMINUTES" => "2",
            _ => return None,
        };
        Some(value.to_owned())
    })
    .unwrap();
    let config = Config::resolve(&raw, PROBE).unwrap();
    assert!(config.security.allow_self_registration);
    assert_eq!(config.rtc.udp_port, 9000);
    assert_eq!(config.rtc.ice_servers.len(), 1);
    assert_eq!(config.logger.console.unwrap().level, tracing::Level::WARN);
    assert_eq!(config.drain_limit, Some(Duration::from_secs(120)));
}
