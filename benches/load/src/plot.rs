//! Plots as SVG text: points of rounds with their median, and lines over time.
//!
//! In: numbers. Out: an `<svg>` that stands by itself.

use std::fmt::Write as _;

use crate::figures::median;
use crate::svg::{Area, escaped, highest, open, short, ticks};

const WIDTH: f64 = 720.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 60.0;
const ROW: f64 = 26.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 34.0;
const OVER_TIME: Area = Area {
    size: (WIDTH, 240.0),
    edges: [70.0, RIGHT, 20.0, BOTTOM],
};
const COLOURS: [&str; 5] = ["#2b6cb0", "#c05621", "#2f855a", "#6b46c1", "#b83280"];

/// One named row of points.
#[derive(Debug, Clone)]
pub(crate) struct Points {
    pub(crate) name: String,
    pub(crate) values: Vec<f64>,
}

/// One named line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A bar to the median of each row, and a dot per round. Begins at zero.
pub(crate) fn dots(unit: &str, rows: &[Points]) -> String {
    let most = highest(rows.iter().flat_map(|row| row.values.iter().copied()));
    let across = |value: f64| LEFT + (WIDTH - LEFT - RIGHT) * value / most;
    let height = TOP + ROW * real(rows.len()) + BOTTOM;
    let mut svg = open((WIDTH, height));
    for (number, row) in rows.iter().enumerate() {
        let y = TOP + ROW * (real(number) + 0.5);
        let middle = median(&row.values);
        let colour = COLOURS.get(number % COLOURS.len()).unwrap_or(&"#000");
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\" opacity=\"0.25\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            escaped(&row.name),
            y - ROW * 0.35,
            across(middle) - LEFT,
            ROW * 0.7,
            across(row.values.iter().copied().fold(middle, f64::max)) + 8.0,
            y + 4.0,
            short(middle),
        );
        for value in &row.values {
            let x = across(*value);
            let _ = write!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>"
            );
        }
    }
    let bottom = TOP + ROW * real(rows.len());
    for step in ticks(most) {
        let x = across(step);
        let _ = write!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#666\">{}</text>",
            bottom + 16.0,
            short(step)
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#666\">{}</text></svg>",
        WIDTH - 8.0,
        height - 4.0,
        escaped(unit)
    );
    svg
}

/// Lines over `x`; both axes begin at zero.
pub(crate) fn lines(unit: &str, x_unit: &str, lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let most = highest(points().map(|(_, y)| *y));
    let far = highest(points().map(|(x, _)| *x));
    let mut svg = OVER_TIME.open();
    OVER_TIME.axes(&mut svg, [far, most], [x_unit, unit]);
    for (number, line) in lines.iter().enumerate() {
        let colour = COLOURS.get(number % COLOURS.len()).unwrap_or(&"#000");
        let mut path = String::new();
        for (x, y) in &line.points {
            let (x, y) = (OVER_TIME.across(x / far), OVER_TIME.up(y / most));
            let _ = write!(path, "{x:.1},{y:.1} ");
        }
        let _ = write!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{path}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
            OVER_TIME.across(0.0) + 10.0,
            OVER_TIME.up(1.0) + 14.0 * (real(number) + 1.0),
            escaped(&line.name)
        );
    }
    svg + "</svg>"
}

fn real(count: usize) -> f64 {
    u32::try_from(count).map_or(0.0, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_is_a_dot_and_names_are_escaped() {
        let rows = [Points {
            name: "a<b".to_owned(),
            values: vec![1.0, 2.0, 3.0],
        }];
        let svg = dots("us", &rows);
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains("a&lt;b") && svg.ends_with("</svg>") && !svg.contains("NaN"));
    }

    #[test]
    fn nothing_to_draw_is_drawn_without_numbers_that_are_none() {
        let empty = [Line {
            name: "x".to_owned(),
            points: vec![(0.0, 0.0)],
        }];
        assert!(!lines("MB", "minutes", &empty).contains("NaN"));
        assert!(!dots("us", &[]).contains("NaN"));
    }
}
