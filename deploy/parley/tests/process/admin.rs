//! The verb `admin`, beside a server and without one.

use std::path::Path;

use serde_json::{Value, json};

use crate::house::{Ended, House, PASSWORD, add, ended, parley};

/// What `admin` says to `words`, asked at the address of a house.
fn admin(data: &Path, url: &str, words: &str) -> Ended {
    let mut command = parley("admin");
    let listen = url.trim_start_matches("http://").trim_end_matches('/');
    command.args(words.split(' ')).args(["--listen", listen]);
    ended(command.arg("--data-dir").arg(data))
}

fn done(data: &Path, url: &str, words: &str) -> String {
    let ended = admin(data, url, words);
    assert_eq!(ended.code, Some(0), "{words}: {ended:?}");
    assert!(ended.stdout.ends_with('\n'), "{ended:?}");
    ended.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_sees_and_closes_channels_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    add(&data, "anna");
    let house = House::start(&data);
    let anna = house.sign_in("anna", PASSWORD).await.unwrap();

    let (_, teams) = house.get("/api/v4/users/me/teams", &anna).await;
    let teams: Vec<Value> = serde_json::from_str(&teams).unwrap();
    let team = teams.first().and_then(|team| team.get("id"));
    let made = json!({ "team_id": team, "name": "plans", "display_name": "Plans", "type": "P" });
    let made = house.post("/api/v4/channels", &anna, made).await;
    let id = made.get("id").and_then(Value::as_str).unwrap();

    let listed = done(&data, &house.url, "channels list");
    let row = listed.lines().find(|line| line.starts_with(id)).unwrap();
    let row: Vec<&str> = row.split_whitespace().skip(1).collect();
    assert_eq!(row.join(" "), "plans main private open");

    let told = done(&data, &house.url, "channels archive plans");
    assert!(told.contains("`plans` is archived"), "{told}");
    let path = format!("/api/v4/channels/{id}");
    let (_, channel) = house.get(&path, &anna).await;
    assert!(!channel.contains("\"delete_at\":0"), "{channel}");
    done(&data, &house.url, &format!("channels restore {id}"));
    let (_, channel) = house.get(&path, &anna).await;
    assert!(channel.contains("\"delete_at\":0"), "{channel}");

    let unknown = admin(&data, &house.url, "channels archive nowhere");
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown
            .last_line()
            .contains("there is no channel `nowhere`"),
        "{unknown:?}"
    );
    let everybodys = admin(&data, &house.url, "channels archive town-square");
    assert!(
        everybodys.last_line().contains("everybody's"),
        "{everybodys:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_sees_calls_storage_and_health_and_leaves_no_session() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    add(&data, "anna");
    let house = House::start(&data);
    assert_eq!(done(&data, &house.url, "calls list"), "no call runs\n");
    let storage = done(&data, &house.url, "storage");
    assert!(
        storage.contains("\npeople ") && storage.contains("free bytes"),
        "{storage}"
    );
    let health = done(&data, &house.url, "health");
    assert!(
        health
            .lines()
            .any(|line| line.starts_with("ready ") && line.ends_with("true"))
    );
    let none = admin(&data, &house.url, "calls end town-square");
    assert!(none.last_line().contains("no call ongoing"), "{none:?}");
    let sessions = done(&data, &house.url, "people sessions anna");
    assert!(sessions.contains("signed in nowhere"), "{sessions}");
    drop(house);

    let gone = admin(&data, "http://127.0.0.1:1", "health");
    assert_eq!(gone.code, Some(1));
    let said = gone.last_line();
    assert!(
        said.contains("no server answers at `127.0.0.1:1`") && said.contains("--listen"),
        "{said}"
    );
}
