//! Transcripts of recorded speech with known text: words, times, speakers, and a crash in between.

#![cfg(test)]

#[path = "speech/fixtures.rs"]
mod fixtures;
#[path = "speech/installed.rs"]
mod installed;
#[path = "speech/languages.rs"]
mod languages;
#[path = "speech/wer.rs"]
mod wer;

use std::process::Command;
use std::time::{Duration, Instant};

use fixtures::Line;
use offloader::models;
use offloader::speech::{
    Compaction, SAMPLE_RATE, SpeechClient, SpeechConfig, SpeechError, SpeechHost, Transcript,
};

fn text_of(lines: &[Line]) -> String {
    lines
        .iter()
        .map(|line| line.text.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_prompts_are_recognised_with_less_than_six_percent_errors() {
    let (pcm, lines) = (fixtures::pcm("prompts"), fixtures::lines("prompts"));
    let client = fixtures::client();
    let begun = Instant::now();
    let found = client.transcribe(pcm, None).await.unwrap();
    let took = begun.elapsed();

    let heard: Vec<_> = found
        .segments
        .iter()
        .map(|segment| segment.text.as_str())
        .collect();
    let rate = wer::rate(&text_of(&lines), &heard.join(" "));
    let seconds = lines.last().unwrap().span.end / 1000;
    println!(
        "prompts: word error rate {:.1} % of {seconds} s, took {:.1} s",
        rate * 100.0,
        took.as_secs_f64()
    );
    for segment in &found.segments {
        println!(
            "  {:>6}-{:>6} {}",
            segment.start_ms, segment.end_ms, segment.text
        );
    }
    assert!(rate < 0.06, "word error rate {:.1} %", rate * 100.0);
    assert_eq!(found.language.as_deref(), Some("en"));
    assert!(
        found
            .segments
            .windows(2)
            .all(|pair| pair[0].end_ms <= pair[1].start_ms + 50),
        "in order"
    );
    let first = found.segments.first().unwrap().start_ms;
    assert!(
        first.abs_diff(lines[0].span.start) < 400,
        "speech begins at {} ms, not {first}",
        lines[0].span.start
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_attributed_to_its_speakers_in_order_of_time() {
    let lines = fixtures::lines("talk");
    let client = fixtures::client();
    let mut tracks = Vec::new();
    for voice in ["rms", "slt", "kal16"] {
        let heard = client
            .transcribe(fixtures::pcm(&format!("talk-{voice}")), Some("en".into()))
            .await;
        tracks.push(heard.unwrap().of_speaker(voice.to_owned(), 0));
    }
    let transcript = Transcript::merge(tracks);
    println!("{}", transcript.to_vtt(false));

    let heard: Vec<_> = transcript
        .utterances()
        .iter()
        .map(|said| said.text.as_str())
        .collect();
    let rate = wer::rate(&text_of(&lines), &heard.join(" "));
    println!("conversation: word error rate {:.1} %", rate * 100.0);
    assert!(rate < 0.08, "word error rate {:.1} %", rate * 100.0);
    for said in transcript.utterances() {
        let inside = lines.iter().find(|line| {
            line.span.start <= said.start_ms + 300 && said.end_ms <= line.span.end + 300
        });
        assert_eq!(
            inside.map(|line| &line.speaker),
            Some(&said.speaker),
            "{said:?}"
        );
    }
    let txt = transcript.to_txt(Compaction::default());
    assert_eq!(
        txt.split("\n\n").count(),
        lines.len(),
        "one block per turn:\n{txt}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_the_process_costs_no_words() {
    let lines = fixtures::lines("talk");
    let client = fixtures::client();
    let pcm = fixtures::pcm("talk-rms");
    let work = tokio::spawn({
        let client = client.clone();
        async move { client.transcribe(pcm, None).await }
    });
    // After the search for speech the first window is under way.
    wait_until(|| client.stats().windows >= 1).await;
    let killed = client.stats().child_pid;
    assert!(
        Command::new("kill")
            .args(["-9", &killed.to_string()])
            .status()
            .unwrap()
            .success()
    );

    let heard: Vec<_> = work
        .await
        .unwrap()
        .unwrap()
        .segments
        .into_iter()
        .map(|said| said.text)
        .collect();
    let said: Vec<_> = lines
        .into_iter()
        .filter(|line| line.speaker == "rms")
        .collect();
    assert!(
        wer::rate(&text_of(&said), &heard.join(" ")) < 0.08,
        "{heard:?}"
    );
    assert_eq!(client.stats().starts, 2);
    assert_ne!(client.stats().child_pid, killed);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_of_a_node_share_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = SpeechConfig::new(fixtures::command(), installed::models_dir());
    let args = config.process_args(folder.path().join("speech.sock"));
    config.socket = Some(args.socket.clone());
    // A job may ask before the process is ready.
    let (one, other) = (
        SpeechClient::start(config.clone()).unwrap(),
        SpeechClient::start(config).unwrap(),
    );
    let tasks = service::Tasks::new("speech");
    let host = SpeechHost::start(fixtures::command(), args, &tasks).unwrap();
    let speech = fixtures::pcm("talk-rms")[..SAMPLE_RATE * 7].to_vec();
    let (first, second) = tokio::join!(
        one.transcribe(speech.clone(), None),
        other.transcribe(speech, None)
    );
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(
        wer::words(&first.segments[0].text),
        wer::words(&second.segments[0].text)
    );
    assert_eq!(host.starts(), 1);
    let process = format!("/proc/{}", host.child_pid());
    drop(host);
    wait_until(|| !std::path::Path::new(&process).exists()).await;
}

/// With either model: a small one invents sooner, a multilingual one in more languages.
#[tokio::test(flavor = "multi_thread")]
async fn five_minutes_of_silence_noise_and_music_say_nothing() {
    installed::must_have(&installed::models_dir(), "base");
    let mut seed = 1u32;
    let noise = (0..SAMPLE_RATE * 300).map(|_| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f32::from(u16::try_from(seed >> 16).unwrap()) / 32768.0 - 1.0) * 0.05
    });
    let noise: Vec<f32> = noise.collect();
    let music = fixtures::pcm("music").repeat(15);
    assert_eq!(music.len(), SAMPLE_RATE * 300);
    let silence = vec![0.0; SAMPLE_RATE * 300];
    for model in ["tiny.en", "base"] {
        let client = fixtures::client_with(|config| config.transcript_model = model.to_owned());
        for (what, pcm) in [("silence", &silence), ("noise", &noise), ("music", &music)] {
            let heard = client.transcribe(pcm.clone(), None).await.unwrap();
            assert_eq!(
                (heard.segments.as_slice(), heard.language),
                (&[][..], None),
                "{what}, {model}"
            );
        }
    }
    let client = fixtures::client();
    assert_eq!(
        client.transcribe(Vec::new(), None).await.unwrap().segments,
        []
    );
}

/// What was found out is not asked for again by a second try, after a crash.
#[tokio::test(flavor = "multi_thread")]
async fn finished_windows_are_kept_between_tries() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("windows.jsonl");
    let pcm = fixtures::pcm("talk-rms");
    let first = fixtures::client_with(|config| config.kept = Some(kept.clone()));
    let heard = first.transcribe(pcm.clone(), None).await.unwrap();
    assert!(first.stats().windows > 1);
    first.stop();

    let second = fixtures::client_with(|config| config.kept = Some(kept));
    assert_eq!(second.transcribe(pcm, None).await.unwrap(), heard);
    assert_eq!(second.stats().windows, 0, "nothing was asked again");
    // Other audio is another question.
    let other = second
        .transcribe(fixtures::pcm("talk-slt"), None)
        .await
        .unwrap();
    assert!(!other.segments.is_empty() && second.stats().windows > 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_ends_with_its_client_and_waiting_work_is_told() {
    let client = fixtures::client();
    client.transcribe(vec![0.0; 16_000], None).await.unwrap();
    let process = format!("/proc/{}", client.stats().child_pid);
    assert!(std::path::Path::new(&process).exists());
    client.stop();
    let refused = client.transcribe(vec![0.0; 16_000], None).await;
    assert!(matches!(refused, Err(SpeechError::Stopped)), "{refused:?}");
    wait_until(|| !std::path::Path::new(&process).exists()).await;
}

#[tokio::test]
async fn a_missing_model_is_named_with_the_command_that_brings_it() {
    let empty = tempfile::tempdir().unwrap();
    let config = SpeechConfig::new(vec!["offloader".into()], empty.path().into());
    let error = SpeechClient::start(config).unwrap_err().to_string();
    assert!(
        error.contains("silero-vad") && error.contains("models pull"),
        "{error}"
    );
}

#[tokio::test]
async fn a_process_that_cannot_start_fails_what_waits() {
    let client = fixtures::client_with(|config| config.command = vec!["/bin/false".into()]);
    let answer = client.transcribe(vec![0.1; 16_000], None).await;
    assert!(
        matches!(answer, Err(SpeechError::NotStarting { .. })),
        "{answer:?}"
    );
}

async fn wait_until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(
            Instant::now() < deadline,
            "this did not come true within 30 s"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Five megabytes of noise inside a model do not fail: they hear words that nobody said.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_model_is_refused_with_its_name_and_what_to_do() {
    let whole = installed::models_dir();
    for damaged in ["tiny.en", models::VAD] {
        let dir = tempfile::tempdir().unwrap();
        for name in ["tiny.en", models::VAD] {
            let from = models::installed(&whole, name).unwrap();
            let mut bytes = std::fs::read(&from).unwrap();
            if name == damaged {
                garble(&mut bytes);
            }
            std::fs::write(dir.path().join(from.file_name().unwrap()), bytes).unwrap();
        }
        let folder = dir.path().to_path_buf();
        let client = fixtures::client_with(|config| config.models_dir = folder);
        let error = client
            .transcribe(fixtures::pcm("prompts"), None)
            .await
            .unwrap_err();
        let SpeechError::Refused { reason } = &error else {
            panic!("{error:?}");
        };
        assert!(
            reason.contains(&format!("`{damaged}`")) && reason.contains("pull it again"),
            "{reason}"
        );
        assert_eq!(client.stats().starts, 1, "the process lives on");
    }
}

/// Makes noise of five megabytes in the middle, or of all that is there.
fn garble(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    for (at, byte) in (0u32..5 << 20).zip(&mut bytes[middle..]) {
        *byte = at.wrapping_mul(2_654_435_761).to_be_bytes()[0];
    }
}
