//! Who may name what: protocols in cores, str0m, the clock.

use std::fs;

use crate::dependencies::shipped_edges;
use crate::{metadata, root, sources};

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
