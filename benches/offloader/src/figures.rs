//! What a measurement says: a value, what it must be, what it should be.

use serde::Serialize;

/// The side on which a value is good.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Good {
    AtMost,
    AtLeast,
}

/// What a value was made of, where that can be drawn.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) enum Seen {
    #[default]
    Nothing,
    /// Everything that was measured, in the unit of the value.
    Each(Vec<f64>),
    /// The value over the seconds of a call.
    Over(Vec<(f64, f64)>),
}

/// One measured value.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    pub(crate) row: String,
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) value: f64,
    pub(crate) must: f64,
    pub(crate) aim: f64,
    #[serde(skip)]
    pub(crate) good: Good,
    pub(crate) seen: Seen,
}

impl Figure {
    pub(crate) fn holds(&self) -> bool {
        self.meets(self.must)
    }

    /// A value that could not be measured is not a number and meets nothing.
    fn meets(&self, limit: f64) -> bool {
        match self.good {
            Good::AtMost => self.value <= limit,
            Good::AtLeast => self.value >= limit,
        }
    }

    pub(crate) fn made_of(self, seen: Seen) -> Self {
        Self { seen, ..self }
    }

    pub(crate) fn verdict(&self) -> &'static str {
        match (self.holds(), self.meets(self.aim)) {
            (false, _) => "MISSED",
            (true, true) => "aim reached",
            (true, false) => "holds",
        }
    }

    pub(crate) fn line(&self) -> String {
        let verdict = self.verdict();
        format!(
            "{:<15} {:<38} {:>8.3} {:<6} {:>7.2} {:>7.2}  {verdict}",
            self.row, self.what, self.value, self.unit, self.must, self.aim
        )
    }
}

pub(crate) fn head() -> String {
    format!(
        "{:<15} {:<38} {:>8} {:<6} {:>7} {:>7}  verdict",
        "row", "figure", "", "", "must", "aim"
    )
}

/// The value below which so many per cent are; NaN of nothing.
pub(crate) fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_measured_does_not_hold() {
        let figure = |value| Figure {
            row: String::new(),
            what: "",
            unit: "s",
            value,
            must: 2.0,
            aim: 1.0,
            good: Good::AtMost,
            seen: Seen::Nothing,
        };
        let verdicts = [0.5, 1.5, 2.5, f64::NAN].map(|value| figure(value).holds());
        assert_eq!(verdicts, [true, true, false, false]);
        assert!(percentile(Vec::new(), 50).is_nan());
        assert!((percentile(vec![3.0, 1.0, 2.0], 50) - 2.0).abs() < 1e-9);
    }
}
