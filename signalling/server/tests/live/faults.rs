//! A fault of ours in one call, over real sockets.

use messaging::model::RoomKind;
use proto::calls::action::{Action, Emoji};

use crate::world::World;

#[tokio::test]
async fn a_panic_in_one_call_ends_it_in_order_and_the_one_beside_it_goes_on() {
    let world = World::new().await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    let chat = world.running.chat();
    let team = chat.ensure_team("north", "North").await.unwrap();
    let beside = chat
        .ensure_room(&team, "beside", "Beside", RoomKind::Private)
        .await
        .unwrap();
    let cora = world.newcomer("cora").await;
    chat.ensure_member(&beside.id, &cora.id).await.unwrap();
    let mut cora = world.connect(&cora).await;
    cora.join(&beside.id).await;

    let panics = Emoji {
        name: "panics-here".to_owned(),
        ..Emoji::default()
    };
    anna.act(&Action::React(panics)).await;

    ben.wait_for("call_end").await;
    for session in [&anna.connection, &ben.connection] {
        world.rtcd.wait_for(session, "leave").await;
    }
    let edited = ben.wait_for("post_edited").await;
    assert!(edited.data["post"].as_str().unwrap().contains("Call ended"));
    let (_, active) = world.get(&world.anna, &world.call_path("active")).await;
    assert_eq!(active["active"], false);
    let metrics = world.metrics().await;
    assert!(metrics.contains("call_panics_total 1"), "{metrics}");
    cora.act(&Action::Unmute).await;
    cora.wait_for("user_unmuted").await;
    // The same people may begin again, and a restart finds nothing of the broken call.
    let state = anna.join(&world.channel).await;
    assert_eq!(state["sessions"].as_array().unwrap().len(), 1);
}
