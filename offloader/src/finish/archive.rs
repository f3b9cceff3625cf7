//! Everything that was sent, as it was sent: one Matroska file per recording, and one per voice.
//!
//! In: the plan and its logs; the transcript when there is one. Out: files in which nothing was encoded
//! anew: a track per voice and screen with its person's name, chapters, subtitles.
//! The archive is made with the recording. A transcript is another job, which ends later: it copies the
//! archive once more, with its text beside the rest, and so nobody waits for it.
//! Invariant: a file under its final name is complete.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};

use proto::rtcd::TrackType;

use super::chapters::chapters;
use super::plan::{Plan, PlannedTrack};
use super::sound::PlacedPackets;
use super::{FinishError, keep};
use crate::capture::av1;
use crate::capture::jitter::Ordered;
use crate::capture::picture::{Assembler, Picture, PicturePacket};
use crate::client::Coding;
use crate::ffmpeg::{self, Item, Matroska, PictureDecoder, SoundKind, Track, TrackKind};
use crate::opus::RATE;
use crate::speech::Utterance;

/// Clock of pictures in RTP.
const PICTURE_CLOCK: u32 = 90_000;

/// What a track says next.
type Items = Box<dyn Iterator<Item = Item>>;

/// Makes the archive of a recording.
///
/// # Errors
/// When a file cannot be read or written.
pub fn make_archive(plan: &Plan, path: &Path) -> Result<(), FinishError> {
    ffmpeg::init();
    let mut tracks = Vec::new();
    let mut sources = Vec::new();
    for track in &plan.tracks {
        if let Some((kind, items)) = open(track)? {
            let name = plan.name(&track.session);
            let title = match track.kind {
                TrackType::Screen | TrackType::ScreenAudio => format!("{name} (screen)"),
                TrackType::Voice | TrackType::Video => name,
            };
            tracks.push(Track { kind, title });
            sources.push(items);
        }
    }
    if tracks.is_empty() {
        // Nobody said or showed anything; a file of Matroska has at least one track.
        return Ok(());
    }
    write(path, &plan.title, &tracks, sources, plan)
}

/// Puts a transcript beside the tracks of an archive: who says what, from when until when.
///
/// # Errors
/// When the archive cannot be read or written anew.
pub fn add_transcript(path: &Path, said: &[Utterance]) -> Result<(), FinishError> {
    ffmpeg::init();
    let us = |ms: u64| i64::try_from(ms.saturating_mul(1000)).unwrap_or(i64::MAX);
    let lines = said.iter().map(|said| Item {
        at_us: us(said.start_ms),
        duration_us: us(said.end_ms.saturating_sub(said.start_ms)),
        key: true,
        bytes: format!("{}: {}", said.speaker, said.text).into_bytes(),
    });
    let lines: Vec<_> = lines.collect();
    let part = path.with_extension("part");
    ffmpeg::with_text(path, &part, "Transcript", &lines).map_err(FinishError::Media)?;
    keep(&part, path)
}

/// Makes the recording that browsers play without anything encoded anew but the mix: the shared
/// screens as they were sent, one after the other, and the sound.
///
/// # Errors
/// When a file cannot be read or written, or FFmpeg lacks an encoder.
pub fn make_webm(plan: &Plan, kbps: u32, path: &Path) -> Result<(), FinishError> {
    let mix = path.with_extension("mix");
    super::make_sound(plan, SoundKind::Opus, kbps, &mix)?;
    let mut tracks = vec![named(TrackKind::Opus, "")];
    // One picture track, as players show no more: what is shared next takes the place. What is coded in
    // another way cannot, and lies beside it.
    let mut screens: Vec<(TrackKind, Vec<Items>)> = Vec::new();
    for track in plan.tracks.iter().filter(|t| t.kind == TrackType::Screen) {
        let Some((kind, items)) = open(track)? else {
            continue;
        };
        match screens
            .iter_mut()
            .find(|(known, _)| known.is_coded_as(&kind))
        {
            Some((_, all)) => all.push(items),
            None => screens.push((kind, vec![items])),
        }
    }
    let sound: Items = Box::new(ffmpeg::packets(&mix).map_err(FinishError::Media)?);
    let mut sources = vec![sound];
    for (kind, all) in screens {
        tracks.push(named(kind, ""));
        let mut shown = i64::MIN;
        let rising = all.into_iter().flatten().filter(move |item| {
            let rises = item.at_us > shown;
            shown = shown.max(item.at_us);
            rises
        });
        sources.push(Box::new(rising));
    }
    let part = path.with_extension("part");
    let file = Matroska::create_webm(&part, &tracks);
    copy(file.map_err(FinishError::Media)?, sources)?;
    keep(&part, path)?;
    // It is in the file now.
    let _ = std::fs::remove_file(mix);
    Ok(())
}

fn named(kind: TrackKind, title: &str) -> Track {
    let title = title.to_owned();
    Track { kind, title }
}

fn write(
    path: &Path,
    title: &str,
    tracks: &[Track],
    sources: Vec<Items>,
    plan: &Plan,
) -> Result<(), FinishError> {
    let part = path.with_extension("part");
    let file = Matroska::create(&part, title, tracks, &chapters(plan));
    copy(file.map_err(FinishError::Media)?, sources)?;
    keep(&part, path)
}

fn copy(mut file: Matroska, sources: Vec<Items>) -> Result<(), FinishError> {
    for (track, item) in Merged::new(sources) {
        file.packet(track, &item).map_err(FinishError::Media)?;
    }
    file.finish().map_err(FinishError::Media)
}

