//! Screens that were shared and are not in a recording, because no picture of them came.
//!
//! In: a recording's plan. Out: a sentence for the operator, without names: it stands in logs.
//! Not here: pictures that came and could not be decoded; those are in the archive.

use proto::rtcd::TrackType;

use super::plan::{Plan, Shared};
use crate::client::Coding;
use crate::ffmpeg::PictureDecoder;

/// Of what was shared for less than this, in milliseconds, a first picture need not have come.
const LEAST_MS: i64 = 3_000;

/// Says of which screens nothing came; `None` when there are none.
#[must_use]
pub fn note(plan: &Plan) -> Option<String> {
    let unseen = unseen(plan);
    if unseen.is_empty() {
        return None;
    }
    let each = unseen.iter().map(|from_ms| {
        let seconds = from_ms / 1000;
        format!("{}:{:02}", seconds / 60, seconds % 60)
    });
    let each: Vec<_> = each.collect();
    let why = match PictureDecoder::find(Coding::Av1) {
        Ok(()) => "the media server sent none".to_owned(),
        Err(error) => format!("what is shared in AV1 alone cannot be recorded here: {error}"),
    };
    let times = each.join(", ");
    Some(format!(
        "of screens that were shared from {times} on no picture came, and they are not in it: {why}"
    ))
}

/// Since when, in milliseconds.
fn unseen(plan: &Plan) -> Vec<i64> {
    let is_seen = |shared: &Shared| {
        plan.tracks.iter().any(|track| {
            track.kind == TrackType::Screen
                && track.session == shared.session
                && track.from_ms <= shared.until_ms
                && track.until_ms >= shared.from_ms
        })
    };
    let long = plan.shared.iter().filter(|shared| {
        let until_ms = shared.until_ms.min(plan.span_ms);
        until_ms - shared.from_ms >= LEAST_MS
    });
    let unseen = long.filter(|shared| !is_seen(shared));
    unseen.map(|shared| shared.from_ms).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::journal::Entry;
    use crate::capture::writer::log_path;

    #[test]
    fn only_what_was_shared_for_a_while_without_a_picture_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let screen = |session: Option<&str>, t_ms| Entry::Screen {
            session: session.map(str::to_owned),
            t_ms,
        };
        let (track, session) = (4, "ben".to_owned());
        let entries = [
            Entry::Zero { at_ms: 0 },
            Entry::Person {
                session: "anna".to_owned(),
                user: "u".to_owned(),
                name: "Anna Berg".to_owned(),
                t_ms: 0,
            },
            screen(Some("anna"), 1000),
            screen(None, 3900),
            Entry::Track {
                track,
                kind: TrackType::Screen,
                session,
                t_ms: 5000,
            },
            screen(Some("ben"), 5000),
            screen(None, 9000),
            screen(Some("anna"), 61_000),
            screen(Some("anna"), 63_000),
            Entry::PersonLeft {
                session: "anna".to_owned(),
                t_ms: 64_500,
            },
            screen(Some("carla"), 70_000),
            Entry::Tick { t_ms: 80_000 },
        ];
        let plan_of = |entries: &[Entry]| {
            let mut plan = Plan::default();
            for entry in entries.iter().cloned() {
                plan.take(folder.path(), entry);
            }
            plan
        };
        let plan = plan_of(&entries);
        assert_eq!(plan.tracks[0].log, log_path(folder.path(), track));
        let note = note(&plan).unwrap();
        let expected = "of screens that were shared from 1:01, 1:10 on no picture came, \
             and they are not in it: the media server sent none";
        assert_eq!(note, expected);
        assert_eq!(super::note(&plan_of(&entries[..7])), None);
    }
}
