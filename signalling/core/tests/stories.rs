//! What depends on the clock, told on virtual time.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

#[path = "stories/bots_lost.rs"]
mod bots_lost;
#[path = "stories/jobs.rs"]
mod jobs;
#[path = "stories/rush.rs"]
mod rush;
#[path = "stories/world.rs"]
mod world;

use std::time::Duration;

use proto::id::{PostId, SessionId};
use signalling_core::{
    HostControl, Input, JoinError, MediaHost, Record, Request, RestoredCall, Usage,
};

use world::{World, conn, post_of, user};

#[test]
fn a_call_outlives_its_media_host_and_keeps_its_host_and_recording_while_people_come_back() {
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    world.control(HostControl::Make {
        new_host: user("ben"),
    });
    let call = world.state().id;
    let lose_media = |world: &mut World, names: &[&str]| {
        for name in names {
            let session = SessionId::parse(*name).unwrap();
            world.input(Input::MediaLost { session });
        }
    };
    lose_media(&mut world, &["anna", "ben"]);
    assert_eq!(world.people(), 0);
    world.media = "http://another".to_owned();
    world.pass(Duration::from_secs(2));
    world.join_on("anna-2", "anna", None);
    world.pass(Duration::from_secs(2));
    world.join_on("ben-2", "ben", None);
    let state = world.state();
    assert_eq!((state.id, state.host), (call, Some(user("ben"))));
    world.pass(Duration::from_secs(60));
    assert_eq!(world.people(), 2);

    // Nobody comes back: it is over, and nothing is recorded of an empty room.
    let mut world = World::new();
    world.join("anna");
    world.record();
    lose_media(&mut world, &["anna"]);
    world.pass(Duration::from_millis(14_900));
    let is_over = |world: &World| world.stored().call.end_at_ms > 0;
    assert!(!is_over(&world));
    world.pass(Duration::from_millis(100));
    assert!(is_over(&world));
    assert!(world.stored().jobs.iter().all(|job| job.end_at_ms > 0));

    // Who was host and does not come back is host no more.
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    lose_media(&mut world, &["anna"]);
    world.pass(Duration::from_secs(15));
    assert_eq!(world.state().host, Some(user("ben")));
}

#[test]
fn whoever_comes_late_is_told_who_was_heard_lately() {
    let mut world = World::new();
    for name in ["anna", "ben", "carl"] {
        world.join(name);
    }
    let hear = |world: &mut World, name: &str, on| {
        let session = SessionId::parse(name).unwrap();
        world.input(Input::MediaVoice { session, on });
    };
    let silent = |world: &World| -> Vec<Option<i64>> {
        let sessions = world.state().sessions;
        sessions.iter().map(|one| one.silent_for_ms).collect()
    };
    world.act("anna", Request::Unmute);
    hear(&mut world, "anna", true);
    world.act("ben", Request::Unmute);
    hear(&mut world, "ben", true);
    world.pass(Duration::from_secs(2));
    hear(&mut world, "ben", false);
    world.pass(Duration::from_secs(60));
    assert_eq!(silent(&world), [Some(0), None, None], "a long speech");
    hear(&mut world, "ben", true);
    hear(&mut world, "ben", false);
    world.pass(Duration::from_millis(29_999));
    assert_eq!(silent(&world), [Some(0), Some(29_999), None]);
    world.pass(Duration::from_millis(1));
    // Muted in the middle of a word, and heard no more.
    world.act("anna", Request::Mute);
    assert_eq!(silent(&world), [Some(1), None, None]);
    world.pass(Duration::from_secs(5));
    assert_eq!(silent(&world), [Some(5000), None, None]);
}

