//! How much audio one core turns into text: a transcript of studio speech, by the processor time of the
//! speech process.

use anyhow::Context;
use offloader::speech::{SAMPLE_RATE, SpeechClient};

use crate::figures::{Figure, Good};
use crate::sound::pcm;

/// Ticks of `/proc/PID/stat` in a second, the same on every Linux.
const TICKS: f64 = 100.0;

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
    let before = processor_seconds(client.stats().child_pid)?;
    let seconds = audio.len() as f64 / SAMPLE_RATE as f64;
    client.transcribe(audio, None).await?;
    let spent = processor_seconds(client.stats().child_pid)? - before;
    Ok(Figure {
        row: row.to_owned(),
        what: "audio seconds per core second",
        unit: "x",
        value: seconds / spent,
        must: reference * 1.5,
        aim: reference * 3.0,
        good: Good::AtLeast,
    })
}

/// User and system time of a process, all threads.
fn processor_seconds(pid: u64) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in brackets, may hold spaces.
    let (_, fields) = text.rsplit_once(')').context("read the process's times")?;
    let mut times = fields.split_whitespace().skip(11);
    let mut next = || -> anyhow::Result<f64> { Ok(times.next().context("a time")?.parse()?) };
    Ok((next()? + next()?) / TICKS)
}
