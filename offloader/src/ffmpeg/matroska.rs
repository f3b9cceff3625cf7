//! Matroska and WebM: what was sent, as it was sent, in one file.
//!
//! In: packets of several tracks with their times, chapters, names. Out: a file that plays.
//! Not here: which packets (`finish::archive`). Nothing is encoded.
//! Invariant: a gap in a track stays a gap.

use std::path::Path;

use ff::codec::packet::Flags as PacketFlags;
use ff::{Dictionary, Packet, Rational, codec, encoder, format};
use ffmpeg_next as ff;

use super::{MediaError, refused};
use crate::opus::RATE;

/// Times come in microseconds.
const MICRO: Rational = Rational(1, 1_000_000);

/// What a track is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrackKind {
    Opus,
    Vp8 {
        width: u32,
        height: u32,
    },
    /// `head` is the sequence header of the pictures.
    Av1 {
        width: u32,
        height: u32,
        head: Vec<u8>,
    },
    /// Plain text, shown for a while.
    Text,
}

impl TrackKind {
    /// Whether packets of both can be in one track.
    #[must_use]
    pub fn is_coded_as(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// A track and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    pub kind: TrackKind,
    pub title: String,
}

/// From here on something else is to be seen or heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chapter {
    pub at_ms: i64,
    pub until_ms: i64,
    pub title: String,
}

/// Writes one file.
pub struct Matroska {
    output: format::context::Output,
    bases: Vec<Rational>,
}

impl std::fmt::Debug for Matroska {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Matroska({} tracks)", self.bases.len())
    }
}

impl Matroska {
    /// Begins a file called `title` inside.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(
        path: &Path,
        title: &str,
        tracks: &[Track],
        chapters: &[Chapter],
    ) -> Result<Self, MediaError> {
        Self::create_as("matroska", path, title, tracks, chapters)
    }

    /// As `create`, for what browsers play: VP8, AV1 and Opus only.
    ///
    /// # Errors
    /// As `create`.
    pub fn create_webm(path: &Path, tracks: &[Track]) -> Result<Self, MediaError> {
        Self::create_as("webm", path, "", tracks, &[])
    }

    fn create_as(
        container: &str,
        path: &Path,
        title: &str,
        tracks: &[Track],
        chapters: &[Chapter],
    ) -> Result<Self, MediaError> {
        let mut output = format::output_as(path, container).map_err(refused("make the file"))?;
        for track in tracks {
            let mut stream = output
                .add_stream(encoder::find(codec::Id::None))
                .map_err(refused("add a stream"))?;
            describe(&mut stream, &track.kind)?;
            stream.set_metadata(named(&track.title));
        }
        for (id, chapter) in (1..).zip(chapters) {
            let (from, until) = (chapter.at_ms, chapter.until_ms);
            let title = clean(&chapter.title);
            output
                .add_chapter(id, Rational(1, 1000), from, until, title)
                .map_err(refused("add a chapter"))?;
        }
        if !title.is_empty() {
            output.set_metadata(named(title));
        }
        output
            .write_header()
            .map_err(refused("write the file's header"))?;
        let bases = output.streams().map(|stream| stream.time_base()).collect();
        Ok(Self { output, bases })
    }

    /// Adds a packet of a track. Within a track times must not fall.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn packet(&mut self, track: usize, item: &Item) -> Result<(), MediaError> {
        let mut packet = Packet::copy(&item.bytes);
        packet.set_stream(track);
        packet.set_pts(Some(item.at_us));
        packet.set_dts(Some(item.at_us));
        packet.set_duration(item.duration_us);
        if item.key {
            packet.set_flags(PacketFlags::KEY);
        }
        packet.rescale_ts(MICRO, self.bases.get(track).copied().unwrap_or(MICRO));
        packet
            .write_interleaved(&mut self.output)
            .map_err(refused("write a packet"))
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<(), MediaError> {
        self.output.write_trailer().map_err(refused("end the file"))
    }
}

/// The packets of the first track of a file, such as Ogg.
///
/// # Errors
/// When it cannot be read.
pub fn packets(path: &Path) -> Result<impl Iterator<Item = Item> + use<>, MediaError> {
    let mut input = format::input(path).map_err(refused("open the file"))?;
    Ok(std::iter::from_fn(move || {
        let mut packet = Packet::empty();
        packet.read(&mut input).ok()?;
        let base = input.stream(packet.stream())?.time_base();
        packet.rescale_ts(base, MICRO);
        Some(item(&packet))
    }))
}

fn item(packet: &Packet) -> Item {
    Item {
        at_us: packet.pts().unwrap_or(0),
        duration_us: packet.duration(),
        key: packet.is_key(),
        bytes: packet.data().unwrap_or_default().to_vec(),
    }
}

