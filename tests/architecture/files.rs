//! How files look, how long they are, and where they lie.

use std::collections::BTreeSet;
use std::fs;

use crate::{root, sources};

/// Longest source file that ships, tests at its end not counted. Above it there are two concepts
/// in there. Stories may be longer: they are read one test at a time.
const MAX_LINES: usize = 600;

#[test]
fn every_file_says_what_it_is_for() {
    for (path, text) in sources() {
        assert!(
            text.starts_with("//!"),
            "`{path}` begins without a `//!` header: what it does, what enters, what leaves"
        );
    }
}

#[test]
fn no_room_grows_too_large() {
    for (path, text) in sources()
        .into_iter()
        .filter(|(path, _)| path.contains("/src/"))
    {
        let lines = text
            .lines()
            .take_while(|line| line.trim() != "#[cfg(test)]")
            .count();
        assert!(
            lines <= MAX_LINES,
            "`{path}` has {lines} lines without its tests: split it by concept (limit {MAX_LINES})"
        );
    }
}

/// `tests/run` runs what `cargo test` calls targets, examples in documentation are none.
#[test]
fn an_example_in_the_documentation_is_a_test_that_is_shown() {
    let mut run_by_nobody = Vec::new();
    for (path, text) in sources() {
        let mut is_open = false;
        for line in text.lines().map(str::trim_start) {
            let doc = line.strip_prefix("///").or(line.strip_prefix("//!"));
            let Some(fence) = doc.and_then(|doc| doc.trim().strip_prefix("```")) else {
                continue;
            };
            let is_rust = ["", "rust", "no_run", "should_panic"].contains(&fence);
            if !is_open && is_rust {
                run_by_nobody.push(path.clone());
            }
            is_open = !is_open;
        }
    }
    assert_eq!(run_by_nobody, [""; 0], "as in deploy/settings/src/lib.rs");
}

/// Files and folders of the first level; the owner's list. What begins with a dot is not counted.
const TOP_LEVEL: [&str; 14] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "NOTICE",
    "README.md",
    "benches",
    "deploy",
    "messaging",
    "offloader",
    "proto",
    "rtcd",
    "signalling",
];

#[test]
fn the_first_level_holds_what_it_is_meant_to_hold() {
    let entries = fs::read_dir(root()).expect("the repository's root");
    let names: BTreeSet<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    for name in &names {
        let is_meant = TOP_LEVEL.contains(&name.as_str()) || ["tests", "target"].contains(&&**name);
        assert!(
            is_meant || name.starts_with('.'),
            "`{name}` lies on the first level: put it where it belongs"
        );
    }
    for name in TOP_LEVEL {
        assert!(names.contains(name), "`{name}` is missing");
    }
}

#[test]
fn the_repository_stands_alone() {
    // Built from pieces so that this file does not find itself.
    let banned = [
        ["..", "/shared"].concat(),
        ["/work", "/main"].concat(),
        [".lib", "rary/"].concat(),
    ];
    for (path, text) in sources() {
        for place in &banned {
            assert!(
                !text.contains(place),
                "`{path}` names `{place}`, which no user has"
            );
        }
    }
}
