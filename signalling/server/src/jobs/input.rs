//! `input_data` of jobs: the keys the reference's runners read; for a service of ours what only it
//! knows, too.

use proto::id::{ChannelId, JobId, PostId};
use proto::redact::Secret;
use serde_json::{Map, Value, json};

use crate::config::{FilmConfig, TranscribingConfig};

/// Which call a job is for and how its bot gets in.
pub(super) struct Place<'a> {
    pub(super) site_url: &'a str,
    pub(super) channel: &'a ChannelId,
    pub(super) post: &'a PostId,
    pub(super) job: &'a JobId,
    pub(super) token: &'a Secret,
}

/// `is_ours`: the service takes what only ours takes.
pub(super) fn recording(place: &Place<'_>, film: &FilmConfig, is_ours: bool) -> Map<String, Value> {
    let mut input = object(json!({
        "site_url": place.site_url,
        "call_id": place.channel,
        "post_id": place.post,
        "recording_id": place.job,
        "auth_token": place.token.expose(),
        "width": film.width,
        "height": film.height,
        "video_rate": film.video_rate,
        "audio_rate": film.audio_rate,
        "frame_rate": film.frame_rate,
        "video_preset": film.preset,
        "output_format": film.format,
    }));
    if is_ours {
        // Another bot is let in when the one before has vanished (`signalling_core`).
        input.insert("recording_may_go_on".to_owned(), true.into());
    }
    input
}

/// As `recording`.
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
        "webvtt_omit_speaker": config.omit_speaker,
        "text_compact_silence_threshold_ms": config.paragraph_silence_ms,
        "text_compact_max_segment_duration_ms": config.paragraph_max_ms,
    }));
    if is_ours {
        // All files are put into the thread (`posts`).
        input.insert("transcript_further_formats".to_owned(), true.into());
        input.insert("transcript_takes_summary".to_owned(), true.into());
        // A recording of ours goes on without its transcript (`signalling_core`).
        input.insert("transcript_may_fail_alone".to_owned(), true.into());
        input.insert("transcript_may_go_on".to_owned(), true.into());
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
