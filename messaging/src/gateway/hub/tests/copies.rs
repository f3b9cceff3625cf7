//! One event for many: what its copies share, what differs, and who is woken.

use futures_util::FutureExt as _;

use super::*;

fn to_each(people: &[&str]) -> Audience {
    Audience {
        each_of: Some(people.iter().copied().map(user).collect()),
        room: Some(ChannelId::parse("r").unwrap()),
        ..Audience::default()
    }
}

fn enter(hub: &Hub, name: &str) -> Attached {
    let user = user(name);
    let entry = hub.enter(&user);
    entry.attach("login", in_room("r"), None).unwrap()
}

/// Everything that waits, as it goes out.
fn frames(attached: &Attached) -> Vec<String> {
    let mut frames = Vec::new();
    while let Next::Event(seq, body) = attached.line.next() {
        let pieces = body.numbered(seq, attached.line.user(), usize::MAX);
        let frame = pieces.flat_map(|(piece, _)| piece).collect();
        frames.push(String::from_utf8(frame).unwrap());
    }
    frames
}

fn copy(user: &str, seq: u64) -> String {
    format!(
        "{{\"event\":\"e\",\"data\":{{}},\"broadcast\":{{\"omit_users\":null,\"user_id\":\"{user}\",\
         \"channel_id\":\"r\",\"team_id\":\"\",\"connection_id\":\"\",\"omit_connection_id\":\"\"}},\
         \"seq\":{seq}}}"
    )
}

#[test]
fn each_of_many_gets_a_copy_of_their_own_on_all_their_connections_and_nobody_else_does() {
    let hub = hub();
    let all = ["anna", "anna", "ben", "carl"].map(|name| enter(&hub, name));
    all.iter().for_each(|attached| drop(frames(attached)));
    hub.publish(&to_room("a", "r"));
    drop(frames(&all[1]));
    hub.publish(&event("e", to_each(&["ben", "dora", "anna"])));
    hub.publish(&event("e", to_each(&[])));
    assert_eq!(frames(&all[0])[1..], [copy("anna", 2)]);
    assert_eq!(frames(&all[1]), [copy("anna", 2)]);
    assert_eq!(frames(&all[2])[1..], [copy("ben", 2)]);
    assert_eq!(frames(&all[3]).len(), 1, "in the room, and not named");
}

#[test]
fn several_audiences_of_one_event_are_told_one_after_the_other() {
    let hub = hub();
    let (anna, bot) = (enter(&hub, "anna"), enter(&hub, "bot"));
    let to_bot = Audience {
        user: Some(user("bot")),
        ..Audience::default()
    };
    let data = Map::from_iter([("a".to_owned(), Value::from("\"ä"))]);
    hub.publish_to("e", &data, &[to_each(&["anna", "bot"]), to_bot]);
    assert_eq!(drain(&anna).len(), 2);
    let heard = frames(&bot);
    let parts: Vec<Value> = heard
        .iter()
        .map(|frame| serde_json::from_str(frame).unwrap())
        .collect();
    assert_eq!(parts[1]["broadcast"]["channel_id"], "r");
    assert_eq!(parts[2]["broadcast"]["channel_id"], "");
    assert!(parts[1..].iter().all(|part| part["data"]["a"] == "\"ä"));
    assert!(
        parts[1..]
            .iter()
            .all(|part| part["broadcast"]["user_id"] == "bot")
    );
}

#[test]
fn a_thousand_clients_hold_one_text() {
    let hub = hub();
    let names: Vec<String> = (0..1000).map(|number| format!("user{number}")).collect();
    let all: Vec<Attached> = names.iter().map(|name| enter(&hub, name)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for audience in [to_each(&names), to_room("e", "r").audience] {
        all.iter().for_each(|attached| drop(drain(attached)));
        hub.publish(&event("e", audience));
        let bodies = all.iter().map(|attached| match attached.line.next() {
            Next::Event(_, body) => body,
            Next::Nothing | Next::End => panic!("everybody has it"),
        });
        let bodies: Vec<_> = bodies.collect();
        assert!(bodies.iter().all(|body| Arc::ptr_eq(body, &bodies[0])));
    }
}

#[test]
fn who_sleeps_is_woken_once_however_much_comes_until_they_have_looked() {
    let hub = hub();
    let anna = enter(&hub, "anna");
    let is_woken = || anna.line.wake.more.notified().now_or_never().is_some();
    assert!(is_woken(), "for `hello`");
    hub.publish(&to_room("a", "r"));
    assert!(!is_woken(), "`hello` still waits");
    drain(&anna);
    for _ in 0..3 {
        hub.publish(&to_room("a", "r"));
        hub.publish(&to_room("b", "r"));
        assert!(is_woken() && !is_woken());
        assert_eq!(drain(&anna).len(), 2);
    }
    // somebody who comes back with something missed is woken without anything new
    hub.detach(&anna.line, Instant::now());
    let resume = Resume {
        connection: anna.connection.clone(),
        next_seq: 5,
    };
    let back = hub.enter(&user("anna"));
    let back = back.attach("login", in_room("r"), Some(resume)).unwrap();
    assert!(back.line.wake.more.notified().now_or_never().is_some());
    assert_eq!(drain(&back).len(), 3);
}
