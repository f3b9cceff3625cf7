//! Who may begin a job: the rule by which a worker that was handed one reads and writes its record.
//!
//! In: what the record says, which delivery this is. Out: begin and what to write, or not.
//! Not here: how the record is kept (by compare-and-swap in a [`crate::Directory`]), nor how jobs are
//! handed out (`workers`).
//!
//! An acknowledgement proves nothing: an engine takes one from a worker that has long lost the job. The
//! record does: whoever wrote it last, by compare-and-swap, has the job. Deliveries grow, and a record is
//! only ever replaced by one of a later delivery, or by its own worker.
//!
//! Invariant: of one delivery there is one start. Two workers with the same delivery swap from the same
//! revision, and one of them loses.

use proto::cluster::{Claim, ClaimState, Turn};

/// What a worker that was handed a job does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Write this by compare-and-swap; once it is written the job is begun.
    Start(Claim),
    /// Somebody has done it: take it out of the queue.
    Finished,
    /// Nobody is to begin it any more: write this unless it is there, put it with the dead, take it out.
    Bury(Claim),
    /// A later delivery is in other hands: leave it alone.
    Lost,
}

/// Decides what is done with a job of which `found` is the record. `nonce` is of this start alone.
#[must_use]
pub fn decide(
    found: Option<&Claim>,
    turn: Turn,
    worker: &str,
    nonce: &str,
    most_starts: u32,
) -> Decision {
    let begin = |start: u32| {
        Decision::Start(Claim {
            turn,
            start,
            worker: worker.to_owned(),
            nonce: nonce.to_owned(),
            sign: 0,
            state: ClaimState::Running,
        })
    };
    let Some(found) = found else {
        return begin(1);
    };
    match &found.state {
        ClaimState::Done => Decision::Finished,
        ClaimState::Dead { .. } => Decision::Bury(found.clone()),
        ClaimState::Running | ClaimState::Returned if found.turn >= turn => Decision::Lost,
        ClaimState::Running | ClaimState::Returned if found.start >= most_starts => {
            let reason = format!("begun {} times, and never brought to an end", found.start);
            Decision::Bury(buried(found, &reason))
        }
        ClaimState::Running | ClaimState::Returned => begin(found.start + 1),
    }
}

/// The record of a job that nobody is to begin any more.
#[must_use]
pub fn buried(claim: &Claim, reason: &str) -> Claim {
    let mut claim = claim.clone();
    claim.sign += 1;
    // A reason is for people; a record has its bound.
    claim.state = ClaimState::Dead {
        reason: reason.chars().take(500).collect(),
    };
    claim
}

