//! A restart of signalling: media goes on, people come back, what is gone is cleaned up.

use proto::calls::action::Action;

use crate::world::World;

#[tokio::test]
async fn people_keep_their_sessions_over_a_restart() {
    let world = World::new().await;
    let (anna, ben) = world.anna_and_ben().await;
    let (annas, bens) = (anna.connection.clone(), ben.connection.clone());
    world.rtcd.wait_for(&bens, "join").await;

    let world = world.restart().await;
    world.rtcd.wait_for(&annas, "reconnect").await;
    let mut anna = world.connect(&world.anna).await;
    anna.reconnect_as(&world.channel, &annas).await;
    anna.act(&Action::CallState {
        channel: world.channel.clone(),
    })
    .await;
    let state = anna.state().await;
    assert_eq!(state["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(state["host_id"], world.anna.id.as_str());
    let mut ben = world.connect(&world.ben).await;
    ben.reconnect_as(&world.channel, &bens).await;
    ben.act(&Action::Unmute).await;

    assert_eq!(
        anna.wait_for("user_unmuted").await.data["session_id"],
        bens.as_str()
    );
    assert!(!world.rtcd.kinds(&bens).contains(&"leave".to_owned()));
    assert_eq!(world.rtcd.registered().len(), 1, "the own key was kept");
}

#[tokio::test]
async fn sessions_that_the_media_host_lost_meanwhile_end_with_their_call() {
    let world = World::new().await;
    let (anna, ben) = world.anna_and_ben().await;
    world.rtcd.wait_for(&ben.connection, "join").await;
    world.rtcd.forget(&anna.connection);
    world.rtcd.forget(&ben.connection);

    let world = world.restart().await;

    let path = world.call_path("active");
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while world.get(&world.admin, &path).await.1["active"] != false {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the call did not end"
        );
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn a_stop_keeps_the_last_hand_that_was_raised() {
    let world = World::new().await;
    let (mut anna, ben) = world.anna_and_ben().await;
    let annas = anna.connection.clone();
    anna.act(&Action::RaiseHand).await;
    anna.wait_for("user_raise_hand").await;
    drop((anna, ben));

    let world = world.restart().await;

    let (_, channel) = world
        .get(&world.admin, &format!("/{}", world.channel))
        .await;
    let sessions = channel["call"]["sessions"].as_array().unwrap();
    let of_anna = sessions.iter().find(|s| s["session_id"] == annas.as_str());
    assert!(of_anna.unwrap()["raised_hand"].as_i64().unwrap() > 0);
}
