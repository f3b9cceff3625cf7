//! The hub without sockets: who gets what, under which number, and what is kept.

mod bounds;
mod copies;
mod walk;

use std::collections::HashSet;

use serde_json::Value;

use super::*;

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn in_room(room: &str) -> Membership {
    Membership {
        rooms: [ChannelId::parse(room).unwrap()].into(),
        teams: HashSet::new(),
    }
}

fn event(name: &str, audience: Audience) -> ClientEvent {
    ClientEvent {
        name: name.to_owned(),
        data: serde_json::Map::new(),
        audience,
    }
}

fn to_room(name: &str, room: &str) -> ClientEvent {
    let room = Some(ChannelId::parse(room).unwrap());
    event(
        name,
        Audience {
            room,
            ..Audience::default()
        },
    )
}

fn hub() -> Hub {
    Hub::new("1".into(), Limits::default(), Arc::new(Metrics::new()))
}

/// Names and numbers of everything that waits.
fn drain(attached: &Attached) -> Vec<(String, u64)> {
    let mut events = Vec::new();
    while let Next::Event(seq, body) = attached.line.next() {
        let text: Vec<u8> = body
            .numbered(seq, attached.line.user(), usize::MAX)
            .flat_map(|(piece, _)| piece)
            .collect();
        let value: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(value["seq"], seq);
        events.push((value["event"].as_str().unwrap().to_owned(), seq));
    }
    events
}

fn is_cut_off(attached: &Attached) -> bool {
    matches!(attached.line.next(), Next::End)
}

#[test]
fn events_reach_exactly_the_people_they_are_for() {
    let hub = hub();
    let anna = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), None)
        .unwrap();
    let ben = hub
        .enter(&user("ben"))
        .attach("l2", in_room("q"), None)
        .unwrap();
    hub.publish(&to_room("a", "r"));
    hub.publish(&event(
        "b",
        Audience {
            user: Some(user("ben")),
            ..Audience::default()
        },
    ));
    let omit = Audience {
        omit_users: vec![user("ben")],
        ..Audience::default()
    };
    hub.publish(&event("c", omit));
    let both = Audience {
        user: Some(user("ben")),
        room: Some(ChannelId::parse("r").unwrap()),
        ..Audience::default()
    };
    hub.publish(&event("d", both));
    let omit = Audience {
        omit_connection: Some(anna.connection.clone()),
        ..Audience::default()
    };
    hub.publish(&event("e", omit));
    let named = |list: &[(&str, u64)]| -> Vec<(String, u64)> {
        list.iter()
            .map(|(name, seq)| ((*name).to_owned(), *seq))
            .collect()
    };
    assert_eq!(drain(&anna), named(&[("hello", 0), ("a", 1), ("c", 2)]));
    assert_eq!(
        drain(&ben),
        named(&[("hello", 0), ("b", 1), ("d", 2), ("e", 3)])
    );
}

#[test]
fn a_client_that_comes_back_gets_what_it_missed_and_keeps_its_id() {
    let hub = hub();
    let first = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), None)
        .unwrap();
    hub.publish(&to_room("a", "r"));
    assert_eq!(drain(&first).len(), 2);
    assert!(hub.detach(&first.line, Instant::now()).is_some());
    hub.publish(&to_room("b", "r"));
    hub.publish(&to_room("c", "r"));
    let resume = Resume {
        connection: first.connection.clone(),
        next_seq: 2,
    };
    let again = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), Some(resume))
        .unwrap();
    assert_eq!(again.connection, first.connection);
    hub.publish(&to_room("d", "r"));
    assert_eq!(
        drain(&again),
        [
            ("b".to_owned(), 2),
            ("c".to_owned(), 3),
            ("d".to_owned(), 4)
        ]
    );
}

