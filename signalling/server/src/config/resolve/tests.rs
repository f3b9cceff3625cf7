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
fn names_of_the_plugin_that_are_deprecated_weigh_less_than_their_successors() {
    let read = read(
        "",
        &[
            ("MM_CALLS_RTCD_URL", "http://old:8045"),
            ("MM_CALLS_RTCD_SERVICE_URL", "http://new:8045"),
            ("MM_CALLS_MAX_PARTICIPANTS", "8"),
            ("MM_CALLS_MAX_CALL_PARTICIPANTS", "9"),
        ],
    );
    let config = Config::resolve(&read).unwrap();
    assert_eq!(config.rtcd.hosts[0].base, "http://new:8045");
    assert_eq!(config.calls.max_participants, 9);
}

#[test]
fn ice_servers_named_by_their_addresses_join_the_others() {
    let read = |urls: &str| {
        let environment = [
            ("MM_CALLS_ICE_SERVERS", urls),
            ("MM_CALLS_ICE_SERVERS_CONFIGS", r#"[{"urls":["stun:one"]}]"#),
        ];
        Config::resolve(&read("", &environment))
    };
    let ice = read("stun:two:3478, turn:three").unwrap().ice;
    let urls: Vec<_> = ice.servers.iter().map(|server| &server.urls[..]).collect();
    assert_eq!(urls, [["stun:one"], ["stun:two:3478"], ["turn:three"]]);
    // Credentials are made for it as for every other.
    assert_eq!(ice.turn_without_credentials().count(), 1);
    let told = read("stun:two,two").unwrap_err().to_string();
    assert!(told.contains("`ice.urls` is"), "{told}");
    assert!(told.contains("each must begin with `stun:`"), "{told}");
}

#[test]
fn what_the_plugin_would_hand_to_jobs_is_read_and_checked() {
    let plain = Config::resolve(&read("", &[])).unwrap().recording.film;
    assert_eq!(
        (plain.width, plain.height, plain.frame_rate),
        (1280, 720, 20)
    );
    let config = Config::resolve(&read(
        "recording.quality = \"high\"\n",
        &[
            ("MM_CALLS_RECORDER_WIDTH", "2560"),
            ("MM_CALLS_RECORDER_HEIGHT", "1440"),
            ("MM_CALLS_RECORDER_AUDIO_RATE", "128"),
            ("MM_CALLS_RECORDER_VIDEO_PRESET", "faster"),
            ("MM_CALLS_RECORDER_OUTPUT_FORMAT", "webm"),
            ("MM_CALLS_LIVE_CAPTIONS_LANGUAGE", "fr"),
            ("MM_CALLS_TRANSCRIBER_LIVE_CAPTIONS_LANGUAGE", "de"),
            ("MM_CALLS_TRANSCRIBER_LIVE_CAPTIONS_ON", "false"),
            ("MM_CALLS_TRANSCRIBER_WEBVTT_OMIT_SPEAKER", "true"),
            ("MM_CALLS_JOB_SERVICE_URL", "http://jobs:4545"),
            ("MM_CALLS_TRANSCRIBER_SITE_URL", "http://inside:8065/"),
        ],
    ));
    let config = config.unwrap();
    let film = &config.recording.film;
    assert_eq!((film.width, film.height), (2560, 1440));
    assert_eq!((film.video_rate, film.audio_rate), (2500, 128));
    assert_eq!((&*film.preset, &*film.format), ("faster", "webm"));
    let transcribing = &config.transcribing;
    assert_eq!(transcribing.captions_language, "de");
    assert!(!transcribing.captions_enabled && transcribing.omit_speaker);
    let offloader = config.offloader.as_ref().unwrap();
    assert_eq!(offloader.transcriber_site_url, "http://inside:8065");
    assert_eq!(offloader.site_url, "", "the recorder's is its own");

    let wrong = read("", &[("MM_CALLS_RECORDER_FRAME_RATE", "5")]);
    let told = Config::resolve(&wrong).unwrap_err().to_string();
    let rule = "`recording.frame_rate` is `5` (from MM_CALLS_RECORDER_FRAME_RATE): it must be a \
                number from 10 to 60, or `auto`";
    assert!(told.contains(rule), "{told}");
}

#[test]
fn names_of_the_plugin_without_effect_are_told_with_what_decides_it_here() {
    let read = read(
        "",
        &[
            ("MM_CALLS_UDP_SERVER_PORT", "8444"),
            ("MM_CALLS_RECORDER_EXTRA_CHROMIUM_ARGS", "--x"),
            ("MM_CALLS_RECORDER_PAINTS_THE_WALL", "1"),
            ("MM_CALLS_SERVER_SIDE_TURN", "false"),
        ],
    );
    assert_eq!(
        read.warnings,
        [
            "MM_CALLS_UDP_SERVER_PORT is set: Without effect: media is rtcd's; there it is \
             `rtc.ice_port_udp` (RTCD_RTC_ICEPORTUDP).",
            "MM_CALLS_RECORDER_EXTRA_CHROMIUM_ARGS is set: Without effect: recordings are made \
             without a browser.",
            "unknown environment name `MM_CALLS_RECORDER_PAINTS_THE_WALL` ignored",
        ]
    );
    assert!(Config::resolve(&read).is_ok());
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
