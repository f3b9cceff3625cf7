//! A session whose media host has given it to another.

use std::time::Duration;

use pretend::MediaHost;
use proto::calls::action::Action;
use proto::id::SessionId;
use proto::rtcd::{ControlMessage, RtcKind, RtcMessage};
use settings::Link;

use crate::world::World;

/// Of two hosts the one that was asked for a session, and the other, to which we are connected.
async fn asked_and_other<'a>(
    hosts: [&'a MediaHost; 2],
    session: &str,
) -> (&'a MediaHost, &'a MediaHost) {
    for _ in 0..1000 {
        let [one, two] = hosts.map(|host| !host.kinds(session).is_empty());
        if hosts.iter().all(|host| host.connections() > 0) && (one || two) {
            return (hosts[usize::from(two)], hosts[usize::from(one)]);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no media host was asked for {session}, or one is not connected");
}

/// The host says that `node` has the session, and answers its offer.
fn says_where(host: &MediaHost, session: &str, node: String) {
    let session = SessionId::parse(session).unwrap();
    let answer = br#"{"type":"answer","sdp":"v=0"}"#.to_vec();
    let mut answer = RtcMessage::for_session(&session, RtcKind::Sdp, answer);
    answer.node = node;
    host.say(&ControlMessage::Rtc(answer));
}

#[tokio::test]
async fn who_is_at_another_media_host_is_spoken_to_there() {
    let second = MediaHost::start(|_| ()).await;
    let url = Link(second.url());
    let world = World::with(None, move |raw| raw.rtcd.urls.push(url)).await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    let session = ben.connection.clone();
    let (asked, other) = asked_and_other([&world.rtcd, &second], &session).await;

    // Of one that is not ours it may say what it likes.
    says_where(asked, &session, "http://127.0.0.1:9".to_owned());
    ben.wait_for("signal").await;
    ben.act(&Action::Unmute).await;
    asked.wait_for(&session, "Unmute").await;

    says_where(asked, &session, other.url());
    ben.wait_for("signal").await;
    other.wait_for(&session, "reconnect").await;
    other.wait_for(&session, "Unmute").await;
    ben.act(&Action::Mute).await;
    other.wait_for(&session, "Mute").await;
    other.voice(&session, true);
    anna.wait_for("user_voice_on").await;
    // The one that was asked has no part in it any more.
    asked.close(&session);
    ben.act(&Action::RaiseHand).await;
    anna.wait_for("user_raise_hand").await;

    other.close(&session);
    let left = anna.wait_for("user_left").await;
    assert_eq!(left.data["session_id"], session.as_str());
    assert!(!asked.kinds(&session).contains(&"Mute".to_owned()));
    assert!(other.kinds(&anna.connection).is_empty());
}