#[test]
fn whoever_is_at_a_host_that_stops_is_asked_to_go_and_the_call_waits_for_them() {
    let mut world = World::new();
    world.join("anna");
    let call = world.state().id;
    let host = MediaHost(world.media.clone());
    world.media = "http://another".to_owned();
    world.join("ben");
    world.input(Input::MediaHostStops { host: host.clone() });
    assert_eq!(std::mem::take(&mut world.moves), ["anna"]);
    world.input(Input::Leave {
        connection: conn("anna"),
    });
    world.input(Input::Leave {
        connection: conn("ben"),
    });
    assert_eq!(world.people(), 0);
    world.join_on("anna-2", "anna", None);
    assert_eq!(
        (world.state().id, world.state().host),
        (call, Some(user("anna")))
    );
    world.input(Input::MediaHostStops { host });
    assert_eq!(world.moves, [""; 0], "nobody is there any more");

    // Another host had given it the media of somebody.
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    let third = MediaHost("http://third".to_owned());
    let first = MediaHost(world.media.clone());
    for _ in 0..2 {
        world.input(Input::MediaElsewhere {
            session: SessionId::parse("ben").unwrap(),
            from: first.clone(),
            host: third.clone(),
        });
    }
    let handed = [("ben".to_owned(), first.clone(), third.clone())];
    assert_eq!(world.handed, handed, "once");
    world.input(Input::MediaHostStops { host: third });
    assert_eq!(std::mem::take(&mut world.moves), ["ben"]);
    world.input(Input::MediaHostStops { host: first });
    assert_eq!(world.moves, ["anna"]);

    // What somebody shows would end.
    let mut world = World::new();
    world.join("anna");
    let stream = "s".to_owned();
    world.act("anna", Request::ShareScreen { stream });
    let host = MediaHost(world.media.clone());
    world.input(Input::MediaHostStops { host: host.clone() });
    assert_eq!(world.moves, [""; 0]);
    world.act("anna", Request::StopScreen);
    world.input(Input::MediaHostStops { host });
    assert_eq!(world.moves, ["anna"]);
}

#[test]
fn a_move_that_fails_half_way_costs_neither_the_call_nor_its_host() {
    let mut world = World::new();
    world.join("anna");
    let call = world.state().id;
    let host = MediaHost(world.media.clone());
    world.media = "http://another".to_owned();
    world.input(Input::MediaHostStops { host });
    assert_eq!(std::mem::take(&mut world.moves), ["anna"]);
    world.join_on("anna-2", "anna", None);
    for connection in ["anna-2", "anna"] {
        world.input(Input::Leave {
            connection: conn(connection),
        });
    }
    assert_eq!(world.people(), 0);
    world.join_on("anna-3", "anna", None);
    assert_eq!(
        (world.state().id, world.state().host),
        (call, Some(user("anna")))
    );
}

#[test]
fn who_has_half_come_over_from_a_host_that_dies_is_waited_for() {
    let mut world = World::new();
    world.join("anna");
    let call = world.state().id;
    world.media = "http://another".to_owned();
    world.join_on("anna-2", "anna", None);
    let session = SessionId::parse("anna").unwrap();
    world.input(Input::MediaLost { session });
    // The other never came to be connected.
    let connection = conn("anna-2");
    world.input(Input::Leave { connection });
    assert_eq!(world.people(), 0);
    world.join_on("anna-3", "anna", None);
    assert_eq!(world.state().id, call);
}

#[test]
fn a_call_ends_at_once_when_those_leave_who_have_come_over() {
    let mut world = World::new();
    world.join("anna");
    let host = MediaHost(world.media.clone());
    world.media = "http://another".to_owned();
    world.input(Input::MediaHostStops { host });
    world.join_on("anna-2", "anna", None);
    for connection in ["anna", "anna-2"] {
        world.input(Input::Leave {
            connection: conn(connection),
        });
    }
    assert!(world.call.is_idle());

    // Their media is closed before their leave is heard.
    let mut world = World::new();
    world.join("anna");
    let host = MediaHost(world.media.clone());
    world.media = "http://another".to_owned();
    world.input(Input::MediaHostStops { host });
    world.join_on("anna-2", "anna", None);
    let session = SessionId::parse("anna").unwrap();
    world.input(Input::MediaClosed { session });
    world.input(Input::Leave {
        connection: conn("anna-2"),
    });
    assert!(world.call.is_idle());
}

#[test]
fn a_client_may_stay_away_for_ten_seconds_and_not_for_longer() {
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    world.input(Input::Disconnected {
        connection: conn("ben"),
    });
    world.pass(Duration::from_millis(9_900));
    assert_eq!(world.people(), 2);
    world.reconnect("ben-2", "ben");
    world.pass(Duration::from_secs(60));
    assert_eq!(world.people(), 2);
    world.input(Input::Disconnected {
        connection: conn("ben-2"),
    });
    world.pass(Duration::from_secs(10));
    assert_eq!(world.people(), 1);
}