/// Writes every sound track, as it was sent, into a file of its own.
///
/// # Errors
/// When a file cannot be read or written.
pub fn make_voices(folder: &Path, plan: &Plan) -> Result<Vec<PathBuf>, FinishError> {
    ffmpeg::init();
    let mut files = Vec::new();
    for track in plan.tracks.iter().filter(|track| track.kind.is_audio()) {
        let kind = track.kind.as_str();
        let name = format!("{kind}-{}-{:04}.mka", track.session, track.key);
        let part = folder.join(format!("{name}.part"));
        let known = Track {
            kind: TrackKind::Opus,
            title: plan.name(&track.session),
        };
        let mut file = Matroska::create(&part, "", &[known], &[]).map_err(FinishError::Media)?;
        for item in voice(track)? {
            file.packet(0, &item).map_err(FinishError::Media)?;
        }
        file.finish().map_err(FinishError::Media)?;
        let path = folder.join(name);
        keep(&part, &path)?;
        files.push(path);
    }
    Ok(files)
}

/// `None` for a track in which there is nothing that could be played.
fn open(track: &PlannedTrack) -> Result<Option<(TrackKind, Items)>, FinishError> {
    if track.kind.is_audio() {
        let mut items = voice(track)?.peekable();
        let is_empty = items.peek().is_none();
        return Ok((!is_empty).then(|| (TrackKind::Opus, Box::new(items) as Items)));
    }
    let mut pictures = Shown::open(track)?.peekable();
    let Some(first) = pictures.peek() else {
        return Ok(None);
    };
    let coding = first.coding;
    let Some(kind) = picture_kind(first) else {
        tracing::warn!(track = track.key, "a screen cannot be put into a file");
        return Ok(None);
    };
    // A track is in one coding; a server gives another one a track of its own.
    let items = pictures.filter(move |picture| picture.coding == coding);
    let items = items.map(|picture| Item {
        at_us: picture.at_us.max(0),
        duration_us: 0,
        key: picture.keyframe,
        bytes: picture.bytes,
    });
    Ok(Some((kind, Box::new(items))))
}

/// What a file says in front of pictures that begin with this one.
fn picture_kind(first: &Picture) -> Option<TrackKind> {
    match first.coding {
        Coding::Usual => {
            let (width, height) = size(&first.bytes)?;
            Some(TrackKind::Vp8 { width, height })
        }
        Coding::Av1 => {
            let head = av1::sequence_header(&first.bytes)?.to_vec();
            let frame = PictureDecoder::new(Coding::Av1)
                .ok()?
                .decode(&first.bytes)?;
            let (width, height) = frame.size();
            Some(TrackKind::Av1 {
                width,
                height,
                head,
            })
        }
    }
}

fn placed(track: &PlannedTrack, clock: u32) -> Result<PlacedPackets, FinishError> {
    PlacedPackets::open(&track.log, clock).map_err(|source| FinishError::File {
        operation: "read",
        path: track.log.clone(),
        source,
    })
}

fn voice(track: &PlannedTrack) -> Result<impl Iterator<Item = Item> + use<>, FinishError> {
    let packets = placed(track, RATE)?;
    Ok(packets.filter_map(|item| match item {
        Ordered::Packet((at_us, packet)) => Some(Item {
            at_us: at_us.max(0),
            duration_us: 0,
            key: true,
            bytes: packet.payload,
        }),
        Ordered::Lost(_) => None,
    }))
}

/// The pictures of a screen, whole.
struct Shown {
    packets: PlacedPackets,
    assembler: Assembler,
}

impl Shown {
    fn open(track: &PlannedTrack) -> Result<Self, FinishError> {
        Ok(Self {
            packets: placed(track, PICTURE_CLOCK)?,
            assembler: Assembler::default(),
        })
    }
}

impl Iterator for Shown {
    type Item = Picture;

    fn next(&mut self) -> Option<Picture> {
        loop {
            let ordered = PicturePacket::of(self.packets.next()?);
            if let Some(picture) = self.assembler.push(ordered) {
                return Some(picture);
            }
        }
    }
}

/// Width and height as a keyframe of VP8 says them. See RFC 6386 9.1.
fn size(keyframe: &[u8]) -> Option<(u32, u32)> {
    let [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = keyframe else {
        return None;
    };
    let side = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    Some((side(*w0, *w1), side(*h0, *h1)))
}

/// What several tracks say, in order of time.
struct Merged {
    sources: Vec<Items>,
    next: BinaryHeap<Reverse<(i64, usize)>>,
    ahead: Vec<Option<Item>>,
}

impl Merged {
    fn new(sources: Vec<Items>) -> Self {
        let mut merged = Self {
            ahead: sources.iter().map(|_| None).collect(),
            next: BinaryHeap::new(),
            sources,
        };
        for track in 0..merged.sources.len() {
            merged.read(track);
        }
        merged
    }

    fn read(&mut self, track: usize) {
        let item = self.sources.get_mut(track).and_then(Iterator::next);
        if let Some(item) = &item {
            self.next.push(Reverse((item.at_us, track)));
        }
        if let Some(place) = self.ahead.get_mut(track) {
            *place = item;
        }
    }
}

impl Iterator for Merged {
    type Item = (usize, Item);

    fn next(&mut self) -> Option<(usize, Item)> {
        let Reverse((_, track)) = self.next.pop()?;
        let item = self.ahead.get_mut(track)?.take()?;
        self.read(track);
        Some((track, item))
    }
}
