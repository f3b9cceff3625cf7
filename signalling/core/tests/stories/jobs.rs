//! Jobs that are refused, fail, end, and come late.

use std::time::Duration;

use proto::id::JobId;
use signalling_core::{
    Input, JobFailure, JobKind, JobStatus, JobStatusError, JobView, News, PostEdit, Record,
    RecordingError, RestoredCall,
};

use crate::world::{World, conn, taken, user};

#[test]
fn a_bot_that_does_not_come_in_a_minute_has_failed_in_words() {
    let mut world = World::new();
    world.join("anna");
    let (job, _) = world
        .call
        .start_recording(&user("anna"), None, world.at)
        .unwrap();
    world.drain();
    world.input(Input::JobAnswered {
        job,
        answer: Ok(taken("x")),
    });
    world.pass(Duration::from_millis(59_900));
    assert_eq!(world.state().recording.unwrap().end_at_ms, 0);
    world.pass(Duration::from_millis(200));

    let state = world.state();
    let recording = state.recording.unwrap();
    assert!(recording.end_at_ms > 0);
    let late = JobFailure::BotDidNotCome(JobKind::Recording);
    assert_eq!(recording.failure, Some(late));
    let ended = |job: Option<JobView>| job.is_some_and(|job| job.end_at_ms > 0);
    assert!(ended(state.transcribing) && ended(state.captioning));
    let again = world.call.start_recording(&user("anna"), None, world.at);
    assert!(again.is_ok(), "a failed recording does not block the next");
}

#[test]
fn a_bot_is_awaited_from_when_the_service_took_its_job_however_long_that_took() {
    let mut world = World::new();
    world.join("anna");
    let (job, _) = world.record();
    let almost = signalling_core::JOB_ANSWER_LIMIT - Duration::from_secs(1);
    world.pass(almost);
    assert_eq!(world.state().recording.unwrap().end_at_ms, 0);
    let answer = Ok(taken("x"));
    world.input(Input::JobAnswered { job, answer });
    world.pass(Duration::from_millis(59_900));
    let recording = world.state().recording.unwrap();
    assert_eq!((recording.end_at_ms, recording.failure), (0, None));
    world.pass(Duration::from_millis(200));
    assert!(world.state().recording.unwrap().end_at_ms > 0);

    // A service that never answers holds nobody for ever.
    world.record();
    world.pass(signalling_core::JOB_ANSWER_LIMIT + signalling_core::JOB_START_LIMIT);
    assert!(world.state().recording.unwrap().end_at_ms > 0);
}

#[test]
fn a_refused_job_stops_nothing_but_the_jobs() {
    let mut world = World::new();
    world.join("anna");
    let (job, _) = world
        .call
        .start_recording(&user("anna"), None, world.at)
        .unwrap();
    world.drain();
    let answer = Err("max concurrent jobs reached".to_owned());
    world.input(Input::JobAnswered { job, answer });
    let recording = world.state().recording.unwrap();
    let reason = "max concurrent jobs reached".to_owned();
    let kind = JobKind::Recording;
    let refused = JobFailure::NotTaken { kind, reason };
    assert_eq!(recording.failure, Some(refused));
    assert_eq!(world.people(), 1);
    assert!(world.requested.len() == 1, "transcribing is not asked for");
}

#[test]
fn a_job_stopped_before_the_service_answered_starts_nothing_more() {
    let mut world = World::new();
    world.join("anna");
    let (job, _) = world
        .call
        .start_recording(&user("anna"), None, world.at)
        .unwrap();
    world.call.stop_recording(&user("anna"), world.at).unwrap();
    world.drain();
    world.input(Input::JobAnswered {
        job,
        answer: Ok(taken("late")),
    });
    assert_eq!(world.requested.len(), 1);
    assert!(world.state().transcribing.is_none());
}

