//! Bots that vanish, lose their media or are asked to another media node, and who goes on for them.

use std::time::Duration;

use proto::id::{JobId, SessionId};
use signalling_core::{
    Input, JobFailure, JobKind, JobStatus, JobStatusError, JobTaken, MediaHost, News,
};

use crate::jobs::{running, running_in};
use crate::world::{World, conn, taken, user};

#[test]
fn a_recording_that_is_lost_goes_on_as_a_further_one_where_there_is_another_service() {
    let lose = |world: &mut World, recording: &JobId, how: &str| {
        world.requested.clear();
        world.to_bot.clear();
        if how == "its bot vanishes" {
            let connection = conn("bot");
            world.input(Input::Disconnected { connection });
            world.pass(signalling_core::RECONNECT_GRACE + Duration::from_secs(1));
        } else {
            let reason = "the disk is nearly full".to_owned();
            let status = JobStatus::CutOff { reason };
            let kind = JobKind::Recording;
            world.report(recording, kind, status).unwrap();
        }
    };
    for how in ["its bot vanishes", "it is cut off"] {
        let (mut world, recording, transcribing) = running_in(World::with_two_job_services());
        lose(&mut world, &recording, how);
        let [further] = &world.requested[..] else {
            panic!("{how}: {:?} asked for", world.requested);
        };
        assert_ne!(*further, recording, "{how}");
        let further = further.clone();
        // The first is over, with what belongs to it, and is not let in any more.
        assert!(world.to_bot.contains(&News::JobStop(recording.clone())));
        assert!(world.to_bot.contains(&News::JobStop(transcribing)));
        world.bot_joins("bot-3", &recording);
        assert_eq!(world.refused.len(), 1, "{how}");
        // Its transcript is asked for as ever, and its bots begin.
        let answer = Ok(taken("y"));
        let job = further.clone();
        world.input(Input::JobAnswered { job, answer });
        assert_eq!(world.requested.len(), 2, "{how}");
        world.bot_joins("bot-4", &further);
        let kind = JobKind::Recording;
        world.report(&further, kind, JobStatus::Started).unwrap();
        world.pass(Duration::from_secs(5));
        let state = world.state().recording.unwrap();
        assert_eq!((state.end_at_ms, state.failure), (0, None), "{how}");
    }

    // With one service the reason is told, and nothing is asked for; nor for a call that nobody is in, nor
    // for one that does not begin, nor for ever.
    let (mut world, recording, _) = running();
    lose(&mut world, &recording, "it is cut off");
    assert_eq!(world.requested, []);
    let mut world = World::with_two_job_services();
    world.join("anna");
    world.record_all();
    world.requested.clear();
    world.pass(signalling_core::JOB_START_LIMIT + Duration::from_secs(1));
    assert!(world.state().recording.unwrap().end_at_ms > 0);
    assert_eq!(world.requested, []);
    let (mut world, mut recording, _) = running_in(World::with_two_job_services());
    let mut times = 0;
    loop {
        lose(&mut world, &recording, "it is cut off");
        let Some(further) = world.requested.first() else {
            break;
        };
        times += 1;
        recording = further.clone();
        world.bot_joins(&format!("again-{times}"), &recording);
        let kind = JobKind::Recording;
        world.report(&recording, kind, JobStatus::Started).unwrap();
    }
    assert_eq!(times, 5);
}

#[test]
fn a_further_recording_that_does_not_begin_goes_on_as_another() {
    let (mut world, recording, _) = running_in(World::with_two_job_services());
    let reason = "the disk is nearly full".to_owned();
    let status = JobStatus::CutOff { reason };
    let kind = JobKind::Recording;
    world.report(&recording, kind, status).unwrap();
    world.requested.clear();
    let limit = signalling_core::JOB_ANSWER_LIMIT + signalling_core::JOB_START_LIMIT;
    world.pass(limit + Duration::from_secs(1));
    assert_eq!(world.requested.len(), 1);
}

