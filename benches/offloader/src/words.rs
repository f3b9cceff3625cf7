//! Words that are wrong in a transcript, beside those that the same model gets wrong on the clean file.
//!
//! Three texts, because each flatters something else: six minutes of studio speech with short pauses, other
//! voices in turn, a meeting with pauses of seconds. Clean: one run of whisper.cpp over the file, as its own
//! program does it. Ours: the same sound as Opus packets of 32 kbit/s, captured, decoded, cut and
//! recognised as a call's; once with every packet, once without every twentieth, by chance.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use offloader::capture::Capture;
use offloader::client::{CallEvent, Coding, MediaPacket};
use offloader::finish::plan::Plan;
use offloader::finish::{Sections, voices};
use offloader::models;
use offloader::speech::{SpeechClient, Voice};
use proto::id::SessionId;
use proto::rtcd::TrackType;
use rand::{Rng as _, SeedableRng as _};
use whisper_rs::{FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters};

use crate::figures::{Figure, Good, Seen};
use crate::spoken::{pcm, text};
use crate::{packets, wer};

/// Fixtures, and what their figures are called: with every packet, and without every twentieth.
const TEXTS: [(&str, [&str; 2]); 3] = [
    (
        "reading",
        ["studio, further word errors", "studio, 5 % of packets lost"],
    ),
    (
        "voices",
        ["other voices, further errors", "other voices, 5 % lost"],
    ),
    (
        "meeting",
        ["long pauses, further errors", "long pauses, 5 % lost"],
    ),
];
/// Clock of Opus: samples of 20 ms.
const STEP: u64 = 960;
/// The same packets are lost every time.
const SEED: u64 = 5;

pub(crate) async fn measure(
    row: &str,
    client: &SpeechClient,
    models_dir: &Path,
) -> anyhow::Result<Vec<Figure>> {
    let model = models::installed(models_dir, client.transcript_model())
        .context("the model is not installed")?;
    let mut figures = Vec::new();
    for (speech, names) in TEXTS {
        figures.extend(one_text(row, client, &model, (speech, names)).await?);
    }
    Ok(figures)
}

async fn one_text(
    row: &str,
    client: &SpeechClient,
    model: &Path,
    (speech, names): (&str, [&'static str; 2]),
) -> anyhow::Result<Vec<Figure>> {
    let (audio, said) = (pcm(speech)?, text(speech)?);
    let clean = {
        let (model, audio) = (model.to_owned(), audio.clone());
        tokio::task::spawn_blocking(move || plainly(&model, &audio)).await??
    };
    let packets = packets::encode(&audio)?;
    let base = 100.0 * wer::rate(&said, &clean);
    let mut figures = Vec::new();
    for (what, (loss, must, aim)) in names.into_iter().zip([(0.0, 0.3, 0.0), (0.05, 1.5, 1.0)]) {
        let heard = through_a_call(client, &packets, loss).await?;
        let rate = 100.0 * wer::rate(&said, &heard);
        figures.push(Figure {
            row: row.to_owned(),
            what,
            unit: "points",
            value: rate - base,
            must,
            aim,
            good: Good::AtMost,
            seen: Seen::Nothing,
        });
    }
    Ok(figures)
}

/// What whisper.cpp makes of a file by itself, as its command line does: five beams, pieces of 30 s.
fn plainly(model: &Path, audio: &[f32]) -> anyhow::Result<String> {
    whisper_rs::install_logging_hooks();
    let mut parameters = WhisperContextParameters::default();
    parameters.use_gpu(false);
    let context = WhisperContext::new_with_params(model, parameters)?;
    let mut state = context.create_state()?;
    let mut params = FullParams::new(SamplingStrategy::BeamSearch {
        beam_size: 5,
        patience: -1.0,
    });
    params.set_n_threads(1);
    params.set_language(Some("en"));
    params.set_print_progress(false);
    state.full(params, audio)?;
    let mut text = String::new();
    for segment in state.as_iter() {
        text.push_str(&segment.to_str_lossy()?);
    }
    Ok(text)
}

/// What a transcript says of one voice whose packets were captured in a call.
async fn through_a_call(
    client: &SpeechClient,
    packets: &[Vec<u8>],
    loss: f64,
) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    capture(folder.path(), packets, loss)?;
    let plan = Plan::read(folder.path()).context("nothing was captured")?;
    let mut voice = Voice::default();
    let mut texts = Vec::new();
    for track in voices(&plan) {
        for section in Sections::open(track)? {
            let heard = client.transcribe_more(&section.pcm, &mut voice).await?;
            texts.extend(heard.segments.into_iter().map(|said| said.text));
        }
    }
    Ok(texts.join(" "))
}

fn capture(folder: &Path, packets: &[Vec<u8>], loss: f64) -> anyhow::Result<()> {
    let zero = Instant::now();
    let mut capture = Capture::begin(folder)?;
    capture.set_zero(zero);
    let owner = SessionId::parse("speaker")?;
    let kind = TrackType::Voice;
    let track = 0;
    capture.take(&CallEvent::TrackAdded { track, kind, owner }, zero);
    let mut chance = rand::rngs::StdRng::seed_from_u64(SEED);
    let mut at = zero;
    for (number, payload) in (0..).zip(packets) {
        at = zero + Duration::from_millis(20 * number);
        if chance.random_bool(loss) {
            continue;
        }
        let packet = MediaPacket {
            arrived: at,
            seq_no: number,
            time: number * STEP,
            marker: false,
            coding: Coding::Usual,
            payload: payload.as_slice().into(),
        };
        capture.take(&CallEvent::Packet { track, packet }, at);
    }
    capture.end("everything is said", at + Duration::from_millis(20))?;
    Ok(())
}
