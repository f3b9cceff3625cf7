//! What a measurement says: a value, what it must be, what it should be; medians and percentiles.

use std::time::Duration;

/// The side on which a value is good.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Limit {
    pub(crate) fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }

    pub(crate) fn number(self) -> f64 {
        match self {
            Self::AtMost(limit) | Self::AtLeast(limit) => limit,
        }
    }
}

/// One measured value. Without `must` it is told beside the others and decides nothing.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) value: f64,
    pub(crate) must: Option<Limit>,
    pub(crate) aim: Option<Limit>,
}

impl Figure {
    pub(crate) fn told(what: &'static str, value: f64, unit: &'static str) -> Self {
        Self {
            what,
            unit,
            value,
            must: None,
            aim: None,
        }
    }

    pub(crate) fn must(self, limit: Limit) -> Self {
        Self {
            must: Some(limit),
            ..self
        }
    }

    pub(crate) fn aim(self, limit: Limit) -> Self {
        Self {
            aim: Some(limit),
            ..self
        }
    }

    pub(crate) fn holds(&self) -> bool {
        self.must.is_none_or(|limit| limit.holds(self.value))
    }

    pub(crate) fn verdict(&self) -> &'static str {
        match (self.must, self.aim) {
            (None, _) => "",
            (Some(_), _) if !self.holds() => "MISSED",
            (Some(_), Some(aim)) if aim.holds(self.value) => "aim reached",
            (Some(_), _) => "holds",
        }
    }
}

/// The figures of several rounds, each by its median.
pub(crate) fn medians(rounds: &[Vec<Figure>]) -> Vec<Figure> {
    let Some(first) = rounds.first() else {
        return Vec::new();
    };
    let of = |what: &str| {
        let figures = rounds.iter().flatten();
        figures
            .filter(|figure| figure.what == what)
            .map(|figure| figure.value)
            .collect::<Vec<_>>()
    };
    first
        .iter()
        .map(|figure| Figure {
            value: median(of(figure.what)),
            ..figure.clone()
        })
        .collect()
}

/// The middle value; NaN of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Times, to ask for percentiles in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// `share` in thousandths: 990 is the 99th percentile.
    pub(crate) fn percentile_ms(&mut self, share: usize) -> f64 {
        self.0.sort_unstable();
        let at = (self.0.len() * share / 1000).min(self.0.len().saturating_sub(1));
        self.0.get(at).map_or(f64::NAN, |time| ms(*time))
    }
}

impl Extend<Duration> for Times {
    fn extend<T: IntoIterator<Item = Duration>>(&mut self, times: T) {
        self.0.extend(times);
    }
}

pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Counts of a bench are far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn real(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let mut times = Times::default();
        times.extend((1..=100).map(Duration::from_millis));
        assert!((times.percentile_ms(500) - 51.0).abs() < 0.01);
        assert!((times.percentile_ms(990) - 100.0).abs() < 0.01);
        assert!(Times::default().percentile_ms(990).is_nan());
    }

    #[test]
    fn a_figure_that_could_not_be_measured_misses_its_must() {
        let figure = Figure::told("p99", f64::NAN, "ms").must(Limit::AtMost(50.0));
        assert_eq!((figure.holds(), figure.verdict()), (false, "MISSED"));
        let figure = Figure::told("p99", 9.0, "ms")
            .must(Limit::AtMost(50.0))
            .aim(Limit::AtMost(10.0));
        assert_eq!(figure.verdict(), "aim reached");
    }
}
