//! Figures of a round, their meaning, and the arithmetic on them.
//!
//! In: figures of several rounds. Out: medians and ratios. A round is void when its loss is over
//! `MAX_LOSS`: the server, or this generator, was overloaded.

use std::collections::BTreeMap;

use serde::Serialize;

/// Loss above which a round counts for nothing.
pub(crate) const MAX_LOSS: f64 = 0.001;

/// What was measured, by name (see `MEANINGS`).
pub(crate) type Figures = BTreeMap<&'static str, f64>;

/// Name, unit, decimals, meaning. Reports show figures in this order.
pub(crate) const MEANINGS: &[(&str, &str, usize, &str)] = &[
    (
        "participants",
        "",
        0,
        "participants at the end of the window",
    ),
    (
        "forwarded_per_s",
        "packets/s",
        0,
        "RTP packets that arrived at participants",
    ),
    (
        "forwarded_mbit_per_s",
        "Mbit/s",
        1,
        "their size as UDP payload",
    ),
    (
        "cpu_us_per_packet",
        "us",
        3,
        "CPU time of the whole server process per packet that arrived",
    ),
    ("cpu_s_per_gbit", "s", 3, "the same per Gbit that arrived"),
    (
        "cpu_cores",
        "cores",
        3,
        "CPU time of the server process per second",
    ),
    (
        "cpu_cores_by_ticks",
        "cores",
        3,
        "the same from the ticks of /proc/PID/stat, as a check",
    ),
    (
        "floor_us",
        "us",
        3,
        "own header, cipher and sendto to as many destinations, measured right behind the round",
    ),
    (
        "floor_gso_us",
        "us",
        3,
        "the same with three packets per system call",
    ),
    ("over_floor", "x", 3, "cpu_us_per_packet / floor_us"),
    ("loss", "%", 4, "sequence numbers that never came"),
    (
        "missing",
        "%",
        4,
        "packets of which nothing came, not even a gap, had everything been forwarded",
    ),
    ("duplicates", "packets", 0, "packets that came twice"),
    (
        "reordered",
        "packets",
        0,
        "packets that came behind a later one",
    ),
    ("refused", "packets", 0, "packets that did not authenticate"),
    (
        "opened",
        "packets",
        0,
        "packets that were authenticated and decrypted",
    ),
    (
        "dropped",
        "packets",
        0,
        "packets thrown away here on purpose",
    ),
    ("asked_again", "packets", 0, "packets asked for with NACK"),
    (
        "delay_ms_p50",
        "ms",
        3,
        "from the sender's send call to the receiver's kernel",
    ),
    ("delay_ms_p99", "ms", 3, "the same, 99 of 100 are faster"),
    ("delay_ms_p999", "ms", 3, "the same, 999 of 1000 are faster"),
    (
        "join_ms_p50",
        "ms",
        1,
        "from the wish to connected and negotiated",
    ),
    ("join_ms_p99", "ms", 1, "the same, 99 of 100 are faster"),
    (
        "join_server_ms_p50",
        "ms",
        1,
        "the part of a join spent waiting for the server",
    ),
    (
        "join_server_ms_p99",
        "ms",
        1,
        "the same, 99 of 100 are faster",
    ),
    (
        "join_cpu_ms",
        "ms",
        3,
        "CPU time of the server process per join",
    ),
    (
        "resident_mb",
        "MB",
        1,
        "resident memory of the server process",
    ),
    (
        "memory_kb_per_participant",
        "kB",
        1,
        "growth of its proportional memory since its start, per participant",
    ),
    (
        "switches_per_s",
        "1/s",
        0,
        "context switches of all threads of the server",
    ),
    ("descriptors", "", 0, "open descriptors of the server"),
    (
        "generator_cores",
        "cores",
        3,
        "CPU time of this generator's media thread per second",
    ),
    (
        "generator_us_per_packet",
        "us",
        3,
        "the same per packet that arrived",
    ),
];

/// One round of one scenario on one server, or the median of several.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Round {
    pub(crate) server: String,
    pub(crate) scenario: String,
    pub(crate) rounds: usize,
    /// Every figure is void when this is not empty.
    pub(crate) void: Vec<String>,
    /// Remarks that do not make it void.
    pub(crate) notes: Vec<String>,
    /// SRTP profiles and how many transports negotiated them.
    pub(crate) profiles: BTreeMap<&'static str, usize>,
    pub(crate) figures: Figures,
    /// Share of packets, and the delay in milliseconds that so many do not exceed.
    pub(crate) delays: Vec<(f64, f64)>,
}

impl Round {
    /// A round that could not be played.
    pub(crate) fn failed(server: &str, scenario: &str, error: &anyhow::Error) -> Self {
        Self {
            server: server.to_owned(),
            scenario: scenario.to_owned(),
            rounds: 1,
            void: vec![format!("{error:#}")],
            notes: Vec::new(),
            profiles: BTreeMap::new(),
            figures: Figures::new(),
            delays: Vec::new(),
        }
    }

    pub(crate) const fn is_valid(&self) -> bool {
        self.void.is_empty()
    }

    pub(crate) fn figure(&self, name: &str) -> Option<f64> {
        self.figures.get(name).copied()
    }
}