#[test]
fn a_client_that_missed_too_much_starts_anew() {
    let hub = hub();
    let first = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), None)
        .unwrap();
    hub.detach(&first.line, Instant::now());
    for _ in 0..REPLAY_RING + SEND_QUEUE + 1 {
        hub.publish(&to_room("a", "r"));
    }
    let resume = Resume {
        connection: first.connection.clone(),
        next_seq: 1,
    };
    let again = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), Some(resume))
        .unwrap();
    assert_ne!(again.connection, first.connection);
    hub.publish(&to_room("b", "r"));
    assert_eq!(
        drain(&again),
        [("hello".to_owned(), 0), ("b".to_owned(), 1)]
    );
}

#[test]
fn nobody_resumes_the_connection_of_somebody_else() {
    let hub = hub();
    let anna = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), None)
        .unwrap();
    let resume = Resume {
        connection: anna.connection.clone(),
        next_seq: 1,
    };
    let ben = hub
        .enter(&user("ben"))
        .attach("l2", in_room("r"), Some(resume))
        .unwrap();
    assert_ne!(ben.connection, anna.connection);
    assert!(anna.line.is_current());
}

#[test]
fn a_newer_socket_takes_over_and_the_older_one_has_no_say() {
    let hub = hub();
    let old = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), None)
        .unwrap();
    drain(&old);
    let resume = Resume {
        connection: old.connection.clone(),
        next_seq: 1,
    };
    let _new = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), Some(resume))
        .unwrap();
    assert!(is_cut_off(&old));
    assert_eq!(hub.detach(&old.line, Instant::now()), None);
    assert!(hub.is_online(&user("anna")));
}

#[test]
fn a_client_that_does_not_read_loses_its_socket_and_nobody_else_does() {
    let hub = hub();
    let slow = hub.enter(&user("anna"));
    let slow = slow.attach("l1", in_room("r"), None).unwrap();
    let quick = hub.enter(&user("ben"));
    let quick = quick.attach("l2", in_room("r"), None).unwrap();
    drain(&quick);
    // `hello` waits too
    for _ in 1..SEND_QUEUE {
        hub.publish(&to_room("a", "r"));
        assert_eq!(drain(&quick).len(), 1);
        assert!(slow.line.is_current());
    }
    hub.publish(&to_room("one too many", "r"));
    assert!(is_cut_off(&slow));
    assert_eq!(drain(&quick).len(), 1);
    // nothing is lost for a client that comes back, more than fits the queue though it is
    let resume = Resume {
        connection: slow.connection,
        next_seq: 0,
    };
    let back = hub.enter(&user("anna"));
    let back = back.attach("l1", in_room("r"), Some(resume)).unwrap();
    hub.publish(&to_room("b", "r"));
    let events = drain(&back);
    let numbers: Vec<u64> = events.iter().map(|(_, seq)| *seq).collect();
    let all = u64::try_from(SEND_QUEUE + 2).unwrap();
    assert_eq!(numbers, (0..all).collect::<Vec<_>>());
    assert_eq!(events.last().unwrap().0, "b");
}

#[test]
fn the_end_of_a_login_ends_its_connections_for_good() {
    let hub = hub();
    let anna = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), None)
        .unwrap();
    hub.end_login(&user("anna"), "l1");
    let gone = hub.detach(&anna.line, Instant::now());
    assert_eq!(
        gone,
        Some(Detached {
            last_of_person: true
        })
    );
    let resume = Resume {
        connection: anna.connection.clone(),
        next_seq: 1,
    };
    let again = hub
        .enter(&user("anna"))
        .attach("l3", in_room("r"), Some(resume))
        .unwrap();
    assert_ne!(again.connection, anna.connection);
}

#[test]
fn connections_are_forgotten_when_nobody_comes_back() {
    let hub = hub();
    let anna = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), None)
        .unwrap();
    let now = Instant::now();
    hub.detach(&anna.line, now);
    hub.forget_absent(now + RESUME_WINDOW);
    assert!(anna.line.is_current());
    hub.forget_absent(now + RESUME_WINDOW + Duration::from_secs(1));
    assert!(!anna.line.is_current());
}
