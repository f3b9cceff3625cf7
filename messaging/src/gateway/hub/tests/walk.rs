//! The index against the naive walk over everybody, under random changes.

use proptest::prelude::*;

use super::*;

const PEOPLE: usize = 4;
const ROOMS: usize = 3;
const TEAMS: usize = 2;

#[derive(Debug, Clone)]
enum Step {
    /// A socket comes; maybe its membership is read before a change that is heard in between.
    Attach(usize, Option<(Circle, bool)>),
    /// The socket at this place, of those there are, goes.
    Detach(usize),
    Resume(usize),
    Change(usize, Circle, bool),
    EndLogin(usize),
    Sweep,
    Publish(AudienceOf),
}

/// An audience in small numbers.
#[derive(Debug, Clone)]
struct AudienceOf {
    connection: Option<usize>,
    user: Option<usize>,
    each_of: Option<Vec<usize>>,
    room: Option<usize>,
    team: Option<usize>,
    omit_user: Option<usize>,
    omit_connection: Option<usize>,
}

fn person(number: usize) -> UserId {
    user(&format!("user{number}"))
}

fn room(number: usize) -> ChannelId {
    ChannelId::parse(format!("room{number}")).unwrap()
}

fn team(number: usize) -> TeamId {
    TeamId::parse(format!("team{number}")).unwrap()
}

fn circle() -> impl Strategy<Value = Circle> {
    prop_oneof![
        (0..ROOMS).prop_map(|number| Circle::Room(room(number))),
        (0..TEAMS).prop_map(|number| Circle::Team(team(number))),
    ]
}

fn rarely(limit: usize) -> impl Strategy<Value = Option<usize>> {
    proptest::option::weighted(0.25, 0..limit)
}

fn some_people() -> impl Strategy<Value = Vec<usize>> {
    proptest::sample::subsequence((0..PEOPLE).collect::<Vec<_>>(), 0..=PEOPLE)
}

fn audience() -> impl Strategy<Value = AudienceOf> {
    let often = proptest::option::weighted(0.6, 0..ROOMS);
    (
        proptest::option::weighted(0.1, 0..8_usize),
        rarely(PEOPLE),
        proptest::option::weighted(0.2, some_people()),
        often,
        rarely(TEAMS),
        rarely(PEOPLE),
        rarely(8),
    )
        .prop_map(
            |(connection, user, each_of, room, team, omit_user, omit_connection)| AudienceOf {
                connection,
                user,
                each_of,
                room,
                team,
                omit_user,
                omit_connection,
            },
        )
}

fn step() -> impl Strategy<Value = Step> {
    let change = || proptest::option::of((circle(), any::<bool>()));
    prop_oneof![
        3 => (0..PEOPLE, change()).prop_map(|(who, change)| Step::Attach(who, change)),
        1 => (0..8_usize).prop_map(Step::Detach),
        1 => (0..8_usize).prop_map(Step::Resume),
        4 => (0..PEOPLE, circle(), any::<bool>())
            .prop_map(|(who, circle, is_in)| Step::Change(who, circle, is_in)),
        1 => (0..PEOPLE).prop_map(Step::EndLogin),
        1 => Just(Step::Sweep),
        6 => audience().prop_map(Step::Publish),
    ]
}

/// The hub, and what is true as the naive walk sees it.
struct Model {
    hub: Hub,
    memberships: Vec<Membership>,
    /// Sockets that are attached, with the number of their person.
    attached: Vec<(usize, Attached)>,
    /// Connections whose socket is gone.
    kept: Vec<(usize, Attached)>,
}

fn login(who: usize) -> String {
    format!("login{who}")
}

impl Model {
    fn new() -> Self {
        Self {
            hub: hub(),
            memberships: vec![Membership::default(); PEOPLE],
            attached: Vec::new(),
            kept: Vec::new(),
        }
    }

    fn change(&mut self, who: usize, circle: &Circle, is_in: bool) {
        circle.set(&mut self.memberships[who], is_in);
        let user = person(who);
        self.hub.hear(&match (circle.clone(), is_in) {
            (Circle::Room(room), true) => ChatNews::JoinedRoom { room, user },
            (Circle::Room(room), false) => ChatNews::LeftRoom { room, user },
            (Circle::Team(team), true) => ChatNews::JoinedTeam { team, user },
            (Circle::Team(team), false) => ChatNews::LeftTeam { team, user },
        });
    }

    fn attach(&mut self, who: usize, change: Option<(Circle, bool)>, resume: Option<Resume>) {
        let snapshot = self.memberships[who].clone();
        let entry = self.hub.enter(&person(who));
        if let Some((circle, is_in)) = change {
            circle.set(&mut self.memberships[who], is_in);
            self.hub.change_membership(&person(who), circle, is_in);
        }
        let attached = entry.attach(&login(who), snapshot, resume).unwrap();
        drain(&attached);
        self.attached.push((who, attached));
    }

