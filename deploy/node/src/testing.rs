//! Papers for the tests of connections between nodes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cluster_nats::setup::{Plan, Server, Setup};

/// Papers of these nodes of a cluster of its own.
pub(crate) fn papers(folder: &Path, nodes: &[&str]) -> BTreeMap<String, PathBuf> {
    let plan = Plan {
        site: "test".to_owned(),
        servers: vec![Server::read("a=127.0.0.1:1").unwrap()],
        nodes: Vec::new(),
        installed_in: "/x".into(),
        data_in: "/x".into(),
    };
    let (mut setup, _) = Setup::begin(plan, SystemTime::now()).unwrap();
    let mut places = BTreeMap::new();
    for node in nodes {
        for file in setup.add_node(node).unwrap() {
            let path = folder.join(&file.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file.text.expose()).unwrap();
        }
        places.insert((*node).to_owned(), folder.join("nodes").join(node));
    }
    places
}
