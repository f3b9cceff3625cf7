//! Counts over all calls ever recorded, for administrators.
//!
//! Invariant: nothing is read call by call but the statistics of calls that had video.

use proto::id::ChannelId;
use serde_json::Value;

use super::{Kind, Store, StoreError};

/// A year of days and a month more: twelve months, the running one included.
const FIRST_DAY_BACK: i64 = 400;
const DAY_MS: i64 = 86_400_000;

/// Counts and sums. Days are numbered from 1970-01-01 in UTC; days without any are left out.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) calls: i64,
    pub(crate) active_calls: i64,
    pub(crate) active_sessions: i64,
    pub(crate) ended_calls: i64,
    /// Milliseconds that ended calls lasted, all together.
    pub(crate) ended_ms: i64,
    /// Participants of every call, all together.
    pub(crate) participants: i64,
    pub(crate) screen_calls: i64,
    pub(crate) video_calls: i64,
    pub(crate) video_seconds: i64,
    pub(crate) calls_by_room: Vec<(ChannelId, i64)>,
    pub(crate) calls_by_day: Vec<(i64, i64)>,
    pub(crate) recordings_by_day: Vec<(i64, i64)>,
}

impl Store {
    pub(crate) async fn figures(&self, now_ms: i64) -> Result<Figures, StoreError> {
        self.timed("figures", Kind::Read, self.count_figures(now_ms))
            .await
    }

    async fn count_figures(&self, now_ms: i64) -> Result<Figures, StoreError> {
        // ids hold no quotes: every two of them in the list are a participant
        let sums = "SELECT COUNT(*), COUNT(CASE WHEN endat = 0 THEN 1 END), \
            COUNT(CASE WHEN endat > 0 THEN 1 END), \
            COALESCE(CAST(SUM(CASE WHEN endat > 0 THEN endat - startat ELSE 0 END) AS BIGINT), 0), \
            COALESCE(CAST(SUM(LENGTH(participants) - LENGTH(REPLACE(participants, '\"', ''))) \
            AS BIGINT), 0), \
            COUNT(CASE WHEN stats LIKE '%\"has_used_screen_share\":true%' THEN 1 END) \
            FROM calls WHERE deleteat = 0";
        let sums: Vec<(i64, i64, i64, i64, i64, i64)> = self
            .db
            .fetch_all("sum up calls", sqlx::query_as(sums))
            .await?;
        let (calls, active_calls, ended_calls, ended_ms, quotes, screen_calls) =
            sums.into_iter().next().unwrap_or_default();
        let sessions = "SELECT COUNT(*) FROM calls_sessions s JOIN calls c ON c.id = s.callid \
            WHERE c.endat = 0 AND c.deleteat = 0";
        let sessions: Vec<(i64,)> = self
            .db
            .fetch_all("count sessions", sqlx::query_as(sessions))
            .await?;
        let videos = "SELECT stats FROM calls \
            WHERE deleteat = 0 AND stats LIKE '%\"has_used_video\":true%'";
        let videos: Vec<(String,)> = self
            .db
            .fetch_all("read calls with video", sqlx::query_as(videos))
            .await?;
        let rooms = "SELECT channelid, COUNT(*) FROM calls WHERE deleteat = 0 GROUP BY channelid";
        let rooms: Vec<(String, i64)> = self
            .db
            .fetch_all("count calls of rooms", sqlx::query_as(rooms))
            .await?;
        let since = now_ms - FIRST_DAY_BACK * DAY_MS;
        let days = "SELECT startat / 86400000, COUNT(*) FROM calls \
            WHERE deleteat = 0 AND startat >= $1 GROUP BY startat / 86400000";
        let days = sqlx::query_as(days).bind(since);
        let recordings = "SELECT startat / 86400000, COUNT(*) FROM calls_jobs \
            WHERE type = 'recording' AND startat >= $1 AND startat > 0 GROUP BY startat / 86400000";
        let recordings = sqlx::query_as(recordings).bind(since);
        let with_id = |(room, count): (String, i64)| Some((ChannelId::parse(room).ok()?, count));
        Ok(Figures {
            calls,
            active_calls,
            active_sessions: sessions.first().map_or(0, |(count,)| *count),
            ended_calls,
            ended_ms,
            participants: quotes / 2,
            screen_calls,
            video_calls: i64::try_from(videos.len()).unwrap_or(i64::MAX),
            video_seconds: videos.iter().map(|(stats,)| video_seconds(stats)).sum(),
            calls_by_room: rooms.into_iter().filter_map(with_id).collect(),
            calls_by_day: self.db.fetch_all("count calls of days", days).await?,
            recordings_by_day: self.db.fetch_all("count recordings", recordings).await?,
        })
    }
}

fn video_seconds(stats: &str) -> i64 {
    let stats: Value = serde_json::from_str(stats).unwrap_or_default();
    stats
        .get("video_duration")
        .and_then(Value::as_i64)
        .unwrap_or(0)
}
