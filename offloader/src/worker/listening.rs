//! Which models a job is heard with, and the way to them.
//!
//! In: the order, what is installed. Out: a client of the node's speech process, or why there is none.

use std::path::{Path, PathBuf};

use anyhow::Context;
use proto::offload::TranscribingInput;

use crate::order::SpeechOrder;
use crate::speech::{SpeechClient, SpeechConfig, SpeechError, language};

/// Opens the way to the node's speech process. The operator's model wins over the job's size. `kept`
/// is where finished windows of a transcript are kept.
pub(super) fn speech_client(
    order: &SpeechOrder,
    input: &TranscribingInput,
    kept: Option<PathBuf>,
) -> Result<SpeechClient, SpeechError> {
    let dir = &order.models_dir;
    let mut config = SpeechConfig::new(Vec::new(), dir.clone());
    config.socket = Some(order.socket.clone());
    config.kept = kept;
    let wanted = if order.model.is_empty() {
        &input.model_size
    } else {
        &order.model
    };
    config.transcript_model = choose_model(dir, &[wanted, "base"]);
    config.multilingual_model = multilingual(dir, wanted);
    config.relief_model = smaller(dir, config.multilingual_model.as_deref());
    let english = language::code(&input.captions_language).is_none_or(|code| code == "en");
    config.caption_model = match &config.multilingual_model {
        Some(model) if !english => model.clone(),
        // The small model is quick enough for captions, but knows English only.
        Some(_) | None => choose_model(dir, &["tiny.en", wanted, "base"]),
    };
    SpeechClient::start(config)
}

/// Why there will be no transcript, as far as that can be known before the call.
pub(super) async fn foreseen(
    order: &SpeechOrder,
    input: &TranscribingInput,
) -> anyhow::Result<Option<String>> {
    let speech = match speech_client(order, input, None) {
        Ok(speech) => speech,
        Err(error) => return Ok(Some(format!("no transcript: {error}"))),
    };
    let model = crate::models::installed(&order.models_dir, speech.transcript_model());
    let checked = tokio::task::spawn_blocking(move || {
        let path = model.context("the model went away")?;
        Ok::<_, anyhow::Error>(crate::models::check_installed(&path)?)
    });
    let damage = checked.await?.err();
    Ok(damage.map(|error| format!("no transcript: {error:#}")))
}

/// The first model that is there; else the one to ask for. Models of many languages go before their
/// English forms.
fn choose_model(dir: &Path, wanted: &[&str]) -> String {
    let plain = wanted.iter().map(|name| (*name).to_owned());
    let named = wanted.iter().map(|name| format!("ggml-{name}.bin"));
    let english = wanted.iter().map(|name| format!("{name}.en"));
    plain
        .chain(named)
        .chain(english)
        .chain(["tiny.en".to_owned()])
        .find(|name| crate::models::installed(dir, name).is_some())
        .unwrap_or_else(|| wanted.first().map_or("base", |name| *name).to_owned())
}

/// A model that knows many languages: the one that is wanted, else the smallest that is there.
fn multilingual(dir: &Path, wanted: &str) -> Option<String> {
    let names = [
        wanted,
        "base",
        "tiny",
        "small",
        "medium",
        "large-v3-turbo",
        "large-v3",
    ];
    let known = names
        .into_iter()
        .find(|name| crate::models::is_multilingual(dir, name));
    known.map(str::to_owned)
}

/// The smallest model of many languages, unless it is this one or nobody knows how large this one is.
fn smaller(dir: &Path, than: Option<&str>) -> Option<String> {
    let mut sizes = [
        "tiny",
        "base",
        "small",
        "medium",
        "large-v3-turbo",
        "large-v3",
    ]
    .into_iter();
    let than = sizes.position(|name| Some(name) == than)?;
    let known = ["tiny", "base", "small"].into_iter().take(than);
    known
        .into_iter()
        .find(|name| crate::models::is_multilingual(dir, name))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with files that begin like models.
    fn models(files: &[(&str, u32)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (file, vocabulary) in files {
            let start = [weights::FIRST_BYTES.as_slice(), &vocabulary.to_le_bytes()].concat();
            std::fs::write(dir.path().join(file), start).unwrap();
        }
        dir
    }

    #[test]
    fn many_languages_go_before_one_where_nobody_asked_for_one() {
        let both = models(&[
            ("ggml-base-q8_0.bin", 51_865),
            ("ggml-tiny.en-q8_0.bin", 51_864),
        ]);
        assert_eq!(choose_model(both.path(), &["tiny", "base"]), "base");
        assert_eq!(choose_model(both.path(), &["tiny.en", "base"]), "tiny.en");
        assert_eq!(
            multilingual(both.path(), "tiny.en").as_deref(),
            Some("base")
        );

        let english = models(&[("ggml-tiny.en-q8_0.bin", 51_864)]);
        assert_eq!(choose_model(english.path(), &["base", "base"]), "tiny.en");
        assert_eq!(multilingual(english.path(), "base"), None);
        let none = models(&[]);
        assert_eq!(choose_model(none.path(), &["small", "base"]), "small");
    }

    #[test]
    fn a_busy_machine_has_a_smaller_model_of_many_languages_where_one_is_installed() {
        let files = ["ggml-small-q8_0.bin", "ggml-tiny-q8_0.bin"].map(|file| (file, 51_865));
        let both = models(&files);
        assert_eq!(smaller(both.path(), Some("small")).as_deref(), Some("tiny"));
        assert_eq!(smaller(both.path(), Some("tiny")), None);
        assert_eq!(smaller(both.path(), Some("own")), None);
        assert_eq!(smaller(both.path(), None), None);
        let one = models(&[
            ("ggml-base-q8_0.bin", 51_865),
            ("ggml-tiny.en-q8_0.bin", 51_864),
        ]);
        assert_eq!(smaller(one.path(), Some("base")), None);
    }
}