#[test]
fn people_are_told_of_in_the_order_of_joining() {
    let mut world = World::new();
    for name in ["ines", "anna", "ben"] {
        world.join(name);
        world.pass(Duration::from_secs(1));
    }
    let order = |world: &World| -> Vec<String> {
        let sessions = world.state().sessions.into_iter();
        sessions.map(|view| view.session.to_string()).collect()
    };
    assert_eq!(order(&world), ["ines", "anna", "ben"]);
    let stored = world.stored();
    world.restore(stored);
    assert_eq!(order(&world), ["ines", "anna", "ben"]);
}

#[test]
fn whoever_does_not_go_is_closed_three_seconds_after_removal_and_five_after_the_end() {
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    let session = SessionId::parse("ben").unwrap();
    world.control(HostControl::Remove { session });
    world.pass(Duration::from_millis(2_900));
    assert_eq!(world.people(), 2);
    world.pass(Duration::from_millis(100));
    assert_eq!(world.people(), 1);
    world.control(HostControl::End);
    world.pass(Duration::from_millis(4_900));
    assert_eq!(world.people(), 1);
    world.pass(Duration::from_millis(100));
    assert!(world.call.is_idle());
}

#[test]
fn who_is_the_host_and_is_made_it_again_is_host_whenever_back() {
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    let told = world.hosts_told.len();
    let new_host = user("anna");
    world.control(HostControl::Make { new_host });
    assert_eq!(world.hosts_told.len(), told, "nobody is told of the same");
    world.input(Input::Leave {
        connection: conn("anna"),
    });
    assert_eq!(world.state().host, Some(user("ben")));
    world.join("anna");
    assert_eq!(world.state().host, Some(user("anna")));
}

#[test]
fn of_a_call_that_is_over_only_what_happened_is_kept() {
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    let new_host = user("anna");
    world.control(HostControl::Make { new_host });
    world.call.dismiss(&user("carl")).unwrap();
    world.drain();
    let stream = "s".to_owned();
    world.act("anna", Request::ShareScreen { stream });
    let kept = world.stored().call;
    assert_eq!(kept.host_locked, Some(user("anna")));
    assert!(kept.dismissed.contains(&user("carl")) && kept.presenter.is_some());

    world.control(HostControl::End);
    world.pass(Duration::from_secs(5));

    let kept = world.stored().call;
    assert!(kept.end_at_ms > 0);
    let passing = (kept.host, kept.host_locked, kept.presenter);
    assert_eq!(passing, (None, None, None));
    assert!(kept.dismissed.is_empty());
    assert_eq!(kept.owner, user("anna"));
    assert_eq!(kept.participants, [user("anna"), user("ben")].into());
}

#[test]
fn a_call_counts_how_long_screens_and_cameras_were_shown() {
    let stream = || "s".to_owned();
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    assert_eq!(world.stored().call.usage, Usage::default());
    world.act("anna", Request::ShareScreen { stream: stream() });
    world.pass(Duration::from_secs(3));
    for name in ["anna", "ben"] {
        world.act(name, Request::ShowVideo { stream: stream() });
    }
    // Another stream of the same camera goes on.
    world.act("ben", Request::ShowVideo { stream: stream() });
    world.pass(Duration::from_secs(2));
    let stored = world.stored();
    world.restore(stored);
    for name in ["anna", "ben"] {
        world.reconnect(&format!("{name}-2"), name);
    }
    world.pass(Duration::from_secs(1));
    world.act("anna-2", Request::StopScreen);
    world.input(Input::Leave {
        connection: conn("ben-2"),
    });
    world.pass(Duration::from_secs(1));
    let usage = world.stored().call.usage;
    assert_eq!((usage.screen_seconds, usage.video_seconds), (6, 3));
    assert!(usage.has_used_screen && usage.has_used_video);
    assert_eq!(usage.screen_since, None);
    let showing: Vec<&str> = usage.video_since.keys().map(SessionId::as_str).collect();
    assert_eq!(showing, ["anna"]);
}

