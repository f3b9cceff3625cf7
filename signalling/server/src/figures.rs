//! How much calls are used, as administrators are told.
//!
//! In: counts of the store, kinds of rooms. Out: the statistics of the Calls API.

use std::collections::BTreeMap;

use messaging::ChatBackend;
use messaging::model::RoomKind;
use proto::calls::rest::CallsStats;
use time::OffsetDateTime;

use crate::store::Figures;

/// Days shown one by one, and months, today's included.
const DAYS: i64 = 30;
const MONTHS: i64 = 12;
const DAY_SECONDS: i64 = 86_400;

/// Writes the statistics; rooms that are gone have no kind and are left out there.
pub(crate) async fn stats(chat: &dyn ChatBackend, kept: Figures, now_ms: i64) -> CallsStats {
    let mut by_kind = BTreeMap::new();
    for (room, calls) in &kept.calls_by_room {
        if let Ok(room) = chat.room(room).await {
            *by_kind.entry(kind(room.kind).to_owned()).or_default() += calls;
        }
    }
    let today = now_ms / 1000 / DAY_SECONDS;
    CallsStats {
        total_calls: kept.calls,
        total_active_calls: kept.active_calls,
        total_active_sessions: kept.active_sessions,
        calls_by_day: by_day(&kept.calls_by_day, today),
        calls_by_month: by_month(&kept.calls_by_day, today),
        calls_by_channel_type: by_kind,
        avg_duration: average(kept.ended_ms / 1000, kept.ended_calls),
        avg_participants: average(kept.participants, kept.calls),
        avg_video_duration: average(kept.video_seconds, kept.video_calls),
        total_video_duration: kept.video_seconds,
        total_video_calls: kept.video_calls,
        total_screen_share_calls: kept.screen_calls,
        recording_jobs_by_day: by_day(&kept.recordings_by_day, today),
        recording_jobs_by_month: by_month(&kept.recordings_by_day, today),
    }
}

fn kind(kind: RoomKind) -> &'static str {
    match kind {
        RoomKind::Public => "O",
        RoomKind::Private => "P",
        RoomKind::Direct => "D",
        RoomKind::Group => "G",
    }
}

fn average(sum: i64, count: i64) -> i64 {
    sum.checked_div(count).unwrap_or(0)
}

fn date(day: i64) -> (i64, u8, u8) {
    // no call takes place in a year that this calendar does not have
    let at = OffsetDateTime::from_unix_timestamp(day.saturating_mul(DAY_SECONDS))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    (at.year().into(), at.month().into(), at.day())
}

fn by_day(days: &[(i64, i64)], today: i64) -> BTreeMap<String, i64> {
    let recent = days.iter().filter(|(day, _)| *day > today - DAYS);
    recent
        .map(|(number, count)| {
            let (year, month, day) = date(*number);
            (format!("{year:04}-{month:02}-{day:02}"), *count)
        })
        .collect()
}

fn by_month(days: &[(i64, i64)], today: i64) -> BTreeMap<String, i64> {
    let number = |day: i64| {
        let (year, month, _) = date(day);
        (year * 12 + i64::from(month), year, month)
    };
    let this_month = number(today).0;
    let mut months = BTreeMap::new();
    for (day, count) in days {
        let (index, year, month) = number(*day);
        if index > this_month - MONTHS {
            *months.entry(format!("{year:04}-{month:02}")).or_default() += count;
        }
    }
    months
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_are_counted_as_far_back_as_they_are_shown() {
        // 2026-11-28
        let today = 20_785;
        let days = [
            (today - 366, 1),
            (today - 335, 2),
            (today - 30, 4),
            (today - 29, 8),
            (today, 16),
        ];
        let pairs = |found: BTreeMap<String, i64>| found.into_iter().collect::<Vec<_>>();
        let expected = [("2026-10-30".to_owned(), 8), ("2026-11-28".to_owned(), 16)];
        assert_eq!(pairs(by_day(&days, today)), expected);
        let expected = [
            ("2025-12".to_owned(), 2),
            ("2026-10".to_owned(), 12),
            ("2026-11".to_owned(), 16),
        ];
        assert_eq!(pairs(by_month(&days, today)), expected);
        assert_eq!(average(5, 0), 0);
    }
}
