//! Records to statements. Each may be repeated: it puts the row into the state of the record.

use signalling_core::{CallRecord, JobRecord, Record, SessionRecord};
use storage::sql::{Statement, flag};

use super::rows;

/// What an error calls the statement, and the statement.
pub(super) fn statement(record: &Record) -> (&'static str, Statement<'static>) {
    match record {
        Record::Call(call) => ("keep a call", keep_call(call)),
        Record::Session(session) => ("keep a session", keep_session(session)),
        Record::Job(job) => ("keep a job", keep_job(job)),
        Record::SessionGone(session) => (
            "forget a session",
            sqlx::query("DELETE FROM calls_sessions WHERE id = $1").bind(session.as_str()),
        ),
    }
}

fn keep_call(call: &CallRecord) -> Statement<'static> {
    let text = |id: Option<&str>| id.unwrap_or_default().to_owned();
    sqlx::query(
        "INSERT INTO calls (id, channelid, startat, endat, createat, deleteat, title, postid, \
         threadid, ownerid, participants, stats, props) \
         VALUES ($1, $2, $3, $4, $3, 0, $5, $6, $7, $8, $9, $10, $11) \
         ON CONFLICT (id) DO UPDATE SET endat = excluded.endat, title = excluded.title, \
         postid = excluded.postid, threadid = excluded.threadid, \
         participants = excluded.participants, stats = excluded.stats, props = excluded.props",
    )
    .bind(call.id.as_str())
    .bind(call.channel.as_str())
    .bind(call.start_at_ms)
    .bind(call.end_at_ms)
    .bind(call.title.as_str())
    .bind(text(call.post.as_ref().map(AsRef::as_ref)))
    .bind(text(call.thread.as_ref().map(AsRef::as_ref)))
    .bind(call.owner.as_str())
    .bind(serde_json::to_string(&call.participants).unwrap_or_default())
    .bind(rows::call_stats(call).to_string())
    .bind(rows::call_props(call).to_string())
}

fn keep_session(session: &SessionRecord) -> Statement<'static> {
    sqlx::query(
        "INSERT INTO calls_sessions \
         (id, callid, userid, joinat, unmuted, raisedhand, video, props) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (id) DO UPDATE SET callid = excluded.callid, userid = excluded.userid, \
         joinat = excluded.joinat, unmuted = excluded.unmuted, raisedhand = excluded.raisedhand, \
         video = excluded.video, props = excluded.props",
    )
    .bind(session.id.as_str())
    .bind(session.call.as_str())
    .bind(session.user.as_str())
    .bind(session.join_at_ms)
    .bind(flag(session.unmuted))
    .bind(session.raised_hand_ms)
    .bind(flag(session.video))
    .bind(rows::session_props(session).to_string())
}

fn keep_job(job: &JobRecord) -> Statement<'static> {
    sqlx::query(
        "INSERT INTO calls_jobs (id, callid, type, creatorid, initat, startat, endat, props) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (id) DO UPDATE SET callid = excluded.callid, type = excluded.type, \
         creatorid = excluded.creatorid, initat = excluded.initat, startat = excluded.startat, \
         endat = excluded.endat, props = excluded.props",
    )
    .bind(job.id.as_str())
    .bind(job.call.as_str())
    .bind(job.kind.as_str())
    .bind(job.creator.as_str())
    .bind(job.init_at_ms)
    .bind(job.start_at_ms)
    .bind(job.end_at_ms)
    .bind(rows::job_props(job).to_string())
}
