//! What is kept for clients that do not read has an end.

use super::*;

const POST_BYTES: usize = 185_000;

fn post(hub: &Hub, name: &str) {
    let mut event = to_room(name, "r");
    event
        .data
        .insert("post".to_owned(), "x".repeat(POST_BYTES).into());
    hub.publish(&event);
}

fn kept(hub: &Hub, name: &str) -> usize {
    let person = hub.people.get(&user(name));
    person.map_or(0, |person| person.state().log.bytes())
}

fn enter(hub: &Hub, name: &str, resume: Option<(&Attached, u64)>) -> Attached {
    let resume = resume.map(|(before, next_seq)| Resume {
        connection: before.connection.clone(),
        next_seq,
    });
    let user = user(name);
    let entry = hub.enter(&user);
    entry.attach("login", in_room("r"), resume).unwrap()
}

#[test]
fn many_sockets_of_one_person_keep_one_copy_and_lose_it_together() {
    let hub = hub();
    let idle: Vec<Attached> = (0..60).map(|_| enter(&hub, "anna", None)).collect();
    let reader = enter(&hub, "anna", None);
    drain(&reader);
    post(&hub, "first");
    assert!(
        kept(&hub, "anna") < POST_BYTES + 100_000,
        "one copy for all sockets"
    );
    for _ in 0..100 {
        post(&hub, "posted");
        assert!(kept(&hub, "anna") <= hub.limits.kept_bytes_per_person);
        drain(&reader);
    }
    assert!(idle.iter().all(is_cut_off));
    assert!(!is_cut_off(&reader), "who reads is not cut off");
    // too much is gone: a fresh connection, whatever number the client asks for
    for (attached, next_seq) in idle.iter().zip([0, 1, 50, 102]) {
        let back = enter(&hub, "anna", Some((attached, next_seq)));
        assert_ne!(back.connection, attached.connection);
        assert_eq!(drain(&back), [("hello".to_owned(), 0)]);
    }
}

#[test]
fn who_is_away_gets_what_is_still_kept_and_nothing_with_a_hole() {
    let hub = hub();
    let anna = enter(&hub, "anna", None);
    drain(&anna);
    hub.detach(&anna.line, Instant::now());
    for _ in 0..20 {
        post(&hub, "posted");
    }
    let back = enter(&hub, "anna", Some((&anna, 1)));
    assert_eq!(back.connection, anna.connection);
    assert_eq!(drain(&back).len(), 20);
    hub.detach(&back.line, Instant::now());
    for _ in 0..60 {
        post(&hub, "posted");
    }
    assert!(kept(&hub, "anna") <= hub.limits.kept_bytes_per_person);
    let late = enter(&hub, "anna", Some((&anna, 21)));
    assert_ne!(late.connection, anna.connection);
}

#[test]
fn what_everybody_has_read_is_kept_for_a_short_way_back_only() {
    let hub = hub();
    let anna = enter(&hub, "anna", None);
    for _ in 0..1000 {
        hub.publish(&to_room("a", "r"));
        drain(&anna);
    }
    let one = kept(&hub, "anna") / REPLAY_RING;
    assert!((50..300).contains(&one), "{one} bytes for each of the last");
    let resume = |next_seq| enter(&hub, "anna", Some((&anna, next_seq)));
    let oldest = 1001 - u64::try_from(REPLAY_RING).unwrap();
    let back = resume(oldest);
    assert_eq!(back.connection, anna.connection);
    assert_eq!(drain(&back).len(), REPLAY_RING);
    assert_ne!(resume(oldest - 1).connection, anna.connection);
}

#[test]
fn nothing_is_kept_for_who_is_forgotten() {
    let hub = hub();
    let (anna, ben) = (enter(&hub, "anna", None), enter(&hub, "ben", None));
    post(&hub, "posted");
    let now = Instant::now();
    hub.detach(&anna.line, now);
    hub.end_login(&user("ben"), "login");
    hub.detach(&ben.line, now);
    hub.forget_absent(now + RESUME_WINDOW + Duration::from_secs(1));
    assert!(hub.people.values().is_empty() && hub.connections.values().is_empty());
    assert!(hub.rooms.is_empty() && hub.teams.is_empty());
}

#[test]
fn the_operator_decides_how_much_is_kept_for_one_person_and_for_how_many_sockets() {
    let limits = Limits {
        connections_per_person: 2,
        kept_bytes_per_person: 3 * POST_BYTES,
        ..Limits::default()
    };
    let hub = Hub::new("1".into(), limits, Arc::new(Metrics::new()));
    let _both = [enter(&hub, "anna", None), enter(&hub, "anna", None)];
    let anna = user("anna");
    let third = hub.enter(&anna).attach("login", in_room("r"), None);
    assert!(third.is_none(), "two, said the operator");
    for _ in 0..10 {
        post(&hub, "posted");
        assert!(kept(&hub, "anna") <= limits.kept_bytes_per_person);
    }
}
