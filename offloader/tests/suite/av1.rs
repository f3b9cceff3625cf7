//! A screen that comes in AV1: what is made of it.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use ffmpeg_next::codec::Id;
use offloader::client::{CallEvent, Coding};
use offloader::finish::plan::Plan;
use offloader::finish::{make_archive, make_movie, make_webm};
use offloader::order::{Look, Outcome};
use proto::rtcd::TrackType;
use serde_json::json;

use crate::call::{Call, options, session};
use crate::kept::look_into;
use crate::recorder::{Service, assert_handed_in, movie, started};
use crate::sfu::Script;
use crate::site::{POST, Site};
use crate::sound::{picture_packets, probe, shaded_in_av1};

/// Packets for each picture.
const PIECES: usize = 2;
const SIZE: (u32, u32) = (640, 360);

/// The units of a picture as an encoder gives them: head and body of each, no lengths.
fn units(mut picture: &[u8]) -> Vec<Vec<u8>> {
    let mut units = Vec::new();
    while let Some((&head, rest)) = picture.split_first() {
        assert_eq!(head & 0x06, 0x02, "a length, no layers");
        let (mut length, mut at) = (0, 0);
        loop {
            length |= usize::from(rest[at] & 0x7f) << (7 * at);
            at += 1;
            if rest[at - 1] & 0x80 == 0 {
                break;
            }
        }
        let body = &rest[at..at + length];
        units.push([&[head & !0x02], body].concat());
        picture = &rest[at + length..];
    }
    units
}

/// What RTP carries of a picture: everything but half of the last unit, then that half. See the RTP payload
/// format for AV1, 4.
fn payloads(picture: &[u8], is_first: bool) -> [Vec<u8>; PIECES] {
    let mut units = units(picture);
    units.retain(|unit| unit[0] >> 3 != 2);
    let last = units.pop().unwrap();
    let (begin, rest) = last.split_at(last.len() / 2);
    let mut first = vec![if is_first { 0x48 } else { 0x40 }];
    for unit in units.iter().map(Vec::as_slice).chain([begin]) {
        assert!(unit.len() < 1 << 14, "two bytes of length");
        let length = unit.len() as u8 & 0x7f;
        match (unit.len() >> 7) as u8 {
            0 => first.push(length),
            high => first.extend([length | 0x80, high]),
        }
        first.extend_from_slice(unit);
    }
    [first, [&[0x90], rest].concat()]
}

/// A screen that turns from white to grey when half of its pictures are shown.
fn screen(count: usize) -> Vec<Vec<u8>> {
    let shade = |n| if n * 2 < count { 235 } else { 125 };
    let pictures = shaded_in_av1(shade, SIZE, count);
    assert_eq!(pictures.len(), count);
    let pictures = pictures.iter().enumerate();
    pictures
        .flat_map(|(n, picture)| payloads(picture, n == 0))
        .collect()
}

/// Ten seconds: a screen in AV1 from 3 s to 6 s, and one of somebody else in VP8 from 7 s to 9 s.
fn record(folder: &Path) {
    let mut call = Call::begin(folder);
    for (n, payload) in (0u64..).zip(screen(90)) {
        let (picture, ends) = (n / 2, n % 2 == 1);
        let place = [3000 + picture * 33, 70 + n, picture * 2970];
        call.coded(Coding::Av1, 2, place, &payload, ends);
    }
    call.event(6000, &CallEvent::ScreenOff);
    let (track, kind, owner) = (3, TrackType::Screen, session("ben"));
    call.event(7000, &CallEvent::TrackAdded { track, kind, owner });
    for (n, picture) in (0u64..).zip(picture_packets(235, 640, 360, 60)) {
        let payload = [&[0x10], picture.as_slice()].concat();
        call.piece(3, [7000 + n * 33, n, n * 2970], &payload, true);
    }
    call.event(9000, &CallEvent::ScreenOff);
    let end = call.at(10_000);
    call.capture.end("the test is over", end).unwrap();
}

