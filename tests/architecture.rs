//! The rules that keep the house in shape, checked instead of remembered.
//!
//! Who may depend on whom (`dependencies`), who may name what (`names`), which tasks may run
//! unwatched and which clients may meet a proxy (`watched`), how files look and where they lie
//! (`files`), what the front pages promise (`pages`). ARCHITECTURE.md says why; a failure names the
//! edge or the file that broke a rule.
//! Here: what the rules read, our sources and what cargo knows of them.

#[path = "architecture/dependencies.rs"]
mod dependencies;
#[path = "architecture/files.rs"]
mod files;
#[path = "architecture/names.rs"]
mod names;
#[path = "architecture/pages.rs"]
mod pages;
#[path = "architecture/watched.rs"]
mod watched;

use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand};

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
