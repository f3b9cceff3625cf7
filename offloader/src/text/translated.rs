//! A transcript in another language: the same people at the same times.
//!
//! In: a transcript, translators. Out: one whose lines are in the language wanted.
//! Invariant: what is in that language already stays word for word, and so does what was not understood;
//! no line is left out.

use super::{TextError, Translator};
use crate::speech::{Transcript, Utterance};

/// Translates what is not in `to` yet, each language by the first translator that knows the pair.
///
/// # Errors
/// When nobody knows one of the pairs, or whoever does fails.
pub async fn translate(
    translators: &[Box<dyn Translator>],
    transcript: &Transcript,
    to: &str,
) -> Result<Transcript, TextError> {
    let mut said = transcript.utterances().to_vec();
    for from in transcript.languages().iter().filter(|from| *from != to) {
        let wanted = |said: &&mut Utterance| said.language.as_deref() == Some(from.as_str());
        let lines: Vec<_> = said
            .iter_mut()
            .filter(wanted)
            .map(|said| said.text.clone())
            .collect();
        let translator = translators.iter().find(|one| one.knows(from, to));
        let translator = translator.ok_or_else(|| TextError::NoTranslator {
            from: from.clone(),
            to: to.to_owned(),
        })?;
        let translated = translator.translate(from, to, &lines).await?;
        for (said, text) in said.iter_mut().filter(wanted).zip(translated) {
            // Times of words and how sure the model was of them are those of other words.
            said.words.clear();
            said.language = Some(to.to_owned());
            said.text = text;
        }
    }
    Ok(Transcript::of_utterances(said))
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::speech::{Segment, TrackTranscript};

    /// Writes the pair before the text, from Spanish only.
    struct Marks;

    #[async_trait]
    impl Translator for Marks {
        fn knows(&self, from: &str, _: &str) -> bool {
            from == "es"
        }

        async fn translate(
            &self,
            from: &str,
            to: &str,
            lines: &[String],
        ) -> Result<Vec<String>, TextError> {
            let mark = |line: &String| format!("{from}-{to} {line}");
            Ok(lines.iter().map(mark).collect())
        }
    }

    fn transcript(said: &[(u64, Option<&str>, &str)]) -> Transcript {
        let segment = |(at, language, text): &(u64, Option<&str>, &str)| Segment {
            start_ms: *at,
            end_ms: at + 900,
            text: (*text).to_owned(),
            language: language.map(str::to_owned),
            ..Segment::default()
        };
        Transcript::merge(vec![TrackTranscript {
            speaker: "Ada".to_owned(),
            offset_ms: 0,
            segments: said.iter().map(segment).collect(),
        }])
    }

    #[tokio::test]
    async fn only_what_is_in_another_language_is_translated() {
        let said = transcript(&[
            (0, Some("es"), "Hola."),
            (1_000, Some("en"), "Hello."),
            (2_000, None, "[not understood]"),
            (3_000, Some("es"), "Gracias."),
        ]);
        let translators: Vec<Box<dyn Translator>> = vec![Box::new(Marks)];
        let english = translate(&translators, &said, "en").await.unwrap();
        let texts: Vec<_> = english
            .utterances()
            .iter()
            .map(|said| (said.start_ms, said.text.as_str()))
            .collect();
        let wanted = [
            (0, "es-en Hola."),
            (1_000, "Hello."),
            (2_000, "[not understood]"),
            (3_000, "es-en Gracias."),
        ];
        assert_eq!(texts, wanted);
        assert_eq!(english.languages(), ["en"]);
        let french = translate(&translators, &said, "fr").await;
        let Err(TextError::NoTranslator { from, to }) = french else {
            panic!("{french:?}");
        };
        assert_eq!((from.as_str(), to.as_str()), ("en", "fr"));
    }
}
