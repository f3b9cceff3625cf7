//! A media host that is away, hangs, or forgets: what people did meanwhile is true afterwards.

use proto::calls::action::Action;

use crate::world::{World, until};

/// What the host heard about a session since it was last connected.
fn since_reconnect(world: &World, session: &str) -> Vec<String> {
    let kinds = world.rtcd.kinds(session);
    let at = kinds.iter().rposition(|kind| kind == "reconnect");
    kinds[at.map_or(0, |at| at + 1)..].to_vec()
}

#[tokio::test]
async fn a_microphone_muted_while_the_host_is_away_does_not_stay_open() {
    let world = World::new().await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    anna.act(&Action::Unmute).await;
    world.rtcd.wait_for(&anna.connection, "Unmute").await;

    world.rtcd.go_away();
    anna.act(&Action::Mute).await;
    let muted = ben.wait_for("user_muted").await;
    assert_eq!(muted.data["session_id"], anna.connection.as_str());
    world.rtcd.come_back();

    until("the host hears that anna is muted", || {
        since_reconnect(&world, &anna.connection).last() == Some(&"Mute".to_owned())
    })
    .await;
}

#[tokio::test]
async fn what_a_host_had_not_read_when_the_connection_broke_is_said_again() {
    let world = World::new().await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    anna.act(&Action::Unmute).await;
    world.rtcd.wait_for(&anna.connection, "Unmute").await;

    world.rtcd.stall(true);
    let candidate = r#"{"candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host"}"#.to_owned();
    anna.act(&Action::Ice { candidate }).await;
    anna.act(&Action::RaiseHand).await;
    anna.act(&Action::Mute).await;
    ben.wait_for("user_raise_hand").await;
    ben.wait_for("user_muted").await;
    world.rtcd.drop_connections();
    world.rtcd.stall(false);

    until("the host hears what it missed, and no more", || {
        since_reconnect(&world, &anna.connection) == ["Mute", "Ice"]
    })
    .await;
}

#[tokio::test]
async fn who_leaves_while_the_host_is_away_is_gone_there_too() {
    let world = World::new().await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    world.rtcd.wait_for(&ben.connection, "join").await;

    world.rtcd.go_away();
    anna.act(&Action::Leave).await;
    ben.wait_for("user_left").await;
    let carla = world.newcomer("carla").await;
    let mut carla = world.connect(&carla).await;
    carla.join(&world.channel).await;
    carla.offer().await;
    world.rtcd.come_back();

    world.rtcd.wait_for(&anna.connection, "leave").await;
    world.rtcd.wait_for(&carla.connection, "Sdp").await;
    assert_eq!(world.rtcd.kinds(&carla.connection), ["join", "Sdp"]);
    assert_eq!(
        carla.wait_for("signal").await.data["connID"],
        carla.connection.as_str()
    );
    world.rtcd.wait_for(&ben.connection, "reconnect").await;
}

#[tokio::test]
async fn a_host_that_hangs_keeps_nobody_waiting() {
    let world = World::new().await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    world.rtcd.wait_for(&ben.connection, "join").await;

    world.rtcd.stall(true);
    for _ in 0..20 {
        anna.act(&Action::Unmute).await;
        ben.wait_for("user_unmuted").await;
        anna.act(&Action::Mute).await;
        ben.wait_for("user_muted").await;
    }
    world.rtcd.stall(false);

    until("the host hears the last of it", || {
        since_reconnect(&world, &anna.connection).last() == Some(&"Mute".to_owned())
    })
    .await;
}

#[tokio::test]
async fn who_says_too_much_to_a_host_that_is_away_is_out_of_the_call_and_nobody_else() {
    let world = World::new().await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    world.rtcd.wait_for(&ben.connection, "join").await;

    world.rtcd.go_away();
    for n in 0..65 {
        let candidate = format!(r#"{{"candidate":"candidate:{n} 1 udp 1 192.0.2.1 9 typ host"}}"#);
        anna.act(&Action::Ice { candidate }).await;
    }
    let left = ben.wait_for("user_left").await;
    assert_eq!(left.data["session_id"], anna.connection.as_str());
    ben.act(&Action::Unmute).await;
    world.rtcd.come_back();

    world.rtcd.wait_for(&anna.connection, "leave").await;
    world.rtcd.wait_for(&ben.connection, "Unmute").await;
    assert!(
        !world
            .rtcd
            .kinds(&anna.connection)
            .contains(&"Ice".to_owned())
    );
    let metrics = world.metrics().await;
    let given_up = r#"media_sessions_lost_total{reason="too_many_signals"} 1"#;
    assert!(metrics.contains(given_up), "{metrics}");
}

#[tokio::test]
async fn a_host_that_begins_anew_has_lost_everybody() {
    let world = World::new().await;
    let (anna, mut ben) = world.anna_and_ben().await;
    world.rtcd.wait_for(&ben.connection, "join").await;

    world.rtcd.restart();

    let mut gone = Vec::new();
    for _ in 0..2 {
        let left = ben.wait_for("user_left").await;
        gone.push(left.data["session_id"].as_str().unwrap().to_owned());
    }
    gone.sort();
    let mut everybody = [anna.connection, ben.connection];
    everybody.sort();
    assert_eq!(gone, everybody);
}
