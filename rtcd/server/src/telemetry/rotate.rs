//! A log file that is renamed and compressed when it has grown large. Nothing is ever deleted.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;
use service::private;

/// Size at which a file is put away, in bytes.
const LARGE: u64 = 100 * 1024 * 1024;

/// An open log file.
#[derive(Debug)]
pub(super) struct RotatingFile {
    path: PathBuf,
    file: File,
    size: u64,
    large: u64,
}

impl RotatingFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::with_size(path, LARGE)
    }

    fn with_size(path: &Path, large: u64) -> io::Result<Self> {
        let file = private::append(path)?;
        let size = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            file,
            size,
            large,
        })
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file.flush()?;
        let put_away = free_name(&self.path);
        std::fs::rename(&self.path, &put_away)?;
        self.file = private::append(&self.path)?;
        self.size = 0;
        // Compressing takes seconds: not while somebody waits to log. Failing leaves it as it is.
        std::thread::spawn(move || compress(&put_away));
        Ok(())
    }
}

impl Write for RotatingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.size > 0 && self.size.saturating_add(len) > self.large {
            self.rotate()?;
        }
        let written = self.file.write(bytes)?;
        self.size = self
            .size
            .saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn free_name(path: &Path) -> PathBuf {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    (0u32..)
        .map(|count| {
            let millis = since.as_millis();
            path.with_file_name(format!("{stem}-{millis}-{count}.{extension}"))
        })
        .find(|name| !name.exists())
        .unwrap_or_else(|| path.with_extension("old"))
}

fn compress(path: &Path) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".gz");
    let mut encoder = GzEncoder::new(private::create(Path::new(&name))?, Compression::default());
    io::copy(&mut File::open(path)?, &mut encoder)?;
    encoder.finish()?.sync_all()?;
    std::fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_large_file_is_put_away_and_compressed_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rtcd.log");
        let mut log = RotatingFile::with_size(&path, 10).unwrap();
        log.write_all(b"12345678\n").unwrap();
        log.write_all(b"next\n").unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "others read the log");
        assert_eq!(std::fs::read(&path).unwrap(), b"next\n");

        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let names: Vec<PathBuf> = std::fs::read_dir(directory.path())
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|entry| entry != &path)
                .collect();
            if let [only] = names.as_slice()
                && only.extension().is_some_and(|extension| extension == "gz")
            {
                let mut text = String::new();
                flate2::read::GzDecoder::new(File::open(only).unwrap())
                    .read_to_string(&mut text)
                    .unwrap();
                assert_eq!(text, "12345678\n");
                return;
            }
            assert!(Instant::now() < deadline, "not compressed: {names:?}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn an_existing_file_is_continued() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rtcd.log");
        std::fs::write(&path, "old\n").unwrap();
        RotatingFile::open(&path)
            .unwrap()
            .write_all(b"new\n")
            .unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old\nnew\n");
    }
}
