//! The packets of one track on disk: an append-only log that survives being cut at any byte.
//!
//! ```text
//! body = arrival_us i64 | seq_no u64 | time u64 | flags u8 | payload
//!        (numbers little-endian; flags bit 0: marker, bit 1: AV1; see `records` for what is around it)
//! ```
//! In: packets in order of arrival. Out: the same packets, up to the first record that is cut or
//! damaged. Not here: order and gaps (`jitter`), when to flush (`writer`).

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use super::records::{Magic, RecordReader, RecordWriter};
use crate::client::Coding;

const MAGIC: Magic = *b"PRLYTRK1";
const HEAD: usize = 25;
/// Longest payload; no RTP packet is longer.
const MAX_PAYLOAD: usize = 4096;

/// A packet as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedPacket {
    /// Microseconds from the recording's zero to the arrival; negative before it.
    pub arrival_us: i64,
    /// Unwrapped sequence number.
    pub seq_no: u64,
    /// Unwrapped RTP timestamp.
    pub time: u64,
    pub marker: bool,
    pub coding: Coding,
    pub payload: Vec<u8>,
}

/// Writes a log.
#[derive(Debug)]
pub struct LogWriter {
    records: RecordWriter,
}

impl LogWriter {
    /// Begins a log.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let records = RecordWriter::create(path, MAGIC)?;
        Ok(Self { records })
    }

    /// Adds a packet. Payloads that no packet can have are left out.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn append(&mut self, packet: &LoggedPacket) -> io::Result<()> {
        if packet.payload.len() > MAX_PAYLOAD {
            return Ok(());
        }
        self.records.append(&encode(packet))
    }

    /// Hands everything to the operating system: it now survives the death of this process.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn flush(&mut self) -> io::Result<()> {
        self.records.flush()
    }

    /// Hands everything to the disk: it now survives the death of this machine.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&mut self) -> io::Result<()> {
        self.records.sync()
    }
}

fn encode(packet: &LoggedPacket) -> Vec<u8> {
    let mut body = Vec::with_capacity(HEAD + packet.payload.len());
    body.extend_from_slice(&packet.arrival_us.to_le_bytes());
    body.extend_from_slice(&packet.seq_no.to_le_bytes());
    body.extend_from_slice(&packet.time.to_le_bytes());
    body.push(u8::from(packet.marker) | u8::from(packet.coding == Coding::Av1) << 1);
    body.extend_from_slice(&packet.payload);
    body
}

/// Reads a log; ends at the first record that is cut or damaged. Of a log that still grows there is
/// more when it is asked again.
#[derive(Debug)]
pub struct LogReader<R> {
    records: RecordReader<R>,
}

impl LogReader<BufReader<File>> {
    /// Opens a log.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let records = RecordReader::open(path, MAGIC, HEAD + MAX_PAYLOAD)?;
        Ok(Self { records })
    }
}

impl<R: Read + Seek> LogReader<R> {
    /// Reads from anything. A file that does not begin as a log is empty.
    pub fn new(input: R) -> Self {
        let records = RecordReader::new(input, MAGIC, HEAD + MAX_PAYLOAD);
        Self { records }
    }
}

fn decode(body: &[u8]) -> Option<LoggedPacket> {
    let (arrival, rest) = body.split_first_chunk::<8>()?;
    let (seq_no, rest) = rest.split_first_chunk::<8>()?;
    let (time, rest) = rest.split_first_chunk::<8>()?;
    let (flags, payload) = rest.split_first()?;
    Some(LoggedPacket {
        arrival_us: i64::from_le_bytes(*arrival),
        seq_no: u64::from_le_bytes(*seq_no),
        time: u64::from_le_bytes(*time),
        marker: flags & 1 == 1,
        coding: if flags & 2 == 2 {
            Coding::Av1
        } else {
            Coding::Usual
        },
        payload: payload.to_vec(),
    })
}

impl<R: Read + Seek> Iterator for LogReader<R> {
    type Item = LoggedPacket;

    fn next(&mut self) -> Option<LoggedPacket> {
        decode(&self.records.read()?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::records;
    use super::*;

    fn packets() -> Vec<LoggedPacket> {
        (0u8..9)
            .map(|n| LoggedPacket {
                arrival_us: i64::from(n) * 20_000 - 5,
                seq_no: u64::from(n) + (1 << 40),
                time: u64::from(n) * 960,
                marker: n % 3 == 0,
                coding: if n % 2 == 0 {
                    Coding::Usual
                } else {
                    Coding::Av1
                },
                payload: vec![n; usize::from(n) * 7],
            })
            .collect()
    }

    #[test]
    fn cut_at_any_byte_it_gives_every_whole_packet_before_the_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t");
        let mut writer = LogWriter::create(&path).unwrap();
        let mut ends = vec![];
        for packet in packets() {
            writer.append(&packet).unwrap();
            writer.sync().unwrap();
            ends.push(std::fs::metadata(&path).unwrap().len());
        }
        let bytes = std::fs::read(&path).unwrap();
        for cut in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= cut as u64).count();
            let read: Vec<_> = LogReader::new(Cursor::new(&bytes[..cut])).collect();
            assert_eq!(read, packets()[..whole], "cut at {cut}");
        }
    }

    #[test]
    fn a_damaged_byte_ends_the_log_there_and_never_changes_a_packet() {
        let mut bytes = MAGIC.to_vec();
        packets()
            .iter()
            .for_each(|packet| bytes.extend(records::encode(&encode(packet))));
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 0x55;
            let read: Vec<_> = LogReader::new(Cursor::new(&damaged)).collect();
            assert!(packets().starts_with(&read), "byte {index}");
            assert!(read.len() < 9, "byte {index}");
        }
    }
}
