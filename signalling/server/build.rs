//! Makes sure that there is a web client to embed: the built one, or a page that says how to
//! build it.

use std::path::Path;
use std::{env, fs, io};

const PLACEHOLDER: &str = include_str!("src/not_built.html");

fn main() -> io::Result<()> {
    let root = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let dist = Path::new(&root).join("../web/dist");
    let page = dist.join("index.html");
    if !page.exists() {
        fs::create_dir_all(&dist)?;
        fs::write(&page, PLACEHOLDER)?;
    }
    emit(&format!("cargo::rerun-if-changed={}", dist.display()));
    emit("cargo::rerun-if-changed=src/not_built.html");
    Ok(())
}

fn emit(line: &str) {
    println!("{line}");
}
