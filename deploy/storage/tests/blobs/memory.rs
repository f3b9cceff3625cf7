//! A transfer takes 16 MB, whatever its size: measured from outside, in processes of their own.

use std::ops::Range;
use std::process::Command;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use proto::redact::Secret;
use storage::blob::conformance::key;
use storage::blob::servers::{Kind, Server};
use storage::blob::{BlobStore, BoxError, Draft, S3, S3Config, TRANSFER_MEMORY_BYTES, WHOLE};

/// Tells a child process where to store; unset in the parent.
const FOLDER: &str = "BLOB_TEST_FOLDER";
const BUCKET: &str = "BLOB_TEST_BUCKET";
const CHUNK: usize = 64 * 1024;

const GB: u64 = 1_000_000_000;
const MB: u64 = 1_000_000;

fn chunk() -> Bytes {
    (0..CHUNK)
        .map(|place| u8::try_from(place % 251).unwrap())
        .collect::<Vec<u8>>()
        .into()
}

/// The same 64 KiB again and again.
fn bytes(range: Range<u64>) -> impl stream::Stream<Item = Result<Bytes, BoxError>> + Send + Unpin {
    let (chunk, size) = (chunk(), u64::try_from(CHUNK).unwrap());
    stream::unfold(range, move |left| {
        let next = (!left.is_empty()).then(|| {
            let begin = left.start % size;
            let end = size.min(begin + left.end - left.start);
            let piece = chunk.slice(usize::try_from(begin).unwrap()..usize::try_from(end).unwrap());
            let rest = left.start + (end - begin)..left.end;
            (Ok(piece), rest)
        });
        std::future::ready(next)
    })
}

/// Resident bytes now, or at most since the last `forget_peak`.
fn resident(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|text| text.strip_prefix(line));
    let kib = found.unwrap().trim().trim_end_matches(" kB");
    kib.trim().parse::<u64>().unwrap() * 1024
}

fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

async fn check_read(store: &dyn BlobStore, name: &str, size: u64) {
    let mut reader = store.open(&key(name), WHOLE).await.unwrap();
    let chunk = chunk();
    let mut place = 0usize;
    while let Some(piece) = reader.pieces.next().await {
        for part in piece.unwrap().chunks(CHUNK) {
            let begin = place % CHUNK;
            let first = part.len().min(CHUNK - begin);
            assert!(part[..first] == chunk[begin..begin + first], "at {place}");
            assert!(part[first..] == chunk[..part.len() - first], "at {place}");
            place += part.len();
        }
    }
    assert_eq!(u64::try_from(place).unwrap(), size);
}

async fn transfer(store: &dyn BlobStore, size: u64) {
    store
        .put(&key("wh/ole"), None, &mut bytes(0..size))
        .await
        .unwrap();
    check_read(store, "wh/ole", size).await;
    store.delete(&key("wh/ole")).await.unwrap();
    let mut draft = Draft::new(key("dr/aft"));
    let half = size / 4;
    store.append(&mut draft, &mut bytes(0..half)).await.unwrap();
    store
        .append(&mut draft, &mut bytes(half..2 * half))
        .await
        .unwrap();
    assert_eq!(store.finish(&draft).await.unwrap().size_bytes, 2 * half);
    store.delete(&key("dr/aft")).await.unwrap();
}

/// Does nothing unless a parent asks for it.
#[tokio::test]
async fn child_that_transfers() {
    let (store, size): (Box<dyn BlobStore>, u64) = if let Ok(folder) = std::env::var(FOLDER) {
        let directory = crate::directory::in_folder(folder.as_ref()).await;
        (Box::new(directory), 5 * GB)
    } else if let Ok(bucket) = std::env::var(BUCKET) {
        let mut words = bucket.split(' ').map(str::to_owned);
        let mut word = || words.next().unwrap();
        let config = S3Config {
            endpoint: word(),
            bucket: word(),
            access_key_id: word(),
            secret_key: Secret::new(word()),
            region: "us-east-1".to_owned(),
            prefix: String::new(),
            path_style: true,
            ca_file: None,
            setting: "files".to_owned(),
        };
        (Box::new(S3::new(config).unwrap()), 300 * MB)
    } else {
        return;
    };
    // What a process needs once: code, connections, the runtime's threads.
    transfer(&*store, MB).await;
    let before = resident("VmRSS:");
    forget_peak();
    transfer(&*store, size).await;
    let taken = resident("VmHWM:").saturating_sub(before);
    println!("{size} bytes took {taken} bytes of memory");
    let limit = u64::try_from(TRANSFER_MEMORY_BYTES).unwrap();
    assert!(
        taken < limit,
        "{taken} bytes of memory, {limit} are allowed"
    );
}

fn run_child(name: &str, value: &str) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["memory::child_that_transfers", "--exact", "--nocapture"])
        .env(name, value)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&child.stderr)
    );
    let line = said.lines().find(|line| line.contains("bytes of memory"));
    println!("{}", line.expect("the child tells what it took"));
}

#[tokio::test]
async fn five_gigabytes_into_a_folder_and_back_take_16_megabytes() {
    // Beside the build: /tmp may be memory.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let free = storage::space::free_bytes(dir.path()).unwrap();
    assert!(
        free > 6 * GB,
        "{free} bytes are free in `target`: this test needs 6 GB"
    );
    run_child(FOLDER, dir.path().to_str().unwrap());
}

#[tokio::test]
async fn three_hundred_megabytes_into_s3_and_back_take_16_megabytes() {
    let server = Server::start(Kind::Moto).await;
    let config = server.config();
    let words = [
        config.endpoint.as_str(),
        &config.bucket,
        &config.access_key_id,
        config.secret_key.expose(),
    ];
    run_child(BUCKET, &words.join(" "));
}
