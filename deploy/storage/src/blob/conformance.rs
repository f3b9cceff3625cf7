//! What every place for blobs does, on any of them.
//!
//! In: an empty store. Each part leaves it empty again.
#![expect(
    clippy::missing_panics_doc,
    reason = "a suite tells what is wrong by panicking"
)]

use std::ops::Range;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};

use super::{BlobError, BlobInfo, BlobKey, BlobStore, BoxError, Draft, WHOLE};

/// Above two parts of S3 by an odd number of bytes.
const LARGE: u64 = 2 * 5 * 1024 * 1024 + 12_345;
/// Sizes around every edge: nothing, one byte, a part of S3, and several.
const SIZES: [u64; 6] = [0, 1, 100_000, 5 * 1024 * 1024, 5 * 1024 * 1024 + 1, LARGE];
/// Length of the pieces that are sent.
const PIECE: u64 = 60_000;

/// Runs everything but the sweep of what was begun.
pub async fn everything(store: &dyn BlobStore) {
    everything_but_pages(store).await;
    lists_are_in_order(store).await;
    what_is_absent_is_said(store).await;
    let left = store.list("", None, 10).await.expect("a list");
    assert_eq!(left, [], "every part cleans up");
}

/// As `everything`, for a place that cannot list in pages: s3rver 3.7 answers 500 to a list that is
/// cut short.
pub async fn everything_but_pages(store: &dyn BlobStore) {
    store.check().await.expect("the store can be used");
    what_is_put_can_be_read(store).await;
    parts_can_be_read(store).await;
    nothing_is_left_of_what_broke_off(store).await;
    drafts_grow_over_interruptions(store).await;
    drafts_are_discarded(store).await;
}

/// What is begun and left alone is gone after a sweep. `knows_age`: the place says when a transfer was
/// begun (moto says 2010 of each).
pub async fn begun_transfers_are_swept(store: &dyn BlobStore, knows_age: bool) {
    let mut draft = Draft::new(key("sw/ept"));
    append(store, &mut draft, 0..LARGE).await;
    assert_eq!(store.arrived(&draft).await.expect("a draft"), LARGE);
    if knows_age {
        let young = store.sweep_drafts(Duration::from_secs(3600)).await;
        assert_eq!(young.expect("a sweep"), 0, "it is used");
    }
    let old = store.sweep_drafts(Duration::ZERO).await.expect("a sweep");
    assert!(old >= 1);
    let again = store.sweep_drafts(Duration::ZERO).await;
    assert_eq!(again.expect("a sweep"), 0, "nothing is left");
}

/// A key that the suite knows to be one.
#[must_use]
pub fn key(text: &str) -> BlobKey {
    BlobKey::parse(text).expect("a key")
}

/// The bytes of a file whose every byte tells its place.
#[must_use]
pub fn noise(range: Range<u64>) -> Bytes {
    let byte = |place: u64| u8::try_from((place * 31 + place / 251) % 256).unwrap_or(0);
    range.map(byte).collect::<Vec<u8>>().into()
}

/// Puts the noise of a range under a key.
pub async fn put(store: &dyn BlobStore, name: &str, range: Range<u64>) -> BlobInfo {
    let size = range.end - range.start;
    let mut pieces = pieces(range);
    let put = store.put(&key(name), Some(size), &mut pieces).await;
    put.unwrap_or_else(|error| panic!("put `{name}`: {error:?}"))
}

/// Reads a range.
pub async fn read(store: &dyn BlobStore, name: &str, range: Range<u64>) -> Bytes {
    let reader = store.open(&key(name), range).await;
    let mut reader = reader.unwrap_or_else(|error| panic!("open `{name}`: {error:?}"));
    let mut bytes = BytesMut::new();
    while let Some(piece) = reader.pieces.next().await {
        bytes.extend_from_slice(&piece.unwrap_or_else(|error| panic!("read `{name}`: {error:?}")));
    }
    let promised = reader.range.end - reader.range.start;
    assert_eq!(length(&bytes), promised, "`{name}` has its length");
    bytes.freeze()
}

type Sent = Result<Bytes, BoxError>;

