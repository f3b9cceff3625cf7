//! The rules that keep the house in shape, checked instead of remembered.
//!
//! Who may depend on whom, what a core may contain, who may speak to str0m, where the wire is
//! defined, and how large a room may grow. ARCHITECTURE.md says why; a failure names the edge or
//! the file that broke a rule.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Longest source file that ships, tests at its end not counted. Above it there are two concepts
/// in there. Stories may be longer: they are read one test at a time.
const MAX_LINES: usize = 600;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        // Only what is built here: the lock file also names crates of other systems.
        .other_options(
            ["--locked", "--filter-platform", "x86_64-unknown-linux-gnu"].map(str::to_owned),
        )
        .exec()
        .expect("cargo metadata of this workspace")
}

/// Direct dependencies that ship, per workspace package; development ones are not counted.
fn shipped_edges(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    metadata
        .workspace_packages()
        .iter()
        .map(|package| {
            let names = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind == DependencyKind::Normal)
                .map(|dependency| dependency.name.clone())
                .collect();
            (package.name.to_string(), names)
        })
        .collect()
}

/// Everything `package` pulls in, at any depth, that ships.
fn closure(metadata: &Metadata, package: &str) -> BTreeSet<String> {
    let resolve = metadata.resolve.as_ref().expect("a resolved graph");
    let names: BTreeMap<_, _> = metadata
        .packages
        .iter()
        .map(|p| (p.id.clone(), p.name.to_string()))
        .collect();
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let start = metadata
        .packages
        .iter()
        .find(|candidate| candidate.name.as_str() == package)
        .expect("the package is in the workspace");
    let mut seen = BTreeSet::new();
    let mut queue = vec![start.id.clone()];
    while let Some(id) = queue.pop() {
        let node = nodes.get(&id).expect("every id has a node");
        for dependency in &node.deps {
            let ships = dependency
                .dep_kinds
                .iter()
                .any(|kind| kind.kind == DependencyKind::Normal);
            let name = names.get(&dependency.pkg).expect("every id has a package");
            if ships && seen.insert(name.clone()) {
                queue.push(dependency.pkg.clone());
            }
        }
    }
    seen
}

/// Our source files with their path relative to the root.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let rooms = [
        "proto",
        "rtcd",
        "signalling",
        "messaging",
        "offloader",
        "tests",
        "benches",
        "deploy",
    ];
    for room in rooms {
        walk(&root().join(room), &mut found);
    }
    found
}

fn walk(folder: &Path, found: &mut Vec<(String, String)>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if name != "node_modules" && name != "target" && name != "dist" {
                walk(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file is UTF-8");
            let relative = path.strip_prefix(root()).expect("below the root");
            found.push((relative.to_string_lossy().into_owned(), text));
        }
    }
}

#[test]
fn services_meet_only_over_a_wire() {
    let edges = shipped_edges(&metadata());
    let services = ["rtcd", "signalling", "offloader"];
    for service in services {
        for other in services {
            assert!(
                service == other || !edges[service].contains(other),
                "`{service}` depends on `{other}`: services speak only in `proto`'s protocols"
            );
        }
    }
    for (package, wanted) in &edges {
        let may_use_messaging = ["signalling", "parley", "calls"].contains(&package.as_str());
        assert!(
            may_use_messaging || !wanted.contains("messaging"),
            "`{package}` depends on `messaging`: only `signalling` and `parley` know the chat world"
        );
    }
}

#[test]
fn proto_has_small_leaf_dependencies_only() {
    let allowed = [
        "base64",
        "bytes",
        "flate2",
        "rmp",
        "rmp-serde",
        "serde",
        "serde_json",
        "thiserror",
        "uuid",
    ];
    for dependency in &shipped_edges(&metadata())["proto"] {
        assert!(
            allowed.contains(&dependency.as_str()),
            "`proto` depends on `{dependency}`: it holds types and codecs, add it here only with a reason"
        );
    }
}

#[test]
fn cores_pull_in_no_runtime_socket_or_database() {
    let metadata = metadata();
    let banned = [
        "tokio",
        "mio",
        "socket2",
        "axum",
        "hyper",
        "reqwest",
        "sqlx",
        "prometheus",
        "rand",
    ];
    for core in ["rtcd-core", "signalling-core"] {
        let closure = closure(&metadata, core);
        for name in banned {
            // str0m draws its own randomness; the core itself does not.
            let through_str0m = name == "rand" && core == "rtcd-core";
            assert!(
                through_str0m || !closure.contains(name),
                "`{core}` pulls in `{name}`: a core is values in, values out"
            );
        }
    }
}

#[test]
fn the_core_of_calls_speaks_no_protocol() {
    let core = sources().into_iter();
    for (path, text) in core.filter(|(path, _)| path.starts_with("signalling/core/")) {
        for protocol in ["proto::calls", "proto::rtcd", "proto::offload"] {
            assert!(
                !text
                    .lines()
                    .any(|line| !line.trim_start().starts_with("//") && line.contains(protocol)),
                "`{path}` names `{protocol}`: doors translate (signalling/server/src/door)"
            );
        }
    }
    let edges = shipped_edges(&metadata());
    let wanted = &edges["signalling-core"];
    assert_eq!(wanted.iter().collect::<Vec<_>>(), ["proto"]);
}

