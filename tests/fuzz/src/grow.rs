//! Grows the seeds of one target by coverage: libFuzzer around `fuzz::find`.
//!
//! In: `FUZZ_TARGET`, and libFuzzer's own arguments. Started by `tests/fuzz/grow`.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

fn target() -> fuzz::Target {
    static TARGET: OnceLock<fuzz::Target> = OnceLock::new();
    *TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
        fuzz::find(&name).unwrap_or_else(|| panic!("no target is named `{name}`"))
    })
}

fuzz_target!(|input: &[u8]| (target().run)(input));
