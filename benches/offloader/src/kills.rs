//! A captioned and recorded call whose workers, service and speech process are killed in turn.
//!
//! Every half minute one of them gets a signal 9; the service is started again as whoever supervises it
//! does. One film must come of it, and a transcript.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Args;
use crate::figures::{Figure, Good, Seen};
use crate::sfu::Script;
use crate::siege::{Besieged, Victim, holes, record_under_fire};
use crate::site::{CHANNEL, JOB, Site};
use crate::sound::{Probe, probe};

const ROW: &str = "kills";
/// Time between two.
const PAUSE: Duration = Duration::from_secs(30);
/// Of whom it is known when they are not heard.
const HERTZ: f32 = 400.0;
/// A transcript of such a call takes no longer.
const PATIENCE: Duration = Duration::from_secs(900);

pub(crate) async fn measure(
    args: &Args,
    wanted: &dyn Fn(&str) -> bool,
) -> anyhow::Result<Vec<Figure>> {
    if !wanted(ROW) {
        return Ok(Vec::new());
    }
    let script = Script::default().voice("anna", HERTZ);
    let site = Site::start(script.speaker("ben", "prompts", 60).endless()).await;
    let further = vec![
        ("SPEECH_MODELSDIR", args.models.display().to_string()),
        ("SPEECH_MODEL", "tiny.en".to_owned()),
    ];
    let mut service = Besieged::start(Path::new(&args.binary), further).await;
    let mut input = site.recording_input();
    if let Some(input) = input.as_object_mut() {
        input.insert("recording_may_go_on".to_owned(), json!(true));
    }
    service
        .ask("recording", "calls-recorder:v0.8.13", &input)
        .await;
    if let Some(input) = input.as_object_mut() {
        input.insert("transcription_id".to_owned(), json!(JOB));
        input.insert("output_format".to_owned(), json!("vtt"));
        input.insert("live_captions_on".to_owned(), json!(true));
        input.insert("transcript_may_go_on".to_owned(), json!(true));
    }
    service
        .ask("transcribing", "calls-transcriber:v0.7.2", &input)
        .await;
    let state = json!({
        "callID": CHANNEL, "channelID": CHANNEL,
        "jobState": { "type": "recording", "init_at": 1, "start_at": 2, "end_at": 0, "err": "" },
    });
    let told = site.clone();
    let telling = tokio::spawn(async move {
        // A transcript's time begins with that of its recording, which a server says.
        for _ in 0..60 {
            told.tell("call_job_state", &state);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    let count = usize::try_from(args.minutes * 60 / PAUSE.as_secs())?;
    let victims = [
        Victim::Worker,
        Victim::Transcriber,
        Victim::Service,
        Victim::Speech,
    ];
    let turns = victims.into_iter().cycle().take(count);
    let turns = turns.map(|victim| (PAUSE, victim));
    let (lasted, killed) = record_under_fire(&site, &mut service, turns).await;
    telling.abort();
    anyhow::ensure!(
        killed == count,
        "{killed} of {count} were there to be killed"
    );
    let handed_in = || site.transcriptions.lock().is_ok_and(|all| !all.is_empty());
    let begun = Instant::now();
    while !handed_in() {
        anyhow::ensure!(begun.elapsed() < PATIENCE, "there is no transcript");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let path = service.folder.path().join("film.mp4");
    std::fs::write(&path, site.file(".mp4"))?;
    let film = probe(&path);
    let text = String::from_utf8(site.file(".txt"))?;
    let mut all = figures(&film, lasted, count.div_ceil(victims.len()));
    all.push(unheard(&text)?);
    Ok(all)
}

/// The longest time of which a transcript says that nothing was heard.
fn unheard(text: &str) -> anyhow::Result<Figure> {
    anyhow::ensure!(!text.contains("from here on"), "it was cut off: {text}");
    let lines: Vec<_> = text.lines().collect();
    let said = lines.windows(2).filter_map(|pair| {
        let [when, what] = pair else { return None };
        let (start, end) = when.split_once(" -> ")?;
        let is_gap = what.starts_with("[Nothing was heard");
        is_gap.then(|| Some(seconds(end)? - seconds(start)?))?
    });
    let gaps: Vec<f64> = said.collect();
    let longest = gaps.iter().copied().fold(0.0, f64::max);
    let figure = figure("longest gap of the transcript", longest, 4.0, 2.0);
    Ok(figure.made_of(Seen::Each(gaps)))
}

/// Of `00:01:05`.
fn seconds(time: &str) -> Option<f64> {
    let mut parts = time.split(':').map(|part| part.parse::<u32>().ok());
    let seconds = parts.try_fold(0, |sum, part| Some(sum * 60 + part?))?;
    Some(f64::from(seconds))
}

fn figure(what: &'static str, value: f64, must: f64, aim: f64) -> Figure {
    Figure {
        row: ROW.to_owned(),
        what,
        unit: "s",
        value,
        must,
        aim,
        good: Good::AtMost,
        seen: Seen::Nothing,
    }
}

/// What the film says of its call, which lasted so many seconds.
fn figures(film: &Probe, lasted: f64, of_workers: usize) -> Vec<Figure> {
    let holes = holes(film, HERTZ);
    let longest = holes.iter().copied().fold(0.0, f64::max);
    let all = holes.iter().sum();
    let (sum_must, sum_aim) = (4.0 * of_workers as f64, 2.0 * of_workers as f64);
    vec![
        figure("longest hole in the film", longest, 4.0, 2.0).made_of(Seen::Each(holes)),
        figure("all holes, one per worker", all, sum_must, sum_aim),
        figure(
            "film shorter than its call",
            lasted - film.seconds,
            4.0,
            2.0,
        ),
    ]
}
