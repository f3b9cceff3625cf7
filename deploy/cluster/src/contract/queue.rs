//! Jobs: begun once per attempt, ended once, never lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::{Stage, next};
use crate::feed::lock;
use crate::queue::{EXTEND, LEASE, MOST_STARTS};
use crate::{Error, Job, JobState, Lease, Queue, Submitted};

const SOON: Duration = Duration::from_secs(5);
const NOT: Duration = Duration::from_millis(300);

fn job(id: &str) -> Job {
    Job {
        id: id.to_owned(),
        body: format!("do {id}").into_bytes(),
    }
}

async fn take(queue: &dyn Queue, worker: &str) -> Box<dyn Lease> {
    let taken = queue.take(worker, SOON).await.unwrap();
    taken.expect("a job waits")
}

async fn none(queue: &dyn Queue) {
    let taken = queue.take("w", NOT).await.unwrap();
    assert!(taken.is_none(), "a job that should not wait");
}

pub async fn a_job_is_taken_once_and_its_result_is_there(stage: &dyn Stage) {
    let (one, two) = (stage.engine("n1").await, stage.engine("n2").await);
    assert_eq!(one.queue.submit(job("a")).await, Ok(Submitted::New));
    assert_eq!(one.queue.state("a").await, Ok(None));
    let lease = take(&*two.queue, "w2").await;
    assert_eq!((lease.job(), lease.start()), (&job("a"), 1));
    let running = JobState::Running {
        worker: "w2".to_owned(),
        start: 1,
    };
    assert_eq!(one.queue.state("a").await, Ok(Some(running)));
    none(&*one.queue).await;
    lease.done(b"good".to_vec()).await.unwrap();
    let done = JobState::Done {
        result: b"good".to_vec(),
    };
    assert_eq!(one.queue.state("a").await, Ok(Some(done)));
    none(&*one.queue).await;
}

pub async fn a_job_that_is_there_is_not_added_again(stage: &dyn Stage) {
    let engine = stage.engine("n1").await;
    let queue = &*engine.queue;
    assert_eq!(queue.submit(job("a")).await, Ok(Submitted::New));
    assert_eq!(queue.submit(job("a")).await, Ok(Submitted::Duplicate));
    let lease = take(queue, "w").await;
    assert_eq!(queue.submit(job("a")).await, Ok(Submitted::Duplicate));
    lease.done(Vec::new()).await.unwrap();
    none(queue).await;
}

pub async fn a_job_that_is_done_is_not_begun_again(stage: &dyn Stage) {
    let engine = stage.engine("n1").await;
    let queue = &*engine.queue;
    queue.submit(job("a")).await.unwrap();
    take(queue, "w").await.done(b"1".to_vec()).await.unwrap();
    // Who asked did not hear of it, and asks again.
    queue.submit(job("a")).await.unwrap();
    none(queue).await;
    let done = JobState::Done {
        result: b"1".to_vec(),
    };
    assert_eq!(queue.state("a").await, Ok(Some(done)));
}

pub async fn a_job_given_back_comes_again_after_its_time(stage: &dyn Stage) {
    let engine = stage.engine("n1").await;
    let queue = &*engine.queue;
    queue.submit(job("a")).await.unwrap();
    let given = Instant::now();
    let lease = take(queue, "w1").await;
    lease.retry(Duration::from_millis(700)).await.unwrap();
    assert_eq!(
        queue.state("a").await,
        Ok(Some(JobState::Returned { start: 1 }))
    );
    let lease = take(queue, "w2").await;
    assert!(given.elapsed() >= Duration::from_millis(690));
    assert!(given.elapsed() < LEASE, "it did not wait for the lease");
    assert_eq!(lease.start(), 2);
    lease.done(Vec::new()).await.unwrap();
}

