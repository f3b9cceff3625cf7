//! The settings of all four programs, in one place: every key is explained, reached from the
//! environment, checked, printed without secrets; and the binaries say so.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, the helpers too may fail by panic"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use settings::{Environment, Key, Origin, Read, Settings};

/// Runs a check on each declaration.
macro_rules! each {
    ($check:ident) => {{
        $check::<rtcd::config::Raw>();
        $check::<signalling::config::RawConfig>();
        $check::<offloader::config::Raw>();
        $check::<parley::Own>();
    }};
}

fn read<S: Settings>(text: &str, environment: &[(&str, &str)]) -> Read<S> {
    Read::text(text, &environment.iter().copied().collect()).unwrap()
}

fn problems<S: Settings>(read: &Read<S>) -> String {
    let told = read.check().done(());
    told.map_or_else(|problems| problems.to_string(), |()| String::new())
}

/// The line of a file that sets a key.
fn line<S: Settings>(key: &Key<S>) -> String {
    format!("{} = {}\n", key.path, (key.show)(&S::default()))
}

#[test]
fn the_sample_files_are_those_made_from_the_declarations() {
    for (name, sample) in [
        ("rtcd", settings::sample::<rtcd::config::Raw>()),
        (
            "signalling",
            settings::sample::<signalling::config::RawConfig>(),
        ),
        ("offloader", settings::sample::<offloader::config::Raw>()),
        ("parley", parley::config::sample()),
    ] {
        let path = format!("{}/../{name}.toml", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &sample).unwrap();
        }
        let is_same = std::fs::read_to_string(&path).unwrap() == sample;
        assert!(
            is_same,
            "deploy/{name}.toml differs: UPDATE_GOLDEN=1 writes it anew"
        );
    }
}

#[test]
fn every_key_is_explained_and_its_default_stands_in_the_sample() {
    fn check<S: Settings>() {
        let sample = settings::sample::<S>();
        let whole: String = S::keys().iter().map(line).collect();
        let read_again = read::<S>(&whole, &[]);
        assert_eq!(problems(&read_again), "");
        assert_eq!(problems(&read::<S>(&sample, &[])), "");
        for key in S::keys() {
            assert_eq!(read_again.origin(key.path), Origin::File, "{}", key.path);
            let (_, name) = key.parts();
            let default = format!("\n# {name} = {}\n", (key.show)(&S::default()));
            assert!(sample.contains(&default), "{}", key.path);
            let doc = key.doc.trim();
            assert!(
                doc.ends_with(['.', ')']) && doc.len() > 5,
                "{}: {doc}",
                key.path
            );
        }
    }
    each!(check);
}

#[test]
fn every_name_in_the_environment_is_one_keys_and_weighs_more_than_the_file() {
    fn check<S: Settings>() {
        let mut seen = BTreeSet::new();
        for key in S::keys() {
            assert!(seen.insert(key.path.to_owned()), "{} twice", key.path);
            for name in key.names() {
                assert!(seen.insert(name.clone()), "{name} twice");
                let default = (key.show)(&S::default());
                let default = default.as_str().map_or(default.to_string(), str::to_owned);
                let reaches = |text: &&str| {
                    let read = read::<S>(&line(key), &[(&name, text)]);
                    read.origin(key.path) == Origin::Environment(name.clone())
                        && problems(&read).is_empty()
                };
                let texts = [
                    default.as_str(),
                    "1",
                    "30d",
                    "https://a.example",
                    "en",
                    "vp9",
                    "stun:a.example",
                ];
                assert!(
                    texts.iter().any(reaches),
                    "{name} does not reach {}",
                    key.path
                );
            }
        }
    }
    each!(check);
}

#[test]
fn what_is_misspelt_is_told_with_what_was_meant() {
    fn check<S: Settings>() {
        for key in S::keys() {
            let told = problems(&read::<S>(&format!("{}x = 1", key.path), &[]));
            assert!(
                told.contains(&format!("did you mean `{}`?", key.path)),
                "{told}"
            );
            for name in key.names() {
                let wrong = format!("{name}X");
                let read = read::<S>("", &[(&wrong, "1")]);
                let told = format!("{}{}", problems(&read), read.warnings.concat());
                assert!(told.contains(&format!("did you mean `{name}`?")), "{told}");
                let is_ours = name.starts_with(S::MANNER.ours);
                assert_eq!(problems(&read).is_empty(), !is_ours, "{wrong}");
            }
        }
    }
    each!(check);
}