/// Copies a file of Matroska with a text track more.
///
/// # Errors
/// When it cannot be read or written.
pub fn with_text(from: &Path, to: &Path, title: &str, text: &[Item]) -> Result<(), MediaError> {
    let mut input = format::input(from).map_err(refused("open the file"))?;
    let mut output = format::output_as(to, "matroska").map_err(refused("make the file"))?;
    for stream in input.streams() {
        let mut copy = output
            .add_stream(encoder::find(codec::Id::None))
            .map_err(refused("add a stream"))?;
        copy.set_parameters(stream.parameters());
        copy.set_metadata(stream.metadata().to_owned());
    }
    let track = input.streams().count();
    let mut stream = output
        .add_stream(encoder::find(codec::Id::None))
        .map_err(refused("add a stream"))?;
    describe(&mut stream, &TrackKind::Text)?;
    stream.set_metadata(named(title));
    for chapter in input.chapters() {
        let name = chapter
            .metadata()
            .get("title")
            .unwrap_or_default()
            .to_owned();
        let (id, base) = (chapter.id(), chapter.time_base());
        output
            .add_chapter(id, base, chapter.start(), chapter.end(), name)
            .map_err(refused("add a chapter"))?;
    }
    output.set_metadata(input.metadata().to_owned());
    output
        .write_header()
        .map_err(refused("write the file's header"))?;
    let bases = output.streams().map(|stream| stream.time_base()).collect();
    let mut copy = Matroska { output, bases };
    let mut text = text.iter().peekable();
    let mut packet = Packet::empty();
    while packet.read(&mut input).is_ok() {
        let index = packet.stream();
        let base = input
            .stream(index)
            .map_or(MICRO, |stream| stream.time_base());
        packet.rescale_ts(base, MICRO);
        let next = item(&packet);
        while let Some(line) = text.next_if(|line| line.at_us <= next.at_us) {
            copy.packet(track, line)?;
        }
        copy.packet(index, &next)?;
    }
    for line in text {
        copy.packet(track, line)?;
    }
    copy.finish()
}

/// What a track holds at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub at_us: i64,
    /// 0 where the packet itself tells.
    pub duration_us: i64,
    /// It can be played without any packet before it.
    pub key: bool,
    pub bytes: Vec<u8>,
}

fn clean(text: &str) -> String {
    text.replace('\0', " ")
}

fn named(title: &str) -> Dictionary<'static> {
    let mut tags = Dictionary::new();
    tags.set("title", &clean(title));
    tags
}

/// The 19 bytes that describe an Opus stream of two channels. See RFC 7845 5.1.
fn opus_head() -> Vec<u8> {
    let mut head = b"OpusHead\x01\x02".to_vec();
    head.extend_from_slice(&312u16.to_le_bytes());
    head.extend_from_slice(&RATE.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    head
}

#[expect(
    unsafe_code,
    reason = "the safe API has no way to describe a stream that it did not encode"
)]
fn describe(
    stream: &mut format::stream::StreamMut<'_>,
    kind: &TrackKind,
) -> Result<(), MediaError> {
    use ff::ffi;
    let head = match kind {
        TrackKind::Opus => opus_head(),
        // FFmpeg makes of it what the file says.
        TrackKind::Av1 { head, .. } => head.clone(),
        TrackKind::Vp8 { .. } | TrackKind::Text => Vec::new(),
    };
    let coded = if matches!(kind, TrackKind::Av1 { .. }) {
        codec::Id::AV1
    } else {
        codec::Id::VP8
    };
    let side = |n: u32| i32::try_from(n).unwrap_or(0);
    let padding = usize::try_from(ffi::AV_INPUT_BUFFER_PADDING_SIZE).unwrap_or(64);
    // SAFETY: the stream was made by `add_stream` and owns `codecpar`; `extradata` comes from
    // FFmpeg's allocator with the padding it asks for, is filled within its length, and is freed by
    // FFmpeg with the stream.
    unsafe {
        let parameters = (*stream.as_mut_ptr()).codecpar;
        if !head.is_empty() {
            let extra = ffi::av_mallocz(head.len() + padding).cast::<u8>();
            if extra.is_null() {
                let source = ff::Error::Other {
                    errno: ff::error::ENOMEM,
                };
                return Err(MediaError::Refused {
                    operation: "describe a stream",
                    source,
                });
            }
            std::ptr::copy_nonoverlapping(head.as_ptr(), extra, head.len());
            (*parameters).extradata = extra;
            (*parameters).extradata_size = i32::try_from(head.len()).unwrap_or(0);
        }
        match kind {
            TrackKind::Opus => {
                (*parameters).codec_type = ff::media::Type::Audio.into();
                (*parameters).codec_id = codec::Id::OPUS.into();
                (*parameters).sample_rate = i32::try_from(RATE).unwrap_or(48_000);
                (*parameters).frame_size = 960;
                ffi::av_channel_layout_default(&mut (*parameters).ch_layout, 2);
            }
            TrackKind::Vp8 { width, height } | TrackKind::Av1 { width, height, .. } => {
                (*parameters).codec_type = ff::media::Type::Video.into();
                (*parameters).codec_id = coded.into();
                (*parameters).width = side(*width);
                (*parameters).height = side(*height);
            }
            TrackKind::Text => {
                (*parameters).codec_type = ff::media::Type::Subtitle.into();
                (*parameters).codec_id = codec::Id::SUBRIP.into();
            }
        }
    }
    Ok(())
}
