//! Figures in Prometheus' text format, for what every service counts alike.

use std::fmt::Write as _;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
/// How a metric moves.
pub enum Kind {
    Gauge,
    Counter,
}

/// Appends one metric: `samples` are labels (`name="value"`, comma between) and values.
pub fn write(text: &mut String, name: &str, kind: Kind, help: &str, samples: &[(String, u64)]) {
    let kind = match kind {
        Kind::Gauge => "gauge",
        Kind::Counter => "counter",
    };
    // Writing to a String does not fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (labels, value) in samples {
        let _ = writeln!(text, "{name}{{{labels}}} {value}");
    }
}
