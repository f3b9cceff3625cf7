//! Leaving with another session than the one that asks.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_person_ends_the_session_of_another_device_and_nobody_elses() {
    let world = World::new().await;
    let (mut anna, mut laptop) = world.anna_and_ben().await;
    let mut phone = world.connect(&world.ben).await;
    phone.join(&world.channel).await;
    let leave = |session: &str| world.call_path(&format!("sessions/{session}/leave"));
    for (asks, session) in [
        (&world.anna, &laptop.connection),
        (&world.admin, &laptop.connection),
        (&world.ben, &anna.connection),
        (&world.ben, &"nosuchsession".to_owned()),
    ] {
        let (status, refused) = world.post(asks, &leave(session), json!({})).await;
        let text = "you have no such session in the call";
        assert_eq!((status, refused["message"].as_str()), (400, Some(text)));
    }
    let stranger = world.stranger("stranger").await;
    let (status, refused) = world
        .post(&stranger, &leave(&laptop.connection), json!({}))
        .await;
    assert_eq!(
        (status, refused["message"].as_str()),
        (400, Some("no call ongoing"))
    );
    anna.nothing_of("user_left", &world.channel).await;

    let (status, _) = world
        .post(&world.ben, &leave(&laptop.connection), json!({}))
        .await;
    assert_eq!(status, 200);
    let left = anna.wait_for("user_left").await;
    assert_eq!(left.data["session_id"], laptop.connection.as_str());
    let left = laptop.wait_for("user_left").await;
    assert_eq!(left.data["session_id"], laptop.connection.as_str());
    world.rtcd.wait_for(&laptop.connection, "leave").await;
    phone.act(&proto::calls::action::Action::Unmute).await;
    let speaks = anna.wait_for("user_unmuted").await;
    assert_eq!(speaks.data["session_id"], phone.connection.as_str());
}