#[test]
fn a_recorder_that_leaves_takes_its_job_and_the_transcript_along() {
    let mut world = World::new();
    world.join("anna");
    let (job, _) = world.record();
    world.input(Input::JobAnswered {
        job: job.clone(),
        answer: Ok(taken("x")),
    });
    world.join_as("bot", Some(job.clone()));
    let (kind, status) = (JobKind::Recording, JobStatus::Started);
    let started = world.call.report_job(&job, kind, status, world.at);
    started.unwrap();
    world.drain();
    assert_eq!(world.state().recording.unwrap().end_at_ms, 0);

    world.input(Input::Leave {
        connection: conn("bot"),
    });

    let state = world.state();
    assert!(state.recording.unwrap().end_at_ms > 0);
    assert!(state.transcribing.unwrap().end_at_ms > 0);
    assert_eq!(state.sessions.len(), 1);
}

#[test]
fn captions_end_with_the_reason_of_the_transcribing_that_failed() {
    let mut world = World::new();
    world.join("anna");
    let (job, _) = world.record();
    world.input(Input::JobAnswered {
        job,
        answer: Ok(taken("x")),
    });
    let transcribing = world.requested.last().unwrap().clone();
    let status = JobStatus::Failed {
        reason: "no model".to_owned(),
    };
    let kind = JobKind::Transcribing;
    let reported = world.call.report_job(&transcribing, kind, status, world.at);
    reported.unwrap();
    world.drain();
    let state = world.state();
    let told = Some(JobFailure::Told("no model".to_owned()));
    assert_eq!(state.captioning.unwrap().failure, told);
    assert_eq!(state.transcribing.unwrap().failure, told);
    let recording = state.recording.unwrap();
    assert!(recording.end_at_ms == 0 && recording.failure.is_none());
}

#[test]
fn a_restart_ends_the_jobs_of_a_call_that_nobody_is_in() {
    let mut world = World::new();
    world.join("anna");
    world.record();
    let stored = RestoredCall {
        sessions: Vec::new(),
        ..world.stored()
    };
    assert_eq!(stored.jobs.len(), 1);
    world.records.clear();
    world.restore(stored);
    let ended = |record: &Record| matches!(record, Record::Job(job) if job.end_at_ms > 0);
    assert!(world.records.iter().any(ended));
}

/// Both bots are in the call and have begun.
pub(crate) fn running() -> (World, JobId, JobId) {
    running_in(World::new())
}

pub(crate) fn running_in(mut world: World) -> (World, JobId, JobId) {
    world.join("anna");
    let (recording, transcribing) = world.record_all();
    for (bot, job, kind) in [
        ("bot", &recording, JobKind::Recording),
        ("bot-2", &transcribing, JobKind::Transcribing),
    ] {
        world.bot_joins(bot, job);
        world.report(job, kind, JobStatus::Started).unwrap();
    }
    (world, recording, transcribing)
}

#[test]
fn a_transcript_that_was_cut_off_is_told_in_the_call_and_comes() {
    let (mut world, _, transcribing) = running();
    world.edits.clear();
    let reason = "the disk is nearly full".to_owned();
    let status = JobStatus::CutOff {
        reason: reason.clone(),
    };
    let kind = JobKind::Transcribing;
    world.report(&transcribing, kind, status).unwrap();
    let state = world.state();
    let cut_off = Some(JobFailure::CutOff(reason));
    for job in [state.transcribing, state.captioning] {
        let job = job.unwrap();
        assert_eq!((job.end_at_ms > 0, &job.failure), (true, &cut_off));
    }
    assert_eq!(state.recording.unwrap().end_at_ms, 0);
    assert_eq!(world.edits, [], "there will be one");
}

