//! What is kept and handed in beside the film: the archive, sound alone, the screen as it was sent.

use std::collections::BTreeMap;
use std::path::Path;

use ffmpeg_next as ff;
use offloader::capture::log::LogReader;
use offloader::capture::writer::log_path;
use offloader::ffmpeg::SoundKind;
use offloader::finish::archive::add_transcript;
use offloader::finish::plan::Plan;
use offloader::finish::{make_archive, make_sound, make_webm};
use offloader::speech::{Segment, TrackTranscript, Transcript};

use crate::capture::record;
use crate::sound::{HEARD, probe};

/// Of each stream its codec and title, and its packets; then the chapters.
pub(crate) struct Inside {
    pub(crate) streams: Vec<(ff::codec::Id, String)>,
    pub(crate) packets: BTreeMap<usize, Vec<(f64, Vec<u8>)>>,
    chapters: Vec<(i64, String)>,
}

pub(crate) fn look_into(path: &Path) -> Inside {
    ff::init().unwrap();
    let mut input = ff::format::input(path).unwrap();
    let title = |tags: ff::DictionaryRef<'_>| tags.get("title").unwrap_or_default().to_owned();
    let streams = input.streams();
    let streams = streams.map(|stream| (stream.parameters().id(), title(stream.metadata())));
    let streams = streams.collect();
    let chapters = input.chapters();
    let chapters = chapters.map(|chapter| {
        let at = chapter.start() as f64 * f64::from(chapter.time_base());
        ((at * 1000.0).round() as i64, title(chapter.metadata()))
    });
    let chapters = chapters.collect();
    let mut packets: BTreeMap<usize, Vec<_>> = BTreeMap::new();
    for (stream, packet) in input.packets() {
        let at = packet.pts().unwrap() as f64 * f64::from(stream.time_base());
        let bytes = packet.data().unwrap().to_vec();
        packets.entry(stream.index()).or_default().push((at, bytes));
    }
    Inside {
        streams,
        packets,
        chapters,
    }
}

#[test]
fn an_archive_holds_what_was_sent_as_it_was_sent_and_the_transcript_when_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path());
    let plan = Plan::read(folder.path()).unwrap();
    let path = folder.path().join("archive.mkv");
    make_archive(&plan, &path).unwrap();
    let inside = look_into(&path);
    let (opus, vp8) = (ff::codec::Id::OPUS, ff::codec::Id::VP8);
    let expected = [
        (opus, "Name anna".to_owned()),
        (opus, "Name ben".to_owned()),
        (vp8, "Name anna (screen)".to_owned()),
    ];
    assert_eq!(inside.streams, expected);
    for (stream, track) in [(0, 0), (1, 1)] {
        let mut sent: Vec<_> = LogReader::open(&log_path(folder.path(), track))
            .unwrap()
            .collect();
        sent.sort_by_key(|packet| packet.seq_no);
        let sent: Vec<_> = sent.into_iter().map(|packet| packet.payload).collect();
        let kept = inside.packets[&stream].iter();
        let kept: Vec<_> = kept.map(|(_, bytes)| bytes.clone()).collect();
        assert!(kept == sent, "the packets of track {track}");
    }
    // A gap stays a gap: Ben speaks from 5 s on, the screen is there from 3 s on.
    assert!((inside.packets[&1][0].0 - 5.0).abs() < 0.05);
    assert!((inside.packets[&2][0].0 - 3.0).abs() < 0.05);
    let chapters = [
        (0, "Recording starts, Name anna shares a screen".to_owned()),
        (6000, "Name anna stops sharing".to_owned()),
    ];
    assert_eq!(inside.chapters, chapters);
    let played = probe(&path);
    assert!(played.mean_tone(400.0, 1.2, 2.0) > 0.2);
    assert!(played.pictures.len() > 80 && played.pictures.iter().all(|(_, luma)| *luma > 200));

    let text = "Good morning.";
    let segment = Segment {
        start_ms: 0,
        end_ms: 1500,
        text: text.to_owned(),
        ..Segment::default()
    };
    let said = TrackTranscript {
        speaker: "Name anna".to_owned(),
        offset_ms: 1000,
        segments: vec![segment],
    };
    let transcript = Transcript::merge(vec![said]);
    add_transcript(&path, transcript.utterances()).unwrap();
    let with_text = look_into(&path);
    assert_eq!(with_text.streams[..3], expected);
    assert_eq!(with_text.streams[3].1, "Transcript");
    assert_eq!(with_text.chapters, chapters);
    for stream in 0..3 {
        assert!(with_text.packets[&stream] == inside.packets[&stream]);
    }
    let line = (1.0, b"Name anna: Good morning.".to_vec());
    assert_eq!(with_text.packets[&3], [line]);
}

#[test]
fn a_recording_is_sound_alone_or_the_screen_as_it_was_sent_when_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path());
    let plan = Plan::read(folder.path()).unwrap();
    let path = |name: &str| folder.path().join(name);
    make_sound(&plan, SoundKind::Opus, 64, &path("r.ogg")).unwrap();
    make_sound(&plan, SoundKind::Aac, 64, &path("r.m4a")).unwrap();
    make_webm(&plan, 64, &path("r.webm")).unwrap();
    let (opus, aac) = (ff::codec::Id::OPUS, ff::codec::Id::AAC);
    for (name, codec) in [("r.ogg", opus), ("r.m4a", aac), ("r.webm", opus)] {
        let file = probe(&path(name));
        assert_eq!(file.audio, Some(codec), "{name}");
        assert!(
            (file.seconds - 10.0).abs() < 0.3,
            "{name}: {}",
            file.seconds
        );
        for (hertz, from, until) in [(400.0, 1.2, 3.8), (1000.0, 5.1, 5.9), (400.0, 7.2, 9.8)] {
            assert!(file.tone(hertz, from, until) > HEARD, "{name}: {hertz}");
        }
        assert!(file.tone(400.0, 4.2, 4.9) < 0.01, "{name}");
        let screen = file.video.map(|(id, ..)| id);
        assert_eq!(screen, (name == "r.webm").then_some(ff::codec::Id::VP8));
    }
    let shown = probe(&path("r.webm")).pictures;
    assert!(
        shown.len() > 80 && (shown[0].0 - 3.0).abs() < 0.05,
        "{}",
        shown[0].0
    );
    assert!(!path("r.mix").exists());
}
