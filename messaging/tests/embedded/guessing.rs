//! Guessing passwords: what it costs the guesser, and that it shuts out nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::desk::{Client, Desk, PASSWORD, text};

/// A server that believes the addresses that the tests claim to come from.
async fn behind_a_proxy() -> Desk {
    Desk::open_with(|config| config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]).await
}

/// A sign-in from an address, with the cookies of a device.
async fn attempt(client: &Client, name: &str, password: &str, from: &str, jar: &str) -> Response {
    let request = client.request(Method::POST, "/users/login");
    let body = json!({ "login_id": name, "password": password });
    let request = request.header("x-forwarded-for", from).json(&body);
    let request = if jar.is_empty() {
        request
    } else {
        request.header("cookie", jar)
    };
    request.send().await.unwrap()
}

async fn status(client: &Client, name: &str, password: &str, from: &str) -> u16 {
    attempt(client, name, password, from, "")
        .await
        .status()
        .as_u16()
}

fn count(statuses: &[u16], wanted: u16) -> usize {
    statuses.iter().filter(|status| **status == wanted).count()
}

/// Wrong sign-ins side by side; returns their statuses.
async fn at_once(client: &Client, attempts: Vec<(String, String)>) -> Vec<u16> {
    let tasks: Vec<_> = attempts
        .into_iter()
        .map(|(name, from)| {
            let client = client.clone();
            tokio::spawn(async move { status(&client, &name, "guess guess guess", &from).await })
        })
        .collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap());
    }
    statuses
}

#[tokio::test]
async fn three_hundred_guesses_at_once_are_ten() {
    let desk = behind_a_proxy().await;
    desk.person("anna").await;
    let nobody = desk.nobody();
    let guesses = (0..300).map(|_| ("anna".to_owned(), "192.0.2.1".to_owned()));
    let statuses = at_once(&nobody, guesses.collect()).await;
    assert_eq!((count(&statuses, 401), count(&statuses, 429)), (10, 290));
    // also the right one, from there
    let refused = attempt(&nobody, "anna", PASSWORD, "192.0.2.1", "").await;
    assert_eq!(refused.status(), 429);
    let pause: u64 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((200..=300).contains(&pause), "{pause}");
    let error: Value = refused.json().await.unwrap();
    assert!(text(&error["message"]).contains("5 minutes"), "{error}");
    assert_eq!(status(&nobody, "anna", PASSWORD, "198.51.100.1").await, 200);
}

#[tokio::test]
async fn an_account_is_one_however_it_is_called_and_a_network_is_one_place() {
    let desk = behind_a_proxy().await;
    let anna = desk.person("anna").await;
    let nobody = desk.nobody();
    let names = ["anna", "ANNA", " anna", "anna@localhost", "Anna@LocalHost"];
    for turn in 0..10 {
        let from = format!("2001:db8:1:2::{turn}");
        let name = names[turn % names.len()];
        assert_eq!(status(&nobody, name, "wrong wrong wrong", &from).await, 401);
    }
    for name in names {
        let from = "2001:db8:1:2:ffff::1";
        assert_eq!(status(&nobody, name, PASSWORD, from).await, 429, "{name}");
    }
    let by_id = nobody
        .request(Method::POST, "/users/login")
        .header("x-forwarded-for", "2001:db8:1:2::99")
        .json(&json!({ "id": anna.id, "password": PASSWORD }));
    assert_eq!(by_id.send().await.unwrap().status(), 429);
    assert_eq!(
        status(&nobody, "anna", PASSWORD, "2001:db8:1:3::1").await,
        200
    );
}

#[tokio::test]
async fn a_made_up_name_is_answered_as_an_account_is() {
    let desk = behind_a_proxy().await;
    desk.person("anna").await;
    let nobody = desk.nobody();
    let long = "x".repeat(600);
    for name in ["anna", "nobody"] {
        let mut seen = Vec::new();
        for password in ["wrong", &long] {
            for _ in 0..6 {
                let answer = attempt(&nobody, name, password, "192.0.2.1", "").await;
                let status = answer.status().as_u16();
                let error: Value = answer.json().await.unwrap();
                seen.push((status, text(&error["id"])));
            }
        }
        let wrong = "api.user.login.invalid_credentials_email_username";
        assert!(seen[..10].iter().all(|s| *s == (401, wrong.to_owned())));
        let spent = "api.context.rate_limit.app_error";
        assert!(seen[10..].iter().all(|s| *s == (429, spent.to_owned())));
    }
}

