//! What is accepted, refused, and shown.

use super::*;

fn read(text: &str, environment: &[(&str, &str)]) -> Read<RawConfig> {
    Read::text(text, &environment.iter().copied().collect()).unwrap()
}

#[test]
fn kinds_names_and_values_that_are_wrong_are_told_together() {
    let text = "[http]\nlisten = \"nowhere\"\nsite_url = \"http://0.0.0.0:8065\"\nmax_connections = 0\n\
        metrics_listen = \"everywhere\"\ntrusted_proxies = [\"10.0.0.0/33\"]\n\
        [rtcd]\nurls = [\"http://me:hidden@\"]\nauth_key = \"short\"\n\
        [recording]\nquality = \"best\"\nmax_minutes = 5\n[transcribing]\nmodel_size = \"giant\"\n\
        [calls]\nvidoe = true\nav1 = \"yes\"\nmax_participants = -1\n\
        [offloader]\nauth_key = 7\n[recordings]\nenabled = true\n";
    let environment = [("SIGNALLING_CHAT_OPEN_REGISTRATION", "perhaps")];
    let told = Config::resolve(&read(text, &environment))
        .unwrap_err()
        .to_string();
    for part in [
        "has 16 problem(s)",
        "`http.listen` is `nowhere`: ",
        "`http.site_url` is `http://0.0.0.0:8065`: people cannot reach",
        "`http.max_connections` is `0`: it must be a number from 1 to 1000000",
        "`http.metrics_listen` is `everywhere`: ",
        "`http.trusted_proxies` is `[\"10.0.0.0/33\"]`: ",
        "`rtcd.urls` is `[\"http://(set)@\"]`: ",
        "`rtcd.auth_key` is `(set)`: it has 5 characters",
        "`recording.quality` is `best`: it must be `low`, `medium` or `high`",
        "`recording.max_minutes` is `5`: ",
        "`transcribing.model_size` is `giant`: ",
        "`calls.vidoe`: there is no such key; did you mean `calls.video`?",
        "`calls.av1` is `yes`: ",
        "`calls.max_participants` is `-1`: ",
        "`offloader.auth_key` is `(not shown)`: ",
        "`recordings.enabled`: there is no such key; did you mean `recording.enabled`?",
        "`chat.open_registration` is `perhaps` (from SIGNALLING_CHAT_OPEN_REGISTRATION): ",
    ] {
        assert!(told.contains(part), "{part} is missing: {told}");
    }
    assert!(!told.contains("hidden"), "{told}");
}

#[test]
fn misspelt_variables_are_refused_if_they_are_ours() {
    let read = read(
        "",
        &[
            ("SIGNALLING_CALLS_VIDOE", "1"),
            ("SIGNALLING_LOG", "info"),
            ("MM_CALLS_ENABLE_VIDO", "1"),
        ],
    );
    assert_eq!(
        read.warnings,
        [
            "unknown environment name `MM_CALLS_ENABLE_VIDO` ignored; did you mean `MM_CALLS_ENABLE_VIDEO`?"
        ]
    );
    let told = Config::resolve(&read).unwrap_err();
    assert_eq!(told.keys(), ["SIGNALLING_CALLS_VIDOE"]);
}

#[test]
fn the_environment_overrules_the_file_and_the_own_name_the_reference_one() {
    let config = Config::resolve(&read(
        "[rtcd]\nurls = []\n",
        &[
            ("MM_CALLS_ENABLE_VIDEO", "true"),
            ("SIGNALLING_CALLS_AV1", "true"),
            ("MM_CALLS_ENABLE_AV1", "false"),
            (
                "MM_CALLS_RTCD_SERVICE_URL",
                "http://me:secret@10.0.0.1:8045",
            ),
            ("MM_CALLS_ICE_SERVERS_CONFIGS", r#"[{"urls":["turn:t"]}]"#),
        ],
    ));
    let config = config.unwrap();
    assert!(config.calls.video && config.calls.av1);
    let host = config.rtcd.hosts.first().unwrap();
    assert_eq!(host.base, "http://10.0.0.1:8045");
    assert_eq!(host.client_id.as_deref(), Some("me"));
    assert_eq!(config.ice.servers.len(), 1);
}

#[test]
fn printed_configuration_hides_secrets() {
    let text = "[rtcd]\nauth_key = \"hidden\"\nurls = [\"http://me:hidden@media:8045\"]\n\
        [storage]\ndatabase = \"postgres://me:hidden@db/parley\"\n\
        [ice]\nservers = [{ urls = [\"turn:t\"], credential = \"hidden\" }]\n";
    let printed = read(text, &[]).print();
    assert!(!printed.contains("hidden"), "{printed}");
    assert!(printed.contains("(set)@media:8045"), "{printed}");
    assert!(printed.contains("(set)@db/parley"), "{printed}");
}