/// The next record of the same start.
#[must_use]
pub fn signed(claim: &Claim, state: ClaimState) -> Claim {
    let mut claim = claim.clone();
    claim.sign += 1;
    claim.state = state;
    claim
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn turn(delivery: u64) -> Turn {
        Turn {
            message: 1,
            delivery,
        }
    }

    fn begun(found: Option<&Claim>, delivery: u64) -> Claim {
        match decide(found, turn(delivery), "w", "n", 5) {
            Decision::Start(claim) => claim,
            other @ (Decision::Finished | Decision::Bury(_) | Decision::Lost) => {
                panic!("{other:?}")
            }
        }
    }

    #[test]
    fn a_later_delivery_begins_again_and_an_earlier_one_does_not() {
        let first = begun(None, 1);
        assert_eq!((first.start, first.turn), (1, turn(1)));
        let second = begun(Some(&first), 2);
        assert_eq!(second.start, 2);
        for delivery in [1, 2] {
            let decision = decide(Some(&second), turn(delivery), "v", "m", 5);
            assert_eq!(decision, Decision::Lost, "{delivery}");
        }
        let done = signed(&second, ClaimState::Done);
        assert_eq!(
            decide(Some(&done), turn(9), "v", "m", 5),
            Decision::Finished
        );
    }

    #[test]
    fn the_same_job_sent_again_as_another_message_counts_on() {
        let mut first = begun(None, 7);
        first.state = ClaimState::Returned;
        let again = Turn {
            message: 2,
            delivery: 1,
        };
        let Decision::Start(claim) = decide(Some(&first), again, "w", "n", 5) else {
            panic!("not begun");
        };
        assert_eq!(claim.start, 2);
    }

    #[test]
    fn what_kills_its_workers_is_buried() {
        let mut claim = begun(None, 1);
        for delivery in 2..=3 {
            claim = begun(Some(&claim), delivery);
        }
        let Decision::Bury(dead) = decide(Some(&claim), turn(4), "w", "n", 3) else {
            panic!("begun a fourth time");
        };
        let said = "begun 3 times, and never brought to an end";
        assert_eq!(
            dead.state,
            ClaimState::Dead {
                reason: said.to_owned()
            }
        );
        // Whoever meets it again puts it with the dead again, which is the same as once.
        assert_eq!(
            decide(Some(&dead), turn(5), "w", "n", 3),
            Decision::Bury(dead)
        );
    }

    /// What may happen between a queue, a record and three workers.
    #[derive(Debug, Clone)]
    enum Step {
        /// The queue hands the job to this worker, perhaps too early.
        Deliver(usize),
        /// A worker reads the record for the oldest delivery it holds.
        Read(usize),
        /// A worker writes what it decided; `heard`: it learns what came of it.
        Write { worker: usize, heard: bool },
        /// A worker that has begun ends it.
        End(usize),
        /// A worker forgets everything.
        Die(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let worker = 0..3_usize;
        let one = prop_oneof![
            worker.clone().prop_map(Step::Deliver),
            worker.clone().prop_map(Step::Read),
            (worker.clone(), prop::bool::weighted(0.8))
                .prop_map(|(worker, heard)| Step::Write { worker, heard }),
            worker.clone().prop_map(Step::End),
            worker.prop_map(Step::Die),
        ];
        prop::collection::vec(one, 1..200)
    }

    #[derive(Debug, Default)]
    struct Worker {
        held: Vec<Turn>,
        decided: Option<(u64, Decision)>,
        begun: Option<(u64, Claim)>,
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        /// However deliveries, reads, writes and deaths fall: a delivery is begun once, and a job is
        /// finished once, by the one whose record it is.
        #[test]
        fn an_attempt_is_begun_once_and_a_job_finished_once(steps in steps()) {
            let mut record: Option<(u64, Claim)> = None;
            let mut revision = 0;
            let mut deliveries = 0;
            let mut nonces = 0;
            let mut workers: [Worker; 3] = Default::default();
            let mut starts: BTreeMap<Turn, u32> = BTreeMap::new();
            let mut finished = 0;
            for step in steps {
                match step {
                    Step::Deliver(w) => {
                        deliveries += 1;
                        workers[w].held.push(turn(deliveries));
                    }
                    Step::Read(w) => {
                        if let Some(turn) = workers[w].held.first().copied() {
                            nonces += 1;
                            let found = record.as_ref().map(|(_, claim)| claim);
                            let at = record.as_ref().map_or(0, |(at, _)| *at);
                            let nonce = nonces.to_string();
                            let decision = decide(found, turn, &w.to_string(), &nonce, 100);
                            workers[w].decided = Some((at, decision));
                        }
                    }
                    Step::Write { worker, heard } => {
                        let me = &mut workers[worker];
                        let Some((at, Decision::Start(claim))) = me.decided.take() else {
                            continue;
                        };
                        let is_first = record.as_ref().map_or(0, |(at, _)| *at) == at;
                        if is_first {
                            revision += 1;
                            record = Some((revision, claim.clone()));
                        }
                        // Without an answer it looks whether the record is its own.
                        let is_mine = record.as_ref().is_some_and(|(_, now)| *now == claim);
                        me.held.retain(|turn| *turn != claim.turn);
                        if is_mine && (heard || is_first) {
                            *starts.entry(claim.turn).or_default() += 1;
                            me.begun = Some((revision, claim));
                        }
                    }
                    Step::End(w) => {
                        if let Some((at, claim)) = workers[w].begun.take()
                            && record.as_ref().is_some_and(|(now, _)| *now == at)
                        {
                            revision += 1;
                            record = Some((revision, signed(&claim, ClaimState::Done)));
                            finished += 1;
                        }
                    }
                    Step::Die(w) => workers[w] = Worker::default(),
                }
                prop_assert!(starts.values().all(|count| *count == 1), "{starts:?}");
                prop_assert!(finished <= 1);
            }
        }
    }
}
