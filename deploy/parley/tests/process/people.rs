//! The verb `people`, without a server and beside one.

use std::path::Path;

use crate::house::{Ended, House, PASSWORD, add, ended, parley};

fn people(data: &Path, words: &str) -> Ended {
    let mut command = parley("people");
    command.args(words.split(' ')).arg("--data-dir").arg(data);
    ended(command.env("PARLEY_PASSWORD", PASSWORD))
}

fn done(data: &Path, words: &str) -> String {
    let ended = people(data, words);
    assert_eq!(ended.code, Some(0), "{words}: {ended:?}");
    ended.stdout
}

fn row<'a>(list: &'a str, name: &str) -> Vec<&'a str> {
    let mut rows = list.lines().map(|line| line.split_whitespace().collect());
    let found = rows.find(|row: &Vec<&str>| row.first() == Some(&name));
    found.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_added_shut_out_and_let_in_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let nowhere = people(&data, "list");
    assert_eq!(nowhere.code, Some(1));
    assert!(
        nowhere.last_line().contains("there are no records in"),
        "{nowhere:?}"
    );
    assert!(!data.exists(), "a wrong folder is not made");

    add(&data, "anna");
    add(&data, "ben");
    let list = done(&data, "list");
    assert_eq!(row(&list, "anna"), ["anna", "administrator", "active", "0"]);
    assert_eq!(row(&list, "ben"), ["ben", "person", "active", "0"]);

    let last = people(&data, "deactivate anna");
    assert_eq!(last.code, Some(1));
    assert!(
        last.last_line().contains("this is the last administrator"),
        "{last:?}"
    );
    assert_eq!(people(&data, "deactivate nobody").code, Some(1));

    done(&data, "make-admin ben");
    done(&data, "remove-admin anna");
    done(&data, "deactivate anna");
    let list = done(&data, "list");
    assert_eq!(row(&list, "anna"), ["anna", "person", "shut", "out", "0"]);
    assert_eq!(row(&list, "ben"), ["ben", "administrator", "active", "0"]);

    let house = House::start(&data);
    assert_eq!(house.sign_in("anna", PASSWORD).await, Err(401));
    assert!(house.sign_in("ben", PASSWORD).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_hears_of_what_was_decided() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    add(&data, "anna");
    let house = House::start(&data);
    add(&data, "ben");
    let ben = house.sign_in("ben", PASSWORD).await.unwrap();
    let sessions = done(&data, "sessions ben");
    assert_eq!(sessions.lines().count(), 2, "{sessions}");
    assert_eq!(house.get("/api/v4/users/me", &ben).await.0, 200);

    done(&data, "deactivate ben");
    assert_eq!(house.get("/api/v4/users/me", &ben).await.0, 401);
    assert_eq!(house.sign_in("ben", PASSWORD).await, Err(401));
    assert!(done(&data, "sessions ben").contains("signed in nowhere"));

    done(&data, "activate ben");
    let ben = house.sign_in("ben", PASSWORD).await.unwrap();
    let mut reset = parley("people reset-password ben --data-dir");
    let reset = reset
        .arg(&data)
        .env("PARLEY_PASSWORD", "another harbour lantern");
    assert_eq!(ended(reset).code, Some(0));
    assert_eq!(house.get("/api/v4/users/me", &ben).await.0, 401);
    assert_eq!(house.sign_in("ben", PASSWORD).await, Err(401));
    let signed_in = house.sign_in("ben", "another harbour lantern").await;
    assert!(signed_in.is_ok());

    done(&data, "make-admin ben");
    done(&data, "remove-admin ben");
    let token = signed_in.unwrap();
    assert_eq!(house.get("/api/v4/users/me", &token).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_and_a_link_bring_people_in() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let list = folder.path().join("people.csv");
    let import = format!("import {}", list.display());
    std::fs::write(&list, "username,role\nanna,administrator\nben,chief\n").unwrap();
    add(&data, "root");
    let refused = people(&data, &import);
    assert_eq!(refused.code, Some(1));
    assert!(refused.last_line().contains("line 3"), "{refused:?}");
    assert_eq!(row(&done(&data, "list"), "anna"), [""; 0]);

    let text = format!("username,password,role\nanna,{PASSWORD},administrator\nben,,\n");
    std::fs::write(&list, text).unwrap();
    let told = done(&data, &import);
    let of_ben = told.lines().find(|line| line.contains("ben")).unwrap();
    let made_up = of_ben.split_whitespace().last().unwrap().to_owned();
    assert_eq!(made_up.len(), 23, "{told}");
    assert!(!told.contains(PASSWORD), "{told}");

    let house = House::start(&data);
    let ben = house.sign_in("ben", &made_up).await.unwrap();
    assert!(house.sign_in("anna", PASSWORD).await.is_ok());
    done(&data, "end-sessions ben");
    assert_eq!(house.get("/api/v4/users/me", &ben).await.0, 401);
    let link = done(&data, "invite --uses 2 --days 1");
    let (_, secret) = link
        .trim()
        .split_once("/signup_user_complete/?id=")
        .unwrap();
    let opened = house
        .get(&format!("/api/v4/teams/invite/{secret}"), "")
        .await;
    assert_eq!(opened.0, 200, "{opened:?}");
    assert_eq!(people(&data, "invite --days 31").code, Some(1));
}
