//! The generator against our own server, in this process: whatever its figures are on the machine
//! that runs the tests, packets arrive, authenticate and carry their send time.

#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

use std::process::Command;

/// Starts a server, lets `load run` play a small scenario on it, and returns what it found.
async fn play(arguments: &[&str]) -> serde_json::Value {
    let directory = tempfile::tempdir().unwrap();
    let server = rtcd::start(rtcd::Config::local(directory.path()))
        .await
        .unwrap();
    let spec = format!("rtcd=http://{}#{}", server.http_addr(), std::process::id());
    let mut command = Command::new(env!("CARGO_BIN_EXE_load"));
    command
        .args(["run", "--json", "--settle-seconds", "1", "--seconds", "2"])
        .args(["--server", &spec])
        .args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    server.stop().await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no report: {errors}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn voices_and_a_screen_are_heard_by_everybody() {
    let report = play(&["--participants", "5", "--speakers", "2", "--screens", "1"]).await;
    let figures = &report["figures"];
    // 2 voices of 50 and a screen of 180 packets a second to 4 others each: 1,120.
    let forwarded = figures["forwarded_per_s"].as_f64().unwrap();
    assert!((300.0..1400.0).contains(&forwarded), "{report:#}");
    assert!(figures["opened"].as_f64().unwrap() > 0.0, "{report:#}");
    assert_eq!(figures["refused"], 0.0, "{report:#}");
    for figure in ["delay_ms_p50", "join_ms_p50", "cpu_us_per_packet"] {
        assert!(
            figures[figure].as_f64().unwrap() > 0.0,
            "{figure} in {report:#}"
        );
    }
    assert_eq!(report["profiles"]["AEAD_AES_256_GCM"], 5, "{report:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_video_is_asked_for_and_comes() {
    let report = play(&[
        "--scenario",
        "s8",
        "--participants",
        "4",
        "--lose-per-mille",
        "50",
    ])
    .await;
    let figures = &report["figures"];
    let asked = figures["asked_again"].as_f64().unwrap();
    // A repaired packet comes behind later ones.
    let repaired = figures["reordered"].as_f64().unwrap();
    assert!(asked > 10.0 && repaired > asked / 2.0, "{report:#}");
    assert_eq!(figures["refused"], 0.0, "{report:#}");
}