#[test]
fn faults_are_injected_in_tests_only() {
    for package in metadata().workspace_packages() {
        for dependency in &package.dependencies {
            let asks = dependency.features.iter().any(|f| {
                f == "fault-injection" || (f == "testing" && dependency.name == "storage")
            });
            assert!(
                !asks || dependency.kind == DependencyKind::Development,
                "`{}` turns on faults in `{}`: only [dev-dependencies] may",
                package.name,
                dependency.name
            );
        }
        let features = package.features.iter();
        let mut leaking =
            features.filter(|(_, on)| on.iter().any(|f| f.contains("fault-injection")));
        assert!(
            leaking.next().is_none(),
            "a feature of `{}` injects faults",
            package.name
        );
    }
}

#[test]
fn cores_keep_their_purity_file() {
    for core in ["rtcd/core", "signalling/core"] {
        let text = fs::read_to_string(root().join(core).join("clippy.toml"))
            .unwrap_or_else(|_| panic!("`{core}/clippy.toml` holds the purity rule"));
        for method in [
            "Instant::now",
            "SystemTime::now",
            "env::var",
            "thread::sleep",
        ] {
            assert!(
                text.contains(method),
                "`{core}/clippy.toml` must forbid `{method}`"
            );
        }
    }
}

#[test]
fn only_sessions_speak_to_str0m() {
    let allowed = [
        "rtcd/core/src/session",
        "rtcd/srtp/src/keys",
        "rtcd/core/tests/",
        "offloader/src/client",
        "offloader/tests/",
        "tests/",
        "benches/",
    ];
    for (path, text) in sources() {
        let names_it = text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            code.contains("str0m::") || code.contains("use str0m")
        });
        assert!(
            !names_it || allowed.iter().any(|prefix| path.starts_with(prefix)),
            "`{path}` names str0m: only {allowed:?} may"
        );
    }
}

#[test]
fn only_a_negotiator_speaks_rtcd_v1_in_the_core() {
    for (path, text) in sources() {
        let is_core = path.starts_with("rtcd/core/src/");
        let is_negotiator = path.starts_with("rtcd/core/src/negotiator/calls");
        let names_it = text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            code.contains("proto::rtcd")
        });
        assert!(
            !is_core || is_negotiator || !names_it,
            "`{path}` names `proto::rtcd`: the core has words of its own, a door translates"
        );
    }
}

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

#[test]
fn every_package_follows_the_workspace_lints() {
    for package in metadata().workspace_packages() {
        let manifest = fs::read_to_string(&package.manifest_path).expect("a manifest");
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "`{}` does not inherit the workspace lints",
            package.manifest_path
        );
    }
}

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

/// What stands between single backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_path_that_the_architecture_names_is_there() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let text = text.split("```").step_by(2).collect::<String>();
    let missing: Vec<&str> = quoted(&text)
        .filter(|word| word.contains('/') && !word.starts_with('@'))
        .filter(|path| !root().join(path).exists())
        .collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names {missing:?}");
    for walk in ["**A packet**", "**A message**", "**A recording**"] {
        let (_, behind) = text.split_once(walk).expect("the three walks");
        let (_, list) = behind.split_once("\n1. ").expect("a numbered list");
        let list = list.split("\n\n").next().unwrap_or_default();
        let steps = numbered(list);
        assert!(steps.len() > 4, "{walk} has {} steps", steps.len());
        for step in steps {
            assert!(
                quoted(step).any(|word| word.ends_with(".rs")),
                "a step of a walk names no file: {step}"
            );
        }
    }
}

/// The steps of a numbered list.
fn numbered(list: &str) -> Vec<&str> {
    let mut steps = Vec::new();
    let mut rest = list;
    for number in 2.. {
        let Some((step, behind)) = rest.split_once(&format!("\n{number}. ")) else {
            break;
        };
        steps.push(step);
        rest = behind;
    }
    steps.push(rest);
    steps
}

#[test]
fn every_link_of_the_front_pages_leads_somewhere() {
    for page in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"] {
        let text = fs::read_to_string(root().join(page)).expect("a front page");
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap_or_default();
            let is_here = target.is_empty() || !target.contains("://");
            assert!(
                !is_here || root().join(target).exists(),
                "{page} links to `{target}`"
            );
        }
    }
}

#[test]
fn the_product_has_one_version_and_the_reference_another() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("a text file");
    let ours = env!("CARGO_PKG_VERSION");
    for package in metadata().workspace_packages() {
        assert_eq!(package.version.to_string(), ours, "{}", package.name);
    }
    let web = format!("\"version\": \"{ours}\"");
    assert!(read("signalling/web/package.json").contains(&web), "{web}");
    let release = format!("## [{ours}]");
    assert!(read("CHANGELOG.md").contains(&release), "{release}");
    let readme = read("README.md");
    for version in [
        ours,
        proto::rtcd::COMPATIBLE_VERSION,
        proto::calls::COMPATIBLE_VERSION,
        proto::offload::COMPATIBLE_VERSION,
    ] {
        assert!(
            readme.contains(&format!("`{version}`")),
            "README.md does not state {version}"
        );
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
