//! Rows to records and back; what has no column of its own stands in `props`.

use std::collections::{BTreeMap, BTreeSet};

use proto::id::{CallId, ChannelId, ConnId, JobId, PostId, SessionId, UserId};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use signalling_core::{
    CallRecord, JobFailure, JobKind, JobRecord, MediaHost, SessionRecord, Usage,
};
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use super::ChannelSwitch;
use crate::door::calls::words;

/// A record as it was kept; `None` when this version cannot read it.
pub(super) struct Kept<T>(pub(super) Option<T>);

macro_rules! kept {
    ($($record:ty: $read:ident)*) => { $(
        impl FromRow<'_, AnyRow> for Kept<$record> {
            fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
                Ok(Self($read(row)))
            }
        }
    )* };
}
kept! {
    CallRecord: call
    SessionRecord: session
    JobRecord: job
    (ChannelId, ChannelSwitch): switch
}

pub(super) fn call_props(call: &CallRecord) -> Value {
    let dismissed: BTreeMap<&UserId, bool> =
        call.dismissed.iter().map(|user| (user, true)).collect();
    json!({
        "hosts": call.host.iter().collect::<Vec<_>>(),
        "host_locked_user_id": call.host_locked,
        "screen_sharing_session_id": call.presenter,
        "dismissed_notification": dismissed,
        "screen_start_at": call.usage.screen_since.unwrap_or(0),
        "video_start_at": call.usage.video_since,
    })
}

/// Seconds and flags; a reader of all calls looks for a flag in the text (`figures`).
pub(super) fn call_stats(call: &CallRecord) -> Value {
    let usage = &call.usage;
    json!({
        "screen_duration": usage.screen_seconds,
        "video_duration": usage.video_seconds,
        "has_used_screen_share": usage.has_used_screen,
        "has_used_video": usage.has_used_video,
    })
}

/// Rows of earlier versions count nothing.
fn usage(row: &AnyRow, props: &Value) -> Option<Usage> {
    let stats: Value = serde_json::from_str(&text(row, "stats")?).ok()?;
    let seconds = |name: &str| field::<Option<i64>>(&stats, name).flatten().unwrap_or(0);
    let is_set = |name: &str| field::<Option<bool>>(&stats, name).flatten() == Some(true);
    let since = field::<Option<i64>>(props, "screen_start_at").flatten();
    Some(Usage {
        screen_seconds: seconds("screen_duration"),
        video_seconds: seconds("video_duration"),
        has_used_screen: is_set("has_used_screen_share"),
        has_used_video: is_set("has_used_video"),
        screen_since: since.filter(|since| *since > 0),
        video_since: field::<Option<_>>(props, "video_start_at")?.unwrap_or_default(),
    })
}

fn call(row: &AnyRow) -> Option<CallRecord> {
    let props = props(row)?;
    let dismissed: BTreeMap<UserId, bool> = field(&props, "dismissed_notification")?;
    let hosts: Vec<UserId> = field(&props, "hosts")?;
    let participants: String = row.try_get("participants").ok()?;
    Some(CallRecord {
        id: CallId::parse(text(row, "id")?).ok()?,
        channel: ChannelId::parse(text(row, "channelid")?).ok()?,
        start_at_ms: row.try_get("startat").ok()?,
        end_at_ms: row.try_get("endat").ok()?,
        title: text(row, "title")?,
        post: PostId::parse(text(row, "postid")?).ok(),
        thread: PostId::parse(text(row, "threadid")?).ok(),
        owner: UserId::parse(text(row, "ownerid")?).ok()?,
        host: hosts.into_iter().next(),
        host_locked: field(&props, "host_locked_user_id")?,
        presenter: field(&props, "screen_sharing_session_id")?,
        participants: serde_json::from_str::<BTreeSet<UserId>>(&participants).ok()?,
        dismissed: dismissed.into_keys().collect(),
        usage: usage(row, &props)?,
    })
}

