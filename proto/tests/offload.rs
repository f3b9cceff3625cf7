//! The job API as it stands on the wire: goldens, and properties that hold for any input.

use proptest::prelude::*;
use proto::offload::{
    Credentials, ErrorReply, InitRequest, Job, JobRequest, Languages, LoginReply, RecordingInput,
    RecordingOutput, RegisterReply, SpeechAbility, SpeechModel, TranscribingInput, VersionReply,
    VideoPreset, decode, redact,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

fn golden<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, text: &str) {
    assert_eq!(serde_json::to_string(value).expect("serialises"), text);
    assert_eq!(
        &decode::<T>(text.as_bytes()).expect("reads its own golden"),
        value
    );
}

#[test]
fn bodies_keep_their_spelling() {
    golden(
        &InitRequest {
            runners: vec!["mattermost/calls-recorder:v0.8.13".into()],
        },
        r#"{"Runners":["mattermost/calls-recorder:v0.8.13"]}"#,
    );
    golden(
        &Credentials {
            client_id: "c".into(),
            auth_key: "k".into(),
        },
        r#"{"clientID":"c","authKey":"k"}"#,
    );
    golden(
        &RegisterReply {
            client_id: "c".into(),
            code: "201".into(),
        },
        r#"{"clientID":"c","code":"201"}"#,
    );
    golden(
        &LoginReply {
            bearer_token: "t".into(),
            code: "200".into(),
        },
        r#"{"bearerToken":"t","code":"200"}"#,
    );
    golden(
        &ErrorReply {
            error: "no".into(),
            code: "400".into(),
        },
        r#"{"error":"no","code":"400"}"#,
    );
    golden(
        &VersionReply {
            build_date: "d".into(),
            build_version: "v1.3.0".into(),
            build_hash: "h".into(),
            go_version: "".into(),
            speech: None,
        },
        r#"{"buildDate":"d","buildVersion":"v1.3.0","buildHash":"h","goVersion":""}"#,
    );
    golden(
        &SpeechAbility {
            problem: None,
            models: vec![SpeechModel {
                name: "tiny.en".into(),
                languages: Languages::English,
                damaged: true,
            }],
        },
        r#"{"models":[{"name":"tiny.en","languages":"english","damaged":true}]}"#,
    );
}

