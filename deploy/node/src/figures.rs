//! This node's sight of the others in figures.

use service::figures::{self, Kind};

use crate::{Place, Sight, State};

const STATES: [(&str, State); 4] = [
    ("up", State::Up),
    ("suspect", State::Suspect),
    ("left", State::Left),
    ("silent", State::Silent),
];

impl Place {
    /// Renders what this node sees in Prometheus' text format, names beginning with `prefix`.
    #[must_use]
    pub fn metrics(&self, prefix: &str) -> String {
        let others = self.others();
        let mut text = String::new();
        let nodes: Vec<(String, u64)> = STATES
            .iter()
            .map(|(name, state)| {
                let count = others.nodes.values().filter(|other| other.state == *state);
                let count = u64::try_from(count.count()).unwrap_or(u64::MAX);
                (format!("state=\"{name}\""), count)
            })
            .collect();
        let name = format!("{prefix}_cluster_nodes");
        let help = "Nodes as this one sees them; who has gone is counted for an hour.";
        figures::write(&mut text, &name, Kind::Gauge, help, &nodes);
        let sees = u64::from(others.sight == Sight::Clear);
        let name = format!("{prefix}_cluster_sight");
        let help = "1 while this node hears the others; 0: see the log.";
        let site = format!("site=\"{}\"", self.site());
        figures::write(&mut text, &name, Kind::Gauge, help, &[(site, sees)]);
        let counts = self.counts().into_iter();
        let counts: Vec<(String, u64)> = counts
            .map(|(what, count)| (format!("what=\"{what}\""), count))
            .collect();
        let name = format!("{prefix}_cluster_engine_total");
        let help = "What happened between this node and the servers between the nodes.";
        figures::write(&mut text, &name, Kind::Counter, help, &counts);
        text
    }
}
