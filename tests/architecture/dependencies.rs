//! Who may depend on whom, and on what from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use cargo_metadata::{DependencyKind, Metadata};

use crate::metadata;

/// Direct dependencies that ship, per workspace package; development ones are not counted.
pub(crate) fn shipped_edges(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
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
