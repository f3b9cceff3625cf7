//! Who may say what.
//!
//! In: the level of our own code, and what was asked for besides. Out: a filter.

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Filter};

/// What the targets of our own code begin with; everything else is a library.
const OURS: &[&str] = &[
    "cluster",
    "messaging",
    "node",
    "offloader",
    "parley",
    "proto",
    "rtcd",
    "service",
    "signalling",
    "storage",
    "weights",
];

/// [`filter`], asked anew for each event. What it said last is kept per thread, and read again where
/// "always" is the answer: whatever a library only asks about (by way of `log`, as sqlx does around its
/// statements) would cost the event that comes next (tokio-rs/tracing, issue 2519).
#[derive(Debug, Clone)]
pub(super) struct Asked(pub(super) Targets);

impl<S> Filter<S> for Asked {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        Filter::<S>::enabled(&self.0, metadata, context)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        let interest = Filter::<S>::callsite_enabled(&self.0, metadata);
        if interest.is_never() {
            return interest;
        }
        Interest::sometimes()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Filter::<S>::max_level_hint(&self.0)
    }
}

/// Our own code from `level` on, libraries from WARN on; then what `asked` says: a bare level is for
/// our own code, `target=level` for whatever it names. What cannot be read says nothing.
pub(super) fn filter(level: Level, asked: &str) -> Targets {
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
    let targets = Targets::new()
        .with_default(libraries)
        .with_targets(OURS.iter().map(|target| (*target, own)));
    named
        .iter()
        .filter_map(|part| part.parse::<Targets>().ok())
        .fold(targets, |targets, named| targets.with_targets(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_level_is_for_our_own_code() {
        for (level, asked, libraries, own) in [
            (Level::DEBUG, "", LevelFilter::WARN, LevelFilter::DEBUG),
            (Level::ERROR, "", LevelFilter::ERROR, LevelFilter::ERROR),
            (Level::INFO, "trace", LevelFilter::WARN, LevelFilter::TRACE),
            (Level::INFO, " off ", LevelFilter::OFF, LevelFilter::OFF),
        ] {
            let filter = filter(level, asked);
            for heard in [
                Level::ERROR,
                Level::WARN,
                Level::INFO,
                Level::DEBUG,
                Level::TRACE,
            ] {
                let (of_us, of_others) = (own >= heard, libraries >= heard);
                assert_eq!(
                    filter.would_enable("rtcd_core::shard", &heard),
                    of_us,
                    "{heard}"
                );
                assert_eq!(
                    filter.would_enable("sqlx::query", &heard),
                    of_others,
                    "{heard}"
                );
            }
        }
    }

    #[test]
    fn what_is_named_wins_and_nonsense_is_left_out() {
        let filter = filter(
            Level::INFO,
            "sctp=debug, rtcd::driver=trace, no such=thing=here",
        );
        assert!(filter.would_enable("sctp::association", &Level::DEBUG));
        assert!(filter.would_enable("rtcd::driver::wire", &Level::TRACE));
        assert!(!filter.would_enable("rtcd::control", &Level::DEBUG));
        assert!(!filter.would_enable("is::agent", &Level::INFO));
    }
}