#[test]
fn a_transcript_fails_alone_however_it_does() {
    let failed = JobStatus::Failed {
        reason: "no model".to_owned(),
    };
    for way in ["reported", "left", "refused", "late"] {
        let (mut world, recording, transcribing);
        if way == "reported" || way == "left" {
            (world, recording, transcribing) = running();
        } else {
            world = World::new();
            world.join("anna");
            recording = world.record().0;
            let answer = Ok(taken("x"));
            world.input(Input::JobAnswered {
                job: recording.clone(),
                answer,
            });
            world.bot_joins("bot", &recording);
            let started = world.report(&recording, JobKind::Recording, JobStatus::Started);
            started.unwrap();
            transcribing = world.requested.last().unwrap().clone();
        }
        match way {
            "reported" => {
                let kind = JobKind::Transcribing;
                world.report(&transcribing, kind, failed.clone()).unwrap();
            }
            "left" => world.input(Input::Leave {
                connection: conn("bot-2"),
            }),
            "refused" => world.input(Input::JobAnswered {
                job: transcribing.clone(),
                answer: Err("full".to_owned()),
            }),
            _ => {
                world.input(Input::JobAnswered {
                    job: transcribing.clone(),
                    answer: Ok(taken("y")),
                });
                world.pass(Duration::from_secs(61));
            }
        }
        let state = world.state();
        let ended = |job: Option<JobView>| job.is_some_and(|job| job.end_at_ms > 0);
        assert!(!ended(state.recording), "{way}: the recording goes on");
        assert!(ended(state.transcribing), "{way}");
        assert!(ended(state.captioning), "{way}");
        assert!(!world.to_bot.contains(&News::JobStop(recording)), "{way}");
        let named = |edit: &PostEdit| {
            matches!(
                edit,
                PostEdit::Jobs {
                    transcribing: Some(_),
                    ..
                }
            )
        };
        assert!(world.edits.iter().any(named), "{way}: the post names both");
        let told = world.edits.iter().rposition(named)
            < world
                .edits
                .iter()
                .rposition(|edit| matches!(edit, PostEdit::NoTranscript { .. }));
        assert_eq!(told, way != "left", "{way}: why there is none");

        world.call.stop_recording(&user("anna"), world.at).unwrap();
        world.drain();
        assert!(ended(world.state().recording), "{way}");
    }
}

#[test]
fn speech_of_which_nothing_would_come_is_told_of_and_not_asked_for() {
    let mut world = World::new();
    world.join("anna");
    let why = "no model is installed";
    let started = world
        .call
        .start_recording(&user("anna"), Some(why.to_owned()), world.at);
    let job = started.unwrap().0;
    world.drain();
    let answer = Ok(taken("x"));
    world.input(Input::JobAnswered {
        job: job.clone(),
        answer,
    });
    assert_eq!(world.requested, [job], "of the service");
    let hopeless = Some(JobFailure::NoSpeech(why.to_owned()));
    let state = world.state();
    for job in [state.transcribing, state.captioning] {
        let job = job.unwrap();
        assert_eq!((job.start_at_ms, &job.failure), (0, &hopeless));
        assert!(job.end_at_ms > 0);
        let told = world.jobs_told.iter().filter(|told| told.kind == job.kind);
        assert!(told.clone().count() > 0 && told.into_iter().all(|told| *told == job));
    }
    assert_eq!(state.recording.unwrap().end_at_ms, 0);
    let [
        PostEdit::Jobs { .. },
        PostEdit::NoTranscript { failure, .. },
    ] = world.edits.as_slice()
    else {
        panic!("{:?}", world.edits);
    };
    assert_eq!(Some(failure), hopeless.as_ref());
}

#[test]
fn a_pause_is_wanted_by_the_host_and_true_when_the_bots_say_so() {
    let (mut world, recording, transcribing) = running();
    world.to_bot.clear();
    let (anna, ben) = (user("anna"), user("ben"));
    world.join("ben");
    let refused = world.call.pause_recording(&ben);
    assert_eq!(refused, Err(RecordingError::NotHost));
    assert_eq!(
        world.call.resume_recording(&anna),
        Err(RecordingError::NotPaused)
    );
    world.call.pause_recording(&anna).unwrap();
    assert_eq!(
        world.call.pause_recording(&anna),
        Err(RecordingError::AlreadyPaused)
    );
    world.drain();
    let pauses = |jobs: &[&JobId]| {
        jobs.iter()
            .map(|job| News::JobPause((*job).clone()))
            .collect()
    };
    let both: Vec<News> = pauses(&[&recording, &transcribing]);
    assert_eq!(world.to_bot, both);
    assert_eq!(world.state().recording.unwrap().paused_at_ms, 0, "not yet");

    for (job, kind) in [
        (&recording, JobKind::Recording),
        (&transcribing, JobKind::Transcribing),
    ] {
        world.report(job, kind, JobStatus::Paused).unwrap();
    }
    let since = world.at.unix_ms;
    let paused = |world: &World| {
        let state = world.state();
        [state.recording, state.transcribing, state.captioning].map(|job| job.unwrap().paused_at_ms)
    };
    assert_eq!(paused(&world), [since; 3]);
    world.pass(Duration::from_secs(5));
    let again = world.report(&recording, JobKind::Recording, JobStatus::Paused);
    assert_eq!((again, paused(&world)), (Ok(()), [since; 3]));

    // A bot that was away hears it again, after a restart of ours too.
    let stored = world.stored();
    world.restore(stored);
    world.to_bot.clear();
    world.bot_returns("bot-3", "bot");
    assert_eq!(world.to_bot, pauses(&[&recording]) as Vec<News>);
    assert_eq!(paused(&world), [since; 3]);

    world.reconnect("anna-2", "anna");
    world.call.resume_recording(&anna).unwrap();
    world.drain();
    assert!(
        world
            .to_bot
            .contains(&News::JobResume(transcribing.clone()))
    );
    for (job, kind) in [
        (&recording, JobKind::Recording),
        (&transcribing, JobKind::Transcribing),
    ] {
        world.report(job, kind, JobStatus::Resumed).unwrap();
    }
    assert_eq!(paused(&world), [0; 3]);
}

