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

use crate::clock::Clock;
use crate::figures::{Figure, Good, Seen, percentile};
use crate::spoken::{SPEAKERS, pcm};

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
    /// With the time since the speaker began.
    updates: Vec<(Duration, CaptionUpdate)>,
}

/// A voice, and when each of its words ends.
pub(crate) type Known = (Vec<f32>, Vec<Word>);

/// What the four speakers say.
pub(crate) async fn voices(client: &SpeechClient) -> anyhow::Result<Vec<Known>> {
    let mut voices = Vec::new();
    for name in SPEAKERS {
        let audio = pcm(name)?;
        let known = client
            .transcribe(audio.clone(), Some("en".to_owned()))
            .await?;
        let said = known.segments.into_iter();
        voices.push((audio, said.flat_map(|said| said.words).collect()));
    }
    Ok(voices)
}

/// Plays `clients.len()` calls of these voices and measures them.
pub(crate) async fn measure(
    clients: &[SpeechClient],
    voices: &[Known],
    clock: &Clock,
) -> anyhow::Result<Vec<Figure>> {
    let first = clock.now();
    let mut running = Vec::new();
    for (index, client) in clients.iter().enumerate() {
        let begin = first + NEXT_CALL * u32::try_from(index)?;
        for (audio, words) in voices {
            let (stream, updates) = client.captions(CaptionOptions::default());
            tokio::spawn(speak(stream, audio.clone(), clock.clone(), begin));
            let gathered = tokio::spawn(gather(updates, clock.clone(), begin));
            running.push((words.clone(), gathered));
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
    let (taken_back, all) = heard
        .iter()
        .map(flicker)
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let share = 100.0 * taken_back as f64 / all as f64;
    let figure = |what, unit, value, must, aim| Figure {
        row: format!("captions-{calls}"),
        what,
        unit,
        value,
        must,
        aim,
        good: Good::AtMost,
        seen: Seen::Nothing,
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
            percentile(shown.clone(), 95),
            2.0,
            1.5,
        )
        .made_of(Seen::Each(shown)),
        figure(
            "word to settled, p95",
            "s",
            percentile(settled.clone(), 95),
            4.0,
            3.0,
        )
        .made_of(Seen::Each(settled)),
        figure("words taken back", "%", share, 5.0, 2.0),
    ]
}

/// From the end of each word until it was in the part of the text that `part` gives, in seconds.
fn delays(heard: &[Heard], part: impl Fn(&CaptionUpdate) -> &str) -> Vec<f64> {
    let mut delays = Vec::new();
    for Heard { words, updates } in heard {
        for word in words.iter().filter(|word| is_telling(word, words)) {
            let from = word.end_ms.saturating_sub(EARLY_MS);
            let found = updates.iter().find(|(_, update)| {
                let in_time = (from..word.end_ms + LATE_MS).contains(&update.heard_until_ms);
                in_time
                    && part(update)
                        .split_whitespace()
                        .any(|shown| same(shown, &word.text))
            });
            delays.extend(found.map(|(at, _)| {
                let ended = word.end_ms as f64 / 1000.0;
                (at.as_secs_f64() - ended).max(0.0)
            }));
        }
    }
    delays
}

/// Words that a later text of the same line lacks, and all that were shown. Counted from what was shown,
/// not by whoever shows it.
fn flicker(heard: &Heard) -> (usize, usize) {
    let (mut taken_back, mut all) = (0, 0);
    let mut line = u64::MAX;
    let mut before: Vec<String> = Vec::new();
    let mut settled = 0;
    let words = |update: &&(Duration, CaptionUpdate)| !update.1.is_notice;
    for (_, update) in heard.updates.iter().filter(words) {
        if update.line != line {
            (line, settled) = (update.line, 0);
            before.clear();
        }
        let now: Vec<_> = update.text.split_whitespace().map(bare).collect();
        // The front of a long line leaves the screen, in order; only what is settled does.
        let kept = |gone: usize| common(before.get(gone..).unwrap_or_default(), &now);
        let missing = (0..=settled).map(|gone| before.len().saturating_sub(gone + kept(gone)));
        taken_back += missing.min().unwrap_or(0);
        all += now.len() - kept(0);
        let stable = update.text.get(..update.stable_bytes).unwrap_or_default();
        settled = stable.split_whitespace().count();
        before = now;
    }
    (taken_back, all)
}

/// Length of the longest common subsequence.
fn common(one: &[String], other: &[String]) -> usize {
    let mut row = vec![0; other.len() + 1];
    for word in one {
        let (mut diagonal, mut left) = (0, 0);
        for (cell, next) in row.iter_mut().skip(1).zip(other) {
            let above = *cell;
            *cell = if word == next {
                diagonal + 1
            } else {
                above.max(left)
            };
            (diagonal, left) = (above, *cell);
        }
    }
    row.last().copied().unwrap_or(0)
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

async fn speak(stream: CaptionStream, pcm: Vec<f32>, clock: Clock, begin: Duration) {
    for (number, packet) in (0..).zip(pcm.chunks(PACKET)) {
        clock
            .until(begin + Duration::from_millis(20) * number)
            .await;
        stream.push(packet);
    }
}

async fn gather(
    mut updates: CaptionUpdates,
    clock: Clock,
    begin: Duration,
) -> Vec<(Duration, CaptionUpdate)> {
    let mut all = Vec::new();
    while let Some(update) = updates.next().await {
        all.push((clock.now().saturating_sub(begin), update));
    }
    all
}

#[cfg(test)]
mod tests {
    use offloader::speech::Flicker;

    use super::*;

    /// A text whose settled part ends at the bar.
    fn shown(line: u64, text: &str) -> (Duration, CaptionUpdate) {
        let update = CaptionUpdate {
            stable_bytes: text.find('|').unwrap(),
            text: text.replacen('|', "", 1),
            line,
            language: "en".to_owned(),
            is_notice: false,
            new_audio_len_ms: 0,
            is_final: false,
            delay: Duration::ZERO,
            heard_until_ms: 0,
            flicker: Flicker::default(),
        };
        (Duration::ZERO, update)
    }

    #[test]
    fn a_word_is_taken_back_when_a_later_text_of_its_line_lacks_it() {
        let heard = Heard {
            words: Vec::new(),
            updates: vec![
                shown(0, "|we will be"),
                shown(0, "We| wheel be there"),
                shown(0, "we wheel| be there now"),
                // The front has left the screen.
                shown(0, "wheel be there| now too"),
                shown(1, "|something else"),
            ],
        };
        assert_eq!(flicker(&heard), (1, 3 + 2 + 1 + 1 + 2));
    }
}