fn pieces(range: Range<u64>) -> impl futures_util::Stream<Item = Sent> + Send + Unpin {
    stream::unfold(range, |left| {
        let next = (!left.is_empty()).then(|| {
            let end = left.end.min(left.start + PIECE);
            (Ok(noise(left.start..end)), end..left.end)
        });
        std::future::ready(next)
    })
}

/// A range whose line breaks at its end.
fn broken_pieces(range: Range<u64>) -> impl futures_util::Stream<Item = Sent> + Send + Unpin {
    let end: Sent = Err("the line broke".into());
    pieces(range).chain(stream::iter([end]))
}

async fn append(store: &dyn BlobStore, draft: &mut Draft, range: Range<u64>) {
    let mut pieces = pieces(range);
    let appended = store.append(draft, &mut pieces).await;
    appended.unwrap_or_else(|error| panic!("append: {error:?}"));
}

async fn delete(store: &dyn BlobStore, name: &str) {
    let deleted = store.delete(&key(name)).await;
    deleted.unwrap_or_else(|error| panic!("delete `{name}`: {error:?}"));
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

async fn what_is_put_can_be_read(store: &dyn BlobStore) {
    for size in SIZES {
        let name = format!("ab/size-{size}");
        let made = put(store, &name, 0..size).await;
        assert_eq!((made.key.as_str(), made.size_bytes), (name.as_str(), size));
        let info = store.info(&key(&name)).await.expect("a look");
        let info = info.expect("it is there");
        assert_eq!((info.size_bytes, &info.etag), (size, &made.etag), "{name}");
        assert!(read(store, &name, WHOLE).await == noise(0..size), "{name}");
        delete(store, &name).await;
    }
    // Of unknown length; and in place of an older one.
    let old = put(store, "ab/replaced", 0..500).await;
    let mut newer = pieces(7..7 + LARGE);
    let new = store.put(&key("ab/replaced"), None, &mut newer).await;
    let new = new.expect("a blob is replaced");
    assert_ne!(old.etag, new.etag);
    assert!(read(store, "ab/replaced", WHOLE).await == noise(7..7 + LARGE));
    delete(store, "ab/replaced").await;
}

async fn parts_can_be_read(store: &dyn BlobStore) {
    put(store, "pa/rts", 0..LARGE).await;
    let part = 5 * 1024 * 1024;
    for range in [
        0..1,
        5..70_000,
        part - 3..part + 3,
        LARGE - 1..LARGE,
        LARGE - 10..LARGE + 10,
        0..u64::MAX - 1,
        part..u64::MAX,
    ] {
        let there = range.start..range.end.min(LARGE);
        let got = read(store, "pa/rts", range.clone()).await;
        assert!(got == noise(there.clone()), "{range:?}");
        let reader = store.open(&key("pa/rts"), range).await.expect("a part");
        assert_eq!((reader.range, reader.info.size_bytes), (there, LARGE));
    }
    // A reader that goes away early disturbs nobody.
    let mut early = store.open(&key("pa/rts"), WHOLE).await.expect("a blob");
    assert!(early.pieces.next().await.is_some_and(|piece| piece.is_ok()));
    drop(early);
    for beyond in [LARGE..LARGE + 1, LARGE..u64::MAX, 5..5] {
        let error = store.open(&key("pa/rts"), beyond.clone()).await.err();
        let is_said = matches!(&error, Some(BlobError::BeyondEnd { .. }));
        assert!(is_said, "{beyond:?}: {error:?}");
    }
    delete(store, "pa/rts").await;
}

async fn nothing_is_left_of_what_broke_off(store: &dyn BlobStore) {
    for size in [0, 70_000, LARGE] {
        let mut broken = broken_pieces(0..size);
        let error = store.put(&key("br/oken"), None, &mut broken).await.err();
        let is_said = matches!(&error, Some(BlobError::BrokenOff { .. }));
        assert!(is_said, "{size}: {error:?}");
        let mut short = pieces(0..size);
        let error = store.put(&key("br/oken"), Some(size + 1), &mut short).await;
        match error {
            Err(BlobError::OtherSize {
                announced, came, ..
            }) => {
                assert_eq!((announced, came), (size + 1, size));
            }
            other => panic!("{other:?}"),
        }
        let info = store.info(&key("br/oken")).await.expect("a look");
        assert_eq!(info, None, "{size}");
    }
}

async fn drafts_grow_over_interruptions(store: &dyn BlobStore) {
    let mut draft = Draft::new(key("dr/aft"));
    assert_eq!(store.arrived(&draft).await.expect("a draft"), 0);
    // A short piece, one across a part, a broken one, none, and the rest.
    append(store, &mut draft, 0..1000).await;
    append(store, &mut draft, 1000..7_000_000).await;
    let mut broken = broken_pieces(7_000_000..7_100_000);
    let error = store.append(&mut draft, &mut broken).await.err();
    let is_said = matches!(&error, Some(BlobError::BrokenOff { .. }));
    assert!(is_said, "{error:?}");
    append(store, &mut draft, 0..0).await;
    assert_eq!(store.arrived(&draft).await.expect("a draft"), 7_100_000);
    // The process dies behind the next piece: only the older record of the draft is left.
    let kept = serde_json::to_string(&draft).expect("a draft as text");
    append(store, &mut draft, 7_100_000..14_000_000).await;
    let mut draft: Draft = serde_json::from_str(&kept).expect("the draft");
    let from = store.arrived(&draft).await.expect("a draft");
    assert!((7_100_000..=14_000_000).contains(&from), "{from}");
    append(store, &mut draft, from..20_000_000).await;
    assert_eq!(store.info(draft.key()).await.expect("a look"), None);
    for time in ["first", "second"] {
        let info = store.finish(&draft).await;
        let info = info.unwrap_or_else(|error| panic!("finish the {time} time: {error:?}"));
        assert_eq!(info.size_bytes, 20_000_000, "{time}");
    }
    assert!(read(store, "dr/aft", WHOLE).await == noise(0..20_000_000));
    delete(store, "dr/aft").await;
    // Drafts of a few bytes, and of none.
    for size in [0, 5] {
        let mut draft = Draft::named(key("dr/small"), &format!("small{size}")).expect("a draft");
        append(store, &mut draft, 0..size).await;
        let info = store
            .finish(&draft)
            .await
            .expect("a small draft is finished");
        assert_eq!(info.size_bytes, size);
        assert_eq!(read(store, "dr/small", WHOLE).await, noise(0..size));
        delete(store, "dr/small").await;
    }
}

async fn drafts_are_discarded(store: &dyn BlobStore) {
    for size in [0, 10] {
        let mut draft = Draft::new(key("di/scarded"));
        append(store, &mut draft, 0..size).await;
        for _ in 0..2 {
            store.discard(&draft).await.expect("a draft is discarded");
        }
        assert_eq!(store.info(draft.key()).await.expect("a look"), None);
    }
}

async fn lists_are_in_order(store: &dyn BlobStore) {
    let names = ["a-b", "a/1", "a/b/c", "a/b0", "a0", "b/1", "b/2"];
    for name in names {
        put(store, name, 0..3).await;
    }
    let mut after = None;
    let mut seen = Vec::new();
    loop {
        let page = store.list("", after.as_ref(), 2).await.expect("a page");
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        assert!(page.iter().all(|info| info.size_bytes == 3));
        seen.extend(page.into_iter().map(|info| info.key.to_string()));
    }
    assert_eq!(seen, names);
    for (prefix, found) in [
        ("a/", vec!["a/1", "a/b/c", "a/b0"]),
        ("a/b", vec!["a/b/c", "a/b0"]),
        ("b/2", vec!["b/2"]),
        ("c", vec![]),
    ] {
        let page = store.list(prefix, None, 100).await.expect("a page");
        let keys: Vec<_> = page.iter().map(|info| info.key.as_str()).collect();
        assert_eq!(keys, found, "{prefix}");
    }
    for name in names {
        delete(store, name).await;
    }
}

async fn what_is_absent_is_said(store: &dyn BlobStore) {
    assert_eq!(store.info(&key("no/thing")).await.expect("a look"), None);
    delete(store, "no/thing").await;
    match store.open(&key("no/thing"), WHOLE).await {
        Err(error @ BlobError::Missing { .. }) => {
            let text = error.to_string();
            assert!(
                text.contains("no/thing") && text.contains(store.place()),
                "{text}"
            );
        }
        other => panic!("{other:?}"),
    }
}
