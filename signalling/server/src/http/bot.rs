//! Routes of the bot: what it must read, uploads, job reports, results.

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::{StreamExt as _, TryStreamExt as _};
use messaging::model::{File, Person, Room, RoomKind, Upload, UploadProgress};
use proto::calls::bot::{
    Channel, FileInfo, NewUpload, Profile, RecordingReport, ReportError, StatusReport,
    TranscriptionReport, UploadSession,
};
use proto::calls::rest::{Filename, Verdict};
use proto::id::{JobId, PostId, SessionId, UploadId, UserId};
use signalling_core::{JobFailure, JobKind, JobStatus, JobStatusError, NoCall};

use super::answer::{self, body};
use super::channels::channel_id;
use super::person::BotOnly;
use super::{App, Refused};
use crate::door::calls::words;
use crate::engine::{CHAT_LIMIT, LaneFull};
use crate::filename;
use crate::posts::{self, PublishError};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/bot/channels/{channel}", get(channel))
        .route("/bot/users/{user}/image", get(portrait))
        .route(
            "/bot/calls/{channel}/sessions/{session}/profile",
            get(profile),
        )
        .route("/bot/calls/{channel}/filename", get(proposed_filename))
        .route("/bot/uploads", post(create_upload))
        .route("/bot/uploads/{upload}", get(upload).post(append))
        .route("/bot/calls/{channel}/recordings", post(recordings))
        .route("/bot/calls/{channel}/transcriptions", post(transcriptions))
        .route("/bot/calls/{channel}/jobs/{job}/status", post(status))
}

async fn channel(
    State(app): State<App>,
    _: BotOnly,
    Path(channel): Path<String>,
) -> Result<Json<Channel>, Refused> {
    let id = channel_id(channel)?;
    let room = app
        .engine
        .chat
        .room(&id)
        .await
        .map_err(|error| Refused::chat(&error))?;
    Ok(Json(wire_channel(room)))
}

async fn portrait(
    State(app): State<App>,
    _: BotOnly,
    Path(user): Path<String>,
) -> Result<Response, Refused> {
    let user = UserId::parse(user).map_err(|error| Refused::bad_request(error.to_string()))?;
    let picture = app
        .engine
        .chat
        .portrait(&user)
        .await
        .map_err(|error| Refused::chat(&error))?;
    Ok(([(header::CONTENT_TYPE, picture.1)], picture.0).into_response())
}

async fn profile(
    State(app): State<App>,
    _: BotOnly,
    Path((channel, session)): Path<(String, String)>,
) -> Result<Json<Profile>, Refused> {
    let channel = channel_id(channel)?;
    let session = SessionId::parse(session).map_err(|_| no_session())?;
    let asked = session.clone();
    let found = app.engine.look(&channel, move |call| {
        call.is_running().then(|| call.person_of(&asked))
    });
    let found = found.await.flatten();
    let user = found
        .ok_or_else(|| Refused::bad_request(words::no_call(NoCall)))?
        .ok_or_else(no_session)?;
    let person = app
        .engine
        .chat
        .person(&user)
        .await
        .map_err(|error| Refused::chat(&error))?;
    Ok(Json(wire_profile(person)))
}

async fn proposed_filename(
    State(app): State<App>,
    _: BotOnly,
    Path(channel): Path<String>,
) -> Result<Json<Filename>, Refused> {
    let id = channel_id(channel)?;
    let chat = &app.engine.chat;
    let room = chat
        .room(&id)
        .await
        .map_err(|error| Refused::chat(&error))?;
    let name = match room.kind {
        RoomKind::Public | RoomKind::Private => room.display_name,
        RoomKind::Direct | RoomKind::Group => {
            let members = chat
                .members(&id)
                .await
                .map_err(|error| Refused::chat(&error))?;
            let first: Vec<UserId> = members.into_iter().take(filename::MOST_NAMES).collect();
            let people = chat
                .persons(&first)
                .await
                .map_err(|error| Refused::chat(&error))?;
            filename::of_people(people.iter().map(|person| person.username.as_str()))
        }
    };
    let filename = filename::of_call(&name, crate::engine::moment().unix_ms);
    Ok(Json(Filename { filename }))
}

async fn create_upload(
    State(app): State<App>,
    _: BotOnly,
    bytes: Bytes,
) -> Result<Json<UploadSession>, Refused> {
    let new: NewUpload = body(&bytes)?;
    let engine = &app.engine;
    let upload = engine
        .chat
        .create_upload(
            &engine.bot.id,
            &new.channel_id,
            &new.filename,
            new.file_size,
        )
        .await;
    upload
        .map(|upload| Json(wire_upload(upload)))
        .map_err(|error| Refused::chat(&error))
}