pub async fn a_job_that_failed_lies_with_the_dead(stage: &dyn Stage) {
    let (one, two) = (stage.engine("n1").await, stage.engine("n2").await);
    let mut early = two.queue.dead().await.unwrap();
    one.queue.submit(job("a")).await.unwrap();
    take(&*one.queue, "w").await.fail("no disk").await.unwrap();
    let mut late = two.queue.dead().await.unwrap();
    for feed in [&mut early, &mut late] {
        let dead = next(feed).await;
        assert_eq!((dead.job, dead.starts), (job("a"), 1));
        assert_eq!((&*dead.worker, &*dead.reason), ("w", "no disk"));
    }
    none(&*one.queue).await;
    let dead = JobState::Dead {
        reason: "no disk".to_owned(),
    };
    assert_eq!(one.queue.state("a").await, Ok(Some(dead)));
}

pub async fn a_job_given_back_too_often_is_dead(stage: &dyn Stage) {
    let engine = stage.engine("n1").await;
    let queue = &*engine.queue;
    queue.submit(job("a")).await.unwrap();
    for start in 1..=MOST_STARTS {
        let lease = take(queue, "w").await;
        assert_eq!(lease.start(), start);
        lease.retry(Duration::ZERO).await.unwrap();
    }
    none(queue).await;
    let dead = next(&mut queue.dead().await.unwrap()).await;
    assert_eq!((dead.job, dead.starts), (job("a"), MOST_STARTS));
}

/// Takes a job if one comes; an engine that cannot be reached for a moment is asked again.
async fn take_when_there(queue: &dyn Queue, worker: &str) -> Option<Box<dyn Lease>> {
    let end = Instant::now() + LEASE;
    loop {
        match queue.take(worker, NOT * 3).await {
            Err(Error::Unavailable) if Instant::now() < end => tokio::time::sleep(NOT).await,
            taken => return taken.unwrap(),
        }
    }
}

pub async fn many_workers_share_many_jobs(stage: &dyn Stage) {
    const JOBS: usize = 40;
    let mut workers = Vec::new();
    let begun: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
    for n in 0..4 {
        let engine = stage.engine(&format!("n{n}")).await;
        if n == 0 {
            for n in 0..JOBS {
                engine.queue.submit(job(&format!("j{n}"))).await.unwrap();
            }
        }
        let begun = Arc::clone(&begun);
        workers.push(tokio::spawn(async move {
            let worker = format!("w{n}");
            let mut done = 0;
            while let Some(lease) = take_when_there(&*engine.queue, &worker).await {
                *lock(&begun).entry(lease.job().id.clone()).or_default() += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
                lease.done(Vec::new()).await.unwrap();
                done += 1;
            }
            done
        }));
    }
    let mut done = 0;
    for worker in workers {
        done += worker.await.unwrap();
    }
    assert_eq!(done, JOBS);
    let begun = lock(&begun);
    assert_eq!(begun.len(), JOBS);
    assert!(begun.values().all(|times| *times == 1), "{begun:?}");
}

pub async fn a_silent_worker_loses_its_job_and_learns_it(stage: &dyn Stage) {
    let (one, two) = (stage.engine("n1").await, stage.engine("n2").await);
    one.queue.submit(job("a")).await.unwrap();
    let mut lost = take(&*one.queue, "w1").await;
    let taken = two.queue.take("w2", LEASE + SOON).await.unwrap();
    let lease = taken.expect("the lease has run out");
    assert_eq!(lease.start(), 2);
    let extended = lost.extend().await;
    assert!(
        matches!(extended, Err(Error::Conflict { .. })),
        "{extended:?}"
    );
    let done = lost.done(b"of w1".to_vec()).await;
    assert!(matches!(done, Err(Error::Conflict { .. })), "{done:?}");
    lease.done(b"of w2".to_vec()).await.unwrap();
    let done = JobState::Done {
        result: b"of w2".to_vec(),
    };
    assert_eq!(one.queue.state("a").await, Ok(Some(done)));
}

pub async fn signs_keep_a_job(stage: &dyn Stage) {
    let (one, two) = (stage.engine("n1").await, stage.engine("n2").await);
    one.queue.submit(job("a")).await.unwrap();
    let mut lease = take(&*one.queue, "w1").await;
    let other = tokio::spawn(async move { two.queue.take("w2", LEASE + EXTEND).await });
    for _ in 0..4 {
        tokio::time::sleep(EXTEND).await;
        lease.extend().await.unwrap();
    }
    assert!(other.await.unwrap().unwrap().is_none());
    lease.done(Vec::new()).await.unwrap();
}
