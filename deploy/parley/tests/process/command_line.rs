//! The command line and the environment: nothing that was typed is dropped.

use std::path::Path;

use crate::house::{Ended, House, PASSWORD, ended, parley};

fn add_account(data: &Path, password: &str) -> Ended {
    let mut command = parley("add-account --username anna --data-dir");
    ended(command.arg(data).env("PARLEY_PASSWORD", password))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_there_is_not_added_again_and_keeps_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let first = add_account(folder.path(), PASSWORD);
    assert_eq!(first.code, Some(0), "{first:?}");
    // Whoever is the first administrates.
    assert_eq!(first.stdout, "`anna` is added, as administrator\n");
    let second = add_account(folder.path(), "another harbour lantern");
    assert_eq!(second.code, Some(1));
    let last = second.last_line();
    assert!(last.starts_with("parley: add the account: "), "{last}");
    assert!(
        last.contains("`anna`") && last.contains("is taken"),
        "{last}"
    );
    let house = House::start(folder.path());
    assert!(house.sign_in("anna", PASSWORD).await.is_ok());
    let other = house.sign_in("anna", "another harbour lantern").await;
    assert_eq!(other, Err(401));
}

#[test]
fn a_cluster_is_begun_once_and_gets_a_node() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("cluster");
    let init = "cluster init --server a=127.0.0.1 --folder";
    let begun = ended(parley(init).arg(&place));
    assert_eq!(begun.code, Some(0), "{begun:?}");
    let added = ended(parley("cluster add-node n1 --folder").arg(&place));
    assert_eq!(added.code, Some(0), "{added:?}");
    assert!(place.join("nodes/n1/key.pem").exists(), "{added:?}");
    let again = ended(parley(init).arg(&place));
    assert_eq!(again.code, Some(1));
    assert!(
        again.last_line().contains("holds a cluster already"),
        "{again:?}"
    );
}

#[test]
fn options_count_before_and_after_the_verb() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.toml");
    std::fs::write(&bad, "[signalling]\nno_such_key = 1\n").unwrap();
    let (data, bad) = (folder.path().display(), bad.display());
    let before = ended(&mut parley(&format!("--data-dir {data} print-config")));
    let after = ended(&mut parley(&format!("print-config --data-dir {data}")));
    assert_eq!((before.code, after.code), (Some(0), Some(0)));
    assert_eq!(before.stdout, after.stdout);
    assert!(
        before.stdout.contains(&format!("{data}/signalling")),
        "{}",
        before.stdout
    );
    for line in [
        format!("--config {bad} check-config"),
        format!("check-config --config {bad}"),
    ] {
        let refused = ended(&mut parley(&line));
        assert_eq!(refused.code, Some(2), "{line}");
        assert!(refused.stderr.contains("no_such_key"), "{refused:?}");
    }
    let meaningless = ended(&mut parley("--rtc-port 1 models list"));
    assert_eq!(meaningless.code, Some(2));
    assert!(
        meaningless
            .last_line()
            .contains("`--rtc-port` means nothing")
    );
}

#[test]
fn names_that_begin_like_ours_and_are_none_are_refused() {
    for verb in ["run", "check-config"] {
        let refused = ended(parley(verb).env("PARLEY_LISTENN", "0.0.0.0:8065"));
        assert_eq!(refused.code, Some(2), "{verb}");
        let wanted = "- `PARLEY_LISTENN`: there is no such name in the environment of parley; did you \
                      mean `PARLEY_LISTEN`?";
        assert_eq!(refused.last_line(), wanted);
    }
    // For scripts, for the log, for another verb.
    for (name, value) in [
        ("PARLEY_BIN", "/usr/bin/parley"),
        ("PARLEY_LOG", "debug"),
        ("PARLEY_LOG_FORMAT", "json"),
        ("PARLEY_MODELS_MIRROR", "https://models.example"),
        ("PARLEY_PASSWORD", "of a verb"),
    ] {
        let known = ended(parley("check-config").env(name, value));
        assert_eq!(known.code, Some(0), "{name}: {known:?}");
    }
    let data = ended(parley("print-config").env("PARLEY_DATA", "/somewhere/else"));
    assert!(
        data.stdout.contains("/somewhere/else/signalling"),
        "{}",
        data.stdout
    );
}

#[test]
fn a_check_tells_all_problems_of_all_tables_and_of_the_environment_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("parley.toml");
    let text = "[rtcd.rtc]\nice_port_udp = 700000\n[signalling.recording]\nquality = \"best\"\nmax_minutes = 1\n\
                [offloader.jobs]\nmax_concurrent_jobs = \"many\"\n[signaling]\nx = 1\n";
    std::fs::write(&file, text).unwrap();
    let mut command = parley("check-config --config");
    let refused = ended(command.arg(&file).env("PARLEY_MODLES", "x"));
    assert_eq!(refused.code, Some(2));
    for part in [
        "there is no table `signaling`; did you mean `signalling`?",
        "`PARLEY_MODLES`",
        "ice_port_udp",
        "`recording.quality` is `best`",
        "`recording.max_minutes` is `1`",
        "max_concurrent_jobs",
    ] {
        assert!(
            refused.stderr.contains(part),
            "{part} is missing: {}",
            refused.stderr
        );
    }
}
