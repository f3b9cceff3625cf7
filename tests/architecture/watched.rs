//! What runs unseen: tasks that nobody watches, clients that a proxy may come between.

use std::collections::BTreeSet;

use crate::sources;

/// Who may start a task or a thread that is in no watched set, and what ends it.
const UNWATCHED: [(&str, &str); 23] = [
    ("deploy/cluster/src/contract/", "tests of any engine"),
    (
        "deploy/cluster/src/members.rs",
        "the beats of one node, end with its membership",
    ),
    (
        "deploy/nats/src/link.rs",
        "messages on their way out, ends with the engine",
    ),
    (
        "deploy/nats/src/open.rs",
        "makes anew what a server forgot, ends with the engine",
    ),
    ("deploy/service/src/supervise", "the watched set itself"),
    ("deploy/storage/src/blob/servers.rs", "servers of tests"),
    (
        "messaging/src/gateway/socket/upgrade.rs",
        "one socket, counted by its person's connections",
    ),
    (
        "messaging/src/gateway/seat.rs",
        "the end of one socket, which must not be cut off",
    ),
    (
        "messaging/src/embedded/http/files.rs",
        "one piece of an upload, ends with its request's body",
    ),
    (
        "signalling/server/src/http/bot.rs",
        "one piece of an upload, ends with its request's body",
    ),
    (
        "signalling/server/src/engine/lanes.rs",
        "the requests about one post, each with a time limit; a panic is caught",
    ),
    (
        "rtcd/server/src/tcp.rs",
        "one connection, ends with it and with the stop",
    ),
    (
        "rtcd/server/src/turn/relay.rs",
        "one message into a queue that is read until the stop",
    ),
    (
        "deploy/service/src/telemetry/file.rs",
        "compresses one file and ends; the log waits for it before the next",
    ),
    (
        "offloader/src/worker.rs",
        "the process of one job, followed by the service",
    ),
    (
        "offloader/src/worker/",
        "the process of one job, followed by the service",
    ),
    (
        "offloader/src/client/",
        "the process of one job, followed by the service",
    ),
    (
        "offloader/src/capture/writer.rs",
        "the process of one job, which joins it at its end",
    ),
    (
        "offloader/src/speech/client.rs",
        "the process of one job, followed by the service",
    ),
    (
        "offloader/src/speech/host.rs",
        "the speech process of one worker, ends with its handle",
    ),
    (
        "offloader/src/speech/process.rs",
        "the speech process, started again by the service",
    ),
    (
        "offloader/src/speech/captions/stream.rs",
        "one track's captions in the process of a job",
    ),
    ("benches/", "loads, not servers"),
];

/// The lines up to the tests that a file ends with.
fn product_lines(text: &str) -> impl Iterator<Item = &str> {
    let next = text.lines().skip(1).chain([""]);
    let pairs = text.lines().zip(next);
    let is_product =
        |(line, next): &(&str, &str)| line.trim() != "#[cfg(test)]" || next.ends_with(';');
    pairs.take_while(is_product).map(|(line, _)| line)
}

/// Company networks set a proxy for everybody that does not know our addresses.
#[test]
fn who_asks_others_says_whether_a_proxy_may_come_between() {
    let makes_a_client = ["Client::builder()", "ClientBuilder::new(", "reqwest::get("];
    let mut careless = Vec::new();
    for (path, text) in sources() {
        let of_tests = ["tests/", "benches/"]
            .iter()
            .any(|top| path.starts_with(top));
        if of_tests || path.contains("/tests") || path == "deploy/service/src/outgoing.rs" {
            continue;
        }
        let mut lines = product_lines(&text)
            .collect::<Vec<_>>()
            .into_iter()
            .peekable();
        while let Some(line) = lines.next() {
            let is_made = makes_a_client.iter().any(|start| line.contains(start))
                || line.contains("reqwest::Client::new(");
            let straight = lines
                .peek()
                .is_some_and(|next| next.contains(".no_proxy()"));
            if is_made && !straight {
                careless.push(format!("{path}: {}", line.trim()));
            }
        }
    }
    assert_eq!(careless, [""; 0], "use `service::outgoing::Whom`");
}

#[test]
fn whatever_lives_long_is_in_a_watched_set() {
    let starts = [
        "tokio::spawn(",
        "task::spawn(",
        "runtime.spawn(",
        "thread::spawn(",
        "thread::Builder::new(",
    ];
    let mut unused: BTreeSet<&str> = UNWATCHED.iter().map(|(path, _)| *path).collect();
    for (path, text) in sources() {
        let is_test = path.starts_with("tests/") || path.contains("/tests");
        let mut lines = product_lines(&text).filter(|line| {
            let is_code = !line.trim_start().starts_with("//");
            is_code && starts.iter().any(|start| line.contains(start))
        });
        let Some(line) = lines.next().filter(|_| !is_test) else {
            continue;
        };
        let place = UNWATCHED.iter().find(|(place, _)| path.starts_with(place));
        assert!(
            place.is_some(),
            "`{path}` starts what nobody watches: `{}`; give it to a `service::Tasks`, or say in \
             this file what ends it",
            line.trim()
        );
        if let Some((place, _)) = place {
            unused.remove(place);
        }
    }
    assert_eq!(unused, BTreeSet::new(), "these start nothing any more");
}
