//! The posts of calls: the one that announces it, and those that carry recordings and transcripts.
//!
//! In: what the state machine and the bot report. Out: posts in the chat world.
//! Invariant: the call's post is read and written by one request at a time (`engine::lanes`).

use messaging::model::{NewPost, Post};
use messaging::{ChatBackend, ChatError};
use proto::calls::bot::{
    CallSummary, RecordingEntry, RecordingReport, TranscriptionEntry, TranscriptionReport,
};
use proto::id::{ChannelId, JobId, PostId, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use signalling_core::{JobFailure, NewCallPost, PostEdit};

use crate::door::calls::words::{self, Language, Told};

const CALL: &str = "custom_calls";
const RECORDING: &str = "custom_calls_recording";
const TRANSCRIPTION: &str = "custom_calls_transcription";
const SUMMARY: &str = "custom_calls_summary";
const NO_RECORDING: &str = "custom_calls_no_recording";
const NO_TRANSCRIPT: &str = "custom_calls_no_transcript";

type Props = Map<String, Value>;

/// Why results were not published, in words the bot can log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    #[error("post `{0}` is not the post of a call")]
    NotACall(String),
    #[error("post `{0}` is of another channel")]
    OtherChannel(String),
    #[error("`{0}` is not an id")]
    Id(String),
    #[error(transparent)]
    Chat(ChatError),
}

pub(crate) async fn announce_call(
    chat: &dyn ChatBackend,
    language: Language,
    channel: &ChannelId,
    call: NewCallPost,
) -> Result<Post, ChatError> {
    let message = language.say_of(Told::CallStarted, &call.name);
    let mut props = attachment(&message);
    props.insert("start_at".to_owned(), json!(call.start_at_ms));
    if !call.title.is_empty() {
        props.insert("title".to_owned(), json!(call.title));
    }
    chat.create_post(NewPost {
        room: channel.clone(),
        author: call.author,
        root: call.root,
        message,
        kind: CALL.to_owned(),
        props,
        files: Vec::new(),
    })
    .await
}

/// A word of the bot for one person.
pub(crate) fn hint(channel: &ChannelId, bot: &UserId, message: &str) -> NewPost {
    NewPost {
        room: channel.clone(),
        author: bot.clone(),
        root: None,
        message: message.to_owned(),
        kind: String::new(),
        props: Map::new(),
        files: Vec::new(),
    }
}

pub(crate) async fn edit(
    chat: &dyn ChatBackend,
    (bot, language): (&UserId, Language),
    id: &PostId,
    edit: PostEdit,
) -> Result<(), ChatError> {
    let mut post = chat.post(id).await?;
    match edit {
        PostEdit::NoRecording { recording, failure } => {
            let id = recording.as_str();
            let entry: RecordingEntry = entry(&post.props, "recordings", id);
            // The bot repeats its report when it did not hear our answer.
            if entry.post_id.is_some() || entry.failed_post_id.is_some() {
                return Ok(());
            }
            let said = no_recording(&post, (bot, language), &recording, &failure);
            let said = chat.create_post(said).await?;
            let note = |entry: &mut RecordingEntry| entry.failed_post_id = Some(said.id);
            change_entry(&mut post.props, "recordings", id, note);
        }
        PostEdit::NoTranscript {
            transcribing,
            failure,
        } => {
            let entry: TranscriptionEntry =
                entry(&post.props, "transcriptions", transcribing.as_str());
            // The bot repeats its report when it did not hear our answer.
            if entry.post_id.is_some() || entry.failed_post_id.is_some() {
                return Ok(());
            }
            let said = no_transcript(&post, (bot, language), &transcribing, &failure);
            let said = chat.create_post(said).await?;
            let id = transcribing.as_str();
            let note = |entry: &mut TranscriptionEntry| entry.failed_post_id = Some(said.id);
            change_entry(&mut post.props, "transcriptions", id, note);
        }
        PostEdit::Ended {
            end_at_ms,
            participants,
        } => {
            let message = language.say(Told::CallEnded);
            post.props.extend(attachment(message));
            post.props.insert("end_at".to_owned(), json!(end_at_ms));
            post.props
                .insert("participants".to_owned(), json!(participants));
            post.message = message.to_owned();
        }
        PostEdit::Jobs {
            recording,
            transcribing,
        } => {
            let entry = RecordingEntry {
                tr_id: transcribing.clone(),
                ..RecordingEntry::default()
            };
            change_entry(&mut post.props, "recordings", recording.as_str(), |e| {
                *e = entry
            });
            if let Some(transcribing) = transcribing {
                let entry = TranscriptionEntry {
                    rec_id: Some(recording),
                    ..TranscriptionEntry::default()
                };
                let id = transcribing.as_str();
                change_entry(&mut post.props, "transcriptions", id, |e| *e = entry);
            }
        }
    }
    chat.update_post(post).await.map(drop)
}

