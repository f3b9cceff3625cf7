//! Random inputs in any order: what must always hold does hold.
//!
//! After every input the outputs are drained and the calls are compared with what must be true of
//! them and of everything that was announced (`world`).

#[path = "invariants/world.rs"]
mod world;

use proptest::prelude::*;

use world::{Recording, Step, World};

fn step() -> impl Strategy<Value = Step> {
    let (user, conn, channel) = (0..3_usize, 0..6_usize, 0..2_usize);
    prop_oneof![
        6 => (user.clone(), conn.clone(), channel.clone(), prop::bool::weighted(0.9), any::<bool>())
            .prop_map(|(user, conn, channel, allowed, dm)| Step::Join { user, conn, channel, allowed, dm }),
        2 => (conn.clone(), channel.clone(), prop::bool::weighted(0.8))
            .prop_map(|(conn, channel, known_job)| Step::BotJoin { conn, channel, known_job }),
        6 => (conn.clone(), 0..12_usize).prop_map(|(conn, what)| Step::Act { conn, what }),
        3 => conn.clone().prop_map(|conn| Step::Leave { conn }),
        2 => conn.clone().prop_map(|conn| Step::Disconnect { conn }),
        2 => (user.clone(), conn.clone(), conn.clone(), channel.clone())
            .prop_map(|(user, conn, original, channel)| Step::Reconnect { user, conn, original, channel }),
        1 => (conn.clone(), any::<bool>()).prop_map(|(conn, lost)| Step::MediaCloses { conn, lost }),
        1 => (conn.clone(), 0..2_usize).prop_map(|(conn, from)| Step::MediaElsewhere { conn, from }),
        1 => channel.clone().prop_map(|channel| Step::MediaStops { channel }),
        1 => (user.clone(), channel.clone()).prop_map(|(user, channel)| Step::LeavesRoom { user, channel }),
        1 => user.clone().prop_map(|user| Step::LoginEnds { user }),
        2 => (user.clone(), channel.clone(), conn, 0..7_usize)
            .prop_map(|(user, channel, target, what)| Step::Control { user, channel, target, what }),
        4 => (user, channel.clone(), recording())
            .prop_map(|(user, channel, what)| Step::Record { user, channel, what }),
        3 => (channel.clone(), any::<bool>(), 0..8_usize)
            .prop_map(|(channel, transcribing, what)| Step::BotReports { channel, transcribing, what }),
        1 => channel.prop_map(|channel| Step::Archive { channel }),
        2 => prop_oneof![0..500_u64, 3000..12_000_u64, 60_000..61_000_u64].prop_map(|ms| Step::Wait { ms }),
    ]
}

fn recording() -> impl Strategy<Value = Recording> {
    prop_oneof![
        5 => Just(Recording::Start),
        1 => Just(Recording::StartWithoutSpeech),
        3 => Just(Recording::Stop),
        2 => Just(Recording::Pause),
        1 => Just(Recording::Resume),
    ]
}

fn end(world: &mut World) {
    // When everybody is gone for long enough, nothing is left.
    for conn in 0..6 {
        world.take(Step::Disconnect { conn });
    }
    while world.awaits_posts() {
        world.take(Step::Post { refused: false });
    }
    for _ in 0..4 {
        world.take(Step::Wait { ms: 61_000 });
    }
    world.check();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_must_hold_holds_after_every_input(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
            world.check();
        }
        end(&mut world);
        prop_assert!(world.is_empty());
    }

    #[test]
    fn what_must_hold_holds_while_the_chat_server_takes_its_time(
        steps in prop::collection::vec(
            prop_oneof![9 => step(), 2 => prop::bool::weighted(0.2).prop_map(|refused| Step::Post { refused })],
            1..80,
        )
    ) {
        let mut world = World::with_slow_chat();
        for step in steps {
            world.take(step);
            world.check();
        }
        end(&mut world);
        prop_assert!(world.is_empty());
    }
}
