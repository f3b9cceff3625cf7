//! The Calls protocol on the wire: what clients send and what they are sent, to the letter; any
//! bytes are read or refused, never a panic.

#![expect(
    clippy::too_many_lines,
    reason = "two functions are tables, one line per message"
)]

use proptest::prelude::*;
use proto::calls::action::{
    Action, Caption, CaptionLine, Emoji, Join, Metric, MetricName, Reconnect,
};
use proto::calls::bot::{RecordingReport, StatusReport, TranscriptionReport};
use proto::calls::event::{
    CallStart, CaptionShown, Dismissal, Hand, HostChange, HostRequest, JobNews, JobStop, Joined,
    LowerHand, Nothing, Reaction, Refused, Removal, ScreenOff, SessionOfUser, Signal, UserSession,
};
use proto::calls::{
    CallState, ClientFrame, Event, Field, JobKind, JobState, NAME_PREFIX, ServerFrame,
    SessionState, sdp,
};
use proto::id::{CallId, ChannelId, ConnId, JobId, PostId, SessionId, UserId};
use proto::rtcd::{SdpKind, SessionDescription};
use serde_json::{Value, json};

macro_rules! id {
    ($kind:ident, $text:expr) => {
        $kind::parse($text).unwrap()
    };
}

/// Every action with the `data` the reference's clients send.
fn actions() -> Vec<(Action, Value)> {
    let stream = |stream: &str| stream.to_owned();
    vec![
        (
            Action::Join(Join {
                channel: id!(ChannelId, "ch"),
                title: "standup".to_owned(),
                thread: Some(id!(PostId, "thread")),
                job: Some(id!(JobId, "job")),
                av1_support: true,
                dc_signalling: false,
            }),
            json!({"channelID": "ch", "title": "standup", "threadID": "thread", "jobID": "job",
                   "av1Support": true, "dcSignaling": false}),
        ),
        (Action::Leave, json!({})),
        (
            Action::Reconnect(Reconnect {
                channel: id!(ChannelId, "ch"),
                original: id!(ConnId, "first"),
                previous: id!(ConnId, "before"),
            }),
            json!({"channelID": "ch", "originalConnID": "first", "prevConnID": "before"}),
        ),
        (
            Action::CallState {
                channel: id!(ChannelId, "ch"),
            },
            json!({"channelID": "ch"}),
        ),
        (
            Action::Ice {
                candidate: r#"{"candidate":"c"}"#.to_owned(),
            },
            json!({"data": r#"{"candidate":"c"}"#}),
        ),
        (Action::Mute, json!({})),
        (Action::Unmute, json!({})),
        (
            Action::ScreenOn {
                stream: stream("s"),
            },
            json!({"data": r#"{"screenStreamID":"s"}"#}),
        ),
        (Action::ScreenOff, json!({})),
        (
            Action::VideoOn {
                stream: stream("v"),
            },
            json!({"data": r#"{"videoStreamID":"v"}"#}),
        ),
        (Action::VideoOff, json!({})),
        (Action::RaiseHand, json!({})),
        (Action::UnraiseHand, json!({})),
        (
            Action::React(Emoji {
                name: "wave".to_owned(),
                unified: "1f44b".to_owned(),
                ..Emoji::default()
            }),
            json!({"data": r#"{"literal":"","name":"wave","skin":"","unified":"1f44b"}"#}),
        ),
        (
            Action::Caption(Caption {
                session: id!(SessionId, "s"),
                text: "hi".to_owned(),
                new_audio_len_ms: 2000.0,
                line: None,
            }),
            json!({"session_id": "s", "text": "hi", "new_audio_len_ms": 2000.0}),
        ),
        (
            Action::Caption(Caption {
                session: id!(SessionId, "s"),
                text: "hi there".to_owned(),
                new_audio_len_ms: 500.0,
                line: Some(CaptionLine {
                    utterance: "7.3".to_owned(),
                    is_final: false,
                    settled_len: 2,
                    language: "en".to_owned(),
                    is_notice: false,
                }),
            }),
            json!({"session_id": "s", "text": "hi there", "new_audio_len_ms": 500.0,
                "utterance_id": "7.3", "final": false, "settled_len": 2, "language": "en",
                "notice": false}),
        ),
        (
            Action::Metric(Metric {
                name: MetricName::LiveCaptionsPacketBufferFull,
                session: Some(id!(SessionId, "s")),
                data: String::new(),
            }),
            json!({"metric_name": "live_captions_pktPayloadCh_buf_full", "session_id": "s", "data": ""}),
        ),
        (Action::VoiceOn, json!({})),
        (Action::VoiceOff, json!({})),
        (Action::Ping, json!({})),
    ]
}

#[test]
fn actions_have_the_references_names_and_keys_in_both_kinds_of_frame() {
    for (action, data) in actions() {
        let frame = action.to_frame(3);
        let text: Value = serde_json::from_str(&frame.encode_text()).unwrap();
        let name = format!("{NAME_PREFIX}{}", action.short_name());
        assert_eq!(text, json!({"action": name, "seq": 3, "data": data}));
        for read in [
            ClientFrame::decode_text(&frame.encode_text()).unwrap(),
            ClientFrame::decode_binary(&frame.encode_binary()).unwrap(),
        ] {
            assert_eq!(read, frame);
            assert_eq!(Action::decode(&read.action, &read.data).unwrap(), action);
        }
    }
}

#[test]
fn a_description_travels_as_zlib_bytes_in_a_binary_frame_only() {
    let description = SessionDescription {
        kind: SdpKind::Offer,
        sdp: "v=0\r\n".to_owned(),
    };
    let frame = Action::Sdp(description.clone()).to_frame(1);
    let read = ClientFrame::decode_binary(&frame.encode_binary()).unwrap();
    assert_eq!(
        Action::decode(&read.action, &read.data).unwrap(),
        Action::Sdp(description)
    );
    let text = json!({"action": frame.action, "seq": 1, "data": {"data": "v=0"}}).to_string();
    let read = ClientFrame::decode_text(&text).unwrap();
    assert!(Action::decode(&read.action, &read.data).is_err());
}

#[test]
fn a_description_is_inflated_to_its_limit_and_no_further() {
    let of_size = |size: usize| {
        let sdp = "a".repeat(size - r#"{"type":"offer","sdp":""}"#.len());
        sdp::inflate(&sdp::deflate(&SessionDescription {
            kind: SdpKind::Offer,
            sdp,
        }))
    };
    assert!(of_size(sdp::MAX_SDP_BYTES).is_ok());
    assert!(matches!(
        of_size(sdp::MAX_SDP_BYTES + 1),
        Err(sdp::SdpError::TooLarge)
    ));
}

#[test]
fn a_binary_frame_of_the_reference_is_read() {
    // {"action":"custom_..._mute","seq":1,"data":nil} with the integer as uint8, as Go writes it.
    let mut bytes = vec![0x83, 0xa6];
    bytes.extend(b"action");
    let name = format!("{NAME_PREFIX}mute");
    bytes.extend([0xd9, u8::try_from(name.len()).unwrap()]);
    bytes.extend(name.as_bytes());
    bytes.extend([0xa3]);
    bytes.extend(b"seq\xcc\x01\xa4data\xc0");
    let frame = ClientFrame::decode_binary(&bytes).unwrap();
    assert_eq!((frame.action, frame.seq, frame.data.len()), (name, 1, 0));
}

/// Every event with the `data` the reference's clients expect.
fn events() -> Vec<(Event, Value)> {
    let who = || SessionOfUser {
        user: id!(UserId, "u"),
        session_id: id!(SessionId, "s"),
    };
    let who_json = json!({"userID": "u", "session_id": "s"});
    let seat = || UserSession {
        user_id: id!(UserId, "u"),
        session_id: id!(SessionId, "s"),
    };
    let seat_json = json!({"user_id": "u", "session_id": "s"});
    let hand = |raised_hand| Hand {
        user: id!(UserId, "u"),
        session_id: id!(SessionId, "s"),
        raised_hand,
    };
    let request = || HostRequest {
        channel_id: id!(ChannelId, "ch"),
        session_id: id!(SessionId, "s"),
        host_id: Some(id!(UserId, "h")),
    };
    let request_json = json!({"channel_id": "ch", "session_id": "s", "host_id": "h"});
    let (call, channel) = (|| id!(CallId, "call"), || id!(ChannelId, "ch"));
    vec![
        (
            Event::Join(Joined {
                connection: id!(ConnId, "c"),
            }),
            json!({"connID": "c"}),
        ),
        (
            Event::Error(Refused {
                data: "forbidden".to_owned(),
                connection: id!(ConnId, "c"),
            }),
            json!({"data": "forbidden", "connID": "c"}),
        ),
        (
            Event::Signal(Signal {
                data: "{}".to_owned(),
                session: id!(SessionId, "s"),
            }),
            json!({"data": "{}", "connID": "s"}),
        ),
        (
            Event::CallStart(CallStart {
                id: call(),
                channel: channel(),
                start_at: 5,
                thread_id: Some(id!(PostId, "p")),
                post_id: Some(id!(PostId, "p")),
                owner_id: id!(UserId, "u"),
                host_id: None,
            }),
            json!({"id": "call", "channelID": "ch", "start_at": 5, "thread_id": "p", "post_id": "p",
                   "owner_id": "u", "host_id": ""}),
        ),
        (Event::CallEnd(Nothing {}), json!({})),
        (Event::UserJoined(seat()), seat_json.clone()),
        (Event::UserLeft(seat()), seat_json),
        (Event::UserMuted(who()), who_json.clone()),
        (Event::UserUnmuted(who()), who_json.clone()),
        (Event::UserVoiceOn(who()), who_json.clone()),
        (Event::UserVoiceOff(who()), who_json.clone()),
        (Event::UserScreenOn(who()), who_json.clone()),
        (Event::UserScreenOff(ScreenOff::default()), json!({})),
        (Event::UserVideoOn(who()), who_json.clone()),
        (Event::UserVideoOff(who()), who_json),
        (
            Event::UserRaiseHand(hand(7)),
            json!({"userID": "u", "session_id": "s", "raised_hand": 7}),
        ),
        (
            Event::UserUnraiseHand(hand(0)),
            json!({"userID": "u", "session_id": "s", "raised_hand": 0}),
        ),
        (
            Event::UserReacted(Reaction {
                user_id: id!(UserId, "u"),
                session_id: id!(SessionId, "s"),
                timestamp: 9,
                emoji: Emoji {
                    name: "wave".to_owned(),
                    ..Emoji::default()
                },
            }),
            json!({"user_id": "u", "session_id": "s", "timestamp": 9,
                   "emoji": {"name": "wave", "skin": "", "unified": "", "literal": ""}}),
        ),
        (
            Event::CallHostChanged(HostChange {
                host: Some(id!(UserId, "u")),
                call_id: call(),
            }),
            json!({"hostID": "u", "call_id": "call"}),
        ),
        (
            Event::CallJobState(JobNews {
                channel: channel(),
                state: JobState {
                    kind: JobKind::Recording,
                    init_at: 1,
                    start_at: 2,
                    end_at: 0,
                    err: String::new(),
                    paused_at: 0,
                    progress: None,
                },
            }),
            json!({"callID": "ch", "jobState":
                   {"type": "recording", "init_at": 1, "start_at": 2, "end_at": 0, "err": ""}}),
        ),
        (
            Event::UserDismissedNotification(Dismissal {
                user: id!(UserId, "u"),
                call: call(),
            }),
            json!({"userID": "u", "callID": "call"}),
        ),
        (
            Event::JobStop(JobStop {
                job_id: id!(JobId, "job"),
            }),
            json!({"job_id": "job"}),
        ),
        (
            Event::JobPause(JobStop {
                job_id: id!(JobId, "job"),
            }),
            json!({"job_id": "job"}),
        ),
        (
            Event::JobResume(JobStop {
                job_id: id!(JobId, "job"),
            }),
            json!({"job_id": "job"}),
        ),
        (
            Event::Caption(CaptionShown {
                channel_id: channel(),
                user_id: id!(UserId, "u"),
                session_id: id!(SessionId, "s"),
                text: "hi".to_owned(),
                line: None,
            }),
            json!({"channel_id": "ch", "user_id": "u", "session_id": "s", "text": "hi"}),
        ),
        (
            Event::Caption(CaptionShown {
                channel_id: channel(),
                user_id: id!(UserId, "u"),
                session_id: id!(SessionId, "s"),
                text: "hi there".to_owned(),
                line: Some(CaptionLine {
                    utterance: "7.3".to_owned(),
                    is_final: true,
                    settled_len: 8,
                    language: "en".to_owned(),
                    is_notice: false,
                }),
            }),
            json!({"channel_id": "ch", "user_id": "u", "session_id": "s", "text": "hi there",
                "utterance_id": "7.3", "final": true, "settled_len": 8, "language": "en",
                "notice": false}),
        ),
        (Event::HostMute(request()), request_json.clone()),
        (Event::HostScreenOff(request()), request_json),
        (
            Event::HostLowerHand(LowerHand {
                call_id: call(),
                channel_id: channel(),
                session_id: id!(SessionId, "s"),
                host_id: id!(UserId, "h"),
            }),
            json!({"call_id": "call", "channel_id": "ch", "session_id": "s", "host_id": "h"}),
        ),
        (
            Event::HostRemoved(Removal {
                call_id: call(),
                channel_id: channel(),
                session_id: id!(SessionId, "s"),
                user_id: id!(UserId, "u"),
            }),
            json!({"call_id": "call", "channel_id": "ch", "session_id": "s", "user_id": "u"}),
        ),
        (Event::ChannelEnableVoice(Nothing {}), json!({})),
        (Event::ChannelDisableVoice(Nothing {}), json!({})),
    ]
}

#[test]
fn events_have_the_references_names_and_keys_and_are_read_back() {
    for (event, data) in events() {
        assert_eq!(Value::Object(event.data()), data, "{}", event.short_name());
        assert_eq!(Event::decode(&event.name(), &event.data()).unwrap(), event);
        let in_channel = event.data_in(&id!(ChannelId, "ch"));
        assert_eq!(in_channel["channelID"], "ch");
        assert_eq!(Event::decode(&event.name(), &in_channel).unwrap(), event);
    }
}

#[test]
fn the_state_of_a_call_has_the_references_keys() {
    let state = CallState {
        id: id!(CallId, "call"),
        start_at: 1,
        sessions: vec![SessionState {
            session_id: id!(SessionId, "s"),
            user_id: id!(UserId, "u"),
            unmuted: true,
            raised_hand: 0,
            video: false,
            silent_for: None,
        }],
        thread_id: Some(id!(PostId, "p")),
        post_id: Some(id!(PostId, "p")),
        screen_sharing_session_id: None,
        owner_id: id!(UserId, "u"),
        host_id: None,
        recording: None,
        transcription: None,
        live_captions: None,
        dismissed_notification: None,
    };
    let expected = json!({
        "id": "call", "start_at": 1, "thread_id": "p", "post_id": "p", "owner_id": "u",
        "screen_sharing_session_id": "", "host_id": "",
        "sessions": [{"session_id": "s", "user_id": "u", "unmuted": true, "raised_hand": 0, "video": false}],
    });
    assert_eq!(serde_json::to_value(&state).unwrap(), expected);
    assert_eq!(
        serde_json::from_value::<CallState>(expected).unwrap(),
        state
    );
}

#[test]
fn reports_of_bots_are_read_with_any_case_and_with_the_misnamed_error() {
    let failed = StatusReport::failed(JobKind::Recording, "disk is full");
    let text = serde_json::to_value(&failed).unwrap();
    assert_eq!(
        text,
        json!({"JobType": "recording", "Status": "failed", "omitempty": "disk is full"})
    );
    for body in [
        text,
        json!({"jobtype": "recording", "STATUS": "failed", "Error": "disk is full"}),
    ] {
        assert_eq!(
            StatusReport::decode(body.to_string().as_bytes()).unwrap(),
            failed
        );
    }
    let lost = StatusReport::lost(JobKind::Recording, "too large");
    let text = json!({"JobType": "recording", "Status": "failed", "omitempty": "too large", "no_result": true});
    assert_eq!(serde_json::to_value(&lost).unwrap(), text);
    let read = StatusReport::decode(text.to_string().as_bytes());
    assert_eq!(read.unwrap(), lost);
    let progress = StatusReport::progress(JobKind::Recording, 37);
    let text = json!({"JobType": "recording", "Status": "progress", "progress": 37});
    assert_eq!(serde_json::to_value(&progress).unwrap(), text);
    let read = StatusReport::decode(text.to_string().as_bytes());
    assert_eq!(read.unwrap(), progress);
    for percent in [json!(-1), json!(300), json!(12.5), json!("37")] {
        let text = json!({"JobType": "recording", "Status": "progress", "progress": percent});
        assert!(
            StatusReport::decode(text.to_string().as_bytes()).is_err(),
            "{text}"
        );
    }
    let report = json!({"JobID": "j", "PostID": "p", "FileIDs": ["f"]});
    let read = RecordingReport::decode(report.to_string().as_bytes()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), report);
}

#[test]
fn a_paused_or_finishing_job_has_two_fields_more_and_any_other_has_not() {
    let read = |text: &Value| serde_json::from_value::<JobState>(text.clone()).unwrap();
    let running = json!({"type": "recording", "init_at": 1, "start_at": 2, "end_at": 0});
    assert_eq!(
        (read(&running).paused_at, read(&running).progress),
        (0, None)
    );
    assert_eq!(serde_json::to_value(read(&running)).unwrap(), running);
    let mut paused = running.clone();
    paused["paused_at"] = json!(7);
    assert_eq!(serde_json::to_value(read(&paused)).unwrap(), paused);
    let mut finishing = running;
    finishing["end_at"] = json!(9);
    finishing["progress"] = json!(0);
    assert_eq!(serde_json::to_value(read(&finishing)).unwrap(), finishing);
}

#[test]
fn a_title_is_cut_at_256_characters_whatever_they_are_in_bytes() {
    let title_of = |title: &str| {
        let data = json!({"channelID": "ch", "title": title});
        let text = json!({"action": format!("{NAME_PREFIX}join"), "seq": 1, "data": data});
        let frame = ClientFrame::decode_text(&text.to_string()).unwrap();
        match Action::decode(&frame.action, &frame.data) {
            Ok(Action::Join(join)) => join.title,
            other => panic!("{other:?}"),
        }
    };
    let fits = "\u{1f389}".repeat(256);
    assert_eq!(title_of(&fits), fits);
    assert_eq!(title_of(&format!("{fits}x")), fits);
    assert_eq!(title_of(&"\u{e4}".repeat(1000)), "\u{e4}".repeat(256));
}

#[test]
fn what_is_too_long_or_of_the_wrong_type_is_refused_by_name() {
    let refused = |action: &str, data: Value| {
        let text = json!({"action": format!("{NAME_PREFIX}{action}"), "seq": 1, "data": data});
        let frame = ClientFrame::decode_text(&text.to_string()).unwrap();
        Action::decode(&frame.action, &frame.data)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused("join", json!({})),
        "action `join`: `channelID` must be an id"
    );
    assert_eq!(
        refused("join", json!({"channelID": 7})),
        "action `join`: `channelID` must be a string"
    );
    let long = refused(
        "caption",
        json!({"session_id": "s", "text": "x".repeat(5000)}),
    );
    assert_eq!(
        long,
        "action `caption`: `text` has 5000 bytes, the limit is 4096"
    );
    assert!(refused("ice", json!({"data": "{"})).contains("`data` is not the JSON expected"));
    assert!(refused("dance", json!({})).contains("is not an action of calls"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(frame) = ClientFrame::decode_binary(&bytes) {
            let _ = Action::decode(&frame.action, &frame.data);
        }
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = ClientFrame::decode_text(text);
            let _ = ServerFrame::decode(text);
        }
        let _ = sdp::inflate(&bytes);
        let _ = RecordingReport::decode(&bytes);
        let _ = TranscriptionReport::decode(&bytes);
        let _ = StatusReport::decode(&bytes);
    }

    #[test]
    fn a_frame_with_one_byte_changed_is_read_or_refused(
        which in 0..19_usize, at in 0..200_usize, byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let (action, _) = actions().swap_remove(which);
        let mut bytes = action.to_frame(9).encode_binary();
        let at = at % bytes.len();
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        if let Ok(frame) = ClientFrame::decode_binary(&bytes) {
            let _ = Action::decode(&frame.action, &frame.data);
        }
    }

    #[test]
    fn frames_survive_both_encodings(
        action in "[a-z_]{1,20}", seq in 1..u64::MAX,
        text in ".{0,40}", number in any::<i64>(), bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let data = [
            ("text".to_owned(), Field::Json(json!(text))),
            ("number".to_owned(), Field::Json(json!(number))),
            ("nested".to_owned(), Field::Json(json!({"a": [1, null, true, {"b": text}]}))),
        ];
        let mut frame = ClientFrame { action, seq, data: data.into_iter().collect() };
        prop_assert_eq!(&ClientFrame::decode_text(&frame.encode_text()).unwrap(), &frame);
        frame.data.insert("bytes".to_owned(), Field::Bytes(bytes));
        prop_assert_eq!(&ClientFrame::decode_binary(&frame.encode_binary()).unwrap(), &frame);
    }
}
