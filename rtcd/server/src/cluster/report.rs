//! How this node does, for the eyes of administrators wherever they look.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use node::{LinkReport, Mesh, Place, Report};

use crate::control::Control;

/// Older figures help nobody; newer ones cost every node a message.
const EVERY: Duration = Duration::from_secs(5);

/// Tells the others, for as long as the node lives.
pub(super) async fn tell(place: Place, mesh: Option<Mesh>, control: Arc<Control>) {
    let mut before: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let wires = mesh.as_ref().map(Mesh::wires).unwrap_or_default();
        let mut now = BTreeMap::new();
        let links = wires.iter().map(|wire| {
            let (sent, lost) = wire.sent_and_lost();
            now.insert(wire.serial(), (sent, lost));
            let (sent_before, lost_before) =
                before.get(&wire.serial()).copied().unwrap_or_default();
            let (sent, lost) = (sent - sent_before, lost - lost_before);
            LinkReport {
                node: wire.node().to_string(),
                round_trip_us: u64::try_from(wire.round_trip().as_micros()).unwrap_or(u64::MAX),
                lost_ppm: lost * 1_000_000 / sent.max(1),
            }
        });
        let links: Vec<LinkReport> = links.collect();
        before = now;
        let (calls, sessions) = control.counts();
        place.change(|facts| {
            facts.report = Report {
                calls,
                sessions,
                links,
            };
        });
    }
}
