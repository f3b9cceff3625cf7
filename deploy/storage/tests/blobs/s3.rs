//! Two servers of S3: the suite, what each of them cannot, refusals that can be understood.

use proto::redact::Secret;
use storage::blob::conformance::{self, key, put};
use storage::blob::servers::{Kind, Server};
use storage::blob::{BlobStore as _, S3, S3Config, WHOLE};

async fn suite(kind: Kind) {
    let server = Server::start(kind).await;
    for prefix in ["", "parley/files/"] {
        let store = server.store(prefix);
        if kind == Kind::Moto {
            conformance::everything(&store).await;
        } else {
            conformance::everything_but_pages(&store).await;
        }
        if kind.aborts() {
            conformance::begun_transfers_are_swept(&store, false).await;
        } else {
            let error = store.sweep_drafts(std::time::Duration::ZERO).await;
            let text = error
                .expect_err("it cannot list what was begun")
                .to_string();
            assert!(text.contains("list begun uploads"), "{text}");
        }
    }
    // Prefixes are walls.
    let (ours, theirs) = (server.store("ours/"), server.store("theirs/"));
    put(&ours, "ab/abc", 0..10).await;
    assert_eq!(theirs.info(&key("ab/abc")).await.unwrap(), None);
    assert_eq!(theirs.list("", None, 10).await.unwrap(), []);
    assert_eq!(ours.list("", None, 10).await.unwrap().len(), 1);
    let changed = S3Config {
        secret_key: Secret::new("wrong"),
        ..server.config()
    };
    let stranger = S3::new(changed).unwrap().check().await;
    assert_eq!(stranger.is_err(), kind.checks_signatures(), "{stranger:?}");
}

#[tokio::test]
async fn moto_does_what_every_place_does() {
    suite(Kind::Moto).await;
}

#[tokio::test]
async fn s3rver_does_what_every_place_does() {
    suite(Kind::S3rver).await;
}

#[tokio::test]
async fn refusals_name_bucket_server_and_setting() {
    let server = Server::start(Kind::Moto).await;
    let config = S3Config {
        bucket: "missing".to_owned(),
        ..server.config()
    };
    let store = S3::new(config.clone()).unwrap();
    for error in [
        store.check().await.unwrap_err(),
        store.open(&key("ab/abc"), WHOLE).await.unwrap_err(),
    ] {
        let text = error.to_string();
        for part in ["`missing`", config.endpoint.as_str(), "`files`"] {
            assert!(text.contains(part), "{text}");
        }
    }
    // Nobody is there at all.
    drop(server);
    let error = store.check().await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("dispatch failure"), "{source}");
}

#[test]
fn an_authority_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let ca_file = dir.path().join("ca.pem");
    let config = S3Config {
        endpoint: "https://127.0.0.1:1".to_owned(),
        region: "us-east-1".to_owned(),
        bucket: "files".to_owned(),
        prefix: String::new(),
        path_style: true,
        ca_file: Some(ca_file.clone()),
        access_key_id: "a".to_owned(),
        secret_key: Secret::new("b"),
        setting: "files".to_owned(),
    };
    for contents in [None, Some("no certificate")] {
        if let Some(contents) = contents {
            std::fs::write(&ca_file, contents).unwrap();
        }
        let text = S3::new(config.clone()).unwrap_err().to_string();
        let is_named = text.contains("files.ca_file") && text.contains("ca.pem");
        assert!(is_named, "{text}");
    }
}