#[test]
fn only_what_runs_pauses_and_an_end_ends_the_pause() {
    let anna = user("anna");
    let mut world = World::new();
    world.join("anna");
    let none = Err(RecordingError::NotInProgress);
    assert_eq!(world.call.pause_recording(&anna).map(drop), none);
    let (recording, _) = world.record_all();
    assert_eq!(world.call.pause_recording(&anna).map(drop), none);
    let early = world.report(&recording, JobKind::Recording, JobStatus::Paused);
    assert_eq!(early, Err(JobStatusError::NotStarted));
    let (mut world, recording, _) = running();
    world.call.pause_recording(&anna).unwrap();
    world.drain();
    let told = world.report(&recording, JobKind::Recording, JobStatus::Paused);
    told.unwrap();
    world.call.stop_recording(&anna, world.at).unwrap();
    world.drain();
    assert_eq!(world.state().recording.unwrap().paused_at_ms, 0);
    let late = world.report(&recording, JobKind::Recording, JobStatus::Resumed);
    assert_eq!(late, Err(JobStatusError::Ended));
    assert_eq!(world.call.resume_recording(&anna).map(drop), none);
}

#[test]
fn who_waits_for_a_recording_hears_how_much_of_it_is_made() {
    let (mut world, recording, _) = running();
    let kind = JobKind::Recording;
    let early = world.report(&recording, kind, JobStatus::Progress(1));
    assert_eq!(early, Err(JobStatusError::NotEnded));
    world.call.stop_recording(&user("anna"), world.at).unwrap();
    world.drain();
    world.jobs_told.clear();
    world.records.clear();
    for percent in [0, 40, 40, 200] {
        let told = world.report(&recording, kind, JobStatus::Progress(percent));
        told.unwrap();
    }
    let heard: Vec<_> = world.jobs_told.iter().map(|job| job.progress).collect();
    assert_eq!(heard, [Some(0), Some(40), Some(100)], "what is news");
    assert_eq!(world.state().recording.unwrap().progress, Some(100));
    assert!(world.records.is_empty(), "nothing of it is kept");
}

#[test]
fn the_thread_is_told_of_a_recording_only_that_nothing_comes_of_it() {
    for (status, comes) in [
        (
            JobStatus::Failed {
                reason: "cut off".to_owned(),
            },
            true,
        ),
        (
            JobStatus::Lost {
                reason: "too large".to_owned(),
            },
            false,
        ),
    ] {
        let (mut world, recording, _) = running();
        world.edits.clear();
        world.call.stop_recording(&user("anna"), world.at).unwrap();
        world.drain();
        world
            .report(&recording, JobKind::Recording, status)
            .unwrap();
        let told = world.edits.iter();
        let told = told.filter(|edit| matches!(edit, PostEdit::NoRecording { .. }));
        assert_eq!(told.count(), usize::from(!comes));
    }
    let mut world = World::new();
    world.join("anna");
    world.record_all();
    world.pass(Duration::from_secs(61));
    let late = |edit: &PostEdit| matches!(edit, PostEdit::NoRecording { .. });
    assert!(world.edits.iter().any(late), "nobody came to record it");
}
