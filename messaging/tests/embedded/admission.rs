//! Shutting people out, letting them in, and who administrates.

use messaging::People as _;
use messaging::embedded::{Config, Server};
use proto::redact::Secret;
use reqwest::Method;
use serde_json::{Value, json};

use crate::desk::{Client, Desk, PASSWORD, eventually, text};

async fn sign_in_status(client: &Client, name: &str) -> u16 {
    let body = json!({ "login_id": name, "password": PASSWORD });
    client.post("/users/login", body).await.0
}

#[tokio::test]
async fn who_is_shut_out_loses_every_session_at_once_and_may_come_back() {
    let desk = Desk::open().await;
    let (admin, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let written = anna.say(&room, "what I wrote").await;
    let other = desk.sign_in("anna").await;
    let mut socket = anna.socket().await;
    socket.hello().await;
    let path = format!("/users/{}/active", anna.id);
    for stranger in [&anna, &ben] {
        let refused = stranger.put(&path, json!({ "active": false })).await;
        assert_eq!(refused.0, 403);
    }
    assert_eq!(admin.put(&path, json!({ "active": false })).await.0, 200);
    socket.end().await;
    for client in [&anna, &other] {
        assert_eq!(client.get("/users/me").await.0, 401);
        assert!(desk.server.login(&client.token).await.unwrap().is_none());
    }
    let nobody = desk.nobody();
    assert_eq!(sign_in_status(&nobody, "anna").await, 401);
    assert!(
        desk.server
            .issue_token(&anna.user_id(), None)
            .await
            .is_err()
    );
    let seen = ben.read(&format!("/users/{}", anna.id)).await;
    assert!(seen["delete_at"].as_i64() > Some(0));
    let post = ben.read(&format!("/posts/{}", text(&written["id"]))).await;
    assert_eq!(post["message"], "what I wrote");
    assert_eq!(admin.put(&path, json!({ "active": true })).await.0, 200);
    assert_eq!(sign_in_status(&nobody, "anna").await, 200);
    // in v4, deleting a person is the same
    let path = format!("/users/{}", ben.id);
    assert_eq!(anna.delete(&path).await.0, 401);
    assert_eq!(admin.delete(&path).await.0, 200);
    assert_eq!(ben.get("/users/me").await.0, 401);
}

#[tokio::test]
async fn roles_change_with_the_sessions_that_had_them_and_one_administrator_stays() {
    let desk = Desk::open().await;
    let (admin, anna, ben) = desk.three().await;
    let roles = |client: &Client| format!("/users/{}/roles", client.id);
    let (ordinary, all) = (
        json!({ "roles": "system_user" }),
        json!({ "roles": "system_admin system_user" }),
    );
    assert_eq!(anna.put(&roles(&anna), all.clone()).await.0, 403);
    for path in [roles(&admin), format!("/users/{}/active", admin.id)] {
        let body = json!({ "roles": "system_user", "active": false });
        let (status, error) = admin.put(&path, body).await;
        assert_eq!(
            (status, &error["id"]),
            (400, &json!("app.user.last_admin.app_error"))
        );
    }
    assert_eq!(admin.get("/users/me").await.0, 200);
    for odd in [
        "",
        "system_guest",
        "system_admin",
        "system_user system_manager",
    ] {
        let (status, _) = admin.put(&roles(&anna), json!({ "roles": odd })).await;
        assert_eq!(status, 400, "{odd}");
    }
    let (status, user) = admin.put(&roles(&anna), all.clone()).await;
    assert_eq!(
        (status, &user["roles"]),
        (200, &json!("system_user system_admin"))
    );
    assert_eq!(anna.put(&roles(&admin), ordinary.clone()).await.0, 200);
    assert_eq!(admin.get("/users/me").await.0, 401);
    let former = desk.sign_in("admin").await;
    assert_eq!(former.put(&roles(&ben), all).await.0, 403);
    let own = format!("/users/{}/active", anna.id);
    assert_eq!(anna.put(&own, json!({ "active": false })).await.0, 400);
    assert_eq!(
        anna.put(&roles(&ben), json!({ "roles": "system_user" }))
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn the_servers_bot_stays_as_it_is() {
    let desk = Desk::open().await;
    let admin = desk.person("admin").await;
    let (bot, token) = desk.server.ensure_bot("calls", "Calls").await.unwrap();
    let path = format!("/users/{}/active", bot.id);
    assert_eq!(admin.put(&path, json!({ "active": false })).await.0, 403);
    let revoke = admin.post("/users/sessions/revoke/all", Value::Null).await;
    assert_eq!(revoke.0, 200);
    assert_eq!(admin.get("/users/me").await.0, 401);
    assert!(desk.server.login(&token).await.unwrap().is_some());
}

#[tokio::test]
async fn a_tool_beside_the_server_shuts_out_too_and_the_socket_ends() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::open_at(dir.path(), |_| {}).await;
    let (_, anna, ben) = desk.three().await;
    let mut annas = anna.socket().await;
    annas.hello().await;
    let mut bens = ben.socket().await;
    bens.hello().await;
    let tool = Server::open(Config::new(dir.path())).await.unwrap();
    tool.set_account_active("anna", false).await.unwrap();
    tool.set_password("ben", Secret::new("another horse"))
        .await
        .unwrap();
    tool.close().await;
    annas.end().await;
    bens.end().await;
    let gone = eventually(async || {
        let (status, _) = anna.get("/users/me").await;
        (status == 401).then_some(())
    });
    gone.await;
    let answer = desk.nobody().request(Method::POST, "/users/login");
    let body = json!({ "login_id": "ben", "password": "another horse" });
    assert_eq!(answer.json(&body).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn what_a_server_does_by_itself_is_watched_and_goes_on_after_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::open_at(dir.path(), |_| {}).await;
    let anna = desk.person("anna").await;
    let mut socket = anna.socket().await;
    socket.hello().await;
    for task in ["sweep of logins", "sweep of files", "sweep of connections"] {
        assert!(desk.tasks.kill(task), "`{task}` is watched");
        let figure = format!("parley_task_restarts_total{{task=\"{task}\"}} 1");
        let again = eventually(async || {
            let figures = desk.tasks.metrics("parley");
            figures.contains(&figure).then_some(())
        });
        again.await;
    }
    let mut config = Config::new(dir.path());
    config.database = crate::engine::database(dir.path(), config.database).await;
    let tool = Server::open_as_tool(config).await.unwrap();
    tool.set_password("anna", Secret::new("another horse"))
        .await
        .unwrap();
    tool.close().await;
    socket.end().await;
}