#[test]
fn what_the_host_had_paused_is_not_taken_by_a_further_recording() {
    let (mut world, recording, _) = running_in(World::with_two_job_services());
    world.call.pause_recording(&user("anna")).unwrap();
    world.drain();
    let kind = JobKind::Recording;
    world.report(&recording, kind, JobStatus::Paused).unwrap();
    world.requested.clear();
    let connection = conn("bot");
    world.input(Input::Disconnected { connection });
    world.pass(signalling_core::RECONNECT_GRACE + Duration::from_secs(1));
    let further = world.requested[0].clone();
    world.input(Input::JobAnswered {
        job: further.clone(),
        answer: Ok(taken("y")),
    });
    let transcript = world.requested[1].clone();
    for (bot, job, kind) in [
        ("bot-3", &further, JobKind::Recording),
        ("bot-4", &transcript, JobKind::Transcribing),
    ] {
        world.to_bot.clear();
        world.bot_joins(bot, job);
        assert!(world.to_bot.contains(&News::JobPause(job.clone())), "{bot}");
        // Their words that they pause come too early.
        let early = world.report(job, kind, JobStatus::Paused);
        assert_eq!(early, Err(JobStatusError::NotStarted));
        world.report(job, kind, JobStatus::Started).unwrap();
    }
    let state = world.state();
    for job in [state.recording, state.transcribing] {
        assert!(job.unwrap().paused_at_ms > 0);
    }
    world.call.resume_recording(&user("anna")).unwrap();
    world.drain();
    let kind = JobKind::Recording;
    world.report(&further, kind, JobStatus::Resumed).unwrap();
    assert_eq!(world.state().recording.unwrap().paused_at_ms, 0);
}

#[test]
fn a_bot_whose_media_ends_has_vanished_unless_it_takes_its_leave() {
    for takes_its_leave in [true, false] {
        let (mut world, ..) = running();
        let session = SessionId::parse("bot").unwrap();
        world.input(Input::MediaClosed { session });
        let recording = world.state().recording.unwrap();
        assert_eq!(recording.end_at_ms, 0, "it may just be leaving");
        if takes_its_leave {
            let connection = conn("bot");
            world.input(Input::Leave { connection });
        } else {
            world.pass(signalling_core::RECONNECT_GRACE + Duration::from_secs(1));
        }
        let recording = world.state().recording.unwrap();
        let vanished = JobFailure::BotVanished(JobKind::Recording);
        let failure = (!takes_its_leave).then_some(vanished);
        assert_eq!(
            (recording.end_at_ms > 0, recording.failure),
            (true, failure)
        );
    }
}

#[test]
fn a_bot_at_a_host_that_stops_begins_anew_at_another_where_it_can() {
    let (mut world, recording, transcribing) = running();
    world.moves.clear();
    let host = MediaHost(world.media.clone());
    world.media = "http://another".to_owned();
    world.input(Input::MediaHostStops { host: host.clone() });
    assert_eq!(world.moves, ["anna", "bot", "bot-2"]);
    // Whoever stays loses nothing by it.
    world.pass(Duration::from_secs(20));
    world.input(Input::MediaHostStops { host: host.clone() });
    assert_eq!(world.state().recording.unwrap().failure, None);
    // Their workers end as if they had died, and are followed, before that is noticed or after.
    let connection = conn("anna");
    world.input(Input::Leave { connection });
    world.join_on("anna-2", "anna", None);
    world.bot_joins("bot-3", &recording);
    let [first, second] = ["bot", "bot-2"].map(conn);
    world.input(Input::Disconnected { connection: first });
    world.input(Input::Leave { connection: second });
    world.bot_joins("bot-4", &transcribing);
    world.pass(signalling_core::RECONNECT_GRACE + Duration::from_secs(1));
    assert!(world.refused.is_empty(), "{:?}", world.refused);
    world.moves.clear();
    world.input(Input::MediaHostStops { host });
    assert_eq!(world.moves, [""; 0], "nobody is there any more");
    world.pass(Duration::from_secs(60));
    let state = world.state();
    let open = [state.recording, state.transcribing].map(|job| job.unwrap().end_at_ms == 0);
    assert_eq!(open, [true, true]);

    // Another's bot would not understand, and is well where it is.
    let mut world = World::new();
    world.join("anna");
    let (job, _) = world.record();
    let may_move = false;
    let answer = Ok(JobTaken {
        may_move,
        ..taken("x")
    });
    world.input(Input::JobAnswered {
        job: job.clone(),
        answer,
    });
    world.bot_joins("bot", &job);
    let kind = JobKind::Recording;
    world.report(&job, kind, JobStatus::Started).unwrap();
    world.moves.clear();
    let host = MediaHost(world.media.clone());
    world.input(Input::MediaHostStops { host });
    assert_eq!(world.moves, ["anna"]);
}