/// Says in the call's thread why there is no transcript.
fn no_transcript(
    call: &Post,
    (bot, language): (&UserId, Language),
    job: &JobId,
    failure: &JobFailure,
) -> NewPost {
    let reason = words::job_failure(Some(failure));
    let message = language.say_of(Told::NoTranscript, &reason);
    let mut props = why_nothing_comes(call, failure, &reason);
    props.insert("transcription_id".to_owned(), json!(job));
    thread_post(call, bot, NO_TRANSCRIPT, &message, props)
}

fn no_recording(
    call: &Post,
    (bot, language): (&UserId, Language),
    job: &JobId,
    failure: &JobFailure,
) -> NewPost {
    let reason = words::job_failure(Some(failure));
    let message = language.say_of(Told::NoRecording, &reason);
    let mut props = why_nothing_comes(call, failure, &reason);
    props.insert("recording_id".to_owned(), json!(job));
    thread_post(call, bot, NO_RECORDING, &message, props)
}

/// In fields, from which a client can say it in its reader's language.
fn why_nothing_comes(call: &Post, failure: &JobFailure, reason: &str) -> Props {
    let cause = match failure {
        JobFailure::NotTaken { .. } => "not_taken",
        JobFailure::BotDidNotCome(_) => "bot_did_not_come",
        JobFailure::BotVanished(_) => "bot_vanished",
        JobFailure::NoSpeech(_) => "no_speech",
        JobFailure::Told(_) => "told",
        JobFailure::CutOff(_) => "cut_off",
        JobFailure::Lost(_) => "lost",
    };
    Map::from_iter([
        ("call_post_id".to_owned(), json!(call.id)),
        ("failure".to_owned(), json!(cause)),
        ("reason".to_owned(), json!(reason)),
    ])
}

/// Posts a recording in the call's thread and names it in the call's post.
pub(crate) async fn publish_recording(
    chat: &dyn ChatBackend,
    (bot, language): (&UserId, Language),
    channel: &str,
    report: &RecordingReport,
) -> Result<(), PublishError> {
    let mut call = call_post(chat, &report.post, channel).await?;
    let published: RecordingEntry = entry(&call.props, "recordings", &report.job);
    if published.post_id.is_some() {
        // The bot repeats its report when it did not hear our answer.
        return Ok(());
    }
    let transcript = published
        .tr_id
        .as_ref()
        .map(|id| entry::<TranscriptionEntry>(&call.props, "transcriptions", id.as_str()));
    let mut props = Map::from_iter([
        ("recording_id".to_owned(), json!(report.job)),
        ("call_post_id".to_owned(), json!(call.id)),
    ]);
    if let Some(captions) = captions_of(chat, transcript.and_then(|t| t.post_id)).await {
        props.insert("captions".to_owned(), captions);
    }
    let message = language.say(Told::RecordingIsHere);
    let post = thread_post(&call, bot, RECORDING, message, props);
    let post = NewPost {
        files: report.files.clone(),
        ..post
    };
    let post = chat.create_post(post).await.map_err(PublishError::Chat)?;
    change_entry(
        &mut call.props,
        "recordings",
        &report.job,
        |entry: &mut RecordingEntry| {
            entry.file_id = report.files.first().cloned();
            entry.post_id = Some(post.id);
        },
    );
    chat.update_post(call)
        .await
        .map(drop)
        .map_err(PublishError::Chat)
}

