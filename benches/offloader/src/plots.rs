//! Plots of figures as SVG text.
//!
//! In: figures. Out: an `<svg>` that stands by itself.
//! A figure is drawn as a bar from zero beside what it must and should be, each on a scale of its own;
//! delays as how many there were of each length; what lasted, over the call.

use std::fmt::Write as _;

use crate::figures::{Figure, percentile};
use crate::svg::{Area, escaped, highest, open, short};

const WIDTH: f64 = 760.0;
const NAME: f64 = 330.0;
const BAR: f64 = 300.0;
const ROW: f64 = 26.0;
/// A plot with axes.
const AREA: Area = Area {
    size: (WIDTH, 220.0),
    edges: [56.0, 16.0, 16.0, 40.0],
};
/// Columns of a histogram.
const COLUMNS: usize = 30;

/// A bar per figure; its scale ends behind the largest of what it is, must and should be.
pub(crate) fn bars(figures: &[Figure]) -> String {
    let mut svg = open((WIDTH, ROW * figures.len() as f64 + 8.0));
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
    let mut svg = AREA.open();
    AREA.axes(&mut svg, [most, tallest], [figure.unit, "times"]);
    let bottom = AREA.up(0.0);
    for (column, count) in counts.iter().enumerate() {
        let left = AREA.across(column as f64 / COLUMNS as f64);
        let right = AREA.across((column + 1) as f64 / COLUMNS as f64);
        let top = AREA.up(*count as f64 / tallest);
        let _ = write!(
            svg,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#2b6cb0\" opacity=\"0.7\"/>",
            right - left - 1.0,
            bottom - top,
        );
    }
    if figure.must.is_finite() {
        let must = AREA.across(figure.must / most);
        upright(&mut svg, must, [AREA.up(1.0), bottom], "#c53030");
    }
    let told = |percent| short(percentile(values.clone(), percent));
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"12\" text-anchor=\"end\">{} values, p50 {}, p95 {}; red: must</text></svg>",
        AREA.across(1.0),
        values.len(),
        told(50),
        told(95),
    );
    svg
}

/// A value over the seconds of a call.
pub(crate) fn line(figure: &Figure, points: &[(f64, f64)]) -> String {
    let far = highest(points.iter().map(|(x, _)| *x));
    let most = highest(points.iter().map(|(_, y)| *y).chain([figure.must]));
    let mut svg = AREA.open();
    AREA.axes(&mut svg, [far, most], ["s of the call", figure.unit]);
    let mut path = String::new();
    for (x, y) in points.iter().filter(|(_, y)| y.is_finite()) {
        let _ = write!(
            path,
            "{:.1},{:.1} ",
            AREA.across(x / far),
            AREA.up(y / most)
        );
    }
    let _ = write!(
        svg,
        "<line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{must:.1}\" y2=\"{must:.1}\" stroke=\"#c53030\"/>\
         <polyline fill=\"none\" stroke=\"#2b6cb0\" stroke-width=\"1.5\" points=\"{path}\"/></svg>",
        AREA.across(0.0),
        AREA.across(1.0),
        must = AREA.up(figure.must / most),
    );
    svg
}

fn upright(svg: &mut String, x: f64, [from, until]: [f64; 2], colour: &str) {
    let _ = write!(
        svg,
        "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{from:.1}\" y2=\"{until:.1}\" stroke=\"{colour}\" stroke-width=\"2\"/>"
    );
}

pub(crate) fn with_unit(value: f64, unit: &str) -> String {
    format!("{} {}", short(value), escaped(unit))
        .trim_end()
        .to_owned()
}
