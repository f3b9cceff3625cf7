//! Invites: who comes in by a link, how often, and until when.

use std::time::Duration;

use messaging::embedded::InviteTerms;
use serde_json::{Value, json};

use crate::desk::{Client, Desk, PASSWORD, text};

fn newcomer(username: &str) -> Value {
    json!({ "username": username, "password": PASSWORD, "email": "" })
}

async fn invite(admin: &Client, team: &str, terms: Value) -> Value {
    admin.make(&format!("/teams/{team}/invites"), terms).await
}

#[tokio::test]
async fn a_link_lets_one_person_in_and_then_nobody() {
    let desk = Desk::open_with(|config| {
        config.site_url = "https://chat.example.org/".to_owned();
    })
    .await;
    let (admin, anna, _) = desk.three().await;
    let nobody = desk.nobody();
    let team = admin.team().await;
    assert_eq!(nobody.post("/users", newcomer("eve")).await.0, 403);
    let made = invite(&admin, &team, json!({})).await;
    let secret = text(&made["invite_id"]);
    assert_eq!(
        made["url"],
        format!("https://chat.example.org/signup_user_complete/?id={secret}")
    );
    assert_eq!((&made["max_uses"], &made["uses"]), (&json!(1), &json!(0)));
    let shown = nobody.read(&format!("/teams/invite/{secret}")).await;
    assert_eq!(
        (&shown["id"], &shown["name"]),
        (&json!(team), &json!("main"))
    );
    // somebody who is in the team already uses nothing up
    let join = format!("/teams/members/invite?invite_id={secret}");
    assert_eq!(anna.post(&join, Value::Null).await.0, 201);

    let path = format!("/users?iid={secret}");
    let bad = json!({ "username": "eve", "password": "short" });
    assert_eq!(nobody.post(&path, bad).await.0, 400);
    let mut taken = newcomer("anna");
    taken["email"] = json!("anna@elsewhere.example");
    assert_eq!(nobody.post(&path, taken).await.0, 400);
    let eve = nobody.make(&path, newcomer("eve")).await;
    assert_eq!(eve["roles"], "system_user");
    let eve = desk.sign_in("eve").await;
    assert_eq!(eve.team().await, team);
    let room = eve.town_square().await;
    eve.say(&room, "hello").await;

    let (status, refusal) = nobody.post(&path, newcomer("mallory")).await;
    assert_eq!(status, 404);
    assert!(text(&refusal["message"]).contains("no longer good"));
    assert_eq!(nobody.get(&format!("/teams/invite/{secret}")).await.0, 404);
    let listed = admin.read(&format!("/teams/{team}/invites")).await;
    assert_eq!(listed[0]["uses"], 1);
    assert_eq!(listed[0]["is_good"], false);
    assert!(
        !listed.to_string().contains(&secret),
        "the secret is told once"
    );
}

#[tokio::test]
async fn many_at_once_do_not_get_more_out_of_a_link_than_it_has() {
    let desk = Desk::open().await;
    let (admin, ..) = desk.three().await;
    let team = admin.team().await;
    let made = invite(&admin, &team, json!({ "max_uses": 2 })).await;
    let path = format!("/users?iid={}", text(&made["invite_id"]));
    let tries = (0..5).map(|number| {
        let (nobody, path) = (desk.nobody(), path.clone());
        tokio::spawn(async move {
            let body = newcomer(&format!("eve{number}"));
            nobody.post(&path, body).await.0
        })
    });
    let mut codes = Vec::new();
    for one in tries.collect::<Vec<_>>() {
        codes.push(one.await.unwrap());
    }
    let made = codes.iter().filter(|code| **code == 201).count();
    assert_eq!(made, 2, "{codes:?}");
}

#[tokio::test]
async fn a_link_ends_by_time_or_by_hand() {
    let desk = Desk::open().await;
    let (admin, ..) = desk.three().await;
    let nobody = desk.nobody();
    let team = admin.team().await;
    let made = invite(&admin, &team, json!({ "max_uses": 0 })).await;
    let path = format!("/users?iid={}", text(&made["invite_id"]));
    for name in ["eve", "frank"] {
        nobody.make(&path, newcomer(name)).await;
    }
    let own = format!("/teams/{team}/invites/{}", text(&made["id"]));
    assert_eq!(admin.delete(&own).await.0, 200);
    assert_eq!(nobody.post(&path, newcomer("grace")).await.0, 404);

    let short = invite(&admin, &team, json!({ "expires_in_seconds": 1 })).await;
    let opened = format!("/teams/invite/{}", text(&short["invite_id"]));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(nobody.get(&opened).await.0, 404);
    for bad in [
        json!({ "expires_in_seconds": 0 }),
        json!({ "expires_in_seconds": 31 * 24 * 3600 }),
        json!({ "max_uses": 1001 }),
        json!({ "max_uses": -1 }),
    ] {
        let (status, _) = admin
            .post(&format!("/teams/{team}/invites"), bad.clone())
            .await;
        assert_eq!(status, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_link_to_another_team_leads_there() {
    let desk = Desk::open().await;
    let (admin, anna, _) = desk.three().await;
    let body = json!({ "name": "other", "display_name": "Other", "type": "I" });
    let other = text(&admin.make("/teams", body).await["id"]);
    let made = invite(&admin, &other, json!({ "max_uses": 2 })).await;
    let secret = text(&made["invite_id"]);
    let mut socket = anna.socket().await;
    socket.hello().await;
    let join = format!("/teams/members/invite?invite_id={secret}");
    assert_eq!(anna.post(&join, Value::Null).await.0, 201);
    assert_eq!(
        socket.event("added_to_team").await["data"]["team_id"],
        other
    );
    assert_eq!(anna.get(&format!("/teams/{other}")).await.0, 200);
    let path = format!("/users?iid={secret}");
    desk.nobody().make(&path, newcomer("eve")).await;
    let eve = desk.sign_in("eve").await;
    let teams = eve.read("/users/me/teams").await;
    assert_eq!(teams.as_array().unwrap().len(), 2, "{teams}");
    // who manages that team invites to it, and to no other
    let body = json!({ "user_id": anna.id });
    assert_eq!(
        anna.post(&format!("/teams/{other}/invites"), body).await.0,
        403
    );
}

#[tokio::test]
async fn a_tool_makes_links_when_there_is_an_administrator() {
    let desk = Desk::open().await;
    assert!(desk.server.invite(InviteTerms::default()).await.is_err());
    desk.three().await;
    let link = desk.server.invite(InviteTerms::default()).await.unwrap();
    let secret = link.strip_prefix("/signup_user_complete/?id=").unwrap();
    let path = format!("/users?iid={secret}");
    desk.nobody().make(&path, newcomer("eve")).await;
}