#[test]
fn a_job_hides_stop_at_while_it_runs() {
    let request = JobRequest {
        kind: "recording".into(),
        max_duration_sec: 3600,
        runner: "mattermost/calls-recorder:v0.8.13".into(),
        input_data: Map::from_iter([("width".to_owned(), json!(1280))]),
        wait_sec: 0,
    };
    let mut job = Job {
        id: "j".into(),
        request,
        start_at: 5,
        ..Job::default()
    };
    golden(
        &job,
        concat!(
            r#"{"id":"j","type":"recording","max_duration_sec":3600,"#,
            r#""runner":"mattermost/calls-recorder:v0.8.13","input_data":{"width":1280},"#,
            r#""start_at":5}"#
        ),
    );
    job.stop_at = 7;
    assert!(
        serde_json::to_string(&job)
            .unwrap()
            .contains(r#""stop_at":7"#)
    );
}

#[test]
fn null_and_absent_fields_read_as_empty() {
    let request: JobRequest = decode(br#"{"type":null,"input_data":null}"#).unwrap();
    assert_eq!(request, JobRequest::default());
    assert_eq!(
        decode::<InitRequest>(br#"{"Runners":null}"#)
            .unwrap()
            .runners
            .len(),
        0
    );
    assert!(decode::<JobRequest>(br#"{"type":7}"#).is_err());
}

fn recording_input() -> Map<String, Value> {
    let Value::Object(map) = json!({
        "site_url": "http://127.0.0.1:8065/", "call_id": "c".repeat(26), "post_id": "p".repeat(26),
        "recording_id": "r".repeat(26), "auth_token": "t".repeat(26), "width": 1280,
        "height": "720", "video_rate": 1000.0, "audio_rate": "64", "frame_rate": "15",
        "video_preset": "ultrafast", "output_format": "mp4",
    }) else {
        unreachable!("the literal above is an object")
    };
    map
}

#[test]
fn numbers_may_be_strings_and_defaults_fill_the_rest() {
    let parsed = RecordingInput::parse(&recording_input()).unwrap();
    assert_eq!(parsed.call.site_url, "http://127.0.0.1:8065");
    assert_eq!(
        (parsed.width, parsed.height, parsed.video_kbps),
        (1280, 720, 1000)
    );
    assert_eq!((parsed.audio_kbps, parsed.frame_rate), (64, 15));
    assert_eq!(parsed.preset, VideoPreset::Ultrafast);

    let mut bare = recording_input();
    for key in [
        "width",
        "height",
        "video_rate",
        "frame_rate",
        "video_preset",
        "output_format",
    ] {
        bare.remove(key);
    }
    let parsed = RecordingInput::parse(&bare).unwrap();
    assert_eq!(
        (parsed.width, parsed.height, parsed.video_kbps),
        (1920, 1080, 1500)
    );
    assert_eq!((parsed.frame_rate, parsed.preset), (30, VideoPreset::Fast));
    assert_eq!(
        (parsed.output, parsed.may_go_on),
        (RecordingOutput::Mp4, false)
    );
    for (word, output) in [
        ("webm", RecordingOutput::Webm),
        ("ogg", RecordingOutput::Ogg),
        ("m4a", RecordingOutput::M4a),
    ] {
        bare.insert("output_format".into(), json!(word));
        assert_eq!(RecordingInput::parse(&bare).unwrap().output, output);
    }
    bare.insert("output_format".into(), json!("avi"));
    let problem = RecordingInput::parse(&bare).unwrap_err().remove(0);
    assert_eq!(
        problem.to_string(),
        "input_data.output_format: `avi`: one of mp4, webm, ogg, m4a"
    );
}

#[test]
fn every_problem_of_an_input_is_named_and_no_secret_is_shown() {
    let mut input = recording_input();
    input.insert("site_url".into(), json!("ftp://x"));
    input.insert("width".into(), json!(10));
    input.insert("auth_token".into(), json!("a secret thing"));
    let problems = RecordingInput::parse(&input).unwrap_err();
    let keys: Vec<_> = problems.iter().map(|problem| problem.key).collect();
    assert_eq!(keys, ["site_url", "auth_token", "width"]);
    assert!(
        problems
            .iter()
            .all(|problem| !problem.to_string().contains("a secret thing"))
    );
}

#[test]
fn transcribing_input_takes_flags_as_words() {
    let mut input = recording_input();
    input.insert("transcription_id".into(), json!("x".repeat(26)));
    input.insert("output_format".into(), json!("vtt"));
    input.insert("live_captions_on".into(), json!("true"));
    input.insert("webvtt_omit_speaker".into(), json!(false));
    input.insert("model_size".into(), json!("tiny"));
    let parsed = TranscribingInput::parse(&input).unwrap();
    assert!(parsed.captions_on && !parsed.omit_speaker);
    assert_eq!(
        (parsed.silence_threshold_ms, parsed.max_segment_ms),
        (2000, 10_000)
    );
    assert_eq!(parsed.captions_language, "en");
}

#[test]
fn redaction_leaves_no_secret() {
    let mut input = recording_input();
    input.insert(
        "Transcribe_API_Options".into(),
        json!("{\"AZURE_SPEECH_KEY\":\"k\"}"),
    );
    redact(&mut input);
    let text = serde_json::to_string(&input).unwrap();
    assert!(!text.contains("tttttt") && !text.contains("AZURE"));
    assert!(text.contains("127.0.0.1"));
}

proptest! {
    #[test]
    fn decoding_any_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = decode::<JobRequest>(&bytes);
        let _ = decode::<Job>(&bytes);
        let _ = decode::<InitRequest>(&bytes);
    }

    #[test]
    fn a_number_as_text_is_the_same_number(width in 0u32..5000) {
        let parse = |value: Value| {
            let mut input = recording_input();
            input.insert("width".into(), value);
            // How a refused value was spelled is repeated in the problem, so only the key counts.
            RecordingInput::parse(&input)
                .map_err(|problems| problems.iter().map(|p| p.key).collect::<Vec<_>>())
        };
        prop_assert_eq!(parse(json!(width)), parse(json!(width.to_string())));
        prop_assert_eq!(parse(json!(width)), parse(json!(f64::from(width))));
    }

    #[test]
    fn any_text_in_an_input_gives_a_value_or_problems(
        key in "(width|video_rate|site_url|auth_token|video_preset|live_captions_on)",
        text in ".{0,40}",
    ) {
        let mut input = recording_input();
        input.insert(key, Value::from(text));
        let _ = RecordingInput::parse(&input);
        let _ = TranscribingInput::parse(&input);
    }

    #[test]
    fn a_job_survives_the_wire(id in "[a-z0-9]{12,26}", start in 0i64..1 << 50, stop in 0i64..9) {
        let job = Job { id, start_at: start, stop_at: stop, ..Job::default() };
        let text = serde_json::to_vec(&job).unwrap();
        prop_assert_eq!(decode::<Job>(&text).unwrap(), job);
    }
}
