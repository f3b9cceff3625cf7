//! Records in a file, one after the other: survives being cut at any byte.
//!
//! ```text
//! file   = magic record*
//! record = length u32 | crc32 u32 | body     (length counts the body; numbers little-endian)
//! ```
//! In: bodies. Out: the same bodies, up to the first that is cut or damaged. A reader of a file that
//! still grows finds what has been added since when it asks again.
//! Not here: what a body says (`log`, `finish::reel`), when to flush (`writer`).

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::Crc;

/// First bytes of a file.
pub type Magic = [u8; 8];
/// Length and checksum.
const HEAD: usize = 8;

/// Writes records.
#[derive(Debug)]
pub struct RecordWriter {
    file: BufWriter<File>,
}

impl RecordWriter {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(path: &Path, magic: Magic) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(&magic)?;
        Ok(Self { file })
    }

    /// Goes on with a file behind its first `end` bytes; what comes after them is cut off.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn go_on(path: &Path, end: u64) -> io::Result<Self> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.set_len(end)?;
        file.seek(SeekFrom::End(0))?;
        let file = BufWriter::new(file);
        Ok(Self { file })
    }

    /// Adds a record.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn append(&mut self, body: &[u8]) -> io::Result<()> {
        self.file.write_all(&encode(body))
    }

    /// Hands everything to the operating system: it now survives the death of this process.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    /// Hands everything to the disk: it now survives the death of this machine.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_data()
    }
}

/// The bytes of a record. One write each, so that a reader seldom finds half of one.
pub(super) fn encode(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut record = Vec::with_capacity(HEAD + body.len());
    record.extend_from_slice(&length.to_le_bytes());
    record.extend_from_slice(&checksum(body).to_le_bytes());
    record.extend_from_slice(body);
    record
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Reads records.
#[derive(Debug)]
pub struct RecordReader<R> {
    input: R,
    magic: Magic,
    next: Next,
    longest: usize,
}

/// What stands where the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The file's first bytes, which may still have to be written.
    Magic,
    /// A record that begins there.
    Record(u64),
    /// Nothing: the file is of another kind.
    Foreign,
}

impl RecordReader<BufReader<File>> {
    /// Opens a file whose records are at most `longest` bytes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path, magic: Magic, longest: usize) -> io::Result<Self> {
        Ok(Self::new(BufReader::new(File::open(path)?), magic, longest))
    }
}

impl<R: Read + Seek> RecordReader<R> {
    /// Reads from anything. A file that begins with something else than `magic` is empty; one that does
    /// not begin yet may still grow.
    pub fn new(input: R, magic: Magic, longest: usize) -> Self {
        Self {
            input,
            magic,
            next: Next::Magic,
            longest,
        }
    }

    /// The next record; `None` when no whole one is there, or not yet.
    pub fn read(&mut self) -> Option<Vec<u8>> {
        let begin = self.begin()?;
        let body = self.whole();
        match &body {
            Some(body) => {
                let length = u64::try_from(HEAD + body.len()).unwrap_or(u64::MAX);
                self.next = Next::Record(begin.saturating_add(length));
            }
            // The rest of it may still be written.
            None => self.back_to(begin),
        }
        body
    }

    /// How many bytes hold whole records, as far as was read; 0 of a file of another kind.
    pub fn end(&self) -> u64 {
        match self.next {
            Next::Record(at) => at,
            Next::Magic | Next::Foreign => 0,
        }
    }

    /// Where the next record begins, if the file is one of these.
    fn begin(&mut self) -> Option<u64> {
        if self.next == Next::Magic {
            match self.array() {
                Some(first) if first == self.magic => {
                    self.next = Next::Record(u64::try_from(first.len()).unwrap_or(0));
                }
                Some(_) => self.next = Next::Foreign,
                None => self.back_to(0),
            }
        }
        match self.next {
            Next::Record(at) => Some(at),
            Next::Magic | Next::Foreign => None,
        }
    }

    fn back_to(&mut self, at: u64) {
        if self.input.seek(SeekFrom::Start(at)).is_err() {
            self.next = Next::Foreign;
        }
    }

    fn whole(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(u32::from_le_bytes(self.array()?)).ok()?;
        let sum = u32::from_le_bytes(self.array()?);
        if length > self.longest {
            return None;
        }
        let mut body = vec![0; length];
        self.input.read_exact(&mut body).ok()?;
        (checksum(&body) == sum).then_some(body)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: Magic = *b"TESTTEST";

    #[test]
    fn a_reader_follows_a_file_that_grows_and_a_writer_goes_on_behind_what_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t");
        let mut writer = RecordWriter::create(&path, MAGIC).unwrap();
        writer.append(b"one").unwrap();
        // The reader is there before anything is.
        let mut reader = RecordReader::open(&path, MAGIC, 100).unwrap();
        assert_eq!((reader.read(), reader.end()), (None, 0));
        writer.flush().unwrap();
        assert_eq!(reader.read().as_deref(), Some(b"one".as_slice()));
        assert_eq!(reader.read(), None);
        let whole = reader.end();
        // Half a record, then the whole of it.
        let record = encode(b"two");
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        for bytes in [&record[..5], &record[5..10]] {
            file.write_all(bytes).unwrap();
            assert_eq!(reader.read(), None);
        }
        assert_eq!(reader.end(), whole);
        file.write_all(&record[10..]).unwrap();
        assert_eq!(reader.read().as_deref(), Some(b"two".as_slice()));

        let mut writer = RecordWriter::go_on(&path, whole).unwrap();
        writer.append(b"three").unwrap();
        writer.sync().unwrap();
        let mut reader = RecordReader::open(&path, MAGIC, 100).unwrap();
        let all: Vec<_> = std::iter::from_fn(|| reader.read()).collect();
        assert_eq!(all, [b"one".to_vec(), b"three".to_vec()]);
    }
}
