//! What is sent of a build, in which form, under which headers.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};

use axum::http::HeaderName;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::*;

/// What a first visit may take over the wire, in bytes.
const FIRST_LOAD: usize = 150_000;

#[test]
fn only_the_clients_own_addresses_are_the_page() {
    for page in [
        "",
        "north/channels/talk",
        "north/channels/talk/",
        "signup_user_complete",
        "signup_user_complete/",
        "admin_console",
        "admin_console/people",
    ] {
        assert!(is_of_the_page(page), "{page}");
    }
    for other in [
        "health",
        "healthzz",
        "readyz/",
        "metric",
        "north",
        "north/channels",
        "north/channels/",
        "/channels/talk",
        "north/channels/talk/more",
        "api/v4/nothing",
        "index.htm",
        "signup_user_complete/more",
        "admin_console/people/more",
    ] {
        assert!(!is_of_the_page(other), "{other}");
    }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn script() -> Vec<u8> {
    let lines = (0..3000).map(|number| format!("export const word{number} = 'a word';\n"));
    lines.collect::<String>().into_bytes()
}

/// A build with a script in three forms and a picture in one.
fn build() -> HashMap<&'static str, Vec<u8>> {
    HashMap::from([
        ("index.html", b"<!doctype html>".to_vec()),
        ("assets/app.js", script()),
        ("assets/app.js.gz", gzipped(&script())),
        // what is in it does not matter here
        ("assets/app.js.br", b"brotli".to_vec()),
        ("assets/logo.svg", b"<svg/>".to_vec()),
        ("assets/tape.gz", b"a file of its own".to_vec()),
    ])
}

fn ask(path: &str, pairs: &[(HeaderName, &str)]) -> Response {
    let files = build();
    let find = |name: &str| {
        let bytes = files.get(name)?.clone();
        let hash = std::array::from_fn(|n| bytes.get(n).copied().unwrap_or_default());
        let mime = if name.ends_with(".js") {
            "text/javascript"
        } else {
            "application/octet-stream"
        };
        Some(Stored {
            bytes: Cow::Owned(bytes),
            hash,
            mime: with_charset(mime),
        })
    };
    let headers = pairs
        .iter()
        .map(|(name, value)| (name.clone(), value.parse().unwrap()));
    serve_from(find, path, &headers.collect())
}

fn header_of(answer: &Response, name: HeaderName) -> &str {
    let value = answer.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

async fn body(answer: Response) -> Vec<u8> {
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 24).await;
    bytes.unwrap().to_vec()
}

#[tokio::test]
async fn a_script_is_sent_in_the_form_that_the_client_takes() {
    let plain = ask("/assets/app.js", &[]);
    assert_eq!(plain.status(), StatusCode::OK);
    assert_eq!(header_of(&plain, header::CONTENT_ENCODING), "");
    assert_eq!(header_of(&plain, header::VARY), "Accept-Encoding");
    let tag_of_plain = header_of(&plain, header::ETAG).to_owned();
    assert_eq!(body(plain).await, script());

    let takes = |list| [(header::ACCEPT_ENCODING, list)];
    let small = ask("/assets/app.js", &takes("gzip, deflate"));
    assert_eq!(header_of(&small, header::CONTENT_ENCODING), "gzip");
    assert_eq!(
        header_of(&small, header::CONTENT_TYPE),
        "text/javascript; charset=utf-8",
        "the kind is that of the script"
    );
    assert_eq!(header_of(&small, header::VARY), "Accept-Encoding");
    assert_ne!(header_of(&small, header::ETAG), tag_of_plain);
    let sent = body(small).await;
    assert!(
        sent.len() * 3 < script().len(),
        "{} of {} bytes",
        sent.len(),
        script().len()
    );
    let mut read = Vec::new();
    GzDecoder::new(sent.as_slice())
        .read_to_end(&mut read)
        .unwrap();
    assert_eq!(read, script());

    let smallest = ask("/assets/app.js", &takes("gzip, deflate, br"));
    assert_eq!(header_of(&smallest, header::CONTENT_ENCODING), "br");
    assert_eq!(body(smallest).await, b"brotli");
}

#[tokio::test]
async fn a_file_without_compressed_forms_is_sent_as_it_is() {
    for path in ["/assets/logo.svg", "/", "/north/channels/talk"] {
        let answer = ask(path, &[(header::ACCEPT_ENCODING, "br, gzip")]);
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(header_of(&answer, header::CONTENT_ENCODING), "", "{path}");
        assert_eq!(header_of(&answer, header::VARY), "Accept-Encoding");
    }
}

#[test]
fn the_compressed_forms_have_no_address_of_their_own() {
    for path in ["/assets/app.js.gz", "/assets/app.js.br"] {
        assert_eq!(ask(path, &[]).status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(ask("/assets/tape.gz", &[]).status(), StatusCode::OK);
}

#[test]
fn what_the_client_has_already_is_not_sent_again() {
    let takes = (header::ACCEPT_ENCODING, "gzip");
    let first = ask("/assets/app.js", std::slice::from_ref(&takes));
    let tag = header_of(&first, header::ETAG);
    for known in [tag, &format!("W/{tag}"), &format!("\"x\", {tag}"), "*"] {
        let again = ask(
            "/assets/app.js",
            &[takes.clone(), (header::IF_NONE_MATCH, known)],
        );
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(header_of(&again, header::ETAG), tag);
        assert_eq!(header_of(&again, header::VARY), "Accept-Encoding");
    }
    let other_form = ask("/assets/app.js", &[(header::IF_NONE_MATCH, tag)]);
    assert_eq!(other_form.status(), StatusCode::OK);
}

/// What a browser fetches before the page can be used: the page and what it names.
fn first_load() -> Vec<String> {
    let page = Files::get(PAGE).unwrap();
    let page = String::from_utf8(page.data.to_vec()).unwrap();
    let named = page.split('"').filter_map(|part| part.strip_prefix("/"));
    let named = named.filter(|name| Files::get(name).is_some());
    named.map(str::to_owned).chain([PAGE.to_owned()]).collect()
}

/// Measures the build that is in this binary, where its build step has compressed it.
#[tokio::test]
async fn a_first_visit_takes_little_over_the_wire() {
    // Without one there is the page that says that nothing was built.
    let is_built = Files::iter().any(|name| name.ends_with(".js"));
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("br"));
    let (mut sent, mut plain) = (0, 0);
    for name in first_load() {
        let path = if name == PAGE { "" } else { name.as_str() };
        let answer = serve_from(|name| Files::get(name).map(Stored::from), path, &headers);
        assert_eq!(answer.status(), StatusCode::OK, "{name}");
        sent += body(answer).await.len();
        plain += Files::get(&name).unwrap().data.len();
    }
    assert!(plain > 0 && sent <= plain);
    if is_built {
        assert!(sent <= FIRST_LOAD, "{sent} bytes of {plain}");
    } else {
        assert_eq!(sent, plain);
    }
}
