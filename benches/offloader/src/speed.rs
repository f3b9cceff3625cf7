//! How much audio one core turns into text: a transcript of studio speech, by the processor time of the
//! speech process.

use offloader::speech::{SAMPLE_RATE, SpeechClient};

use crate::figures::{Figure, Good, Seen};
use crate::process;
use crate::spoken::pcm;

/// `reference` is what calls-transcriber does with one thread.
pub(crate) async fn measure(
    row: &str,
    client: &SpeechClient,
    reference: f64,
) -> anyhow::Result<Figure> {
    let audio = pcm("prompts")?;
    // The model is loaded, and a worker has its memory, before the time counts.
    let few = audio.iter().take(SAMPLE_RATE * 6).copied().collect();
    client.transcribe(few, None).await?;
    let before = process::seconds(client.stats().child_pid)?;
    let seconds = audio.len() as f64 / SAMPLE_RATE as f64;
    client.transcribe(audio, None).await?;
    let spent = process::seconds(client.stats().child_pid)? - before;
    Ok(Figure {
        row: row.to_owned(),
        what: "audio seconds per core second",
        unit: "x",
        value: seconds / spent,
        must: reference * 1.5,
        aim: reference * 3.0,
        good: Good::AtLeast,
        seen: Seen::Nothing,
    })
}
