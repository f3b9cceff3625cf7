//! How the process ends: its code, and the last thing it says.

use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;

use crate::house::{House, ended, parley};

#[test]
fn a_port_that_is_taken_is_named_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut command = parley("run --rtc-port 0");
    command.args(["--listen", &address.to_string()]);
    let refused = ended(command.arg("--data-dir").arg(folder.path()));
    assert_eq!(refused.code, Some(1));
    let last = refused.last_line();
    assert!(last.starts_with("parley: start signalling: "), "{last}");
    assert!(last.contains(&address.to_string()), "{last}");
    assert!(last.contains("Address already in use"), "{last}");

    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut command = parley("run --listen 127.0.0.1:0");
    command.args(["--rtc-port", &port]);
    let refused = ended(command.arg("--data-dir").arg(folder.path()));
    assert_eq!(refused.code, Some(1));
    let last = refused.last_line();
    assert!(last.starts_with("parley: start rtcd: "), "{last}");
    assert!(last.contains(&port), "{last}");
}

#[test]
fn the_end_of_a_task_that_must_live_ends_the_process_and_is_the_last_thing_said() {
    for (service, task) in [
        ("rtcd", "events of shards"),
        ("offloader", "http"),
        ("signalling", "media news"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let house = House::start_with(folder.path(), |command| {
            command.env("FAULT_END_TASK", format!("{service}/{task}"));
        });
        let (code, last) = house.end();
        assert_eq!(code, Some(1), "{service}/{task}");
        let words =
            format!("task `{task}` of {service} was cancelled: {service} cannot go on without it");
        assert_eq!(last, format!("parley: {words}"));
    }
}

/// A collector reads neither colours nor prose.
#[test]
fn a_log_that_is_no_terminal_has_no_colours_and_is_json_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let log_of = |form: &str| {
        let house = House::start_with(folder.path(), |command| {
            command
                .env("PARLEY_LOG_FORMAT", form)
                .env("RUST_LOG", "info");
        });
        std::fs::read_to_string(&house.log).unwrap()
    };
    let plain = log_of("plain");
    assert!(plain.contains("\ninfo  ["), "{plain}");
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let lines = log_of("json");
    let objects = lines.lines().filter(|line| line.starts_with('{'));
    let objects: Vec<serde_json::Value> = objects
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(objects.len() > 3, "{lines}");
    for object in objects {
        assert!(
            object["timestamp"].is_string() && object["msg"].is_string(),
            "{object}"
        );
    }

    let refused = ended(
        parley("run --listen 127.0.0.1:0 --rtc-port 0 --data-dir")
            .arg(folder.path())
            .env("PARLEY_LOG_FORMAT", "xml"),
    );
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.last_line().contains("PARLEY_LOG_FORMAT") && refused.last_line().contains("`xml`")
    );
}

#[test]
fn the_ready_file_is_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::start_with(folder.path(), |command| {
        command.arg("--sample-accounts");
    });
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&house.ready_file) & 0o777, 0o600);
    let text = std::fs::read_to_string(&house.ready_file).unwrap();
    assert!(
        text.contains("\"password\""),
        "it is worth protecting: {text}"
    );
    let accounts = folder.path().join("sample-accounts.json");
    assert_eq!(mode(&accounts) & 0o777, 0o600);
}
