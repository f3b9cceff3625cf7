//! Captioned calls side by side: how long after a word it is shown, settled, and how often taken back.
//!
//! A call is four speakers of the test fixtures at once, each with a stream of its own, pushed at the
//! speed of speech; every further call begins ten seconds later. When a word ends is known from a
//! transcript of the same audio. A word is timed when it is long enough, and rare enough nearby, to be
//! recognised among those shown.

use std::time::Duration;

use offloader::speech::{
    CaptionOptions, CaptionStream, CaptionUpdate, CaptionUpdates, SAMPLE_RATE, SpeechClient, Word,
};

use crate::figures::{Figure, Good, percentile};
use crate::sound::{SPEAKERS, pcm};

/// Samples of 20 ms, as they come out of an Opus packet.
const PACKET: usize = SAMPLE_RATE / 50;
const NEXT_CALL: Duration = Duration::from_secs(10);
/// Shorter words are too common to be told apart.
const LETTERS: usize = 5;
/// A word that is said again within this time is not timed.
const NEARBY_MS: u64 = 12_000;
/// A word may be heard a little before it ends.
const EARLY_MS: u64 = 300;
/// A word that is not shown by then was misheard, which is not what is measured here.
const LATE_MS: u64 = 12_000;

/// One speaker's words, with the times at which each ended, and what was shown.
struct Heard {
    words: Vec<Word>,
    updates: Vec<CaptionUpdate>,
}

/// Plays `clients.len()` calls and measures them.
pub(crate) async fn measure(clients: &[SpeechClient]) -> anyhow::Result<Vec<Figure>> {
    let mut voices = Vec::new();
    for name in SPEAKERS {
        let audio = pcm(name)?;
        let client = clients.first().ok_or_else(|| anyhow::anyhow!("no call"))?;
        let known = client
            .transcribe(audio.clone(), Some("en".to_owned()))
            .await?;
        let words: Vec<_> = known
            .segments
            .into_iter()
            .flat_map(|said| said.words)
            .collect();
        voices.push((audio, words));
    }
    let mut running = Vec::new();
    for (index, client) in clients.iter().enumerate() {
        let begin = NEXT_CALL * u32::try_from(index)?;
        for (audio, words) in &voices {
            let (stream, updates) = client.captions(CaptionOptions::default());
            tokio::spawn(speak(stream, audio.clone(), begin));
            running.push((words.clone(), tokio::spawn(gather(updates))));
        }
    }
    let mut heard = Vec::new();
    for (words, updates) in running {
        let updates = updates.await?;
        heard.push(Heard { words, updates });
    }
    Ok(figures(clients.len(), &heard))
}

fn figures(calls: usize, heard: &[Heard]) -> Vec<Figure> {
    let shown = delays(heard, |update| update.text.as_str());
    let settled = delays(heard, |update| {
        update.text.get(..update.stable_bytes).unwrap_or_default()
    });
    let flickers = || heard.iter().filter_map(|heard| heard.updates.last());
    let taken_back: u64 = flickers().map(|last| last.flicker.retracted).sum();
    let all: u64 = flickers().map(|last| last.flicker.shown).sum();
    let share = 100.0 * taken_back as f64 / all as f64;
    let figure = |what, unit, value, must, aim| Figure {
        row: format!("captions-{calls}"),
        what,
        unit,
        value,
        must,
        aim,
        good: Good::AtMost,
    };
    vec![
        figure(
            "word to provisional, p50",
            "s",
            percentile(shown.clone(), 50),
            1.0,
            0.7,
        ),
        figure(
            "word to provisional, p95",
            "s",
            percentile(shown, 95),
            2.0,
            1.5,
        ),
        figure(
            "word to settled, p95",
            "s",
            percentile(settled, 95),
            4.0,
            3.0,
        ),
        figure("words taken back", "%", share, 5.0, 2.0),
    ]
}

/// From the end of each word until it was in the part of the text that `part` gives, in seconds.
fn delays(heard: &[Heard], part: impl Fn(&CaptionUpdate) -> &str) -> Vec<f64> {
    let mut delays = Vec::new();
    for Heard { words, updates } in heard {
        for word in words.iter().filter(|word| is_telling(word, words)) {
            let from = word.end_ms.saturating_sub(EARLY_MS);
            let found = updates.iter().find(|update| {
                let in_time = (from..word.end_ms + LATE_MS).contains(&update.heard_until_ms);
                in_time
                    && part(update)
                        .split_whitespace()
                        .any(|shown| same(shown, &word.text))
            });
            delays.extend(found.map(|update| {
                let at = update.heard_until_ms as f64 / 1000.0 + update.delay.as_secs_f64();
                (at - word.end_ms as f64 / 1000.0).max(0.0)
            }));
        }
    }
    delays
}

fn is_telling(word: &Word, words: &[Word]) -> bool {
    let times = words.iter().filter(|other| {
        same(&other.text, &word.text) && other.end_ms.abs_diff(word.end_ms) < NEARBY_MS
    });
    bare(&word.text).chars().count() >= LETTERS && times.count() == 1
}

fn same(one: &str, other: &str) -> bool {
    bare(one) == bare(other)
}

fn bare(word: &str) -> String {
    let letters = word.chars().filter(|letter| letter.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

async fn speak(stream: CaptionStream, pcm: Vec<f32>, begin: Duration) {
    tokio::time::sleep(begin).await;
    let mut clock = tokio::time::interval(Duration::from_millis(20));
    for packet in pcm.chunks(PACKET) {
        clock.tick().await;
        stream.push(packet);
    }
}

async fn gather(mut updates: CaptionUpdates) -> Vec<CaptionUpdate> {
    let mut all = Vec::new();
    while let Some(update) = updates.next().await {
        all.push(update);
    }
    all
}
