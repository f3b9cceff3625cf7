//! Who may say what.
//!
//! In: the level of our own code, and what was asked for besides. Out: a filter.

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// What the targets of our own code begin with; everything else is a library.
const OURS: &[&str] = &[
    "messaging",
    "offloader",
    "parley",
    "proto",
    "rtcd",
    "service",
    "signalling",
    "storage",
    "weights",
];

/// Our own code from `level` on, libraries from WARN on; then what `asked` says: a bare level is for
/// our own code, `target=level` for whatever it names.
pub(super) fn filter(level: Level, asked: &str) -> EnvFilter {
    EnvFilter::new(directives(level, asked))
}

fn directives(level: Level, asked: &str) -> String {
    let asked = asked
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let (bare, named): (Vec<_>, Vec<_>) =
        asked.partition(|part| part.parse::<LevelFilter>().is_ok());
    let own = bare
        .last()
        .and_then(|part| part.parse().ok())
        .unwrap_or(LevelFilter::from_level(level));
    let libraries = own.min(LevelFilter::WARN);
    let mut directives = vec![libraries.to_string()];
    directives.extend(OURS.iter().map(|target| format!("{target}={own}")));
    directives.extend(named.into_iter().map(str::to_owned));
    directives.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_level_is_for_our_own_code() {
        for (level, asked, libraries, own) in [
            (Level::DEBUG, "", "warn", "rtcd=debug"),
            (Level::ERROR, "", "error", "rtcd=error"),
            (Level::INFO, "trace", "warn", "rtcd=trace"),
            (Level::INFO, " off ", "off", "rtcd=off"),
        ] {
            let directives = directives(level, asked);
            let all: Vec<_> = directives.split(',').collect();
            assert_eq!(all.first(), Some(&libraries), "{directives}");
            assert!(all.contains(&own), "{directives}");
        }
    }

    #[test]
    fn what_is_named_comes_last_and_wins() {
        let directives = directives(Level::INFO, "str0m=debug, rtcd::driver=trace");
        assert!(
            directives.ends_with(",weights=info,str0m=debug,rtcd::driver=trace"),
            "{directives}"
        );
    }

    #[test]
    fn nonsense_is_left_out() {
        let filter = filter(Level::INFO, "no such=thing=here");
        assert_eq!(filter.max_level_hint(), Some(LevelFilter::INFO));
    }
}
