//! A folder: the suite, who may read it, a full disk, a name that is taken.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use futures_util::stream;
use storage::blob::BoxError;
use storage::blob::conformance::{self, key, noise, put};
use storage::blob::{BlobError, BlobStore as _, Directory, DirectoryConfig, Draft};
use tempfile::TempDir;

pub(crate) async fn in_folder(dir: &Path) -> Directory {
    let config = DirectoryConfig {
        blobs: dir.join("deep/files"),
        drafts: dir.join("deep/uploads"),
        setting: "storage.data_dir".to_owned(),
    };
    Directory::open(config).await.unwrap()
}

async fn fresh() -> (TempDir, Directory) {
    let dir = tempfile::tempdir().unwrap();
    let directory = in_folder(dir.path()).await;
    (dir, directory)
}

fn everything_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything_in(&path));
        }
        found.push(path);
    }
    found
}

#[tokio::test]
async fn a_folder_does_what_every_place_does() {
    let (dir, directory) = fresh().await;
    conformance::everything(&directory).await;
    conformance::begun_transfers_are_swept(&directory, true).await;
    let files = everything_in(dir.path());
    let left: Vec<_> = files.iter().filter(|path| path.is_file()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn nobody_else_may_read_whatever_the_umask() {
    let dir = tempfile::tempdir().unwrap();
    // As an older version, or a generous umask, left it.
    let old = dir.path().join("deep/files");
    std::fs::create_dir_all(&old).unwrap();
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o755)).unwrap();
    let directory = in_folder(dir.path()).await;
    put(&directory, "ab/abc", 0..10).await;
    let mut draft = Draft::new(key("ab/abd"));
    let mut pieces = stream::iter([Ok::<_, BoxError>(noise(0..10))]);
    directory.append(&mut draft, &mut pieces).await.unwrap();
    let mut seen = 0;
    for path in everything_in(dir.path()) {
        if path == dir.path().join("deep") {
            continue; // it was there before
        }
        let mode = path.metadata().unwrap().mode() & 0o777;
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, wanted, "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, 5, "two folders, a shelf, a blob and a draft");
}

#[tokio::test]
async fn errors_name_the_key_the_folder_and_the_setting() {
    let (dir, directory) = fresh().await;
    std::fs::write(
        dir.path().join("deep/files/ab"),
        b"a file where a shelf belongs",
    )
    .unwrap();
    let mut pieces = stream::iter([Ok::<_, BoxError>(noise(0..10))]);
    let error = directory.put(&key("ab/abc"), None, &mut pieces).await;
    let error = error.unwrap_err();
    assert!(matches!(error, BlobError::Failed { .. }), "{error:?}");
    let text = error.to_string();
    let folder = dir.path().join("deep/files");
    for part in ["`ab/abc`", folder.to_str().unwrap(), "`storage.data_dir`"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(directory.info(&key("ab/abc")).await.unwrap(), None);
    let drafts = std::fs::read_dir(dir.path().join("deep/uploads")).unwrap();
    assert_eq!(drafts.count(), 0, "what could not be published is gone");
}

#[tokio::test]
async fn a_volume_without_space_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let directory = in_folder(dir.path()).await;
    // The device that is always full stands for the volume.
    let draft = Draft::named(key("fu/ll"), "full").unwrap();
    std::os::unix::fs::symlink("/dev/full", dir.path().join("deep/uploads/full")).unwrap();
    let mut pieces = stream::iter([Ok::<_, BoxError>(noise(0..10))]);
    let error = directory.append(&mut draft.clone(), &mut pieces).await;
    assert!(matches!(error, Err(BlobError::Full { .. })), "{error:?}");
    assert!(
        directory
            .free_bytes()
            .await
            .unwrap()
            .is_some_and(|free| free > 0)
    );
}
