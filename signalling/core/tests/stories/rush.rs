//! Large channels: many join at once. And what is told to one person only.

use std::time::Duration;

use signalling_core::{Hint, HostControl, Input, JoinError, News, Record};

use super::world::{World, conn, user};

/// Those of whom the channel was told that they came, in order.
fn came(world: &World) -> Vec<String> {
    let news = world.to_room.iter().filter_map(|news| {
        let News::Entered(who) = news else {
            return None;
        };
        Some(who.user.to_string())
    });
    news.collect()
}

fn records_of_the_call(world: &World) -> usize {
    let of_call = |record: &&Record| matches!(record, Record::Call(_));
    world.records.iter().filter(of_call).count()
}

fn in_a_rush(people: usize) -> World {
    let mut world = World::new();
    world.room_members = 150;
    for number in 0..people {
        world.join(&format!("p{number}"));
    }
    world
}

#[test]
fn in_a_large_channel_a_rush_is_gathered_for_a_second_and_let_in_together() {
    // The first one starts the call, ten more are no rush.
    let mut world = in_a_rush(40);
    assert_eq!(world.people(), 11);
    let before = records_of_the_call(&world);
    world.pass(Duration::from_millis(999));
    assert_eq!(world.people(), 11);
    world.pass(Duration::from_millis(1));
    assert_eq!(world.people(), 40);
    assert_eq!(records_of_the_call(&world), before + 1);
    let order: Vec<String> = (0..40).map(|number| format!("p{number}")).collect();
    assert_eq!(came(&world), order);
    let host = world.state().host.unwrap();
    assert_eq!(host.as_str(), "p0");
    // The rush is over.
    world.join("late");
    assert_eq!(world.people(), 41);
}

#[test]
fn a_small_channel_and_one_person_after_the_other_wait_for_nobody() {
    let mut world = World::new();
    world.room_members = 99;
    for number in 0..40 {
        world.join(&format!("p{number}"));
        assert_eq!(world.people(), number + 1);
    }
    let mut world = in_a_rush(1);
    for number in 1..30 {
        world.pass(Duration::from_millis(150));
        world.join(&format!("p{number}"));
        assert_eq!(world.people(), number + 1);
    }
}

#[test]
fn as_many_as_the_channel_has_members_do_not_wait_for_the_second_to_end() {
    let mut world = in_a_rush(11);
    world.room_members = 100;
    for number in 0..99 {
        world.join(&format!("more{number}"));
    }
    assert_eq!(world.people(), 11);
    world.join("one-more");
    assert_eq!(world.people(), 111);
}

#[test]
fn who_waits_may_go_away_and_who_ends_the_call_ends_it_for_them() {
    let mut world = in_a_rush(14);
    world.input(Input::Leave {
        connection: conn("p11"),
    });
    world.input(Input::Disconnected {
        connection: conn("p12"),
    });
    // Twice on one connection is once too often, though it has no session yet.
    world.ask("p13");
    assert_eq!(world.refused, [(conn("p13"), JoinError::AlreadyConnected)]);
    world.refused.clear();
    world.pass(Duration::from_secs(1));
    assert_eq!(world.people(), 12);
    assert!(!came(&world).contains(&"p11".to_owned()));

    let mut world = in_a_rush(13);
    let by = user("p0");
    let ended = world
        .call
        .host_control(&by, false, HostControl::End, world.at);
    ended.unwrap();
    world.drain();
    world.pass(Duration::from_secs(5));
    let told: Vec<_> = world.refused.iter().map(|(_, error)| error).collect();
    assert_eq!(told, [&JoinError::Ended; 2]);
    assert!(world.call.is_idle());
}

/// A call of so many people, and who is told as its host from then on.
fn large_call(people: usize) -> World {
    let mut world = in_a_rush(people);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.people(), people);
    world.hosts_told.clear();
    world.to_room.clear();
    world
}

fn leave(world: &mut World, numbers: std::ops::Range<usize>) {
    for number in numbers {
        world.input(Input::Leave {
            connection: conn(&format!("p{number}")),
        });
    }
}

#[test]
fn who_is_the_host_is_told_once_for_all_who_leave_a_large_call_within_a_second() {
    let mut world = large_call(150);
    let before = records_of_the_call(&world);
    leave(&mut world, 0..120);
    // Each of them was the host when going; that they went is told at once.
    let left = |world: &World| {
        let left = world.to_room.iter();
        left.filter(|news| matches!(news, News::Left(_))).count()
    };
    assert_eq!((world.people(), left(&world)), (30, 120));
    let ten: Vec<_> = (1..=10).map(|number| user(&format!("p{number}"))).collect();
    assert_eq!(world.hosts_told, ten);
    assert_eq!(records_of_the_call(&world), before + 10);
    // Whoever asks is told the truth already, and the host may act.
    assert_eq!(world.state().host, Some(user("p120")));
    world.pass(Duration::from_secs(1));
    assert_eq!(world.hosts_told[10..], [user("p120")]);
    assert_eq!(records_of_the_call(&world), before + 11);

    // The rush is over, and the call no longer large.
    leave(&mut world, 120..122);
    assert_eq!(world.hosts_told[11..], [user("p121"), user("p122")]);
}

#[test]
fn a_rush_out_of_a_large_call_may_end_it() {
    let mut world = large_call(120);
    leave(&mut world, 0..120);
    assert!(world.call.is_idle());
    assert_eq!(world.hosts_told.len(), 10, "nobody is left to be told");
    let ended = world.records.iter().rev().find_map(|record| match record {
        Record::Call(call) => Some(call),
        Record::Session(_) | Record::SessionGone(_) | Record::Job(_) => None,
    });
    let ended = ended.unwrap();
    assert!(ended.end_at_ms > 0 && ended.host.is_none());
}

#[test]
fn those_who_vanish_together_are_gone_together() {
    let mut world = World::new();
    for number in 0..40 {
        world.join(&format!("p{number}"));
    }
    world.hosts_told.clear();
    for number in 0..39 {
        world.input(Input::Disconnected {
            connection: conn(&format!("p{number}")),
        });
    }
    world.pass(Duration::from_secs(10));
    assert_eq!(world.people(), 1);
    assert_eq!(world.hosts_told, [user("p39")]);
}

#[test]
fn the_last_who_leaves_opens_the_door_for_those_who_wait() {
    let mut world = in_a_rush(12);
    for number in 0..11 {
        world.input(Input::Leave {
            connection: conn(&format!("p{number}")),
        });
        assert!(!world.call.is_idle());
    }
    assert_eq!(world.people(), 1);
    assert_eq!(world.state().host.unwrap().as_str(), "p11");
}

#[test]
fn who_may_not_start_a_call_of_a_group_is_told_why_and_nobody_else_is() {
    let mut world = World::without_group_calls();
    world.ask("anna");
    assert_eq!(world.refused, [(conn("anna"), JoinError::GroupCalls)]);
    assert_eq!(world.hints, [(user("anna"), Hint::GroupCallsOff)]);
    assert!(world.call.is_idle());
    let mut world = World::new();
    world.join("anna");
    assert_eq!(world.hints, []);
}
