//! Speech in Spanish and Russian, with a model that knows them and with one that knows English only.

use offloader::speech::{SAMPLE_RATE, Segment, Transcript, Transcription, Voice};

use crate::{fixtures, installed, wer};

/// The model of many languages.
fn multilingual() -> String {
    installed::must_have(&installed::models_dir(), "base");
    "base".to_owned()
}

/// Spoken text as a share of what was heard: the texts have no accents, numbers are written as digits.
fn error_rate(language: &str, heard: &Transcription) -> f64 {
    let said: Vec<_> = fixtures::lines(&format!("prompts-{language}"))
        .into_iter()
        .map(|line| plain(&line.text))
        .collect();
    let heard: Vec<_> = heard
        .segments
        .iter()
        .map(|said| plain(&said.text))
        .collect();
    wer::rate(&said.join(" "), &heard.join(" "))
}

fn plain(text: &str) -> String {
    let bare = |letter| match letter {
        'á' => 'a',
        'é' => 'e',
        'í' => 'i',
        'ó' => 'o',
        'ú' => 'u',
        'ё' => 'е',
        other => other,
    };
    text.to_lowercase().chars().map(bare).collect()
}

fn speech(name: &str, seconds: usize) -> Vec<f32> {
    let mut pcm = fixtures::pcm(name);
    pcm.truncate(seconds * SAMPLE_RATE);
    pcm
}

fn texts(segments: &[Segment]) -> String {
    let texts: Vec<_> = segments.iter().map(|said| said.text.as_str()).collect();
    texts.join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_speaker_is_heard_in_their_own_language() {
    let client = fixtures::client_with(|config| config.transcript_model = multilingual());
    let mut tracks = Vec::new();
    for (language, name, seconds) in [
        ("en", "prompts", 20),
        ("es", "prompts-es", 90),
        ("ru", "prompts-ru", 60),
    ] {
        let heard = client
            .transcribe(speech(name, seconds), None)
            .await
            .unwrap();
        assert_eq!(
            heard.language.as_deref(),
            Some(language),
            "{}",
            texts(&heard.segments)
        );
        if language != "en" {
            let rate = error_rate(language, &heard);
            println!(
                "{language}: word error rate {:.1} %: {}",
                rate * 100.0,
                texts(&heard.segments)
            );
            assert!(
                rate < 0.4,
                "{language}: word error rate {:.1} %",
                rate * 100.0
            );
        }
        tracks.push(heard.of_speaker(language.to_owned(), 0));
    }
    let transcript = Transcript::merge(tracks);
    assert_eq!(transcript.languages(), ["es", "ru", "en"]);
    let note = "NOTE Languages: Spanish, Russian, English.";
    assert!(transcript.to_vtt(false).contains(note));
}

/// Half a minute of Russian, then Spanish, then English, by one person.
#[tokio::test(flavor = "multi_thread")]
async fn who_goes_on_in_another_language_is_heard_in_that_one() {
    let client = fixtures::client_with(|config| config.transcript_model = multilingual());
    let parts = [
        speech("prompts-ru", 29),
        speech("prompts-es", 22),
        speech("prompts", 13),
    ];
    let ends: Vec<_> = parts
        .iter()
        .scan(0, |end, part| {
            *end += (part.len() / (SAMPLE_RATE / 1000)) as u64;
            Some(*end)
        })
        .collect();
    let mut voice = Voice::new(None);
    let heard = client
        .transcribe_more(&parts.concat(), &mut voice)
        .await
        .unwrap();
    for segment in &heard.segments {
        println!(
            "{:?} {}-{} {}",
            segment.language, segment.start_ms, segment.end_ms, segment.text
        );
    }
    // The Spanish begins within a window of Russian, and a window is heard in one language: which of
    // the two depends on its cuts.
    for (index, language) in [(0, "ru"), (2, "en")] {
        let from = if index == 0 { 0 } else { ends[index - 1] };
        let (mut right, mut all) = (0, 0);
        for segment in &heard.segments {
            let inside = segment
                .end_ms
                .min(ends[index])
                .saturating_sub(segment.start_ms.max(from));
            all += inside;
            if segment.language.as_deref() == Some(language) {
                right += inside;
            }
        }
        assert!(
            all > 8_000 && right * 10 >= all * 8,
            "{language}: {right} of {all} ms"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_of_english_only_says_so_and_invents_nothing() {
    let client = fixtures::client();
    for (name, seconds) in [("prompts-ru", 60), ("prompts-es", 90)] {
        let heard = client
            .transcribe(speech(name, seconds), None)
            .await
            .unwrap();
        let (mut invented, mut all) = (0, 0);
        for segment in &heard.segments {
            println!(
                "{name}: {:?} {} {}",
                segment.language, segment.sureness, segment.text
            );
            let ms = segment.end_ms - segment.start_ms;
            all += ms;
            if segment.language.is_some() {
                invented += ms;
            }
        }
        assert!(
            invented * 10 <= all,
            "{name}: {invented} of {all} ms were made English"
        );
        assert!(texts(&heard.segments).contains("tiny.en knows English only"));
        assert_eq!(heard.language, None);
    }
    // Of these beginnings it makes fluent English, another time another.
    for (name, from, seconds) in [("prompts-ru", 5_400, 10), ("prompts-es", 17_100, 14)] {
        let part = speech(name, 90).split_off(from * (SAMPLE_RATE / 1000));
        let part = part[..seconds * SAMPLE_RATE].to_vec();
        let heard = client.transcribe(part, None).await.unwrap();
        assert_eq!(heard.language, None, "{}", texts(&heard.segments));
        assert!(texts(&heard.segments).contains("knows English only"));
    }
    // And what is English is not doubted.
    let heard = client
        .transcribe(speech("prompts", 60), None)
        .await
        .unwrap();
    for segment in &heard.segments {
        println!(
            "prompts: {:?} {} {}",
            segment.language, segment.sureness, segment.text
        );
        assert_eq!(segment.language.as_deref(), Some("en"), "{}", segment.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_model_of_english_only_another_hears_the_rest() {
    let client = fixtures::client_with(|config| config.multilingual_model = Some(multilingual()));
    let mut track = speech("prompts", 14);
    track.extend(speech("prompts-es", 22));
    let heard = client.transcribe(track, None).await.unwrap();
    for segment in &heard.segments {
        println!(
            "{:?} {}-{} {} {}",
            segment.language, segment.start_ms, segment.end_ms, segment.sureness, segment.text
        );
    }
    let languages: Vec<_> = heard
        .segments
        .iter()
        .filter_map(|said| said.language.as_deref())
        .collect();
    assert!(
        languages.starts_with(&["en"]) && languages.ends_with(&["es"]),
        "{languages:?}"
    );
}
