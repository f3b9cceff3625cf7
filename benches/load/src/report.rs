//! What was found, as one JSON file and one page with plots.
//!
//! In: rounds, ratios, rows of targets, a soak. Out: `report.json` and `report.html` in a folder.
//! The page is one file: it asks no other address.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::figures::{MEANINGS, Round, median_round};
use crate::plot::{self, Line, Points};
use crate::soak::Soak;
use crate::svg::escaped;
use crate::targets;

/// Figures that get a plot; all are in the table.
const PLOTTED: [&str; 9] = [
    "cpu_us_per_packet",
    "over_floor",
    "cpu_s_per_gbit",
    "cpu_cores",
    "delay_ms_p50",
    "delay_ms_p99",
    "join_ms_p99",
    "memory_kb_per_participant",
    "generator_cores",
];

/// Everything a command found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    pub(crate) title: String,
    pub(crate) machine: Machine,
    /// One list per server and scenario.
    pub(crate) rounds: Vec<Vec<Round>>,
    /// Median ratios of the first server over the second, by figure.
    pub(crate) ratios: BTreeMap<&'static str, f64>,
    pub(crate) targets: Vec<targets::Result>,
    pub(crate) soak: Option<Soak>,
}

/// Where it was measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    processor: String,
    processors: usize,
    kernel: String,
    seconds_since_1970: u64,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = about
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or("unknown", |(_, name)| name);
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            processor: processor.to_owned(),
            processors: crate::placement::all().len(),
            kernel: kernel.trim().to_owned(),
            seconds_since_1970: crate::stamp::now() / 1_000_000_000,
        }
    }
}

