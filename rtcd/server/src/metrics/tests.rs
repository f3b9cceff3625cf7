//! Names, labels and buckets are promises.

use super::*;

/// Names, labels and types the reference promises; dashboards are made on them.
const PROMISED: &[(&str, &str, &str)] = &[
    (
        "rtcd_rtc_rtp_tracks_total",
        "gauge",
        "direction,groupID,type",
    ),
    (
        "rtcd_rtc_rtp_tracks_writes_time",
        "histogram",
        "groupID,type",
    ),
    ("rtcd_rtc_sessions_total", "gauge", "groupID"),
    ("rtcd_rtc_conn_states_total", "counter", "type"),
    ("rtcd_rtc_errors_total", "counter", "groupID,type"),
    ("rtcd_rtc_connection_time", "histogram", "groupID"),
    ("rtcd_rtc_dc_open_time", "histogram", "groupID"),
    ("rtcd_rtc_signaling_lock_grab_time", "histogram", "groupID"),
    (
        "rtcd_rtc_signaling_lock_locked_time",
        "histogram",
        "groupID",
    ),
    ("rtcd_rtc_client_loss_rate", "histogram", "groupID"),
    ("rtcd_rtc_client_rtt", "histogram", "groupID"),
    ("rtcd_rtc_client_jitter", "histogram", "groupID"),
    ("rtcd_ws_connections_total", "gauge", "clientID"),
    (
        "rtcd_ws_messages_total",
        "counter",
        "clientID,direction,type",
    ),
    ("rtcd_process_cpu_seconds_total", "counter", ""),
    ("rtcd_process_open_fds", "gauge", ""),
    ("rtcd_process_max_fds", "gauge", ""),
    ("rtcd_process_resident_memory_bytes", "gauge", ""),
    ("rtcd_process_virtual_memory_bytes", "gauge", ""),
    ("rtcd_process_virtual_memory_max_bytes", "gauge", ""),
    ("rtcd_process_start_time_seconds", "gauge", ""),
];

fn with_one_of_each() -> Metrics {
    let metrics = Metrics::new().unwrap();
    metrics
        .tracks
        .with_label_values(&["g", "in", "audio/opus"])
        .set(1);
    metrics
        .track_writes_time
        .with_label_values(&["g", "voice"])
        .observe(0.002);
    metrics.sessions.with_label_values(&["g"]).set(1);
    metrics.conn_states.with_label_values(&["connected"]).inc();
    metrics.errors.with_label_values(&["g", "ice"]).inc();
    for histogram in [
        &metrics.connection_time,
        &metrics.dc_open_time,
        &metrics.lock_grab_time,
        &metrics.lock_locked_time,
        &metrics.client_loss_rate,
        &metrics.client_rtt,
        &metrics.client_jitter,
    ] {
        histogram
            .with_label_values(&["g"])
            .observe(seconds(Duration::from_millis(3)));
    }
    metrics.ws_connections.with_label_values(&["g"]).set(1);
    metrics
        .ws_messages
        .with_label_values(&["g", "rtc", "in"])
        .inc();
    metrics
}

#[test]
fn promised_names_labels_and_types_are_there() {
    let text = with_one_of_each().render().unwrap();
    for (name, kind, labels) in PROMISED {
        assert!(
            text.contains(&format!("# TYPE {name} {kind}\n")),
            "{name} as {kind}"
        );
        let sample = text
            .lines()
            .find(|line| line.starts_with(&format!("{name}_count")))
            .or_else(|| text.lines().find(|line| line.starts_with(name)))
            .unwrap();
        let found = sample.split_once('{').map_or(String::new(), |(_, rest)| {
            let inside = rest.split_once('}').unwrap().0;
            inside
                .split(',')
                .map(|pair| pair.split_once('=').unwrap().0)
                .collect::<Vec<_>>()
                .join(",")
        });
        assert_eq!(found, *labels, "{name}");
    }
}

#[test]
fn buckets_are_those_of_the_reference() {
    let text = with_one_of_each().render().unwrap();
    let buckets = |name: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.starts_with(&format!("{name}_bucket")))
            .map(|line| {
                line.split("le=\"")
                    .nth(1)
                    .unwrap()
                    .split('"')
                    .next()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    };
    let short = [
        "0.001", "0.005", "0.0075", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.3", "0.4",
        "0.5", "0.75", "1", "+Inf",
    ];
    assert_eq!(buckets("rtcd_rtc_client_rtt"), short);
    assert_eq!(buckets("rtcd_rtc_client_jitter"), short);
    assert_eq!(buckets("rtcd_rtc_rtp_tracks_writes_time"), short);
    assert_eq!(
        buckets("rtcd_rtc_client_loss_rate"),
        [
            "0.001", "0.005", "0.0075", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5",
            "0.75", "1", "+Inf"
        ]
    );
    let default = [
        "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf",
    ];
    assert_eq!(buckets("rtcd_rtc_connection_time"), default);
    assert_eq!(buckets("rtcd_rtc_signaling_lock_grab_time"), default);
}

#[test]
fn the_manual_lists_every_metric_and_no_other() {
    let manual = include_str!("../../README.md");
    let metrics = with_one_of_each();
    let label = &["0", "in"];
    metrics.own.packets.with_label_values(label).inc();
    metrics.own.drops.with_label_values(label).inc();
    metrics.own.loop_time.with_label_values(&["0"]).observe(0.1);
    let profiles = &metrics.own.srtp_profiles;
    profiles.with_label_values(&["aead_aes_128_gcm"]).inc();
    let group = proto::id::GroupId::parse("g").unwrap();
    metrics.joined(&group, "connected", Duration::from_millis(80));
    metrics.own.inbox_depth.with_label_values(&["0"]).set(1);
    metrics.own.events_deferred.with_label_values(&["0"]).inc();
    metrics.own.sockets_failing.with_label_values(&["0"]).set(0);
    let families = metrics.registry.gather();
    let names: Vec<&str> = families.iter().map(|family| family.name()).collect();
    for name in &names {
        assert!(
            manual.contains(&format!("| `{name}` |")),
            "`{name}` is not in README.md"
        );
    }
    let listed = manual
        .lines()
        .filter_map(|line| line.strip_prefix("| `rtcd_"));
    for line in listed {
        let name = format!("rtcd_{}", line.split('`').next().unwrap());
        assert!(
            names.contains(&name.as_str()),
            "README.md lists `{name}`, which is not there"
        );
    }
}

#[test]
fn a_tenant_that_is_gone_leaves_no_label_behind() {
    let metrics = with_one_of_each();
    let told = || {
        let text = metrics.render().unwrap();
        text.lines().filter(|line| line.contains("=\"g\"")).count()
    };
    let before = told();
    assert!(before > 50, "{before} values");
    metrics.forget(&GroupId::parse("somebody-else").unwrap());
    assert_eq!(told(), before);
    metrics.forget(&GroupId::parse("g").unwrap());
    assert_eq!(told(), 0);
}
