//! Live captions of speech pushed at the speed at which it is spoken: delay, calm, words, load.

#![cfg(test)]

#[path = "speech/fixtures.rs"]
mod fixtures;
#[path = "speech/installed.rs"]
mod installed;
#[path = "speech/wer.rs"]
mod wer;

use std::ops::Range;
use std::time::Duration;

use fixtures::Line;
use offloader::speech::{
    CaptionOptions, CaptionStream, CaptionUpdate, CaptionUpdates, Flicker, SAMPLE_RATE,
    SpeechClient,
};

/// Samples of 20 ms, as they come out of an Opus packet.
const PACKET: usize = SAMPLE_RATE / 50;

/// Three speakers in turn, and one who speaks for 22 s without a pause, at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn captions_follow_the_speakers_and_hardly_ever_change_their_mind() {
    let client = fixtures::client();
    let (talk, monologue) = (
        fixtures::lines("talk"),
        fixtures::lines("prompts").pop().unwrap(),
    );
    let mut streams = Vec::new();
    for voice in ["rms", "slt", "kal16"] {
        streams.push((voice, fixtures::pcm(&format!("talk-{voice}"))));
    }
    let from = usize::try_from(monologue.span.start).unwrap() * SAMPLE_RATE / 1000;
    streams.push(("allison", fixtures::pcm("prompts")[from..].to_vec()));
    let heard = live(&client, streams).await;

    let (mut delays, mut first_words, mut flicker) = (Vec::new(), Vec::new(), Flicker::default());
    for (voice, updates) in &heard {
        println!("{voice}:");
        for update in updates {
            println!(
                "  {:>6} ms {:>4} ms {}",
                update.heard_until_ms,
                update.delay.as_millis(),
                marked(update)
            );
        }
        let last = updates.last().unwrap();
        assert!(last.is_final);
        let sum: u64 = updates.iter().map(|update| update.new_audio_len_ms).sum();
        assert_eq!(sum, last.heard_until_ms, "no audio is counted twice");
        for line in talk.iter().filter(|line| line.speaker.as_str() == *voice) {
            first_words.extend(shown_after(updates, &line.span));
        }
        delays.extend(updates.iter().map(|update| update.delay));
        flicker.shown += last.flicker.shown;
        flicker.retracted += last.flicker.retracted;
        if *voice == "allison" {
            assert_monologue(&monologue, updates);
        } else {
            assert_turns(&talk, voice, updates);
        }
    }
    delays.sort();
    first_words.sort_unstable();
    assert_eq!(
        first_words.len(),
        talk.len(),
        "every line was shown while it was spoken or just after"
    );
    println!("captions: first words in sight {first_words:?} ms after a line begins");
    println!(
        "captions: {} updates, end of audio pushed to text p50 {} ms, p95 {} ms; {} of {} words retracted",
        delays.len(),
        delays[delays.len() / 2].as_millis(),
        delays[delays.len() * 95 / 100].as_millis(),
        flicker.retracted,
        flicker.shown,
    );
    assert!(
        flicker.retracted * 20 <= flicker.shown,
        "more than 5 % of the words were taken back: {flicker:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_speakers_shed_caption_windows_and_nothing_else() {
    let client = fixtures::client_with(|config| {
        config.caption_queue = 1;
        config.caption_lanes = 0;
    });
    let speech = fixtures::pcm("talk-rms");
    let speech = &speech[SAMPLE_RATE / 2..SAMPLE_RATE * 3];
    let streams: Vec<(CaptionStream, CaptionUpdates)> = (0..6)
        .map(|_| client.captions(CaptionOptions::default()))
        .collect();
    let transcript = tokio::spawn({
        let (client, speech) = (client.clone(), speech.to_vec());
        async move { client.transcribe(speech, None).await }
    });
    for (stream, _) in &streams {
        stream.push(speech);
    }
    let heard = transcript.await.unwrap().unwrap();
    assert!(!heard.segments.is_empty(), "a transcript is never shed");
    for (stream, mut updates) in streams {
        drop(stream);
        while updates.next().await.is_some() {}
    }
    let stats = client.stats();
    println!(
        "{} windows answered, {} shed",
        stats.windows, stats.captions_shed
    );
    assert!(stats.captions_shed >= 1, "{stats:?}");
    assert_eq!(stats.starts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_never_sent_to_the_models() {
    let client = fixtures::client();
    let (stream, mut updates) = client.captions(CaptionOptions::default());
    for _ in 0..200 {
        stream.push(&[0.0002; PACKET]);
    }
    drop(stream);
    assert!(updates.next().await.is_none());
    assert_eq!(
        (client.stats().windows, client.stats().captions_shed),
        (0, 0)
    );
}

/// Final lines are what was said, and what was stable stayed.
fn assert_turns(talk: &[Line], voice: &str, updates: &[CaptionUpdate]) {
    let said: Vec<_> = talk
        .iter()
        .filter(|line| line.speaker == voice)
        .map(|line| line.text.as_str())
        .collect();
    let finals: Vec<_> = updates
        .iter()
        .filter(|update| update.is_final)
        .map(|update| update.text.as_str())
        .collect();
    let rate = wer::rate(&said.join(" "), &finals.join(" "));
    println!(
        "{voice}: word error rate {:.1} %, {} updates",
        rate * 100.0,
        updates.len()
    );
    assert!(
        rate < 0.25,
        "{voice}: word error rate {:.1} %: {finals:?}",
        rate * 100.0
    );
    assert_stable(updates);
}

/// A speech without a pause is cut; its front scrolls away and its end stays in sight.
fn assert_monologue(line: &Line, updates: &[CaptionUpdate]) {
    let longest = updates
        .iter()
        .map(|update| update.text.len())
        .max()
        .unwrap();
    assert!(longest < 300, "a line of {longest} bytes");
    let last = wer::words(&updates.last().unwrap().text);
    let said = wer::words(&line.text);
    assert!(last.len() < said.len(), "the front has scrolled away");
    let end = said[said.len() - last.len()..].join(" ");
    assert!(
        wer::rate(&end, &last.join(" ")) < 0.25,
        "`{end}` was heard as `{last:?}`"
    );
}

/// Pushes voices side by side and gathers what was shown of each.
async fn live(
    client: &SpeechClient,
    voices: Vec<(&'static str, Vec<f32>)>,
) -> Vec<(&'static str, Vec<CaptionUpdate>)> {
    let mut running = Vec::new();
    for (voice, pcm) in voices {
        let (stream, updates) = client.captions(CaptionOptions::default());
        tokio::spawn(speak(stream, pcm));
        running.push((voice, tokio::spawn(gather(updates))));
    }
    let mut heard = Vec::new();
    for (voice, gathering) in running {
        heard.push((voice, gathering.await.unwrap()));
    }
    heard
}

/// Pushes packets at the speed of speech.
async fn speak(stream: CaptionStream, pcm: Vec<f32>) {
    let mut clock = tokio::time::interval(Duration::from_millis(20));
    for packet in pcm.chunks(PACKET) {
        clock.tick().await;
        stream.push(packet);
    }
    let dropped = stream.windows_dropped();
    assert_eq!(
        dropped, 0,
        "this machine was too busy for live captions of two speakers"
    );
}

async fn gather(mut updates: CaptionUpdates) -> Vec<CaptionUpdate> {
    let mut all = Vec::new();
    while let Some(update) = updates.next().await {
        all.push(update);
    }
    all
}

/// From the beginning of a known line until its first words were in sight.
fn shown_after(updates: &[CaptionUpdate], line: &Range<u64>) -> Option<u64> {
    let shown_at = |update: &CaptionUpdate| {
        update.heard_until_ms + u64::try_from(update.delay.as_millis()).unwrap()
    };
    let begun = line.start + 300..line.end + 3_000;
    let first = updates
        .iter()
        .find(|update| begun.contains(&update.heard_until_ms))?;
    Some(shown_at(first) - line.start)
}

/// What was marked as stable is still there in the next update of the line.
fn assert_stable(updates: &[CaptionUpdate]) {
    let mut stable = String::new();
    for update in updates {
        let now = &update.text[..update.stable_bytes];
        // After a cut the front of the line scrolls away; what stays in sight is unchanged.
        let mut ends = (0..=stable.len()).filter(|at| stable.is_char_boundary(*at));
        let kept = ends
            .find(|at| now.starts_with(&stable[*at..]))
            .expect("the empty end");
        assert!(
            kept == 0 || kept < stable.len(),
            "`{stable}` became `{now}`"
        );
        stable = if update.is_final {
            String::new()
        } else {
            now.to_owned()
        };
    }
}

/// Stable words, a bar, words that may change.
fn marked(update: &CaptionUpdate) -> String {
    let (stable, tail) = update.text.split_at(update.stable_bytes);
    format!("{stable}|{tail}{}", if update.is_final { " ." } else { "" })
}
