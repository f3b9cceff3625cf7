//! Accounts, signing in and out, sessions, cookies.

use std::time::Duration;

use messaging::People as _;
use proto::redact::Secret;
use reqwest::Method;
use serde_json::{Value, json};

use crate::desk::{Desk, PASSWORD, eventually, text};

#[tokio::test]
async fn the_first_account_is_the_administrator_and_then_registration_is_closed() {
    let desk = Desk::open().await;
    let nobody = desk.nobody();
    assert_eq!(
        nobody.read("/config/client").await["FirstAccountNeedsToken"],
        "true"
    );
    let token = desk.server.first_account_token().unwrap();
    let first = |token: &str| {
        json!({ "username": "Root", "password": PASSWORD, "email": "root@example.org",
            "first_account_token": token })
    };
    // whoever comes first is not enough
    for wrong in ["", "guess"] {
        let (status, error) = nobody.post("/users", first(wrong)).await;
        assert_eq!(status, 403);
        assert!(
            text(&error["message"]).contains("one-time token"),
            "{error}"
        );
    }
    let user = nobody.make("/users", first(token.expose())).await;
    assert_eq!(desk.server.first_account_token(), None);
    assert_eq!(user["username"], "root");
    assert_eq!(user["roles"], "system_user system_admin");
    let second = json!({ "username": "eve", "password": PASSWORD, "email": "e@example.org" });
    assert_eq!(nobody.post("/users", second.clone()).await.0, 403);
    let admin = desk.sign_in("root").await;
    let eve = admin.make("/users", second.clone()).await;
    assert_eq!(eve["roles"], "system_user");
    assert_eq!(eve.get("password"), None);
    let (status, error) = admin.post("/users", second).await;
    assert_eq!((status, error["status_code"].as_u64()), (400, Some(400)));
    assert_eq!(error["id"], "store.sql_user.save.username_exists.app_error");
    for key in ["message", "detailed_error", "request_id"] {
        assert!(error[key].is_string(), "{error}");
    }
    let eve = desk.sign_in("eve").await;
    assert_eq!(
        eve.post("/users", json!({ "username": "x", "password": PASSWORD }))
            .await
            .0,
        403
    );
}

#[tokio::test]
async fn open_registration_lets_anybody_in_as_an_ordinary_person() {
    let desk = Desk::open_with(|config| config.open_registration = true).await;
    desk.person("admin").await;
    let body = json!({ "username": "eve", "password": PASSWORD, "roles": "system_admin" });
    assert_eq!(
        desk.nobody().make("/users", body).await["roles"],
        "system_user"
    );
    for (username, password) in [
        ("a b", PASSWORD),
        ("", PASSWORD),
        ("me", PASSWORD),
        ("zoe", "x"),
    ] {
        let body = json!({ "username": username, "password": password });
        assert_eq!(
            desk.nobody().post("/users", body).await.0,
            400,
            "{username} {password}"
        );
    }
}

#[tokio::test]
async fn a_new_account_is_in_the_default_team_and_rooms() {
    let desk = Desk::open().await;
    let (_, anna, _) = desk.three().await;
    let team = anna.team().await;
    let rooms = anna.read(&format!("/users/me/teams/{team}/channels")).await;
    let mut names: Vec<String> = rooms
        .as_array()
        .unwrap()
        .iter()
        .map(|room| text(&room["name"]))
        .collect();
    names.sort();
    assert_eq!(names, ["off-topic", "town-square"]);
    let members = anna.read("/users/me/teams/members").await;
    assert_eq!(members[0]["team_id"], team);
}

