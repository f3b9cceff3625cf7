//! What plots as SVG text are drawn on: the picture, its axes, numbers as they stand beside them.
//!
//! In: numbers. Out: pieces of an `<svg>`. The bench of the offloader includes this file.

use std::fmt::Write as _;

/// A picture of one plot, and the room around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Area {
    pub(crate) size: (f64, f64),
    /// Left, right, above and below.
    pub(crate) edges: [f64; 4],
}

impl Area {
    pub(crate) fn open(&self) -> String {
        open(self.size)
    }

    /// Where a share of the way along the level axis is.
    pub(crate) fn across(&self, share: f64) -> f64 {
        let [left, right, ..] = self.edges;
        left + (self.size.0 - left - right) * share
    }

    /// Where a share of the way along the upright axis is.
    pub(crate) fn up(&self, share: f64) -> f64 {
        let [.., above, below] = self.edges;
        self.size.1 - below - (self.size.1 - above - below) * share
    }

    /// Both axes from zero, with round numbers.
    pub(crate) fn axes(&self, svg: &mut String, ends: [f64; 2], units: [&str; 2]) {
        let ([far, most], [across, up]) = (ends, units);
        let (start, end, bottom) = (self.across(0.0), self.across(1.0), self.up(0.0));
        for step in ticks(far) {
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{}</text>",
                self.across(step / far),
                bottom + 16.0,
                short(step)
            );
        }
        for step in ticks(most) {
            let y = self.up(step / most);
            let _ = write!(
                svg,
                "<line x1=\"{start}\" x2=\"{end:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{}</text>",
                start - 6.0,
                y + 4.0,
                short(step)
            );
        }
        let _ = write!(
            svg,
            "<text x=\"{end:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{}</text>\
             <text x=\"4\" y=\"12\" fill=\"#555\">{}</text>",
            self.size.1 - 6.0,
            escaped(across),
            escaped(up),
        );
    }
}

pub(crate) fn open((width, height): (f64, f64)) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height:.0}\" width=\"{width}\" \
         height=\"{height:.0}\" font-family=\"sans-serif\" font-size=\"12\">"
    )
}

/// Round numbers up to `most`, about five.
pub(crate) fn ticks(most: f64) -> Vec<f64> {
    let size = 10f64.powf((most / 5.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * size);
    let step = steps.into_iter().find(|step| *step >= most / 5.0 * 0.999);
    let step = step.unwrap_or(most);
    let all = (0..=6u32).map(|number| f64::from(number) * step);
    all.filter(|tick| *tick <= most * 1.001).collect()
}

/// Of nothing, and of what is not above zero, 1: a scale needs a length.
pub(crate) fn highest(values: impl IntoIterator<Item = f64>) -> f64 {
    let finite = values.into_iter().filter(|value| value.is_finite());
    Some(finite.fold(0.0, f64::max))
        .filter(|most| *most > 0.0)
        .unwrap_or(1.0)
}

pub(crate) fn short(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    if value.is_finite() {
        format!("{value:.decimals$}")
    } else {
        "not measured".to_owned()
    }
}

/// Text for HTML and SVG.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_have_round_numbers_and_cover_the_range() {
        assert_eq!(ticks(10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(1.0).len(), 6);
        assert_eq!(ticks(0.9).len(), 5);
        assert!((highest([]) - 1.0).abs() < 1e-9 && (highest([0.0]) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn axes_run_from_corner_to_corner() {
        let area = Area {
            size: (100.0, 50.0),
            edges: [10.0, 5.0, 4.0, 6.0],
        };
        let corners = [
            area.across(0.0),
            area.across(1.0),
            area.up(0.0),
            area.up(1.0),
        ];
        assert_eq!(corners.map(f64::round), [10.0, 95.0, 44.0, 4.0]);
        let mut svg = area.open();
        area.axes(&mut svg, [10.0, 0.9], ["s", "a<b"]);
        assert_eq!(svg.matches("<line").count(), 5);
        assert!(svg.contains("a&lt;b") && !svg.contains("NaN"));
    }
}
