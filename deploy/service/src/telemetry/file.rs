//! A log file that is put away and compressed when it has grown large. Nothing is ever deleted.
//!
//! `rtcd.log` is the one being written; `rtcd.log.1.gz` the one before it, and so on. Compressing is
//! done by a thread of its own: nobody waits for it to log, but for the one before it.
//! Invariant: only the account of the service reads any of them; what was written is in one of them,
//! whenever the process ends.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::private;

/// Size in bytes at which a file is put away, as the reference has it.
const LARGE: u64 = 100 << 20;

/// Opens the log file at `path`, or goes on with it.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Write + Send>> {
    open_with(path, LARGE)
}

fn open_with(path: &Path, large: u64) -> io::Result<Box<dyn Write + Send>> {
    // Made here, because it is open to nobody else from the first moment on.
    let file = private::append(path)?;
    let known = file.metadata()?;
    if !known.is_file() {
        // A pipe or a terminal cannot be put away, and its mode is not ours to change.
        return Ok(Box::new(file));
    }
    Ok(Box::new(Rolling {
        path: path.to_path_buf(),
        file,
        written: known.len(),
        large,
        packing: None,
    }))
}

/// The file being written, and what is done with the one before it.
struct Rolling {
    path: PathBuf,
    file: File,
    written: u64,
    large: u64,
    packing: Option<JoinHandle<io::Result<()>>>,
}

impl Rolling {
    fn put_away(&mut self) -> io::Result<()> {
        if let Some(packing) = self.packing.take() {
            // A file that could not be packed stays as it is, under its number.
            let _ = packing.join();
        }
        self.make_room(1)?;
        let away = self.numbered(1, "");
        fs::rename(&self.path, &away)?;
        self.file = private::append(&self.path)?;
        self.written = 0;
        let packed = self.numbered(1, ".gz");
        self.packing = Some(std::thread::spawn(move || pack(&away, &packed)));
        Ok(())
    }

    /// Gives every file from this number on the next one.
    fn make_room(&self, number: u32) -> io::Result<()> {
        for ending in ["", ".gz"] {
            let taken = self.numbered(number, ending);
            if taken.exists() {
                self.make_room(number + 1)?;
                return fs::rename(taken, self.numbered(number + 1, ending));
            }
        }
        Ok(())
    }

    fn numbered(&self, number: u32, ending: &str) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}{ending}"));
        PathBuf::from(name)
    }
}

impl Write for Rolling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let more = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.written > 0 && self.written.saturating_add(more) > self.large {
            self.put_away()?;
        }
        let written = self.file.write(bytes)?;
        self.written += u64::try_from(written).unwrap_or(0);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Under its name only once it is whole: a pack that broke off leaves the original.
fn pack(away: &Path, packed: &Path) -> io::Result<()> {
    let part = away.with_extension("part");
    let mut encoder = GzEncoder::new(private::create(&part)?, Compression::default());
    io::copy(&mut File::open(away)?, &mut encoder)?;
    encoder.finish()?.sync_all()?;
    fs::rename(&part, packed)?;
    fs::remove_file(away)
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

    fn unpacked(path: &Path) -> String {
        let mut text = String::new();
        let mut decoder = flate2::read::GzDecoder::new(File::open(path).unwrap());
        io::Read::read_to_string(&mut decoder, &mut text).unwrap();
        text
    }

    #[test]
    fn large_files_are_put_away_and_compressed_the_newest_first() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rtcd.log");
        let mut log = open_with(&path, 10).unwrap();
        for line in ["12345678\n", "second\n", "third\n", "next\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), b"next\n");
        assert_eq!(mode(&path), 0o600, "others read the log");

        let packed = |number: u32| directory.path().join(format!("rtcd.log.{number}.gz"));
        let deadline = Instant::now() + Duration::from_secs(10);
        let names = || -> Vec<_> {
            let entries = fs::read_dir(directory.path()).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).collect()
        };
        while names().len() != 4 || !packed(1).is_file() {
            assert!(Instant::now() < deadline, "not compressed: {:?}", names());
            std::thread::yield_now();
        }
        assert_eq!(mode(&packed(1)), 0o600, "others read what was put away");
        let kept = [1, 2, 3].map(|number| unpacked(&packed(number)));
        assert_eq!(kept, ["third\n", "second\n", "12345678\n"]);
    }

    #[test]
    fn what_could_not_be_compressed_keeps_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rtcd.log");
        fs::write(directory.path().join("rtcd.log.1"), "left by a crash\n").unwrap();
        let mut log = open_with(&path, 10).unwrap();
        log.write_all(b"12345678\n").unwrap();
        log.write_all(b"next\n").unwrap();
        let older = fs::read_to_string(directory.path().join("rtcd.log.2")).unwrap();
        assert_eq!(older, "left by a crash\n");
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
