//! The hub without sockets: who gets what, under which number.

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

/// Names and numbers of everything that waits.
fn drain(attached: &mut Attached) -> Vec<(String, u64)> {
    let mut frames = std::mem::take(&mut attached.backlog);
    while let Ok(frame) = attached.queue.try_recv() {
        frames.push(frame);
    }
    frames
        .iter()
        .map(|frame| {
            let value: Value = serde_json::from_str(frame).unwrap();
            (
                value["event"].as_str().unwrap().to_owned(),
                value["seq"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn events_reach_exactly_the_people_they_are_for() {
    let hub = Hub::new("1".into());
    let mut anna = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), None)
        .unwrap();
    let mut ben = hub
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
    assert_eq!(drain(&mut anna), named(&[("hello", 0), ("a", 1), ("c", 2)]));
    assert_eq!(
        drain(&mut ben),
        named(&[("hello", 0), ("b", 1), ("d", 2), ("e", 3)])
    );
}

#[test]
fn a_client_that_comes_back_gets_what_it_missed_and_keeps_its_id() {
    let hub = Hub::new("1".into());
    let mut first = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), None)
        .unwrap();
    hub.publish(&to_room("a", "r"));
    assert_eq!(drain(&mut first).len(), 2);
    assert!(
        hub.detach(&first.connection, first.generation, Instant::now())
            .is_some()
    );
    hub.publish(&to_room("b", "r"));
    hub.publish(&to_room("c", "r"));
    let resume = Resume {
        connection: first.connection.clone(),
        next_seq: 2,
    };
    let mut again = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), Some(resume))
        .unwrap();
    assert_eq!(again.connection, first.connection);
    hub.publish(&to_room("d", "r"));
    assert_eq!(
        drain(&mut again),
        [
            ("b".to_owned(), 2),
            ("c".to_owned(), 3),
            ("d".to_owned(), 4)
        ]
    );
}

#[test]
fn a_client_that_missed_too_much_starts_anew() {
    let hub = Hub::new("1".into());
    let first = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), None)
        .unwrap();
    hub.detach(&first.connection, first.generation, Instant::now());
    for _ in 0..REPLAY_RING + SEND_QUEUE + 1 {
        hub.publish(&to_room("a", "r"));
    }
    let resume = Resume {
        connection: first.connection.clone(),
        next_seq: 1,
    };
    let mut again = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), Some(resume))
        .unwrap();
    assert_ne!(again.connection, first.connection);
    hub.publish(&to_room("b", "r"));
    assert_eq!(
        drain(&mut again),
        [("hello".to_owned(), 0), ("b".to_owned(), 1)]
    );
}

#[test]
fn nobody_resumes_the_connection_of_somebody_else() {
    let hub = Hub::new("1".into());
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
    assert!(hub.is_current(&anna.connection, anna.generation));
}

#[test]
fn a_newer_socket_takes_over_and_the_older_one_has_no_say() {
    let hub = Hub::new("1".into());
    let mut old = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), None)
        .unwrap();
    drain(&mut old);
    let resume = Resume {
        connection: old.connection.clone(),
        next_seq: 1,
    };
    let _new = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), Some(resume))
        .unwrap();
    let end = old.queue.try_recv();
    assert_eq!(end, Err(mpsc::error::TryRecvError::Disconnected));
    assert_eq!(
        hub.detach(&old.connection, old.generation, Instant::now()),
        None
    );
    assert!(hub.is_online(&user("anna")));
}

#[test]
fn a_client_that_does_not_read_loses_its_socket_and_nobody_else_does() {
    let hub = Hub::new("1".into());
    let mut slow = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), None)
        .unwrap();
    let mut quick = hub
        .enter(&user("ben"))
        .attach("l2", in_room("r"), None)
        .unwrap();
    drain(&mut quick);
    for _ in 0..SEND_QUEUE + 10 {
        hub.publish(&to_room("a", "r"));
        assert_eq!(drain(&mut quick).len(), 1);
    }
    assert_eq!(drain(&mut slow).len(), SEND_QUEUE);
    assert_eq!(
        slow.queue.try_recv(),
        Err(mpsc::error::TryRecvError::Disconnected)
    );
}

#[test]
fn the_end_of_a_login_ends_its_connections_for_good() {
    let hub = Hub::new("1".into());
    let anna = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), None)
        .unwrap();
    hub.end_login("l1");
    let gone = hub.detach(&anna.connection, anna.generation, Instant::now());
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
    let hub = Hub::new("1".into());
    let anna = hub
        .enter(&user("anna"))
        .attach("l1", in_room("r"), None)
        .unwrap();
    let now = Instant::now();
    hub.detach(&anna.connection, anna.generation, now);
    hub.forget_absent(now + RESUME_WINDOW);
    assert!(hub.is_current(&anna.connection, anna.generation));
    hub.forget_absent(now + RESUME_WINDOW + Duration::from_secs(1));
    assert!(!hub.is_current(&anna.connection, anna.generation));
}
