//! `input_data` of jobs: the keys the reference's runners read; for a service of ours what only it
//! knows, too.

use proto::id::{ChannelId, JobId, PostId};
use proto::redact::Secret;
use serde_json::{Map, Value, json};

use crate::config::{RecordingQuality, TranscribingConfig};

/// Which call a job is for and how its bot gets in.
pub(super) struct Place<'a> {
    pub(super) site_url: &'a str,
    pub(super) channel: &'a ChannelId,
    pub(super) post: &'a PostId,
    pub(super) job: &'a JobId,
    pub(super) token: &'a Secret,
}

pub(super) fn recording(
    place: &Place<'_>,
    quality: RecordingQuality,
    is_ours: bool,
) -> Map<String, Value> {
    let (width, height, video_rate, frame_rate, preset) = match quality {
        RecordingQuality::Low => (1280, 720, 1000, 15, "ultrafast"),
        RecordingQuality::Medium => (1280, 720, 1500, 20, "veryfast"),
        RecordingQuality::High => (1920, 1080, 2500, 20, "veryfast"),
    };
    let mut input = object(json!({
        "site_url": place.site_url,
        "call_id": place.channel,
        "post_id": place.post,
        "recording_id": place.job,
        "auth_token": place.token.expose(),
        "width": width,
        "height": height,
        "video_rate": video_rate,
        "audio_rate": 64,
        "frame_rate": frame_rate,
        "video_preset": preset,
        "output_format": "mp4",
    }));
    if is_ours {
        // Another bot is let in when the one before has vanished (`signalling_core`).
        input.insert("recording_may_go_on".to_owned(), true.into());
    }
    input
}

/// `is_ours`: the service takes what only ours takes.
pub(super) fn transcribing(
    place: &Place<'_>,
    config: &TranscribingConfig,
    is_ours: bool,
) -> Map<String, Value> {
    let mut input = object(json!({
        "site_url": place.site_url,
        "call_id": place.channel,
        "post_id": place.post,
        "transcription_id": place.job,
        "auth_token": place.token.expose(),
        "transcribe_api": "whisper.cpp",
        "transcribe_api_options": "null",
        "model_size": config.model_size,
        "num_threads": config.threads,
        "output_format": "vtt",
        "live_captions_on": config.captions_enabled,
        "live_captions_model_size": config.captions_model_size,
        "live_captions_num_transcribers": config.captions_transcribers,
        "live_captions_num_threads_per_transcriber": config.captions_threads_per_transcriber,
        "live_captions_language": config.captions_language,
        "webvtt_omit_speaker": false,
        "text_compact_silence_threshold_ms": 2000,
        "text_compact_max_segment_duration_ms": 10000,
    }));
    if is_ours {
        // All files are put into the thread (`posts`).
        input.insert("transcript_further_formats".to_owned(), true.into());
        input.insert("transcript_takes_summary".to_owned(), true.into());
        // A recording of ours goes on without its transcript (`signalling_core`).
        input.insert("transcript_may_fail_alone".to_owned(), true.into());
    }
    input
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value {
        map
    } else {
        Map::new()
    }
}
