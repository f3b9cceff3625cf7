//! What operators measure: every metric has a name that is written down, and counts what it says.

use std::collections::BTreeSet;

use proto::calls::action::{Action, Metric, MetricName};
use serde_json::json;

use crate::recording::recorded;
use crate::world::World;

/// The metrics that are shown, by name.
fn shown(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names = types.filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

async fn value(world: &World, metric: &str) -> f64 {
    let text = world.metrics().await;
    let name = format!("mattermost_plugin_calls_{metric} ");
    let line = text.lines().find(|line| line.starts_with(&name));
    let line = line.unwrap_or_else(|| panic!("`{metric}` is not shown:\n{text}"));
    line[name.len()..].parse().unwrap()
}

#[tokio::test]
async fn every_metric_that_is_shown_is_written_down() {
    let world = World::with_jobs().await;
    let (_anna, _ben) = world.anna_and_ben().await;
    world.get(&world.admin, "/stats").await;
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let page = std::fs::read_to_string(page).unwrap();
    let gateway = concat!(env!("CARGO_MANIFEST_DIR"), "/../../messaging/README.md");
    let gateway = std::fs::read_to_string(gateway).unwrap();
    let names = shown(&world.metrics().await);
    let unwritten: Vec<&String> = names
        .iter()
        .filter(|name| {
            let short = name.strip_prefix("mattermost_plugin_calls_");
            let row = format!("| `{}` |", short.unwrap_or(name));
            !page.contains(&row) && !gateway.contains(&row)
        })
        .collect();
    assert_eq!(unwritten, [""; 0]);
    // And nothing is promised that there is not; what has labels is shown when it has counted.
    let (_, metrics) = page.split_once("## Metrics").unwrap();
    let rows = metrics.lines().filter_map(|line| line.strip_prefix("| `"));
    let plain = rows.filter_map(|row| row.split_once("` |  |").or(row.split_once("` | |")));
    let missing: Vec<&str> = plain
        .map(|(name, _)| name)
        .filter(|name| !names.contains(&format!("mattermost_plugin_calls_{name}")))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[tokio::test]
async fn handlers_records_and_what_bots_report_are_measured() {
    let (world, mut anna, _ben, bot, _, transcribing) = recorded().await;
    world.get(&world.anna, &world.call_path("active")).await;
    world.get(&world.anna, "/no/such/route").await;
    let route = "app_handlers_time_count{handler=\"GET /calls/{channel}/active\"}";
    assert_eq!(value(&world, route).await, 1.0);
    assert_eq!(
        value(&world, "app_handlers_time_count{handler=\"unknown\"}").await,
        1.0
    );
    assert_eq!(
        value(&world, "app_handlers_time_count{handler=\"join\"}").await,
        2.0
    );
    let kept = "store_methods_time_count{method=\"keep_all\"}";
    assert!(value(&world, kept).await >= 2.0);
    assert!(value(&world, "store_ops_total{type=\"write\"}").await >= 2.0);
    let mut transcriber = world.connect(&bot).await;
    let job = Some(transcribing.as_str());
    transcriber.ask_to_join(&world.channel, job).await;
    transcriber.wait_for("join").await;
    for (name, metric) in [
        (
            MetricName::LiveCaptionsWindowDropped,
            "jobs_live_captions_window_dropped",
        ),
        (
            MetricName::LiveCaptionsTranscriberBufferFull,
            "jobs_live_captions_transcriber_buf_full",
        ),
        (
            MetricName::LiveCaptionsPacketBufferFull,
            "jobs_live_captions_pktPayloadCh_buf_full",
        ),
    ] {
        assert_eq!(value(&world, metric).await, 0.0);
        // What captioning costs only its bot knows.
        for (client, counted) in [(&mut anna, 0.0), (&mut transcriber, 1.0)] {
            let (session, data) = (None, String::new());
            let said = Metric {
                name,
                session,
                data,
            };
            client.act(&Action::Metric(said)).await;
            client.settled().await;
            assert_eq!(value(&world, metric).await, counted, "{metric}");
        }
    }
    // Counted when the server starts, and every hour: before this call.
    assert_eq!(
        value(&world, "aggregate_stats{stat=\"total_calls\"}").await,
        0.0
    );
}

#[tokio::test]
async fn the_plugins_metrics_are_where_its_operators_scrape_them() {
    let world = World::new().await;
    let port = world.running.metrics_addr().unwrap();
    let path = format!("http://{port}/plugins/com.mattermost.calls/metrics");
    let scraped = world.http.get(path).send().await.unwrap();
    assert_eq!(scraped.status(), 200);
    let text = scraped.text().await.unwrap();
    assert!(text.contains("mattermost_plugin_calls_websocket_connections_total"));
    // On the people's port for everybody, without what only we count.
    let public = world.http.get(world.url("/metrics")).send().await.unwrap();
    assert_eq!(public.status(), 200);
    let public = shown(&public.text().await.unwrap());
    let name = |short: &str| format!("mattermost_plugin_calls_{short}");
    assert!(public.contains(&name("websocket_connections_total")));
    assert!(public.contains(&name("jobs_live_captions_window_dropped")));
    for ours in [
        "joins_refused_total",
        "calls",
        "sessions",
        "tasks_alive",
        "connections",
    ] {
        assert!(!public.contains(&name(ours)), "{ours}");
    }
    let url = format!("http://{}/metrics", world.addr());
    assert_eq!(world.http.get(&url).send().await.unwrap().status(), 401);
    // Administrators are told what there is instead of profiles of a Go runtime.
    let (status, told) = world.get(&world.admin, "/debug/pprof/profile").await;
    assert_eq!(status, 501);
    assert!(told["message"].as_str().unwrap().contains("perf record"));
    assert_eq!(json!(501), told["status_code"]);
}