/// Posts a transcript in the call's thread, lets the call's readers read its captions, and gives
/// them to the recording.
pub(crate) async fn publish_transcription(
    chat: &dyn ChatBackend,
    (bot, language): (&UserId, Language),
    channel: &str,
    report: &TranscriptionReport,
) -> Result<(), PublishError> {
    let mut call = call_post(chat, &report.post, channel).await?;
    let published: TranscriptionEntry = entry(&call.props, "transcriptions", &report.job);
    if published.post_id.is_some() {
        return Ok(());
    }
    let mut captions = Vec::new();
    let mut texts = Vec::new();
    for transcription in &report.transcriptions {
        let [vtt, texts_of_it @ ..] = transcription.files.as_slice() else {
            continue;
        };
        chat.attach_file(vtt, &call.id)
            .await
            .map_err(PublishError::Chat)?;
        let language = &transcription.language;
        let title = Some(&transcription.title).filter(|title| !title.is_empty());
        captions.push(json!({
            "title": title.unwrap_or(language),
            "language": language,
            "file_id": vtt,
        }));
        // As text, and in what further forms the service was asked for.
        texts.extend_from_slice(texts_of_it);
    }
    let first_vtt = report
        .transcriptions
        .first()
        .and_then(|t| t.files.first())
        .cloned();
    let props = Map::from_iter([
        ("transcription_id".to_owned(), json!(report.job)),
        ("call_post_id".to_owned(), json!(call.id)),
        ("captions".to_owned(), json!(captions)),
    ]);
    let message = language.say(Told::TranscriptIsHere);
    let post = thread_post(&call, bot, TRANSCRIPTION, message, props);
    let post = chat
        .create_post(NewPost {
            files: texts,
            ..post
        })
        .await;
    let post = post.map_err(PublishError::Chat)?;
    change_entry(
        &mut call.props,
        "transcriptions",
        &report.job,
        |e: &mut TranscriptionEntry| {
            e.file_id = first_vtt;
            e.post_id = Some(post.id);
        },
    );
    let summary = report.summary.as_ref();
    let summary = summary.map(|summary| summary_post(&call, (bot, language), &report.job, summary));
    let recording = published
        .rec_id
        .map(|id| entry::<RecordingEntry>(&call.props, "recordings", id.as_str()));
    chat.update_post(call).await.map_err(PublishError::Chat)?;
    if let Some(recording_post) = recording.and_then(|recording| recording.post_id) {
        let mut post = chat
            .post(&recording_post)
            .await
            .map_err(PublishError::Chat)?;
        post.props.insert("captions".to_owned(), json!(captions));
        chat.update_post(post).await.map_err(PublishError::Chat)?;
    }
    let Some(summary) = summary else {
        return Ok(());
    };
    let summary = chat.create_post(summary).await;
    summary.map(drop).map_err(PublishError::Chat)
}

/// What a language model says of the call; the props say that a machine wrote it, and in which language.
fn summary_post(
    call: &Post,
    (bot, language): (&UserId, Language),
    job: &str,
    summary: &CallSummary,
) -> NewPost {
    let props = Map::from_iter([
        ("transcription_id".to_owned(), json!(job)),
        ("call_post_id".to_owned(), json!(call.id)),
        ("language".to_owned(), json!(summary.language)),
        ("from_machine".to_owned(), json!(true)),
    ]);
    let head = language.say(Told::SummaryHead);
    let foot = language.say(Told::SummaryFoot);
    let message = format!("#### {head}\n{}\n\n*{foot}*", summary.text);
    thread_post(call, bot, SUMMARY, &message, props)
}

async fn call_post(chat: &dyn ChatBackend, id: &str, channel: &str) -> Result<Post, PublishError> {
    let known = PostId::parse(id).map_err(|error| PublishError::Id(error.to_string()))?;
    let post = chat.post(&known).await.map_err(PublishError::Chat)?;
    if post.kind != CALL {
        return Err(PublishError::NotACall(id.to_owned()));
    }
    if post.room.as_str() != channel {
        return Err(PublishError::OtherChannel(id.to_owned()));
    }
    Ok(post)
}

fn thread_post(call: &Post, bot: &UserId, kind: &str, message: &str, props: Props) -> NewPost {
    NewPost {
        room: call.room.clone(),
        author: bot.clone(),
        root: Some(call.root.clone().unwrap_or_else(|| call.id.clone())),
        message: message.to_owned(),
        kind: kind.to_owned(),
        props,
        files: Vec::new(),
    }
}

async fn captions_of(chat: &dyn ChatBackend, transcript: Option<PostId>) -> Option<Value> {
    chat.post(&transcript?)
        .await
        .ok()?
        .props
        .get("captions")
        .cloned()
}

fn attachment(message: &str) -> Props {
    let attachment = json!([{ "fallback": message, "title": message, "text": message }]);
    Map::from_iter([("attachments".to_owned(), attachment)])
}

fn entry<T: DeserializeOwned + Default>(props: &Props, list: &str, id: &str) -> T {
    let entry = props.get(list).and_then(|entries| entries.get(id)).cloned();
    entry
        .and_then(|entry| serde_json::from_value(entry).ok())
        .unwrap_or_default()
}

fn change_entry<T: DeserializeOwned + Default + Serialize>(
    props: &mut Props,
    list: &str,
    id: &str,
    change: impl FnOnce(&mut T),
) {
    let mut changed: T = entry(props, list, id);
    change(&mut changed);
    let entries = props.entry(list.to_owned()).or_insert_with(|| json!({}));
    if let Some(entries) = entries.as_object_mut() {
        entries.insert(id.to_owned(), json!(changed));
    }
}
