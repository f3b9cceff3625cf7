//! Plots as SVG text: points of rounds with their median, and lines over time.
//!
//! In: numbers. Out: an `<svg>` that stands by itself.

use std::fmt::Write as _;

use crate::figures::median;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 60.0;
const ROW: f64 = 26.0;
const HEIGHT: f64 = 240.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 34.0;
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
    let mut svg = open(height);
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
    close(svg, unit, height)
}

/// Lines over `x`; the upright axis begins at zero.
pub(crate) fn lines(unit: &str, x_unit: &str, lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let most = highest(points().map(|(_, y)| *y));
    let far = highest(points().map(|(x, _)| *x));
    let across = |x: f64| 70.0 + (WIDTH - 70.0 - RIGHT) * x / far;
    let up = |y: f64| HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * y / most;
    let mut svg = open(HEIGHT);
    for step in ticks(most) {
        let y = up(step);
        let _ = write!(
            svg,
            "<line x1=\"70\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
             <text x=\"62\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#666\">{}</text>",
            WIDTH - RIGHT,
            y + 4.0,
            short(step)
        );
    }
    for step in ticks(far) {
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#666\">{}</text>",
            across(step),
            HEIGHT - BOTTOM + 16.0,
            short(step)
        );
    }
    for (number, line) in lines.iter().enumerate() {
        let colour = COLOURS.get(number % COLOURS.len()).unwrap_or(&"#000");
        let mut path = String::new();
        for (x, y) in &line.points {
            let _ = write!(path, "{:.1},{:.1} ", across(*x), up(*y));
        }
        let _ = write!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{path}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
            80.0,
            TOP + 14.0 * (real(number) + 1.0),
            escaped(&line.name)
        );
    }
    close(svg, &format!("{unit} over {x_unit}"), HEIGHT)
}

fn open(height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
         width=\"{WIDTH}\" height=\"{height:.0}\" font-family=\"sans-serif\" font-size=\"12\">"
    )
}

fn close(mut svg: String, unit: &str, height: f64) -> String {
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#666\">{}</text></svg>",
        WIDTH - 8.0,
        height - 4.0,
        escaped(unit)
    );
    svg
}

/// Round numbers up to `most`, about five.
fn ticks(most: f64) -> Vec<f64> {
    let rough = most / 5.0;
    let size = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * size)
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    (0..=6u32)
        .map(|number| f64::from(number) * step)
        .filter(|tick| *tick <= most * 1.001)
        .collect()
}

fn highest(values: impl Iterator<Item = f64>) -> f64 {
    let most = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
    if most > 0.0 { most } else { 1.0 }
}

fn short(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

fn real(count: usize) -> f64 {
    u32::try_from(count).map_or(0.0, f64::from)
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
    fn ticks_are_round_and_cover_the_range() {
        assert_eq!(ticks(10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(0.9).len(), 5);
        assert_eq!(
            ticks(1.0).last().map(|tick| short(*tick)),
            Some("1.00".to_owned())
        );
    }

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
