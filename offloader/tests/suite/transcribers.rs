//! A transcript whose worker dies: another goes on with captions and text, or it is told what is missing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use offloader::Running;
use offloader::capture::journal::{self, Entry};
use offloader::order::lock_path;
use offloader::text::TextOrder;
use serde_json::{Value, json};

use crate::recorder::{kill, told};
use crate::sfu::Script;
use crate::site::{Site, eventually};
use crate::words::{LONG, begin, captions, handed_in, service};

const GAP: &str = "[Nothing was heard here: the process that listened stopped unexpectedly.]";
const CUT_OFF: &str =
    "[Nothing was heard from here on: the process that listened stopped unexpectedly.]";

struct Call {
    site: Arc<Site>,
    folder: tempfile::TempDir,
    running: Running,
    job: String,
    /// About when the transcript's time began.
    begun: Instant,
}

impl Call {
    async fn begin(further: Value) -> Self {
        let site = Site::start(Script::default().speaker("anna", "prompts", 30).endless()).await;
        let folder = tempfile::tempdir().unwrap();
        let running = service(folder.path(), TextOrder::default()).await;
        let job = begin(&running, &site, further).await;
        Self {
            site,
            folder,
            running,
            job,
            begun: Instant::now(),
        }
    }

    async fn is_captioned(&self, more: usize) {
        let before = captions(&self.site);
        eventually("captions", LONG, async || {
            captions(&self.site) > before + more
        })
        .await;
    }

    fn kill_worker(&self) {
        let folder = self.job_folder();
        kill(&std::fs::read_to_string(lock_path(&folder)).unwrap());
    }

    fn job_folder(&self) -> std::path::PathBuf {
        self.folder.path().join("jobs").join(&self.job)
    }

    fn text(&self, ending: &str) -> String {
        String::from_utf8(self.site.file(ending)).unwrap()
    }
}

/// When its words begin, in milliseconds, and the words of each cue.
fn cues(vtt: &str) -> Vec<(u64, String)> {
    let lines: Vec<_> = vtt.lines().collect();
    let cues = lines.windows(2).filter_map(|pair| {
        let (start, _) = pair[0].split_once(" --> ")?;
        let (hours, rest) = start.split_once(':')?;
        let (minutes, seconds) = rest.split_once(':')?;
        let minutes = hours.parse::<u64>().ok()? * 60 + minutes.parse::<u64>().ok()?;
        let ms = seconds.replace('.', "").parse::<u64>().ok()?;
        Some((minutes * 60_000 + ms, pair[1].to_owned()))
    });
    cues.collect()
}

fn parts(folder: &Path) -> Vec<u64> {
    let parts = journal::read(folder).into_iter();
    let parts = parts.filter_map(|entry| match entry {
        Entry::Part { t_ms, .. } => Some(t_ms as u64),
        _ => None,
    });
    parts.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn captions_and_transcript_go_on_when_their_worker_is_killed() {
    let further = json!({ "transcript_may_go_on": true, "transcript_may_fail_alone": true });
    let call = Call::begin(further).await;
    call.is_captioned(6).await;
    let killed_ms = call.begun.elapsed().as_millis() as u64;
    call.kill_worker();
    eventually("another worker", LONG, async || {
        call.site.joins.load(Ordering::Relaxed) == 2
    })
    .await;
    call.is_captioned(6).await;
    call.site.stop_job();
    handed_in(&call.site).await;
    assert_eq!(told(&call.site, "failed"), [Value::Null; 0], "it went on");

    let [part] = parts(&call.job_folder())[..] else {
        panic!("one other worker");
    };
    let gap_ms = part.saturating_sub(killed_ms);
    assert!(gap_ms < 4_000, "{gap_ms} ms without a worker");
    let (vtt, text) = (call.text(".vtt"), call.text(".txt"));
    let cues = cues(&vtt);
    let spoken = |from: u64, until: u64| {
        let times = cues.iter().map(|(start, _)| *start);
        times.filter(|start| (from..until).contains(start)).count()
    };
    assert!(spoken(0, killed_ms) > 0, "before it died: {vtt}");
    assert!(spoken(part, part + 10_000) > 0, "after that: {vtt}");
    assert_eq!(spoken(killed_ms + 1_000, part), 0, "in between: {vtt}");
    // She begins anew for each who comes: the same words so much later.
    let second = cues.iter().find(|(start, _)| *start >= part).unwrap();
    let first = &cues[0];
    let word = |cue: &(u64, String)| cue.1.split_whitespace().nth(1).unwrap().to_lowercase();
    assert_eq!(word(first), word(second), "{vtt}");
    assert_eq!(text.matches(GAP).count(), 1, "{text}");
    assert!(vtt.contains("NOTE 00:00:") && !text.contains("from here on"));

    // Lines of captions are each named once.
    let shown = call.site.captions.lock().unwrap().clone();
    let of = |track: &str| {
        let mut lines = shown.iter().filter_map(|shown| shown["line"].as_str());
        lines.any(|line| line.starts_with(track))
    };
    assert!(of("0.") && of("1."), "{shown:?}");
    call.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_may_go_on_a_killed_transcriber_is_told_and_the_text_says_what_is_missing() {
    for (further, is_told) in [
        (json!({ "transcript_may_fail_alone": true }), true),
        // There it would end the recording.
        (json!({}), false),
    ] {
        let call = Call::begin(further).await;
        call.is_captioned(6).await;
        call.kill_worker();
        handed_in(&call.site).await;
        assert_eq!(call.site.joins.load(Ordering::Relaxed), 1);
        let failed = told(&call.site, "failed");
        assert_eq!(failed.len(), usize::from(is_told), "{failed:?}");
        for told in failed {
            let why = told["omitempty"].as_str().unwrap();
            assert!(why.contains("transcriber stopped unexpectedly"), "{why}");
            assert_eq!(
                (&told["cut_off"], &told["JobType"]),
                (&json!(true), &json!("transcribing"))
            );
        }
        let text = call.text(".txt");
        assert!(text.trim_end().ends_with(CUT_OFF), "{text}");
        assert!(text.lines().count() > 4, "what was said before: {text}");
        call.running.stop().await;
    }
}
