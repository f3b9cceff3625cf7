//! What was measured as one page: every figure with its verdict, and plots of what is behind them.
//!
//! In: figures. Out: HTML with its plots in it as SVG; it asks no address.
//! Not here: what plots look like (`plots`).

use std::fmt::Write as _;

use crate::figures::{Figure, Good, Seen};
use crate::plots::{bars, histogram, line, with_unit};
use crate::svg::{escaped, short};

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#1a202c}\
    table{border-collapse:collapse;width:100%}td,th{padding:.3em .6em;text-align:left;border-bottom:1px solid #ddd}\
    td.n{text-align:right;font-variant-numeric:tabular-nums}.missed{color:#9b2c2c;font-weight:bold}\
    .holds{color:#744210}.reached{color:#22543d}svg{max-width:100%;height:auto}";

/// Where and how it was measured.
pub(crate) struct About {
    pub(crate) processors: usize,
    pub(crate) minutes: u64,
}

/// Writes the page.
pub(crate) fn page(figures: &[Figure], about: &About) -> String {
    let holds = figures.iter().filter(|figure| figure.holds()).count();
    let mut page = format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>Parley: the offloader, measured</title>\
         <style>{STYLE}</style><h1>The offloader, measured</h1>\
         <p>{holds} of {} figures are what they must be. On {} processors of: {}; Linux {}; {}. Calls that are \
         finished or survive kills last {} min.</p>",
        figures.len(),
        about.processors,
        escaped(&processor()),
        escaped(&kernel()),
        today(),
        about.minutes,
    );
    page += "<table><tr><th>row<th>figure<th>value<th>must<th>aim<th>verdict</tr>";
    for figure in figures {
        let verdict = figure.verdict();
        let class = verdict.split(' ').next_back().unwrap_or_default();
        let _ = write!(
            page,
            "<tr><td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"{}\">{verdict}</tr>",
            escaped(&figure.row),
            escaped(figure.what),
            with_unit(figure.value, figure.unit),
            limit(figure, figure.must),
            limit(figure, figure.aim),
            class.to_lowercase(),
        );
    }
    page += "</table><h2>Against what they must (red) and should (green) be</h2>";
    page += &bars(figures);
    for figure in figures {
        let plot = match &figure.seen {
            Seen::Nothing => continue,
            Seen::Each(values) => histogram(figure, values),
            Seen::Over(points) => line(figure, points),
        };
        let _ = write!(
            page,
            "<h2>{}: {}</h2>{plot}",
            escaped(&figure.row),
            escaped(figure.what)
        );
    }
    page
}

fn limit(figure: &Figure, value: f64) -> String {
    let side = match figure.good {
        Good::AtMost => "\u{2264}",
        Good::AtLeast => "\u{2265}",
    };
    format!("{side} {}", short(value))
}

fn processor() -> String {
    let about = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut lines = about.lines();
    let name = lines.find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or("unknown", |(_, name)| name).to_owned()
}

fn kernel() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease");
    kernel.unwrap_or_default().trim().to_owned()
}

/// Day and hour of UTC.
fn today() -> String {
    let now = time::OffsetDateTime::now_utc();
    format!("{} {:02} h UTC", now.date(), now.hour())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(what: &'static str, value: f64, seen: Seen) -> Figure {
        Figure {
            row: "a<b".to_owned(),
            what,
            unit: "s",
            value,
            must: 2.0,
            aim: 1.0,
            good: Good::AtMost,
            seen,
        }
    }

    #[test]
    fn every_figure_is_there_with_its_verdict_and_its_plot_and_nothing_comes_from_elsewhere() {
        let figures = [
            figure("quick", 0.5, Seen::Each(vec![0.1, 0.2, 0.2, 9.0, f64::NAN])),
            figure("enough", 1.5, Seen::Over(vec![(0.0, 0.0), (1.0, 1.5)])),
            figure("slow", 2.5, Seen::Nothing),
            figure("unknown", f64::NAN, Seen::Each(Vec::new())),
        ];
        let about = About {
            processors: 2,
            minutes: 10,
        };
        let page = page(&figures, &about);
        for verdict in ["reached\">aim reached", "holds\">holds", "missed\">MISSED"] {
            assert!(page.contains(verdict), "{verdict}");
        }
        assert!(page.contains("2 of 4 figures"));
        assert_eq!(page.matches("<svg").count(), 1 + 3);
        assert_eq!(page.matches("<polyline").count(), 1);
        assert_eq!(
            page.matches("not measured").count(),
            4,
            "twice named, p50 and p95 of nothing"
        );
        assert!(page.contains("a&lt;b") && !page.contains("a<b"));
        let places = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!places.contains("http") && !places.contains("NaN"));
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    }
}