#[test]
fn a_restart_brings_back_the_same_call_and_gives_clients_time() {
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    world.act("ben", Request::RaiseHand);
    world.act(
        "anna",
        Request::ShareScreen {
            stream: "s".to_owned(),
        },
    );
    let before = world.state();
    let stored = world.stored();

    world.restore(stored);
    assert_eq!(world.state(), before);
    world.pass(Duration::from_secs(29));
    world.reconnect("anna-2", "anna");
    world.pass(Duration::from_secs(2));
    let after = world.state();
    assert_eq!(after.sessions.len(), 1);
    assert_eq!(after.host, Some(user("anna")));
    assert_eq!(after.presenter, before.presenter);
}

#[test]
fn a_restart_after_everybody_left_ends_the_call() {
    let mut world = World::new();
    world.join("anna");
    let stored = RestoredCall {
        sessions: Vec::new(),
        ..world.stored()
    };
    world.records.clear();
    world.restore(stored);
    assert!(world.call.is_idle());
    let ended = |record: &Record| matches!(record, Record::Call(call) if call.end_at_ms > 0);
    assert!(world.records.iter().any(ended));
}

#[test]
fn who_waits_for_a_post_that_is_refused_hears_why_and_the_next_starts_anew() {
    let mut world = World::new();
    world.posts_come = false;
    world.ask("anna");
    world.ask("ben");
    let first = world.asked_posts.remove(0);
    let reason = "the chat hangs".to_owned();
    world.input(Input::PostRefused {
        call: first.clone(),
        reason: reason.clone(),
    });
    let refused = (conn("anna"), JoinError::NoPost(reason.clone()));
    assert_eq!(
        world.refused,
        [refused, (conn("ben"), JoinError::NoPost(reason))]
    );
    assert!(world.call.is_idle() && world.records.is_empty());

    world.ask("cora");
    let second = world.asked_posts.remove(0);
    world.input(post_of(&second, "second"));
    assert_eq!(world.people(), 1);
    // The first post came after all: nobody is in its call.
    world.input(post_of(&first, "first"));
    assert_eq!(world.closed_posts, [PostId::parse("first").unwrap()]);
    assert_eq!(world.state().post, Some(PostId::parse("second").unwrap()));
}

#[test]
fn whoever_is_sent_out_of_the_room_or_signs_out_no_longer_waits_for_the_post() {
    let mut world = World::new();
    world.posts_come = false;
    for name in ["anna", "ben", "cora"] {
        world.ask(name);
    }
    world.input(Input::LeftRoom { user: user("anna") });
    world.input(Input::LoginEnded {
        login: "ben".to_owned(),
    });
    let refused = |name| (conn(name), JoinError::Forbidden);
    assert_eq!(world.refused, [refused("anna"), refused("ben")]);
    let call = world.asked_posts.remove(0);
    world.input(post_of(&call, "post"));
    assert_eq!(world.people(), 1);
}

#[test]
fn a_call_that_breaks_closes_everybody_and_ends_in_the_records() {
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    world.record();
    let stored = world.stored();
    world.records.clear();

    // What is left of a call whose owner died is what was stored.
    world.restore(stored);
    world.input(Input::Broken);

    assert!(world.call.is_idle());
    let gone = |record: &&Record| matches!(record, Record::SessionGone(_));
    assert_eq!(world.records.iter().filter(gone).count(), 2);
    let ended = |record: &Record| matches!(record, Record::Call(call) if call.end_at_ms > 0);
    assert!(ended(world.records.last().unwrap()));
    let ended = |record: &Record| matches!(record, Record::Job(job) if job.end_at_ms > 0);
    assert!(world.records.iter().any(ended));
    assert_eq!(world.closed_posts.len(), 1);
}

#[test]
fn sessions_of_one_call_may_be_at_different_media_hosts() {
    let mut world = World::new();
    world.join("anna");
    world.media = "http://other".to_owned();
    world.join("ben");
    world.to_media.clear();
    world.act("anna", Request::Mute);
    world.act("ben", Request::Mute);
    assert_eq!(world.to_media, ["http://media", "http://other"]);
    let stored = world.stored();
    world.restore(stored);
    let hosts: Vec<String> = world.call.seats().map(|seat| seat.media.0).collect();
    assert_eq!(hosts, ["http://media", "http://other"]);
}
