//! The `input_data` of a job, typed: defaults filled in, ranges checked, every problem named.
//!
//! In: a map whose numbers and booleans may be strings. Out: `RecordingInput`,
//! `TranscribingInput`, or all the problems at once.
//! Not here: what the machine can do (thread counts are capped by the worker).

use serde_json::{Map, Value};

use crate::redact::Secret;

/// One key of `input_data` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("input_data.{key}: `{value}`: {rule}")]
pub struct InputProblem {
    /// The key.
    pub key: &'static str,
    /// The value as it arrived; never a secret.
    pub value: String,
    /// What would have been accepted.
    pub rule: String,
}

/// x264 presets that a recording may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoPreset {
    Medium,
    Fast,
    Faster,
    Veryfast,
    Superfast,
    Ultrafast,
}

impl VideoPreset {
    /// Returns x264's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Medium => "medium",
            Self::Fast => "fast",
            Self::Faster => "faster",
            Self::Veryfast => "veryfast",
            Self::Superfast => "superfast",
            Self::Ultrafast => "ultrafast",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [
            Self::Medium,
            Self::Fast,
            Self::Faster,
            Self::Veryfast,
            Self::Superfast,
            Self::Ultrafast,
        ]
        .into_iter()
        .find(|preset| preset.as_str() == text)
    }
}

/// What a recording becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingOutput {
    /// Pictures and sound for people: what the reference makes.
    Mp4,
    /// Ours: the shared screen as it was sent, and the sound.
    Webm,
    /// Ours: the sound alone, as Opus.
    Ogg,
    /// Ours: the sound alone, as AAC.
    M4a,
}

impl RecordingOutput {
    const ALL: [Self; 4] = [Self::Mp4, Self::Webm, Self::Ogg, Self::M4a];

    /// Returns the word for it, which is the ending of its file as well.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Webm => "webm",
            Self::Ogg => "ogg",
            Self::M4a => "m4a",
        }
    }
}

/// Where the call is and how the bot gets in; common to both kinds of job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallInput {
    /// `http://host[:port]`, no path, no trailing slash.
    pub site_url: String,
    /// The **channel** id of the call.
    pub channel_id: String,
    /// The call's post.
    pub post_id: String,
    /// The id of this job on the messaging side; not the offloader's id.
    pub job_id: String,
    pub auth_token: Secret,
}

/// What a recording job needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingInput {
    pub call: CallInput,
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    pub video_kbps: u32,
    pub audio_kbps: u32,
    /// Most pictures per second.
    pub frame_rate: u32,
    pub preset: VideoPreset,
    pub output: RecordingOutput,
    /// Ours: the messaging server lets another bot go on with the recording of one that died.
    pub may_go_on: bool,
}

/// What a transcribing job needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranscribingInput {
    pub call: CallInput,
    /// `tiny`, `base`, `small`, `medium` or `large`.
    pub model_size: String,
    /// 0: the worker decides.
    pub num_threads: u32,
    pub captions_on: bool,
    /// Language of the captions, such as `en`.
    pub captions_language: String,
    pub omit_speaker: bool,
    pub silence_threshold_ms: u32,
    pub max_segment_ms: u32,
    /// The messaging server takes SRT and JSON behind the two files of the reference.
    pub further_formats: bool,
    /// ISO 639-1 codes of languages that the transcript is translated into.
    pub further_languages: Vec<String>,
    /// The messaging server posts the summary of a call. For others it stands above the transcript.
    pub takes_summary: bool,
    /// The messaging server lets a recording go on when its transcript fails: then a failure is told at
    /// once. Elsewhere it would end the recording, and is told afterwards.
    pub may_fail_alone: bool,
    /// Ours: the messaging server lets another bot go on with the transcript of one that died.
    pub may_go_on: bool,
}

impl RecordingInput {
    /// Reads the input of a recording job.
    ///
    /// # Errors
    /// Every key that cannot be used.
    pub fn parse(input: &Map<String, Value>) -> Result<Self, Vec<InputProblem>> {
        let mut reader = Reader::new(input);
        let call = reader.call("recording_id");
        let parsed = Self {
            call,
            width: reader.number("width", 1920, 1280, 3840) & !1,
            height: reader.number("height", 1080, 720, 2160) & !1,
            video_kbps: reader.number("video_rate", 1500, 500, 10_000),
            audio_kbps: reader.number("audio_rate", 64, 32, 320),
            frame_rate: reader.number("frame_rate", 30, 10, 60),
            preset: reader.preset(),
            output: reader.output(),
            may_go_on: reader.flag("recording_may_go_on"),
        };
        reader.finish(parsed)
    }
}

impl TranscribingInput {
    /// Reads the input of a transcribing job.
    ///
    /// # Errors
    /// Every key that cannot be used.
    pub fn parse(input: &Map<String, Value>) -> Result<Self, Vec<InputProblem>> {
        const SIZES: [&str; 5] = ["tiny", "base", "small", "medium", "large"];
        let mut reader = Reader::new(input);
        let call = reader.call("transcription_id");
        let parsed = Self {
            call,
            model_size: reader.one_of("model_size", "base", &SIZES),
            num_threads: reader.number("num_threads", 0, 0, 1024),
            captions_on: reader.flag("live_captions_on"),
            captions_language: reader.text_or("live_captions_language", "en"),
            omit_speaker: reader.flag("webvtt_omit_speaker"),
            silence_threshold_ms: reader.number(
                "text_compact_silence_threshold_ms",
                2000,
                1,
                u32::MAX,
            ),
            max_segment_ms: reader.number(
                "text_compact_max_segment_duration_ms",
                10_000,
                1,
                u32::MAX,
            ),
            further_formats: reader.flag("transcript_further_formats"),
            further_languages: reader.words("transcript_further_languages"),
            takes_summary: reader.flag("transcript_takes_summary"),
            may_fail_alone: reader.flag("transcript_may_fail_alone"),
            may_go_on: reader.flag("transcript_may_go_on"),
        };
        reader.one_of("output_format", "vtt", &["vtt"]);
        reader.one_of("transcribe_api", "whisper.cpp", &["whisper.cpp"]);
        reader.finish(parsed)
    }
}

