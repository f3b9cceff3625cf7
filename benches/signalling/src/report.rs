//! The table people read and the JSON that programs read.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::figures::{Figure, Limit};

/// A row with its medians, beside those of the other program when there is one.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) row: &'static str,
    pub(crate) figures: Vec<Figure>,
    pub(crate) against: Vec<Figure>,
    pub(crate) rounds: usize,
    /// Why rounds came to nothing, or could not be judged; one such word and the row does not hold.
    pub(crate) troubles: Vec<String>,
}

impl Measured {
    pub(crate) fn holds(&self) -> bool {
        self.rounds > 0 && self.troubles.is_empty() && self.figures.iter().all(Figure::holds)
    }

    pub(crate) fn lines(&self) -> String {
        let mut out = String::new();
        for figure in &self.figures {
            let limit = |limit: Option<Limit>| limit.map_or_else(String::new, written);
            let against = self.against.iter().find(|other| other.what == figure.what);
            let against = against.map_or_else(String::new, |other| {
                format!(
                    "  against {} {} ({:.2}x)",
                    number(other.value),
                    other.unit,
                    figure.value / other.value
                )
            });
            // Writing to a String cannot fail, here and below.
            let _ = writeln!(
                out,
                "{:<9} {:<36} {:>10} {:<3} {:>9} {:>9}  {}{against}",
                self.row,
                figure.what,
                number(figure.value),
                figure.unit,
                limit(figure.must),
                limit(figure.aim),
                figure.verdict(),
            );
        }
        for trouble in &self.troubles {
            let _ = writeln!(out, "{:<9} DOES NOT HOLD: {trouble}", self.row);
        }
        out
    }

    fn json(&self) -> Value {
        let figures = |figures: &[Figure]| {
            let each = figures.iter().map(|figure| {
                json!({
                    "what": figure.what,
                    "value": figure.value,
                    "unit": figure.unit,
                    "must": figure.must.map(Limit::number),
                    "aim": figure.aim.map(Limit::number),
                    "holds": figure.holds(),
                })
            });
            each.collect::<Vec<_>>()
        };
        json!({
            "row": self.row,
            "rounds": self.rounds,
            "figures": figures(&self.figures),
            "against": figures(&self.against),
            "troubles": self.troubles,
            "holds": self.holds(),
        })
    }
}

pub(crate) fn head() -> String {
    format!(
        "{:<9} {:<36} {:>10} {:<3} {:>9} {:>9}  verdict",
        "row", "figure", "", "", "must", "aim"
    )
}

/// The last line.
pub(crate) fn verdict(rows: &[Measured]) -> String {
    let missed = rows.iter().filter(|row| !row.holds());
    let missed: Vec<&str> = missed.map(|row| row.row).collect();
    if missed.is_empty() {
        "signalling: every must holds".to_owned()
    } else {
        format!("signalling: a must is missed in {}", missed.join(", "))
    }
}

pub(crate) fn write(path: &Path, rows: &[Measured]) -> anyhow::Result<()> {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let report = json!({
        "processors": processors,
        "load_average": load.trim(),
        "rows": rows.iter().map(Measured::json).collect::<Vec<_>>(),
    });
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("make the folder `{}`", folder.display()))?;
    }
    let text = serde_json::to_vec_pretty(&report).context("write the report")?;
    std::fs::write(path, text).with_context(|| format!("write `{}`", path.display()))
}

fn written(limit: Limit) -> String {
    match limit {
        Limit::AtMost(limit) => format!("<= {}", number(limit)),
        Limit::AtLeast(limit) => format!(">= {}", number(limit)),
    }
}

/// As many digits as say something.
fn number(value: f64) -> String {
    if value.abs() >= 100.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}