async fn upload(
    State(app): State<App>,
    _: BotOnly,
    Path(upload): Path<String>,
) -> Result<Json<UploadSession>, Refused> {
    let upload = own_upload(&app, upload).await?;
    Ok(Json(wire_upload(upload)))
}

/// Takes the bytes as they come: a recording need not fit into memory, and what arrived before the
/// connection broke is kept for the next try.
async fn append(
    State(app): State<App>,
    _: BotOnly,
    Path(upload): Path<String>,
    sent: Body,
) -> Result<Response, Refused> {
    let upload = own_upload(&app, upload).await?;
    let chat = app.engine.chat.clone();
    let bytes = sent.into_data_stream().map_err(Into::into).boxed();
    // In a task of its own: a bot that hangs up does not stop what came from being kept.
    let appended = tokio::spawn(async move { chat.append_upload(&upload.id, bytes).await });
    let progress = appended
        .await
        .map_err(|panicked| Refused::inside(&panicked))?
        .map_err(|error| Refused::chat(&error))?;
    match progress {
        UploadProgress::Partial => Ok(StatusCode::NO_CONTENT.into_response()),
        UploadProgress::Complete(file) => Ok(Json(wire_file(file)).into_response()),
    }
}

async fn own_upload(app: &App, id: String) -> Result<Upload, Refused> {
    let unknown = || Refused::not_found("no such upload");
    let id = UploadId::parse(id).map_err(|_| unknown())?;
    let upload = app
        .engine
        .chat
        .upload(&id)
        .await
        .map_err(|error| Refused::chat(&error))?;
    if upload.owner == app.engine.bot.id {
        Ok(upload)
    } else {
        Err(unknown())
    }
}

async fn recordings(
    State(app): State<App>,
    _: BotOnly,
    Path(channel): Path<String>,
    bytes: Bytes,
) -> Result<Json<Verdict>, Refused> {
    let report = RecordingReport::decode(&bytes).map_err(|error| unreadable(&error))?;
    let (engine, post) = (app.engine.clone(), report.post.clone());
    let publish = async move {
        let ours = (&engine.bot.id, engine.language());
        posts::publish_recording(&*engine.chat, ours, &channel, &report).await
    };
    published(&app, &post, publish).await
}

async fn transcriptions(
    State(app): State<App>,
    _: BotOnly,
    Path(channel): Path<String>,
    bytes: Bytes,
) -> Result<Json<Verdict>, Refused> {
    let report = TranscriptionReport::decode(&bytes).map_err(|error| unreadable(&error))?;
    let (engine, post) = (app.engine.clone(), report.post.clone());
    let publish = async move {
        let ours = (&engine.bot.id, engine.language());
        posts::publish_transcription(&*engine.chat, ours, &channel, &report).await
    };
    published(&app, &post, publish).await
}

/// Publishes in the lane of the call's post, and waits for it.
async fn published(
    app: &App,
    post: &str,
    publish: impl Future<Output = Result<(), PublishError>> + Send + 'static,
) -> Result<Json<Verdict>, Refused> {
    let post =
        PostId::parse(post).map_err(|error| not_published(&PublishError::Id(error.to_string())))?;
    let (sender, done) = tokio::sync::oneshot::channel();
    let work = async move { drop(sender.send(publish.await)) };
    let late = |words: String| Refused::new(StatusCode::SERVICE_UNAVAILABLE, words);
    app.engine
        .lanes
        .run(&post, CHAT_LIMIT, work)
        .map_err(|full: LaneFull| late(full.to_string()))?;
    let done = done.await;
    let done = done.map_err(|_| late("the chat server did not answer in time".to_owned()))?;
    done.map(|()| answer::success())
        .map_err(|error| not_published(&error))
}

