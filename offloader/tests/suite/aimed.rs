//! A site that means no good: it sends the bot elsewhere, never ends its answer, or answers with what
//! the one who aimed the service would like to read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::any;
use offloader::client::bot::{BotApi, BotError, Remedy};
use proto::id::ChannelId;
use proto::redact::Secret;

use crate::site::{CHANNEL, TOKEN};

async fn serve(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

fn bot(site: &str) -> BotApi {
    BotApi::new(site, ChannelId::parse(CHANNEL).unwrap(), Secret::new(TOKEN)).unwrap()
}

#[tokio::test]
async fn a_redirect_to_another_origin_is_not_followed_and_nothing_of_it_is_told() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let inner = serve(Router::new().fallback(any(async move || {
        counter.fetch_add(1, Ordering::Relaxed);
        "the secret of an inner service"
    })))
    .await;
    let target = inner.clone();
    let outer = serve(Router::new().fallback(any(async move || {
        (
            StatusCode::TEMPORARY_REDIRECT,
            [(header::LOCATION, format!("{target}/latest/meta-data"))],
        )
    })))
    .await;
    let error = bot(&outer).filename().await.unwrap_err();
    assert_eq!(error.remedy(), Remedy::Never);
    let text = error.to_string();
    assert!(text.contains(&inner) && text.contains("site_url"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_redirect_on_the_same_site_is_followed() {
    let site = serve(
        Router::new()
            .route("/elsewhere", any(async || r#"{"filename":"Call_Town"}"#))
            .fallback(any(async || {
                (StatusCode::FOUND, [(header::LOCATION, "/elsewhere")])
            })),
    )
    .await;
    assert_eq!(bot(&site).filename().await.unwrap(), "Call_Town");
}

#[tokio::test]
async fn of_an_answer_that_never_ends_little_is_read() {
    let sent = Arc::new(AtomicUsize::new(0));
    for status in [StatusCode::OK, StatusCode::BAD_REQUEST] {
        let counter = sent.clone();
        let site = serve(Router::new().fallback(any(async move || {
            let pieces = futures_util::stream::repeat_with(move || {
                counter.fetch_add(64 * 1024, Ordering::Relaxed);
                Ok::<_, std::convert::Infallible>(Bytes::from_static(&[b'x'; 64 * 1024]))
            });
            (status, Body::from_stream(pieces)).into_response()
        })))
        .await;
        let error = bot(&site).filename().await.unwrap_err();
        match status {
            StatusCode::OK => assert!(matches!(error, BotError::TooLong { .. }), "{error:?}"),
            _ => assert_eq!(error.remedy(), Remedy::Never),
        }
    }
    // What the kernel buffers comes on top of the limit.
    assert!(sent.load(Ordering::Relaxed) < 32 << 20);
}

#[tokio::test]
async fn only_the_words_of_a_messaging_server_are_repeated() {
    for (body, told) in [
        (r#"{"message":"no such call"}"#, "no such call"),
        (
            "root:x:0:0:root:/root",
            "not an answer of a messaging server",
        ),
        (
            r#"{"keys":"secret"}"#,
            "not an answer of a messaging server",
        ),
    ] {
        let site =
            serve(Router::new().fallback(any(async move || (StatusCode::BAD_REQUEST, body)))).await;
        let text = bot(&site).filename().await.unwrap_err().to_string();
        assert!(text.ends_with(told), "{text}");
    }
}
