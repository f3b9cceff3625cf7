//! A log file that is put away and compressed when it has grown large. Nothing is ever deleted.
//!
//! `rtcd.log` is the one being written; `rtcd.log.1.gz` the one before it, and so on. Putting away and
//! compressing is `logroller`'s, on a thread of its own: nobody waits for it to log.
//! Invariant: only the account of the service reads any of them.

use std::io::{self, Write};
use std::path::Path;

use logroller::{Compression, LogRollerBuilder, Rotation, RotationSize};

use crate::private;

/// Size at which a file is put away, as the reference has it.
const LARGE: RotationSize = RotationSize::MB(100);

/// Opens the log file at `path`, or goes on with it.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Write + Send>> {
    open_with(path, LARGE)
}

fn open_with(path: &Path, large: RotationSize) -> io::Result<Box<dyn Write + Send>> {
    // Made here, because it is open to nobody else from the first moment on.
    let file = private::append(path)?;
    if !file.metadata()?.is_file() {
        // A pipe or a terminal cannot be put away, and its mode is not ours to change.
        return Ok(Box::new(file));
    }
    let folder = path.parent().filter(|parent| *parent != Path::new(""));
    let name = path.file_name().unwrap_or_default();
    let roller = LogRollerBuilder::new(folder.unwrap_or(Path::new(".")), Path::new(name))
        .rotation(Rotation::SizeBased(large))
        .compression(Compression::Gzip)
        .file_mode(private::FILE)
        .build()
        .map_err(io::Error::other)?;
    Ok(Box::new(roller))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::{Duration, Instant};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_large_file_is_put_away_and_compressed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rtcd.log");
        let mut log = open_with(&path, RotationSize::Bytes(10)).unwrap();
        log.write_all(b"12345678\n").unwrap();
        log.write_all(b"next\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"next\n");
        assert_eq!(mode(&path), 0o600, "others read the log");

        let packed = directory.path().join("rtcd.log.1.gz");
        let deadline = Instant::now() + Duration::from_secs(10);
        let names = || -> Vec<_> {
            let entries = fs::read_dir(directory.path()).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).collect()
        };
        while names().len() != 2 || !packed.is_file() {
            assert!(Instant::now() < deadline, "not compressed: {:?}", names());
            std::thread::yield_now();
        }
        assert_eq!(mode(&packed), 0o600, "others read what was put away");
        // The beginning of every gzip file (RFC 1952, 2.3.1), and not the text itself.
        assert_eq!(fs::read(&packed).unwrap().get(..2), Some(&[0x1f, 0x8b][..]));
    }

    #[test]
    fn an_existing_file_is_continued_and_closed_to_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rtcd.log");
        fs::write(&path, "old\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        open(&path).unwrap().write_all(b"new\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old\nnew\n");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn what_is_no_file_keeps_its_mode() {
        let null = Path::new("/dev/null");
        let before = mode(null);
        open(null).unwrap().write_all(b"gone\n").unwrap();
        assert_eq!(mode(null), before);
    }
}
