//! Clocks that are fast or slow: an hour of sound stays where it was said.

use offloader::capture::log::{LogWriter, LoggedPacket};
use offloader::client::Coding;
use offloader::finish::sound::TrackSound;

/// An Opus packet of 20 ms in which nothing was sent: the cheapest there is (RFC 6716 3.2.1).
const NOTHING: [u8; 1] = [0xf8];
/// Packets of an hour.
const HOUR: u64 = 3600 * 50;
/// Samples of 20 ms.
const STEP: u64 = 960;

/// When a sender whose clock is fast by so many millionths made its packet, in microseconds.
fn made_us(n: u64, fast: i64) -> i64 {
    let us = n as i64 * 20_000;
    us - us * fast / 1_000_000
}

/// The most and the least by which an hour's pieces lie behind their time, in milliseconds.
fn places(fast: i64) -> (f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("track.rtplog");
    let mut log = LogWriter::create(&path).unwrap();
    for n in 0..HOUR {
        // A network that holds packets up, never less than 30 ms.
        let held_up = 30_000 + [0, 3_000, 11_000, 0, 40_000, 7_000, 0, 25_000][n as usize % 8];
        let packet = LoggedPacket {
            arrival_us: made_us(n, fast) + held_up,
            seq_no: n,
            time: n * STEP,
            marker: false,
            coding: Coding::Usual,
            payload: NOTHING.to_vec(),
        };
        log.append(&packet).unwrap();
    }
    log.flush().unwrap();
    let (mut least, mut most) = (f64::MAX, f64::MIN);
    let mut end = None;
    let mut pieces = 0;
    for (n, piece) in (0..).zip(TrackSound::open(&path).unwrap()) {
        let seam = end.map_or(0, |end| piece.start - end);
        assert_eq!(seam, 0, "who talks without a pause is heard without one");
        assert!(piece.samples.len().abs_diff(960) <= 2);
        end = Some(piece.end());
        let behind = piece.start as f64 / 48.0 - made_us(n, fast) as f64 / 1000.0;
        least = least.min(behind);
        most = most.max(behind);
        pieces += 1;
    }
    assert_eq!(pieces, HOUR);
    (least, most)
}

#[test]
fn an_hour_of_a_voice_drifts_by_less_than_ten_milliseconds() {
    // Crystals of headsets are within 100 millionths; 300 is a bad one.
    for fast in [0, 100, -100, 300] {
        let (least, most) = places(fast);
        println!("{fast} millionths fast: {least:.1} to {most:.1} ms behind");
        assert!(most - least <= 10.0, "{fast}: {least} to {most} ms");
        // The way of the packets is no part of it that anybody could know.
        assert!(least > 20.0 && most < 45.0, "{fast}: {least} to {most} ms");
    }
}