#[test]
fn names_that_another_program_reads_instead_are_names_that_it_reads() {
    let others = <signalling::config::RawConfig as Settings>::MANNER.others;
    let mut checked = 0;
    for doc in others.iter().map(|other| other.doc) {
        let words = doc.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
        for name in words.filter(|word| word.starts_with("RTCD_")) {
            let is_one = |key: &Key<rtcd::config::Raw>| {
                key.names().iter().any(|known| known == name)
                    && doc.contains(&format!("`{}`", key.path))
            };
            assert!(rtcd::config::Raw::keys().iter().any(is_one), "{doc}");
            checked += 1;
        }
    }
    assert!(checked > 0);
}

#[test]
fn no_secret_is_printed_or_told() {
    fn check<S: Settings>() {
        for key in S::keys() {
            let (_, name) = key.parts();
            let sounds_secret = ["secret", "_key", "password"]
                .iter()
                .any(|word| name.ends_with(word));
            assert!(
                key.is_secret || !sounds_secret || name == "cert_key",
                "{}",
                key.path
            );
            if !key.is_secret {
                continue;
            }
            for value in ["\"http://me:hush@host/x\"", "[{ hush = 1 }]", "7777"] {
                let read = read::<S>(&format!("{} = {value}", key.path), &[]);
                let shown = format!("{}{}", read.print(), problems(&read));
                assert!(
                    !shown.contains("hush") && !shown.contains("7777"),
                    "{}: {shown}",
                    key.path
                );
            }
        }
    }
    each!(check);
}

#[test]
fn what_is_printed_can_be_read_again() {
    fn check<S: Settings>() {
        let printed = Read::<S>::table(&toml::Table::new(), &Environment::default()).print();
        assert_eq!(problems(&read::<S>(&printed, &[])), "");
        assert_eq!(printed.matches("# default\n").count(), S::keys().len());
    }
    each!(check);
}

/// The binaries of a whole build lie beside each other: `cargo test --workspace`, as in `tests/run`.
fn program(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_parley")).with_file_name(name);
    assert!(path.exists(), "build it first: cargo build -p {name}");
    path
}