#[test]
fn a_job_goes_on_with_another_bot_when_the_media_of_its_own_is_lost() {
    let lose = |world: &mut World, name: &str| {
        let session = SessionId::parse(name).unwrap();
        world.input(Input::MediaLost { session });
    };
    let is_open = |world: &World| {
        let state = world.state();
        [state.recording, state.transcribing].map(|job| job.unwrap().end_at_ms == 0)
    };
    let (mut world, recording, transcribing) = running();
    world.moves.clear();
    // Everybody's media was on that host.
    for name in ["anna", "bot", "bot-2"] {
        lose(&mut world, name);
    }
    assert_eq!(
        world.moves,
        ["bot", "bot-2"],
        "they are asked to begin anew"
    );
    world.join_on("anna-2", "anna", None);
    world.pass(Duration::from_secs(5));
    // A restart of ours changes nothing.
    let stored = world.stored();
    world.restore(stored);
    world.join_on("anna-3", "anna", None);
    world.bot_joins("bot-3", &recording);
    world.bot_joins("bot-4", &transcribing);
    world.pass(Duration::from_secs(60));
    assert_eq!(is_open(&world), [true, true]);
    // Whoever takes its leave ends it, as ever.
    let connection = conn("bot-3");
    world.input(Input::Leave { connection });
    assert_eq!(is_open(&world), [false, false]);

    // Nobody comes: it has failed, and says so.
    let (mut world, ..) = running();
    lose(&mut world, "bot");
    world.pass(Duration::from_millis(14_900));
    assert_eq!(is_open(&world), [true, true]);
    world.pass(Duration::from_millis(200));
    assert_eq!(is_open(&world), [false, false]);
    let failed = world.state().recording.unwrap().failure;
    assert_eq!(failed, Some(JobFailure::BotVanished(JobKind::Recording)));
}

#[test]
fn a_bot_that_is_there_after_a_restart_keeps_its_job_wherever_it_was_connected_last() {
    let (mut world, ..) = running();
    let mut stored = world.stored();
    for job in &mut stored.jobs {
        job.bot_connection = Some(conn("before"));
    }
    world.restore(stored);
    world.join_on("anna-2", "anna", None);
    world.bot_returns("bot-3", "bot");
    world.bot_returns("bot-4", "bot-2");
    world.pass(Duration::from_secs(60));
    let state = world.state();
    let open = [state.recording, state.transcribing].map(|job| job.unwrap().end_at_ms == 0);
    assert_eq!(open, [true, true]);
}

#[test]
fn another_bot_goes_on_with_a_job_whose_bot_vanished_and_with_no_other() {
    let (mut world, recording, transcribing) = running();
    let is_open = |world: &World| {
        let state = world.state();
        [state.recording, state.transcribing].map(|job| job.unwrap().end_at_ms == 0)
    };
    // Who was not let in cannot leave.
    let comes_and_goes = |world: &mut World, name: &str, job: &JobId| {
        world.bot_joins(name, job);
        let connection = conn(name);
        world.input(Input::Leave { connection });
    };
    comes_and_goes(&mut world, "bot-3", &recording);
    comes_and_goes(&mut world, "bot-4", &transcribing);
    assert_eq!(is_open(&world), [true, true], "the first are there");
    for connection in ["bot", "bot-2"] {
        let connection = conn(connection);
        world.input(Input::Disconnected { connection });
    }
    world.bot_joins("bot-5", &recording);
    world.bot_joins("bot-6", &transcribing);
    world.pass(signalling_core::RECONNECT_GRACE + Duration::from_secs(1));
    assert_eq!(is_open(&world), [true, true], "the first are forgotten");
    comes_and_goes(&mut world, "bot-6", &transcribing);
    assert_eq!(is_open(&world), [true, false]);
    comes_and_goes(&mut world, "bot-5", &recording);
    assert_eq!(is_open(&world), [false, false]);
    let state = world.state();
    let failures = [state.recording, state.transcribing].map(|job| job.unwrap().failure);
    assert_eq!(failures, [None, None], "who takes its leave has not failed");
}

#[test]
fn a_job_whose_bot_vanished_and_is_not_followed_ends_with_a_reason() {
    for kind in [JobKind::Recording, JobKind::Transcribing] {
        let (mut world, ..) = running();
        world.edits.clear();
        let bot = if kind == JobKind::Recording {
            "bot"
        } else {
            "bot-2"
        };
        let connection = conn(bot);
        world.input(Input::Disconnected { connection });
        world.pass(signalling_core::RECONNECT_GRACE + Duration::from_secs(1));
        let state = world.state();
        let [recording, transcribing] = [state.recording, state.transcribing].map(Option::unwrap);
        let vanished = Some(JobFailure::BotVanished(kind));
        let failed = if kind == JobKind::Recording {
            &recording
        } else {
            &transcribing
        };
        assert_eq!((failed.end_at_ms > 0, &failed.failure), (true, &vanished));
        assert_eq!(recording.end_at_ms > 0, kind == JobKind::Recording);
        assert!(world.jobs_told.iter().any(|job| job.failure == vanished));
        assert_eq!(world.edits, [], "what was taken comes all the same");
    }
}
