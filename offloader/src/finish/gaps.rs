//! What of a call was not taken, and why: between workers, and behind the last of them.
//!
//! In: a journal. Out: gaps in the order of time. Not here: pauses, which take no time in a recording.
//! Invariant: a capture that ended otherwise than the call wanted has a gap without an end.

use crate::capture::journal::Entry;

/// Said of a worker that could say nothing any more.
const DIED: &str = "the process that listened stopped unexpectedly";

/// A stretch of the call of which nothing is there. Milliseconds from the recording's zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// When the capture was last known to go on: up to a second more may be there.
    pub from_ms: i64,
    /// `None`: nothing was taken any more.
    pub until_ms: Option<i64>,
    pub why: String,
}

/// The gaps of a capture that is over and lasted `span_ms`.
#[must_use]
pub fn gaps(entries: &[Entry], span_ms: i64) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut known_ms = 0;
    let (mut is_over, mut end) = (false, None);
    for entry in entries {
        if let Entry::Tick { t_ms } = entry {
            known_ms = known_ms.max(*t_ms);
        } else if let Entry::Part { t_ms, .. } = entry {
            gaps.push(Gap {
                from_ms: known_ms,
                until_ms: Some(*t_ms),
                why: DIED.to_owned(),
            });
        } else if let Entry::CutOff { t_ms, reason } = entry {
            end = Some((*t_ms, reason.as_str()));
        }
        is_over |= matches!(entry, Entry::Stopped { .. });
    }
    // Who went on came too late: the call had ended meanwhile, or had done without.
    let is_late = |gap: &Gap| gap.until_ms.is_none_or(|until_ms| until_ms >= span_ms);
    let mut late = false;
    while gaps.pop_if(|gap| is_late(gap)).is_some() {
        late = true;
    }
    if late || !is_over {
        end.get_or_insert((span_ms, DIED));
    }
    gaps.extend(end.map(|(t_ms, why)| Gap {
        from_ms: t_ms.min(span_ms),
        until_ms: None,
        why: why.to_owned(),
    }));
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(entries: &[Entry], span_ms: i64) -> Vec<(i64, Option<i64>)> {
        let gaps = gaps(entries, span_ms).into_iter();
        gaps.map(|gap| (gap.from_ms, gap.until_ms)).collect()
    }

    #[test]
    fn what_no_worker_heard_is_a_gap_and_a_proper_end_is_none() {
        let part = |t_ms| Entry::Part { t_ms, at_ms: 0 };
        let stopped = |t_ms| Entry::Stopped {
            t_ms,
            reason: "it was stopped in the call".to_owned(),
        };
        let mut entries = vec![Entry::Zero { at_ms: 1 }, Entry::Tick { t_ms: 5_000 }];
        assert_eq!(
            spans(&entries, 5_400),
            [(5_400, None)],
            "a worker that died"
        );
        entries.push(stopped(5_900));
        assert_eq!(spans(&entries, 5_900), []);
        entries.pop();
        entries.extend([part(7_000), Entry::Tick { t_ms: 9_000 }]);
        entries.push(stopped(9_500));
        assert_eq!(spans(&entries, 9_500), [(5_000, Some(7_000))]);
        entries.pop();
        // Another that heard nothing: the call was over when it came.
        entries.extend([part(12_000), stopped(9_000)]);
        assert_eq!(
            spans(&entries, 9_000),
            [(5_000, Some(7_000)), (9_000, None)]
        );
        let reason = "the disk is nearly full".to_owned();
        let cut = [Entry::CutOff { t_ms: 3, reason }, stopped(3)];
        let found = gaps(&cut, 3);
        assert_eq!(found[0].why, "the disk is nearly full");
        assert_eq!((found.len(), found[0].from_ms), (1, 3));
    }
}
