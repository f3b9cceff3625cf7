//! The connections of this node in figures.

use std::sync::atomic::Ordering;

use service::figures::{self, Kind};

use super::{Mesh, Wire};

impl Mesh {
    /// Renders the connections in Prometheus' text format, names beginning with `prefix`. Counters begin
    /// anew with each connection.
    #[must_use]
    pub fn metrics(&self, prefix: &str) -> String {
        let wires = self.wires();
        let mut text = String::new();
        let mut each = |name: &str, kind, help: &str, figure: &dyn Fn(&Wire) -> u64| {
            let rows: Vec<(String, u64)> = wires
                .iter()
                .map(|wire| (format!("node=\"{}\"", wire.node()), figure(wire)))
                .collect();
            let name = format!("{prefix}_cluster_link_{name}");
            figures::write(&mut text, &name, kind, help, &rows);
        };
        each(
            "round_trip_microseconds",
            Kind::Gauge,
            "From this node to the other and back.",
            &|wire| u64::try_from(wire.round_trip().as_micros()).unwrap_or(u64::MAX),
        );
        each(
            "lost_datagrams_total",
            Kind::Counter,
            "Datagrams to the node that did not arrive.",
            &|wire| wire.sent_and_lost().1,
        );
        each(
            "sent_packets_total",
            Kind::Counter,
            "Packets of media sent to the node.",
            &|wire| wire.counted.sent.load(Ordering::Relaxed),
        );
        each(
            "received_packets_total",
            Kind::Counter,
            "Packets of media that came from the node.",
            &|wire| wire.counted.received.load(Ordering::Relaxed),
        );
        each(
            "refused_packets_total",
            Kind::Counter,
            "Packets of media that were not sent to the node, because too many waited.",
            &|wire| wire.counted.refused.load(Ordering::Relaxed),
        );
        text
    }
}
