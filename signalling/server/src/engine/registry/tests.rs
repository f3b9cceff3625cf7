//! Tables: where a connection stands after what happened to it.

use proto::id::UserId;

use super::*;

fn channel(name: &str) -> ChannelId {
    ChannelId::parse(name).unwrap()
}

fn conn(name: &str) -> ConnId {
    ConnId::parse(name).unwrap()
}

fn session(name: &str) -> SessionId {
    SessionId::parse(name).unwrap()
}

fn seat(session_of: &str, on: &str) -> Seat {
    Seat {
        session: session(session_of),
        connection: conn(on),
        user: UserId::parse("anna").unwrap(),
        login: "login".to_owned(),
        media: MediaHost("one".to_owned()),
    }
}

fn owner(_: u64) -> (mpsc::Sender<Turn>, Arc<AtomicBool>) {
    (mpsc::channel(1).0, Arc::default())
}

fn admit(registry: &Registry, to: &str, on: &str) -> bool {
    let free = Ok(MediaHost("free".to_owned()));
    let (to, on) = (channel(to), conn(on));
    let admission = registry.admit(&to, &on, |_| free, owner);
    admission.is_connected
}

/// What happens to the connection `c`.
enum Step {
    /// Its join of `a`, or of `b`, is let through.
    Admit(&'static str),
    In(&'static str, Roster),
}

#[test]
fn a_connection_has_one_place_from_its_join_to_its_end() {
    let entered = || Roster::Entered(seat("c", "c"));
    let away = || Roster::TurnedAway {
        connection: conn("c"),
    };
    let left = || Roster::Left {
        session: session("c"),
    };
    let moved = || Roster::Moved {
        session: session("c"),
        to: conn("d"),
    };
    let waits = |at: &str| Some(Place::Waits(channel(at)));
    let sits = |at: &str| Some(Place::Sits(channel(at), session("c")));
    use Step::{Admit, In};
    let table = [
        ("nothing happened", vec![], None),
        ("it asks", vec![Admit("a")], waits("a")),
        ("turned away", vec![Admit("a"), In("a", away())], None),
        (
            "another channel cannot turn it away",
            vec![Admit("a"), In("b", away())],
            waits("a"),
        ),
        ("it got in", vec![Admit("a"), In("a", entered())], sits("a")),
        (
            "whoever sits is not turned away",
            vec![Admit("a"), In("a", entered()), In("a", away())],
            sits("a"),
        ),
        (
            "it left",
            vec![Admit("a"), In("a", entered()), In("a", left())],
            None,
        ),
        (
            "its session went on elsewhere",
            vec![Admit("a"), In("a", entered()), In("a", moved())],
            None,
        ),
        (
            "a second join changes nothing",
            vec![Admit("a"), Admit("b")],
            waits("a"),
        ),
    ];
    for (case, steps, expected) in table {
        let registry = Registry::default();
        for step in steps {
            match step {
                Admit(to) => {
                    admit(&registry, to, "c");
                }
                In(of, change) => registry.seat(&channel(of), change),
            }
        }
        assert_eq!(registry.place(&conn("c")), expected, "{case}");
    }
}

#[test]
fn a_join_is_told_whether_its_connection_or_its_sessions_id_is_taken() {
    let registry = Registry::default();
    assert!(!admit(&registry, "a", "c"));
    assert!(admit(&registry, "a", "c"), "its own join is on the way");
    assert!(admit(&registry, "b", "c"), "in another channel too");
    registry.seat(&channel("a"), Roster::Entered(seat("c", "c")));
    let to = conn("d");
    registry.seat(
        &channel("a"),
        Roster::Moved {
            session: session("c"),
            to,
        },
    );
    assert!(admit(&registry, "b", "c"), "its session lives on elsewhere");
    assert_eq!(registry.place(&conn("c")), None);
    assert!(admit(&registry, "b", "d"), "it has taken over a session");
}

#[test]
fn whoever_comes_next_is_told_where_the_calls_media_is() {
    let registry = Registry::default();
    let ask = |on: &str, choice: &str| {
        let mut told = None;
        let choice = MediaHost(choice.to_owned());
        let choose = |known: Option<&MediaHost>| {
            told = known.cloned();
            Ok(choice)
        };
        registry.admit(&channel("a"), &conn(on), choose, owner);
        told.map(|host| host.0)
    };
    assert_eq!(ask("c", "one"), None);
    assert_eq!(ask("d", "two").as_deref(), Some("one"));
    assert_eq!(ask("e", "two").as_deref(), Some("two"));
}

#[test]
fn an_owner_that_is_needed_stays_and_a_later_one_is_not_taken_out_by_an_earlier() {
    let registry = Registry::default();
    let a = channel("a");
    let mut numbers = Vec::new();
    for _ in 0..2 {
        registry.owner_or_new(&a, |number| {
            numbers.push(number);
            owner(number)
        });
        let number = *numbers.last().unwrap();
        assert!(!registry.retire(&a, number, || true));
        assert!(registry.has_owner(&a));
        assert!(registry.retire(&a, number, || false));
        assert!(!registry.has_owner(&a));
    }
    registry.owner_or_new(&a, owner);
    assert!(registry.retire(&a, numbers[0], || true));
    assert!(registry.has_owner(&a), "the third is another one");
}

#[test]
fn what_an_owner_leaves_behind_is_found_and_gone() {
    let registry = Registry::default();
    admit(&registry, "a", "c");
    registry.seat(&channel("a"), Roster::Entered(seat("c", "c")));
    admit(&registry, "a", "d");
    admit(&registry, "b", "e");
    let left = registry.abandon(&channel("a"));
    assert_eq!(left.seats, [seat("c", "c")]);
    assert_eq!(left.waiting, [conn("d")]);
    assert_eq!(registry.place(&conn("c")), None);
    assert_eq!(registry.channel_of(&session("c")), None);
    assert_eq!(
        registry.place(&conn("e")),
        Some(Place::Waits(channel("b"))),
        "other calls keep theirs"
    );
    assert_eq!(registry.abandon(&channel("a")), Abandoned::default());
}
