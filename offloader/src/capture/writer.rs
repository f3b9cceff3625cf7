//! The thread that writes a capture to disk, so that a slow disk never stops the network side.
//!
//! In: packets and journal entries, over one queue. Out: files.
//! What is shed: when too much waits (the disk stands still) packets are dropped and counted;
//! journal entries are few and always taken. Nobody who hands something in waits for the disk.
//! Invariant: what was accepted is with the operating system within `FLUSH_EVERY` and on the disk
//! within `SYNC_EVERY`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::journal::{Entry, Journal};
use super::log::{LogWriter, LoggedPacket};
use crate::client::TrackKey;

const FLUSH_EVERY: Duration = Duration::from_millis(500);
const SYNC_EVERY: Duration = Duration::from_secs(2);
/// Packets that may wait for the disk: half a minute of ten speakers and a screen.
const MOST_WAITING: usize = 32_768;

enum Message {
    Packet(TrackKey, LoggedPacket),
    Entry(Entry),
}

/// The sending end.
#[derive(Debug)]
pub struct Writer {
    queue: Option<Sender<Message>>,
    /// Packets handed in and not yet written.
    waiting: Arc<AtomicUsize>,
    thread: Option<JoinHandle<io::Result<()>>>,
    dropped: AtomicU64,
}

/// Where the log of a track lies.
#[must_use]
pub fn log_path(folder: &Path, track: TrackKey) -> PathBuf {
    folder.join(format!("track-{track:04}.rtplog"))
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the journal cannot be opened or no thread can be had.
    pub fn start(folder: &Path) -> io::Result<Self> {
        let journal = Journal::open(folder)?;
        let (queue, messages) = channel();
        let folder = folder.to_path_buf();
        let waiting = Arc::new(AtomicUsize::new(0));
        let written = waiting.clone();
        let thread = std::thread::Builder::new()
            .name("capture-writer".to_owned())
            .spawn(move || run(&folder, journal, &messages, &written))?;
        Ok(Self {
            queue: Some(queue),
            waiting,
            thread: Some(thread),
            dropped: AtomicU64::new(0),
        })
    }

    /// Writes a packet, soon.
    pub fn packet(&self, track: TrackKey, packet: LoggedPacket) {
        let Some(queue) = &self.queue else { return };
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= MOST_WAITING {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // The thread ends early only when the disk refuses, which `finish` tells.
        let _ = queue.send(Message::Packet(track, packet));
    }

    /// Writes an entry, soon. Never waits for the disk, so that async tasks may call it.
    pub fn entry(&self, entry: Entry) {
        if let Some(queue) = &self.queue {
            // The thread ends early only when the disk refuses, which `finish` tells.
            let _ = queue.send(Message::Entry(entry));
        }
    }

    /// Packets that were dropped because the disk stood still.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Packets that wait for the disk.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        u64::try_from(self.waiting.load(Ordering::Relaxed)).unwrap_or(u64::MAX)
    }

    /// Whether the disk refused something.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Writes what is left and hands it to the disk.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn finish(mut self) -> io::Result<()> {
        self.queue = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the writer panicked")),
            None => Ok(()),
        }
    }
}

fn run(
    folder: &Path,
    mut journal: Journal,
    messages: &Receiver<Message>,
    waiting: &AtomicUsize,
) -> io::Result<()> {
    let mut logs: BTreeMap<TrackKey, LogWriter> = BTreeMap::new();
    let (mut flushed, mut synced) = (Instant::now(), Instant::now());
    loop {
        match messages.recv_timeout(FLUSH_EVERY) {
            Ok(Message::Packet(track, packet)) => {
                let log = match logs.entry(track) {
                    std::collections::btree_map::Entry::Occupied(log) => log.into_mut(),
                    std::collections::btree_map::Entry::Vacant(place) => {
                        place.insert(LogWriter::create(&log_path(folder, track))?)
                    }
                };
                log.append(&packet)?;
                waiting.fetch_sub(1, Ordering::Relaxed);
            }
            Ok(Message::Entry(entry)) => {
                let urgent = !matches!(
                    entry,
                    Entry::Tick { .. } | Entry::Muted { .. } | Entry::Hand { .. }
                );
                if matches!(entry, Entry::Tick { .. }) {
                    // A tick says that what came before it can be read: `finish::film` relies on it.
                    logs.values_mut().try_for_each(LogWriter::flush)?;
                }
                journal.append(&entry)?;
                if urgent {
                    journal.sync()?;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                logs.values_mut().try_for_each(LogWriter::sync)?;
                return journal.sync();
            }
        }
        if synced.elapsed() >= SYNC_EVERY {
            logs.values_mut().try_for_each(LogWriter::sync)?;
            journal.sync()?;
            (flushed, synced) = (Instant::now(), Instant::now());
        } else if flushed.elapsed() >= FLUSH_EVERY {
            logs.values_mut().try_for_each(LogWriter::flush)?;
            flushed = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Coding;

    fn packet() -> LoggedPacket {
        LoggedPacket {
            arrival_us: 0,
            seq_no: 1,
            time: 0,
            marker: false,
            coding: Coding::Usual,
            payload: Vec::new(),
        }
    }

    /// A writer whose thread never takes anything: the disk stands still.
    fn standing_still() -> (Writer, Receiver<Message>) {
        let (queue, messages) = channel();
        let writer = Writer {
            queue: Some(queue),
            waiting: Arc::default(),
            thread: None,
            dropped: AtomicU64::new(0),
        };
        (writer, messages)
    }

    #[test]
    fn a_disk_that_stands_still_costs_packets_and_no_entry() {
        let (writer, messages) = standing_still();
        for _ in 0..MOST_WAITING + 10 {
            writer.packet(TrackKey::default(), packet());
        }
        for at_ms in 0..100 {
            writer.entry(Entry::Recovered { at_ms });
        }
        assert_eq!(writer.dropped(), 10);
        let entries = messages
            .try_iter()
            .filter(|message| matches!(message, Message::Entry(_)));
        assert_eq!(entries.count(), 100);
    }
}
