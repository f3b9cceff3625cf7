//! The nodes of a cluster and the job services, as a table in a terminal.
//!
//! In: the answer of `GET /api/v4/admin/nodes`. Out: text.

use serde_json::Value;

use super::{clock, word};

/// A line that says how this server sees the others, a row each, what is wrong with which, connections.
pub(super) fn table(seen: &Value) -> String {
    let mut lines = vec![sight(seen)];
    let nodes = seen["nodes"].as_array().map(Vec::as_slice);
    let nodes = nodes.unwrap_or_default();
    if !nodes.is_empty() {
        lines.push(format!(
            "{:<20} {:<11} {:<9} {:<5} {:<6} {:<9} {:<9} {:<9} URL",
            "NODE", "KIND", "STATE", "LOAD", "CALLS", "SESSIONS", "SINCE", "VERSION"
        ));
    }
    lines.extend(nodes.iter().map(row));
    lines.extend(nodes.iter().filter_map(trouble));
    let up = nodes.iter().filter(|node| node["state"] == "up");
    lines.extend(up.flat_map(links));
    lines.join("\n")
}

fn sight(seen: &Value) -> String {
    let mut text = match seen["sight"].as_str() {
        Some("alone") => return "this server is on its own: it has no `cluster.papers`".to_owned(),
        Some("clear") => "this server sees the others".to_owned(),
        Some("blind") => "this server hears no other node; what follows is what it knew".to_owned(),
        Some(_) | None => format!("this server has not joined: {}", word(&seen["why"])),
    };
    text += &format!(
        "; it is `{}` of `{}`",
        word(&seen["node"]),
        word(&seen["site"])
    );
    text
}

fn row(node: &Value) -> String {
    // A node that has fallen silent before it said anything has neither.
    let [id, kind, version, url] = ["id", "kind", "version", "url"].map(|key| {
        node[key]
            .as_str()
            .filter(|text| !text.is_empty())
            .unwrap_or("-")
    });
    let is_up = node["state"] == "up";
    let state = if is_up && node["draining"] == true {
        "draining".to_owned()
    } else if is_up && node["stands_by"] == true {
        "stands by".to_owned()
    } else {
        word(&node["state"])
    };
    let load = node["load"].as_u64();
    let load = load.map_or_else(|| "-".to_owned(), |load| format!("{} %", load / 10));
    let since = clock(&node["since_ms"]);
    // What a signalling process says of its calls is nothing.
    let carries = node["kind"] == "media" || node["kind"] == "offloader";
    let [calls, sessions] = ["calls", "sessions"].map(|key| {
        let count = node[key].as_u64().filter(|_| carries);
        count.map_or_else(|| "-".to_owned(), |count| count.to_string())
    });
    format!(
        "{id:<20} {kind:<11} {state:<9} {load:<5} {calls:<6} {sessions:<9} {since:<9} {version:<9} {url}"
    )
}

fn trouble(node: &Value) -> Option<String> {
    let why = node["why"].as_str().filter(|why| !why.is_empty())?;
    Some(format!("{}: {why}", word(&node["id"])))
}

fn links(node: &Value) -> impl Iterator<Item = String> {
    let links = node["links"].as_array().map(Vec::as_slice);
    links.unwrap_or_default().iter().map(|link| {
        let [round_trip, lost] =
            ["round_trip_us", "lost_ppm"].map(|key| link[key].as_f64().unwrap_or(0.0));
        format!(
            "{} to {}: {:.1} ms there and back, {:.1} % lost",
            word(&node["id"]),
            word(&link["node"]),
            round_trip / 1000.0,
            lost / 10_000.0
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_service_stands_among_the_nodes_and_says_what_is_wrong_with_it() {
        let seen = json!({"sight": "clear", "node": "front", "site": "home", "nodes": [
            {"id": "media1", "kind": "media", "state": "up", "draining": true, "since_ms": 61_000, "load": 250,
             "calls": 2, "sessions": 9, "version": "0.7.0", "url": "http://m:8045",
             "links": [{"node": "media2", "round_trip_us": 1500, "lost_ppm": 20_000}]},
            {"id": "front", "kind": "signalling", "state": "up", "since_ms": 0, "calls": 0, "sessions": 0},
            {"id": "k:4545", "kind": "offloader", "state": "up", "since_ms": 1000, "calls": 3, "why": "",
             "url": "http://k:4545"},
            {"id": "j:4545", "kind": "offloader", "state": "silent", "since_ms": 1000, "calls": null,
             "why": "the job service did not answer just now", "url": "http://j:4545"},
        ]});
        let table = table(&seen);
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines[0].join(" "),
            "this server sees the others; it is `front` of `home`"
        );
        assert_eq!(
            lines[2][..7],
            ["media1", "media", "draining", "25", "%", "2", "9"]
        );
        assert_eq!(lines[3][..6], ["front", "signalling", "up", "-", "-", "-"]);
        assert_eq!(lines[4][..6], ["k:4545", "offloader", "up", "-", "3", "-"]);
        assert_eq!(
            lines[5][..6],
            ["j:4545", "offloader", "silent", "-", "-", "-"]
        );
        assert_eq!(
            lines[6].join(" "),
            "j:4545: the job service did not answer just now"
        );
        assert_eq!(
            lines[7].join(" "),
            "media1 to media2: 1.5 ms there and back, 2.0 % lost"
        );
    }

    #[test]
    fn a_server_on_its_own_says_so_and_nothing_else() {
        let alone = table(&json!({"sight": "alone", "nodes": []}));
        assert_eq!(
            alone,
            "this server is on its own: it has no `cluster.papers`"
        );
    }
}
