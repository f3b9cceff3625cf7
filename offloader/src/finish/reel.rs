//! The pictures of a film that are encoded already, in the job's folder: made while the call lasts.
//!
//! ```text
//! first record = what they were made with, then what a player must know first
//! each further = at i64 | flags u8 | bytes      (little-endian; flags bit 0: keyframe)
//! ```
//! In: encoded pictures. Out: the same, up to the first that is cut or damaged; whoever goes on
//! begins behind it with a keyframe. It is made of what is in the folder beside it: when it cannot be
//! used it is made anew, and nothing is lost.
//! Invariant: what is in one reel was made by encoders that begin their streams alike.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use crate::capture::records::{Magic, RecordReader, RecordWriter};
use crate::ffmpeg::Coded;

const MAGIC: Magic = *b"PRLYREL1";
/// No encoded picture is longer, in bytes.
const LONGEST: usize = 64 << 20;

/// A reel that is added to.
#[derive(Debug)]
pub struct Reel {
    writer: RecordWriter,
    /// When the last picture is shown, in 1/90000 s.
    last: Option<i64>,
}

/// Where a folder's reel lies.
#[must_use]
pub fn path(folder: &Path) -> PathBuf {
    folder.join("film.reel")
}

impl Reel {
    /// Goes on with the reel of a folder if it was made with the same `make`, else begins one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn open(folder: &Path, make: &[u8]) -> io::Result<Self> {
        let path = path(folder);
        if let Some((last, end)) = survey(&path, make) {
            let writer = RecordWriter::go_on(&path, end)?;
            return Ok(Self { writer, last });
        }
        let mut writer = RecordWriter::create(&path, MAGIC)?;
        writer.append(make)?;
        Ok(Self { writer, last: None })
    }

    /// When the last picture is shown, in 1/90000 s; `None` while there is none.
    #[must_use]
    pub fn last(&self) -> Option<i64> {
        self.last
    }

    /// Adds pictures.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn add(&mut self, pictures: &[Coded]) -> io::Result<()> {
        for picture in pictures {
            let mut body = picture.at.to_le_bytes().to_vec();
            body.push(u8::from(picture.key));
            body.extend_from_slice(&picture.bytes);
            self.writer.append(&body)?;
            self.last = Some(picture.at);
        }
        Ok(())
    }

    /// Hands everything to the operating system. That is enough: see above.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// When the last whole picture is shown and where it ends; `None` when the reel is another's.
fn survey(path: &Path, make: &[u8]) -> Option<(Option<i64>, u64)> {
    let mut records = RecordReader::open(path, MAGIC, LONGEST).ok()?;
    if records.read()? != make {
        return None;
    }
    let mut last = None;
    let mut end = records.end();
    while let Some(body) = records.read() {
        last = Some(decode(body)?.at);
        end = records.end();
    }
    Some((last, end))
}

fn decode(mut body: Vec<u8>) -> Option<Coded> {
    let (at, rest) = body.split_first_chunk::<8>()?;
    let (at, flags) = (i64::from_le_bytes(*at), *rest.first()?);
    Some(Coded {
        at,
        key: flags & 1 == 1,
        bytes: body.split_off(9),
    })
}

/// The pictures of a reel, from the first on.
#[derive(Debug)]
pub struct Pictures {
    records: RecordReader<BufReader<File>>,
}

impl Pictures {
    /// Opens a folder's reel.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let mut records = RecordReader::open(&path(folder), MAGIC, LONGEST)?;
        // What it was made with is known by whoever opened it to add to it.
        let _ = records.read();
        Ok(Self { records })
    }
}

impl Iterator for Pictures {
    type Item = Coded;

    fn next(&mut self) -> Option<Coded> {
        decode(self.records.read()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(at: i64) -> Coded {
        Coded {
            at,
            key: at % 2 == 0,
            bytes: vec![7; usize::try_from(at).unwrap()],
        }
    }

    #[test]
    fn cut_anywhere_it_is_gone_on_with_behind_the_last_whole_picture() {
        let folder = tempfile::tempdir().unwrap();
        let mut reel = Reel::open(folder.path(), b"make").unwrap();
        reel.add(&[coded(1), coded(2), coded(3)]).unwrap();
        reel.flush().unwrap();
        let whole = std::fs::read(path(folder.path())).unwrap();
        for cut in 0..=whole.len() {
            std::fs::write(path(folder.path()), &whole[..cut]).unwrap();
            let mut reel = Reel::open(folder.path(), b"make").unwrap();
            let kept = reel.last().unwrap_or(0);
            assert!(kept > 0 || cut < whole.len() - 3, "cut at {cut}");
            reel.add(&[coded(9)]).unwrap();
            reel.flush().unwrap();
            let read: Vec<_> = Pictures::open(folder.path()).unwrap().collect();
            let expected: Vec<_> = (1..=kept).chain([9]).map(coded).collect();
            assert_eq!(read, expected, "cut at {cut}");
        }
        let other = Reel::open(folder.path(), b"another make").unwrap();
        assert_eq!(other.last(), None);
    }
}
