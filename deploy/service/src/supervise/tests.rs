//! Tasks that end, panic, are killed or stopped, and what is said of each.

use std::sync::atomic::AtomicU32;
use std::sync::mpsc;

use tokio::sync::oneshot;

use super::*;

const AT_ONCE: Restarts = Restarts {
    first_pause: Duration::from_millis(1),
    longest_pause: Duration::from_millis(1),
    calm: Duration::from_secs(60),
    most_in_a_row: 3,
};

async fn for_ever() {
    std::future::pending().await
}

#[tokio::test]
async fn a_killed_task_is_fatal_and_named() {
    let tasks = Tasks::new("kitchen");
    tasks.must_live("oven", for_ever());
    tasks.must_live("tap", for_ever());
    assert_eq!(tasks.troubles(), [""; 0]);
    assert!(tasks.kill("oven"));
    let over = tasks.fatal().await;
    assert_eq!(
        over.to_string(),
        "task `oven` of kitchen was cancelled: kitchen cannot go on without it"
    );
    assert_eq!(tasks.troubles(), ["task `oven` was cancelled"]);
    assert_eq!(tasks.over(), Some(over));
    assert!(!tasks.kill("pan"));
}

#[tokio::test]
async fn a_panic_and_a_return_are_fatal_with_their_cause() {
    let tasks = Tasks::new("kitchen");
    tasks.must_live("oven", async { panic!("{} degrees", 451) });
    assert_eq!(
        tasks.fatal().await.end,
        End::Panicked("451 degrees".to_owned())
    );
    assert_eq!(tasks.troubles(), ["task `oven` panicked: 451 degrees"]);

    let tasks = Tasks::new("kitchen");
    tasks.must_live("oven", async {});
    assert_eq!(tasks.fatal().await.end, End::Returned);
}

#[tokio::test]
async fn a_task_dropped_with_its_runtime_is_not_forgotten() {
    let tasks = Tasks::new("kitchen");
    let other = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    {
        let _entered = other.enter();
        tasks.must_live("oven", for_ever());
    }
    other.shutdown_background();
    assert_eq!(tasks.fatal().await.end, End::Cancelled);
}

#[tokio::test]
async fn an_orderly_stop_is_no_failure() {
    let tasks = Tasks::new("kitchen");
    tasks.must_live("oven", for_ever());
    tasks.restarted("tap", for_ever, AT_ONCE);
    tasks.one_of("guest", for_ever(), |end| panic!("{end}"));
    let (stop, stopped) = mpsc::channel::<()>();
    let thread = tasks
        .must_live_thread("cook", move || assert!(stopped.recv().is_err()))
        .unwrap();
    tasks.begin_stop();
    drop(stop);
    thread.join().unwrap();
    tasks.stop().await;
    assert_eq!((tasks.over(), tasks.troubles()), (None, Vec::new()));
    // Nothing starts any more.
    tasks.must_live("oven", async { unreachable!("stopped") });
    tasks.stop().await;
    assert_eq!(tasks.over(), None);
}

#[tokio::test]
async fn a_group_ends_by_its_own_means_while_the_others_are_ended() {
    let tasks = Tasks::new("kitchen");
    let doors = tasks.group();
    tasks.must_live("oven", for_ever());
    let (close, closed) = oneshot::channel::<()>();
    doors.must_live("door", async move { assert!(closed.await.is_err()) });
    tasks.stop().await;
    drop(close);
    assert!(doors.finish(Duration::from_secs(60)).await);
    assert_eq!((tasks.over(), doors.troubles()), (None, Vec::new()));

    let doors = Tasks::new("kitchen");
    doors.must_live("door", for_ever());
    assert!(!doors.finish(Duration::from_millis(1)).await);
    assert_eq!(doors.over(), None);
}

