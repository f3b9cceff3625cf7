//! What an operator decides about people beside a running server: it is heard within a second.

use std::time::{Duration, Instant};

use proto::redact::Secret;

use crate::world::{Person, World};

/// What was promised.
const HEARD_WITHIN: Duration = Duration::from_secs(1);

async fn is_signed_in(world: &World, person: &Person) -> bool {
    let url = format!("http://{}/api/v4/users/me", world.addr());
    let request = world.http.get(url).bearer_auth(&person.token);
    request.send().await.unwrap().status() == 200
}

#[tokio::test]
async fn who_is_shut_out_by_a_tool_leaves_the_call_within_a_second() {
    let world = World::new().await;
    let (mut anna, mut ben) = world.anna_and_ben().await;
    let tool = world.tools_config();
    let shut_out =
        async |chat: &messaging::embedded::Server| chat.set_account_active("anna", false).await;
    signalling::with_chat(&tool, shut_out).await.unwrap();
    let decided = Instant::now();
    ben.wait_for("user_left").await;
    anna.closed().await;
    let took = decided.elapsed();
    assert!(took < HEARD_WITHIN, "heard after {took:?}");
    assert!(!is_signed_in(&world, &world.anna).await);
    assert!(is_signed_in(&world, &world.ben).await);
}

#[tokio::test]
async fn lost_rights_and_a_new_password_end_a_call_too() {
    let world = World::new().await;
    let tool = world.tools_config();
    let mut ben = world.connect(&world.ben).await;
    ben.join(&world.channel).await;
    let mut admin = world.connect(&world.admin).await;
    admin.join(&world.channel).await;
    ben.wait_for("user_joined").await;
    let change = async |chat: &messaging::embedded::Server| {
        chat.set_account_admin("ben", true).await?;
        chat.set_account_admin("admin", false).await
    };
    signalling::with_chat(&tool, change).await.unwrap();
    let decided = Instant::now();
    ben.wait_for("user_left").await;
    admin.closed().await;
    assert!(decided.elapsed() < HEARD_WITHIN);
    let change = async |chat: &messaging::embedded::Server| {
        chat.set_password("ben", Secret::new("another battery staple"))
            .await
    };
    signalling::with_chat(&tool, change).await.unwrap();
    let decided = Instant::now();
    ben.closed().await;
    assert!(decided.elapsed() < HEARD_WITHIN);
    let chat = world.running.chat();
    assert_eq!(chat.sessions_of("ben").await.unwrap(), []);
    let everybody = chat.accounts().await.unwrap();
    let of = |name: &str| everybody.iter().find(|one| one.person.username == name);
    assert!(of("ben").unwrap().person.is_system_admin);
    assert!(!of("admin").unwrap().person.is_system_admin);
    assert_eq!(of("anna").unwrap().sessions, 1);
}
