//! The host and what the host may do.

use proto::calls::action::Action;
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_host_made_by_hand_is_host_again_when_back() {
    let world = World::new().await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    let body = json!({"new_host_id": world.ben.id});

    let (status, _) = world
        .post(&world.anna, &world.call_path("host/make"), body.clone())
        .await;
    assert_eq!(status, 200);
    assert_eq!(
        anna.wait_for("call_host_changed").await.data["hostID"],
        world.ben.id.as_str()
    );
    let (status, refused) = world
        .post(&world.anna, &world.call_path("host/make"), body)
        .await;
    assert_eq!(
        (status, refused["message"].as_str()),
        (400, Some("no permissions"))
    );

    ben.act(&Action::Leave).await;
    assert_eq!(
        anna.wait_for("call_host_changed").await.data["hostID"],
        world.anna.id.as_str()
    );
    ben.join(&world.channel).await;
    assert_eq!(
        anna.wait_for("call_host_changed").await.data["hostID"],
        world.ben.id.as_str()
    );
}

#[tokio::test]
async fn the_host_asks_clients_and_removes_them() {
    let world = World::new().await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    let target = json!({"session_id": ben.connection});
    ben.act(&Action::Unmute).await;
    anna.wait_for("user_unmuted").await;
    ben.act(&Action::RaiseHand).await;
    anna.wait_for("user_raise_hand").await;

    for (control, event) in [
        ("mute", "host_mute"),
        ("mute-others", "host_mute"),
        ("lower-hand", "host_lower_hand"),
    ] {
        let path = world.call_path(&format!("host/{control}"));
        assert_eq!(
            world.post(&world.anna, &path, target.clone()).await.0,
            200,
            "{control}"
        );
        let asked = ben.wait_for(event).await;
        assert_eq!(asked.data["session_id"], ben.connection.as_str());
        assert_eq!(asked.data["host_id"], world.anna.id.as_str());
    }
    let path = world.call_path("host/screen-off");
    assert_eq!(world.post(&world.anna, &path, target.clone()).await.0, 200);
    ben.nothing_of("host_screen_off", &world.channel).await;
    let stream = "screen".to_owned();
    ben.act(&Action::ScreenOn { stream }).await;
    anna.wait_for("user_screen_on").await;
    assert_eq!(world.post(&world.admin, &path, target.clone()).await.0, 200);
    let asked = ben.wait_for("host_screen_off").await;
    assert_eq!(asked.data["session_id"], ben.connection.as_str());
    assert_eq!(asked.data["host_id"], world.admin.id.as_str());

    assert_eq!(
        world
            .post(&world.anna, &world.call_path("host/remove"), target)
            .await
            .0,
        200
    );
    assert_eq!(
        anna.wait_for("host_removed").await.data["user_id"],
        world.ben.id.as_str()
    );
    // Ben does not go by himself.
    assert_eq!(
        anna.wait_for("user_left").await.data["session_id"],
        ben.connection.as_str()
    );
    world.rtcd.wait_for(&ben.connection, "leave").await;
}

#[tokio::test]
async fn an_admin_ends_the_call_for_everybody() {
    let world = World::new().await;
    let (mut anna, ben) = world.anna_and_ben().await;
    let path = world.call_path("host/end");
    let (status, refused) = world.post(&world.ben, &path, json!({})).await;
    assert_eq!(
        (status, refused["message"].as_str()),
        (400, Some("no permissions"))
    );

    assert_eq!(world.post(&world.admin, &path, json!({})).await.0, 200);

    assert_eq!(
        anna.wait_for("call_end").await.data["channelID"],
        world.channel.as_str()
    );
    let mut late = world.connect(&world.admin).await;
    late.ask_to_join(&world.channel, None).await;
    assert_eq!(late.wait_for("error").await.data["data"], "call has ended");
    anna.wait_for("user_left").await;
    world.rtcd.wait_for(&ben.connection, "leave").await;
    let (status, gone) = world.post(&world.admin, &path, json!({})).await;
    assert_eq!(
        (status, gone["message"].as_str()),
        (400, Some("no call ongoing"))
    );
}