#[tokio::test]
async fn signing_out_ends_the_session_everywhere() {
    let desk = Desk::open().await;
    let anna = desk.person("anna").await;
    let other = desk.sign_in("anna").await;
    assert_ne!(anna.token, other.token);
    assert_eq!(anna.token.len(), 26);
    let mut socket = anna.socket().await;
    socket.hello().await;
    assert_eq!(
        anna.read("/users/me/sessions")
            .await
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(anna.post("/users/logout", json!({})).await.0, 200);
    socket.end().await;
    let (status, error) = anna.get("/users/me").await;
    assert_eq!(
        (status, error["id"].as_str()),
        (401, Some("api.context.session_expired.app_error"))
    );
    assert_eq!(other.read("/users/me").await["username"], "anna");
    assert!(desk.server.login(&anna.token).await.unwrap().is_none());
}

/// What was sent is not kept, only which browser and system it names.
#[tokio::test]
async fn a_session_says_what_it_was_made_with() {
    let desk = Desk::open().await;
    let anna = desk.person("anna").await;
    let body = json!({ "login_id": "anna", "password": PASSWORD });
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let signing_in = desk.nobody().request(Method::POST, "/users/login");
    let signed_in = signing_in.header("user-agent", agent).json(&body).send();
    assert_eq!(signed_in.await.unwrap().status(), 200);
    let sessions = anna.read("/users/me/sessions").await;
    let sessions = sessions.as_array().unwrap().iter();
    let made_with = sessions.map(|session| &session["props"]);
    let mut made_with: Vec<String> = made_with.map(Value::to_string).collect();
    made_with.sort();
    assert_eq!(
        made_with,
        [
            json!({ "browser": "", "os": "", "platform": "" }).to_string(),
            json!({ "browser": "Firefox", "os": "Linux", "platform": "Linux" }).to_string(),
        ]
    );
    let told = desk.server.sessions_of("anna").await.unwrap();
    assert!(
        told.iter()
            .any(|one| one.browser == "Firefox" && one.os == "Linux")
    );
}

#[tokio::test]
async fn a_session_expires_and_its_socket_goes_with_it() {
    let desk = Desk::open_with(|c| c.login_lifetime = Duration::from_millis(1500)).await;
    let anna = desk.person("anna").await;
    let mut socket = anna.socket().await;
    socket.hello().await;
    eventually(async || (anna.get("/users/me").await.0 == 401).then_some(())).await;
    socket.end().await;
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let desk = Desk::open().await;
    let anna = desk.person("anna").await;
    let other = desk.sign_in("anna").await;
    let wrong = json!({ "current_password": "wrong", "new_password": "another horse" });
    assert_eq!(anna.put("/users/me/password", wrong).await.0, 401);
    let right = json!({ "current_password": PASSWORD, "new_password": "another horse" });
    assert_eq!(anna.put("/users/me/password", right).await.0, 200);
    assert_eq!(anna.get("/users/me").await.0, 200);
    assert_eq!(other.get("/users/me").await.0, 401);
    desk.server
        .set_password("anna", Secret::new(PASSWORD))
        .await
        .unwrap();
    assert_eq!(anna.get("/users/me").await.0, 401);
    desk.sign_in("anna").await;
}

#[tokio::test]
async fn who_guesses_passwords_has_to_wait_and_the_owner_elsewhere_does_not() {
    let desk = Desk::open().await;
    desk.person("anna").await;
    desk.person("ben").await;
    let guess = json!({ "login_id": "anna", "password": "guess" });
    let mut seen = Vec::new();
    for _ in 0..12 {
        let (status, error) = desk.nobody().post("/users/login", guess.clone()).await;
        if status == 401 {
            assert!(text(&error["id"]).contains("invalid_credentials"));
        }
        seen.push(status);
    }
    assert_eq!(seen[..10], [401; 10]);
    assert_eq!(seen[10..], [429; 2]);
    desk.sign_in("ben").await;
    let unknown = json!({ "login_id": "nobody", "password": "guess" });
    let (status, error) = desk.nobody().post("/users/login", unknown).await;
    assert_eq!(status, 401);
    assert!(text(&error["id"]).contains("invalid_credentials"));
}

#[tokio::test]
async fn cookies_sign_in_and_cannot_be_ridden() {
    let desk = Desk::open().await;
    desk.person("anna").await;
    let nobody = desk.nobody();
    let body = json!({ "login_id": "anna", "password": PASSWORD });
    let response = nobody
        .request(Method::POST, "/users/login")
        .json(&body)
        .send()
        .await
        .unwrap();
    let cookies: Vec<String> = response
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|value| value.to_str().unwrap().to_owned())
        .collect();
    let value = |name: &str| {
        let cookie = cookies
            .iter()
            .find(|cookie| cookie.starts_with(&format!("{name}=")));
        cookie.unwrap().split(['=', ';']).nth(1).unwrap().to_owned()
    };
    assert!(
        cookies
            .iter()
            .any(|c| c.starts_with("MMAUTHTOKEN=") && c.contains("HttpOnly"))
    );
    assert!(
        !cookies
            .iter()
            .any(|c| c.starts_with("MMCSRF=") && c.contains("HttpOnly"))
    );
    assert!(!value("MMUSERID").is_empty());
    let jar = format!("MMAUTHTOKEN={}", value("MMAUTHTOKEN"));
    let send = |method: Method, header: Option<(&'static str, String)>| {
        let path = if method == Method::GET {
            "/users/me"
        } else {
            "/users/me/patch"
        };
        let mut request = nobody.request(method, path).header("cookie", &jar);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        async {
            request
                .json(&json!({ "nickname": "n" }))
                .send()
                .await
                .unwrap()
                .status()
                .as_u16()
        }
    };
    assert_eq!(send(Method::GET, None).await, 200);
    assert_eq!(send(Method::PUT, None).await, 403);
    assert_eq!(
        send(Method::PUT, Some(("x-csrf-token", "wrong".to_owned()))).await,
        403
    );
    assert_eq!(
        send(Method::PUT, Some(("x-csrf-token", value("MMCSRF")))).await,
        200
    );
    let ajax = ("x-requested-with", "XMLHttpRequest".to_owned());
    assert_eq!(send(Method::PUT, Some(ajax)).await, 200);
}