struct Reader<'a> {
    input: &'a Map<String, Value>,
    problems: Vec<InputProblem>,
}

impl<'a> Reader<'a> {
    fn new(input: &'a Map<String, Value>) -> Self {
        Self {
            input,
            problems: Vec::new(),
        }
    }

    fn finish<T>(self, parsed: T) -> Result<T, Vec<InputProblem>> {
        if self.problems.is_empty() {
            Ok(parsed)
        } else {
            Err(self.problems)
        }
    }

    fn problem(&mut self, key: &'static str, value: impl Into<String>, rule: impl Into<String>) {
        self.problems.push(InputProblem {
            key,
            value: value.into(),
            rule: rule.into(),
        });
    }

    /// The value as text; numbers and booleans are printed. Empty and absent are the same.
    fn text(&self, key: &str) -> String {
        match self.input.get(key) {
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Bool(flag)) => flag.to_string(),
            Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => String::new(),
        }
    }

    fn text_or(&self, key: &str, default: &str) -> String {
        let text = self.text(key);
        if text.is_empty() {
            default.to_owned()
        } else {
            text
        }
    }

    /// Words separated by spaces or commas.
    fn words(&self, key: &str) -> Vec<String> {
        let text = self.text(key);
        let words = text.split(|letter: char| letter.is_whitespace() || letter == ',');
        let words = words.filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect()
    }

    fn call(&mut self, job_key: &'static str) -> CallInput {
        let site_url = self.site_url();
        let channel_id = self.id("call_id");
        let post_id = self.id("post_id");
        let job_id = self.id(job_key);
        let token = self.text("auth_token");
        if !is_id(&token) {
            self.problem("auth_token", "(not shown)", "26 characters of a-z and 0-9");
        }
        CallInput {
            site_url,
            channel_id,
            post_id,
            job_id,
            auth_token: Secret::new(token),
        }
    }

    fn site_url(&mut self) -> String {
        let text = self.text("site_url");
        let trimmed = text.trim_end_matches('/');
        let host = trimmed
            .strip_prefix("http://")
            .or_else(|| trimmed.strip_prefix("https://"));
        let good = host.is_some_and(|host| {
            !host.is_empty() && !host.contains(['/', '?', '#', '@']) && host.is_ascii()
        });
        if !good {
            self.problem(
                "site_url",
                text.clone(),
                "http:// or https://, a host, no path",
            );
        }
        trimmed.to_owned()
    }

    fn id(&mut self, key: &'static str) -> String {
        let text = self.text(key);
        if !is_id(&text) {
            self.problem(key, text.clone(), "26 characters of a-z and 0-9");
        }
        text
    }

    /// 0 and absent give the default, as in the reference.
    fn number(&mut self, key: &'static str, default: u32, least: u32, most: u32) -> u32 {
        let text = self.text(key);
        if text.is_empty() {
            return default;
        }
        match whole_number(&text) {
            Some(0) => default,
            Some(number) if number >= least && number <= most => number,
            Some(_) | None => {
                self.problem(key, text, format!("a whole number from {least} to {most}"));
                default
            }
        }
    }

    fn flag(&mut self, key: &'static str) -> bool {
        let text = self.text(key);
        match text.to_ascii_lowercase().as_str() {
            "" | "false" | "0" | "f" => false,
            "true" | "1" | "t" => true,
            _ => {
                self.problem(key, text, "true or false");
                false
            }
        }
    }

    fn one_of(&mut self, key: &'static str, default: &str, words: &[&str]) -> String {
        let text = self.text_or(key, default);
        if !words.contains(&text.as_str()) {
            self.problem(key, text.clone(), format!("one of {}", words.join(", ")));
        }
        text
    }

    fn output(&mut self) -> RecordingOutput {
        let all = RecordingOutput::ALL;
        let text = self.one_of("output_format", "mp4", &all.map(RecordingOutput::as_str));
        let found = all.into_iter().find(|output| output.as_str() == text);
        found.unwrap_or(RecordingOutput::Mp4)
    }

    fn preset(&mut self) -> VideoPreset {
        let text = self.text_or("video_preset", "fast");
        VideoPreset::parse(&text).unwrap_or_else(|| {
            self.problem(
                "video_preset",
                text,
                "one of medium, fast, faster, veryfast, superfast, ultrafast",
            );
            VideoPreset::Fast
        })
    }
}

/// `7`, `7.0` and `7e0` are the same number; a fraction is none.
fn whole_number(text: &str) -> Option<u32> {
    if let Ok(number) = text.parse::<u32>() {
        return Some(number);
    }
    let number = text.parse::<f64>().ok()?;
    if number.fract() != 0.0 || !(0.0..=f64::from(u32::MAX)).contains(&number) {
        return None;
    }
    format!("{number:.0}").parse().ok()
}

fn is_id(text: &str) -> bool {
    text.len() == 26
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}