async fn status(
    State(app): State<App>,
    _: BotOnly,
    Path((channel, job)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<Json<Verdict>, Refused> {
    let channel = channel_id(channel)?;
    let report = StatusReport::decode(&bytes).map_err(|error| unreadable(&error))?;
    let kind = match JobKind::parse(&report.kind) {
        Some(kind @ (JobKind::Recording | JobKind::Transcribing)) => kind,
        Some(JobKind::Captioning) | None => return Err(Refused::bad_request("invalid job type")),
    };
    let status = match report.status.as_str() {
        "started" => JobStatus::Started,
        "failed" if report.no_result => JobStatus::Lost {
            reason: shortened(&report.error),
        },
        "failed" if report.cut_off => JobStatus::CutOff {
            reason: shortened(&report.error),
        },
        "failed" => JobStatus::Failed {
            reason: shortened(&report.error),
        },
        "paused" => JobStatus::Paused,
        "resumed" => JobStatus::Resumed,
        "progress" => JobStatus::Progress(
            report
                .progress
                .filter(|percent| *percent <= 100)
                .ok_or_else(|| Refused::bad_request("`progress` should be from 0 to 100"))?,
        ),
        _ => return Err(Refused::bad_request("unsupported status type")),
    };
    let job = JobId::parse(job).map_err(|_| Refused::bad_request("invalid job ID"))?;
    let (asked, said) = (job.clone(), status.clone());
    let done = app.engine.turn(&channel, move |call, at| {
        call.report_job(&asked, kind, said, at)
    });
    let done = done.await.map_err(|error| Refused::inside(&error))?;
    let Err(error) = done else {
        return Ok(answer::success());
    };
    // What is made of a call is mostly made when it is over.
    let noted = match (status, error) {
        (JobStatus::Failed { reason }, _) => {
            let failure = JobFailure::Told(reason);
            let noted = app.engine.note_late_failure(&channel, &job, kind, failure);
            noted.await
        }
        (JobStatus::CutOff { reason }, _) => {
            let failure = JobFailure::CutOff(reason);
            let noted = app.engine.note_late_failure(&channel, &job, kind, failure);
            noted.await
        }
        (JobStatus::Lost { reason }, _) => {
            let failure = JobFailure::Lost(reason);
            let noted = app.engine.note_late_failure(&channel, &job, kind, failure);
            noted.await
        }
        (JobStatus::Progress(percent), error) if error != JobStatusError::NotEnded => {
            let noted = app.engine.note_late_progress(&channel, &job, kind, percent);
            noted.await
        }
        (
            JobStatus::Started | JobStatus::Paused | JobStatus::Resumed | JobStatus::Progress(_),
            _,
        ) => Ok(false),
    };
    if noted.map_err(|error| Refused::inside(&error))? {
        return Ok(answer::success());
    }
    Err(Refused::bad_request(words::job_status(error)))
}

/// People read it in a banner.
fn shortened(text: &str) -> String {
    if text.is_empty() {
        "job failed without a reason".to_owned()
    } else {
        text.chars().take(500).collect()
    }
}

fn no_session() -> Refused {
    Refused::not_found("not found")
}

fn unreadable(error: &ReportError) -> Refused {
    Refused::bad_request(error.to_string())
}

fn not_published(error: &PublishError) -> Refused {
    match error {
        PublishError::Chat(chat) => Refused::chat(chat),
        PublishError::NotACall(_) | PublishError::OtherChannel(_) | PublishError::Id(_) => {
            Refused::bad_request(error.to_string())
        }
    }
}

fn wire_channel(room: Room) -> Channel {
    let kind = match room.kind {
        RoomKind::Public => "O",
        RoomKind::Private => "P",
        RoomKind::Direct => "D",
        RoomKind::Group => "G",
    };
    Channel {
        id: room.id,
        team_id: room.team.map(|team| team.to_string()).unwrap_or_default(),
        kind: kind.to_owned(),
        name: room.name,
        display_name: room.display_name,
        delete_at: i64::from(room.archived),
    }
}

fn wire_profile(person: Person) -> Profile {
    Profile {
        id: person.id,
        username: person.username,
        first_name: person.first_name,
        last_name: person.last_name,
        nickname: person.nickname,
        is_bot: person.is_bot,
    }
}

fn wire_upload(upload: Upload) -> UploadSession {
    UploadSession {
        id: upload.id,
        kind: "attachment".to_owned(),
        create_at: upload.created_at_ms,
        user_id: upload.owner,
        channel_id: upload.room,
        filename: upload.filename,
        file_size: upload.size_bytes,
        file_offset: upload.offset_bytes,
    }
}

fn wire_file(file: File) -> FileInfo {
    FileInfo {
        id: file.id,
        user_id: file.owner,
        channel_id: Some(file.room),
        post_id: file.post,
        create_at: file.created_at_ms,
        update_at: file.created_at_ms,
        delete_at: 0,
        name: file.name,
        extension: file.extension,
        size: file.size_bytes,
        mime_type: file.mime,
    }
}