/// How light the middle is at a time in seconds.
fn luma(pictures: &[(f64, u8)], at: f64) -> u8 {
    let shown = pictures.iter().rev().find(|(time, _)| *time <= at);
    shown.unwrap().1
}

#[test]
fn a_screen_in_av1_is_in_the_film_and_kept_as_it_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path());
    let plan = Plan::read(folder.path()).unwrap();
    let path = make_movie(folder.path(), &plan, &options(), &Look::default()).unwrap();
    let film = probe(&path).pictures;
    assert!(luma(&film, 2.5) < 120 && luma(&film, 6.6) < 60, "no screen");
    assert!(luma(&film, 4.0) > 220, "white: {}", luma(&film, 4.0));
    let grey = luma(&film, 5.5);
    assert!((115..=135).contains(&grey), "grey: {grey}");
    assert!(luma(&film, 8.5) > 220, "the next one, in VP8");

    let path = folder.path().join("archive.mkv");
    make_archive(&plan, &path).unwrap();
    let inside = look_into(&path);
    let codecs: Vec<_> = inside.streams.iter().map(|(codec, _)| *codec).collect();
    assert_eq!(codecs, [Id::AV1, Id::VP8]);
    let kept = &inside.packets[&0];
    assert_eq!(kept.len(), 90);
    assert!((kept[0].0 - 3.0).abs() < 0.05, "{}", kept[0].0);
    let shown = probe(&path);
    assert_eq!(shown.video, Some((Id::AV1, 640, 360)));
    assert!(luma(&shown.pictures, 4.0) > 220 && luma(&shown.pictures, 5.9) < 140);
    assert_eq!(shown.pictures.len(), 90);

    let path = folder.path().join("recording.webm");
    make_webm(&plan, 64, &path).unwrap();
    let inside = look_into(&path);
    let codecs: Vec<_> = inside.streams.iter().map(|(codec, _)| *codec).collect();
    assert_eq!(codecs, [Id::OPUS, Id::AV1, Id::VP8]);
    assert_eq!([1, 2].map(|track| inside.packets[&track].len()), [90, 60]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shares_in_av1_alone_is_seen_in_the_recording() {
    let share = Duration::from_secs(1);
    let script =
        Script::default()
            .voice("anna", 400.0)
            .screen_in_av1("anna", screen(300), PIECES, share);
    let site = Site::start(script).await;
    let service = Service::start().await;
    let id = service.record(&site).await;
    let begun = started(&site).await;
    tokio::time::sleep_until((begun + Duration::from_secs(6)).into()).await;
    site.stop_job();
    service.wait_for(&id, "done").await;
    assert_handed_in(&site);
    let film = movie(&site).pictures;
    let white = film.iter().filter(|(_, luma)| *luma > 220).count();
    assert!(white > 20, "{white} pictures of the white screen");
    let kept = std::fs::read_dir(service.folder.path().join("archive").join(POST)).unwrap();
    let kept = kept.flatten().map(|file| file.path());
    let is_archive = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "mkv");
    let kept: Vec<_> = kept.filter(is_archive).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let kept = probe(&kept[0]);
    assert_eq!(kept.video, Some((Id::AV1, 640, 360)));
    assert!(kept.pictures.len() > 60, "{}", kept.pictures.len());
    service.running.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_screen_of_which_no_picture_comes_is_named_when_the_recording_is_done() {
    let site = Site::start(Script::default().voice("anna", 400.0)).await;
    let service = Service::start().await;
    let id = service.record(&site).await;
    let begun = started(&site).await;
    let share = json!({ "userID": "useranna", "session_id": "anna" });
    site.tell("user_screen_on", &share);
    tokio::time::sleep_until((begun + Duration::from_secs(6)).into()).await;
    site.stop_job();
    service.wait_for(&id, "done").await;
    assert_handed_in(&site);
    let outcome = Outcome::read(&service.job_folder(&id)).unwrap();
    assert!(
        outcome.note.contains("no picture came") && outcome.note.contains("shared from 0:0"),
        "{}",
        outcome.note
    );
    service.running.unwrap().stop().await;
}
