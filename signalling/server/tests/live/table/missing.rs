//! What the door has and the tables have not.

use std::collections::{BTreeMap, BTreeSet};

use super::actions::actions;
use super::elsewhere;
use super::events::EVENTS;
use super::routes::ROUTES;

/// Routes as they are registered, by method.
fn registered() -> BTreeSet<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http");
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for piece in text.split(".route(").skip(1) {
            let mut depth = 1;
            let end = piece.find(|letter| {
                depth += match letter {
                    '(' => 1,
                    ')' => -1,
                    _ => 0,
                };
                depth == 0
            });
            let call = &piece[..end.unwrap()];
            let route = call.split('"').nth(1).unwrap();
            for (method, word) in [("GET", "get("), ("POST", "post("), ("PUT", "put(")] {
                if call.contains(word) {
                    found.insert((method.to_owned(), route.to_owned()));
                }
            }
        }
    }
    // Not of the Calls API: the console's, and where links lead.
    found.retain(|(_, route)| !route.starts_with("/api/") && !route.starts_with("/_redirect"));
    found
}

/// Texts between quotes that stand before (or behind) a mark in one of our source files.
fn quoted(file: &str, before: &str, behind: &str) -> BTreeSet<String> {
    let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let pieces = text.lines().filter_map(|line| {
        let rest = &line[line.find(before)? + before.len()..];
        let (name, rest) = rest.split_once('"')?;
        rest.starts_with(behind).then(|| name.to_owned())
    });
    pieces.collect()
}

#[test]
fn nothing_of_the_door_is_missing_in_the_tables() {
    let mut rows: BTreeSet<(String, String)> = BTreeSet::new();
    let mut verbs: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for row in ROUTES {
        let mut route = row.route.to_owned();
        for (above, variable) in [("host", "control"), ("recording", "action")] {
            let start = format!("/calls/{{channel}}/{above}/");
            if let Some(verb) = row.route.strip_prefix(&start) {
                verbs.entry(above).or_default().insert(verb.to_owned());
                route = format!("{start}{{{variable}}}");
            }
        }
        rows.insert((row.method.to_owned(), route));
    }
    assert_eq!(rows, registered());
    assert_eq!(
        verbs["host"],
        quoted("src/http/host.rs", "        \"", " =>")
    );
    let mut actions_of_recording = quoted("src/http/recording.rs", "        \"", " =>");
    actions_of_recording.insert("rest".to_owned());
    assert_eq!(verbs["recording"], actions_of_recording);

    let names: BTreeSet<String> = actions()
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let of_door = quoted("../../proto/src/calls/action.rs", " => \"", ",");
    // A measurement is a `metric`, and has a row by its own name.
    let has_row = |name: &String| name != "metric";
    assert_eq!(names, of_door.into_iter().filter(has_row).collect());
    let names: BTreeSet<String> = EVENTS.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(
        names,
        quoted("../../proto/src/calls/event.rs", ") = \"", ",")
    );
}

#[test]
fn every_route_of_a_channel_is_in_the_table_of_other_rooms() {
    let is_of_channel = |route: &str| route.contains("{channel}") && !route.starts_with("/bot/");
    let of_channels = ROUTES.iter().map(|row| (row.method, row.route));
    let of_channels: BTreeSet<_> = of_channels.filter(|row| is_of_channel(row.1)).collect();
    let rows = elsewhere::ROWS
        .iter()
        .map(|(method, route, _)| (*method, *route));
    assert_eq!(rows.collect::<BTreeSet<_>>(), of_channels);
}
