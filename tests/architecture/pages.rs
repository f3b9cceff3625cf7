//! What the front pages promise: paths, steps, links, versions.

use std::fs;

use crate::{metadata, root};

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
