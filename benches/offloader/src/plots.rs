//! Plots of figures as SVG text.
//!
//! In: figures. Out: an `<svg>` that stands by itself.
//! A figure is drawn as a bar from zero beside what it must and should be, each on a scale of its own;
//! delays as how many there were of each length; what lasted, over the call.

use std::fmt::Write as _;

use crate::figures::{Figure, percentile};

const WIDTH: f64 = 760.0;
const NAME: f64 = 330.0;
const BAR: f64 = 300.0;
const ROW: f64 = 26.0;
const HEIGHT: f64 = 220.0;
/// Room around a plot with axes: left, right, above and below.
const EDGES: [f64; 4] = [56.0, 16.0, 16.0, 40.0];
/// Columns of a histogram.
const COLUMNS: usize = 30;

/// A bar per figure; its scale ends behind the largest of what it is, must and should be.
pub(crate) fn bars(figures: &[Figure]) -> String {
    let mut svg = open(ROW * figures.len() as f64 + 8.0);
    for (number, figure) in figures.iter().enumerate() {
        let y = ROW * number as f64 + 4.0;
        let all = [figure.value, figure.must, figure.aim];
        let across = |value: f64| BAR * value / highest(all) / 1.05;
        let colour = match figure.verdict() {
            "MISSED" => "#c53030",
            "holds" => "#d69e2e",
            _ => "#2f855a",
        };
        let width = if figure.value.is_finite() {
            across(figure.value).max(0.0)
        } else {
            0.0
        };
        let name = format!("{}: {}", figure.row, figure.what);
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{NAME}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{colour}\" opacity=\"0.5\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            NAME - 8.0,
            y + ROW * 0.6,
            escaped(&name),
            ROW * 0.7,
            NAME + BAR + 10.0,
            y + ROW * 0.6,
            with_unit(figure.value, figure.unit),
        );
        for (value, colour) in [(figure.must, "#c53030"), (figure.aim, "#2f855a")] {
            upright(
                &mut svg,
                NAME + across(value),
                [y - 2.0, y + ROW * 0.8],
                colour,
            );
        }
    }
    svg + "</svg>"
}

/// How many values there were of each size, with the middle and the 95th of a hundred.
pub(crate) fn histogram(figure: &Figure, values: &[f64]) -> String {
    let [left, right, above, below] = EDGES;
    let values: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .collect();
    let most = highest(values.iter().copied().chain([figure.must]));
    let mut counts = [0usize; COLUMNS];
    for value in &values {
        // The last column ends at the largest value, which is in it.
        let column = (1..COLUMNS).take_while(|next| *value >= most * *next as f64 / COLUMNS as f64);
        if let Some(count) = counts.get_mut(column.count()) {
            *count += 1;
        }
    }
    let tallest = highest(counts.iter().map(|count| *count as f64));
    let (wide, tall) = (WIDTH - left - right, HEIGHT - above - below);
    let mut svg = open(HEIGHT);
    axes(&mut svg, [most, tallest], [figure.unit, "times"]);
    for (column, count) in counts.iter().enumerate() {
        let height = tall * *count as f64 / tallest;
        let _ = write!(
            svg,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"#2b6cb0\" opacity=\"0.7\"/>",
            left + wide * column as f64 / COLUMNS as f64,
            HEIGHT - below - height,
            wide / COLUMNS as f64 - 1.0,
        );
    }
    let across = |value: f64| left + wide * value / most;
    let sides = [above, HEIGHT - below];
    if figure.must.is_finite() {
        upright(&mut svg, across(figure.must), sides, "#c53030");
    }
    let told = |percent| short(percentile(values.clone(), percent));
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"12\" text-anchor=\"end\">{} values, p50 {}, p95 {}; red: must</text></svg>",
        WIDTH - right,
        values.len(),
        told(50),
        told(95),
    );
    svg
}

/// A value over the seconds of a call.
pub(crate) fn line(figure: &Figure, points: &[(f64, f64)]) -> String {
    let [left, right, above, below] = EDGES;
    let far = highest(points.iter().map(|(x, _)| *x));
    let most = highest(points.iter().map(|(_, y)| *y).chain([figure.must]));
    let across = |x: f64| left + (WIDTH - left - right) * x / far;
    let up = |y: f64| HEIGHT - below - (HEIGHT - above - below) * y / most;
    let mut svg = open(HEIGHT);
    axes(&mut svg, [far, most], ["s of the call", figure.unit]);
    let mut path = String::new();
    for (x, y) in points.iter().filter(|(_, y)| y.is_finite()) {
        let _ = write!(path, "{:.1},{:.1} ", across(*x), up(*y));
    }
    let _ = write!(
        svg,
        "<line x1=\"{left}\" x2=\"{:.1}\" y1=\"{must:.1}\" y2=\"{must:.1}\" stroke=\"#c53030\"/>\
         <polyline fill=\"none\" stroke=\"#2b6cb0\" stroke-width=\"1.5\" points=\"{path}\"/></svg>",
        WIDTH - right,
        must = up(figure.must),
    );
    svg
}

/// Both axes from zero, with round numbers.
fn axes(svg: &mut String, [far, most]: [f64; 2], [across, up]: [&str; 2]) {
    let [left, right, above, below] = EDGES;
    let bottom = HEIGHT - below;
    for step in ticks(far) {
        let x = left + (WIDTH - left - right) * step / far;
        let _ = write!(
            svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{}</text>",
            bottom + 16.0,
            short(step)
        );
    }
    for step in ticks(most) {
        let y = bottom - (bottom - above) * step / most;
        let _ = write!(
            svg,
            "<line x1=\"{left}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{}</text>",
            WIDTH - right,
            left - 6.0,
            y + 4.0,
            short(step)
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{}</text>\
         <text x=\"4\" y=\"12\" fill=\"#555\">{}</text>",
        WIDTH - right,
        HEIGHT - 6.0,
        escaped(across),
        escaped(up),
    );
}

fn upright(svg: &mut String, x: f64, [from, until]: [f64; 2], colour: &str) {
    let _ = write!(
        svg,
        "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{from:.1}\" y2=\"{until:.1}\" stroke=\"{colour}\" stroke-width=\"2\"/>"
    );
}

fn open(height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" \
         height=\"{height:.0}\" font-family=\"sans-serif\" font-size=\"12\">"
    )
}

/// Round numbers up to `most`, about five.
fn ticks(most: f64) -> Vec<f64> {
    let size = 10f64.powf((most / 5.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * size);
    let step = steps.into_iter().find(|step| *step >= most / 5.0 * 0.999);
    let step = step.unwrap_or(most);
    let all = (0..=6u32).map(|number| f64::from(number) * step);
    all.filter(|tick| *tick <= most * 1.001).collect()
}

/// Of nothing, and of what is not above zero, 1: a scale needs a length.
fn highest(values: impl IntoIterator<Item = f64>) -> f64 {
    let finite = values.into_iter().filter(|value| value.is_finite());
    Some(finite.fold(0.0, f64::max))
        .filter(|most| *most > 0.0)
        .unwrap_or(1.0)
}

pub(crate) fn with_unit(value: f64, unit: &str) -> String {
    format!("{} {}", short(value), escaped(unit))
        .trim_end()
        .to_owned()
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
    fn scales_have_round_numbers() {
        assert_eq!(ticks(10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(1.0).len(), 6);
        assert!((highest([]) - 1.0).abs() < 1e-9 && (highest([0.0]) - 1.0).abs() < 1e-9);
    }
}
