//! Sound in which nobody speaks, five minutes each of silence, noise and music: words that a transcript
//! or a caption invents.

use std::f32::consts::TAU;

use offloader::speech::{CaptionOptions, SAMPLE_RATE, SpeechClient};
use rand::{Rng as _, SeedableRng as _};

use crate::figures::{Figure, Good, Seen};
use crate::spoken::pcm;

const SECONDS: usize = 300;

pub(crate) async fn measure(client: &SpeechClient) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (what, audio) in [
        ("words in 5 min of silence", silence()),
        ("words in 5 min of noise", noise()),
        ("words in 5 min of music", music()?),
    ] {
        let shown = captioned(client, &audio).await;
        let heard = client.transcribe(audio, None).await?;
        let written = heard.segments.iter();
        let written: usize = written
            .map(|said| said.text.split_whitespace().count())
            .sum();
        figures.push(Figure {
            row: "nothing-said".to_owned(),
            what,
            unit: "",
            value: (written + shown) as f64,
            must: 0.0,
            aim: 0.0,
            good: Good::AtMost,
            seen: Seen::Nothing,
        });
    }
    Ok(figures)
}

/// Words shown, given as fast as they are heard: in pieces of a second, each after the one before was
/// looked at.
async fn captioned(client: &SpeechClient, audio: &[f32]) -> usize {
    let mut words = 0;
    // Lines of eight seconds, as captions hear them.
    for piece in audio.chunks(8 * SAMPLE_RATE) {
        let (stream, mut updates) = client.captions(CaptionOptions::default());
        stream.push(piece);
        drop(stream);
        while let Some(update) = updates.next().await {
            if update.is_final && !update.is_notice {
                words += update.text.split_whitespace().count();
            }
        }
    }
    words
}

/// What a microphone gives in a quiet room: hum and a little hiss.
fn silence() -> Vec<f32> {
    let mut chance = rand::rngs::StdRng::seed_from_u64(1);
    let sample = |at: usize| {
        let hum = 0.0008 * (TAU * 50.0 * (at % SAMPLE_RATE) as f32 / SAMPLE_RATE as f32).sin();
        hum + chance.random_range(-0.0005..0.0005)
    };
    (0..SECONDS * SAMPLE_RATE).map(sample).collect()
}

/// A fan close by, as loud as speech, that swells and fades.
fn noise() -> Vec<f32> {
    let mut chance = rand::rngs::StdRng::seed_from_u64(2);
    let mut smooth = 0.0;
    let sample = |at: usize| {
        let swell = 0.6 + 0.4 * (TAU * (at % (4 * SAMPLE_RATE)) as f32 / 64_000.0).sin();
        smooth = 0.9 * smooth + 0.1 * chance.random_range(-1.0f32..1.0);
        swell * smooth
    };
    (0..SECONDS * SAMPLE_RATE).map(sample).collect()
}

fn music() -> anyhow::Result<Vec<f32>> {
    let song = pcm("music")?;
    Ok(song
        .into_iter()
        .cycle()
        .take(SECONDS * SAMPLE_RATE)
        .collect())
}