/// Where all sessions of a call are that was recorded before each had a media host of its own.
fn host_of_all(session: &AnyRow) -> Option<MediaHost> {
    let call: Value = serde_json::from_str(&text(session, "call_props")?).ok()?;
    field(&call, "rtcd_host").map(MediaHost)
}

pub(super) fn session_props(session: &SessionRecord) -> Value {
    json!({
        "login": session.login,
        "connection": session.connection,
        "rtcd_host": session.media.0,
        "job": session.job,
    })
}

/// Of a session joined with `props` of its call as `call_props`.
fn session(row: &AnyRow) -> Option<SessionRecord> {
    let props = props(row)?;
    let own_host = field(&props, "rtcd_host").map(MediaHost);
    Some(SessionRecord {
        id: SessionId::parse(text(row, "id")?).ok()?,
        call: CallId::parse(text(row, "callid")?).ok()?,
        user: UserId::parse(text(row, "userid")?).ok()?,
        login: field(&props, "login")?,
        connection: field::<ConnId>(&props, "connection")?,
        media: own_host.or_else(|| host_of_all(row))?,
        join_at_ms: row.try_get("joinat").ok()?,
        unmuted: yes(row, "unmuted")?,
        raised_hand_ms: row.try_get("raisedhand").ok()?,
        video: yes(row, "video")?,
        job: field(&props, "job")?,
    })
}

pub(super) fn job_props(job: &JobRecord) -> Value {
    let mut props = Map::from_iter([
        ("job_id".to_owned(), json!(job.service_id)),
        ("bot_conn_id".to_owned(), json!(job.bot_connection)),
        (
            "err".to_owned(),
            json!(words::job_failure(job.failure.as_ref())),
        ),
    ]);
    // Beside those of the reference, and only while there is a pause.
    if job.pause_wanted || job.paused_at_ms > 0 {
        props.insert("pause_wanted".to_owned(), json!(job.pause_wanted));
        props.insert("paused_at".to_owned(), json!(job.paused_at_ms));
    }
    props.into()
}

fn job(row: &AnyRow) -> Option<JobRecord> {
    let props = props(row)?;
    Some(JobRecord {
        id: JobId::parse(text(row, "id")?).ok()?,
        call: CallId::parse(text(row, "callid")?).ok()?,
        kind: JobKind::parse(&text(row, "type")?)?,
        creator: UserId::parse(text(row, "creatorid")?).ok()?,
        init_at_ms: row.try_get("initat").ok()?,
        start_at_ms: row.try_get("startat").ok()?,
        end_at_ms: row.try_get("endat").ok()?,
        failure: field(&props, "err")
            .filter(|words: &String| !words.is_empty())
            .map(JobFailure::Told),
        service_id: field(&props, "job_id")?,
        bot_connection: field(&props, "bot_conn_id")?,
        pause_wanted: field::<Option<bool>>(&props, "pause_wanted").flatten() == Some(true),
        paused_at_ms: field::<Option<i64>>(&props, "paused_at")
            .flatten()
            .unwrap_or(0),
    })
}

fn switch(row: &AnyRow) -> Option<(ChannelId, ChannelSwitch)> {
    let Value::Object(props) = props(row)? else {
        return None;
    };
    let enabled = yes(row, "enabled")?;
    Some((
        ChannelId::parse(text(row, "channelid")?).ok()?,
        ChannelSwitch { enabled, props },
    ))
}

fn yes(row: &AnyRow, column: &str) -> Option<bool> {
    row.try_get::<i64, _>(column).ok().map(|value| value != 0)
}

fn text(row: &AnyRow, column: &str) -> Option<String> {
    row.try_get(column).ok()
}

fn props(row: &AnyRow) -> Option<Value> {
    serde_json::from_str(&text(row, "props")?).ok()
}

fn field<T: DeserializeOwned>(props: &Value, name: &str) -> Option<T> {
    serde_json::from_value(props.get(name).cloned().unwrap_or_default()).ok()
}
