//! Whether this processor can run the speech recognition that was built.
//!
//! In: what whisper.cpp was built to use (`.cargo/config.toml`). Out: what of it is missing here.
//! Not here: how fast it is.
//! Invariant: whoever is told that nothing is missing meets no instruction that the processor does not
//! know; without this the speech process would end with signal 4 and say nothing.

/// Instruction sets that the build may ask for, and whether it did.
const BUILT_FOR: [(&str, Option<&str>); 5] = [
    ("AVX", option_env!("GGML_AVX")),
    ("AVX2", option_env!("GGML_AVX2")),
    ("FMA", option_env!("GGML_FMA")),
    ("F16C", option_env!("GGML_F16C")),
    ("BMI2", option_env!("GGML_BMI2")),
];

/// Instruction sets that the build uses and this processor has not, such as `AVX2, FMA`; `None` when there
/// are none.
pub(crate) fn missing() -> Option<String> {
    missing_of(&BUILT_FOR, knows)
}

fn missing_of(built_for: &[(&str, Option<&str>)], knows: impl Fn(&str) -> bool) -> Option<String> {
    let used = built_for.iter().filter(|(_, used)| *used == Some("ON"));
    let missing: Vec<_> = used
        .map(|(name, _)| *name)
        .filter(|name| !knows(name))
        .collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

#[cfg(target_arch = "x86_64")]
fn knows(name: &str) -> bool {
    match name {
        "AVX" => is_x86_feature_detected!("avx"),
        "AVX2" => is_x86_feature_detected!("avx2"),
        "FMA" => is_x86_feature_detected!("fma"),
        "F16C" => is_x86_feature_detected!("f16c"),
        "BMI2" => is_x86_feature_detected!("bmi2"),
        _ => true,
    }
}

/// The names are of x86-64; others are built for what each of their kind has.
#[cfg(not(target_arch = "x86_64"))]
fn knows(_name: &str) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_build_uses_and_the_processor_has_not_is_named() {
        let built_for = [
            ("AVX", Some("ON")),
            ("AVX2", Some("ON")),
            ("FMA", Some("OFF")),
            ("F16C", None),
        ];
        let missing = |known: &[&str]| missing_of(&built_for, |name| known.contains(&name));
        assert_eq!(missing(&["AVX", "AVX2"]), None);
        assert_eq!(missing(&["AVX"]).as_deref(), Some("AVX2"));
        assert_eq!(missing(&[]).as_deref(), Some("AVX, AVX2"));
    }

    #[test]
    fn the_build_says_what_it_uses() {
        assert!(
            BUILT_FOR.iter().all(|(_, used)| used.is_some()),
            "{BUILT_FOR:?}"
        );
    }
}
