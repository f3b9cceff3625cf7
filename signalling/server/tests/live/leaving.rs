//! Whoever is no longer in a channel is no longer in its call, even where they may still read.

use messaging::model::RoomKind;
use proto::calls::action::Action;
use proto::id::ChannelId;

use crate::client::{Client, short};
use crate::world::{Person, World, until};

/// Takes `who` out of a channel where others talk on: their devices are closed, and hear it once.
async fn is_taken_out(world: &World, channel: &ChannelId, by: &Person, who: &Person) {
    let mut ben = world.connect(&world.ben).await;
    ben.join(channel).await;
    let mut devices = Vec::new();
    for _ in 0..2 {
        let mut device = world.connect(who).await;
        device.join(channel).await;
        devices.push(device);
    }
    ben.settled().await;
    ben.events.clear();
    assert_eq!(world.rtcd.sessions(), 3);

    world.remove(by, channel, who).await;

    until("their media is closed", || world.rtcd.sessions() == 1).await;
    for device in &devices {
        let left = ben.wait_for("user_left").await;
        assert_eq!(left.data["user_id"], who.id.as_str());
        assert!(
            devices
                .iter()
                .any(|one| left.data["session_id"] == one.connection)
        );
        assert!(
            world
                .rtcd
                .kinds(&device.connection)
                .contains(&"leave".to_owned())
        );
    }
    for device in &mut devices {
        for _ in 0..2 {
            let left = device.wait_for("user_left").await;
            assert_eq!(left.data["channelID"], channel.as_str());
            assert_eq!(left.broadcast.user_id, who.id.to_string());
            assert_eq!(left.broadcast.channel_id, "");
        }
        device.settled().await;
        let again = device.events.iter().filter(|one| short(one) == "user_left");
        assert_eq!(again.count(), 0);
    }
    speaks_in_vain(&mut devices, &mut ben, channel).await;
    ben.act(&Action::Leave).await;
    until("the call is over", || world.rtcd.sessions() == 0).await;
}

async fn speaks_in_vain(devices: &mut [Client], ben: &mut Client, channel: &ChannelId) {
    for device in devices {
        device.act(&Action::Unmute).await;
        device.settled().await;
        device.ask_to_join(channel, None).await;
        assert_eq!(device.wait_for("error").await.data["data"], "forbidden");
    }
    ben.nothing_of("user_unmuted", channel).await;
}

#[tokio::test]
async fn who_is_removed_from_a_public_channel_or_leaves_it_is_out_of_its_call() {
    let world = World::new().await;
    let channel = world.room_of(RoomKind::Public, "square").await;
    for person in [&world.anna, &world.ben, &world.admin] {
        world.enter(&channel, person).await;
    }
    is_taken_out(&world, &channel, &world.admin, &world.anna).await;
    let (status, _) = world.get(&world.anna, &format!("/{channel}")).await;
    assert_eq!(status, 200, "she may read it all the same");
    world.enter(&channel, &world.anna).await;
    is_taken_out(&world, &channel, &world.anna, &world.anna).await;
    // An administrator of the system may read it, too, and is no member any more.
    let other = world.sysadmin("olga").await;
    is_taken_out(&world, &channel, &other, &world.admin).await;
}
