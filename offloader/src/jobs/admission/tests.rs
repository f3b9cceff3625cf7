//! Jobs that come, wait, go and give up, in the order in which they do.

use super::*;

const NOT_AT_ALL: Duration = Duration::ZERO;
const A_WHILE: Duration = Duration::from_secs(20);

fn admission(jobs: usize, jobs_per_client: usize, cores: &str) -> Admission {
    let cores = cores.parse().unwrap();
    let limits = Limits {
        jobs,
        jobs_per_client,
        cores,
    };
    Admission::new(limits, Metrics::new().unwrap())
}

fn job(id: &str, tenant: &str, cost: &str) -> Candidate {
    Candidate {
        id: id.to_owned(),
        tenant: tenant.to_owned(),
        cost: cost.parse().unwrap(),
    }
}

async fn is_let_in(admission: &Admission, candidate: Candidate) -> bool {
    admission.enter(candidate, NOT_AT_ALL).await.is_some()
}

#[tokio::test]
async fn cores_are_promised_once_and_the_largest_job_runs_alone() {
    let admission = admission(9, 9, "1");
    assert!(is_let_in(&admission, job("a", "x", "0.6")).await);
    assert!(!is_let_in(&admission, job("b", "x", "0.5")).await);
    assert!(is_let_in(&admission, job("c", "x", "0.4")).await);
    assert!((admission.metrics.cores_promised.get() - 1.0).abs() < 1e-9);
    admission.leave("a");
    assert!(!is_let_in(&admission, job("d", "x", "3")).await);
    admission.leave("c");
    assert!(
        is_let_in(&admission, job("d", "x", "3")).await,
        "it is alone"
    );
    assert!(!is_let_in(&admission, job("e", "x", "0")).await);
}

#[tokio::test]
async fn jobs_are_counted_in_all_and_by_client() {
    let admission = admission(3, 2, "9");
    assert!(is_let_in(&admission, job("a", "x", "0")).await);
    assert!(is_let_in(&admission, job("b", "x", "0")).await);
    assert!(!is_let_in(&admission, job("c", "x", "0")).await);
    assert!(is_let_in(&admission, job("d", "y", "0")).await);
    assert!(!is_let_in(&admission, job("e", "z", "0")).await);
}

#[tokio::test]
async fn who_waits_is_let_in_in_turn_and_passes_only_those_who_have_their_share() {
    let admission = admission(9, 1, "1");
    assert!(is_let_in(&admission, job("first", "x", "0.9")).await);
    let (mine, large, small) = (
        admission.enter(job("mine", "x", "0.1"), A_WHILE),
        admission.enter(job("large", "y", "0.8"), A_WHILE),
        admission.enter(job("small", "z", "0.1"), A_WHILE),
    );
    let order = Mutex::new(Vec::new());
    let note = |name: &'static str| {
        order.lock().unwrap().push(name);
        admission.leave(name);
    };
    tokio::join!(
        async {
            assert!(mine.await.is_some());
            note("mine");
        },
        async {
            assert!(large.await.is_some());
            note("large");
        },
        async {
            assert!(small.await.is_some());
            note("small");
        },
        async {
            tokio::task::yield_now().await;
            assert_eq!(
                admission.metrics.jobs_waiting.get(),
                3,
                "small does not pass large"
            );
            admission.leave("first");
        },
    );
    let mut order = order.into_inner().unwrap();
    order.sort_unstable();
    assert_eq!(order, ["large", "mine", "small"]);
    assert!(admission.is_empty());
    assert_eq!(admission.metrics.jobs_waiting.get(), 0);
}

#[tokio::test]
async fn who_waited_in_vain_or_went_away_takes_no_place() {
    let admission = admission(1, 1, "1");
    assert!(is_let_in(&admission, job("a", "x", "0")).await);
    let in_vain = admission.enter(job("b", "y", "0"), Duration::from_millis(5));
    assert!(in_vain.await.is_none());
    tokio::select! {
        biased;
        _ = admission.enter(job("c", "y", "0"), A_WHILE) => panic!("there is no place"),
        () = async { assert_eq!(admission.metrics.jobs_waiting.get(), 1) } => {}
    }
    assert_eq!(admission.metrics.jobs_waiting.get(), 0);
    admission.leave("a");
    assert!(admission.is_empty());
    assert!(is_let_in(&admission, job("d", "y", "0")).await);
}

#[tokio::test]
async fn a_closed_door_lets_nobody_in_who_waits_or_comes() {
    let admission = admission(1, 1, "1");
    let stopped = admission.take_up(job("a", "x", "5"));
    let (waited, ()) = tokio::join!(admission.enter(job("b", "y", "0"), A_WHILE), async {
        tokio::task::yield_now().await;
        admission.close();
    });
    assert!(waited.is_none() && admission.is_closed());
    admission.stop_all();
    assert!(*stopped.borrow());
    admission.leave("a");
    assert!(!is_let_in(&admission, job("c", "y", "0")).await);
}