#[tokio::test]
async fn what_may_be_restarted_is_and_is_counted() {
    let tasks = Tasks::new("kitchen");
    let (well, is_well) = oneshot::channel();
    let mut well = Some(well);
    let mut starts = 0;
    let start = move || {
        starts += 1;
        let well = if starts == 3 { well.take() } else { None };
        async move {
            match (starts, well) {
                (1, _) => panic!("out of gas"),
                (_, Some(well)) => {
                    well.send(()).unwrap();
                    for_ever().await;
                }
                _ => {}
            }
        }
    };
    tasks.restarted("tap", start, AT_ONCE);
    is_well.await.unwrap();
    assert_eq!((tasks.over(), tasks.troubles()), (None, Vec::new()));
    let figures = tasks.metrics("kitchen");
    assert!(
        figures.contains("kitchen_task_restarts_total{task=\"tap\"} 2\n"),
        "{figures}"
    );
    assert!(
        figures.contains("kitchen_task_panics_total{task=\"tap\"} 1\n"),
        "{figures}"
    );
    assert!(
        figures.contains("kitchen_tasks_alive{task=\"tap\"} 1\n"),
        "{figures}"
    );
    tasks.stop().await;
}

#[tokio::test]
async fn a_task_between_two_lives_is_a_trouble() {
    let tasks = Tasks::new("kitchen");
    let long = Restarts {
        first_pause: Duration::from_secs(3600),
        ..AT_ONCE
    };
    let (ending, ended) = oneshot::channel::<()>();
    let mut ending = Some(ending);
    let end = move || {
        drop(ending.take());
        std::future::ready(())
    };
    tasks.restarted("tap", end, long);
    ended.await.unwrap_err();
    // The end is noted in the same poll that dropped the sender.
    tokio::task::yield_now().await;
    assert_eq!(
        tasks.troubles(),
        ["task `tap` has ended, and should not; it is started again"]
    );
    tasks.stop().await;
}

#[tokio::test]
async fn what_ends_again_and_again_is_given_up() {
    let tasks = Tasks::new("kitchen");
    let starts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&starts);
    let start = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async { panic!("no water") }
    };
    tasks.restarted("tap", start, AT_ONCE);
    let over = tasks.fatal().await;
    assert_eq!(starts.load(Ordering::SeqCst), 4);
    assert_eq!(
        over.end.to_string(),
        "was given up after 4 ends in a row, the last: panicked: no water"
    );
}

#[tokio::test]
async fn work_that_is_done_is_no_trouble_but_a_panic_in_it_is_tried_again() {
    let tasks = Tasks::new("kitchen");
    let (done, is_done) = oneshot::channel();
    let mut done = Some(done);
    let mut starts = 0;
    let start = move || {
        starts += 1;
        let done = if starts == 2 { done.take() } else { None };
        async move { done.expect("the second try").send(()).unwrap() }
    };
    tasks.until_done("dishes", start, AT_ONCE);
    is_done.await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!((tasks.over(), tasks.troubles()), (None, Vec::new()));
    assert!(
        tasks
            .metrics("kitchen")
            .contains("task_restarts_total{task=\"dishes\"} 1\n")
    );
}

#[tokio::test]
async fn a_panic_of_one_of_many_is_told_and_harms_nobody() {
    let tasks = Tasks::new("kitchen");
    tasks.one_of("guest", for_ever(), |_| {});
    let (tell, told) = oneshot::channel();
    let after = move |end: &End| tell.send(end.clone()).unwrap();
    tasks.one_of("guest", async { panic!("a hair in the soup") }, after);
    assert_eq!(
        told.await.unwrap(),
        End::Panicked("a hair in the soup".to_owned())
    );
    tokio::task::yield_now().await;
    assert_eq!((tasks.over(), tasks.troubles()), (None, Vec::new()));
    let figures = tasks.metrics("kitchen");
    assert!(
        figures.contains("kitchen_tasks_alive{task=\"guest\"} 1\n"),
        "{figures}"
    );
    assert!(
        figures.contains("kitchen_task_panics_total{task=\"guest\"} 1\n"),
        "{figures}"
    );
    tasks.stop().await;
}

#[tokio::test]
async fn the_end_of_a_thread_is_fatal_and_its_panic_goes_on_to_whoever_joins() {
    let tasks = Tasks::new("kitchen");
    let thread = tasks.must_live_thread("cook", || panic!("burnt")).unwrap();
    let over = tasks.fatal().await;
    assert_eq!(
        (over.task.as_str(), over.end),
        ("cook", End::Panicked("burnt".to_owned()))
    );
    assert!(thread.join().is_err());
    assert!(
        tasks
            .metrics("kitchen")
            .contains("tasks_alive{task=\"cook\"} 0\n")
    );
}