    fn take(list: &mut Vec<(usize, Attached)>, place: usize) -> Option<(usize, Attached)> {
        (!list.is_empty()).then(|| list.swap_remove(place % list.len()))
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Attach(who, change) => self.attach(who, change, None),
            Step::Detach(place) => {
                if let Some((who, gone)) = Self::take(&mut self.attached, place) {
                    self.hub.detach(&gone.line, Instant::now());
                    self.kept.push((who, gone));
                }
            }
            Step::Resume(place) => {
                if let Some((who, gone)) = Self::take(&mut self.kept, place) {
                    let resume = Resume {
                        connection: gone.connection,
                        next_seq: 1,
                    };
                    self.attach(who, None, Some(resume));
                }
            }
            Step::Change(who, circle, is_in) => self.change(who, &circle, is_in),
            Step::EndLogin(who) => self.end_login(who),
            Step::Sweep => {
                let later = Instant::now() + RESUME_WINDOW + Duration::from_secs(1);
                self.hub.forget_absent(later);
                self.kept.clear();
            }
            Step::Publish(audience) => self.publish(&audience),
        }
    }

    fn end_login(&mut self, who: usize) {
        self.hub.end_login(&person(who), &login(who));
        let (ended, others) = std::mem::take(&mut self.attached)
            .into_iter()
            .partition(|(owner, _)| *owner == who);
        let ended: Vec<(usize, Attached)> = ended;
        self.attached = others;
        for (_, socket) in ended {
            assert!(is_cut_off(&socket));
            self.hub.detach(&socket.line, Instant::now());
        }
        self.kept.retain(|(owner, _)| *owner != who);
    }

    fn id_at(&self, place: usize) -> Option<ConnId> {
        let place = place.checked_rem(self.attached.len())?;
        Some(self.attached[place].1.connection.clone())
    }

    fn publish(&self, of: &AudienceOf) {
        let audience = Audience {
            connection: of.connection.and_then(|place| self.id_at(place)),
            user: of.user.map(person),
            each_of: (of.each_of.as_ref()).map(|all| all.iter().copied().map(person).collect()),
            room: of.room.map(room),
            team: of.team.map(team),
            omit_users: of.omit_user.map(person).into_iter().collect(),
            omit_connection: of.omit_connection.and_then(|place| self.id_at(place)),
        };
        self.hub.publish(&event("e", audience.clone()));
        for (who, attached) in &self.attached {
            let is_for = self.is_for(&audience, *who, &attached.connection);
            assert_eq!(
                drain(attached).len(),
                usize::from(is_for),
                "{audience:?} {who}"
            );
        }
    }

    /// The filters of the wire, in their order, on one connection.
    fn is_for(&self, audience: &Audience, who: usize, connection: &ConnId) -> bool {
        if let Some(only) = &audience.connection {
            return only == connection && audience.omit_connection.as_ref() != Some(connection);
        }
        if audience.omit_connection.as_ref() == Some(connection) {
            return false;
        }
        if let Some(only) = &audience.user {
            return *only == person(who);
        }
        if let Some(each_of) = &audience.each_of {
            return each_of.contains(&person(who));
        }
        if audience.omit_users.contains(&person(who)) {
            return false;
        }
        let membership = &self.memberships[who];
        if let Some(room) = &audience.room {
            return membership.rooms.contains(room);
        }
        if let Some(team) = &audience.team {
            return membership.teams.contains(team);
        }
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_index_leads_to_those_whom_a_walk_over_everybody_would_find(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut model = Model::new();
        for step in steps {
            model.apply(step);
        }
        // and nothing is left of who is gone
        for (_, attached) in &model.attached {
            model.hub.detach(&attached.line, Instant::now());
        }
        model.apply(Step::Sweep);
        prop_assert!(model.hub.people.values().is_empty());
        prop_assert!(model.hub.connections.values().is_empty());
        prop_assert!(model.hub.rooms.is_empty() && model.hub.teams.is_empty());
    }

    #[test]
    fn numbers_have_no_gap(batches in proptest::collection::vec(1..200_usize, 1..8)) {
        let hub = hub();
        let anna = hub.enter(&user("anna"));
        let anna = anna.attach("l", in_room("r"), None).unwrap();
        let mut expected = 0;
        for batch in batches {
            for _ in 0..batch {
                hub.publish(&to_room("a", "r"));
            }
            for (_, seq) in drain(&anna) {
                prop_assert_eq!(seq, expected);
                expected += 1;
            }
            hub.publish(&to_room("b", "r"));
        }
    }
}