impl Report {
    pub(crate) fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            machine: Machine::here(),
            rounds: Vec::new(),
            ratios: BTreeMap::new(),
            targets: Vec::new(),
            soak: None,
        }
    }

    /// Writes both files into `folder`, which is made if need be.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder)
            .with_context(|| format!("make the report's folder {}", folder.display()))?;
        let json = serde_json::to_string_pretty(self).context("write the report as JSON")?;
        for (name, text) in [("report.json", json), ("report.html", self.page())] {
            let path = folder.join(name);
            fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        }
        Ok(())
    }

    fn page(&self) -> String {
        let Machine {
            processor,
            processors,
            kernel,
            seconds_since_1970,
        } = &self.machine;
        let mut page = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
             <style>body{{font:15px sans-serif;max-width:1000px;overflow-x:auto;margin:2em auto;color:#222}}\
             table{{border-collapse:collapse;margin:1em 0}}td,th{{padding:3px 10px;\
             border-bottom:1px solid #ddd;text-align:right}}td:first-child,th:first-child,\
             td.text{{text-align:left}}.void{{color:#b00}}.held{{color:#070}}</style>\
             <h1>{title}</h1><p>{processors} x {}, Linux {}, at {seconds_since_1970} s since 1970</p>",
            escaped(processor),
            escaped(kernel),
            title = escaped(&self.title),
        );
        self.add_targets(&mut page);
        self.add_soak(&mut page);
        self.add_tables(&mut page);
        self.add_plots(&mut page);
        page.push_str("</html>\n");
        page
    }

    fn add_targets(&self, page: &mut String) {
        if self.targets.is_empty() {
            return;
        }
        page.push_str(
            "<h2>Targets</h2><table><tr><th>what<th>figure<th>must<th>aim<th>verdict</tr>",
        );
        for row in &self.targets {
            let figure = row
                .figure
                .map_or("-".to_owned(), |figure| format!("{figure:.3}"));
            let class = if row.holds { "held" } else { "void" };
            let _ = write!(
                page,
                "<tr><td>{}<td>{figure} {unit}<td>{} {unit}<td>{} {unit}<td class=\"text {class}\">{}</tr>",
                escaped(row.what),
                row.must,
                row.aim,
                escaped(&row.verdict),
                unit = row.unit,
            );
        }
        page.push_str("</table>");
    }

    fn add_soak(&self, page: &mut String) {
        let Some(soak) = &self.soak else {
            return;
        };
        let _ = write!(
            page,
            "<h2>{:.0} minutes of joining, leaving and talking</h2><p class=\"{}\">memory {:+.2} %, \
             descriptors {:+.0}, loss {:.4} %, {} joins, {} failures</p>",
            soak.minutes,
            if soak.holds() { "held" } else { "void" },
            soak.memory_growth * 100.0,
            soak.descriptor_growth,
            soak.loss_percent,
            soak.joins,
            soak.failures.len()
        );
        let line = |name: &str, value: fn(&crate::soak::Sample) -> f64| {
            let points = soak.samples.iter().map(|s| (s.minutes, value(s))).collect();
            [Line {
                name: name.to_owned(),
                points,
            }]
        };
        page.push_str(&plot::lines(
            "MB",
            "minutes",
            &line("resident memory", |s| s.resident_mb),
        ));
        page.push_str(&plot::lines(
            "",
            "minutes",
            &line("open descriptors", |s| s.descriptors),
        ));
        page.push_str(&plot::lines(
            "cores",
            "minutes",
            &line("CPU", |s| s.cpu_cores),
        ));
    }

    fn add_tables(&self, page: &mut String) {
        let medians: Vec<Round> = self.rounds.iter().filter_map(|r| median_round(r)).collect();
        if medians.is_empty() {
            return;
        }
        page.push_str("<h2>Medians</h2><table><tr><th>figure<th>unit");
        for round in &medians {
            let _ = write!(
                page,
                "<th>{}<br>{}<br>{} round(s)",
                escaped(&round.server),
                escaped(&round.scenario),
                round.rounds
            );
        }
        if !self.ratios.is_empty() {
            page.push_str("<th>ratio");
        }
        page.push_str("</tr>");
        for (name, unit, decimals, meaning) in MEANINGS {
            if medians.iter().all(|round| round.figure(name).is_none()) {
                continue;
            }
            let _ = write!(
                page,
                "<tr><td title=\"{}\">{name}<td>{unit}",
                escaped(meaning)
            );
            for round in &medians {
                let figure = round
                    .figure(name)
                    .map_or("-".to_owned(), |figure| format!("{figure:.decimals$}"));
                let class = if round.is_valid() { "" } else { "void" };
                let _ = write!(page, "<td class=\"{class}\">{figure}");
            }
            if !self.ratios.is_empty() {
                let ratio = self.ratios.get(name);
                let ratio = ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.3}"));
                let _ = write!(page, "<td>{ratio}");
            }
            page.push_str("</tr>");
        }
        page.push_str("</table><ul>");
        for round in &medians {
            let remarks = round.void.iter().map(|why| ("void", why));
            for (class, text) in remarks.chain(round.notes.iter().map(|note| ("", note))) {
                let _ = write!(
                    page,
                    "<li class=\"{class}\">{}, {}: {}</li>",
                    escaped(&round.server),
                    escaped(&round.scenario),
                    escaped(text)
                );
            }
        }
        page.push_str("</ul>");
    }

    fn add_plots(&self, page: &mut String) {
        for (name, unit, _, meaning) in MEANINGS.iter().filter(|(name, ..)| PLOTTED.contains(name))
        {
            let rows: Vec<Points> = self
                .rounds
                .iter()
                .filter_map(|rounds| points(rounds, name))
                .collect();
            if !rows.is_empty() {
                let _ = write!(page, "<h3>{name}</h3><p>{}</p>", escaped(meaning));
                page.push_str(&plot::dots(unit, &rows));
            }
        }
        let curves: Vec<Line> = self.rounds.iter().filter_map(|r| delays(r)).collect();
        if !curves.is_empty() {
            page.push_str(
                "<h3>delay</h3><p>share of packets, and the delay they do not exceed</p>",
            );
            page.push_str(&plot::lines("ms", "share of packets", &curves));
        }
    }
}

fn points(rounds: &[Round], name: &str) -> Option<Points> {
    let values: Vec<f64> = rounds
        .iter()
        .filter_map(|round| round.figure(name))
        .collect();
    let round = rounds.first()?;
    (!values.is_empty()).then(|| Points {
        name: format!("{}, {}", round.server, round.scenario),
        values,
    })
}

/// Of the last round, up to 99.9 %: the slowest packet would flatten the rest.
fn delays(rounds: &[Round]) -> Option<Line> {
    let round = rounds.iter().rfind(|round| !round.delays.is_empty())?;
    let points = round
        .delays
        .iter()
        .copied()
        .filter(|(share, _)| *share < 1.0);
    Some(Line {
        name: format!("{}, {}", round.server, round.scenario),
        points: points.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figures;

    #[test]
    fn a_report_is_two_files_that_need_nothing_else() {
        let mut round = Round::failed("ours", "s1<500", &anyhow::anyhow!("lost"));
        round.figures = Figures::from([("cpu_us_per_packet", 1.25), ("loss", 2.0)]);
        round.delays = vec![(0.5, 1.0), (0.99, 3.0)];
        let mut report = Report::new("a report");
        report.rounds = vec![vec![round.clone(), round]];
        let folder = tempfile::tempdir().unwrap();
        report.write(folder.path()).unwrap();
        let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
        assert!(page.contains("<svg") && page.contains("1.250") && page.contains("s1&lt;500"));
        let outside = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!outside.contains("http"), "the page asks another address");
        let json = fs::read_to_string(folder.path().join("report.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["rounds"][0][1]["void"][0], "lost");
    }
}