#[tokio::test]
async fn people_see_of_others_only_what_is_for_them() {
    let desk = Desk::open().await;
    let (admin, anna, ben) = desk.three().await;
    let seen = anna.read(&format!("/users/{}", ben.id)).await;
    assert_eq!(
        (seen["username"].as_str(), seen["email"].as_str()),
        (Some("ben"), Some(""))
    );
    assert_eq!(seen.get("notify_props"), None);
    assert_eq!(ben.read("/users/me").await["email"], "ben@localhost");
    assert_eq!(
        admin.read(&format!("/users/{}", ben.id)).await["email"],
        "ben@localhost"
    );
    assert_eq!(anna.get("/users/email/ben@localhost").await.0, 404);
    let patch = json!({ "nickname": "eve" });
    assert_eq!(
        anna.put(&format!("/users/{}/patch", ben.id), patch).await.0,
        403
    );
    assert_eq!(
        anna.get(&format!("/users/{}/sessions", ben.id)).await.0,
        403
    );
    assert_eq!(
        anna.get(&format!("/users/{}/preferences", ben.id)).await.0,
        403
    );
    let (status, found) = anna.post("/users/ids", json!([ben.id, "unknown"])).await;
    assert_eq!((status, found.as_array().unwrap().len()), (200, 1));
    let (status, found) = anna
        .post("/users/usernames", json!(["BEN", "nobody"]))
        .await;
    assert_eq!(
        (status, found[0]["id"].as_str()),
        (200, Some(ben.id.as_str()))
    );
    let found = anna.read("/users/autocomplete?name=be").await;
    assert_eq!(found["users"][0]["id"], ben.id);
    let image = anna
        .request(Method::GET, &format!("/users/{}/image", ben.id))
        .send()
        .await;
    assert_eq!(image.unwrap().headers()["content-type"], "image/svg+xml");
    assert_eq!(anna.get("/users/unknown").await.0, 404);
}

#[tokio::test]
async fn preferences_and_statuses_are_kept_and_told() {
    let desk = Desk::open().await;
    let anna = desk.person("anna").await;
    let mut socket = anna.socket().await;
    socket.hello().await;
    let body = json!([{ "user_id": anna.id, "category": "c", "name": "n", "value": "v" }]);
    assert_eq!(anna.put("/users/me/preferences", body.clone()).await.0, 200);
    let event = socket.event("preferences_changed").await;
    let list: serde_json::Value =
        serde_json::from_str(&text(&event["data"]["preferences"])).unwrap();
    assert_eq!(list, body);
    assert_eq!(anna.read("/users/me/preferences").await, body);
    assert_eq!(anna.post("/users/me/preferences/delete", body).await.0, 200);
    assert_eq!(anna.read("/users/me/preferences").await, json!([]));

    let (status, statuses) = anna.post("/users/status/ids", json!([anna.id])).await;
    assert_eq!(
        (status, statuses[0]["status"].as_str()),
        (200, Some("online"))
    );
    let body = json!({ "user_id": anna.id, "status": "dnd" });
    assert_eq!(anna.put("/users/me/status", body).await.1["status"], "dnd");
    loop {
        let event = socket.event("status_change").await;
        if event["data"]["status"] == "dnd" {
            break;
        }
    }
}

#[tokio::test]
async fn clients_learn_what_they_ask_before_signing_in() {
    let desk = Desk::open().await;
    let nobody = desk.nobody();
    assert_eq!(nobody.read("/system/ping").await["status"], "OK");
    let config = nobody.read("/config/client?format=old").await;
    for key in [
        "Version",
        "SiteURL",
        "WebsocketURL",
        "DefaultClientLocale",
        "TeammateNameDisplay",
    ] {
        assert!(config[key].is_string(), "{key}");
    }
    assert_eq!(
        nobody.read("/license/client?format=old").await["IsLicensed"],
        "false"
    );
    assert_eq!(nobody.read("/plugins/webapp").await, json!([]));
    let (status, error) = nobody.get("/no/such/thing").await;
    assert_eq!((status, error["status_code"].as_u64()), (404, Some(404)));
    for path in [
        "/users/me",
        "/users",
        "/teams",
        "/channels/x",
        "/posts/x",
        "/files/x",
    ] {
        assert_eq!(nobody.get(path).await.0, 401, "{path}");
    }
}
