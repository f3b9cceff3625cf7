//! What a request must not be, and what every answer carries.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::desk::{Client, Desk, PASSWORD, text};

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let desk = Desk::open_with(|config| {
        config.site_url = "https://chat.example.org".to_owned();
        config.allowed_origins = vec!["http://dev.example".to_owned()];
    })
    .await;
    let anna = desk.person("anna").await;
    let nobody = desk.nobody();
    let sign_in = json!({ "login_id": "anna", "password": PASSWORD });
    let room = anna.town_square().await;
    let post = json!({ "channel_id": room, "message": "forged" });
    let routes: [(&Client, Method, &str, &Value); 5] = [
        (&nobody, Method::POST, "/users/login", &sign_in),
        (&nobody, Method::POST, "/users/logout", &Value::Null),
        (&nobody, Method::POST, "/users", &sign_in),
        (&anna, Method::POST, "/posts", &post),
        (&anna, Method::DELETE, "/channels/x", &Value::Null),
    ];
    let foreign = [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ];
    for (client, method, path, body) in &routes {
        for (name, value) in foreign {
            let request = client.request(method.clone(), path).header(name, value);
            let answer = request.json(body).send().await.unwrap();
            assert_eq!(answer.status(), 403, "{method} {path} {name}: {value}");
            assert!(!answer.headers().contains_key("set-cookie"));
            let error: Value = answer.json().await.unwrap();
            assert!(text(&error["message"]).contains("http.site_url"), "{error}");
        }
    }
    let own_host = format!("http://{}", desk.address);
    for origin in ["https://chat.example.org", "http://dev.example", &own_host] {
        let request = nobody.request(Method::POST, "/users/login");
        let request = request.header("origin", origin).json(&sign_in);
        assert_eq!(request.send().await.unwrap().status(), 200, "{origin}");
    }
    // reading is for the browser to forbid: it shows the page nothing without our word
    let read = nobody.request(Method::GET, "/system/ping");
    let read = read.header("origin", "https://evil.example").send().await;
    assert_eq!(read.unwrap().status(), 200);
}

#[tokio::test]
async fn a_form_signs_nobody_in() {
    let desk = Desk::open().await;
    desk.person("anna").await;
    let body = json!({ "login_id": "anna", "password": PASSWORD }).to_string();
    let send = async |kind: Option<&str>, path: &str| {
        let request = desk.nobody().request(Method::POST, path);
        let request = match kind {
            Some(kind) => request.header("content-type", kind),
            None => request,
        };
        request.body(body.clone()).send().await.unwrap().status()
    };
    for kind in [
        "text/plain",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
    ] {
        for path in ["/users/login", "/users"] {
            let status = send(Some(kind), path).await;
            assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind} {path}");
        }
    }
    for kind in [Some("application/json; charset=utf-8"), None] {
        assert_eq!(send(kind, "/users/login").await, 200, "{kind:?}");
    }
}

#[tokio::test]
async fn no_answer_is_kept_or_guessed_at() {
    let desk = Desk::open().await;
    let anna = desk.person("anna").await;
    for path in [
        "/users/me",
        "/config/client",
        "/no/such/thing",
        "/users/unknown",
        "/system/ping",
    ] {
        let answer = anna.request(Method::GET, path).send().await.unwrap();
        let headers = answer.headers();
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
    }
    // a portrait may stay in the browser of whoever saw it
    let path = format!("/users/{}/image", anna.id);
    let portrait = anna.request(Method::GET, &path).send().await.unwrap();
    assert!(
        portrait.headers()["cache-control"]
            .to_str()
            .unwrap()
            .starts_with("private")
    );
}

#[tokio::test]
async fn names_do_not_turn_the_text_around_them() {
    let desk = Desk::open().await;
    let anna = desk.person("anna").await;
    let team = anna.team().await;
    for bad in ["Anna\u{202e}gnol", "An\u{2066}na", "Anna\u{7}", "\u{200b}"] {
        for field in ["first_name", "last_name", "nickname", "position"] {
            let (status, error) = anna.put("/users/me/patch", json!({ field: bad })).await;
            assert_eq!(
                (status, &error["id"]),
                (400, &json!("model.user.is_valid.name.app_error"))
            );
        }
        let room = json!({ "team_id": team, "type": "O", "name": "r", "display_name": bad });
        assert_eq!(anna.post("/channels", room).await.0, 400, "{bad:?}");
        let header = json!({ "team_id": team, "type": "O", "name": "r", "display_name": "r",
            "header": bad });
        assert_eq!(anna.post("/channels", header).await.0, 400, "{bad:?}");
        let named = json!({ "name": "t", "display_name": bad, "type": "O" });
        assert_eq!(anna.post("/teams", named).await.0, 400, "{bad:?}");
        let user = json!({ "username": "x", "password": PASSWORD, "first_name": bad });
        assert_eq!(anna.post("/users", user).await.0, 400, "{bad:?}");
    }
    let (status, user) = anna
        .put(
            "/users/me/patch",
            json!({ "first_name": "  Anna \u{a0} Maria " }),
        )
        .await;
    assert_eq!((status, &user["first_name"]), (200, &json!("Anna Maria")));
    let (_, user) = anna
        .put("/users/me/patch", json!({ "last_name": "بن محمد" }))
        .await;
    assert_eq!(user["last_name"], "بن محمد");
}

#[tokio::test]
async fn weak_passwords_are_refused_wherever_one_is_chosen() {
    let desk = Desk::open_with(|config| config.open_registration = true).await;
    let anna = desk.person("anna").await;
    for weak in ["short", "password12345", "anna likes me", "abcabcabcabc"] {
        let user = json!({ "username": "anna.two", "password": weak, "email": "anna@x.org" });
        assert_eq!(desk.nobody().post("/users", user).await.0, 400, "{weak}");
        let change = json!({ "current_password": PASSWORD, "new_password": weak });
        let (status, error) = anna.put("/users/me/password", change).await;
        assert_eq!(status, 400, "{weak}");
        assert!(text(&error["id"]).starts_with("model.user.is_valid.pwd"));
    }
    let config = anna.read("/config/client").await;
    assert_eq!(config["PasswordMinimumLength"], "12");
}