fn ask(
    folder: &Path,
    name: &str,
    verb: &str,
    environment: &[(&str, &str)],
) -> (Option<i32>, String) {
    let output = Command::new(program(name))
        .args([verb, "--config", "file.toml"])
        .current_dir(folder)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of four programs")]
fn the_binaries_check_and_print() {
    let folder = tempfile::tempdir().unwrap();
    for (name, good, set, bad, told) in [
        (
            "rtcd",
            "rtc.ice_port_udp = 9001\nstore.database = \"postgres://me:hush@db/d\"\n",
            (
                "RTCD_RTC_MAXSPEAKERS",
                "6",
                "max_speakers = 6 # environment: RTCD_RTC_MAXSPEAKERS",
            ),
            "rtc.ice_port_udp = 1\nrtc.ice_port_tpc = 2\nrtc.ice_host_override = \"0.0.0.0\"\n",
            [
                "`rtc.ice_port_udp` is `1`",
                "`rtc.ice_port_tpc`: there is no such key",
                "`rtc.ice_host_override` is",
            ],
        ),
        (
            "signalling",
            "calls.video = true\nrtcd.urls = [\"http://me:hush@media:8045\"]\n",
            (
                "MM_CALLS_ENABLE_AV1",
                "1",
                "av1 = true # environment: MM_CALLS_ENABLE_AV1",
            ),
            "calls.video = 3\ncalls.vidoe = true\nhttp.listen = \"nowhere\"\n",
            [
                "`calls.video` is `3`",
                "`calls.vidoe`: there is no such key",
                "`http.listen` is `nowhere`",
            ],
        ),
        (
            "offloader",
            "jobs.max_concurrent_jobs = 3\nstore.database = \"postgres://me:hush@db/d\"\n",
            (
                "JOBS_IMAGEREGISTRY",
                "here",
                "image_registry = \"here\" # environment: JOBS_IMAGEREGISTRY",
            ),
            "jobs.max_concurrent_jobs = 0\njobs.colour = 1\nlogger.enable_console = false\n",
            [
                "`jobs.max_concurrent_jobs` is `0`",
                "`jobs.colour`: there is no such key",
                "`logger.enable_console` is `false`",
            ],
        ),
        (
            "parley",
            "parley.data_dir = \"d\"\nsignalling.rtcd.auth_key = \"hush-hush-hush-hush-hush-hush-hush\"\n",
            (
                "PARLEY_RTC_PORT",
                "9002",
                "rtc_port = 9002 # environment: PARLEY_RTC_PORT",
            ),
            "parley.rtc_port = 70000\nsignalling.calls.vidoe = true\nofloader.x = 1\n",
            [
                "`parley.rtc_port` is `70000`",
                "`calls.vidoe`: there is no such key",
                "there is no table `ofloader`; did you mean `offloader`?",
            ],
        ),
    ] {
        std::fs::write(folder.path().join("file.toml"), good).unwrap();
        let (env, value, printed) = set;
        assert_eq!(
            ask(folder.path(), name, "check-config", &[]),
            (Some(0), "configuration can be used\n".to_owned())
        );
        let (code, text) = ask(folder.path(), name, "print-config", &[(env, value)]);
        assert!(code == Some(0) && text.contains(printed), "{name}: {text}");
        assert!(
            text.contains("# file\n") && !text.contains("hush"),
            "{name}: {text}"
        );

        std::fs::write(folder.path().join("file.toml"), bad).unwrap();
        for verb in ["check-config", "print-config"] {
            let (code, text) = ask(folder.path(), name, verb, &[]);
            assert_eq!(code, Some(2), "{name}: {text}");
            assert!(
                told.iter().all(|part| text.contains(part)),
                "{name}: {text}"
            );
        }
        let sample = Command::new(program(name))
            .arg("sample-config")
            .output()
            .unwrap();
        let deployed = format!("{}/../{name}.toml", env!("CARGO_MANIFEST_DIR"));
        assert_eq!(sample.stdout, std::fs::read(deployed).unwrap(), "{name}");
    }
}

/// Every place among the nodes is checked before the start, with everything else.
#[test]
fn a_place_among_the_nodes_is_checked_with_everything_else() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, text: &str, env: &[(&str, &str)]| {
        std::fs::write(folder.path().join("file.toml"), text).unwrap();
        let (code, text) = ask(folder.path(), name, "check-config", env);
        assert_eq!(code, Some(2), "{name}: {text}");
        text
    };
    let cluster = "cluster.papers = \"no/papers\"\n";
    for (name, text, told) in [
        ("rtcd", cluster.to_owned(), "`cluster.url` is ``"),
        (
            "signalling",
            format!("{cluster}http.listen = \"nowhere\"\n"),
            "`http.listen` is `nowhere`",
        ),
        (
            "parley",
            format!("signalling.{cluster}parley.rtc_port = 70000\n"),
            "`parley.rtc_port` is `70000`",
        ),
    ] {
        let text = check(name, &text, &[]);
        let papers = "`cluster.papers` is `no/papers`";
        for part in [papers, "no/papers/cluster.toml", told] {
            assert!(text.contains(part), "{part} of {name}: {text}");
        }
    }
    // The media node in the process of `parley` has no place of its own.
    let text = check(
        "parley",
        &format!(
            "rtcd.{cluster}rtcd.rtc.ice_host_override = \"0.0.0.0\"\nrtcd.rtc.ice_port_tpc = 1\n"
        ),
        &[("RTCD_CLUSTER_URL", "http://10.0.0.1:8045")],
    );
    for part in [
        "table `rtcd`",
        "`cluster.papers` is `no/papers`: the media node in this process",
        "`cluster.url` is `http://10.0.0.1:8045` (from RTCD_CLUSTER_URL)",
        "`signalling.cluster.papers`",
        "`rtc.ice_host_override` is",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let once = text.matches("`rtc.ice_port_tpc`").count();
    assert_eq!(once, 1, "{text}");
    // Nor is its signalling server one of several.
    let text = check(
        "parley",
        "signalling.cluster.link_address = \"10.0.0.4\"\n",
        &[],
    );
    for part in [
        "`cluster.link_address` is `10.0.0.4`: the signalling server in this process",
        "it must be host:port",
        "it needs cluster.papers",
        "it needs storage.database",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Recordings must not depend on the process that happens to lead.
    let (several, jobs) = (
        "cluster.link_address = \"10.0.0.4:8066\"\n",
        "offloader.url = \"http://10.0.0.9:4545\"\n",
    );
    let needs = "it needs http.site_url, or offloader.site_url";
    let told = |more: &str| check("signalling", &format!("{several}{more}"), &[]).contains(needs);
    assert!(told(jobs) && !told(""));
    let site = "http.site_url = \"https://calls.example.org\"\n";
    assert!(!told(&format!("{jobs}{site}")));
}

#[test]
fn what_this_process_decides_otherwise_than_a_service_alone_is_a_default_too() {
    let folder = tempfile::tempdir().unwrap();
    for (file, printed) in [
        (
            "",
            [
                "ringing = true # default",
                "max_concurrent_jobs = 8 # default",
            ],
        ),
        (
            "signalling.calls.ringing = false\noffloader.jobs.max_concurrent_jobs = 3\n",
            ["ringing = false # file", "max_concurrent_jobs = 3 # file"],
        ),
    ] {
        std::fs::write(folder.path().join("file.toml"), file).unwrap();
        let (code, text) = ask(folder.path(), "parley", "print-config", &[]);
        assert_eq!(code, Some(0), "{text}");
        assert!(printed.iter().all(|part| text.contains(part)), "{text}");
    }
}
