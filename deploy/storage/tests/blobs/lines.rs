//! The line to a bucket: it breaks and is taken up again; it is sealed by an authority of one's own.

use std::io;
use std::sync::Arc;

use futures_util::StreamExt as _;
use proto::redact::Secret;
use rcgen::CertifiedKey;
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use storage::blob::conformance::{key, noise, read};
use storage::blob::{BlobStore as _, S3, S3Config, WHOLE};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

fn config(endpoint: String) -> S3Config {
    S3Config {
        endpoint,
        region: "us-east-1".to_owned(),
        bucket: "files".to_owned(),
        prefix: String::new(),
        path_style: true,
        ca_file: None,
        access_key_id: "id".to_owned(),
        secret_key: Secret::new("secret"),
        setting: "files".to_owned(),
    }
}

/// Reads the head of a request, answers, and closes.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    answer: &[u8],
) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    Ok(String::from_utf8_lossy(&head).to_lowercase())
}

/// A server that gives these answers, one per connection; in the end, the heads it was sent.
async fn server(answers: Vec<Vec<u8>>, tls: Option<TlsAcceptor>) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let mut heads = Vec::new();
        for text in answers {
            let (stream, _) = listener.accept().await.unwrap();
            let head = match &tls {
                None => answer(stream, &text).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => answer(stream, &text).await,
                    Err(error) => Err(error),
                },
            };
            heads.push(head.unwrap_or_else(|error| error.to_string()));
        }
        heads
    });
    (port, served)
}

/// The beginning of an answer with `whole` bytes from `first` on, of which only `sent` come.
fn part(status: &str, whole: u64, first: u64, sent: u64) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 {status}\r\nETag: \"e1\"\r\nContent-Length: {}\r\nConnection: close\r\n",
        whole - first
    );
    if first > 0 {
        answer += &format!("Content-Range: bytes {first}-{}/{whole}\r\n", whole - 1);
    }
    let mut answer = (answer + "\r\n").into_bytes();
    answer.extend_from_slice(&noise(first..first + sent));
    answer
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_where_it_ended() {
    let answers = vec![
        part("200 OK", 1000, 0, 400),
        part("206 Partial Content", 1000, 400, 0),
        part("206 Partial Content", 1000, 400, 600),
    ];
    let (port, served) = server(answers, None).await;
    let store = S3::new(config(format!("http://127.0.0.1:{port}"))).unwrap();
    assert_eq!(read(&store, "ab/abc", WHOLE).await, noise(0..1000));
    let heads = served.await.unwrap();
    assert!(!heads[0].contains("\r\nrange:"), "{}", heads[0]);
    for head in &heads[1..] {
        assert!(head.contains("\r\nrange: bytes=400-999\r\n"), "{head}");
        assert!(
            head.contains("\r\nif-match: \"e1\"\r\n"),
            "the same bytes: {head}"
        );
    }
}

#[tokio::test]
async fn a_download_that_brings_nothing_again_and_again_ends_with_the_reason() {
    let mut answers = vec![part("200 OK", 1000, 0, 400)];
    answers.resize(4, part("206 Partial Content", 1000, 400, 0));
    let (port, served) = server(answers, None).await;
    let store = S3::new(config(format!("http://127.0.0.1:{port}"))).unwrap();
    let mut reader = store.open(&key("ab/abc"), WHOLE).await.unwrap();
    let mut came = 0;
    let error = loop {
        match reader.pieces.next().await.unwrap() {
            Ok(piece) => came += piece.len(),
            Err(error) => break error,
        }
    };
    assert_eq!(came, 400);
    let text = error.to_string();
    assert!(
        text.contains("`ab/abc`") && text.contains("`files`"),
        "{text}"
    );
    served.await.unwrap();
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_and_only_that() {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(
        vec![cert.der().clone()],
        PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into(),
    )
    .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let ca_file = dir.path().join("ca.pem");
    std::fs::write(&ca_file, cert.pem()).unwrap();
    let found = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec();
    let (port, served) = server(vec![found], Some(TlsAcceptor::from(Arc::new(tls)))).await;
    let trusting = S3Config {
        ca_file: Some(ca_file),
        ..config(format!("https://localhost:{port}"))
    };
    S3::new(trusting).unwrap().check().await.unwrap();
    let heads = served.await.unwrap();
    assert!(heads[0].starts_with("head /files"), "{}", heads[0]);
}
