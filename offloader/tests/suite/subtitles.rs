//! A call that is recorded and transcribed: what was said is in the archive of its recording.

use offloader::text::TextOrder;
use serde_json::json;

use crate::kept::look_into;
use crate::recorder::manifest;
use crate::sfu::Script;
use crate::site::{POST, Site, eventually};
use crate::words::{LONG, ask, begin, captions, handed_in, service};

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_gets_its_transcript_as_subtitles_when_that_is_handed_in() {
    let site = Site::start(Script::default().speaker("anna", "prompts", 30)).await;
    let folder = tempfile::tempdir().unwrap();
    let running = service(folder.path(), TextOrder::default()).await;
    let input = site.recording_input();
    ask(&running, "recording", "calls-recorder:v0.8.13", &input).await;
    begin(&running, &site, json!({})).await;
    eventually("captions", LONG, async || captions(&site) > 6).await;
    site.stop_job();
    handed_in(&site).await;
    assert_eq!(
        site.recordings.lock().unwrap().len(),
        1,
        "the film is first"
    );

    let home = folder.path().join("archive").join(POST);
    let files = std::fs::read_dir(home).unwrap().flatten();
    let (archives, others): (Vec<_>, Vec<_>) = files
        .map(|file| file.path())
        .partition(|path| path.extension().is_some_and(|ending| ending == "mkv"));
    assert_eq!((archives.len(), others.len()), (1, 1));
    let archive = archives[0].clone();
    // Of the archive as it is now, with its transcript.
    manifest(&others[0]);
    let inside = look_into(&archive);
    let titles: Vec<_> = inside.streams.iter().map(|(_, title)| title).collect();
    assert_eq!(titles.last().unwrap().as_str(), "Transcript", "{titles:?}");
    let last = inside.streams.len() - 1;
    let lines = &inside.packets[&last];
    let lines: Vec<_> = lines
        .iter()
        .map(|(at, bytes)| (*at, String::from_utf8(bytes.clone()).unwrap()))
        .collect();
    // The same lines as in the file that is handed in, each at its time.
    let vtt = String::from_utf8(site.file(".vtt")).unwrap();
    let cues = vtt.lines().filter(|line| line.contains("-->"));
    let seconds = |time: &str| {
        let parts = time.split(':').map(|part| part.parse::<f64>().unwrap());
        parts.fold(0.0, |sum, part| sum * 60.0 + part)
    };
    let begins: Vec<_> = cues
        .map(|cue| seconds(cue.split_once(" -->").unwrap().0))
        .collect();
    assert_eq!(lines.len(), begins.len(), "{vtt}{lines:?}");
    assert!(!lines.is_empty());
    for ((at, line), begin) in lines.iter().zip(begins) {
        assert!((at - begin).abs() < 0.01, "{line} at {at}, not {begin}");
        let (_, words) = line.split_once(": ").unwrap();
        assert!(vtt.contains(words), "`{words}` is not in {vtt}");
    }
    running.stop().await;
}
