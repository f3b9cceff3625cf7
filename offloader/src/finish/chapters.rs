//! Where something began or ended in a recording, in words.
//!
//! In: the plan. Out: chapters that follow one another from zero to the end.
//! Not here: languages; a file is read by whoever gets it, and its words are English as those of logs.

use proto::rtcd::TrackType;

use super::plan::Plan;
use crate::ffmpeg::Chapter;

/// Things that happen so close to one another are one chapter, in milliseconds.
const TOGETHER_MS: i64 = 1_000;

/// The chapters of a recording; the first begins with it.
pub(super) fn chapters(plan: &Plan) -> Vec<Chapter> {
    let mut marks = vec![(0, "Recording starts".to_owned())];
    marks.extend(plan.comings_and_goings());
    for screen in plan.tracks.iter().filter(|t| t.kind == TrackType::Screen) {
        let name = plan.name(&screen.session);
        marks.push((screen.from_ms, format!("{name} shares a screen")));
        if screen.until_ms < plan.span_ms {
            marks.push((screen.until_ms, format!("{name} stops sharing")));
        }
    }
    for pause in &plan.pauses {
        let lasted = span(pause.lasted_ms());
        marks.push((pause.t_ms, format!("Paused {lasted}")));
    }
    let parts = plan.parts.iter().filter(|t_ms| **t_ms < plan.span_ms);
    marks.extend(parts.map(|t_ms| (*t_ms, "Recording goes on after a failure".to_owned())));
    marks.sort_by_key(|(t_ms, _)| *t_ms);
    let mut chapters: Vec<Chapter> = Vec::new();
    for (t_ms, title) in marks {
        let at_ms = t_ms.clamp(0, plan.span_ms.max(0));
        match chapters.last_mut() {
            Some(last) if at_ms - last.at_ms < TOGETHER_MS => {
                last.title = format!("{}, {title}", last.title);
            }
            Some(_) | None => chapters.push(Chapter {
                at_ms,
                until_ms: plan.span_ms,
                title,
            }),
        }
    }
    let begins: Vec<i64> = chapters.iter().skip(1).map(|next| next.at_ms).collect();
    for (chapter, next) in chapters.iter_mut().zip(begins) {
        chapter.until_ms = next;
    }
    chapters
}

/// `2 min 10 s`, `1 h 5 min`, `3 s`.
fn span(ms: i64) -> String {
    let seconds = (ms + 500) / 1000;
    let parts = [
        (seconds / 3600, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let long = parts.iter().filter(|(count, _)| *count > 0).take(2);
    let words: Vec<_> = long
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    if words.is_empty() {
        "0 s".to_owned()
    } else {
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_their_two_largest_units() {
        for (ms, said) in [
            (0, "0 s"),
            (2_600, "3 s"),
            (130_000, "2 min 10 s"),
            (3_900_000, "1 h 5 min"),
            (3_605_000, "1 h 5 s"),
        ] {
            assert_eq!(span(ms), said);
        }
    }
}
