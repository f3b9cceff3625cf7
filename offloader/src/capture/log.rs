//! The packets of one track on disk: an append-only log that survives being cut at any byte.
//!
//! ```text
//! file   = "PRLYTRK1" record*
//! record = length u32 | crc32 u32 | arrival_us i64 | seq_no u64 | time u64 | flags u8 | payload
//!          (length counts from arrival_us on; all numbers little-endian; flags bit 0: marker)
//! ```
//! In: packets in order of arrival. Out: the same packets, up to the first record that is cut or
//! damaged. Not here: order and gaps (`jitter`), when to flush (`writer`).

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use flate2::Crc;

const MAGIC: &[u8; 8] = b"PRLYTRK1";
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
    pub payload: Vec<u8>,
}

/// Writes a log.
#[derive(Debug)]
pub struct LogWriter {
    file: BufWriter<File>,
}

impl LogWriter {
    /// Begins a log.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(MAGIC)?;
        Ok(Self { file })
    }

    /// Adds a packet. Payloads that no packet can have are left out.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn append(&mut self, packet: &LoggedPacket) -> io::Result<()> {
        if packet.payload.len() > MAX_PAYLOAD {
            return Ok(());
        }
        self.file.write_all(&encode(packet))
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

fn encode(packet: &LoggedPacket) -> Vec<u8> {
    let mut body = Vec::with_capacity(HEAD + packet.payload.len());
    body.extend_from_slice(&packet.arrival_us.to_le_bytes());
    body.extend_from_slice(&packet.seq_no.to_le_bytes());
    body.extend_from_slice(&packet.time.to_le_bytes());
    body.push(u8::from(packet.marker));
    body.extend_from_slice(&packet.payload);
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut record = Vec::with_capacity(8 + body.len());
    record.extend_from_slice(&length.to_le_bytes());
    record.extend_from_slice(&checksum(&body).to_le_bytes());
    record.extend_from_slice(&body);
    record
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Reads a log; ends at the first record that is cut or damaged.
#[derive(Debug)]
pub struct LogReader<R> {
    input: R,
}

impl LogReader<BufReader<File>> {
    /// Opens a log.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self::new(BufReader::new(File::open(path)?)))
    }
}

impl<R: Read> LogReader<R> {
    /// Reads from anything. A file that does not begin as a log is empty.
    pub fn new(mut input: R) -> Self {
        let mut magic = [0; MAGIC.len()];
        let good = input.read_exact(&mut magic).is_ok() && magic == *MAGIC;
        if !good {
            // Used up: the next read finds the end.
            let _ = io::copy(&mut input, &mut io::sink());
        }
        Self { input }
    }

    fn read(&mut self) -> Option<LoggedPacket> {
        let length = usize::try_from(u32::from_le_bytes(self.array()?)).ok()?;
        let sum = u32::from_le_bytes(self.array()?);
        if !(HEAD..=HEAD + MAX_PAYLOAD).contains(&length) {
            return None;
        }
        let mut body = vec![0; length];
        self.input.read_exact(&mut body).ok()?;
        if checksum(&body) != sum {
            return None;
        }
        decode(&body)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).ok()?;
        Some(bytes)
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
        payload: payload.to_vec(),
    })
}

impl<R: Read> Iterator for LogReader<R> {
    type Item = LoggedPacket;

    fn next(&mut self) -> Option<LoggedPacket> {
        self.read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets() -> Vec<LoggedPacket> {
        (0u8..9)
            .map(|n| LoggedPacket {
                arrival_us: i64::from(n) * 20_000 - 5,
                seq_no: u64::from(n) + (1 << 40),
                time: u64::from(n) * 960,
                marker: n % 3 == 0,
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
            let read: Vec<_> = LogReader::new(&bytes[..cut]).collect();
            assert_eq!(read, packets()[..whole], "cut at {cut}");
        }
    }

    #[test]
    fn a_damaged_byte_ends_the_log_there_and_never_changes_a_packet() {
        let mut bytes = MAGIC.to_vec();
        packets()
            .iter()
            .for_each(|packet| bytes.extend(encode(packet)));
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 0x55;
            let read: Vec<_> = LogReader::new(damaged.as_slice()).collect();
            assert!(packets().starts_with(&read), "byte {index}");
            assert!(read.len() < 9, "byte {index}");
        }
    }
}