/// The median round: each figure by itself, over the rounds that are valid. When none is, over all,
/// and void.
pub(crate) fn median_round(rounds: &[Round]) -> Option<Round> {
    let last = rounds.last()?;
    let valid: Vec<&Round> = rounds.iter().filter(|round| round.is_valid()).collect();
    let counted: Vec<&Round> = if valid.is_empty() {
        rounds.iter().collect()
    } else {
        valid.clone()
    };
    let figures = MEANINGS
        .iter()
        .filter_map(|(name, ..)| {
            let values: Vec<f64> = counted.iter().filter_map(|r| r.figure(name)).collect();
            (!values.is_empty()).then(|| (*name, median(&values)))
        })
        .collect();
    let mut notes: Vec<String> = rounds.iter().flat_map(|r| r.notes.clone()).collect();
    let mut void: Vec<String> = Vec::new();
    let voided = rounds.iter().flat_map(|r| r.void.clone());
    if valid.is_empty() {
        void.extend(voided);
    } else {
        notes.extend(voided.map(|why| format!("a round was void: {why}")));
    }
    notes.sort();
    notes.dedup();
    void.sort();
    void.dedup();
    Some(Round {
        rounds: counted.len(),
        void,
        notes,
        figures,
        ..last.clone()
    })
}

/// The median of `figure` over the valid rounds; `None` of none.
pub(crate) fn median_of(rounds: &[Round], figure: &str) -> Option<f64> {
    let valid = rounds.iter().filter(|round| round.is_valid());
    let values: Vec<f64> = valid.filter_map(|round| round.figure(figure)).collect();
    (!values.is_empty()).then(|| median(&values))
}

/// The median of `figure` in `rounds` over the same in `others`, round by round: both of a pair were
/// played one after the other, and what the machine did meanwhile cancels out.
pub(crate) fn median_ratio(rounds: &[Round], others: &[Round], figure: &str) -> Option<f64> {
    let ratios: Vec<f64> = rounds
        .iter()
        .zip(others)
        .filter(|(round, other)| round.is_valid() && other.is_valid())
        .filter_map(|(round, other)| Some(round.figure(figure)? / other.figure(figure)?))
        .filter(|ratio| ratio.is_finite())
        .collect();
    (!ratios.is_empty()).then(|| median(&ratios))
}

/// The middle value; of two, their mean; 0 for none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle).copied().unwrap_or(0.0);
    if sorted.len().is_multiple_of(2) {
        let lower = middle.checked_sub(1).and_then(|at| sorted.get(at));
        f64::midpoint(lower.copied().unwrap_or(0.0), upper)
    } else {
        upper
    }
}

/// The value below which a share `q` of the values lies (nearest rank); `None` of none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index within a slice"
)]
pub(crate) fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// Counts become figures far below 2^52.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of one run are far below 2^52"
)]
pub(crate) const fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(figure: f64, void: &[&str]) -> Round {
        Round {
            server: "s".to_owned(),
            scenario: "s5".to_owned(),
            rounds: 1,
            void: void.iter().map(|why| (*why).to_owned()).collect(),
            notes: Vec::new(),
            profiles: BTreeMap::new(),
            figures: Figures::from([("loss", figure)]),
            delays: Vec::new(),
        }
    }

    fn equal(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn medians_are_the_middle() {
        assert!(equal(median(&[3.0, 1.0, 2.0]), 2.0));
        assert!(equal(median(&[4.0, 1.0, 2.0, 3.0]), 2.5));
        assert!(equal(median(&[7.0]), 7.0));
        assert!(equal(median(&[]), 0.0));
    }

    #[test]
    fn quantiles_are_nearest_rank() {
        let values = [3.0, 1.0, 2.0, 4.0];
        assert_eq!(quantile(&values, 0.5), Some(2.0));
        assert_eq!(quantile(&values, 1.0), Some(4.0));
        assert_eq!(quantile(&values, 0.999), Some(4.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn void_rounds_do_not_count_while_others_do() {
        let rounds = [round(1.0, &[]), round(100.0, &["loss"]), round(3.0, &[])];
        let median = median_round(&rounds).unwrap();
        assert!(median.is_valid() && median.rounds == 2);
        assert!(equal(median.figure("loss").unwrap(), 2.0));
        assert_eq!(median.notes, ["a round was void: loss"]);
    }

    #[test]
    fn all_void_is_void() {
        let median = median_round(&[round(5.0, &["loss"]), round(6.0, &["loss"])]).unwrap();
        assert_eq!(median.void, ["loss"]);
        assert!(median_round(&[]).is_none());
    }

    #[test]
    fn ratios_are_of_pairs() {
        let ours = [round(1.0, &[]), round(30.0, &[]), round(2.0, &["loss"])];
        let theirs = [round(2.0, &[]), round(40.0, &[]), round(1.0, &[])];
        let ratio = median_ratio(&ours, &theirs, "loss").unwrap();
        assert!(equal(ratio, f64::midpoint(0.5, 0.75)));
        assert_eq!(median_ratio(&ours[2..], &theirs[2..], "loss"), None);
        assert!(equal(median_of(&ours, "loss").unwrap(), 15.5));
        assert_eq!(median_of(&ours, "delay_ms_p50"), None);
    }

    #[test]
    fn every_figure_is_explained_once() {
        let mut names: Vec<_> = MEANINGS.iter().map(|(name, ..)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), MEANINGS.len());
    }
}
