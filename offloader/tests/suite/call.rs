//! A call whose packets a test hands to the capture itself, at the times it says.

use std::path::Path;
use std::time::{Duration, Instant};

use offloader::capture::Capture;
use offloader::client::{CallEvent, Coding, MediaPacket};
use offloader::ffmpeg::MovieOptions;
use offloader::finish::movie_options;
use proto::id::{SessionId, UserId};
use proto::offload::RecordingInput;
use proto::rtcd::TrackType;
use serde_json::{Value, json};

fn input() -> RecordingInput {
    let Value::Object(map) = json!({
        "site_url": "http://localhost", "call_id": "c".repeat(26), "post_id": "p".repeat(26),
        "recording_id": "r".repeat(26), "auth_token": "t".repeat(26), "width": 1280,
        "height": 720, "frame_rate": 10, "video_preset": "ultrafast",
    }) else {
        panic!("an object")
    };
    RecordingInput::parse(&map).unwrap()
}

pub(crate) fn options() -> MovieOptions {
    movie_options(&input(), None).unwrap()
}

pub(crate) fn session(name: &str) -> SessionId {
    SessionId::parse(name).unwrap()
}

pub(crate) struct Call {
    pub(crate) capture: Capture,
    zero: Instant,
}

impl Call {
    pub(crate) fn begin(folder: &Path) -> Self {
        let zero = Instant::now();
        let mut capture = Capture::begin(folder).unwrap();
        capture.set_zero(zero);
        let mut call = Self { capture, zero };
        for (track, kind, owner) in [
            (0, TrackType::Voice, "anna"),
            (1, TrackType::Voice, "ben"),
            (2, TrackType::Screen, "anna"),
        ] {
            let user = UserId::parse(format!("user-{owner}")).unwrap();
            call.event(
                0,
                &CallEvent::UserJoined {
                    user,
                    session: session(owner),
                },
            );
            call.event(
                0,
                &CallEvent::TrackAdded {
                    track,
                    kind,
                    owner: session(owner),
                },
            );
            call.capture.name(
                owner,
                &format!("user-{owner}"),
                &format!("Name {owner}"),
                zero,
            );
        }
        call
    }

    pub(crate) fn at(&self, ms: u64) -> Instant {
        self.zero + Duration::from_millis(ms)
    }

    pub(crate) fn event(&mut self, ms: u64, event: &CallEvent) {
        self.capture.take(event, self.at(ms));
    }

    pub(crate) fn packet(
        &mut self,
        track: u32,
        at_ms: u64,
        seq_no: u64,
        time: u64,
        payload: &[u8],
    ) {
        self.piece(track, [at_ms, seq_no, time], payload, track == 2);
    }

    /// A packet that is the last of its picture or not; when it comes, its number, its time.
    pub(crate) fn piece(&mut self, track: u32, place: [u64; 3], payload: &[u8], marker: bool) {
        self.coded(Coding::Usual, track, place, payload, marker);
    }

    /// As `piece`, in any coding.
    pub(crate) fn coded(
        &mut self,
        coding: Coding,
        track: u32,
        [at_ms, seq_no, time]: [u64; 3],
        payload: &[u8],
        marker: bool,
    ) {
        let packet = MediaPacket {
            arrived: self.at(at_ms),
            seq_no,
            time,
            marker,
            coding,
            payload: payload.into(),
        };
        self.event(at_ms, &CallEvent::Packet { track, packet });
    }
}