#[tokio::test]
async fn inventing_names_uses_up_nobody_elses_attempts() {
    let desk = behind_a_proxy().await;
    let anna = desk.person("anna").await;
    desk.person("ben").await;
    let nobody = desk.nobody();
    let mut refused = 0;
    for number in 0..130 {
        let name = format!("made.up.{number}");
        refused += usize::from(status(&nobody, &name, "wrong wrong", "192.0.2.1").await == 429);
    }
    assert_eq!(refused, 30);
    // a stranger's wrong password is refused in the same words, whether the name exists or not
    let wrong = attempt(&nobody, "ben", "wrong wrong", "192.0.2.1", "").await;
    assert_eq!(wrong.status(), 429);
    assert_eq!(status(&nobody, "ben", PASSWORD, "192.0.2.1").await, 200);
    assert_eq!(anna.get("/users/me").await.0, 200);
    // other places have attempts of their own
    assert_eq!(status(&nobody, "made.up", "wrong", "192.0.2.2").await, 401);
}

#[tokio::test]
async fn an_owner_on_a_device_of_before_is_not_locked_out_by_guessers() {
    let desk = behind_a_proxy().await;
    desk.person("anna").await;
    let nobody = desk.nobody();
    let first = attempt(&nobody, "anna", PASSWORD, "198.51.100.1", "").await;
    let cookies = first.headers().get_all("set-cookie").iter();
    let device = cookies
        .map(|cookie| cookie.to_str().unwrap())
        .find(|cookie| cookie.starts_with("PARLEYDEVICE="))
        .unwrap();
    assert!(device.contains("HttpOnly") && device.contains("Path=/api/v4/users/login"));
    let device = device.split(';').next().unwrap();
    // from twelve places, the owner's network among them
    let mut statuses = Vec::new();
    for _ in 0..12 {
        let places = (0..12).map(|number| ("anna".to_owned(), format!("198.51.100.{number}")));
        statuses.extend(at_once(&nobody, places.collect()).await);
    }
    assert_eq!((count(&statuses, 401), count(&statuses, 200)), (110, 0));
    assert_eq!(status(&nobody, "anna", PASSWORD, "203.0.113.9").await, 429);
    let owner = attempt(&nobody, "anna", PASSWORD, "203.0.113.9", device).await;
    assert_eq!(owner.status(), 200);
    let forged = format!("PARLEYDEVICE={}.{}", "a".repeat(26), "b".repeat(26));
    let forged = attempt(&nobody, "anna", PASSWORD, "203.0.113.8", &forged).await;
    assert_eq!(forged.status(), 429);
    // guessing on a marked device has an end, too
    let mut seen = Vec::new();
    for _ in 0..12 {
        let guess = attempt(&nobody, "anna", "wrong wrong", "203.0.113.7", device).await;
        seen.push(guess.status().as_u16());
    }
    assert_eq!((count(&seen, 401), count(&seen, 429)), (10, 2));
}

#[tokio::test]
async fn strangers_cannot_claim_to_be_elsewhere() {
    let desk = Desk::open().await;
    desk.person("anna").await;
    let nobody = desk.nobody();
    let mut seen = Vec::new();
    for number in 0..12 {
        let from = format!("198.51.100.{number}");
        seen.push(status(&nobody, "anna", "wrong wrong", &from).await);
    }
    assert_eq!((count(&seen, 401), count(&seen, 429)), (10, 2));
}

#[expect(
    clippy::excessive_nesting,
    reason = "one guesser, read where it is sent off"
)]
#[tokio::test]
async fn people_sign_in_while_a_hundred_connections_guess() {
    let desk = behind_a_proxy().await;
    desk.person("anna").await;
    let nobody = desk.nobody();
    let going = Arc::new(AtomicBool::new(true));
    let guessed = Arc::new(AtomicUsize::new(0));
    let flood: Vec<_> = (0..100)
        .map(|number| {
            let (client, going, guessed) = (desk.nobody(), going.clone(), guessed.clone());
            tokio::spawn(async move {
                for turn in 0.. {
                    if !going.load(Ordering::Relaxed) {
                        return;
                    }
                    let name = format!("made.up.{number}.{turn}");
                    // half of them from one network, half from everywhere
                    let from = if number % 2 == 0 { 0 } else { number };
                    let from = format!("192.0.2.{from}");
                    let status = status(&client, &name, "wrong wrong", &from).await;
                    assert!(matches!(status, 401 | 429), "{status}");
                    guessed.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut slowest = Duration::ZERO;
    // from where the flood comes from, too
    for from in ["198.51.100.1", "192.0.2.0", "192.0.2.1", "198.51.100.2"] {
        while guessed.load(Ordering::Relaxed) < 200 {
            tokio::task::yield_now().await;
        }
        let began = Instant::now();
        assert_eq!(status(&nobody, "anna", PASSWORD, from).await, 200);
        slowest = slowest.max(began.elapsed());
    }
    going.store(false, Ordering::Relaxed);
    for task in flood {
        task.await.unwrap();
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}
